"""Sealed test scores: hidden until a date, with a ledger of every look that a team takes before.

Of a sealed challenge the boards show the out-of-fold half alone. The ledger is runs/<challenge>/looks.jsonl:
one line for every look, only ever added to. Feedback from a hidden test set is what entrants overfit to
(Blum and Hardt, The Ladder, ICML 2015), so looks are few, counted by team, and on the board.
"""

from __future__ import annotations

import dataclasses
import json
import os
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import catalog
from harness.errors import UserError
from harness.prepare import locked
from harness.records import RunRecord, dump, load_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.cards import SealedCard
    from harness.config import LookConfig

__all__ = ["Allowed", "Look", "clock", "is_sealed", "look", "read_looks", "team_key", "used", "without_test"]

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


@dataclass(frozen=True, slots=True)
class Allowed:
    """A look that was taken: what it shows, and what is left."""

    record: RunRecord
    used: int
    limit: int
    again: bool
    """Whether the team had looked at these predictions before, which costs nothing."""
    until: datetime


def is_sealed(sealed: SealedCard | None, moment: datetime) -> bool:
    """Say whether test scores are hidden at a moment."""
    return sealed is not None and moment < sealed.until


def clock(moment: datetime) -> str:
    """Return a moment with its zone.

    >>> clock(datetime.fromisoformat("2026-12-31T23:59+09:00"))
    '2026-12-31 23:59 UTC+09:00'
    """
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzinfo.tzname(moment) if moment.tzinfo else ''}".strip()


def without_test(record: RunRecord) -> RunRecord:
    """Return a record without its test scores, and without what a search says of them."""
    sweep = record.sweep
    if sweep is not None and not sweep.nested:
        sweep = dataclasses.replace(sweep, outer_score=None, optimism=None)
    return dataclasses.replace(record, test=None, sweep=sweep)


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


def look(config: LookConfig, moment: datetime | None = None) -> Allowed:
    """Take a look at the sealed test score of a run: it is in the ledger before it is shown.

    Raises:
        UserError: nothing is sealed, the run has no test score, or its team has no look left.
    """
    moment = moment or datetime.now(UTC)
    challenge = catalog.challenge(config.challenge)
    sealed, record = challenge.card.sealed, load_named(config.runs, challenge.name, config.run)
    if sealed is None or not is_sealed(sealed, moment) or record.data.phantom:
        raise UserError(f"The test score of run {record.run_id} is not sealed. Type: harness leaderboard")
    if record.test is None or not record.test.metrics or record.entry.route == "reference":
        raise UserError(f"Run {record.run_id} has no test score, so there is nothing to look at.")
    origin = record.origin or record.run_id
    with locked(config.runs / challenge.name / ".looks.lock"):
        known = used(read_looks(config.runs, challenge.name)).get(team_key(record.entry.team), frozenset())
        if origin not in known and len(known) >= sealed.looks:
            raise UserError(
                f"Team {record.entry.team!r} has taken {len(known)} of {sealed.looks} looks; "
                f"the test scores of {challenge.name} are sealed until {clock(sealed.until)}. "
                f"The clock here: {clock(moment.astimezone())}."
            )
        _append(config.runs / challenge.name / LEDGER, _look_at(record, origin, moment))
    return Allowed(record, len(known | {origin}), sealed.looks, origin in known, sealed.until)


def _look_at(record: RunRecord, origin: str, moment: datetime) -> Look:
    time = moment.astimezone(UTC).isoformat(timespec="seconds")
    return Look(time, record.entry.team, record.entry.name, record.run_id, origin)


def _append(path: Path, line: Look) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(dump(line, indent=None) + "\n")
        file.flush()
        os.fsync(file.fileno())
