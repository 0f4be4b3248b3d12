"""Label files: nibabel is the oracle, and what is wrong is refused by file."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from harness.errors import UserError
from harness.segmentation.nifti import read_geometry, read_labels, same_geometry

KNOWN = (0, 1, 2, 4)
SHAPE = (11, 7, 5)


def labels(seed: int = 0) -> np.ndarray:
    """Return a small volume of known labels."""
    return np.random.default_rng(seed).choice(np.array(KNOWN, dtype=np.uint8), size=SHAPE)


def save(
    path: Path, data: np.ndarray, affine: np.ndarray | None = None, kind: type = nibabel.Nifti1Image
) -> Path:
    """Write a volume by nibabel."""
    nibabel.save(kind(data, np.diag([-1.0, -1.0, 1.0, 1.0]) if affine is None else affine), path)
    return path


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", "<i4", ">f4", "<f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_labels_of_every_type_are_read_as_nibabel_reads_them(tmp_path: Path, dtype: str, name: str) -> None:
    """In either byte order, packed or not, x fastest in memory."""
    header = nibabel.Nifti1Header(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(np.dtype(dtype))
    image = nibabel.Nifti1Image(labels().astype(dtype), np.eye(4), header)
    nibabel.save(image, tmp_path / name)
    found = read_labels(tmp_path / name, KNOWN)
    assert np.array_equal(found.labels, labels())
    assert found.labels.flags.f_contiguous


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("form", ["sform", "qform", "none"])
def test_the_geometry_is_nibabels(tmp_path: Path, form: str, kind: type) -> None:
    """Affine from the sform, else the qform, else the voxel size; spacing from pixdim."""
    turn = np.array([[0.0, -0.9, 0.0, 12.0], [-1.1, 0.0, 0.0, 5.0], [0.0, 0.0, -2.5, -7.0], [0, 0, 0, 1]])
    image = kind(labels(), turn)
    image.set_sform(turn, code=1 if form == "sform" else 0)
    image.set_qform(turn, code=1 if form == "qform" else 0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    expected = nibabel.load(tmp_path / "a.nii.gz")
    found = read_geometry(tmp_path / "a.nii.gz")
    assert found.spacing == tuple(float(mm) for mm in expected.header.get_zooms())
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-6)
    assert found.shape == SHAPE


def test_a_scaled_volume_is_read_as_its_scaled_values(tmp_path: Path) -> None:
    """Slope and intercept are applied before the values are judged."""
    path = save(tmp_path / "a.nii", labels().astype(np.int16) * 2 + 6)
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([0.5, -3.0], dtype="<f4").tobytes()
    path.write_bytes(bytes(content))
    assert np.array_equal(nibabel.load(path).get_fdata(), labels())
    assert np.array_equal(read_labels(path, KNOWN).labels, labels())


def test_a_file_in_two_gzip_members_is_read(tmp_path: Path) -> None:
    """As bgzip writes it."""
    content = save(tmp_path / "b.nii", labels()).read_bytes()
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    assert np.array_equal(read_labels(tmp_path / "c.nii.gz", KNOWN).labels, labels())


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0.5, "0.5; labels are whole"),
        (np.nan, "nan; labels are whole"),
        (3, "label 3; this edition"),
        (300, "300"),
    ],
)
def test_values_that_are_no_labels_are_refused_by_file(tmp_path: Path, value: float, sentence: str) -> None:
    """2.0001 would silently be background in the official script."""
    data = labels().astype(np.float32)
    data[3, 4, 2] = value
    with pytest.raises(UserError, match=f"a.nii.gz holds .*{sentence}"):
        read_labels(save(tmp_path / "a.nii.gz", data), KNOWN)


@pytest.mark.parametrize("keep", [1, 300, 1000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    """Whether the header, the gzip stream or the voxels end too early."""
    noise = np.random.default_rng(0).choice(np.array(KNOWN, dtype=np.uint8), size=(40, 40, 40))
    whole = save(tmp_path / "whole.nii.gz", noise).read_bytes()
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(whole[:keep])
    with pytest.raises(UserError, match=r"cut\.nii\.gz"):
        read_labels(path, KNOWN)
    plain = tmp_path / "cut.nii"
    plain.write_bytes(gzip.decompress(whole)[:keep])
    with pytest.raises(UserError, match=r"cut\.nii"):
        read_labels(plain, KNOWN)


def test_a_small_file_that_claims_a_huge_volume_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    """32,000 x 32,000 x 32,000 voxels do not fit in any memory."""
    content = bytearray(save(tmp_path / "a.nii", labels()).read_bytes())
    content[42:48] = np.array([32000] * 3, dtype="<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(content))
    with pytest.raises(UserError, match="32768000000000 voxels"):
        read_labels(tmp_path / "a.nii", KNOWN)


@pytest.mark.parametrize("what", ["shape", "voxel size", "affine"])
def test_a_prediction_on_another_grid_is_refused_with_both_values(tmp_path: Path, what: str) -> None:
    """The geometry is the truth's: a header of 0.05 mm must not buy a score."""
    truth = read_geometry(save(tmp_path / "truth.nii.gz", labels()))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    data = labels()
    if what == "shape":
        data = data[:-1]
    if what == "voxel size":
        affine = np.diag([-0.05, -0.05, 0.05, 1.0])
    if what == "affine":
        affine = np.diag([1.0, 1.0, 1.0, 1.0])
    prediction = read_geometry(save(tmp_path / "prediction.nii.gz", data, affine))
    with pytest.raises(UserError, match=rf"prediction\.nii\.gz has the {what} .* its truth .*: resample"):
        same_geometry(truth, prediction)


def test_rounding_in_a_header_is_no_other_grid(tmp_path: Path) -> None:
    """Less than a thousandth of a millimetre is the same place."""
    truth = read_geometry(save(tmp_path / "truth.nii.gz", labels()))
    near = np.diag([-1.0002, -0.9998, 1.0, 1.0])
    same_geometry(truth, read_geometry(save(tmp_path / "prediction.nii.gz", labels(), near)))
