"""What a reproduction found: written once beside the runs, never changed, judged by whoever reads it.

runs/<challenge>/.reproductions/<run id>.<moment>.json

No file says "reproduced": the badge follows from the differences, and only while the run's record and stored
predictions are, byte for byte, those that were compared.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import UserError

__all__ = ["FOLDER", "TOLERANCE", "Reproduction", "badges", "digest_of_run", "parse", "read_all"]

FOLDER = ".reproductions"
TOLERANCE = 1e-3
"""Of any prediction, and of the ranking metric: what another machine's rounding may change."""
RUN_ID = re.compile(r"\w[\w.\-]*")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """One retraining of a stored run, compared case by case."""

    run_id: str
    challenge: str
    digests: Mapping[str, str]
    """SHA-256 of the run's record.json, folds.csv and stored predictions, as compared."""
    submission: str
    """Digest of the files that were trained."""
    folds: tuple[int, ...]
    """Those that were trained again."""
    n_folds: int
    cases: int
    """Predictions compared, out-of-fold and test."""
    differing: int
    """Cases whose prediction differs at all."""
    largest: float
    """The largest difference of a prediction; of a label map, the share of its voxels."""
    worst: str
    """The case with the largest difference; empty if none differs."""
    metric: str
    metric_difference: float
    """Of the ranking metric, the larger of both halves' where both were compared."""
    stated: float
    """The largest difference between the record's numbers and those of its own stored predictions."""
    isolation: str
    harness: str
    finished: str
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether every prediction is the same to the last bit."""
        return self.largest == 0.0 and self.differing == 0

    @property
    def holds(self) -> bool:
        """Whether the run was reproduced: trained again it says the same, and its record says what it is."""
        close = self.largest <= TOLERANCE and self.metric_difference <= TOLERANCE
        return close and self.stated <= 1e-9 and 0 < len(self.folds) <= self.n_folds and self.cases > 0

    @property
    def words(self) -> str:
        """The badge's text; empty without one."""
        if not self.holds:
            return ""
        how = "exactly" if self.exact else f"within {self.largest:.1g}"
        part = "" if len(self.folds) == self.n_folds else f", {len(self.folds)} of {self.n_folds} folds"
        return f"reproduced {how}{part}"


def digest_of_run(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of what a reproduction compares with, by name."""
    names = ("record.json", "folds.csv", "predictions/cv.npz", "predictions/test.npz")
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if (folder / name).is_file()
    }


def parse(text: str) -> Reproduction:
    """Return the reproduction that this JSON says.

    Raises:
        ValueError: if it is none.
    """
    try:
        data = json.loads(text)
        known = {field.name for field in fields(Reproduction)}
        if set(data) != known:
            raise ValueError(f"other fields than {sorted(known)}")
        found = Reproduction(**{**data, "folds": tuple(data["folds"])})
        _check(found)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return found


def _check(found: Reproduction) -> None:
    """Refuse values of another kind, negative differences and numbers that are none."""
    texts = ("run_id", "challenge", "submission", "worst", "metric", "isolation", "harness", "finished")
    numbers = ("largest", "metric_difference", "stated", "seconds")
    whole = ("n_folds", "cases", "differing")
    for name in texts:
        if not isinstance(getattr(found, name), str):
            raise TypeError(f"{name} is no text")
    for name in (*numbers, *whole):
        value: Any = getattr(found, name)
        kinds = (int,) if name in whole else (int, float)
        if type(value) not in kinds or not 0 <= value < 1e18:
            raise ValueError(f"{name} is {value!r:.60}")
    if not all(type(fold) is int for fold in found.folds) or len(set(found.folds)) < len(found.folds):
        raise ValueError("folds are no set of numbers")
    if not RUN_ID.fullmatch(found.run_id) or not all(
        isinstance(item, str) for pair in found.digests.items() for item in pair
    ):
        raise ValueError("run_id or digests are malformed")


def read_all(runs: Path, challenge: str) -> dict[str, Reproduction]:
    """Return every reproduction of a challenge by file name.

    Raises:
        UserError: naming a file that is none.
    """
    found = {}
    for path in sorted((runs / challenge / FOLDER).glob("[!.]*.json")):
        try:
            found[path.name] = parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is no reproduction ({error}). Move it out of runs/.") from None
    return found


def badges(runs: Path, challenge: str, wanted: Iterable[str]) -> dict[str, Reproduction]:
    """Return the reproduction that gives each of these runs its badge, for those that have one.

    Of the reproductions that fit the run's files, one that failed ends the badge, and one of fewer folds does
    not replace one of more.
    """
    asked, found = set(wanted), dict[str, Reproduction]()
    for item in sorted(read_all(runs, challenge).values(), key=lambda item: (item.finished, item.folds)):
        if item.run_id not in asked or item.challenge != challenge:
            continue
        if dict(item.digests) != digest_of_run(runs / challenge / item.run_id):
            continue
        if not item.holds:
            found.pop(item.run_id, None)
        elif item.run_id not in found or len(item.folds) >= len(found[item.run_id].folds):
            found[item.run_id] = item
    return found
