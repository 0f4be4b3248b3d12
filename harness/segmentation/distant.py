"""Nearest points that are not near: rings of rows around a point, or distance maps of the target's planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.kernels import clz, ctz, kernel
from harness.segmentation.nearest import Floats, Points, is_set
from harness.segmentation.packed import Box, Words

__all__ = ["far"]

U0 = np.uint64(0)

ROW_NS, SWEEP_NS, CELL_NS, POINT_NS = 25.0, 3.0, 0.25, 60.0
"""What visiting a row, sweeping a voxel of a row, a minimum of a map and a look-up cost, roughly."""
TILE = 5
"""Maps are made for columns of 32 x 32 points."""


@kernel
def far(wanted: Points, target: Words, box: Box, squares: Floats, best: Floats, feature: Points) -> None:
    """Fill in the squared distances that are infinite; `squares` (3, m): of k voxels along x, y, z, mm2."""
    open_ = np.flatnonzero(np.isinf(best))
    if len(open_) == 0:
        return
    order, ends = _tiles(wanted, open_)
    allowed = _cost_of_maps(wanted, order, ends, box)
    spent, done, last = 0, 0, -1
    for k in open_:
        if spent * ROW_NS > allowed:
            break
        start = np.inf
        if last >= 0:
            dx, dy = abs(wanted[k, 0] - feature[last, 0]), abs(wanted[k, 1] - feature[last, 1])
            start = (squares[0, dx] + squares[1, dy]) + squares[2, abs(wanted[k, 2] - feature[last, 2])]
            feature[k] = feature[last]
        best[k], rows = _rings(wanted[k], target, box, squares, start, feature[k])
        spent, done, last = spent + rows, done + 1, int(k)
    begin = 0
    for end in ends:
        if done < len(open_):
            _maps(wanted, order[begin:end], target, box, squares, best)
        begin = end


@kernel
def _tiles(wanted: Points, open_: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
def _cost_of_maps(wanted: Points, order: NDArray[np.int64], ends: NDArray[np.int64], box: Box) -> float:
    """Return roughly what the distance maps would cost, ns."""
    planes, rows, cost, begin = box[1] - box[0], box[3] - box[2], POINT_NS * len(order), 0
    for end in ends:
        x0, x1, y0, y1 = _span(wanted, order[begin:end])
        cost += planes * (x1 - x0) * rows * (SWEEP_NS + (y1 - y0) * CELL_NS)
        begin = end
    return float(cost)


@kernel
def _span(wanted: Points, chosen: NDArray[np.int64]) -> tuple[int, int, int, int]:
    x0, x1, y0, y1 = 1 << 20, 0, 1 << 20, 0
    for k in chosen:
        x, y = int(wanted[k, 0]), int(wanted[k, 1])
        x0, x1, y0, y1 = min(x0, x), max(x1, x + 1), min(y0, y), max(y1, y + 1)
    return x0, x1, y0, y1


@kernel
def _maps(
    wanted: Points, chosen: NDArray[np.int64], target: Words, box: Box, squares: Floats, best: Floats
) -> None:
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
def _rings(
    point: Points, target: Words, box: Box, squares: Floats, start: float, feature: Points
) -> tuple[float, int]:
    """Return the squared distance, none larger than `start`, and the rows visited; note the nearest point."""
    x, y, z = int(point[0]), int(point[1]), int(point[2])
    best, rows = start, 0
    deepest = max(z - box[0], box[1] - 1 - z)
    widest = max(y - box[2], box[3] - 1 - y)
    for dz in range(max(0, box[0] - z, z - box[1] + 1), deepest + 1):
        if squares[2, dz] >= best:
            break
        for dy in range(max(0, box[2] - y, y - box[3] + 1), widest + 1):
            beside = squares[1, dy] + squares[2, dz]
            if beside >= best:
                break
            for side in range(4):
                row_z, row_y = z + dz if side & 1 else z - dz, y + dy if side & 2 else y - dy
                if (side & 1 and dz == 0) or (side & 2 and dy == 0):
                    continue
                if not (box[0] <= row_z < box[1] and box[2] <= row_y < box[3]):
                    continue
                rows += 1
                dx = _along_row(target, row_z, row_y, x, squares, best - beside + 1e-3 * best)
                if dx < 1 << 20:
                    reached = (squares[0, dx] + squares[1, dy]) + squares[2, dz]
                    if reached < best:
                        best = reached
                        feature[1], feature[2] = row_y, row_z
                        feature[0] = x + dx if is_set(target, row_z, row_y, x + dx) else x - dx
    return best, rows


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
