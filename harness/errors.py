"""The one error a user can cause.

Exception
└── UserError    bad words, files, data or submissions: printed as one sentence, exit code 2

Everything else is our bug and keeps its traceback. What goes wrong inside a fold is not an
exception but a state: `harness.contracts.Failure`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["UserError", "did_you_mean", "refuse"]

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


def refuse(what: str, problems: list[str]) -> None:
    """Raise a UserError that lists the problems (the first 20 and a count), if there are any."""
    if not problems:
        return
    shown = problems[:SHOWN_PROBLEMS]
    more = len(problems) - len(shown)
    lines = [f"{what} ({len(problems)} found):", *(f"  - {p}" for p in shown)]
    raise UserError("\n".join(lines + ([f"  - and {more} more"] if more else [])))
