"""Element-wise accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import (
    Floats,
    as_columns,
    as_counts,
    as_decisions,
    as_truth,
    divide,
    same_shape,
    shaped,
)


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return 1 - (number of wrong cells) / (cases x labels).

    Truth and decisions (n,) or (n, labels) 0/1; NaN without a cell. High wherever positives are rare,
    whatever the decisions are worth. For (n, labels) it is 1 - sklearn.metrics.hamming_loss.

    >>> float(compute([[0, 1], [0, 0]], [[0, 1], [1, 0]]))
    0.75
    """
    labels, decisions = as_truth(truth), as_decisions(prediction)
    same_shape(labels, decisions, 1, 2)
    wrong = as_columns(labels != decisions)
    weights = as_counts(counts, len(wrong)).astype(np.float64)
    errors = weights @ wrong.sum(axis=1).astype(np.float64)
    return shaped(1 - divide(errors, weights.sum(axis=1) * wrong.shape[1]), counts)


metric = Metric("accuracy", "Accuracy", compute, higher_is_better=True, low=0.0, high=1.0)
