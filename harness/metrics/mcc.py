"""Matthews correlation coefficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import confusion
from harness.metrics._inputs import Floats, divide, shaped


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), cells of all labels pooled.

    The correlation of truth and decisions, (n,) or (n, labels) 0/1: 0 for one answer to every case, as
    its source and sklearn.metrics.matthews_corrcoef have it, but NaN where the truth has one class only.
    Source: Chicco and Jurman, BMC Genomics 21 (2020).

    >>> float(compute([1, 1, 0, 0], [1, 1, 1, 0]))
    0.5773502691896258
    """
    table = confusion(truth, prediction, counts)
    tp, fp, fn, tn = (cells.sum(axis=1) for cells in (table.tp, table.fp, table.fn, table.tn))
    # One root of the whole product: two roots would make a perfect answer 1.0000000000000002.
    spread = np.sqrt((tp + fn) * (tn + fp) * (tp + fp) * (tn + fn))
    answered = divide(tp * tn - fp * fn, spread)
    constant = ((tp + fp) * (tn + fn) == 0) & ((tp + fn) * (tn + fp) > 0)
    return shaped(np.where(constant, 0.0, answered), counts)


metric = Metric("mcc", "Matthews correlation", compute, higher_is_better=True, low=-1.0, high=1.0)
