"""The scoring of segmentations against the numbers that the official tools print."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.segmentation import plain
from harness.segmentation.editions import EDITIONS, Edition
from harness.segmentation.nifti import LabelMap, read_labels

DATA = (
    Path(os.environ.get("HARNESS_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    / "brats"
)
IMPLEMENTATIONS = {"plain": plain}
GOLDEN = DATA / "golden_2023"
OFFICIAL_2023 = {
    "Num_TP": "tp",
    "Num_FP": "fp",
    "Num_FN": "fn",
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "Legacy_Dice": "dice",
    "Legacy_HD95": "hd95",
    "GT_Complete_Volume": "volume",
    "LesionWise_Score_Dice": "lesion_dice",
    "LesionWise_Score_HD95": "lesion_hd95",
}
OFFICIAL_2026 = {
    "tp": "tp",
    "fp": "fp",
    "fn": "fn",
    "rq": "lesion_f1",
    "sq_dsc": "lesion_dice",
    "sq_hd95": "lesion_hd95",
    "sq_nsd": "lesion_nsd",
    "global_bin_dsc": "dice",
    "global_bin_hd95": "hd95",
    "global_bin_nsd": "nsd_voxel",
    "global_bin_volume_ref": "volume",
    "global_bin_volume_pred": "predicted_volume",
}
CASES = (
    *(f"c{k:02d}" for k in range(6)),
    *("d_aniso_113", "d_border", "d_both_empty", "d_empty_gt", "d_empty_pred", "d_flip_affine", "d_gt_no_et"),
    *("d_single_apart", "d_single_same", "t_float32"),
)


def needs_real_data() -> None:
    """Skip where the real volumes are not; fail in CI, where they are."""
    if not DATA.is_dir():
        reason = f"real BraTS volumes are not at {DATA}: set HARNESS_REAL_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def golden(case: str) -> tuple[LabelMap, LabelMap]:
    """Return a golden pair: truth, prediction."""
    needs_real_data()
    truth, prediction = (read_labels(GOLDEN / f"{case}_{side}.nii.gz", range(4)) for side in ("gt", "pred"))
    return truth, prediction


def edition_of(challenge: str) -> Edition:
    """Return the edition that an official challenge name means."""
    return EDITIONS[{"BraTS-GLI": "2023", "BraTS-MET": "2023-met"}[challenge]]


def different(official: dict[str, Any], ours: dict[str, float], names: dict[str, str]) -> dict[str, Any]:
    """Return the columns that are not bit for bit the official ones."""
    return {
        name: (official[name], ours[own])
        for name, own in names.items()
        if official[name] != ours[own] and not (math.isnan(official[name]) and math.isnan(ours[own]))
    }


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("case", CASES)
def test_every_column_of_the_2023_script_is_equal_bit_for_bit(case: str, implementation: str) -> None:
    """The values are those of the official script; the spacing is the truth's, the affine no part of it."""
    truth, prediction = golden(case)
    official = json.loads((GOLDEN / "official_2023.json").read_text())[case]
    for challenge, regions in official.items():
        measured = IMPLEMENTATIONS[implementation].measure(
            truth.labels, prediction.labels, truth.geometry.spacing, edition_of(challenge)
        )
        wrong = {region: different(regions[region], measured[region], OFFICIAL_2023) for region in regions}
        assert wrong == {"WT": {}, "TC": {}, "ET": {}}, challenge


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("row", "prediction"), [(0, "00132-000.nii.gz"), (1, "SEG-00217-000.nii.gz")], ids=["132", "217"]
)
def test_the_real_pairs_of_the_2026_tool_are_equal_bit_for_bit(
    row: int, prediction: str, implementation: str
) -> None:
    """Global and lesion-wise numbers of two metastasis patients at 1 mm."""
    needs_real_data()
    folder = DATA / "official_pairs"
    official = json.loads((folder / "official_metrics.json").read_text())["metrics"][row]
    truth = read_labels(folder / "ref" / official["subject_name"], range(4))
    predicted = read_labels(folder / "pred" / prediction, range(4))
    measured = IMPLEMENTATIONS[implementation].measure(
        truth.labels, predicted.labels, truth.geometry.spacing, EDITIONS["2026"]
    )
    wrong = {name: different(official[name.lower()], measured[name], OFFICIAL_2026) for name in measured}
    assert wrong == {"WT": {}, "TC": {}, "ET": {}}
