"""Inputs whose shape differs from case to case: one memory-mapped npy file a case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from harness.contracts import Array

__all__ = ["Ragged", "inputs_of", "row_file"]


class Ragged:
    """A column of arrays of different shapes; `column[3]` is one case's, memory-mapped."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._open: dict[int, Array] = {}

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self._paths)

    @overload
    def __getitem__(self, rows: int) -> Array: ...
    @overload
    def __getitem__(self, rows: Sequence[int] | Array) -> Array: ...
    def __getitem__(self, rows: int | Sequence[int] | Array) -> Array:
        """Return one case's array, or several stacked.

        Raises:
            ValueError: for several of different shapes.
        """
        if isinstance(rows, int | np.integer):
            row = int(rows)
            if row not in self._open:
                self._open[row] = np.load(self._paths[row], mmap_mode="r")
            return self._open[row]
        parts = [self[int(row)] for row in rows]
        shapes = sorted({part.shape for part in parts})
        if len(shapes) > 1:
            raise ValueError(
                f"Cases of the shapes {shapes[0]} and {shapes[-1]} make no batch. Set loader.batch_size to 1."
            )
        return np.stack(parts)


def row_file(folder: Path, name: str, row: int) -> Path:
    """Return where one case of a ragged input lies."""
    return folder / name / f"{row:06d}.npy"


def inputs_of(folder: Path) -> dict[str, Array | Ragged]:
    """Return the inputs of one half of a prepared store, memory-mapped."""
    found: dict[str, Array | Ragged] = {
        path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))
    }
    for part in sorted(folder.iterdir()):
        if part.is_dir():
            found[part.name] = Ragged(sorted(part.glob("*.npy")))
    return found
