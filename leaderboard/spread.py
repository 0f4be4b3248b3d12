"""The spread of a metric over the folds of one run, and over the seeds of a fold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.comparisons import FoldTest, VarianceParts, corrected_fold_test, variance_parts
from harness.records import RunRecord
from leaderboard.judging import finite

__all__ = ["FoldSpread", "by_fold", "fold_interval", "fold_spread", "sizes_of", "variance_of"]


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


def by_fold(record: RunRecord, key: str) -> dict[int, list[float]] | None:
    """Return a metric's values by fold, one for each seed; None unless every cell of every fold has one."""
    found: dict[int, list[float]] = {}
    for cell in sorted(record.cells, key=lambda cell: (cell.fold, cell.seed)):
        value = finite(cell.metrics.get(key)) if cell.state == "done" else None
        if value is None:
            return None
        found.setdefault(cell.fold, []).append(value)
    return found if found and len(found) == record.n_folds else None


def fold_interval(record: RunRecord, key: str) -> FoldTest | None:
    """Return the mean over folds with Nadeau and Bengio's interval; None unless all folds have a value."""
    values = by_fold(record, key)
    if values is None:
        return None
    means = [math.fsum(seeds) / len(seeds) for seeds in values.values()]
    return corrected_fold_test(means, *sizes_of(record))


def sizes_of(record: RunRecord) -> tuple[float, float]:
    """Return how many cases a fold trains on and holds out, on average."""
    cells = record.cells
    train, heldout = sum(cell.n_train for cell in cells), sum(cell.n_heldout for cell in cells)
    return train / max(1, len(cells)), heldout / max(1, len(cells))


def variance_of(record: RunRecord, key: str) -> VarianceParts | None:
    """Return the variance between folds apart from that between seeds; None where folds have one seed."""
    values = by_fold(record, key)
    if values is None or len({len(seeds) for seeds in values.values()}) != 1:
        return None
    return variance_parts(list(values.values()))
