"""Volumes as a reader looks at them: turned by the affine, windowed to 8 bit, laid out as one picture.

A turned volume runs from the patient's right to left, from anterior to posterior and from superior to
inferior, so that every plane is drawn as it is stored: axial (x, y), coronal (x, z), sagittal (y, z), the
first two with the patient's right at the left.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.volumes import Volume

__all__ = ["Box", "Turn", "box_of", "columns_of", "mosaic", "preview", "turn_of", "windowed"]

Triple = tuple[int, int, int]
PLANES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Axial, coronal, sagittal: the axes that run to the right, down, and through the slices."""
PERCENTILES = (1.0, 99.5)
FILL = 0.45
"""Weight of a prediction's colour over the grey picture."""
PIXELS_A_MM = 2.0
GAP = 12
"""Pixels between the planes of a preview."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a grid."""

    start: Triple
    size: Triple

    def around(self, others: Sequence[Box]) -> Box:
        """Return the smallest box that holds this one and the others that are not empty."""
        boxes = [self, *(box for box in others if all(box.size))]
        start = np.min([box.start for box in boxes], axis=0)
        end = np.max([np.add(box.start, box.size) for box in boxes], axis=0)
        return Box(_triple(start), _triple(end - start))

    def within(self, outer: Box) -> tuple[slice, slice, slice]:
        """Return where it lies in an array of the outer box."""
        x, y, z = (
            slice(a - b, a - b + n) for a, b, n in zip(self.start, outer.start, self.size, strict=True)
        )
        return x, y, z


@dataclass(frozen=True, slots=True)
class Turn:
    """How a file's grid is turned: nothing is resampled, an oblique grid goes to its nearest axes."""

    axes: Triple
    """The file's axis that each turned axis is."""
    signs: Triple
    """-1 where it runs the other way."""

    def array(self, volume: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a volume (x, y, z) of the file turned; a view."""
        x, y, z = (slice(None, None, sign) for sign in self.signs)
        return volume.transpose(self.axes)[x, y, z]

    def box(self, box: Box, grid: Sequence[int]) -> Box:
        """Return where a box of the file's grid lies after turning."""
        size = _triple([box.size[axis] for axis in self.axes])
        start = [
            box.start[axis] if sign > 0 else grid[axis] - box.start[axis] - box.size[axis]
            for axis, sign in zip(self.axes, self.signs, strict=True)
        ]
        return Box(_triple(start), size)

    def index(self, box: Box, grid: Sequence[int]) -> list[list[int]]:
        """Return for each axis of a turned box [axis, first, step]: the file's index along it."""
        return [
            [axis, start if sign > 0 else grid[axis] - 1 - start, sign]
            for axis, sign, start in zip(self.axes, self.signs, box.start, strict=True)
        ]


def turn_of(affine: NDArray[np.float64]) -> Turn:
    """Return the turn of a grid whose affine (4, 4) leads from indices to RAS+ mm."""
    steps = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = -steps  # rows: towards left, posterior, inferior; columns: the file's axes
    axes = max(
        itertools.permutations(range(3)), key=lambda order: sum(abs(cosines[k, order[k]]) for k in range(3))
    )
    return Turn(_triple(axes), _triple([1 if cosines[k, axes[k]] > 0 else -1 for k in range(3)]))


def windowed(image: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return a volume as 0 (background) and 1 to 255, from its brain's 1st to 99.5th percentile."""
    inside = image != 0
    if not inside.any():
        return np.zeros(image.shape, dtype=np.uint8)
    low, high = np.percentile(image[inside], PERCENTILES)
    scaled = (image.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1.0))
    return np.where(inside, np.rint(1 + 254 * np.clip(scaled, 0, 1)), 0).astype(np.uint8)


def columns_of(size: Triple) -> int:
    """Return how many slices stand side by side, so that the mosaic is about square."""
    x, y, z = size
    return min(z, math.ceil(math.sqrt(z * y / x)))


def mosaic(volume: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Return the axial slices of a volume (x, y, z), row by row, as one picture."""
    x, y, z = volume.shape
    tiles = np.zeros((math.ceil(z / columns) * columns, y, x), dtype=np.uint8)
    tiles[:z] = volume.transpose(2, 1, 0)
    return tiles.reshape(-1, columns, y, x).transpose(0, 2, 1, 3).reshape(-1, columns * x)


# ------------------------------------------------------------------------------------- the preview
def preview(
    image: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    spacing: Sequence[float],
    at: Sequence[int],
    colours: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return the three planes through a voxel side by side, as RGB, for a page without scripts.

    The arrays are turned volumes of one shape; `colours` (labels + 1, 3) are those of each label. The
    prediction is filled, the truth outlined.
    """
    planes = []
    for across, down, through in PLANES:
        grey, ours, theirs = (
            np.take(volume, at[through], axis=through).T for volume in (image, truth, prediction)
        )
        planes.append(_drawn(grey, ours, theirs, (spacing[across], spacing[down]), colours))
    height = max(plane.shape[0] for plane in planes)
    canvas = np.zeros((height, sum(plane.shape[1] for plane in planes) + 2 * GAP, 3), dtype=np.uint8)
    left = 0
    for plane in planes:
        top = (height - plane.shape[0]) // 2
        canvas[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        left += plane.shape[1] + GAP
    return canvas


def _drawn(
    grey: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    spacing: tuple[float, float],
    colours: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return one plane (rows, columns) in square pixels."""
    import cv2

    rows, columns = grey.shape
    size = (round(columns * spacing[0] * PIXELS_A_MM), round(rows * spacing[1] * PIXELS_A_MM))
    size = (max(1, size[0]), max(1, size[1]))
    picture = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), dtype=np.float64)[..., None]
    outlined, filled = (
        np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
        for labels in (truth, prediction)
    )
    picture = np.where(filled[..., None] > 0, (1 - FILL) * picture + FILL * colours[filled], picture)
    return np.where(_edge(outlined)[..., None], colours[outlined], picture).round().astype(np.uint8)


def _edge(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the labelled pixels with a neighbour of another label."""
    framed = np.pad(labels, 1)
    others = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    inner = np.logical_and.reduce([labels == other for other in others])
    return np.asarray((labels > 0) & ~inner, dtype=bool)


def box_of(volume: Volume) -> Box:
    """Return the box of a label map's voxels, in the file's grid."""
    return Box(volume.start, volume.size)


def _triple(values: Sequence[int] | NDArray[np.integer]) -> Triple:
    x, y, z = (int(value) for value in values)
    return x, y, z
