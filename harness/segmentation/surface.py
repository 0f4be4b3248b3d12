"""From distances between two surfaces to HD95 and normalized surface Dice; areas of surface elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.editions import Spacing

__all__ = [
    "Surfaces",
    "corner_areas",
    "hd95_corners",
    "hd95_pooled",
    "nsd_corners",
    "nsd_counts",
    "share_of_counts",
]

Floats = NDArray[np.float64]

PERCENT = 0.95

NORMALS = """
    000 111 111 220220 111 202202 111111 400222111 111 111111 202202 400222111 220220 400222111
    400222111 400400 111 022022 111111 040222111 111111 004222111 111111111 111222222111 111111
    022022111 202202111 111333022202 111220220 333022111220 400111222111 400111222 111 111111 022022
    040111222 111111 111202202 022022111 333022111202 111111 111111111 004222111 222222111111 111220220
    400222111111 022333111220 400222111 220220 040222111 040111222 040040 220220111 333202111220
    111040222111 040222111 111220220 040222111111 333220111202 040222111 220220220220 220220111
    111220220 220220 111 111111 111111 111220220 022022 004222111 022022111 333022111220 111111
    111111111 111202202 400222111111 040222111 222222111111 202333022111 400222111 202202 004222111
    111202202 202333220111 004222111 004004 111111222004 111222004 202202111 004222111111 202202202202
    111202202 202333220111 004222111 111202202 202202 111111 111111111 111022022 040111222111 022022111
    004222111111 022022022022 022022111 111111111 111111111111 004222111111 111111111 040222111111
    111111111 022022111 111111 400222111 222111222111 333022111202 040222111 333220022111 111222004
    111022022 022022 400222111111 111111111 202202111 111111 220220111 111111 111111 111
"""
"""The marching-cubes triangles of a corner, for the codes 0 to 127 of its 2x2x2 voxels; the other 128 are
their complements. Three digits are one triangle's |normal| in eighths; the normal's length is the area.
Facts of google-deepmind/surface-distance (Apache-2.0), whose areas weight the official HD95."""


@lru_cache(maxsize=16)
def corner_areas(spacing: Spacing) -> Floats:
    """Return the surface area of each neighbour code, (256,) mm2, read-only.

    Bit 7 of the code is the voxel below the corner along x, y and z, bit 0 the one above along all.
    """
    sx, sy, sz = (float(mm) for mm in spacing)
    areas = []
    for triangles in NORMALS.split():
        digits = np.array([int(digit) for digit in triangles], dtype=float).reshape(-1, 3) / 8
        area = 0.0
        for nx, ny, nz in digits:
            area += float(np.linalg.norm(np.array([nx * sy * sz, ny * sx * sz, nz * sx * sy])))
        areas.append(area)
    table = np.array(areas + areas[::-1])
    table.flags.writeable = False
    return table


@dataclass(frozen=True, slots=True)
class Surfaces:
    """The surface points of two masks, each direction sorted by (distance, area).

    Distances in mm to the nearest point of the other surface; areas in mm2, empty for border voxels.
    """

    truth: Floats
    truth_areas: Floats
    prediction: Floats
    prediction_areas: Floats


def hd95_corners(surfaces: Surfaces) -> float:
    """Return the larger directed percentile: the first distance at which 95 % of the area is reached."""
    return max(
        _weighted(surfaces.truth, surfaces.truth_areas),
        _weighted(surfaces.prediction, surfaces.prediction_areas),
    )


def _weighted(distances: Floats, areas: Floats) -> float:
    reached = np.searchsorted(np.cumsum(areas) / np.sum(areas), PERCENT)
    return float(distances[min(int(reached), len(distances) - 1)])


def hd95_pooled(surfaces: Surfaces) -> float:
    """Return the 95th percentile of both directions together, linear between order statistics."""
    return float(np.percentile(np.concatenate([surfaces.truth, surfaces.prediction]), 100 * PERCENT))


def nsd_corners(surfaces: Surfaces, tolerance: float) -> float:
    """Return the share of the area of both surfaces within the tolerance of the other."""
    near = [
        np.sum(areas[: np.searchsorted(distances, tolerance, side="right")])
        for distances, areas in (
            (surfaces.truth, surfaces.truth_areas),
            (surfaces.prediction, surfaces.prediction_areas),
        )
    ]
    return float((near[0] + near[1]) / (np.sum(surfaces.truth_areas) + np.sum(surfaces.prediction_areas)))


def nsd_counts(surfaces: Surfaces, tolerance: float) -> float:
    """Return the mean of the two shares of border voxels within the tolerance, as panoptica rounds it."""
    pair = (surfaces.truth, surfaces.prediction)
    within = [int(np.searchsorted(distances, tolerance, side="right")) for distances in pair]
    return share_of_counts(within, [len(distances) for distances in pair])


def share_of_counts(within: Sequence[int], points: Sequence[int]) -> float:
    """Return the mean of the two shares, rounded as panoptica does."""
    near = within[0] / points[0] + within[1] / points[1]
    far = [(n - k) / n for k, n in zip(within, points, strict=True)]
    return near / (near + far[0] + far[1])
