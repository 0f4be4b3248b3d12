"""Lesion-wise Dice coefficient."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._cases import mean_of_cases
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over cases of the lesion-wise Dice.

    Lesions are matched, and missed and false ones counted, by the rule of the edition. Measured by
    `harness.segmentation`. Source: the BraTS-2023 script, and the 2026 tool on panoptica. `truth` (n,)
    0/1 says which cases have a value, `prediction` (n,) holds it.

    >>> float(compute([1, 1, 0], [0.5, 1.0, float("nan")]))
    0.75
    """
    return mean_of_cases(truth, prediction, counts)


metric = Metric("lesion_dice", "Lesion-wise Dice", compute, higher_is_better=True, low=0.0, high=1.0)
