"""Phantom brains: the real layouts, the right contrasts, no shortcut, and defects that the reader finds."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from challenges.brats import data, phantom
from challenges.brats.brains import CSF, GM, OUTSIDE, VESSEL, WM, Subject, sample, tissues
from challenges.brats.drawing import draw
from challenges.brats.labels import ED, ET, NCR
from harness.contracts import CaseSet, Dataset
from harness.errors import UserError
from harness.metrics import auroc

SHAPE = (48, 48, 40)
Voxels = tuple[list[np.ndarray], list[np.ndarray]]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest cohort."""
    root = tmp_path_factory.mktemp("brains") / "data"
    phantom.write(root, size="smoke")
    return root


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort of a run without data."""
    root = tmp_path_factory.mktemp("brains") / "data"
    phantom.write(root)
    return root


@pytest.fixture(scope="module")
def subjects() -> list[Subject]:
    """Eighty patients, half of them with ET."""
    rng = np.random.default_rng(1)
    return [
        sample(
            7,
            k,
            enhancing=k % 2 == 0,
            foci=int(rng.random() < 0.3),
            satellites=2 * int(rng.random() < 0.4),
        )
        for k in range(80)
    ]


def read(root: Path, edition: str = "2020") -> Dataset:
    """Read an edition."""
    return data.read(root, None, {"edition": edition})


def maps(half: CaseSet) -> list[np.ndarray]:
    """Return the label map of every case."""
    assert half.truth is not None
    return [volume.array() for volume in half.truth["labels"]]


def digests(root: Path) -> dict[str, str]:
    """Return the content hash of every file."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def described(root: Path) -> dict[str, dict[str, Any]]:
    """Return what phantom.json says of every case, by its id of 2020."""
    cases = json.loads((root / "phantom.json").read_text())["cases"]
    return {case["ids"]["2020"]: case for case in cases}


# -------------------------------------------------------------------------------------------- layout
def test_same_seed_same_bytes(smoke: Path, tmp_path: Path) -> None:
    """A second writing is byte-identical; another seed shares no image."""
    phantom.write(tmp_path / "again", size="smoke")
    phantom.write(tmp_path / "other", size="smoke", seed=1)
    assert digests(tmp_path / "again") == digests(smoke)
    images = [
        {d for name, d in digests(root).items() if "seg" not in name} for root in (tmp_path / "other", smoke)
    ]
    assert not images[0] & images[1]


def test_the_layouts_are_the_real_ones(smoke: Path) -> None:
    """Folders, files and side tables of 2020, and folders and files of 2023."""
    old = smoke / "2020" / "MICCAI_BraTS2020_TrainingData"
    new = smoke / "2023" / "ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData"
    assert sorted(path.name for path in old.iterdir()) == [
        *(f"BraTS20_Training_{k:03}" for k in range(1, 9)),
        "name_mapping.csv",
        "survival_info.csv",
    ]
    case = "BraTS20_Training_001"
    assert {path.name for path in (old / case).iterdir()} == {
        f"{case}_{word}.nii.gz" for word in ("flair", "t1", "t1ce", "t2", "seg")
    }
    folder = sorted(new.iterdir())[0]
    assert {path.name for path in folder.iterdir()} == {
        f"{folder.name}-{word}.nii.gz" for word in ("t1n", "t1c", "t2w", "t2f", "seg")
    }
    assert "ALIVE (361 days later)" in (old / "survival_info.csv").read_text()


def test_files_are_like_real_ones(smoke: Path) -> None:
    """int16 images and uint8 labels on the real axes; the files' labels are the edition's."""
    for edition, known in (("2020", {0, 1, 2, 4}), ("2023", {0, 1, 2, 3})):
        found: set[int] = set()
        for path in (smoke / edition).rglob("*seg.nii.gz"):
            labels = nibabel.load(path)
            assert labels.get_data_dtype() == np.uint8
            found |= set(np.unique(labels.dataobj).tolist())
        assert found == known
    image = nibabel.load(next((smoke / "2020").rglob("*_t1.nii.gz")))
    assert (image.get_data_dtype(), image.shape) == (np.int16, SHAPE)
    assert image.affine.tolist() == [[-4, 0, 0, 0], [0, -4, 0, 47 * 4], [0, 0, 4, 0], [0, 0, 0, 1]]


def test_one_folder_serves_every_edition(smoke: Path) -> None:
    """The same brains, truths and patients by 2020 and by 2023; 2026 reads what 2023 does."""
    brains = {}
    for edition in ("2020", "2023", "2026"):
        found = read(smoke, edition)
        assert [len(half.cases) for half in (found.development, found.test)] == [8, 4]
        assert len({case.patient for case in found.development.cases}) == 7
        keys = [hashlib.sha256(case.files[0].read_bytes()).hexdigest() for case in found.development.cases]
        brains[edition] = dict(zip(keys, maps(found.development), strict=True))
    assert read(smoke, "2023").development.ids == read(smoke, "2026").development.ids
    assert brains["2020"].keys() == brains["2023"].keys()
    assert all(np.array_equal(brains["2020"][key], brains["2023"][key]) for key in brains["2020"])


def test_two_time_points_are_two_images_of_one_brain(small: Path) -> None:
    """In 2020 a table joins them, in 2023 their name; the tumour has grown, the rest has not changed."""
    facts = described(small)
    later = [case for case in facts.values() if case["time"] == 1]
    assert len(later) == 2
    for edition in ("2020", "2023"):
        cases = {case.id: case.patient for case in read(small, edition).development.cases}
        for one in later:
            first = next(c for c in facts.values() if c["patient"] == one["patient"] and c["time"] == 0)
            assert cases[one["ids"][edition]] == cases[first["ids"][edition]]
            assert one["voxels"]["ED"] > first["voxels"]["ED"]


# ------------------------------------------------------------------------------------------- content
@pytest.mark.parametrize("size", ["smoke", "small"])
def test_every_kind_of_case_is_in_both_sets(size: str, request: pytest.FixtureRequest) -> None:
    """With and without ET, one tumour and several, small lesions; labels as phantom.json describes them."""
    root = request.getfixturevalue(size)
    found, facts = read(root), described(root)
    for half in (found.development, found.test):
        counts = [np.bincount(labels.ravel(), minlength=4).tolist() for labels in maps(half)]
        assert counts == [list(facts[case]["voxels"].values()) for case in half.ids]
        assert {bool(n[ET]) for n in counts} == {True, False}
        assert all(n[NCR] and n[ED] for n in counts)
        strata = data.strata(half.truth or {})
        assert strata.any(axis=0).all()
        assert not strata.all(axis=0).any()
    radii = [lesion["radius"] for case in facts.values() for lesion in case["lesions"]]
    assert min(radii) < 0.11 < 0.3 < max(radii)


def test_regions_are_nested(subjects: list[Subject]) -> None:
    """ET lies around NCR, oedema around both, and nothing outside the brain."""
    from scipy.ndimage import binary_dilation

    for subject in subjects[:20]:
        tissue, labels = tissues(replace(subject, lesions=subject.lesions[:1]), SHAPE)
        brain = tissue != OUTSIDE
        assert not labels[~brain].any()
        core, necrosis = np.isin(labels, (NCR, ET)), labels == NCR
        around = binary_dilation(core) & ~core & brain & (tissue != CSF)
        assert (labels[around] == ED).mean() > 0.7
        if subject.enhancing:
            rim = binary_dilation(necrosis) & ~necrosis & brain
            assert (labels[rim] == ET).mean() > 0.7


def test_contrasts_are_those_of_the_modalities(subjects: list[Subject]) -> None:
    """CSF is dark on T1 and bright on T2, oedema bright on FLAIR, the rim on T1ce; necrosis is dark on T1."""
    found: dict[str, list[np.ndarray]] = {}
    for subject in subjects[:20]:
        images, labels = draw(subject, SHAPE, 1.0)
        tissue, _ = tissues(subject, SHAPE)
        white = [np.median(image[tissue == WM]) for image in images]
        masks = {"CSF": tissue == CSF, "GM": tissue == GM, "vessel": tissue == VESSEL}
        masks |= {"NCR": labels == NCR, "ED": labels == ED, "ET": labels == ET}
        for name, mask in masks.items():
            if mask.sum() > 20:
                ratio = [np.median(i[mask]) / w for i, w in zip(images, white, strict=True)]
                found.setdefault(name, []).append(np.array(ratio))
    t1, t1ce, t2, flair = range(4)
    mean = {name: np.mean(rows, axis=0) for name, rows in found.items()}
    assert mean["CSF"][t1] < 0.7 < 1.5 < mean["CSF"][t2]
    assert mean["CSF"][flair] < mean["GM"][flair]
    assert mean["ED"][flair] > 1.5
    assert mean["ET"][t1ce] > 1.5 > mean["ED"][t1ce]
    assert mean["vessel"][t1ce] > 1.2
    assert mean["NCR"][t1] < 0.8 < 1.3 < mean["NCR"][t2]


def test_contrast_is_of_the_tumour_alone(subjects: list[Subject]) -> None:
    """The knob moves no voxel far from the tumour, and every one of it towards white matter."""
    from scipy.ndimage import binary_dilation

    full, labels = draw(subjects[0], SHAPE, 1.0)
    half, again = draw(subjects[0], SHAPE, 0.5)
    far = ~binary_dilation(labels > 0, iterations=4)
    assert np.array_equal(labels, again)
    assert np.array_equal(full[3][far], half[3][far])
    assert np.median(half[3][labels == ED]) < 0.9 * np.median(full[3][labels == ED])


def test_a_brain_is_not_zero_in_any_modality(smoke: Path) -> None:
    """The background is 0, and the same in all four, as after skull stripping."""
    for case in read(smoke).development.cases:
        images = np.stack([np.asanyarray(nibabel.load(path).dataobj) for path in case.files])
        assert (images.min(), images.max() < 32767) == (0, True)
        assert np.array_equal(*(images.any(axis=0), images.all(axis=0)))
        assert 0.15 < (images[0] > 0).mean() < 0.35


# --------------------------------------------------------------------------------------- no shortcut
def voxels(half: CaseSet, blur: float = 0.0) -> Voxels:
    """Return normalised intensities (voxels, 4) and labels of every case's brain, blurred within it if asked."""
    from scipy.ndimage import gaussian_filter

    rows, answers = [], []
    for case, labels in zip(half.cases, maps(half), strict=True):
        found = data.decode(case, {})
        mean, std = (found[name][:, None, None, None] for name in ("mean", "std"))
        brain = (found["image"] != 0).all(axis=0)
        image = (found["image"] - mean) / std * brain
        if blur:
            weight = gaussian_filter(brain.astype(float), blur) + 1e-6
            image = np.stack([gaussian_filter(channel, blur) / weight for channel in image])
        crop = tuple(slice(s, s + n) for s, n in zip(found["start"], brain.shape, strict=True))
        rows.append(image[:, brain].T)
        answers.append(labels[crop][brain])
    return rows, answers


def whole_tumour_dice(dataset: Dataset, blur: float) -> float:
    """Return the mean Dice of quadratic discriminant analysis, at the best threshold it could have."""
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

    rows, answers = voxels(dataset.development, blur)
    model = QuadraticDiscriminantAnalysis(reg_param=1e-3)
    model.fit(np.concatenate(rows), np.concatenate(answers))
    tested, truths = voxels(dataset.test, blur)
    tumour = [1 - model.predict_proba(row)[:, 0] for row in tested]

    def dice(threshold: float) -> float:
        pairs = [(p > threshold, t > 0) for p, t in zip(tumour, truths, strict=True)]
        return float(np.mean([2 * (p & t).sum() / (p.sum() + t.sum()) for p, t in pairs]))

    return max(dice(threshold) for threshold in (0.3, 0.5, 0.7, 0.9))


def test_single_voxels_do_not_tell_the_tumour(small: Path) -> None:
    """A model of voxels one by one stays under .72 of Dice; with their surroundings it finds over .15 more."""
    dataset = read(small)
    alone, blurred = whole_tumour_dice(dataset, 0.0), whole_tumour_dice(dataset, 1.0)
    assert 0.4 < alone < 0.72
    assert blurred > alone + 0.15


def test_the_place_does_not_tell_the_tumour(small: Path) -> None:
    """The map of where tumours were, cut at its best height, has a Dice under .3."""
    dataset = read(small)
    often = np.mean([labels > 0 for labels in maps(dataset.development)], axis=0)
    best = 0.0
    for height in np.unique(often)[1:]:
        guess = often >= height
        each = [2 * (guess & (t > 0)).sum() / (guess.sum() + (t > 0).sum()) for t in maps(dataset.test)]
        best = max(best, float(np.mean(each)))
    assert best < 0.3


def test_the_brightness_of_an_image_tells_nothing(subjects: list[Subject]) -> None:
    """Mean and spread of the four images predict neither ET nor a large tumour: gains hide them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    drawn = [draw(subject, SHAPE, 0.5) for subject in subjects]
    brains = [[image[image > 0] for image in images] for images, _ in drawn]
    features = np.array([[f(v) for v in brain for f in (np.mean, np.std)] for brain in brains])
    size = np.array([(labels > 0).sum() for _, labels in drawn])
    for truth in (np.array([subject.enhancing for subject in subjects]), size > np.median(size)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
        scores = cross_val_predict(model, features, truth, cv=5, method="predict_proba")[:, 1]
        assert float(auroc.compute(truth.astype(int), scores)) < 0.7


# ------------------------------------------------------------------------------------------- defects
LEGAL = {"case_355", "stray_file"}


@pytest.mark.parametrize("name", sorted(phantom.DEFECTS))
def test_a_defect_is_found_and_named(smoke: Path, tmp_path: Path, name: str) -> None:
    """By the reader, with its file or folder; what the public set has of old, and leavings, are none."""
    shutil.copytree(smoke, tmp_path / "data")
    path = phantom.defect(tmp_path / "data", name)
    if name in LEGAL:
        assert len(read(tmp_path / "data").development.cases) == 8
        return
    case = path.name if path.is_dir() else path.parent.name
    with pytest.raises(UserError, match=case):
        read(tmp_path / "data")
    assert len(read(tmp_path / "data", "2023").development.cases) == 8


def test_impossible_wishes_are_refused(smoke: Path, tmp_path: Path) -> None:
    """An unknown size, no contrast, and a folder in use; nothing is written."""
    with pytest.raises(UserError, match="Did you mean 'small'"):
        phantom.write(tmp_path / "data", size="smal")
    with pytest.raises(UserError, match="above 0"):
        phantom.write(tmp_path / "data", contrast=0)
    before = digests(smoke)
    with pytest.raises(UserError, match="not empty"):
        phantom.write(smoke, size="smoke", seed=1)
    assert not (tmp_path / "data").exists()
    assert digests(smoke) == before
