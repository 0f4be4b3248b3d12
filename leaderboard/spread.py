"""The spread of a metric over the folds of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.records import RunRecord
from leaderboard.judging import finite

__all__ = ["FoldSpread", "fold_spread"]


@dataclass(frozen=True, slots=True)
class FoldSpread:
    """A metric over the cells (folds times seeds) that have a value."""

    values: tuple[float | None, ...]
    """By fold and seed; None where the fold failed or the metric is undefined."""
    defined: int
    mean: float | None
    sd: float | None
    """Sample standard deviation (ddof = 1); None for fewer than two values."""


def fold_spread(record: RunRecord, key: str) -> FoldSpread:
    """Return the spread of a metric over the folds' held-out parts."""
    cells = sorted(record.cells, key=lambda cell: (cell.fold, cell.seed))
    values = tuple(finite(cell.metrics.get(key)) if cell.state == "done" else None for cell in cells)
    known = [value for value in values if value is not None]
    if not known:
        return FoldSpread(values, 0, None, None)
    mean = math.fsum(known) / len(known)
    if len(known) < 2:
        return FoldSpread(values, 1, mean, None)
    squares = math.fsum((value - mean) ** 2 for value in known)
    return FoldSpread(values, len(known), mean, math.sqrt(squares / (len(known) - 1)))
