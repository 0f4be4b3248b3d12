"""`harness look`: the sealed test score of one run, written into the ledger before it is shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import catalog
from harness.errors import UserError
from harness.prepare import locked
from harness.records import Half, RunRecord, dump, load_named
from harness.sealing import LEDGER, Look, clock, is_sealed, read_looks, team_key, used

if TYPE_CHECKING:
    from harness.config import LookConfig

__all__ = ["Allowed", "look"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A look that was taken: what it shows, and what is left."""

    record: RunRecord
    used: int
    limit: int
    again: bool
    """Whether the team had looked at these predictions before, which costs nothing."""
    until: datetime
    moment: datetime

    @property
    def half(self) -> Half:
        """The sealed scores."""
        return self.record.test or Half(0, 0, {})

    @property
    def words(self) -> str:
        """What the look has cost, and the clock."""
        again = "These predictions were looked at before, which costs nothing. " if self.again else ""
        return (
            f"Look {self.used} of {self.limit} of team {self.record.entry.team}. {again}Sealed until "
            f"{clock(self.until)}; the clock here: {clock(self.moment.astimezone())}."
        )


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
    return Allowed(record, len(known | {origin}), sealed.looks, origin in known, sealed.until, moment)


def _look_at(record: RunRecord, origin: str, moment: datetime) -> Look:
    time = moment.astimezone(UTC).isoformat(timespec="seconds")
    return Look(time, record.entry.team, record.entry.name, record.run_id, origin)


def _append(path: Path, line: Look) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(dump(line, indent=None) + "\n")
        file.flush()
        os.fsync(file.fileno())
