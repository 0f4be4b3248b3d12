"""True and false positives and negatives of every label in every resample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics._inputs import (
    Floats,
    as_columns,
    as_counts,
    as_decisions,
    as_truth,
    divide,
    same_shape,
)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Whole numbers held as float64 (exact below 2**53), each (resamples, labels)."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    @property
    def supported(self) -> Floats:
        """1 where the label has a positive and a negative case in the resample, else 0."""
        both = (self.tp + self.fn > 0) & (self.tn + self.fp > 0)
        return both.astype(np.float64)


def confusion(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None) -> Confusion:
    """Count the four outcomes of 0/1 decisions, (n,) or (n, labels)."""
    labels, decisions = as_truth(truth), as_decisions(prediction)
    same_shape(labels, decisions, 1, 2)
    labels, decisions = as_columns(labels), as_columns(decisions)
    weights = as_counts(counts, len(labels)).astype(np.float64)
    tp = weights @ (labels & decisions).astype(np.float64)
    positive = weights @ labels.astype(np.float64)
    called = weights @ decisions.astype(np.float64)
    total = weights.sum(axis=1, keepdims=True)
    return Confusion(tp, called - tp, positive - tp, total - positive - called + tp)


def mean_over_supported(values: Floats, supported: Floats) -> Floats:
    """Average over the supported labels of each resample; NaN where there is none."""
    kept = np.where(supported > 0, values, 0.0).sum(axis=1)
    return divide(kept, supported.sum(axis=1))
