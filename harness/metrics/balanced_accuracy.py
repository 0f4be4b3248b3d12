"""Balanced accuracy."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import confusion, mean_over_supported
from harness.metrics._inputs import Floats, divide, shaped


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over labels of (sensitivity + specificity) / 2.

    Over the labels with a positive and a negative case (in a resample: in that resample); NaN if
    there is none. Truth and decisions (n,) or (n, labels) 0/1. Equals the mean of
    sklearn.metrics.balanced_accuracy_score of those labels. Source: Brodersen et al., ICPR 2010.

    >>> float(compute([1, 0, 0, 0], [1, 1, 0, 0]))
    0.8333333333333333
    """
    table = confusion(truth, prediction, counts)
    sensitivity = divide(table.tp, table.tp + table.fn)
    specificity = divide(table.tn, table.tn + table.fp)
    return shaped(mean_over_supported((sensitivity + specificity) / 2, table.supported), counts)


metric = Metric("balanced_accuracy", "Balanced accuracy", compute, higher_is_better=True, low=0.0, high=1.0)
