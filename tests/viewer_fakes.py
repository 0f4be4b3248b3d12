"""Small cases with one bright block and one tumour at known voxels, and the site of a run that shows them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from challenges.brats.viewer import for_options
from harness.contracts import Case, CaseSet
from harness.volumes import Volume, column
from leaderboard.site import build
from tests.leaderboard_fakes import card, record, write

GRID = (26, 32, 18)
SPACING = (1.0, 1.0, 2.0)
BRAIN = (slice(2, 24), slice(3, 30), slice(1, 16))
BRIGHT = (slice(5, 9), slice(22, 26), slice(3, 6))
LPS = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 31], [0, 0, 2, 0], [0, 0, 0, 1]])
"""As BraTS has it: the first axis runs to the left, the second backwards, the third upwards."""
MODALITIES = ("t1", "t1ce", "t2", "flair")
REGIONS = ("wt", "tc", "et")


def image(seed: int) -> np.ndarray:
    """Return a noisy dark brain with 1000 in its bright block."""
    found = np.zeros(GRID, dtype=np.int16)
    found[BRAIN] = np.random.default_rng(seed).integers(100, 140, found[BRAIN].shape)
    found[BRIGHT] = 1000
    return found


def tumour(shift: int = 0) -> np.ndarray:
    """Return ED around ET around NCR, moved along the first axis."""
    found = np.zeros(GRID, dtype=np.uint8)
    for label, reach in ((2, 4), (3, 2), (1, 1)):
        x = 15 + shift
        found[x - reach : x + reach, 12 - reach : 12 + reach, 9 - reach : 9 + reach] = label
    return found


def cases_in(
    folder: Path, shifts: Sequence[int] = (6, 0, 2), affine: np.ndarray = LPS, names: Sequence[str] = ()
) -> tuple[CaseSet, dict[str, Any], dict[str, Any]]:
    """Write the images of some cases; return them, predictions shifted by so many voxels, and scores."""
    ids = list(names) or [f"case-{k}" for k in range(len(shifts))]
    cases = []
    for k, name in enumerate(ids):
        (folder / str(k)).mkdir(parents=True, exist_ok=True)
        paths = tuple(folder / str(k) / f"{modality}.nii.gz" for modality in MODALITIES)
        for number, path in enumerate(paths):
            nibabel.save(nibabel.Nifti1Image(image(4 * k + number), affine), path)
        cases.append(Case(name, name, paths))
    truth = {
        "labels": column([Volume.of(tumour())] * len(ids)),
        "spacing": np.array([SPACING] * len(ids)),
        "affine": np.array([affine] * len(ids)),
    }
    predictions = {"labels": column([Volume.of(tumour(shift)) for shift in shifts])}
    dice = np.array([1 - 0.1 * shift for shift in shifts])
    scores = {
        "dice": dice,
        **{f"dice_{r}": dice for r in REGIONS},
        **{f"hd95_{r}": dice * 10 for r in REGIONS},
    }
    return CaseSet(tuple(cases), truth), predictions, scores


def viewer_in(folder: Path, edition: str = "2020", **words: Any) -> Path:
    """Write the viewer folder of a run, as the harness does, and return it."""
    target = folder / "viewer"
    target.mkdir(parents=True)
    cases, predictions, scores = cases_in(folder / "data", **words)
    for_options({"edition": edition}).write(target, cases, predictions, scores)
    return target


def site_with(folder: Path, viewers: Sequence[Path | None]) -> Path:
    """Build the site of one run for each viewer folder; None is a run without one."""
    runs = folder / "runs"
    write(runs, [record(f"entry_{k}", 0.6 + k / 100, run_id=f"run{k:05d}") for k in range(len(viewers))])
    for k, viewer in enumerate(viewers):
        if viewer is not None:
            shutil.copytree(viewer, runs / "kium" / f"run{k:05d}" / "viewer")
    return build(runs, folder / "site", {"kium": card()}).parent


def index_of(viewer: Path) -> dict[str, Any]:
    """Return what a viewer folder's viewer.json says."""
    content: dict[str, Any] = json.loads((viewer / "viewer.json").read_text(encoding="utf-8"))
    return content
