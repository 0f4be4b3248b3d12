"""Lesion-wise HD95."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._cases import mean_of_cases
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over cases of the lesion-wise HD95, mm.

    Lesions are matched, and missed and false ones penalised, by the rule of the edition; HD95 as
    `Edition.hd95_definition` says. Measured by `harness.segmentation`. `truth` (n,) 0/1 says which
    cases have a value, `prediction` (n,) holds it.

    >>> float(compute([1, 1, 0], [2.0, 4.0, float("nan")]))
    3.0
    """
    return mean_of_cases(truth, prediction, counts)


metric = Metric(
    "lesion_hd95", "Lesion-wise HD95 (mm)", compute, higher_is_better=False, low=0.0, high=math.inf, digits=2
)
