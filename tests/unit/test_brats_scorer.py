"""The judge of BraTS: official numbers through it, each edition's rules, means, majorities, tables."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from challenges.brats.scorer import COLUMNS, MEASURED, REGIONS, RULES, Scorer, for_options
from harness import catalog
from harness.contracts import Case, CaseSet
from harness.errors import UserError
from harness.segmentation import core, plain
from harness.segmentation.editions import EDITIONS
from harness.volumes import Volume, column
from tests.real import real_data

Labels = np.ndarray[Any, np.dtype[np.uint8]]

GOLDEN = (
    *(f"c{k:02d}" for k in range(6)),
    *("d_aniso_113", "d_border", "d_both_empty", "d_empty_gt", "d_empty_pred", "d_flip_affine", "d_gt_no_et"),
    *("d_single_apart", "d_single_same", "t_float32"),
)
OFFICIAL_2023 = {
    "Num_TP": "lesion_tp",
    "Num_FP": "lesion_fp",
    "Num_FN": "lesion_fn",
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "Legacy_Dice": "dice",
    "Legacy_HD95": "hd95",
    "GT_Complete_Volume": "volume",
    "LesionWise_Score_Dice": "lesion_dice",
    "LesionWise_Score_HD95": "lesion_hd95",
}
OFFICIAL_2026 = {
    "tp": "lesion_tp",
    "fp": "lesion_fp",
    "fn": "lesion_fn",
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


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The compiled core is there before the large volumes are scored."""
    core.make()


def scorer(edition: str) -> Scorer:
    """Return the judge of an edition."""
    return for_options({"edition": edition})


def truth_of(*volumes: Labels, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> dict[str, Any]:
    """Return the truth of cases on 1 mm, or other, grids."""
    n = len(volumes)
    return {
        "labels": column(Volume.of(v) for v in volumes),
        "spacing": np.tile(np.array(spacing), (n, 1)),
        "affine": np.tile(np.diag([*spacing, 1.0]), (n, 1, 1)),
    }


def said(*volumes: Labels) -> dict[str, Any]:
    """Return predictions."""
    return {"labels": column(Volume.of(v) for v in volumes)}


def blobs(seed: int, shape: tuple[int, int, int] = (14, 12, 9)) -> Labels:
    """Return a label map with boxes of every label; some draws lack ET, or everything."""
    draw = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.uint8)
    for label in draw.permutation([2, 2, 1, 3])[: draw.integers(0, 5)]:
        start = [int(draw.integers(0, n - 2)) for n in shape]
        labels[tuple(slice(s, s + int(draw.integers(1, 6))) for s in start)] = label
    return labels


def boxed(label: int, first: int, last: int, shape: tuple[int, int, int] = (20, 20, 20)) -> Labels:
    """Return a cube of one label."""
    labels = np.zeros(shape, dtype=np.uint8)
    labels[first:last, first:last, first:last] = label
    return labels


NOTHING = np.zeros((20, 20, 20), dtype=np.uint8)


# --------------------------------------------------------------------------------- official numbers
def one_pair(judge: Scorer, truth: Path, prediction: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read one pair as `harness score predictions= truth=` does, the prediction by a truth of its own."""
    known = judge.read_truth(truth, judge.truth_ids(truth))
    other = judge.read_truth(prediction, judge.truth_ids(prediction))
    return known, {"labels": other["labels"]}


def different(official: dict[str, float], found: dict[str, Any], region: str, names: dict[str, str]) -> Any:
    """Return the columns that are not bit for bit the official ones."""
    pairs = {
        name: (official[name], float(found[f"{own}_{region.lower()}"][0])) for name, own in names.items()
    }
    return {k: (a, b) for k, (a, b) in pairs.items() if a != b and not (math.isnan(a) and math.isnan(b))}


@pytest.mark.parametrize("case", GOLDEN)
def test_every_golden_pair_has_the_official_numbers_of_2023(case: str) -> None:
    """Bit for bit: the columns of each case, and the scores of a set of this one case."""
    folder = real_data("brats") / "golden_2023"
    official = json.loads((folder / "official_2023.json").read_text())[case]
    for challenge, regions in official.items():
        judge = {"BraTS-GLI": scorer("2023"), "BraTS-MET": Scorer(EDITIONS["2023-met"])}[challenge]
        pair = (folder / f"{case}_gt.nii.gz", folder / f"{case}_pred.nii.gz")
        truth, predictions = one_pair(scorer("2023"), *pair)
        columns, scores = judge.per_case(truth, predictions), judge.score(truth, predictions)

        assert {r: different(regions[r], columns, r, OFFICIAL_2023) for r in regions} == {
            "WT": {},
            "TC": {},
            "ET": {},
        }
        assert [
            key for key in COLUMNS if not np.array_equal(scores[key], columns[key][0], equal_nan=True)
        ] == []


def test_the_golden_pair_with_a_flipped_affine_is_refused_as_a_prediction() -> None:
    """The official script ignores the affine and scores it; both geometries are named here."""
    folder, judge = real_data("brats") / "golden_2023", scorer("2023")
    path = folder / "d_flip_affine_gt.nii.gz"
    truth = judge.read_truth(path, judge.truth_ids(path))
    cases = CaseSet((Case("d_flip_affine_gt", "p", ()),), truth)

    with pytest.raises(UserError, match="orientation LAS, case d_flip_affine_gt RAS: reorient it"):
        judge.read_predictions(folder / "d_flip_affine_pred.nii.gz", cases)


@pytest.mark.parametrize(("row", "prediction"), [(0, "00132-000.nii.gz"), (1, "SEG-00217-000.nii.gz")])
def test_the_two_real_pairs_of_2026_have_the_official_numbers(row: int, prediction: str) -> None:
    """Global and lesion-wise, bit for bit."""
    folder, judge = real_data("brats") / "official_pairs", scorer("2026")
    official = json.loads((folder / "official_metrics.json").read_text())["metrics"][row]
    columns = judge.per_case(
        *one_pair(judge, folder / "ref" / official["subject_name"], folder / "pred" / prediction)
    )

    wrong = {r: different(official[r.lower()], columns, r, OFFICIAL_2026) for r in REGIONS}
    assert wrong == {"WT": {}, "TC": {}, "ET": {}}


# ------------------------------------------------------------------------------------------ columns
@pytest.mark.parametrize("edition", RULES)
def test_the_scorer_returns_the_keys_of_the_card_in_its_order(edition: str) -> None:
    """The first is the mean of the three Dice; each key names the metric that computes it."""
    card = catalog.challenge("brats", {"edition": edition}).card
    found = scorer(edition).score(truth_of(blobs(0)), said(blobs(1)))

    assert list(found) == [metric.key for metric in card.metrics] == list(COLUMNS)
    assert {m.key: m.metric for m in card.metrics} == {key: metric.name for key, metric in COLUMNS.items()}
    assert card.metrics[0].key == "dice"


def test_nothing_ranks_by_accuracy_or_specificity() -> None:
    """Nor by anything else that background decides; and every HD95 column says what it is."""
    card = catalog.challenge("brats").card
    ranking = card.model_dump()["ranking"]
    ranked = {card.metrics[0].key, *ranking["tie_breakers"], *ranking["columns"]}
    distances = [metric for metric in card.metrics if "hd95" in metric.key]

    assert ranking["rule"] == "case_ranks"
    assert not [key for key in ranked if key.startswith(("accuracy", "specificity"))]
    assert len(distances) == 6
    assert all("pooled" in m.description and "between voxel corners" in m.description for m in distances)


@pytest.mark.parametrize("edition", RULES)
def test_the_definition_of_hd95_is_among_the_words_of_each_edition(edition: str) -> None:
    """As is what a missing region scores."""
    words = " ".join(scorer(edition).definitions)
    assert RULES[edition].hd95_definition in words
    assert ("no value" in words) == (edition == "2026")
    assert "Voxel sizes are those of the truth's header" in words


@pytest.mark.parametrize("seed", range(12))
def test_the_rules_of_2020_on_the_coding_of_arrays_are_those_on_its_files(seed: int) -> None:
    """ET is 3 in arrays and 4 in files: every number is the same, bit for bit."""
    truth, prediction = blobs(seed), blobs(seed + 100)
    four = [np.where(labels == 3, np.uint8(4), labels) for labels in (truth, prediction)]
    expected = plain.measure(four[0], four[1], (1.0, 1.0, 2.0), EDITIONS["2020"])
    found = scorer("2020").per_case(truth_of(truth, spacing=(1.0, 1.0, 2.0)), said(prediction))

    for name, (region, measure) in MEASURED.items():
        assert np.array_equal(found[name][0], expected[region].get(measure, np.nan), equal_nan=True), name


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(RULES)))
@settings(max_examples=60, deadline=None)
def test_iou_is_never_above_dice_and_all_overlaps_have_one_confusion(seed: int, edition: str) -> None:
    """IoU = D / (2 - D); each share is that of the same voxels counted here."""
    truth, prediction = blobs(seed), blobs(seed // 2)
    found = {
        key: values[0] for key, values in scorer(edition).per_case(truth_of(truth), said(prediction)).items()
    }
    for region, labels in RULES[edition].regions.items():
        r = region.lower()
        ours, theirs = np.isin(truth, labels), np.isin(prediction, labels)
        tp, fp, fn = (int(x.sum()) for x in (ours & theirs, ~ours & theirs, ours & ~theirs))
        assert found[f"accuracy_{r}"] == (truth.size - fp - fn) / truth.size
        assert found[f"specificity_{r}"] == (truth.size - tp - fp - fn) / (truth.size - tp - fn)
        if tp + fp + fn == 0:
            continue
        overlap = found[f"dice_{r}"]
        assert overlap == 2 * tp / (2 * tp + fp + fn)
        assert found[f"iou_{r}"] == tp / (tp + fp + fn) <= overlap
        assert found[f"iou_{r}"] == pytest.approx(overlap / (2 - overlap), abs=1e-15)
        assert found[f"sensitivity_{r}"] == (tp / (tp + fn) if tp + fn else 0)
        assert found[f"precision_{r}"] == (tp / (tp + fp) if tp + fp else 0)


@pytest.mark.parametrize(
    ("edition", "both", "missed", "penalty"),
    [
        ("2020", (1.0, 0.0), (0.0, math.sqrt(3 * 20**2)), 0.0),
        ("2023", (1.0, 0.0), (0.0, 374.0), 374.0),
        ("2026", (math.nan, math.nan), (0.0, 373.0), 373.0),
    ],
)
def test_a_region_that_one_or_both_lack_follows_the_edition(
    edition: str, both: tuple[float, float], missed: tuple[float, float], penalty: float
) -> None:
    """Cases: neither has ET, the truth alone, the prediction alone; Dice and HD95, and lesions."""
    cube = boxed(3, 5, 9)
    found = scorer(edition).per_case(truth_of(NOTHING, cube, NOTHING), said(NOTHING, NOTHING, cube))

    expected = np.array([both, missed, missed])
    np.testing.assert_array_equal(np.column_stack([found["dice_et"], found["hd95_et"]]), expected)
    if edition == "2020":
        assert np.isnan(found["lesion_dice_et"]).all()
        assert np.isnan(found["lesion_fp_et"]).all()
    else:
        np.testing.assert_array_equal(found["lesion_hd95_et"], [both[1], penalty, penalty])
        np.testing.assert_array_equal(found["lesion_fn_et"], [0, 1, 0])
        np.testing.assert_array_equal(found["lesion_fp_et"], [0, 0, 1])


def test_the_penalty_of_2020_is_the_diagonal_of_the_brats_grid() -> None:
    """373.13 mm on 240 x 240 x 155 voxels of 1 mm."""
    grid = np.zeros((240, 240, 155), dtype=np.uint8)
    other = grid.copy()
    other[5, 5, 5] = 3
    found = scorer("2020").per_case(truth_of(grid), said(other))

    assert found["hd95_et"][0] == 373.1286641361127


@pytest.mark.parametrize("edition", ["2023", "2026"])
def test_the_real_anisotropic_pair_is_measured_in_the_truths_millimetres(edition: str) -> None:
    """Voxels of 1 x 1 x 3 mm: a volume is three times its voxels, HD95 no less than at 1 mm."""
    folder, judge = real_data("brats") / "golden_2023", scorer(edition)
    truth, predictions = one_pair(judge, *(folder / f"d_aniso_113_{side}.nii.gz" for side in ("gt", "pred")))
    found = judge.per_case(truth, predictions)
    flat = judge.per_case({**truth, "spacing": np.ones((1, 3))}, predictions)

    assert truth["spacing"].tolist() == [[1.0, 1.0, 3.0]]
    assert found["volume_wt"][0] == 3 * flat["volume_wt"][0]
    assert found["hd95_wt"][0] > flat["hd95_wt"][0]
    assert found["dice_wt"][0] == flat["dice_wt"][0]


# --------------------------------------------------------------------------------------------- means
def test_scores_are_means_over_the_cases_that_have_a_value() -> None:
    """In 2026 a case without ET on either side is left out of the mean of ET, not of WT."""
    cases = (truth_of(NOTHING, boxed(2, 3, 9), boxed(3, 3, 9)), said(NOTHING, boxed(2, 3, 8), boxed(3, 4, 9)))
    found, columns = scorer("2026").score(*cases), scorer("2026").per_case(*cases)

    assert np.isnan(columns["dice_et"][:2]).all()
    assert found["dice_et"] == columns["dice_et"][2]
    assert found["dice_wt"] == pytest.approx(columns["dice_wt"][1:].mean(), abs=1e-15)
    assert columns["dice"][1] == columns["dice_wt"][1]
    assert np.isnan(columns["dice"][0])


@pytest.mark.parametrize("edition", RULES)
def test_a_resample_is_scored_as_its_cases_are(edition: str) -> None:
    """Multiplicities give what the repeated cases give; a resample without a value is NaN."""
    n, judge = 6, scorer(edition)
    volumes = [blobs(seed) for seed in range(n)], [blobs(seed + 50) for seed in range(n)]
    truth, predictions = truth_of(*volumes[0]), said(*volumes[1])
    counts = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=5)
    counts[4] = 0
    found = judge.score(truth, predictions, counts)

    for k, times in enumerate(counts):
        rows = np.repeat(np.arange(n), times)
        drawn = judge.score(
            {key: v[rows] for key, v in truth.items()}, {"labels": predictions["labels"][rows]}
        )
        for key in COLUMNS:
            np.testing.assert_allclose(found[key][k], drawn[key], rtol=1e-12, atol=1e-12, err_msg=key)
    assert all(np.isnan(found[key][4]) for key in COLUMNS)


def test_no_case_has_no_value() -> None:
    """Nothing raises on an empty set."""
    found = scorer("2023").score(truth_of(), said())
    assert all(value.shape == () and np.isnan(value) for value in found.values())
    assert scorer("2023").panel(truth_of(), said())["definitions"]["kind"] == "note"


def test_each_pair_is_measured_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score, resamples, columns and panel measure nothing again; another truth, grid or edition does."""
    calls: list[Any] = []
    monkeypatch.setattr(
        "harness.segmentation.measure", lambda *pair: calls.append(pair) or plain.measure(*pair)
    )
    volumes = [blobs(seed, (9, 10, 11)) for seed in (900, 901, 902)]
    truth, predictions, judge = truth_of(*volumes), said(*volumes[::-1]), scorer("2023")
    for _ in range(2):
        judge.score(truth, predictions)
        judge.score(truth, predictions, np.ones((2, 3), dtype=np.int64))
        judge.panel(truth, predictions)
        judge.ranking_parts(truth, predictions)
    part = {key: values[1:] for key, values in truth.items()}
    judge.per_case(part, {"labels": predictions["labels"][1:]})
    assert len(calls) == 3

    judge.per_case({**truth, "spacing": truth["spacing"] * 2}, predictions)
    scorer("2020").per_case(truth, predictions)
    assert len(calls) == 9


def test_what_sweeps_compare_averages_to_the_first_metric() -> None:
    """Each case's mean Dice."""
    truth, predictions = truth_of(blobs(1), blobs(2), blobs(3)), said(blobs(4), blobs(5), blobs(3))
    judge = scorer("2020")
    parts = judge.ranking_parts(truth, predictions)

    assert parts.mean() == pytest.approx(float(judge.score(truth, predictions)["dice"]), abs=1e-15)
    assert parts[2] == 1


# ------------------------------------------------------------------------------------------ majority
def by_hand(votes: list[Labels]) -> Labels:
    """Return the majority of each nested region, voxel by voxel on whole grids."""
    whole = np.zeros(votes[0].shape, dtype=np.uint8)
    for label, labels in ((2, (1, 2, 3)), (1, (1, 3)), (3, (3,))):
        whole[2 * np.sum([np.isin(vote, labels) for vote in votes], axis=0) > len(votes)] = label
    return whole


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_folds_are_joined_by_the_majority_of_each_nested_region(seed: int, folds: int) -> None:
    """As counted on whole grids; a tie is outside; one fold, or equal ones, stay what they are."""
    votes = [[blobs(seed + 10 * fold + case) for case in range(2)] for fold in range(folds)]
    joined = scorer("2020").combine([said(*vote) for vote in votes])["labels"]

    for case in range(2):
        expected = by_hand([vote[case] for vote in votes])
        np.testing.assert_array_equal(joined[case].array(), expected)
    same = scorer("2020").combine([said(*votes[0])] * 3)["labels"]
    assert np.array_equal(same, said(*votes[0])["labels"])


def test_the_majority_is_not_the_most_frequent_label() -> None:
    """Three of five say core (two necrosis, one enhancing ...): it is core, though oedema is no rarer."""
    votes = [np.full((2, 2, 2), label, dtype=np.uint8) for label in (2, 2, 1, 1, 3)]
    joined = scorer("2020").combine([said(vote) for vote in votes])["labels"][0]
    assert joined.labels() == (1,)


# ---------------------------------------------------------------------------------------- references
def test_the_reference_says_nothing_anywhere_on_each_grid() -> None:
    """It scores 1 where there is nothing, else 0 and the penalty."""
    truth = truth_of(boxed(2, 3, 9), np.zeros((8, 9, 10), dtype=np.uint8))
    cases = CaseSet((Case("a", "a", ()), Case("b", "b", ())), truth)
    title, predictions = scorer("2020").references({}, cases)["no_tumour"]
    found = scorer("2020").per_case(truth, predictions)

    assert "constant" in title
    assert [volume.shape for volume in predictions["labels"]] == [(20, 20, 20), (8, 9, 10)]
    assert found["dice_wt"].tolist() == [0, 1]
    assert found["dice_et"].tolist() == [1, 1]
    assert list(scorer("2020").references({}, CaseSet((), None))) == ["no_tumour"]


# -------------------------------------------------------------------------------------------- panel
def rows_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a table's rows by column."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@pytest.mark.parametrize("edition", RULES)
def test_the_panel_is_json_and_counts_the_cases_of_each_mean(edition: str) -> None:
    """The number of cases with a value stands beside each mean; the mean is the metric."""
    truth = truth_of(NOTHING, boxed(2, 3, 9), boxed(3, 3, 9), boxed(3, 3, 9))
    predictions = said(NOTHING, boxed(2, 3, 8), boxed(3, 4, 9), NOTHING)
    panel = json.loads(json.dumps(scorer(edition).panel(truth, predictions), allow_nan=False))
    scores = scorer(edition).score(truth, predictions)
    table = {(row["region"], row["metric"]): row for row in rows_of(panel["regions"])}

    assert table["WT", "Dice"]["cases"] == (3 if edition == "2026" else 4)
    assert table["ET", "Dice"]["cases"] == (2 if edition == "2026" else 4)
    assert table["ET", "Dice"]["mean"] == pytest.approx(float(scores["dice_et"]), abs=1e-15)
    assert table["ET", "HD95, mm"]["mean"] == pytest.approx(float(scores["hd95_et"]), abs=1e-12)
    assert (("WT", "lesion-wise Dice") in table) == (edition != "2020")
    assert RULES[edition].hd95_definition in panel["definitions"]["text"]


def test_the_panel_counts_missing_regions_and_penalties() -> None:
    """HD95 with and without the penalties in it; 2026 penalises what shares no voxel, too."""
    far = np.zeros((20, 20, 20), dtype=np.uint8)
    far[15:18, 15:18, 15:18] = 3
    near = boxed(3, 3, 6)
    truth, predictions = truth_of(NOTHING, near, NOTHING, near, near), said(NOTHING, NOTHING, near, far, near)
    for edition, penalties in (("2020", 2), ("2026", 3)):
        rows = rows_of(scorer(edition).panel(truth, predictions)["empty"])
        row = next(row for row in rows if row["region"] == "ET")
        assert (row["cases"], row["not in the truth"], row["of these not predicted either"]) == (5, 2, 1)
        assert (row["invented"], row["missed"], row["no voxel shared"]) == (1, 1, 1)
        assert row["HD95 penalties"] == penalties
        distances = {"2020": [0.0, 12 * math.sqrt(3), 0.0], "2026": [0.0]}[edition]
        assert row["mean HD95 without them, mm"] < max(distances) + 1e-9


def test_the_panel_names_the_worst_cases() -> None:
    """Lowest mean Dice first, by id; without ids by row."""
    shifts = (3, 0, 1, 2, *[0] * 10)
    truth = truth_of(*[boxed(3, 3, 9)] * len(shifts))
    predictions = said(*[np.roll(boxed(3, 3, 9), shift, axis=0) for shift in shifts])
    named = {**truth, "id": np.array([f"case{k}" for k in range(len(shifts))])}
    worst = rows_of(scorer("2020").panel(named, predictions)["worst"])

    assert [row["case"] for row in worst][:4] == ["case0", "case3", "case2", "case1"]
    assert len(worst) == 10
    assert worst[0]["mean Dice"] == pytest.approx(0.5)
    assert rows_of(scorer("2020").panel(truth, predictions)["worst"])[0]["case"] == "row 1"


def test_the_panel_divides_the_cases_by_the_size_of_the_true_region() -> None:
    """A region of 216 voxels of 8 mm3 is of 1.7 ml; a case without it is in no class."""
    truth = truth_of(boxed(3, 3, 9), NOTHING, spacing=(2.0, 2.0, 2.0))
    rows = rows_of(scorer("2020").panel(truth, said(boxed(3, 3, 8), NOTHING))["sizes"])

    assert [(row["region"], row["true volume"], row["cases"]) for row in rows] == [
        (region, "1 to 10 ml", 1) for region in REGIONS
    ]


# ------------------------------------------------------------------------------------------- memory
PEAK = """
import resource, sys
from pathlib import Path
from challenges.brats.scorer import for_options
from harness.segmentation import core, measure
from harness.volumes import Volume
import numpy as np
import scipy.optimize
judge = for_options({"edition": sys.argv[1]})
small = np.zeros((9, 9, 9), dtype=np.uint8)
measure(small, small, (1.0, 1.0, 1.0), judge.edition)
def read(path):
    return judge.read_truth(Path(path), judge.truth_ids(Path(path)))
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
truth, other = read(sys.argv[2]), read(sys.argv[3])
judge.score(truth, {"labels": other["labels"]})
print(core.is_ready(), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024)
"""


@pytest.mark.parametrize("edition", RULES)
def test_one_pair_is_read_and_scored_in_less_than_64_mb(edition: str) -> None:
    """Above what the process has once its libraries are loaded, file to all numbers, on the compiled core."""
    golden, real = real_data("brats") / "golden_2023", real_data("brats") / "TCGA-DU-7294"
    pair = [str(golden / f"c04_{side}.nii.gz") for side in ("gt", "pred")]
    if edition == "2020":
        pair = [str(real / name) for name in ("fusion_mav.nii.gz", "seg_hnfnetv1-20.nii.gz")]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, edition, *pair], capture_output=True, text=True, check=True
    )
    ready, megabytes = done.stdout.split()

    assert ready == "True"
    assert float(megabytes) < 64
