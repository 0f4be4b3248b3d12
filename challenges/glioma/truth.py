"""The outcome of an endpoint, and truth files: ID,time,event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.glioma.columns import YEAR
from challenges.glioma.table import Rows, doubled, number, read_rows
from harness.errors import refuse
from harness.survival.followup import FollowUp, censored_at

if TYPE_CHECKING:
    from harness.contracts import Array

__all__ = ["ONE_YEAR", "other_ids", "outcome_of", "read_truth", "truth_ids"]

ONE_YEAR = "1yr"
"""The endpoint whose follow-up ends after 365 days."""
ID = "ID"


def outcome_of(time: Sequence[float], event: Sequence[bool], endpoint: str) -> dict[str, Array]:
    """Return `time` in days, float64, and `event` uint8, both (n,), as the endpoint sees them.

    1yr is administrative censoring: who lived beyond 365 days is censored just after them, and so is who
    died later. (Setting late deaths to "alive" and keeping their times, as the source's code does, gives
    the same comparable pairs.)
    """
    known = FollowUp.of(time, event)
    seen = censored_at(known, YEAR) if endpoint == ONE_YEAR else known
    return {"time": seen.time, "event": seen.event.astype(np.uint8)}


def read_truth(path: Path, ids: Sequence[str], endpoint: str = "os") -> dict[str, Array]:
    """Read a truth table ID,time,event (days; 1 = dead) that holds exactly `ids`, in their order.

    Raises:
        UserError: malformed, a time that is not above 0, an event that is not 0 or 1, other patients.
    """
    table = _table(path)
    refuse(f"{path} does not fit the cases", other_ids(table, ids))
    of = {row.cells[ID]: row.cells for row in table.rows}
    time = [float(of[case]["time"]) for case in ids]
    return outcome_of(time, [float(of[case]["event"]) == 1 for case in ids], endpoint)


def truth_ids(path: Path) -> tuple[str, ...]:
    """Return the ID of every row of a truth table, sorted.

    Raises:
        UserError: malformed, by line and column.
    """
    return tuple(sorted(row.cells[ID] for row in _table(path).rows))


def _table(path: Path) -> Rows:
    table = read_rows(path, [ID, "time", "event"])
    problems = doubled(table.rows, ID)
    for row in table.rows:
        time, event = number(row.cells["time"]), number(row.cells["event"])
        if time is None or time <= 0:
            problems.append(f"line {row.line}, column time: {row.cells['time']!r} is no number above 0")
        if event not in (0, 1):
            problems.append(f"line {row.line}, column event: {row.cells['event']!r} is not 0 or 1 (dead)")
    refuse(f"{path} is malformed", problems)
    return table


def other_ids(table: Rows, ids: Sequence[str]) -> list[str]:
    """Return what is missing from, or too much in, a table that should hold exactly `ids`."""
    expected, found = set(ids), {row.cells[ID] for row in table.rows}
    extra = [
        f"line {row.line}: {row.cells[ID]!r} is not asked for"
        for row in table.rows
        if row.cells[ID] not in expected
    ]
    return [*(f"{case!r} is missing" for case in ids if case not in found), *extra]
