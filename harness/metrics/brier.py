"""Brier score."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import (
    Floats,
    as_counts,
    as_probabilities,
    as_truth,
    same_shape,
    shaped,
    weighted_mean,
)


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean of (p - y)^2.

    Truth y (n,) 0/1, probabilities p (n,) in [0, 1]; NaN without a case. Equals
    sklearn.metrics.brier_score_loss. Source: Brier, Monthly Weather Review 78 (1950).

    >>> float(compute([0, 1], [0.5, 1.0]))
    0.125
    """
    labels, scores = as_truth(truth), as_probabilities(prediction)
    same_shape(labels, scores, 1)
    squares = (scores - labels) ** 2
    return shaped(weighted_mean(squares, as_counts(counts, len(labels))), counts)


metric = Metric("brier", "Brier score", compute, higher_is_better=False, low=0.0, high=1.0)
