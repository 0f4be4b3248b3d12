"""Label volumes of many cases: compressed in memory and on disk, each on its own grid.

A column of them is a numpy object array (n,) of `Volume`, so that rows are taken and put as in any other
column of truth or predictions.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["Volume", "column", "packed", "raw_bytes", "unpacked"]

Triple = tuple[int, int, int]
LEVEL = 1
"""Of zlib: label maps shrink a hundredfold at any level."""
PARTS = ("content", "ends", "grid")
"""What a column of volumes becomes in an archive of plain arrays."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One label map (x, y, z), uint8, 0 outside a box; only the box is kept, deflated."""

    shape: Triple
    start: Triple
    """First voxel of the box."""
    size: Triple
    """Of the box; (0, 0, 0) where every voxel is 0."""
    content: bytes
    """The box, x fastest, deflated."""

    @classmethod
    def of(cls, labels: NDArray[np.uint8]) -> Volume:
        """Compress a label map.

        Raises:
            ValueError: not three axes of uint8.
        """
        if labels.ndim != 3 or labels.dtype != np.uint8:
            raise ValueError(f"a label map is uint8 with three axes, not {labels.dtype} {labels.shape}")
        box = _box(labels)
        inside = labels[tuple(slice(first, last) for first, last in box)]
        start, size = zip(*((first, last - first) for first, last in box), strict=True)
        x, y, z = labels.shape
        return cls((x, y, z), start, size, zlib.compress(inside.tobytes(order="F"), LEVEL))

    def inside(self) -> NDArray[np.uint8]:
        """Return the labels within the box."""
        n = int(np.prod(self.size))
        raw = zlib.decompressobj().decompress(self.content, n) if n else b""
        return np.frombuffer(raw, dtype=np.uint8).reshape(self.size, order="F")

    def array(self) -> NDArray[np.uint8]:
        """Return the whole label map (x, y, z), x fastest in memory."""
        whole = np.zeros(self.shape, dtype=np.uint8, order="F")
        where = tuple(slice(first, first + n) for first, n in zip(self.start, self.size, strict=True))
        whole[where] = self.inside()
        return whole

    def labels(self) -> tuple[int, ...]:
        """Return the labels that occur, sorted."""
        inside = self.inside()
        found = np.flatnonzero(np.bincount(inside.ravel(order="K"), minlength=1))
        outside = {0} if inside.size < np.prod(self.shape) else set()
        return tuple(sorted(outside | set(found.tolist())))


def _box(labels: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return first and last + 1 along each axis of what is not 0."""
    flat = np.any(labels, axis=0)
    profiles = (np.any(labels, axis=(1, 2)), np.any(flat, axis=1), np.any(flat, axis=0))
    if not flat.any():
        return [(0, 0)] * 3
    ends = [np.flatnonzero(profile)[[0, -1]] for profile in profiles]
    return [(int(first), int(last) + 1) for first, last in ends]


def column(volumes: Iterable[Volume]) -> Array:
    """Return the volumes as an object array (n,)."""
    listed = list(volumes)
    found = np.empty(len(listed), dtype=object)
    found[:] = listed
    return found


def raw_bytes(values: Array) -> bytes:
    """Return what identifies an array's content, whatever the version of zlib."""
    if values.dtype != object:
        return np.ascontiguousarray(values).tobytes()
    total = hashlib.sha256()
    for volume in values:
        total.update(repr((volume.shape, volume.start, volume.size)).encode())
        total.update(volume.inside().tobytes(order="F"))
    return total.digest()


def packed(arrays: Arrays) -> dict[str, Array]:
    """Return plain arrays only: a column of volumes as three, `name:content`, `name:ends`, `name:grid`."""
    found: dict[str, Array] = {}
    for name, values in arrays.items():
        if values.dtype != object:
            found[name] = values
            continue
        parts = [volume.content for volume in values]
        found[f"{name}:content"] = np.frombuffer(b"".join(parts), dtype=np.uint8)
        found[f"{name}:ends"] = np.cumsum([len(part) for part in parts], dtype=np.int64)
        grid = [[volume.shape, volume.start, volume.size] for volume in values]
        found[f"{name}:grid"] = np.array(grid, dtype=np.int64).reshape(len(values), 3, 3)
    return found


def unpacked(arrays: Mapping[str, Any]) -> dict[str, Array]:
    """Return what `packed` was given."""
    found = {name: values for name, values in arrays.items() if name.rpartition(":")[2] not in PARTS}
    for name in [name.removesuffix(":grid") for name in arrays if name.endswith(":grid")]:
        content, ends = arrays[f"{name}:content"].tobytes(), arrays[f"{name}:ends"].tolist()
        rows = zip([0, *ends[:-1]], ends, arrays[f"{name}:grid"].tolist(), strict=True) if ends else []
        found[name] = column(
            Volume(_triple(shape), _triple(start), _triple(size), content[first:last])
            for first, last, (shape, start, size) in rows
        )
    return found


def _triple(values: list[int]) -> Triple:
    x, y, z = values
    return x, y, z
