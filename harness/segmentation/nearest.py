"""Exact squared distance of each surface point to the nearest point of another surface.

Two searches with the same result: rings of rows around the point, quick where surfaces are near; and
distance maps of the target's planes, whose cost is bounded however far they are. The first gives way to
the second once it has cost as much as the second would.

Squared distances are sums (x + y) + z of float64 squares, as scipy's distance transform adds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.kernels import clz, ctz, kernel
from harness.segmentation.packed import Box, Words

__all__ = ["nearest", "points", "tally"]

Points = NDArray[np.int32]
Floats = NDArray[np.float64]
U0, U1 = np.uint64(0), np.uint64(1)

ROW_NS, SWEEP_NS, CELL_NS = 5.0, 1.5, 0.25
"""What visiting a row, sweeping a voxel of a row and taking a minimum cost, roughly."""
MAP_CELLS = 2**20
"""Cells of the distance maps that are held at once."""


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
def _along_row(row: Words, x: int, squares: Floats, limit: float) -> int:
    """Return the distance in voxels to the nearest bit if its square is below the limit; else a large one."""
    w, b = x >> 6, x & 63
    near = 1 << 20
    word = row[w] >> np.uint64(b)
    if word != U0:
        near = ctz(word)
    else:
        gap, k = 64 - b, w + 1
        while k < len(row) and squares[gap] < limit:
            if row[k] != U0:
                near = gap + ctz(row[k])
                break
            gap += 64
            k += 1
    word = row[w] << np.uint64(63 - b)
    if word != U0:
        near = min(near, clz(word))
    else:
        gap, k = b + 1, w - 1
        while k >= 0 and gap < near and squares[gap] < limit:
            if row[k] != U0:
                near = min(near, gap + clz(row[k]))
                break
            gap += 64
            k -= 1
    return near


@kernel
def _is_set(row: Words, x: int) -> bool:
    if x >= 64 * len(row):
        return False
    return bool(((row[x >> 6] >> np.uint64(x & 63)) & U1) != U0)


@kernel
def nearest(wanted: Points, target: Words, box: Box, squares: Floats) -> Floats:
    """Return the squared distance of each point, (n,); `squares` (3, m): of k voxels along x, y, z, mm2."""
    n = len(wanted)
    best = np.full(n, np.inf)
    allowed = _cost_of_maps(wanted, box)
    spent, done, feature = 0, 0, np.zeros(3, dtype=np.int64)
    while done < n and spent * ROW_NS <= allowed:
        start = np.inf
        if done > 0:
            dx, dy = abs(wanted[done, 0] - feature[0]), abs(wanted[done, 1] - feature[1])
            start = (squares[0, dx] + squares[1, dy]) + squares[2, abs(wanted[done, 2] - feature[2])]
        best[done], rows = _rings(wanted[done], target, box, squares, start, feature)
        spent += rows
        done += 1
    if done < n:
        _maps(wanted[done:], target, box, squares, best[done:])
    return best


@kernel
def _rings(
    point: Points, target: Words, box: Box, squares: Floats, start: float, feature: NDArray[np.int64]
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
                dx = _along_row(target[row_z, row_y], x, squares[0], best - beside + 1e-3 * best)
                if dx < 1 << 20:
                    reached = (squares[0, dx] + squares[1, dy]) + squares[2, dz]
                    if reached < best:
                        best = reached
                        feature[1], feature[2] = row_y, row_z
                        feature[0] = x + dx if _is_set(target[row_z, row_y], x + dx) else x - dx
    return best, rows


@kernel
def _cost_of_maps(wanted: Points, box: Box) -> float:
    """Return roughly what the distance maps would cost, ns."""
    x0, x1, y0, y1 = _span(wanted)
    planes, rows = box[1] - box[0], box[3] - box[2]
    per_plane = (x1 - x0) * (rows * SWEEP_NS + (y1 - y0) * rows * CELL_NS)
    return float(planes * per_plane + 20.0 * len(wanted))


@kernel
def _span(wanted: Points) -> tuple[int, int, int, int]:
    x0, x1, y0, y1 = 1 << 20, 0, 1 << 20, 0
    for k in range(len(wanted)):
        x, y = int(wanted[k, 0]), int(wanted[k, 1])
        x0, x1, y0, y1 = min(x0, x), max(x1, x + 1), min(y0, y), max(y1, y + 1)
    return x0, x1, y0, y1


@kernel
def _maps(wanted: Points, target: Words, box: Box, squares: Floats, best: Floats) -> None:
    """Fill `best` by maps of the distance within each plane of the target, some rows of points at a time."""
    x0, x1, y0, y1 = _span(wanted)
    planes, columns = box[1] - box[0], x1 - x0
    height = max(1, min(y1 - y0, MAP_CELLS // (planes * columns)))
    maps = np.empty((planes, height, columns), dtype=np.float64)
    swept = np.empty((box[3] - box[2], columns), dtype=np.float64)
    for low in range(y0, y1, height):
        high = min(y1, low + height)
        for p in range(planes):
            _plane(target[box[0] + p], box, x0, low, high, squares, swept, maps[p])
        for k in range(len(wanted)):
            x, y, z = int(wanted[k, 0]), int(wanted[k, 1]), int(wanted[k, 2])
            if low <= y < high:
                least = best[k]
                for dz in range(max(0, box[0] - z, z - box[1] + 1), max(z - box[0], box[1] - 1 - z) + 1):
                    square = squares[2, dz]
                    if square >= least:
                        break
                    if z - dz >= box[0] and z - dz < box[1]:
                        least = min(least, maps[z - dz - box[0], y - low, x - x0] + square)
                    if z + dz < box[1] and z + dz >= box[0]:
                        least = min(least, maps[z + dz - box[0], y - low, x - x0] + square)
                best[k] = least


@kernel
def _plane(
    plane: Words, box: Box, x0: int, low: int, high: int, squares: Floats, swept: Floats, out: Floats
) -> None:
    """Write the squared distance within one plane of the target for columns from x0, rows low..high."""
    rows = len(swept)
    some = False
    filled = np.zeros(rows, dtype=np.bool_)
    for r in range(rows):
        filled[r] = _sweep(plane[box[2] + r], x0, squares[0], swept[r])
        some = some or filled[r]
    for y in range(low, high):
        out[y - low] = np.inf
        if some:
            _line(out[y - low], y, box, squares[1], swept, filled)


@kernel
def _line(line: Floats, y: int, box: Box, squares: Floats, swept: Floats, filled: NDArray[np.bool_]) -> None:
    """Lower one row of a map to the least over the plane's rows, nearest first."""
    rows, columns = swept.shape
    for dy in range(max(0, box[2] - y, y - box[3] + 1), max(y - box[2], box[3] - 1 - y) + 1):
        for side in range(2 if dy else 1):
            r = (y + dy if side else y - dy) - box[2]
            if 0 <= r < rows and filled[r]:
                source = swept[r]
                for x in range(columns):
                    line[x] = min(line[x], source[x] + squares[dy])
        if dy & 3 == 3:
            worst = 0.0
            for x in range(columns):
                worst = max(worst, line[x])
            if squares[dy + 1] >= worst:
                break


@kernel
def _sweep(row: Words, x0: int, squares: Floats, out: Floats) -> bool:
    """Write each column's squared distance to the row's nearest bit, from x0; False: the row is empty."""
    some = False
    for w in range(len(row)):
        some = some or row[w] != U0
    if not some:
        return False
    for k in range(len(out)):
        out[k] = squares[_along_row(row, x0 + k, squares, np.inf)]
    return True


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
