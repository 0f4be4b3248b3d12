"""The site as files: each written only where it differs, and made only where what it is made of differs.

site/.files    a line for each file of ours: its name, and if it has a key the digest of its bytes and the key

A file whose bytes are no longer those that were written is made again, whatever its key.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.atomic import write_atomic

__all__ = ["Difference", "File", "differences", "ready", "write_files"]

LOCK, LISTING = ".lock", ".files"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the site."""

    name: str
    make: Callable[[], bytes]
    key: str = ""
    """Digest of everything that `make` depends on; "" makes it every time."""


def ready(name: str, content: bytes) -> File:
    """Return a file whose content is there."""
    return File(name, lambda: content)


# ----------------------------------------------------------------------------------------- writing
def write_files(site: Path, files: Iterable[File], keeps: Callable[[str], bool]) -> None:
    """Write a site, and remove those files of earlier builds that are not among these, unless kept."""
    site.mkdir(parents=True, exist_ok=True)
    with _locked(site / LOCK):
        before = _listed(site)
        written = {name: line for name, line in before.items() if keeps(name)}
        for file in files:
            written[file.name] = _write(site, file, before)
        _forget(site, before.keys() - written.keys())
        _list(site, written)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(site: Path, file: File, before: dict[str, str]) -> str:
    """Write a file that is new or different and return its line.

    A new name is listed first, so that no crash leaves it unlisted.
    """
    old = _read(f"{site}/{file.name}")
    if old is not None and file.key and (line := _line(file, old)) == before.get(file.name):
        return line
    content = file.make()
    if content == old:
        return _line(file, content)
    if file.name not in before:
        with (site / LISTING).open("a", encoding="utf-8") as listing:
            listing.write(f"{file.name}\n")
    write_atomic(site / file.name, content, durable=False)
    return _line(file, content)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError):
        return None


def _line(file: File, content: bytes) -> str:
    if not file.key:
        return file.name
    return f"{file.name}\t{hashlib.sha256(content).hexdigest()}\t{file.key}"


def _listed(site: Path) -> dict[str, str]:
    """Return the lines of files that earlier builds wrote; a name that leads out of the site is not one."""
    try:
        lines = (site / LISTING).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    named = {line.partition("\t")[0]: line for line in lines}
    return {name: named[name] for name in named if _is_inside(name)}


def _is_inside(name: str) -> bool:
    return name != "" and ".." not in name.split("/") and not name.startswith("/")


def _list(site: Path, lines: dict[str, str]) -> None:
    content = "".join(f"{lines[name]}\n" for name in sorted(lines)).encode()
    path = site / LISTING
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content, durable=False)


def _forget(site: Path, names: Iterable[str]) -> None:
    """Remove files that are no longer part of the site, and folders that this empties."""
    for name in sorted(names):
        path = site / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == site or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


# --------------------------------------------------------------------------------------- comparing
@dataclass(frozen=True, slots=True)
class Difference:
    """A file of the site that is not as the records say."""

    name: str
    how: str
    """ "differs", "missing" or "left over"."""


def differences(site: Path, files: Iterable[File], keeps: Callable[[str], bool]) -> tuple[Difference, ...]:
    """Make every file and compare it with the site's, by name; nothing is written."""
    made: set[str] = set()
    found = []
    for file in files:
        made.add(file.name)
        path = site / file.name
        if not path.is_file():
            found.append(Difference(file.name, "missing"))
        elif path.read_bytes() != file.make():
            found.append(Difference(file.name, "differs"))
    over = (name for name in _listed(site) if name not in made and not keeps(name))
    found += [Difference(name, "left over") for name in over if (site / name).exists()]
    return tuple(sorted(found, key=lambda item: item.name))
