"""Macro F1."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import confusion, mean_over_supported
from harness.metrics._inputs import Floats, divide, shaped


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over labels of 2 TP / (2 TP + FP + FN).

    Over the labels with a positive and a negative case (in a resample: in that resample); NaN if
    there is none. Truth and decisions (n,) or (n, labels) 0/1. Equals sklearn.metrics.f1_score(
    average="macro") of those labels. Source: Sokolova and Lapalme, Inf. Process. Manage. 45 (2009).

    >>> float(compute([[1, 0], [0, 0]], [[1, 1], [0, 0]]))  # the second label has no positive
    1.0
    """
    table = confusion(truth, prediction, counts)
    scores = divide(2 * table.tp, 2 * table.tp + table.fp + table.fn)
    return shaped(mean_over_supported(scores, table.supported), counts)


metric = Metric("f1_macro", "Macro F1", compute, higher_is_better=True, low=0.0, high=1.0)
