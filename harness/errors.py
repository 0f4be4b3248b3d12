"""The one error a user can cause.

Exception
└── UserError    bad words, files, data or submissions: printed as one sentence, exit code 2

Everything else is our bug and keeps its traceback. What goes wrong inside a fold is not an
exception but a state: `harness.contracts.Failure`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

__all__ = ["UserError", "did_you_mean", "file_in_the_way", "of_file_system", "refuse"]

SHOWN_PROBLEMS = 20


class UserError(Exception):
    """What is wrong, the value, what is known, what to type next: one sentence, no traceback."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean 'x'? Known: a, b." for a misspelt word; without a near match, what is known.

    >>> did_you_mean("kiun", ["kium", "brats"])
    "Did you mean 'kium'? Known: brats, kium."
    """
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(names) if names else 'none'}."


def file_in_the_way(folder: str) -> Path | None:
    """Return the file that lies where this folder, or one above it, must be."""
    return next((path for path in (Path(folder), *Path(folder).parents) if path.is_file()), None)


PLACES = "or give other places with runs=, site= and store="
OWN = ("/proc/", "/sys/")
"""What no user gave: an error there is ours."""


def of_file_system(error: OSError) -> UserError | None:
    """Return the sentence for what the user's own files refuse; None for anything else, which is our bug."""
    path = error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename
    if not isinstance(path, str) or path.startswith(OWN):
        return None
    if error.errno == errno.ENOSPC:
        return UserError(f"{path} cannot be written: the disk is full. Free space and type the same again.")
    if error.errno == errno.EROFS:
        return UserError(f"{path} cannot be written: its disk is read-only. Make it writable, {PLACES}.")
    if isinstance(error, PermissionError):
        return UserError(f"{path} may not be read or written by this user. Change its rights, {PLACES}.")
    if isinstance(error, NotADirectoryError | FileExistsError):
        return UserError(f"{file_in_the_way(path) or path} is where a folder must be. Move it, {PLACES}.")
    if isinstance(error, IsADirectoryError):
        return UserError(f"{path} is a folder where a file must be. Move it, {PLACES}.")
    return None


def refuse(what: str, problems: list[str]) -> None:
    """Raise a UserError that lists the problems (the first 20 and a count), if there are any."""
    if not problems:
        return
    shown = problems[:SHOWN_PROBLEMS]
    more = len(problems) - len(shown)
    lines = [f"{what} ({len(problems)} found):", *(f"  - {p}" for p in shown)]
    raise UserError("\n".join(lines + ([f"  - and {more} more"] if more else [])))
