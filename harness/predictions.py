"""Predictions as plain arrays: checked case by case, stored, read back."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contracts import Failure, FailureKind
from harness.volumes import column, packed, unpacked

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays, ArraySpec

__all__ = ["as_bytes", "case_differences", "check", "expected_results", "from_file", "gathered", "halves"]


Grids = Mapping[str, Sequence[tuple[int, ...]]]
"""Prediction key -> shape of each case's label map."""


def expected_results(
    spec: Mapping[str, ArraySpec], heldout: int, test: int, grids: Mapping[str, Grids] | None = None
) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the names, shapes and kinds of the arrays that a fold must send back.

    Label maps come one by one: "test/labels/0", "test/labels/1" ... `grids` holds their shapes by half.
    """
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for half, n in (("heldout", heldout), ("test", test)):
        for key, wanted in spec.items():
            if wanted.grid:
                shapes = (grids or {})[half].get(key, ())
                found |= {f"{half}/{key}/{row}": (tuple(shapes[row]), "labels") for row in range(n)}
            else:
                found[f"{half}/{key}"] = ((n, *wanted.shape), "float")
    return found


def gathered(results: Mapping[str, Any], spec: Mapping[str, ArraySpec]) -> dict[str, Array]:
    """Return a fold's results with the label maps of each half and key in one column."""
    found = {name: values for name, values in results.items() if name.count("/") == 1}
    for half in ("heldout", "test"):
        for key in (key for key, wanted in spec.items() if wanted.grid):
            rows = sum(name.startswith(f"{half}/{key}/") for name in results)
            found[f"{half}/{key}"] = column(results[f"{half}/{key}/{row}"] for row in range(rows))
    return found


def _wrong_label(key: str, values: Array, wanted: ArraySpec, ids: Sequence[str]) -> str | None:
    """Name the first case with a label that is not allowed."""
    for name, volume in zip(ids, values, strict=True):
        wrong = [label for label in volume.labels() if not wanted.low <= label <= wanted.high]
        if wrong:
            known = f"{wanted.low:g} to {wanted.high:g} are known"
            return f"{key} of case {name} holds the label {wrong[0]}, but {known}."
    return None


def _wrong_value(key: str, values: Array, wanted: ArraySpec, ids: Sequence[str]) -> str | None:
    """Name the first case whose value is not allowed."""
    rows = values.reshape(len(ids), math.prod(wanted.shape))
    bad = ~np.isfinite(rows) | (rows < wanted.low) | (rows > wanted.high)
    if wanted.integer:
        bad |= rows != np.round(rows)
    if not bad.any():
        return None
    row, column = np.argwhere(bad)[0]
    place = f"{key}[{column}]" if wanted.shape else key
    kind = "a whole number" if wanted.integer else "a finite number"
    return (
        f"{place} of case {ids[row]} is {rows[row, column]}, but must be {kind} "
        f"in [{wanted.low:g}, {wanted.high:g}] ({int(bad.sum())} such values)."
    )


def check(
    arrays: Arrays, spec: Mapping[str, ArraySpec], ids: Sequence[str]
) -> tuple[dict[str, Array], Failure | None]:
    """Return the arrays in the types of the spec, or the reason why they are no predictions.

    An optional key that is all NaN was not given.
    """
    kept: dict[str, Array] = {}
    for key, wanted in spec.items():
        if wanted.grid:
            problem = _wrong_label(key, arrays[key], wanted, ids)
            if problem is not None:
                return {}, Failure(FailureKind.PREDICTIONS, problem)
            kept[key] = arrays[key]
            continue
        values = np.asarray(arrays[key], dtype=np.float64)
        if not wanted.required and np.isnan(values).all():
            continue
        problem = _wrong_value(key, values, wanted, ids)
        if problem is not None:
            return {}, Failure(FailureKind.PREDICTIONS, problem)
        kept[key] = (
            values.astype(np.uint8) if wanted.integer and wanted.low >= 0 and wanted.high < 256 else values
        )
    return kept, None


def halves(results: Arrays) -> tuple[dict[str, Array], dict[str, Array]]:
    """Divide a fold's results into (held-out, test)."""
    parts: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
    for name, values in results.items():
        half, _, key = name.partition("/")
        parts[half == "test"][key] = values
    return parts


def case_differences(before: Array, after: Array) -> Array:
    """Return by how much two predictions of one key differ at most, by case, (n,); 0 is the same.

    Label maps differ by the share of their voxels; a NaN is 1 from a number, and so is another grid.
    """
    if before.dtype == object:
        pairs = zip(before, after, strict=True)
        shares = [float((a.array() != b.array()).mean()) if a.shape == b.shape else 1.0 for a, b in pairs]
        return np.array(shares)
    distance = np.abs(before.astype(np.float64) - after.astype(np.float64))
    distance = np.where(np.isfinite(distance), distance, 1.0)
    found: Array = distance.reshape(len(before), -1).max(axis=1, initial=0.0)
    return found


def as_bytes(arrays: Arrays) -> bytes:
    """Return an npz archive's bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **packed(arrays))
    return buffer.getvalue()


def from_file(path: Path) -> dict[str, Array]:
    """Read an npz archive that the harness wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return unpacked({name: archive[name] for name in archive.files})
