"""26-connected components of packed masks, by runs along x and union-find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.kernels import ctz, kernel, popcount
from harness.segmentation.packed import Box, Words

__all__ = ["components", "overlaps", "paint", "runs"]

Numbers = NDArray[np.int64]
U0, U1, U63 = np.uint64(0), np.uint64(1), np.uint64(63)


@kernel
def runs(mask: Words, box: Box) -> tuple[Numbers, Numbers]:
    """Return the runs (n, 2): first bit, one after the last; and where each row's runs begin.

    Rows are those of the whole mask, (z, y) in C order, one more for the end.
    """
    depth, height, width = mask.shape
    starts = np.zeros(depth * height + 1, dtype=np.int64)
    n = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            before = U0
            for w in range(width):
                word = mask[z, y, w]
                n += popcount(word & ~((word << U1) | before))
                before = word >> U63
    found = np.empty((n, 2), dtype=np.int64)
    n = 0
    for row in range(depth * height):
        starts[row] = n
        z, y = row // height, row % height
        if box[0] <= z < box[1] and box[2] <= y < box[3]:
            n = _row_runs(mask[z, y], found, n)
    starts[depth * height] = n
    return found, starts


@kernel
def _row_runs(row: Words, found: Numbers, n: int) -> int:
    """Append a row's runs; return their number so far."""
    width = len(row)
    begun, ended, before = n, n, U0
    for w in range(width):
        word = row[w]
        after = row[w + 1] << U63 if w + 1 < width else U0
        begin = word & ~((word << U1) | before)
        end = word & ~((word >> U1) | after)
        before = word >> U63
        while begin != U0:
            found[begun, 0] = 64 * w + ctz(begin)
            begin &= begin - U1
            begun += 1
        while end != U0:
            found[ended, 1] = 64 * w + ctz(end) + 1
            end &= end - U1
            ended += 1
    return begun


@kernel
def _root(parent: Numbers, k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@kernel
def _join(found: Numbers, starts: Numbers, parent: Numbers, row: int, other: int) -> None:
    """Join the runs of two rows that touch, corners included."""
    a, b = starts[row], starts[other]
    while a < starts[row + 1] and b < starts[other + 1]:
        if found[a, 0] <= found[b, 1] and found[b, 0] <= found[a, 1]:
            one, two = _root(parent, a), _root(parent, b)
            parent[max(one, two)] = min(one, two)
        if found[a, 1] < found[b, 1]:
            a += 1
        else:
            b += 1


@kernel
def components(
    found: Numbers, starts: Numbers, box: Box, height: int, depth: int, x_slowest: bool
) -> tuple[Numbers, Numbers, Numbers]:
    """Return each run's component, and of each component the voxels and the place of its first voxel.

    Components are numbered in scan order (x fastest); with `x_slowest` the places are those of C order
    in (x, y, z), by which the caller may renumber.
    """
    parent = np.arange(len(found))
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            row = z * height + y
            if starts[row] < starts[row + 1]:
                _join(found, starts, parent, row, row - 1)
                for other in range(row - height - 1, row - height + 2):
                    _join(found, starts, parent, row, other)
    label, n = np.empty(len(found), dtype=np.int64), 0
    for k in range(len(found)):
        if parent[k] == k:
            label[k] = n
            n += 1
        else:
            label[k] = label[_root(parent, k)]
    sizes, first = np.zeros(n, dtype=np.int64), np.full(n, 2**62)
    for row in range(box[0] * height, box[1] * height):
        for k in range(starts[row], starts[row + 1]):
            place = k
            if x_slowest:
                place = (found[k, 0] * height + row % height) * depth + row // height
            sizes[label[k]] += found[k, 1] - found[k, 0]
            first[label[k]] = min(first[label[k]], place)
    return label, sizes, first


@kernel
def overlaps(
    one: Numbers, starts: Numbers, label: Numbers, two: Numbers, other_starts: Numbers, other_label: Numbers
) -> Numbers:
    """Return (m, 3): label of one, label of the other, voxels that a pair of their runs share."""
    pairs = np.empty((len(one) + len(two), 3), dtype=np.int64)
    n = 0
    for row in range(len(starts) - 1):
        a, b = starts[row], other_starts[row]
        while a < starts[row + 1] and b < other_starts[row + 1]:
            shared = min(one[a, 1], two[b, 1]) - max(one[a, 0], two[b, 0])
            if shared > 0:
                pairs[n, 0], pairs[n, 1], pairs[n, 2] = label[a], other_label[b], shared
                n += 1
            if one[a, 1] < two[b, 1]:
                a += 1
            else:
                b += 1
    return pairs[:n].copy()


@kernel
def paint(
    found: Numbers, starts: Numbers, label: Numbers, wanted: NDArray[np.bool_], box: Box, out: Words
) -> Box:
    """Set the bits of the runs whose component is wanted; return their box."""
    height = out.shape[1]
    new = np.array([out.shape[0], 0, height, 0, 64 * out.shape[2], 0])
    for row in range(box[0] * height, box[1] * height):
        for k in range(starts[row], starts[row + 1]):
            if wanted[label[k]]:
                z, y = row // height, row % height
                new[0], new[1] = min(new[0], z), max(new[1], z + 1)
                new[2], new[3] = min(new[2], y), max(new[3], y + 1)
                new[4], new[5] = min(new[4], found[k, 0]), max(new[5], found[k, 1])
                _fill(out[z, y], found[k, 0], found[k, 1])
    return new


@kernel
def _fill(row: Words, begin: int, end: int) -> None:
    """Set the bits begin..end - 1."""
    first, last = begin >> 6, (end - 1) >> 6
    for w in range(first, last + 1):
        bits = ~U0
        if w == first:
            bits &= ~U0 << np.uint64(begin & 63)
        if w == last:
            bits &= ~U0 >> np.uint64(63 - ((end - 1) & 63))
        row[w] |= bits
