"""Surface points, and the exact squared distance of each to another surface that is near.

The target's bits, moved by each offset in turn, meet 64 points at once; `distant` finds what is left.

Squared distances are sums (x + y) + z of float64 squares, as scipy's distance transform adds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.kernels import ctz, kernel, popcount
from harness.segmentation.packed import Box, Words

__all__ = ["is_set", "kept", "near", "points", "tally"]

Points = NDArray[np.int32]
Floats = NDArray[np.float64]
U0, U1 = np.uint64(0), np.uint64(1)


@kernel
def points(
    surface: Words, box: Box, mask: Words, classes: NDArray[np.uint8], weighted: bool, n: int
) -> Points:
    """Return (n, 4): x, y, z of each surface point in scan order, and the class of its neighbour code."""
    found = np.zeros((n, 4), dtype=np.int32)
    at = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(surface.shape[2]):
                word = surface[z, y, w]
                while word != U0:
                    x = 64 * w + ctz(word)
                    word &= word - U1
                    found[at, 0], found[at, 1], found[at, 2] = x, y, z
                    if weighted:
                        found[at, 3] = classes[_code(mask, x, y, z)]
                    at += 1
    return found


@kernel
def _code(mask: Words, x: int, y: int, z: int) -> int:
    """Return the neighbour code of a corner: bit 7 - (4 dx + 2 dy + dz) for its 2x2x2 voxels."""
    code = 0
    for dx in range(2):
        at = x - 1 + dx
        if at >= 0:
            w, bit = at >> 6, np.uint64(at & 63)
            for dy in range(2):
                for dz in range(2):
                    here = int(((mask[z + dz, y + dy, w] >> bit) & U1) != U0)
                    code |= here << (7 - 4 * dx - 2 * dy - dz)
    return code


@kernel
def near(
    surface: Words, box: Box, target: Words, other: Box, offsets: NDArray[np.int64], reach: Floats, n: int
) -> tuple[Floats, Points]:
    """Return the squared distances (n,) of a surface's points in scan order, and the nearest points (n, 3).

    `offsets` (m, 3) in x, y, z are all of their length or less, `reach` (m,) their squares, ascending.
    Infinite where nothing is in reach.
    """
    best, feature = np.full(n, np.inf), np.full((n, 3), -1, dtype=np.int32)
    at = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(surface.shape[2]):
                left = surface[z, y, w]
                if left != U0:
                    at += _meet(left, z, y, w, target, other, offsets, reach, best[at:], feature[at:])
    return best, feature


@kernel
def _meet(
    word: np.uint64,
    z: int,
    y: int,
    w: int,
    target: Words,
    other: Box,
    offsets: NDArray[np.int64],
    reach: Floats,
    best: Floats,
    feature: Points,
) -> int:
    """Meet the points of one word with the target; return how many points it has."""
    left = word
    for k in range(len(reach)):
        row_z, row_y = z + offsets[k, 2], y + offsets[k, 1]
        if row_z < other[0] or row_z >= other[1] or row_y < other[2] or row_y >= other[3]:
            continue
        met = left & _moved(target, row_z, row_y, w, offsets[k, 0])
        left &= ~met
        while met != U0:
            x = ctz(met)
            i = popcount(word & ((U1 << np.uint64(x)) - U1))
            best[i] = reach[k]
            feature[i, 0], feature[i, 1], feature[i, 2] = 64 * w + x + offsets[k, 0], row_y, row_z
            met &= met - U1
        if left == U0:
            break
    return int(popcount(word))


@kernel
def _moved(mask: Words, z: int, y: int, w: int, dx: int) -> np.uint64:
    """Return word w of a row moved by dx bits to smaller x, -64 < dx < 64."""
    word = mask[z, y, w]
    if dx == 0:
        return np.uint64(word)
    if dx > 0:
        after = mask[z, y, w + 1] << np.uint64(64 - dx) if w + 1 < mask.shape[2] else U0
        return np.uint64((word >> np.uint64(dx)) | after)
    before = mask[z, y, w - 1] >> np.uint64(64 + dx) if w > 0 else U0
    return np.uint64((word << np.uint64(-dx)) | before)


@kernel
def kept(
    wanted: Points, best: Floats, feature: Points, own: Words, target: Words, box: Box
) -> tuple[Points, Floats, Points]:
    """Return the points that lie on `own`, within a box, and their distances where these hold for `target`.

    A distance to a larger target holds if the nearest point is one of `target`; else it is infinite.
    """
    first = np.searchsorted(wanted[:, 2], box[0])
    last = np.searchsorted(wanted[:, 2], box[1])
    found = np.empty((last - first, 4), dtype=np.int32)
    squares, nearest = np.empty(last - first), np.empty((last - first, 3), dtype=np.int32)
    n = 0
    for k in range(first, last):
        if is_set(own, wanted[k, 2], wanted[k, 1], int(wanted[k, 0])):
            found[n], nearest[n] = wanted[k], feature[k]
            x, y, z = feature[k]
            holds = x >= 0 and is_set(target, z, y, int(x))
            squares[n] = best[k] if holds else np.inf
            n += 1
    return found[:n], squares[:n], nearest[:n]


@kernel
def is_set(mask: Words, z: int, y: int, x: int) -> bool:
    """Return whether a mask holds a bit."""
    if x >= 64 * mask.shape[2]:
        return False
    return bool(((mask[z, y, x >> 6] >> np.uint64(x & 63)) & U1) != U0)


@kernel
def tally(distances: Floats, classes: Points, n_classes: int) -> NDArray[np.int64]:
    """Return how often each (whole squared distance, class) occurs, flat."""
    top = 0.0
    for k in range(len(distances)):
        top = max(top, distances[k])
    found = np.zeros((np.int64(top) + 1) * n_classes, dtype=np.int64)
    for k in range(len(distances)):
        found[np.int64(distances[k]) * n_classes + classes[k, 3]] += 1
    return found
