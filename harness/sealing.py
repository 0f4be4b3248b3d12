"""Sealed test scores: hidden until a date, with a ledger of every look that a team takes before.

Of a sealed challenge the boards show the out-of-fold half alone. The ledger is runs/<challenge>/looks.jsonl:
one line for every look, only ever added to. Feedback from a hidden test set is what entrants overfit to
(Blum and Hardt, The Ladder, ICML 2015), so looks are few, counted by team, and on the board.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.cards import SealedCard

__all__ = ["LEDGER", "Look", "clock", "is_sealed", "read_looks", "team_key", "used", "without_test"]

LEDGER = "looks.jsonl"


@dataclass(frozen=True, slots=True)
class Look:
    """A line of the ledger."""

    time: str
    """UTC, ISO 8601."""
    team: str
    entry: str
    run_id: str
    predictions: str
    """The run that made the predictions: to look at them again, scored anew, tells nothing more."""


def is_sealed(sealed: SealedCard | None, moment: datetime) -> bool:
    """Say whether test scores are hidden at a moment."""
    return sealed is not None and moment < sealed.until


def clock(moment: datetime) -> str:
    """Return a moment with its zone.

    >>> clock(datetime.fromisoformat("2026-12-31T23:59+09:00"))
    '2026-12-31 23:59 UTC+09:00'
    """
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def without_test(record: RunRecord) -> RunRecord:
    """Return a record without its test scores, those of further seeds and what a search says of them."""
    sweep = record.sweep
    if sweep is not None and not sweep.nested:
        sweep = dataclasses.replace(sweep, outer_score=None, optimism=None)
    seeds = record.seeds
    if seeds is not None:
        scores = tuple(dataclasses.replace(score, test={}) for score in seeds.scores)
        seeds = dataclasses.replace(seeds, scores=scores)
    return dataclasses.replace(record, test=None, sweep=sweep, seeds=seeds)


def team_key(name: str) -> str:
    """Return what is equal for spellings of one team's name: case, width and spaces do not matter."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def read_looks(runs: Path, challenge: str) -> tuple[Look, ...]:
    """Return a challenge's ledger, oldest first.

    Raises:
        UserError: by line, if the ledger cannot be read.
    """
    path = runs / challenge / LEDGER
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(_parsed(line, path, number) for number, line in enumerate(lines, 1))


def _parsed(line: str, path: Path, number: int) -> Look:
    try:
        found = Look(**json.loads(line))
        if not all(isinstance(value, str) for value in dataclasses.astuple(found)):
            raise TypeError("a field is no text")
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}, line {number}, is no look ({error}). Put the ledger back as it was written."
        ) from error
    return found


def used(looks: Iterable[Look]) -> Mapping[str, frozenset[str]]:
    """Return, by team, the runs whose predictions it has looked at."""
    found: dict[str, set[str]] = {}
    for item in looks:
        found.setdefault(team_key(item.team), set()).add(item.predictions)
    return {team: frozenset(runs) for team, runs in found.items()}
