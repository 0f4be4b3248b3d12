"""Scoring of 3D segmentations: pure functions from two label volumes to the numbers of an edition.

`measure` is what others call. It has two implementations with the same numbers, bit for bit: `plain`, short
and readable on numpy, scipy, cc3d and edt, and `compiled`, on numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.segmentation.editions import Edition, Measures, Spacing

__all__ = ["measure"]


def measure(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], spacing: Spacing, edition: Edition
) -> Measures:
    """Return every metric of every region: region -> metric -> value, NaN where undefined.

    `truth` and `prediction` (x, y, z) hold labels of the edition; `spacing`, mm, is the truth's. The
    compiled core answers if it is there; else it is made in the background while `plain` answers.

    Raises:
        ValueError: shapes that differ, or a label that the edition does not know.
    """
    from harness.segmentation import core

    if core.is_ready():
        from harness.segmentation import compiled

        return compiled.measure(truth, prediction, spacing, edition)
    if core.is_installed() and core.CACHE is not None:
        core.make_in_background()
    from harness.segmentation import plain

    return plain.measure(truth, prediction, spacing, edition)
