"""The scoring of segmentations against the numbers that the official tools print."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UserError
from harness.segmentation import compiled, core, measure, plain
from harness.segmentation.editions import EDITIONS, Edition
from harness.segmentation.nifti import LabelMap, read_geometry, read_labels, same_geometry
from tests.segmentation_fuzz import compare

DATA = (
    Path(os.environ.get("HARNESS_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    / "brats"
)
IMPLEMENTATIONS = {"plain": plain, "compiled": compiled}
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
SLOW_WHEN_PLAIN = {"c00", "c01", "c02", "c04", "d_border", "t_float32"}
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


@pytest.mark.parametrize(
    ("implementation", "case"),
    [
        *(("compiled", case) for case in CASES),
        *(
            pytest.param("plain", case, marks=[pytest.mark.slow] if case in SLOW_WHEN_PLAIN else [])
            for case in CASES
        ),
    ],
)
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


@pytest.mark.parametrize("start", range(0, 80, 10))
def test_both_implementations_give_the_same_numbers(start: int) -> None:
    """Blobs, shifted copies, noise, borders, single voxels, empty and full volumes, anisotropic voxels."""
    assert [text for seed in range(start, start + 10) for text in compare(seed)] == []


@pytest.mark.slow
def test_both_implementations_give_the_same_numbers_on_a_thousand_pairs() -> None:
    """As `tests/segmentation_fuzz.py --pairs 1000`."""
    assert [text for seed in range(1000) for text in compare(seed)] == []


def test_a_kernel_is_compiled_for_one_signature() -> None:
    """Whatever the memory order, writeability or spacing of the input: no user waits for a second one."""
    test_both_implementations_give_the_same_numbers(0)
    volume = np.zeros((9, 8, 7), dtype=np.uint8)
    volume[2:5, 2:5, 2:5] = 1
    volume.flags.writeable = False
    for name in (
        "scan",
        "bounds",
        "points",
        "near",
        "far",
        "kept",
        "tally",
        "runs",
        "components",
        "overlaps",
    ):
        compiled.measure(volume, volume, (1.0, 1.0, 1.0), EDITIONS["2023"])
        assert len(getattr(compiled, name).signatures) == 1, name


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_empty_rules_are_those_of_the_edition(implementation: str) -> None:
    """One empty: 0 and the penalty, in 2020 the image's diagonal; both empty: 1 and 0, or undefined in 2026."""
    empty, full = np.zeros((240, 240, 155), dtype=np.uint8), np.zeros((240, 240, 155), dtype=np.uint8)
    full[9, 9, 9] = 1
    expected = {"2020": 373.12866, "2023": 374.0, "2026": 373.0}
    for name, penalty in expected.items():
        measured = IMPLEMENTATIONS[implementation].measure(empty, full, (1.0, 1.0, 1.0), EDITIONS[name])
        assert measured["WT"]["dice"] == measured["WT"]["nsd"] == 0
        assert measured["WT"]["hd95"] == pytest.approx(penalty, abs=1e-5)
        nothing = (measured["ET"]["dice"], measured["ET"]["hd95"])
        assert np.array_equal(nothing, (1, 0) if name != "2026" else (np.nan, np.nan), equal_nan=True)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_overlap_metrics_are_those_of_one_confusion_table(implementation: str) -> None:
    """TP 2, FP 1, FN 3 of 60 voxels; IoU = D / (2 - D)."""
    truth, prediction = np.zeros((5, 4, 3), dtype=np.uint8), np.zeros((5, 4, 3), dtype=np.uint8)
    truth[:, 0, 0], prediction[:2, 0, 0], prediction[4, 3, 2] = 4, 4, 4
    found = IMPLEMENTATIONS[implementation].measure(truth, prediction, (1.0, 1.0, 2.0), EDITIONS["2020"])[
        "ET"
    ]
    assert found["dice"] == 0.5
    assert found["iou"] == 1 / 3 == found["dice"] / (2 - found["dice"])
    assert (found["sensitivity"], found["precision"], found["accuracy"]) == (2 / 5, 2 / 3, 56 / 60)
    assert (found["specificity"], found["volume"], found["predicted_volume"]) == (54 / 55, 10, 6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_label_of_another_edition_is_refused(implementation: str) -> None:
    """3 is not a label of 2020, 4 not one of 2023: which one is ET is never guessed from the values."""
    volume = np.zeros((3, 3, 3), dtype=np.uint8)
    for name, label in (("2020", 3), ("2023", 4), ("2026", 200)):
        volume[1, 1, 1] = label
        with pytest.raises(ValueError, match=f"label {label} is not of edition {name}"):
            IMPLEMENTATIONS[implementation].measure(volume * 0, volume, (1.0, 1.0, 1.0), EDITIONS[name])
        with pytest.raises(ValueError, match="one shape"):
            IMPLEMENTATIONS[implementation].measure(volume, volume[:2], (1.0, 1.0, 1.0), EDITIONS[name])


def test_until_the_core_is_compiled_the_plain_implementation_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody waits for the compiler: it works in a process of its own, and the numbers are the same."""
    started = []
    monkeypatch.setattr(core, "CACHE", tmp_path)
    monkeypatch.setattr(core, "make_in_background", lambda: started.append(1))
    monkeypatch.setattr(compiled, "measure", lambda *_: pytest.fail("the core is not ready"))
    volume = np.zeros((6, 6, 6), dtype=np.uint8)
    volume[2, 2, 2] = 3
    assert measure(volume, volume, (1.0, 1.0, 1.0), EDITIONS["2023"])["ET"]["dice"] == 1
    assert started == [1]
    (tmp_path / "ready").touch()
    monkeypatch.setattr(compiled, "measure", lambda *_: "compiled")
    assert measure(volume, volume, (1.0, 1.0, 1.0), EDITIONS["2023"]) == "compiled"


def test_the_compiled_code_is_kept_where_only_this_user_may_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What lies there is executed: a folder that others may write to, or none, gives way to the next."""
    shared_folder, home = tmp_path / "shared", tmp_path / "home"
    shared_folder.mkdir()
    shared_folder.chmod(0o777)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(shared_folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    assert core.cache_folder().parent == home / "medal"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert core.cache_folder().parent == tmp_path / "own"


@pytest.mark.parametrize(
    ("truth", "prediction"),
    [
        ("golden_2023/d_flip_affine_gt", "golden_2023/d_flip_affine_pred"),
        ("BraTS-GLI-00001-000/seg-BraTS23_1", "BraTS-GLI-00001-000/seg-BraTS23_1_mapped"),
    ],
)
def test_the_same_shape_under_another_affine_is_refused(truth: str, prediction: str) -> None:
    """The official script would score both as if the voxels lay on one grid; the values are in the golden test."""
    needs_real_data()
    grids = [read_geometry(DATA / f"{name}.nii.gz") for name in (truth, prediction)]
    with pytest.raises(UserError, match=r"has the affine .* its truth "):
        same_geometry(*grids)


def test_the_anisotropic_pair_has_its_truths_spacing() -> None:
    """1 x 1 x 3 mm in both headers: what the official script took from the prediction is the truth's too."""
    truth, prediction = golden("d_aniso_113")
    same_geometry(truth.geometry, prediction.geometry)
    assert truth.geometry.spacing == (1.0, 1.0, 3.0)
