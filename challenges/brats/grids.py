"""Whether the files of one case lie on one grid, and are whole; from their headers and ends only."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.segmentation.nifti import Geometry, read_geometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["differences", "grid_of", "orientation"]

TOLERANCE = 1e-3
"""Of voxel sizes and affines, mm."""
GZIP = b"\x1f\x8b"
CHUNK = 1 << 20


def grid_of(files: Sequence[Path], problems: list[str]) -> Geometry | None:
    """Return the grid that all these images share; what is wrong is added to `problems`, by file."""
    geometries = []
    for path in files:
        try:
            geometries.append(read_geometry(path))
            problems += _damage(path)
        except UserError as error:
            problems.append(str(error).rstrip("."))
    for other in geometries[1:]:
        problems += differences(geometries[0], other)
    return geometries[0] if geometries else None


def differences(first: Geometry, other: Geometry) -> Iterator[str]:
    """Yield how a file's grid differs from that of its case's first image: the plainest reason only."""
    pair = (("shape", first.shape, other.shape), ("voxel size", first.spacing, other.spacing))
    axes = ("orientation", orientation(first.affine), orientation(other.affine))
    rows = ("affine", first.affine[:3].tolist(), other.affine[:3].tolist())
    same = (
        first.shape == other.shape,
        np.allclose(first.spacing, other.spacing, rtol=0, atol=TOLERANCE),
        axes[1] == axes[2],
        np.allclose(first.affine, other.affine, rtol=0, atol=TOLERANCE),
    )
    for (what, wanted, got), agrees in zip((*pair, axes, rows), same, strict=True):
        if not agrees:
            yield f"{other.path} has the {what} {got}, {first.path.name} {wanted}"
            return


def orientation(affine: NDArray[np.float64]) -> str:
    """Return where the three axes point: R or L, A or P, S or I, such as "LPS"."""
    letters = ("RL", "AP", "SI")
    largest = np.abs(affine[:3, :3]).argmax(axis=0)
    return "".join(letters[row][int(affine[row, k] < 0)] for k, row in enumerate(largest))


# ----------------------------------------------------------------------------------------------- whole
def _damage(path: Path) -> list[str]:
    """Return why a file is not whole: packed otherwise than it is named, or ended before its last voxel.

    A gzip file says at its end how much it holds: only one that says something else is inflated.
    """
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(-4 if packed else 0, 2)
        length = int.from_bytes(file.read(4), "little") if packed else file.tell()
    if packed != path.name.endswith(".gz"):
        return [f"{path} is {'' if packed else 'not '}packed by gzip, unlike its name says; rename it"]
    needed = _bytes_needed(path, packed=packed)
    short = length != needed % 2**32 and _inflated(path) < needed if packed else length < needed
    return [f"{path} is cut short; copy or download it again"] if short else []


def _bytes_needed(path: Path, *, packed: bool) -> int:
    """Return where the last voxel ends, from a header that `read_geometry` has read."""
    with gzip.open(path) if packed else path.open("rb") as file:
        head = file.read(540)
    order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
    second = int(np.frombuffer(head, f"{order}i4", 1)[0]) == 540
    sizes = np.frombuffer(head, f"{order}{'i8' if second else 'i2'}", 8, 16 if second else 40)
    bits = int(np.frombuffer(head, f"{order}i2", 1, 14 if second else 72)[0])
    offset = np.frombuffer(head, f"{order}{'i8' if second else 'f4'}", 1, 168 if second else 108)[0]
    return int(offset) + int(np.prod(sizes[1:4], dtype=np.int64)) * bits // 8


def _inflated(path: Path) -> int:
    """Return how many bytes a gzip file yields before it ends or breaks."""
    total = 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(CHUNK):
                total += len(piece)
    except (EOFError, OSError, zlib.error):
        pass
    return total
