"""The values of every metric in every bootstrap resample, kept beside a run's record: resamples.npz.

From them the board ranks its entries again in each resample, without predictions or truth. The file is
private, as cases.parquet is: the draws are public, so that values of sealed cases in a thousand known
resamples would spell out their labels. What leaves the board are ranks, intervals and p-values.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
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

    @property
    def identity(self) -> tuple[str, int, int]:
        """What two halves must share to be compared row by row: draws, number of resamples, of parts."""
        lengths = {len(values) for values in self.values.values()}
        return (self.draws, max(lengths, default=0), -1 if self.parts is None else len(self.parts))


def draws_of(cases: Sequence[Case], resamples: int, seed: int) -> str:
    """Return what identifies the draws: equal for the same cases and patients in any order."""
    rows = sorted(f"{case.id}\0{case.patient}" for case in cases)
    text = "\n".join([f"{resamples} {seed}", *rows])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def as_bytes(halves: Mapping[str, Resamples]) -> bytes:
    """Return an npz archive's bytes: three arrays a half, without any object.

    `<half>/about` is a line of JSON (draws, patients, metrics), `<half>/values` (metrics, resamples) and
    `<half>/parts` (cases,) are float64.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for half, found in halves.items():
        about = {"draws": found.draws, "patients": found.patients, "metrics": list(found.values)}
        arrays[f"{half}/about"] = np.array(json.dumps(about))
        arrays[f"{half}/values"] = np.array(list(found.values.values()), dtype=np.float64)
        if found.parts is not None:
            arrays[f"{half}/parts"] = np.asarray(found.parts, dtype=np.float64)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_file(path: Path, half: str) -> Resamples | None:
    """Read a half; None if the file does not hold it.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if it is no archive of this kind.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if f"{half}/about" not in archive.files:
                return None
            about = json.loads(str(archive[f"{half}/about"]))
            parts = archive[f"{half}/parts"] if f"{half}/parts" in archive.files else None
            values = archive[f"{half}/values"]
    except FileNotFoundError:
        raise
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no resamples: {error}") from error
    if not _fits(about, values, parts):
        raise ValueError(f"{path} holds no resamples: its arrays do not fit each other")
    named = dict(zip(about["metrics"], values, strict=True))
    return Resamples(about["draws"], about["patients"], named, parts)


def _fits(about: object, values: NDArray[np.generic], parts: NDArray[np.generic] | None) -> bool:
    """Say whether what was read is what `as_bytes` writes."""
    if not isinstance(about, dict) or not isinstance(about.get("metrics"), list):
        return False
    if type(about.get("draws")) is not str or type(about.get("patients")) is not int:
        return False
    if not all(type(name) is str for name in about["metrics"]):
        return False
    whole = values.dtype == np.float64 and values.ndim == 2 and len(values) == len(about["metrics"])
    return (
        whole
        and not np.isinf(values).any()
        and (parts is None or (parts.dtype == np.float64 and parts.ndim == 1))
    )
