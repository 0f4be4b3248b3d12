"""Micro F1."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import confusion
from harness.metrics._inputs import Floats, divide, shaped


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return 2 TP / (2 TP + FP + FN) with the cells of all labels pooled.

    A false alarm on a label without a positive case counts too; NaN if nothing is positive and
    nothing is called. Truth and decisions (n,) or (n, labels) 0/1. Equals
    sklearn.metrics.f1_score(average="micro"). Source: Sokolova and Lapalme, Inf. Process.
    Manage. 45 (2009).

    >>> round(float(compute([[1, 0], [0, 0]], [[1, 1], [0, 0]])), 4)
    0.6667
    """
    table = confusion(truth, prediction, counts)
    tp, fp, fn = (cells.sum(axis=1) for cells in (table.tp, table.fp, table.fn))
    return shaped(divide(2 * tp, 2 * tp + fp + fn), counts)


metric = Metric("f1_micro", "Micro F1", compute, higher_is_better=True, low=0.0, high=1.0)
