"""Nearest points that are not near: among the target's bricks, or by distance maps of its planes.

Bricks are quick for few points; maps cost the same however many points there are and however far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.kernels import clz, ctz, kernel
from harness.segmentation.nearest import Floats, Points, is_set
from harness.segmentation.packed import Box, Words

__all__ = ["far"]

Numbers = NDArray[np.int64]
U0, U1 = np.uint64(0), np.uint64(1)

BRICK_NS, SWEEP_NS, CELL_NS = 1.5, 3.0, 0.25
"""What a brick, sweeping a voxel of a row and a minimum of a map cost, roughly."""
TILE = 5
"""Points are taken together by columns of 32 x 32."""
BRICK = 3
"""Bricks are 8 x 8 x 8."""


@kernel
def far(
    wanted: Points, target: Words, box: Box, squares: Floats, spacing: Floats, best: Floats, feature: Points
) -> None:
    """Fill in the squared distances that are infinite, mm2.

    `squares` (3, m): those of k voxels along x, y, z. `feature` gets the nearest point if it was found
    among bricks.
    """
    open_ = np.flatnonzero(np.isinf(best))
    if len(open_) == 0:
        return
    order, ends = _tiles(wanted, open_)
    points, starts, bounds = _bricks(target, box)
    bricks, begin = bounds.shape[1], 0
    for end in ends:
        chosen = order[begin:end]
        x0, x1, y0, y1 = _span(wanted, chosen)
        per_row = (x1 - x0) * (SWEEP_NS + (y1 - y0) * CELL_NS)
        if len(chosen) * bricks * BRICK_NS < (box[1] - box[0]) * (box[3] - box[2]) * per_row:
            _among(wanted, chosen, points, starts, bounds, squares, spacing, best, feature)
        else:
            _maps(wanted, chosen, target, box, squares, best)
        begin = end


@kernel
def _tiles(wanted: Points, open_: Numbers) -> tuple[Numbers, Numbers]:
    """Return the open points sorted by tile, and where each tile's points end."""
    side = 1 << 10
    tile = np.empty(len(open_), dtype=np.int64)
    for i in range(len(open_)):
        tile[i] = (int(wanted[open_[i], 1]) >> TILE) * side + (int(wanted[open_[i], 0]) >> TILE)
    order = np.argsort(tile, kind="mergesort")
    tile = tile[order]
    changes = np.flatnonzero(tile[1:] != tile[:-1]) + 1
    return open_[order], np.append(changes, len(open_))


@kernel
def _span(wanted: Points, chosen: Numbers) -> tuple[int, int, int, int]:
    x0, x1, y0, y1 = 1 << 20, 0, 1 << 20, 0
    for k in chosen:
        x, y = int(wanted[k, 0]), int(wanted[k, 1])
        x0, x1, y0, y1 = min(x0, x), max(x1, x + 1), min(y0, y), max(y1, y + 1)
    return x0, x1, y0, y1


@kernel
def _bricks(target: Words, box: Box) -> tuple[Points, Numbers, Floats]:
    """Return the target's points by brick (n, 3), where each brick's begin, and its bounds (6, bricks)."""
    deep, high = ((box[1] - 1) >> BRICK) + 1, ((box[3] - 1) >> BRICK) + 1
    wide = (64 * target.shape[2]) >> BRICK
    number = np.zeros(deep * high * wide, dtype=np.int64)
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(target.shape[2]):
                word = target[z, y, w]
                while word != U0:
                    number[((z >> BRICK) * high + (y >> BRICK)) * wide + ((64 * w + ctz(word)) >> BRICK)] += 1
                    word &= word - U1
    some = np.flatnonzero(number)
    starts = np.zeros(len(some) + 1, dtype=np.int64)
    starts[1:] = np.cumsum(number[some])
    number[some] = np.arange(len(some))
    points = np.empty((starts[-1], 3), dtype=np.int32)
    bounds = np.empty((6, len(some)))
    bounds[:3], bounds[3:] = np.inf, -np.inf
    free = starts[:-1].copy()
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for w in range(target.shape[2]):
                word = target[z, y, w]
                while word != U0:
                    x = 64 * w + ctz(word)
                    word &= word - U1
                    b = number[((z >> BRICK) * high + (y >> BRICK)) * wide + (x >> BRICK)]
                    _put(points, free, bounds, b, x, y, z)
    return points, starts, bounds


@kernel
def _put(points: Points, free: Numbers, bounds: Floats, b: int, x: int, y: int, z: int) -> None:
    """Append a point to its brick and widen the brick's bounds."""
    at = free[b]
    points[at, 0], points[at, 1], points[at, 2] = x, y, z
    free[b] += 1
    bounds[0, b], bounds[3, b] = min(bounds[0, b], x), max(bounds[3, b], x)
    bounds[1, b], bounds[4, b] = min(bounds[1, b], y), max(bounds[4, b], y)
    bounds[2, b], bounds[5, b] = min(bounds[2, b], z), max(bounds[5, b], z)


@kernel
def _among(
    wanted: Points,
    chosen: Numbers,
    points: Points,
    starts: Numbers,
    bounds: Floats,
    squares: Floats,
    spacing: Floats,
    best: Floats,
    feature: Points,
) -> None:
    """Find the nearest points among the bricks that are nearer than the last one's nearest point."""
    least, nearest = np.empty(bounds.shape[1]), 0
    for k in chosen:
        x, y, z = int(wanted[k, 0]), int(wanted[k, 1]), int(wanted[k, 2])
        _at_least(x, y, z, bounds, spacing, least)
        found = _square(x, y, z, points, nearest, squares)
        for b in range(len(least)):
            if least[b] < found:
                for i in range(starts[b], starts[b + 1]):
                    square = _square(x, y, z, points, i, squares)
                    if square < found:
                        found, nearest = square, i
        best[k] = found
        feature[k, 0], feature[k, 1], feature[k, 2] = (
            points[nearest, 0],
            points[nearest, 1],
            points[nearest, 2],
        )


@kernel
def _square(x: int, y: int, z: int, points: Points, i: int, squares: Floats) -> float:
    plane = squares[0, abs(points[i, 0] - x)] + squares[1, abs(points[i, 1] - y)]
    return float(plane + squares[2, abs(points[i, 2] - z)])


@kernel
def _at_least(x: int, y: int, z: int, bounds: Floats, spacing: Floats, least: Floats) -> None:
    """Write the squared distance to each brick's bounds, rounded as that of a point."""
    sx, sy, sz = spacing
    for b in range(len(least)):
        dx = max(0.0, max(bounds[0, b] - x, x - bounds[3, b])) * sx
        dy = max(0.0, max(bounds[1, b] - y, y - bounds[4, b])) * sy
        dz = max(0.0, max(bounds[2, b] - z, z - bounds[5, b])) * sz
        least[b] = (dx * dx + dy * dy) + dz * dz


@kernel
def _maps(wanted: Points, chosen: Numbers, target: Words, box: Box, squares: Floats, best: Floats) -> None:
    """Lower `best` of a tile's points by maps of the distance within each plane of the target."""
    x0, x1, y0, y1 = _span(wanted, chosen)
    planes, columns = box[1] - box[0], x1 - x0
    maps = np.empty((planes, y1 - y0, columns), dtype=np.float64)
    swept = np.empty((box[3] - box[2], columns), dtype=np.float64)
    for p in range(planes):
        _plane(target, box[0] + p, box, x0, y0, squares, swept, maps, p)
    for k in chosen:
        x, y, z = int(wanted[k, 0]), int(wanted[k, 1]), int(wanted[k, 2])
        least = best[k]
        for dz in range(max(0, box[0] - z, z - box[1] + 1), max(z - box[0], box[1] - 1 - z) + 1):
            square = squares[2, dz]
            if square >= least:
                break
            if box[0] <= z - dz < box[1]:
                least = min(least, maps[z - dz - box[0], y - y0, x - x0] + square)
            if box[0] <= z + dz < box[1]:
                least = min(least, maps[z + dz - box[0], y - y0, x - x0] + square)
        best[k] = least


@kernel
def _along_row(target: Words, z: int, y: int, x: int, squares: Floats, limit: float) -> int:
    """Return the distance in voxels to the nearest bit if its square is below the limit; else a large one."""
    w, b = x >> 6, x & 63
    near = 1 << 20
    word = target[z, y, w] >> np.uint64(b)
    if word != U0:
        near = ctz(word)
    else:
        gap, k = 64 - b, w + 1
        while k < target.shape[2] and squares[0, gap] < limit:
            if target[z, y, k] != U0:
                near = gap + ctz(target[z, y, k])
                break
            gap += 64
            k += 1
    word = target[z, y, w] << np.uint64(63 - b)
    if word != U0:
        near = min(near, clz(word))
    else:
        gap, k = b + 1, w - 1
        while k >= 0 and gap < near and squares[0, gap] < limit:
            if target[z, y, k] != U0:
                near = min(near, gap + clz(target[z, y, k]))
                break
            gap += 64
            k -= 1
    return near


@kernel
def _plane(
    target: Words, z: int, box: Box, x0: int, y0: int, squares: Floats, swept: Floats, maps: Floats, p: int
) -> None:
    """Write map p: the squared distance within plane z of the target, from column x0 and row y0."""
    rows, columns = swept.shape
    filled = np.zeros(rows, dtype=np.bool_)
    for r in range(rows):
        filled[r] = _sweep(target, z, box[2] + r, x0, squares, swept, r)
    maps[p] = np.inf
    if not filled.any():
        return
    for line in range(maps.shape[1]):
        y = y0 + line
        for dy in range(max(0, box[2] - y, y - box[3] + 1), max(y - box[2], box[3] - 1 - y) + 1):
            for side in range(2 if dy else 1):
                r = (y + dy if side else y - dy) - box[2]
                if 0 <= r < rows and filled[r]:
                    for x in range(columns):
                        maps[p, line, x] = min(maps[p, line, x], swept[r, x] + squares[1, dy])
            if dy & 3 == 3 and squares[1, dy + 1] >= _largest(maps, p, line):
                break


@kernel
def _largest(maps: Floats, p: int, line: int) -> float:
    worst = 0.0
    for x in range(maps.shape[2]):
        worst = max(worst, maps[p, line, x])
    return worst


@kernel
def _sweep(target: Words, z: int, y: int, x0: int, squares: Floats, swept: Floats, r: int) -> bool:
    """Write each column's squared distance to the row's nearest bit, from x0; False: the row is empty."""
    some = U0
    for w in range(target.shape[2]):
        some |= target[z, y, w]
    if some == U0:
        return False
    columns = swept.shape[1]
    gap = _along_row(target, z, y, x0, squares, np.inf) - 1
    for x in range(columns):
        gap = 0 if is_set(target, z, y, x0 + x) else gap + 1
        swept[r, x] = gap
    gap = _along_row(target, z, y, x0 + columns - 1, squares, np.inf) - 1
    for x in range(columns - 1, -1, -1):
        gap = 0 if is_set(target, z, y, x0 + x) else gap + 1
        swept[r, x] = squares[0, min(gap, int(swept[r, x]))]
    return True
