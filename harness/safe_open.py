"""Open a file that a stranger named: a regular file of limited size, never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from harness.errors import UserError

MEGABYTE = 1 << 20


@contextmanager
def open_regular(path: Path, limit: int = 64 * MEGABYTE) -> Iterator[BufferedReader]:
    """Open a file for reading.

    A link may point at the sealed truth, a pipe blocks for ever, a device never ends: each is
    refused before a byte is read, and by the opened file itself, so that it cannot be swapped.

    Raises:
        UserError: not there, not readable, not a regular file, linked, or larger than `limit`.
    """
    try:
        # NONBLOCK: opening a pipe without a writer would wait. Windows has none of these flags.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise UserError(_why_not_opened(path, error)) from None
    try:
        _refuse_odd(path, os.fstat(descriptor), limit)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_bytes(path: Path, limit: int = 64 * MEGABYTE) -> bytes:
    """Return the bytes of a file that `open_regular` opens.

    Raises:
        UserError: as `open_regular`.
    """
    with open_regular(path, limit) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UserError(f"{path} is larger than {_size(limit)}.")
    return data


def read_text(path: Path, limit: int = 64 * MEGABYTE) -> str:
    """Return the file as UTF-8 text, without a byte order mark.

    Raises:
        UserError: as `read_bytes`, or not UTF-8.
    """
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None


def _why_not_opened(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return f"{path} is a symbolic link; name the file itself."
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist."
    return f"{path} cannot be opened: {error.strerror}."


def _refuse_odd(path: Path, status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is not a regular file.")
    if status.st_nlink > 1:
        raise UserError(f"{path} has {status.st_nlink} hard links; copy it and name the copy.")
    if status.st_size > limit:
        raise UserError(f"{path} is larger than {_size(limit)}.")


def _size(limit: int) -> str:
    whole = limit % MEGABYTE == 0
    return f"{limit // MEGABYTE} MB" if whole else f"{limit} bytes"
