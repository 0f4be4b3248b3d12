"""Files and folders that are there whole or not at all, through a kill and a power cut."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

__all__ = ["atomic_folder", "write_atomic"]

_PART = f".part-{platform.node()}-"
"""What a folder is called while it is written: machine and process, so that another's is left alone."""


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def write_atomic(path: Path, content: bytes, *, durable: bool = True, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    What the next command makes again need not be durable: a power cut may then leave an empty file.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            _write_all(file, content)
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _remove_orphans(parent: Path) -> None:
    """Remove what processes of this machine that were killed left half written."""
    for path in parent.glob(f"{_PART}*"):
        owner = path.name.removeprefix(_PART).partition("-")[0]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` when the block ends, fsynced; or nothing does."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(target.parent)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{_PART}{os.getpid()}-"))
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            else:
                _sync_folder(path)
        temporary.chmod(0o755)
        _sync_folder(temporary)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync_folder(target.parent)
