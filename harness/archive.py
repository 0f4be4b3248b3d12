"""The files of a folder or a zip that a stranger named: listed and read, never extracted, within limits."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from harness.errors import UserError, refuse
from harness.safe_open import MEGABYTE, open_regular, read_bytes

__all__ = ["Files", "digest", "opened"]

DEPTH = 4
MOST_FILES = 20_000
LARGEST_ZIP = 8192 * MEGABYTE
LARGEST_DIRECTORY = 4 * MEGABYTE
"""Of a zip's list of members: zipfile reads it whole before anything can be looked at."""
CHUNK = MEGABYTE
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins: with a member, or as an empty one."""
IGNORED = "__MACOSX"
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""What zipfile raises for an archive that is none, or damaged, or of a kind that it does not know."""


class Files(Protocol):
    """What a folder, a zip or a single file holds."""

    kind: Literal["folder", "zip", "file"]
    names: tuple[str, ...]
    """Paths inside it, sorted; hidden files and what macOS adds are left out."""

    def shown(self, name: str) -> str:
        """Return how a message calls a file."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a file's bytes.

        Raises:
            UserError: larger than `limit`, which a zip's member is refused for before it is inflated.
        """


@contextmanager
def opened(path: Path) -> Iterator[Files]:
    """Give the files of a folder or a zip; any other file is a set of one.

    Raises:
        UserError: not there, a link, no regular file; in a folder links and odd files, too many, too deep;
            in a zip paths that lead out of it, links, encrypted or doubled members, too many, or damage.
    """
    if path.is_dir() and not path.is_symlink():
        yield _Folder(path)
        return
    with open_regular(path, LARGEST_ZIP) as file:
        if file.read(4) not in ZIP:
            yield _Single(path)
            return
        file.seek(0)
        yield _Zip(path, file)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files.

    Raises:
        UserError: as `opened`.
    """
    with opened(path) as files:
        if files.kind != "folder":
            return _file_digest(path)
        rows = (f"{name}\0{_file_digest(path / name)}\n" for name in files.names)
        return hashlib.sha256("".join(rows).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with open_regular(path, LARGEST_ZIP) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Single:
    kind: Literal["folder", "zip", "file"] = "file"

    def __init__(self, path: Path) -> None:
        self.names: tuple[str, ...] = (path.name,)
        self._path = path

    def shown(self, name: str) -> str:
        return str(self._path)

    def read(self, name: str, limit: int) -> bytes:
        return read_bytes(self._path, limit)


# --------------------------------------------------------------------------------------------- folder
class _Folder:
    kind: Literal["folder", "zip", "file"] = "folder"

    def __init__(self, path: Path) -> None:
        self._path = path
        problems: list[str] = []
        names = sorted(islice(_walk(path, path, problems), MOST_FILES + 1))
        if len(names) > MOST_FILES:
            raise UserError(f"{path} holds more than {MOST_FILES} files.")
        self.names: tuple[str, ...] = tuple(names)
        refuse(f"{path} cannot be read as it is", problems)

    def shown(self, name: str) -> str:
        return str(self._path / name)

    def read(self, name: str, limit: int) -> bytes:
        return read_bytes(self._path / name, limit)


def _walk(base: Path, folder: Path, problems: list[str], depth: int = 0) -> Iterator[str]:
    """Yield the regular files, relative to `base`; what else there is goes to `problems`."""
    for entry in os.scandir(folder):
        name = Path(entry.path).relative_to(base).as_posix()
        if entry.name.startswith(".") or entry.name == IGNORED:
            continue
        if not entry.name.isprintable():
            problems.append(f"{_quoted(name)} has characters that cannot be shown; rename it")
        elif entry.is_symlink():
            problems.append(f"{name} is a symbolic link; copy the file itself")
        elif entry.is_dir():
            if depth >= DEPTH:
                problems.append(f"{name} lies deeper than {DEPTH} folders")
            else:
                yield from _walk(base, Path(entry.path), problems, depth + 1)
        elif not entry.is_file():
            problems.append(f"{name} is no regular file")
        elif entry.stat().st_nlink > 1:
            problems.append(f"{name} has {entry.stat().st_nlink} hard links; copy it")
        else:
            yield name


# ------------------------------------------------------------------------------------------------ zip
class _Limited(io.RawIOBase):
    """A file that refuses to be read in large pieces."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1, /) -> bytes:
        found = self._file.read(LARGEST_DIRECTORY + 1 if size < 0 else min(size, LARGEST_DIRECTORY + 1))
        if len(found) > LARGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of members is larger than {LARGEST_DIRECTORY} bytes")
        return found


class _Zip:
    kind: Literal["folder", "zip", "file"] = "zip"

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(_Limited(file))
        except BROKEN as error:
            raise UserError(f"{path} is no zip that can be read ({error}). Write it again.") from None
        members = [m for m in self._zip.infolist() if not _is_left_out(m)]
        if len(members) > MOST_FILES:
            raise UserError(f"{path} holds {len(members)} files; at most {MOST_FILES} are read.")
        counts = Counter(member.filename for member in members)
        problems = [f"{_quoted(name)} is there {n} times" for name, n in counts.items() if n > 1]
        refuse(f"{path} cannot be read as it is", problems + [p for m in members if (p := _odd(m))])
        self._members = {member.filename: member for member in members if not member.is_dir()}
        self.names: tuple[str, ...] = tuple(sorted(self._members))

    def shown(self, name: str) -> str:
        return f"{self._path}:{name}"

    def read(self, name: str, limit: int) -> bytes:
        member = self._members[name]
        if member.file_size > limit:
            raise UserError(
                f"{self.shown(name)} says that it holds {member.file_size} bytes; at most {limit}."
            )
        try:
            with self._zip.open(member) as stream:
                return b"".join(iter(lambda: stream.read(CHUNK), b""))  # ends at the size it says
        except BROKEN as error:
            raise UserError(f"{self.shown(name)} cannot be read ({error}). Write the zip again.") from None


def _is_left_out(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename).parts
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    return IGNORED in parts or hidden


def _odd(member: zipfile.ZipInfo) -> str | None:
    """Say what is wrong with a member, if anything, from the directory alone."""
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    parts = PurePosixPath(name).parts
    if not name.isprintable():
        return f"{_quoted(name)} has characters that cannot be shown; rename it"
    if name.startswith("/") or ".." in parts or "\\" in name or name[1:2] == ":":
        return f"{_quoted(name)} is a path that leads out of the zip or has backslashes"
    if len(parts) > DEPTH + 1:
        return f"{_quoted(name)} lies deeper than {DEPTH} folders"
    if kind == stat.S_IFLNK:
        return f"{_quoted(name)} is a symbolic link; put the file itself into the zip"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f"{_quoted(name)} is no regular file"
    if member.flag_bits & 1:
        return f"{_quoted(name)} is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{_quoted(name)} is packed by method {member.compress_type}; use deflate, or none"
    return None


def _quoted(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:100]}...")
