"""Intersection over union of a segmented region."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._cases import mean_of_cases
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over cases of |A and B| / |A or B|.

    Voxels of one region; IoU = D / (2 - D) is never above the Dice D of the same voxels. Measured by
    `harness.segmentation`. Source: Jaccard, Bulletin de la Societe vaudoise 37 (1901). `truth` (n,) 0/1
    says which cases have a value, `prediction` (n,) holds it.

    >>> float(compute([1, 1, 0], [0.5, 1.0, float("nan")]))
    0.75
    """
    return mean_of_cases(truth, prediction, counts)


metric = Metric("iou", "IoU", compute, higher_is_better=True, low=0.0, high=1.0)
