"""Phantom glioma patients: real layouts, the image in the hazard, and how volumes are read."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from challenges.glioma import data, phantom
from challenges.glioma.cohorts import SOURCES
from challenges.glioma.columns import CHANNELS, DEVELOPMENT, RADIOMICS
from challenges.glioma.people import features, oracle, sample
from challenges.glioma.table import read_rows
from challenges.glioma.volumes import FOLDER
from harness.contracts import Case, Dataset
from harness.errors import UserError
from harness.folds import audit, make_folds
from harness.prepare import digests_of
from harness.survival.concordance import harrell
from harness.survival.followup import FollowUp
from tests.real import real_data

SMALL = {"shape": [30, 30, 20], "covariates": 4}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke patients."""
    root = tmp_path_factory.mktemp("phantom")
    phantom.write(root, size="smoke")
    return root


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The smoke patients, to be broken."""
    return Path(shutil.copytree(smoke, tmp_path / "copy"))


def read(root: Path, **options: str) -> Dataset:
    """Read with some options."""
    return data.read(root, None, options)


def digest(root: Path) -> str:
    """Return the hash of every file."""
    total = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        total.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_bytes(smoke: Path, tmp_path: Path) -> None:
    """And another seed others; a patient does not depend on how many there are."""
    phantom.write(tmp_path / "again", size="smoke")
    assert digest(tmp_path / "again") == digest(smoke)
    assert sample(0, 0, 3, 0.55) == sample(0, 0, 3, 0.55) != sample(1, 0, 3, 0.55)


def test_tables_have_the_real_headers(smoke: Path) -> None:
    """All columns that are read, and the others of the four tables, in their order."""
    for name, source in SOURCES.items():
        made, real = (
            read_rows(root / name / source.file, [], delimiter=source.delimiter).header
            for root in (smoke, real_data("glioma"))
        )
        assert made == real, name
    made, real = (
        read_rows(root / DEVELOPMENT / data.FEATURES, ["ID"]).header for root in (smoke, real_data("glioma"))
    )
    assert made[-100:] == real[-100:] == RADIOMICS


@pytest.mark.parametrize("external", ["tcga", "none", "cgga", "brats2020"])
def test_every_track_is_read_and_leaks_nothing(
    smoke: Path, external: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The quirks of the real tables are there, and the audit passes."""
    found = read(smoke, external=external)
    folds = make_folds(found.development.cases, data.strata(found.development.truth or {}), 3, seed=0)
    audit(found, folds, digests_of(found))

    assert len(found.development.cases) == 59
    assert "without survival: UCSF-PDGM-010" in capsys.readouterr().out
    assert len(found.test.cases) == {"tcga": 30, "none": 0, "cgga": 26, "brats2020": 30}[external]
    inputs = data.decode(found.development.cases[0], SMALL)
    expected = {"covariates", *(["image"] if external in ("tcga", "none") else [])}
    assert set(inputs) == expected | ({"radiomics"} if external == "none" else set())


def test_the_latent_truth_is_what_the_tables_say(smoke: Path) -> None:
    """phantom.json lies outside the cohorts' folders, with time, death and the oracle's scores."""
    latent = json.loads((smoke / "phantom.json").read_text())
    found = read(smoke, external="none").development
    truth = dict(found.truth or {})
    for case, time, event in zip(found.ids, truth["time"], truth["event"], strict=True):
        assert (latent["cases"][case]["days"], latent["cases"][case]["dead"]) == (time, bool(event))
    assert latent["oracle"]["clinical"] < latent["oracle"]["all"]
    assert 0.3 < latent["oracle"]["censored"] < 0.4


def test_the_image_knob_orders_the_oracles() -> None:
    """Image alone .5 without it and more with more; all beat their parts (standard error about .006)."""
    found = {image: oracle([sample(1, 9, k, image) for k in range(1500)]) for image in (0.0, 0.55, 0.8)}

    assert found[0.0]["image"] == 0.5
    assert found[0.0]["all"] == found[0.0]["clinical"] > 0.7
    assert 0.63 < found[0.55]["image"] < 0.67 < found[0.8]["image"]
    assert 0.74 < found[0.55]["all"] < found[0.8]["all"]
    assert all(found[k]["all"] > max(found[k]["image"], found[k]["clinical"]) for k in (0.55, 0.8))


def test_the_image_shows_what_drives_the_hazard(smoke: Path) -> None:
    """Bright rim on T1c follows the volume; dark necrosis inside it follows the share that died off."""
    latent = json.loads((smoke / "phantom.json").read_text())["cases"]
    volumes, visible = [], []
    for case in read(smoke).development.cases:
        image = data.decode(case, SMALL)["image"].astype(float) / 256
        t2, contrast = image[CHANNELS.index("t2")], image[CHANNELS.index("t1ce")]
        volumes.append(latent[case.id]["log_volume"] + np.log(latent[case.id]["necrosis"]))
        visible.append(np.log1p(((t2 > 2.0) & (contrast < 0.0)).sum()))
    assert np.corrcoef(volumes, visible)[0, 1] > 0.6


def test_an_unknown_size_and_a_full_folder_are_refused(smoke: Path, tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(UserError, match="No phantom size named 'big'"):
        phantom.write(tmp_path / "x", size="big")
    with pytest.raises(UserError, match="is not empty"):
        phantom.write(smoke)
    with pytest.raises(UserError, match="image must not be below 0"):
        phantom.write(tmp_path / "x", image=-1.0)


def test_radiomics_know_of_the_hazard() -> None:
    """The measured volume is the tumour's own, and tells a little of survival."""
    people = [sample(0, 7, k, 0.55) for k in range(800)]
    column = RADIOMICS.index("original_shape_VoxelVolume")
    volume = [features(np.random.default_rng(k), p)[column] for k, p in enumerate(people)]

    assert np.log(np.array(volume) / 1000) == pytest.approx([p.log_volume for p in people], abs=1e-4)
    assert float(harrell(FollowUp.of([p.days for p in people], [p.dead for p in people]), volume)) > 0.55


# ---------------------------------------------------------------------------------------------- volumes
def test_each_channel_is_scored_within_its_own_brain(smoke: Path) -> None:
    """Mean 0, deviation 256, background 0; exposure is gone."""
    case = read(smoke).development.cases[0]
    image = data.decode(case, SMALL)["image"]
    files = [path for path in case.files if path.suffix == ".gz"]
    for channel, path in zip(image, files, strict=True):
        raw: Any = np.asarray(nibabel.load(path).dataobj)
        brain = raw != 0
        expected = np.rint(256 * (raw[brain] - raw[brain].mean()) / raw[brain].std())
        assert np.abs(channel[brain] - expected).max() <= 1
        assert not channel[~brain].any()
    assert [path.name for path in files] == [f"{c}_resized.nii.gz" for c in CHANNELS]


@pytest.mark.parametrize("shape", [(33, 30, 20), (24, 25, 31), (10, 40, 20)])
def test_the_centre_is_kept_on_another_grid(smoke: Path, shape: tuple[int, int, int]) -> None:
    """Padding and cropping move nothing by more than half a voxel, and lose no voxel that has room."""
    case = read(smoke).development.cases[0]
    image = data.decode(case, SMALL)["image"][0]
    other = data.decode(case, {"shape": list(shape)})["image"][0]
    assert other.shape == shape
    parts = []
    for have, want in zip(image.shape, shape, strict=True):
        common = min(have, want)
        parts.append([slice((n - common) // 2, (n - common) // 2 + common) for n in (have, want)])
    ours, theirs = (tuple(part[k] for part in parts) for k in (0, 1))
    assert np.array_equal(image[ours], other[theirs])


def test_a_flipped_file_is_turned_to_ras(copy: Path) -> None:
    """The header decides, not the order in memory."""
    case = read(copy).development.cases[0]
    before = data.decode(case, SMALL)["image"][0]
    path = next(path for path in case.files if path.name.startswith("t1_"))
    stored: Any = nibabel.load(path)
    affine = stored.affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] -= (before.shape[0] - 1) * affine[:3, 0]
    flipped: Any = nibabel.Nifti1Image(np.asarray(stored.dataobj)[::-1], affine)
    nibabel.save(flipped, path)
    assert np.array_equal(data.decode(case, SMALL)["image"][0], before)


def test_cases_are_those_with_volumes_and_the_rest_is_said(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of TCGA, whose MRI exist of few; without one cohort's volumes nobody's are used."""
    shutil.rmtree(copy / "tcga" / FOLDER / "TCGA-00-0003")
    (copy / "tcga" / FOLDER / "TCGA-00-0004").rename(copy / "tcga" / FOLDER / "someone")
    assert len(read(copy).test.cases) == 28
    said = capsys.readouterr().out
    assert "tcga: 2 patients are left out, without volumes: TCGA-00-0003, TCGA-00-0004." in said
    assert "tcga: folders of volumes without a row in the table: 1, such as someone." in said
    shutil.rmtree(copy / "tcga" / FOLDER)
    found = read(copy)
    assert len(found.test.cases) == 30
    assert "image" not in data.decode(found.development.cases[0], SMALL)


def broken(copy: Path, name: str) -> Case | None:
    """Break a patient's volumes; return the case if the files must be decoded to see it."""
    case = read(copy).development.cases[0]
    files = [path for path in case.files if path.suffix == ".gz"]
    if name == "missing":
        files[2].unlink()
    elif name == "shared":
        shutil.copy(files[0], copy / DEVELOPMENT / FOLDER / "UCSF-PDGM-001" / files[0].name)
        if case.id == "UCSF-PDGM-001":
            shutil.copy(files[0], copy / DEVELOPMENT / FOLDER / "UCSF-PDGM-002" / files[0].name)
    elif name == "cut":
        files[1].write_bytes(files[1].read_bytes()[:500])
    elif name == "empty":
        nibabel.save(nibabel.Nifti1Image(np.zeros((30, 30, 20), np.int16), np.eye(4)), files[0])
    else:
        nibabel.save(nibabel.Nifti1Image(np.ones((9, 9, 9), np.int16), np.eye(4)), files[3])
    return case if name in ("cut", "empty", "grid") else None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "lacks t1ce_resized.nii.gz"),
        ("shared", "Two patients have the same image"),
        ("cut", "t2_resized.nii.gz is no whole NIfTI file"),
        ("empty", "t1_resized.nii.gz holds nothing but 0"),
        ("grid", "holds volumes of 2 grids"),
    ],
)
def test_broken_volumes_are_refused_by_file(copy: Path, name: str, words: str) -> None:
    """When they are read, or when they are decoded."""
    case = broken(copy, name)
    with pytest.raises(UserError, match=words):
        data.decode(case, SMALL) if case else read(copy)


@pytest.mark.parametrize("shape", [[30, 30], 30, [30, 30, 0], [30, 30, "x"], [30, 30, 9999]])
def test_an_impossible_shape_is_refused(smoke: Path, shape: object) -> None:
    """Three sizes in voxels."""
    with pytest.raises(UserError, match="preparation.shape must be three sizes"):
        data.decode(read(smoke).development.cases[0], {"shape": shape})
