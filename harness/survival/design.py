"""Columns with unknown values to the standardised columns of a linear model, fitted on the training part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Floats

__all__ = ["Design"]

FEWEST = 5
"""Cases with an unknown value that a column of its own needs, and known ones that a column needs."""
LARGEST = 5.0
"""Standard deviations at which values are cut."""


@dataclass(frozen=True, slots=True)
class Design:
    """What was learnt from the training part: which columns to use, means and deviations."""

    used: NDArray[np.intp]
    """Columns that vary."""
    doubtful: NDArray[np.intp]
    """Columns that get an indicator of an unknown value."""
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, values: ArrayLike) -> Design:
        """Learn from the training part, (n, columns); NaN is unknown."""
        table = np.asarray(values, dtype=np.float64)
        known = ~np.isnan(table)
        filled = np.where(known, table, 0.0)
        number = np.maximum(known.sum(axis=0), 1)
        mean = filled.sum(axis=0) / number
        deviation = np.sqrt((np.square(filled - mean) * known).sum(axis=0) / number)
        used = np.flatnonzero((deviation > 1e-9 * (1 + np.abs(mean))) & (known.sum(axis=0) >= FEWEST))
        unknown = (~known).sum(axis=0)
        doubtful = np.flatnonzero((unknown >= FEWEST) & (known.sum(axis=0) >= FEWEST))
        return cls(used, doubtful, mean, deviation)

    def __call__(self, values: ArrayLike) -> Floats:
        """Return standardised columns, an unknown value at the mean, then the indicators, (n, features)."""
        table = np.asarray(values, dtype=np.float64)
        unknown = np.isnan(table)
        own = (table[:, self.used] - self.mean[self.used]) / self.deviation[self.used]
        cut = np.clip(np.where(unknown[:, self.used], 0.0, own), -LARGEST, LARGEST)
        return np.concatenate([cut, unknown[:, self.doubtful].astype(np.float64)], axis=1)
