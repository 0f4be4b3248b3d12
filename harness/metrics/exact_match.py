"""Exact match, also called subset accuracy."""

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
    same_shape,
    shaped,
    weighted_mean,
)


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the share of cases whose labels are all right.

    Truth and decisions (n,) or (n, labels) 0/1; NaN without a case. Equals
    sklearn.metrics.accuracy_score, for several labels too.

    >>> float(compute([[0, 1], [0, 0]], [[0, 1], [1, 0]]))
    0.5
    """
    labels, decisions = as_truth(truth), as_decisions(prediction)
    same_shape(labels, decisions, 1, 2)
    wrong = as_columns(labels != decisions).sum(axis=1)
    right = (wrong == 0).astype(np.float64)
    return shaped(weighted_mean(right, as_counts(counts, len(labels))), counts)


metric = Metric("exact_match", "Exact match", compute, higher_is_better=True, low=0.0, high=1.0)
