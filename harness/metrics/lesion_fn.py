"""Lesions missed."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._cases import mean_of_cases
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over cases of the number of lesions missed.

    Counted by the edition"s rule. Measured by `harness.segmentation`. `truth` (n,) 0/1 says which cases
    have a value, `prediction` (n,) holds it.

    >>> float(compute([1, 1, 0], [2.0, 4.0, float("nan")]))
    3.0
    """
    return mean_of_cases(truth, prediction, counts)


metric = Metric(
    "lesion_fn", "Lesions missed", compute, higher_is_better=False, low=0.0, high=math.inf, digits=2
)
