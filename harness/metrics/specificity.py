"""Specificity."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import confusion
from harness.metrics._inputs import Floats, divide, shaped


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return TN / N with the cells of all labels pooled; NaN without a negative.

    Truth and decisions (n,) or (n, labels) 0/1. Equals sklearn.metrics.recall_score of the other class.
    Source: Altman and Bland, BMJ 308 (1994).

    >>> float(compute([1, 0, 0, 0, 0], [1, 0, 1, 0, 0]))
    0.75
    """
    table = confusion(truth, prediction, counts)
    tn, fp = table.tn.sum(axis=1), table.fp.sum(axis=1)
    return shaped(divide(tn, tn + fp), counts)


metric = Metric("specificity", "Specificity", compute, higher_is_better=True, low=0.0, high=1.0)
