"""The spread of a metric over the folds of one run, and over the seeds of a fold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.comparisons import FoldTest, VarianceParts, cell_variance, corrected_fold_test
from harness.records import RunRecord
from leaderboard.judging import finite

__all__ = ["FoldSpread", "by_fold", "fold_interval", "fold_spread", "sizes_of", "variance_of"]


@dataclass(frozen=True, slots=True)
class FoldSpread:
    """A metric over the folds that have a value, those of the seed that the entry stands for."""

    values: tuple[float | None, ...]
    """By fold; None where the fold failed or the metric is undefined."""
    defined: int
    mean: float | None
    sd: float | None
    """Sample standard deviation (ddof = 1); None for fewer than two values."""


def fold_spread(record: RunRecord, key: str) -> FoldSpread:
    """Return the spread of a metric over the folds' held-out parts."""
    cells = sorted(record.first_cells, key=lambda cell: cell.fold)
    values = tuple(finite(cell.metrics.get(key)) if cell.state == "done" else None for cell in cells)
    known = [value for value in values if value is not None]
    if not known:
        return FoldSpread(values, 0, None, None)
    mean = math.fsum(known) / len(known)
    if len(known) < 2:
        return FoldSpread(values, 1, mean, None)
    squares = math.fsum((value - mean) ** 2 for value in known)
    return FoldSpread(values, len(known), mean, math.sqrt(squares / (len(known) - 1)))


def by_fold(record: RunRecord, key: str) -> dict[int, float] | None:
    """Return a metric's value of each fold, of the first seed; None unless every fold has one."""
    found: dict[int, float] = {}
    for cell in sorted(record.first_cells, key=lambda cell: cell.fold):
        value = finite(cell.metrics.get(key)) if cell.state == "done" else None
        if value is None:
            return None
        found[cell.fold] = value
    return found if found and len(found) == record.n_folds else None


def fold_interval(record: RunRecord, key: str) -> FoldTest | None:
    """Return the mean over folds with Nadeau and Bengio's interval; None unless all folds have a value."""
    values = by_fold(record, key)
    return None if values is None else corrected_fold_test(list(values.values()), *sizes_of(record))


def sizes_of(record: RunRecord) -> tuple[float, float]:
    """Return how many cases a fold trains on and holds out, on average."""
    cells = record.first_cells
    train, heldout = sum(cell.n_train for cell in cells), sum(cell.n_heldout for cell in cells)
    return train / max(1, len(cells)), heldout / max(1, len(cells))


def variance_of(record: RunRecord, key: str) -> VarianceParts | None:
    """Return the variance between folds apart from that between seeds; None where folds have one seed."""
    return cell_variance(record.cells, key)
