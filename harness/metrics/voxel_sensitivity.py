"""Sensitivity of the voxels of a segmented region."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._cases import mean_of_cases
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over cases of TP / (TP + FN).

    Voxels of one region in one case. Measured by `harness.segmentation`. `truth` (n,) 0/1 says which cases
    have a value, `prediction` (n,) holds it.

    >>> float(compute([1, 1, 0], [0.5, 1.0, float("nan")]))
    0.75
    """
    return mean_of_cases(truth, prediction, counts)


metric = Metric(
    "voxel_sensitivity", "Sensitivity (voxels)", compute, higher_is_better=True, low=0.0, high=1.0
)
