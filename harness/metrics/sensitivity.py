"""Sensitivity."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import confusion
from harness.metrics._inputs import Floats, divide, shaped


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return TP / P with the cells of all labels pooled; NaN without a positive.

    Truth and decisions (n,) or (n, labels) 0/1. Equals sklearn.metrics.recall_score. Source: Altman
    and Bland, BMJ 308 (1994).

    >>> float(compute([1, 1, 0, 0], [1, 0, 1, 0]))
    0.5
    """
    table = confusion(truth, prediction, counts)
    tp, fn = table.tp.sum(axis=1), table.fn.sum(axis=1)
    return shaped(divide(tp, tp + fn), counts)


metric = Metric("sensitivity", "Sensitivity", compute, higher_is_better=True, low=0.0, high=1.0)
