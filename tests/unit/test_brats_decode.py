"""Decoding of BraTS images: int16, cropped to the brain, nothing lost; real cases among them."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from challenges.brats import data
from challenges.brats.labels import ED, ET, NCR
from harness.contracts import Case, CaseSet
from harness.errors import UserError
from tests.real import real_data

SHAPE = (12, 10, 9)
BOX = (slice(2, 9), slice(3, 8), slice(1, 9))
WORDS = ("t1", "t1ce", "t2", "flair")


def brain(seed: int, dtype: str = "i2") -> np.ndarray:
    """Return a volume that is not 0 in a box only."""
    voxels = np.zeros(SHAPE, dtype=dtype)
    voxels[BOX] = np.random.default_rng(seed).integers(1, 900, voxels[BOX].shape)
    return voxels


def case_of(folder: Path, *images: np.ndarray, kind: type = nibabel.Nifti1Image, end: str = "nii.gz") -> Case:
    """Return a case of these images, or of four boxes of noise."""
    found = images or tuple(brain(k) for k in range(4))
    paths = tuple(folder / f"case_{word}.{end}" for word in WORDS[: len(found)])
    for path, voxels in zip(paths, found, strict=True):
        nibabel.save(kind(voxels, np.diag([-1.5, -1.5, 2, 1])), path)
    return Case("case", "case", paths)


def restored(found: dict[str, np.ndarray]) -> np.ndarray:
    """Return the whole images, from crop, start and grid."""
    whole = np.zeros((len(found["image"]), *found["grid"]), dtype=np.int16)
    ends = found["start"] + found["image"].shape[1:]
    where = tuple(slice(first, last) for first, last in zip(found["start"], ends, strict=True))
    whole[(slice(None), *where)] = found["image"]
    return whole


def test_a_case_is_its_brain(tmp_path: Path) -> None:
    """Four modalities in int16, cropped, with what is needed to put them back."""
    found = data.decode(case_of(tmp_path), {})
    assert {name: (array.dtype.str[1:], array.shape) for name, array in found.items()} == {
        "image": ("i2", (4, 7, 5, 8)),
        "grid": ("i8", (3,)),
        "start": ("i8", (3,)),
        "spacing": ("f4", (3,)),
        "mean": ("f4", (4,)),
        "std": ("f4", (4,)),
    }
    assert (found["grid"].tolist(), found["start"].tolist()) == ([12, 10, 9], [2, 3, 1])
    assert found["spacing"].tolist() == [1.5, 1.5, 2.0]
    assert np.array_equal(restored(found), np.stack([brain(k) for k in range(4)]))


def test_the_box_holds_every_modality(tmp_path: Path) -> None:
    """A voxel that is not 0 in one modality alone is kept; negative ones are voxels too."""
    odd = brain(0)
    odd[11, 9, 0] = -5
    found = data.decode(case_of(tmp_path, brain(1), odd), {})
    assert found["image"].shape == (2, 10, 7, 9)
    assert np.array_equal(restored(found), np.stack([brain(1), odd]))


def test_statistics_are_of_the_brain(tmp_path: Path) -> None:
    """Mean and standard deviation of what is not 0, of each modality by itself."""
    images = [brain(k) for k in range(4)]
    images[2][4, 4, 4] = 0
    found = data.decode(case_of(tmp_path, *images), {})
    voxels = [image[image != 0].astype(float) for image in images]
    np.testing.assert_allclose(found["mean"], [v.mean() for v in voxels], rtol=1e-6)
    np.testing.assert_allclose(found["std"], [v.std() for v in voxels], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", ">i2", "f4", "f8"])
def test_whole_numbers_stay_what_they_are(tmp_path: Path, dtype: str) -> None:
    """Whatever type stores them, if int16 can."""
    images = [np.minimum(brain(k), 255).astype(dtype) for k in range(4)]
    found = data.decode(case_of(tmp_path, *images), {})
    assert np.array_equal(restored(found), np.stack(images))


@pytest.mark.parametrize(("factor", "dtype"), [(0.001, "f4"), (40.0, "i4"), (-7.3, "f8"), (1e6, "f8")])
def test_other_numbers_are_scaled_by_one_factor(tmp_path: Path, factor: float, dtype: str) -> None:
    """The largest magnitude becomes 32767; everything else keeps its proportion to half a step."""
    voxels = (brain(0, "f8") * factor).astype(dtype)
    found = restored(data.decode(case_of(tmp_path, voxels), {}))[0]
    largest = np.abs(voxels.astype(float)).max()
    assert np.abs(found.astype(int)).max() == 32767
    np.testing.assert_allclose(found * (largest / 32767), voxels, atol=largest / 32767 * 0.501)
    assert np.array_equal(found == 0, voxels == 0)


def test_a_scaled_file_is_read_as_its_scaled_values(tmp_path: Path) -> None:
    """Slope and intercept of the header count."""
    case = case_of(tmp_path, brain(0), end="nii")
    content = bytearray(case.files[0].read_bytes())
    content[112:120] = np.array([2.0, 0.0], dtype="<f4").tobytes()
    case.files[0].write_bytes(bytes(content))
    assert np.array_equal(restored(data.decode(case, {}))[0], 2 * brain(0))


def test_both_kinds_of_nifti_are_read(tmp_path: Path) -> None:
    """NIfTI-2, which the reader of headers accepts, decodes to the same."""
    (tmp_path / "second").mkdir()
    first = data.decode(case_of(tmp_path), {})
    second = data.decode(case_of(tmp_path / "second", kind=nibabel.Nifti2Image), {})
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("end", ["nii", "nii.gz"])
def test_a_file_cut_short_is_refused_by_name(tmp_path: Path, end: str) -> None:
    """Nothing is filled in."""
    case = case_of(tmp_path, end=end)
    path = case.files[2]
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match=r"case_t2\.nii.* is no whole NIfTI file"):
        data.decode(case, {})


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    """A changed byte within a packed file is seen by its checksum."""
    case = case_of(tmp_path)
    content = bytearray(case.files[0].read_bytes())
    content[-8] ^= 0xFF
    case.files[0].write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"case_t1\.nii\.gz is no whole NIfTI file"):
        data.decode(case, {})


def test_an_empty_image_is_refused_by_name(tmp_path: Path) -> None:
    """Nothing but 0 has no brain, no mean and no box."""
    with pytest.raises(UserError, match=r"case_t1ce\.nii\.gz holds nothing but 0"):
        data.decode(case_of(tmp_path, brain(0), np.zeros(SHAPE, dtype=np.int16)), {})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused_by_name(tmp_path: Path, value: float) -> None:
    """A NaN would spread through every mean."""
    voxels = brain(0, "f4")
    voxels[0, 0, 0] = value
    with pytest.raises(UserError, match=r"case_t1\.nii\.gz holds a value that is no number"):
        data.decode(case_of(tmp_path, voxels), {})


def test_a_file_that_changed_or_went_missing_is_refused(tmp_path: Path) -> None:
    """Between reading and decoding."""
    case = case_of(tmp_path)
    nibabel.save(nibabel.Nifti1Image(brain(0)[1:], np.eye(4)), case.files[3])
    with pytest.raises(UserError, match="has changed since it was read"):
        data.decode(case, {})
    case.files[3].unlink()
    with pytest.raises(UserError, match=r"case_flair\.nii\.gz"):
        data.decode(case, {})


def test_an_option_is_refused(tmp_path: Path) -> None:
    """There is none to choose."""
    with pytest.raises(UserError, match="no preparation option, but got size"):
        data.decode(case_of(tmp_path), {"size": 128})


# -------------------------------------------------------------------------------------------- real
def real_glioma(root: Path, labels: str) -> Path:
    """Lay the real case of 2023 as it is distributed, with one of its algorithms' label maps as its own."""
    source = real_data("brats") / "BraTS-GLI-00001-000"
    folder = root / "TrainingData" / source.name
    folder.mkdir(parents=True)
    for word in ("t1n", "t1c", "t2w", "t2f"):
        shutil.copy(source / f"{source.name}-{word}.nii.gz", folder)
    shutil.copy(source / labels, folder / f"{source.name}-seg.nii.gz")
    return folder


def real_tcga(root: Path, labels: str) -> Path:
    """Lay TCGA-DU-7294 as 2020 is distributed."""
    source = real_data("brats") / "TCGA-DU-7294"
    folder = root / "MICCAI_BraTS2020_TrainingData" / "BraTS20_Training_001"
    folder.mkdir(parents=True)
    for old, new in (("t1", "t1"), ("t1c", "t1ce"), ("t2", "t2"), ("fla", "flair")):
        shutil.copy(source / f"{source.name}_{old}_bet.nii.gz", folder / f"{folder.name}_{new}.nii.gz")
    shutil.copy(source / labels, folder / f"{folder.name}_seg.nii.gz")
    return folder


def voxels_of(half: CaseSet) -> list[int]:
    """Return how many voxels of each label the first case has."""
    assert half.truth is not None
    return np.bincount(half.truth["labels"][0].array().ravel(), minlength=4).tolist()


def assert_restored(case: Case) -> None:
    """Put the decoded images back and compare every voxel with the files."""
    found = data.decode(case, {})
    stored = np.stack([np.asanyarray(nibabel.load(path).dataobj) for path in case.files])
    assert stored.dtype == np.int16
    assert np.array_equal(restored(found), stored)
    assert found["image"][0].size < stored[0].size / 2
    assert (found["grid"].tolist(), found["spacing"].tolist()) == ([240, 240, 155], [1.0, 1.0, 1.0])


def test_a_real_case_of_2023_goes_in_and_comes_back(tmp_path: Path) -> None:
    """Its label map, int16 with 0, 1, 2, 3, is read as it is; crop, start and grid restore every voxel."""
    folder = real_glioma(tmp_path, "seg-BraTS23_1.nii.gz")
    found = data.read(tmp_path, None, {"edition": "2023"}).development
    case = found.cases[0]
    stored = np.asanyarray(nibabel.load(folder / f"{folder.name}-seg.nii.gz").dataobj)
    assert (case.id, case.patient) == ("BraTS-GLI-00001-000", "BraTS-GLI-00001")
    assert voxels_of(found) == np.bincount(stored.ravel()).tolist()
    assert min(voxels_of(found)[k] for k in (NCR, ED, ET)) > 0
    assert_restored(case)


def test_a_real_case_of_2020_goes_in_and_comes_back(tmp_path: Path) -> None:
    """A mask with 0, 1, 2, 4 has its 4 as ET; voxels below 0, which these images hold, stay."""
    folder = real_tcga(tmp_path, "seg_hnfnetv1-20.nii.gz")
    found = data.read(tmp_path, None, {"edition": "2020"}).development
    stored = np.asanyarray(nibabel.load(folder / f"{folder.name}_seg.nii.gz").dataobj)
    counts = np.bincount(stored.ravel())
    assert counts[3] == 0
    assert voxels_of(found) == [counts[0], counts[1], counts[2], counts[4]]
    assert data.decode(found.cases[0], {})["image"].min() < 0
    assert_restored(found.cases[0])


def test_a_real_case_without_et_is_fine(tmp_path: Path) -> None:
    """The consensus of the five algorithms has none; the folds know it."""
    real_tcga(tmp_path, "fusion_mav.nii.gz")
    found = data.read(tmp_path, None, {"edition": "2020"}).development
    assert found.truth is not None
    assert voxels_of(found)[ET] == 0
    assert not data.strata(found.truth)[0, 0]


def test_a_real_label_map_of_the_other_edition_is_refused(tmp_path: Path) -> None:
    """Real files too are never mapped by what they hold."""
    real_glioma(tmp_path / "new", "seg-BraTS23_1.nii.gz")
    real_tcga(tmp_path / "old", "seg_hnfnetv1-20.nii.gz")
    with pytest.raises(UserError, match="holds the label 3; edition=2020 knows 0, 1, 2, 4"):
        data.read(tmp_path / "new", None, {"edition": "2020"})
    with pytest.raises(UserError, match="holds the label 4; edition=2023 knows 0, 1, 2, 3"):
        data.read(tmp_path / "old", None, {"edition": "2023"})


def test_a_real_label_map_under_another_header_is_refused(tmp_path: Path) -> None:
    """The same voxels with a RAS header are another place in the head."""
    real_glioma(tmp_path, "seg-BraTS23_1_mapped.nii.gz")
    with pytest.raises(UserError, match=r"-seg\.nii\.gz has the orientation RAS, .*-t1n\.nii\.gz LPS"):
        data.read(tmp_path, None, {"edition": "2020"})
