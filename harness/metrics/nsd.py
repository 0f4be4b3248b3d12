"""Normalized surface Dice of a segmented region."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._cases import mean_of_cases
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over cases of the share of both surfaces within a tolerance of the other.

    The tolerance and what the surface is (its area, or its border voxels) are the edition"s. Measured by
    `harness.segmentation`. Source: Nikolov et al., JMIR 23 (2021). `truth` (n,) 0/1 says which cases
    have a value, `prediction` (n,) holds it.

    >>> float(compute([1, 1, 0], [0.5, 1.0, float("nan")]))
    0.75
    """
    return mean_of_cases(truth, prediction, counts)


metric = Metric("nsd", "Surface Dice", compute, higher_is_better=True, low=0.0, high=1.0)
