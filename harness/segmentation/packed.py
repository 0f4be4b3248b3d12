"""Masks as bits: 64 voxels a word, rows along x, one empty row around y and z.

A mask is (nz + 2, ny + 2, words) uint64; voxel (x, y, z) is bit x % 64 of word x // 64 in row
[z + 1, y + 1]. A corner of voxels (x, y, z) lies between x - 1 and x: same words, row [z, y]. There is
room for corner nx. A box is (z0, z1, y0, y1, x0, x1) in rows and bits, ends excluded; empty: z1 = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.kernels import clz, ctz, kernel, popcount

__all__ = ["Box", "Words", "border", "bounds", "corners", "count", "dilated", "scan", "shared"]

Words = NDArray[np.uint64]
Box = NDArray[np.int64]
Bytes = NDArray[np.uint8]

U0, U1, U63 = np.uint64(0), np.uint64(1), np.uint64(63)


@kernel
def scan(
    truth: Bytes,
    prediction: Bytes,
    words: Words,
    other: Words,
    bits: Bytes,
    shape: Box,
    masks: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """Fill masks (2 * regions, nz + 2, ny + 2, words) and return the counts of region bits (16, 16).

    `truth` and `prediction` are flat, x fastest; `words` and `other` the same memory as uint64; `bits`
    (256,) holds the regions of each label, 8 for an unknown one. Eight voxels of background at once.
    """
    nx, ny = shape[0], shape[1]
    found = np.zeros((16, 16), dtype=np.int64)
    regions = masks.shape[0] // 2
    aligned = nx % 8 == 0
    for i in range(len(words)):
        if words[i] == U0 and other[i] == U0:
            found[0, 0] += 8
        elif aligned:
            _eight(truth, prediction, bits, masks, found, 8 * i, nx, ny, regions)
        else:
            for at in range(8 * i, 8 * i + 8):
                _one(truth, prediction, bits, masks, found, at, nx, ny, regions)
    for at in range(8 * len(words), len(truth)):
        _one(truth, prediction, bits, masks, found, at, nx, ny, regions)
    return found


@kernel
def _one(
    truth: Bytes,
    prediction: Bytes,
    bits: Bytes,
    masks: Words,
    found: Box,
    at: int,
    nx: int,
    ny: int,
    regions: int,
) -> None:
    a, b = bits[truth[at]], bits[prediction[at]]
    found[a, b] += 1
    row = at // nx
    x, y, z = at - row * nx, row % ny + 1, row // ny + 1
    bit = U1 << np.uint64(x & 63)
    for k in range(regions):
        if (a >> k) & 1:
            masks[k, z, y, x >> 6] |= bit
        if (b >> k) & 1:
            masks[regions + k, z, y, x >> 6] |= bit


@kernel
def _eight(
    truth: Bytes,
    prediction: Bytes,
    bits: Bytes,
    masks: Words,
    found: Box,
    at: int,
    nx: int,
    ny: int,
    regions: int,
) -> None:
    """Eight voxels of one row: the regions of each, gathered in one word of region-wise bytes."""
    ours, theirs = U0, U0
    for j in range(8):
        a, b = bits[truth[at + j]], bits[prediction[at + j]]
        found[a, b] += 1
        for k in range(3):
            ours |= np.uint64((a >> k) & 1) << np.uint64(8 * k + j)
            theirs |= np.uint64((b >> k) & 1) << np.uint64(8 * k + j)
    row = at // nx
    x, y, z = at - row * nx, row % ny + 1, row // ny + 1
    place = np.uint64(x & 63)
    for k in range(regions):
        masks[k, z, y, x >> 6] |= ((ours >> np.uint64(8 * k)) & np.uint64(255)) << place
        masks[regions + k, z, y, x >> 6] |= ((theirs >> np.uint64(8 * k)) & np.uint64(255)) << place


@kernel
def bounds(mask: Words) -> Box:
    """Return the box of a mask."""
    depth, height, width = mask.shape
    box = np.array([depth, 0, height, 0, 64 * width, 0])
    for z in range(depth):
        for y in range(height):
            for w in range(width):
                word = mask[z, y, w]
                if word != U0:
                    box[0], box[1] = min(box[0], z), max(box[1], z + 1)
                    box[2], box[3] = min(box[2], y), max(box[3], y + 1)
                    box[4] = min(box[4], 64 * w + ctz(word))
                    box[5] = max(box[5], 64 * w + 64 - clz(word))
    return box


@kernel
def count(mask: Words, box: Box) -> int:
    """Return the number of ones in a box."""
    ones = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(mask.shape[2]):
                ones += popcount(mask[z, y, w])
    return ones


@kernel
def shared(mask: Words, other: Words, box: Box) -> int:
    """Return the number of ones that two masks share in a box."""
    ones = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(mask.shape[2]):
                ones += popcount(mask[z, y, w] & other[z, y, w])
    return ones


@kernel
def _up(mask: Words, z: int, y: int, w: int) -> np.uint64:
    """Return a word of a row moved by one bit to larger x."""
    word = mask[z, y, w] << U1
    return np.uint64(word | (mask[z, y, w - 1] >> U63) if w > 0 else word)


@kernel
def _down(mask: Words, z: int, y: int, w: int) -> np.uint64:
    """Return a word of a row moved by one bit to smaller x."""
    word = mask[z, y, w] >> U1
    return np.uint64(word | (mask[z, y, w + 1] << U63) if w + 1 < mask.shape[2] else word)


@kernel
def _wide(mask: Words, z: int, y: int, w: int) -> np.uint64:
    return np.uint64(mask[z, y, w] | _up(mask, z, y, w) | _down(mask, z, y, w))


@kernel
def dilated(mask: Words, out: Words, box: Box, nx: int) -> Box:
    """Write the mask joined with its 18 neighbours, within the image, to `out`; return its box."""
    depth, height, _ = mask.shape
    grown = np.array(
        [
            max(1, box[0] - 1),
            min(depth - 1, box[1] + 1),
            max(1, box[2] - 1),
            min(height - 1, box[3] + 1),
            max(0, box[4] - 1),
            min(nx, box[5] + 1),
        ]
    )
    first, last = grown[4] >> 6, (grown[5] - 1) >> 6
    for z in range(grown[0], grown[1]):
        for y in range(grown[2], grown[3]):
            for w in range(first, last + 1):
                word = _wide(mask, z, y, w)
                word |= _wide(mask, z, y - 1, w) | _wide(mask, z, y + 1, w)
                word |= _wide(mask, z - 1, y, w) | _wide(mask, z + 1, y, w)
                word |= mask[z - 1, y - 1, w] | mask[z - 1, y + 1, w]
                word |= mask[z + 1, y - 1, w] | mask[z + 1, y + 1, w]
                if w == nx >> 6:
                    word &= (U1 << np.uint64(nx & 63)) - U1
                out[z, y, w] = word
    return grown


@kernel
def corners(mask: Words, box: Box, out: Words) -> Box:
    """Write which voxel corners lie on the surface to `out`; return the box of corners."""
    first, last = box[4] >> 6, box[5] >> 6
    for z in range(box[0] - 1, box[1]):
        for y in range(box[2] - 1, box[3]):
            for w in range(first, last + 1):
                some, every = U0, ~U0
                for row in range(4):
                    here = mask[z + (row & 1), y + (row >> 1), w]
                    below = _up(mask, z + (row & 1), y + (row >> 1), w)
                    some |= here | below
                    every &= here & below
                out[z, y, w] = some & ~every
    return np.array([box[0] - 1, box[1], box[2] - 1, box[3], box[4], box[5] + 1])


@kernel
def border(mask: Words, box: Box, out: Words) -> Box:
    """Write the voxels with one of their 6 neighbours outside to `out`; return their box."""
    first, last = box[4] >> 6, (box[5] - 1) >> 6
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(first, last + 1):
                inner = _up(mask, z, y, w) & _down(mask, z, y, w)
                inner &= mask[z, y - 1, w] & mask[z, y + 1, w]
                inner &= mask[z - 1, y, w] & mask[z + 1, y, w]
                out[z, y, w] = mask[z, y, w] & ~inner
    return box.copy()
