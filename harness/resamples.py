"""The values of every metric in every bootstrap resample, kept beside a run's record: resamples.npz.

From them the board ranks its entries again in each resample, without predictions or truth. The file is
private, as cases.parquet is: the draws are public, so that values of sealed cases in a thousand known
resamples would spell out their labels. What leaves the board are ranks, intervals and p-values.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Case

__all__ = ["FILE", "Resamples", "as_bytes", "draws_of", "from_file"]

FILE = "resamples.npz"


@dataclass(frozen=True, slots=True)
class Resamples:
    """What one half of a run was worth in each resample of its patients."""

    draws: str
    """Digest of the cases, their patients, the seed and the number of resamples: where it is the same, row k
    of two runs was computed on the same patients."""
    patients: int
    values: Mapping[str, NDArray[np.float64]]
    """By metric, (resamples,); NaN where undefined."""
    parts: NDArray[np.float64] | None = None
    """What each case adds to the metric that ranks, (cases,), higher is better, cases sorted by id.

    None where the challenge cannot say.
    """


def draws_of(cases: Sequence[Case], resamples: int, seed: int) -> str:
    """Return what identifies the draws: equal for the same cases and patients in any order."""
    rows = sorted(f"{case.id}\0{case.patient}" for case in cases)
    text = "\n".join([f"{resamples} {seed}", *rows])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def as_bytes(halves: Mapping[str, Resamples]) -> bytes:
    """Return an npz archive's bytes: one array of float64 for each half and metric, no object."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for half, found in halves.items():
        arrays[f"{half}/draws"] = np.array(found.draws)
        arrays[f"{half}/patients"] = np.array(found.patients, dtype=np.int64)
        if found.parts is not None:
            arrays[f"{half}/parts"] = np.asarray(found.parts, dtype=np.float64)
        for key, values in found.values.items():
            arrays[f"{half}/values/{key}"] = np.asarray(values, dtype=np.float64)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_file(path: Path, half: str, keys: Iterable[str] | None = None) -> Resamples | None:
    """Read a half, of all metrics or of these alone; None if the file does not hold it.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if it is no archive of this kind.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if f"{half}/draws" not in archive.files:
                return None
            begin = f"{half}/values/"
            known = [name.removeprefix(begin) for name in archive.files if name.startswith(begin)]
            wanted = known if keys is None else [key for key in keys if key in known]
            found = Resamples(
                draws=str(archive[f"{half}/draws"]),
                patients=int(archive[f"{half}/patients"]),
                values={key: archive[f"{begin}{key}"] for key in wanted},
                parts=archive[f"{half}/parts"] if f"{half}/parts" in archive.files else None,
            )
    except FileNotFoundError:
        raise
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no resamples: {error}") from error
    _check(found, path)
    return found


def _check(found: Resamples, path: Path) -> None:
    columns = [*found.values.values(), *(() if found.parts is None else (found.parts,))]
    lengths = {len(values) for values in found.values.values() if values.ndim == 1}
    if any(values.ndim != 1 or values.dtype != np.float64 for values in columns) or len(lengths) > 1:
        raise ValueError(f"{path} holds no resamples: its arrays do not fit each other")
