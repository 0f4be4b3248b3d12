"""Phantom patients: drawn angiographies with the contest's own marginals, in its exact layout.

`difficulty` is the one knob: it shrinks the aneurysms and multiplies the look-alikes. Exposure
differs from view to view, so that the darkness of an image says nothing about the patient, and
only a blob at the right place, seen again in the other angle, does.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from challenges.kium.cohort import KNOBS, Patient, evidence, oracle_auroc, sample
from challenges.kium.columns import HEADER, LOCATIONS, VIEWS
from challenges.kium.drawing import draw
from harness.errors import UserError, did_you_mean

__all__ = ["DEFECTS", "VERSION", "defect", "write"]

VERSION = "3"
SIZES = {"smoke": (24, 8), "small": (300, 120)}
"""Patients of the development set and of the test set."""

ORACLE_PATIENTS = 2000
"""Monte Carlo sample whose oracle AUROC is stored; standard error about .002."""


def write(root: Path, *, seed: int = 0, size: str = "small", difficulty: float = 1.0) -> None:
    """Write phantom patients in the organisers' layout, the test truth and `phantom.json`.

    Args:
        root: Folder to fill; made if missing.
        seed: Same seed, same bytes; patient n depends on the seed and on n only.
        size: "smoke" (24 + 8 patients) or "small" (300 + 120).
        difficulty: 1 suits the baseline on two cores; 0.5 is easy, 2 is hard.

    Raises:
        UserError: for an unknown size, a difficulty that is not positive, or a folder that is not empty.
    """
    if size not in SIZES:
        raise UserError(f"No phantom size named {size!r}. {did_you_mean(size, SIZES)}")
    if not difficulty > 0:
        raise UserError(f"difficulty must be above 0 but got {difficulty}.")
    if root.exists() and any(root.iterdir()):
        raise UserError(f"{root} is not empty; phantom patients are written to a new folder only.")
    development, test = SIZES[size]
    patients = [sample(seed, number, difficulty) for number in range(development + test)]
    indices = _indices(patients)
    train, held = slice(0, development), slice(development, None)
    for half, rows in (("train_set", train), ("test_set", held)):
        (root / half).mkdir(parents=True, exist_ok=True)
        for number in range(development + test)[rows]:
            _write_images(root / half / str(indices[number]), patients[number], seed, number)
    _write_table(root / "train.csv", indices[train], patients[train])
    _write_table(root / "groundtruth.csv", indices[held], patients[held])
    _write_table(root / "test.csv", indices[held], [None] * test)
    _write_latent(root / "phantom.json", _latent(seed, size, difficulty, indices, patients))


def _indices(patients: Sequence[Patient]) -> list[int]:
    """Number the patients upwards from 1001, with the gaps of the real data."""
    gaps = [1 + patient.gap for patient in patients[:-1]]
    return [int(index) for index in np.cumsum([1001, *gaps])]


def _write_images(stem: Path, patient: Patient, seed: int, number: int) -> None:
    import cv2

    rng = np.random.default_rng(np.random.SeedSequence([seed, number, 1]))
    for view in VIEWS:
        image = draw(rng, patient, view)
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        stem.with_name(f"{stem.name}{view}.jpg").write_bytes(encoded.tobytes())


def _write_table(path: Path, indices: Sequence[int], patients: Sequence[Patient | None]) -> None:
    """Write the organisers' table; all zeros where the patient is withheld."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for index, patient in zip(indices, patients, strict=True):
            held = patient.locations if patient else ()
            table.writerow([index, int(bool(held)), *(int(name in held) for name in LOCATIONS)])


# ----------------------------------------------------------------------- what no model may see
def _latent(
    seed: int, size: str, difficulty: float, indices: Sequence[int], patients: Sequence[Patient]
) -> dict[str, Any]:
    """Return the knobs, the oracle's scores and each patient's truth."""
    development = SIZES[size][0]
    crowd = [sample(seed, number, difficulty) for number in range(ORACLE_PATIENTS)]
    return {
        "challenge": "kium",
        "version": VERSION,
        "seed": seed,
        "size": size,
        "difficulty": difficulty,
        "knobs": KNOBS,
        "oracle": {
            "observer": "sees every blob, knows the atlas and the pose",
            "auroc": oracle_auroc(crowd, difficulty),
            "patients": ORACLE_PATIENTS,
            "auroc_development": oracle_auroc(patients[:development], difficulty),
            "auroc_test": oracle_auroc(patients[development:], difficulty),
        },
        "cases": {
            str(index): _case(patient, difficulty) for index, patient in zip(indices, patients, strict=True)
        },
    }


def _case(patient: Patient, difficulty: float) -> dict[str, Any]:
    return {
        "locations": patient.locations,
        "style": patient.style,
        "shape": patient.shape,
        "evidence": evidence(patient, difficulty),
        "blobs": {
            view: [
                {"location": b.location, "x": round(b.x, 5), "y": round(b.y, 5), "radius": round(b.radius, 5)}
                for b in blobs
            ]
            for view, blobs in patient.blobs.items()
            if blobs
        },
    }


def _write_latent(path: Path, latent: dict[str, Any]) -> None:
    path.write_text(json.dumps(latent, indent=1) + "\n")


# ------------------------------------------------------------------------------- the defects
def _images(root: Path) -> list[Path]:
    return sorted((root / "train_set").glob("*.jpg"))


def _missing_view(root: Path) -> Path:
    """Lose a picture."""
    path = _images(root)[0]
    path.unlink()
    return path


def _duplicate_image(root: Path) -> Path:
    """Give the second patient the first one's picture."""
    images = _images(root)
    copy = images[len(VIEWS)]
    copy.write_bytes(images[0].read_bytes())
    return copy


def _damaged_image(root: Path) -> Path:
    """Cut a picture off."""
    path = _images(root)[0]
    path.write_bytes(path.read_bytes()[:100])
    return path


def _stray_file(root: Path) -> Path:
    """Leave what a file manager leaves behind."""
    path = root / "train_set" / ".DS_Store"
    path.write_bytes(b"\x00\x00\x00\x01Bud1")
    return path


def _contradicted_label(root: Path) -> Path:
    """Deny the aneurysm of the first patient who has one, but keep its location."""
    path = root / "train.csv"
    lines = path.read_text().splitlines()
    row = next(i for i, line in enumerate(lines[1:], start=1) if line.split(",")[1] == "1")
    index, _, *rest = lines[row].split(",")
    lines[row] = ",".join([index, "0", *rest])
    path.write_text("\n".join(lines) + "\n")
    return path


DEFECTS: dict[str, Callable[[Path], Path]] = {
    "missing_view": _missing_view,
    "duplicate_image": _duplicate_image,
    "damaged_image": _damaged_image,
    "stray_file": _stray_file,
    "contradicted_label": _contradicted_label,
}


def defect(root: Path, name: str) -> Path:
    """Put one defect of real data into written phantom patients; return the file it is in."""
    return DEFECTS[name](root)
