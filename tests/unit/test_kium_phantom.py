"""Phantom patients of K-ium: the organisers' layout, the real marginals, and no shortcut."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from challenges.kium import cohort, data, phantom
from challenges.kium.cohort import Blob, Patient
from challenges.kium.columns import HEADER, LOCATIONS, VIEWS
from challenges.kium.drawing import draw
from harness.errors import UserError


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def rows(path: Path) -> list[list[str]]:
    """Return the rows of a table, header first."""
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantom patients of size smoke, seed 0."""
    root = tmp_path_factory.mktemp("phantom") / "data"
    phantom.write(root, size="smoke")
    return root


@pytest.fixture(scope="module")
def crowd() -> list[Patient]:
    """3,000 patients that are not drawn."""
    return [cohort.sample(7, number, 1.0) for number in range(3000)]


# ------------------------------------------------------------------------------------------- files
def test_the_layout_is_the_organisers(smoke: Path) -> None:
    """Two folders of images, three tables and phantom.json, and nothing else."""
    assert {path.name for path in smoke.iterdir()} == {
        "train_set", "train.csv", "test_set", "test.csv", "groundtruth.csv", "phantom.json",
    }  # fmt: skip
    for table, folder, patients in (("train.csv", "train_set", 24), ("groundtruth.csv", "test_set", 8)):
        header, *body = rows(smoke / table)
        names = {f"{row[0]}{view}.jpg" for row in body for view in VIEWS}
        assert tuple(header) == HEADER
        assert len(body) == patients
        assert {path.name for path in (smoke / folder).iterdir()} == names


def test_the_template_names_the_test_patients_and_nothing_else(smoke: Path) -> None:
    """test.csv has the Index of groundtruth.csv and zeros."""
    template, truth = rows(smoke / "test.csv"), rows(smoke / "groundtruth.csv")
    assert [row[0] for row in template] == [row[0] for row in truth]
    assert {cell for row in template[1:] for cell in row[1:]} == {"0"}
    assert "1" in {row[1] for row in truth[1:]}


def test_the_reader_takes_phantom_patients_for_real_ones(smoke: Path) -> None:
    """data.read finds 24 and 8 patients, with the labels of phantom.json, and decodes them."""
    dataset = data.read(smoke)
    cases = json.loads((smoke / "phantom.json").read_text())["cases"]
    assert list(cases) == [*dataset.development.ids, *dataset.test.ids]
    for half in (dataset.development, dataset.test):
        assert half.truth is not None
        for index, found in zip(half.ids, half.truth["locations"], strict=True):
            named = [name for name, here in zip(LOCATIONS, found, strict=True) if here]
            assert named == cases[index]["locations"]
    assert data.decode(dataset.test.cases[0], {"size": 64})["views"].shape == (8, 64, 64)


def test_same_seed_same_bytes(smoke: Path, tmp_path: Path) -> None:
    """A second writing is byte-identical; another seed is not."""
    phantom.write(tmp_path / "again", size="smoke")
    phantom.write(tmp_path / "other", size="smoke", seed=1)
    assert digests(tmp_path / "again") == digests(smoke)
    assert not set(digests(tmp_path / "other").values()) & set(digests(smoke).values())


def test_earlier_patients_do_not_depend_on_the_number(
    smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first five of six patients are the first five of 32, bytes and Index."""
    monkeypatch.setitem(phantom.SIZES, "smoke", (5, 1))
    phantom.write(tmp_path / "few", size="smoke")
    few, many = digests(tmp_path / "few"), digests(smoke)
    images = [name for name in few if name.startswith("train_set/")]
    assert len(images) == 40
    assert all(many[name] == few[name] for name in images)
    assert rows(tmp_path / "few" / "train.csv") == rows(smoke / "train.csv")[:6]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": "smal"}, "Did you mean 'small'"), ({"difficulty": 0.0}, "above 0 but got 0.0")],
)
def test_impossible_wishes_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    """An unknown size and a difficulty of 0 are one sentence, and nothing is written."""
    with pytest.raises(UserError, match=message):
        phantom.write(tmp_path / "data", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "data").exists()


def test_a_folder_in_use_is_refused(smoke: Path) -> None:
    """Two cohorts never mix in one folder."""
    before = digests(smoke)
    with pytest.raises(UserError, match="not empty"):
        phantom.write(smoke, size="smoke", seed=1)
    assert digests(smoke) == before


# ---------------------------------------------------------------------------------------- patients
def test_marginals_are_the_real_ones(crowd: list[Patient]) -> None:
    """Prevalence, number of locations and the share of each location are those of 1,127 patients."""
    ill = [patient for patient in crowd if patient.locations]
    assert abs(len(ill) / len(crowd) - 523 / 1127) < 4 * np.sqrt(0.25 / len(crowd))
    single = np.mean([len(patient.locations) == 1 for patient in ill])
    assert abs(single - 402 / 523) < 4 * np.sqrt(0.18 / len(ill))
    cells = sum(len(patient.locations) for patient in crowd) / (len(crowd) * 21)
    assert abs(cells - 681 / 23667) < 0.003
    for name in ("L_ICA", "R_MCA", "L_ACOM", "BA", "L_VA"):
        expected = cohort.POSITIVES[name] / 681
        share = sum(name in p.locations for p in ill) / sum(len(p.locations) for p in ill)
        assert abs(share - expected) < 4 * np.sqrt(expected / 1000)


def test_index_has_gaps_and_says_nothing(crowd: list[Patient]) -> None:
    """Index begins at 1001, skips about a quarter of the numbers and does not order the label."""
    indices = phantom._indices(crowd)
    steps = np.diff(indices)
    assert indices[0] == 1001
    assert steps.min() == 1
    assert 1.3 < steps.mean() < 1.5
    ill = [bool(patient.locations) for patient in crowd]
    assert abs(roc_auc_score(ill, indices) - 0.5) < 4 * np.sqrt(1 / (12 * len(ill) / 4))


def test_aneurysms_are_in_views_of_their_side_only(crowd: list[Patient]) -> None:
    """L_ is in LI or LV, R_ in RI or RV; look-alikes are anywhere, whatever the label."""
    for patient in crowd:
        for view, blobs in patient.blobs.items():
            sides = {blob.location[0] for blob in blobs if "_" in blob.location}
            assert sides <= {view[0]}
    loose = [
        np.mean(
            [
                sum(not b.location for b in p.blobs[v])
                for p in crowd
                if bool(p.locations) == ill
                for v in VIEWS
            ]
        )
        for ill in (False, True)
    ]
    assert loose == pytest.approx([0.1, 0.1], abs=0.012)


def test_the_oracle_is_good_and_difficulty_hurts_it(crowd: list[Patient]) -> None:
    """An observer who knows the atlas nearly always tells; less so among look-alikes."""
    scores = [
        cohort.oracle_auroc([cohort.sample(7, n, difficulty) for n in range(500)], difficulty) or 0.0
        for difficulty in (1.0, 4.0, 16.0)
    ]
    assert scores[0] > 0.97
    assert scores[0] > scores[1] > scores[2] > 0.6


def test_the_stored_oracle_is_that_of_the_patients(smoke: Path) -> None:
    """phantom.json's AUROC follows from its own evidence by case; it is outside the image folders."""
    latent = json.loads((smoke / "phantom.json").read_text())
    development = list(latent["cases"].values())[:24]
    expected = roc_auc_score(
        [bool(c["locations"]) for c in development], [c["evidence"] for c in development]
    )
    assert latent["oracle"]["auroc_development"] == pytest.approx(expected)
    assert latent["version"] == phantom.VERSION


# ---------------------------------------------------------------------------------------- pictures
def patient_with(blobs: dict[str, tuple[Blob, ...]], **changes: object) -> Patient:
    """Return one patient, unturned, with these blobs and no others."""
    still = {"turn": 0.0, "zoom": 1.0, "shift": (0.0, 0.0), "style": "plain", "shape": (96, 96)}
    found = {view: blobs.get(view, ()) for view in VIEWS}
    return dataclasses.replace(cohort.sample(0, 0, 1.0), blobs=found, **{**still, **changes})


def drawn(patient: Patient, view: str) -> np.ndarray:
    """Return a view as float; the same random numbers for every patient."""
    return draw(np.random.default_rng(5), patient, view).astype(float)


@pytest.mark.parametrize(("view", "column"), [("LI-A", 0.75), ("RI-A", 0.25), ("RI-B", 0.75)])
def test_an_aneurysm_is_a_dark_disc_at_its_place(view: str, column: float) -> None:
    """It darkens pi r^2 around its place; frontal views of the right side are mirrored."""
    blob = Blob(0.75, 0.2, 0.06, f"{view[0]}_MCA")
    dark = drawn(patient_with({}), view) - drawn(patient_with({view: (blob,)}), view) > 40
    y, x = np.nonzero(dark)
    assert (x.mean() / 96, y.mean() / 96) == pytest.approx((column, 0.2), abs=0.02)
    assert dark.sum() == pytest.approx(np.pi * (0.06 * 96) ** 2, rel=0.35)


def test_margins_and_words_are_drawn() -> None:
    """Style margin has a black border; style text has white words in it as well."""
    plain, margin, text = (drawn(patient_with({}, style=s), "LI-A") for s in ("plain", "margin", "text"))
    assert plain[:2].min() > 20
    assert margin[:2].max() == text[:2].max() == 0
    assert (text - margin).max() > 40
    assert (text - margin)[30:60, 30:60].max() == 0


def test_images_have_the_patients_size(smoke: Path) -> None:
    """Sizes differ between patients, not between a patient's views."""
    sizes = {}
    for path in sorted((smoke / "train_set").iterdir()):
        sizes.setdefault(path.name[:4], set()).add(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape)
    assert all(len(shapes) == 1 for shapes in sizes.values())
    assert len(set.union(*sizes.values())) > 1


def statistics(views: np.ndarray) -> np.ndarray:
    """Return what a view says without looking at any place: (n, 8, h, w) -> (n, 72)."""
    pixels = views.reshape(*views.shape[:2], -1).astype(float)
    mean, spread = pixels.mean(-1), pixels.std(-1)
    dark = (pixels < (mean - 1.5 * spread)[..., None]).mean(-1)
    levels = np.percentile(pixels, [1, 5, 25, 50, 75], axis=-1)
    return np.concatenate([mean, spread, dark, (pixels < 80).mean(-1), *levels], axis=1)


@pytest.mark.nightly
def test_global_darkness_is_no_shortcut(tmp_path: Path) -> None:
    """A logistic model on each view's brightness statistics stays under an AUROC of .60."""
    phantom.write(tmp_path / "data", size="small")
    dataset = data.read(tmp_path / "data")
    cases = [*dataset.development.cases, *dataset.test.cases]
    inputs = statistics(np.stack([data.decode(case, {"size": 64})["views"] for case in cases]))
    assert dataset.development.truth is not None
    assert dataset.test.truth is not None
    ill = np.concatenate(
        [half.truth["aneurysm"] for half in (dataset.development, dataset.test) if half.truth]
    )
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    for strength in (0.001, 0.1, 1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=3000))
        scores = cross_val_predict(model, inputs, ill, cv=folds, method="decision_function")
        assert roc_auc_score(ill, scores) < 0.60


# ----------------------------------------------------------------------------------------- defects
@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve patients of one's own."""
    monkeypatch.setitem(phantom.SIZES, "smoke", (10, 2))
    phantom.write(tmp_path / "data", size="smoke")
    return tmp_path / "data"


@pytest.mark.parametrize("name", ["missing_view", "contradicted_label"])
def test_a_defect_is_refused_by_name(few: Path, name: str) -> None:
    """The reader names the file that is missing, or the table that contradicts itself."""
    path = phantom.defect(few, name)
    with pytest.raises(UserError, match=path.name):
        data.read(few)


def test_a_damaged_image_is_refused_when_decoded(few: Path) -> None:
    """A picture that was cut off is named."""
    path = phantom.defect(few, "damaged_image")
    with pytest.raises(UserError, match=path.name):
        data.decode(data.read(few).development.cases[0], {"size": 64})


def test_a_stray_file_does_no_harm(few: Path) -> None:
    """.DS_Store is ignored."""
    before = data.read(few).development.ids
    phantom.defect(few, "stray_file")
    assert data.read(few).development.ids == before


def test_a_duplicate_image_belongs_to_two_patients(few: Path) -> None:
    """The defect for the leak audit: one picture, two patients."""
    phantom.defect(few, "duplicate_image")
    first, second = data.read(few).development.cases[:2]
    assert first.patient != second.patient
    assert first.files[0].read_bytes() == second.files[0].read_bytes()


def test_every_defect_is_tested() -> None:
    """The tests above name all defects there are."""
    assert set(phantom.DEFECTS) == {
        "missing_view", "contradicted_label", "damaged_image", "stray_file", "duplicate_image",
    }  # fmt: skip
