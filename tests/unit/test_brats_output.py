"""Prediction sets of BraTS: what is read from folders, zips and files, what is refused, what is written."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from challenges.brats.scorer import Scorer, for_options
from harness import archive
from harness.contracts import Case, CaseSet
from harness.errors import UserError
from harness.volumes import Volume, column
from tests.real import real_data

SHAPE = (12, 10, 8)
LPS = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 9], [0, 0, 1.0, 0], [0, 0, 0, 1]])
IDS = ("BraTS20_Training_001", "BraTS20_Training_002", "BraTS20_Training_010")
Labels = np.ndarray[Any, np.dtype[np.uint8]]


def scorer(edition: str = "2020") -> Scorer:
    """Return the judge of an edition."""
    return for_options({"edition": edition})


def labels(seed: int, shape: tuple[int, int, int] = SHAPE) -> Labels:
    """Return a label map in the coding of arrays."""
    draw = np.random.default_rng(seed)
    found = np.zeros(shape, dtype=np.uint8)
    found[2:9, 2:7, 1:6] = draw.integers(0, 4, (7, 5, 5))
    return found


def coded(array: Labels, edition: str = "2020") -> Labels:
    """Return a label map as the edition's files hold it."""
    return np.where(array == 3, np.uint8(4), array) if edition == "2020" else array


def nifti(array: Any, affine: Any = LPS) -> bytes:
    """Return a NIfTI file, packed."""
    return gzip.compress(nibabel.Nifti1Image(np.asarray(array), affine).to_bytes(), 1)


def cases(ids: tuple[str, ...] = IDS, affine: Any = LPS) -> CaseSet:
    """Return cases with a truth: label map k of `labels`."""
    n = len(ids)
    truth = {
        "labels": column(Volume.of(labels(k)) for k in range(n)),
        "spacing": np.tile(np.abs(np.diag(affine)[:3]), (n, 1)),
        "affine": np.tile(affine, (n, 1, 1)),
    }
    return CaseSet(tuple(Case(i, i, ()) for i in ids), truth)


def imaged(folder: Path, affine: Any = LPS, change: Callable[[Any], None] | None = None) -> CaseSet:
    """Return cases without truth, whose first image lies in the folder."""
    found = []
    for name in IDS:
        image = nibabel.Nifti1Image(np.ones(SHAPE, dtype=np.int16), affine)
        if change:
            change(image.header)
        (folder / name).mkdir(parents=True)
        nibabel.save(image, folder / name / f"{name}_t1.nii.gz")
        found.append(Case(name, name, (folder / name / f"{name}_t1.nii.gz",)))
    return CaseSet(tuple(found), None)


def good(edition: str = "2020") -> dict[str, bytes]:
    """Return a whole prediction set, file name -> content."""
    return {f"{name}.nii.gz": nifti(coded(labels(k + 5), edition)) for k, name in enumerate(IDS)}


def as_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files into a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def as_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write the files into a zip."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def refusal(path: Path, of: CaseSet | None = None, edition: str = "2020") -> str:
    """Return what is said about a set that is refused."""
    with pytest.raises(UserError) as caught:
        scorer(edition).read_predictions(path, of or cases())
    return str(caught.value)


# --------------------------------------------------------------------------------------------- read
@pytest.mark.parametrize("edition", ["2020", "2023", "2026"])
@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize(
    "name", ["{}.nii.gz", "{}_seg.nii.gz", "{}-seg.nii.gz", "sub/{}.nii.gz", "a/b/c/{}.nii.gz"]
)
def test_a_folder_or_zip_is_matched_by_case_id(tmp_path: Path, edition: str, form: str, name: str) -> None:
    """In the order of the cases and the coding of arrays, whatever the order of the files."""
    files = {name.format(k.removesuffix(".nii.gz")): v for k, v in reversed(good(edition).items())}
    path = as_folder(tmp_path / "out", files) if form == "folder" else as_zip(tmp_path / "out.zip", files)
    found = scorer(edition).read_predictions(path, cases())["labels"]

    assert [np.array_equal(v.array(), labels(k + 5)) for k, v in enumerate(found)] == [True] * 3


def test_files_may_be_unpacked_or_of_another_type(tmp_path: Path) -> None:
    """Plain .nii; float, signed and 64 bit labels that are whole numbers."""
    path = tmp_path / "out"
    files = {
        f"{IDS[0]}.nii": gzip.decompress(nifti(coded(labels(5)))),
        f"{IDS[1]}.nii.gz": nifti(coded(labels(6)).astype(np.float64)),
        f"{IDS[2]}.nii.gz": nifti(coded(labels(7)).astype(np.int16)),
    }
    found = scorer().read_predictions(as_folder(path, files), cases())["labels"]
    assert [np.array_equal(v.array(), labels(k + 5)) for k, v in enumerate(found)] == [True] * 3


def test_one_file_is_a_set_of_one_case_whatever_its_name(tmp_path: Path) -> None:
    """With several cases it is refused."""
    path = tmp_path / "my result.nii.gz"
    path.write_bytes(nifti(coded(labels(5))))
    found = scorer().read_predictions(path, cases(IDS[:1]))["labels"]

    assert np.array_equal(found[0].array(), labels(5))
    assert "is one file, but there are 3 cases. Name a folder or a zip." in refusal(path)


def test_an_id_may_end_as_a_suffix_does(tmp_path: Path) -> None:
    """The whole stem is looked at first."""
    of = cases(("a", "a_seg"))
    files = {"a.nii.gz": nifti(coded(labels(5))), "a_seg.nii.gz": nifti(coded(labels(6)))}
    found = scorer().read_predictions(as_folder(tmp_path / "out", files), of)["labels"]
    assert [np.array_equal(v.array(), labels(k + 5)) for k, v in enumerate(found)] == [True] * 2


def test_hidden_files_and_those_of_macos_are_not_looked_at(tmp_path: Path) -> None:
    """In a folder and in a zip."""
    more = {".DS_Store": b"x", f"__MACOSX/._{IDS[0]}.nii.gz": b"x", f"._{IDS[0]}.nii.gz": b"x"}
    for path in (as_folder(tmp_path / "f", good() | more), as_zip(tmp_path / "z.zip", good() | more)):
        assert len(scorer().read_predictions(path, cases())["labels"]) == 3


# ------------------------------------------------------------------------------------------ refused
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_everything_wrong_with_a_set_is_said_at_once(tmp_path: Path, form: str) -> None:
    """Missing, extra, doubled, another grid, another coding: each with its file or case."""
    files = {
        f"{IDS[0]}.nii.gz": nifti(labels(5)),
        f"{IDS[0]}_seg.nii.gz": nifti(coded(labels(5))),
        f"{IDS[1]}.nii.gz": nifti(coded(labels(5, (12, 10, 9)))),
        "BraTS20_Training_003.nii.gz": nifti(coded(labels(5))),
        "BraTS20_Training_010_t1.nii.gz": nifti(coded(labels(5))),
        "notes.txt": b"hello",
    }
    path = as_folder(tmp_path / "out", files) if form == "folder" else as_zip(tmp_path / "out.zip", files)
    said = refusal(path)

    assert f"{path} does not fit the cases (6 found):" in said
    assert f"case {IDS[2]} has no file" in said
    assert f"case {IDS[0]} has 2 files: {IDS[0]}.nii.gz, {IDS[0]}_seg.nii.gz" in said
    for extra in ("BraTS20_Training_003.nii.gz", "BraTS20_Training_010_t1.nii.gz", "notes.txt"):
        assert f"{extra} is of no case" in said
    assert f"{IDS[1]}.nii.gz has the shape (12, 10, 9), case {IDS[1]} (12, 10, 8): resample it" in said


@pytest.mark.parametrize(
    ("affine", "said"),
    [
        (np.diag([0.05, 0.05, 0.05, 1.0]), "has the voxel size (0.05"),
        (np.diag([1.0, 1.0, 1.0, 1.0]), f"has the orientation RAS, case {IDS[0]} LPS: reorient it"),
        (LPS + np.array([[0, 0, 0, 2.0], *np.zeros((3, 4))]), "has the affine [[-1.0, 0.0, 0.0, 2.0]"),
        (LPS[[1, 0, 2, 3]], f"has the orientation PLS, case {IDS[0]} LPS"),
    ],
    ids=["spacing", "orientation", "origin", "axes"],
)
def test_another_geometry_is_refused_with_both_values(tmp_path: Path, affine: Any, said: str) -> None:
    """With the truth's geometry and, where there is none, with that of the case's first image."""
    files = good() | {f"{IDS[0]}.nii.gz": nifti(coded(labels(5)), affine)}
    path = as_folder(tmp_path / "out", files)
    known, images = refusal(path), refusal(path, imaged(tmp_path / "images"))

    assert said in known
    assert "(1 found)" in known
    what = said.partition(f", case {IDS[0]}")[0]
    assert what in images
    assert f"{IDS[0]}_t1.nii.gz" in images


def test_rounding_of_an_affine_is_no_other_geometry(tmp_path: Path) -> None:
    """Within a thousandth of a millimetre."""
    files = good() | {f"{IDS[0]}.nii.gz": nifti(coded(labels(5)), LPS + 5e-4)}
    assert len(scorer().read_predictions(as_folder(tmp_path / "out", files), cases())["labels"]) == 3


def test_the_real_mask_under_another_header_is_refused() -> None:
    """seg-BraTS23_1_mapped: the same voxels as seg-BraTS23_1, but a header that says RAS."""
    folder, judge = real_data("brats") / "BraTS-GLI-00001-000", scorer("2020")
    truth = judge.read_truth(folder / "seg-bratstoolkit_isen.nii.gz", ["BraTS-GLI-00001-000"])
    of = CaseSet((Case("BraTS-GLI-00001-000", "00001", ()),), truth)
    said = refusal(folder / "seg-BraTS23_1_mapped.nii.gz", of)

    assert (
        "has the orientation RAS, case BraTS-GLI-00001-000 LPS: reorient it to the axes of the case" in said
    )
    assert "write it with the header of the case's images" in said


@pytest.mark.parametrize(
    ("edition", "value", "said"),
    [
        ("2020", 3, "holds the label 3; edition=2020 knows 0, 1, 2, 4. 3 is ET of edition=2023"),
        ("2023", 4, "holds the label 4; edition=2023 knows 0, 1, 2, 3. 4 is ET of edition=2020"),
        ("2026", 7, "holds the label 7; edition=2026 knows 0, 1, 2, 3"),
        ("2020", 0.5, "holds the value 0.5; labels are whole numbers"),
        ("2020", np.nan, "holds the value nan; labels are whole numbers"),
        ("2020", -1, "holds the value -1; labels are whole numbers"),
        ("2020", 256 + 4, "holds the value 260; labels are whole numbers"),
    ],
)
def test_another_coding_is_refused_never_mapped(
    tmp_path: Path, edition: str, value: float, said: str
) -> None:
    """3 is not read as 4 where the edition is 2020, nor the other way round."""
    array = labels(5).astype(np.float32)
    array[array == 3] = 0
    array[4, 4, 4] = value
    files = good(edition) | {f"{IDS[1]}.nii.gz": nifti(array)}
    path = as_zip(tmp_path / "out.zip", files)

    assert f"{path}:{IDS[1]}.nii.gz {said}" in refusal(path, edition=edition)


def broken(content: bytes) -> dict[str, bytes]:
    """Return a set whose second file has this content."""
    return good() | {f"{IDS[1]}.nii.gz": content}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no NIfTI file"),
        (b"text, not an image", "is no NIfTI file"),
        (nifti(coded(labels(5)))[:-40], "gzip file"),
        (gzip.compress(gzip.decompress(nifti(coded(labels(5))))[:-100]), "is cut short"),
        (b"\x1f\x8b" + bytes(300), "is no gzip file"),
        (nifti(np.zeros((*SHAPE, 2), np.uint8)), "has the axes [12, 10, 8, 2]; a volume has three"),
    ],
    ids=["empty", "text", "cut gzip", "cut volume", "no gzip", "4D"],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """A sentence, never a traceback."""
    for path in (as_folder(tmp_path / "out", broken(content)), as_zip(tmp_path / "out.zip", broken(content))):
        message = refusal(path)
        assert said in message
        assert "(1 found)" in message


# ------------------------------------------------------------------------------------------ hostile
def member(name: str, **fields: Any) -> zipfile.ZipInfo:
    """Return a member's entry with these fields."""
    info = zipfile.ZipInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def zip_of(path: Path, *members: tuple[zipfile.ZipInfo, bytes]) -> Path:
    """Write a good set and these members."""
    with zipfile.ZipFile(as_zip(path, good()), "a") as file:
        for info, content in members:
            file.writestr(info, content)
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../etc/passwd", "leads out of the zip"),
        ("/etc/passwd", "leads out of the zip"),
        ("a/../../b.nii.gz", "leads out of the zip"),
        ("C:/windows/x.nii.gz", "leads out of the zip"),
        ("a\\b.nii.gz", "or has backslashes"),
        ("a/b/c/d/e/f.nii.gz", "lies deeper than 4 folders"),
    ],
)
def test_a_path_out_of_the_zip_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """Though nothing is ever written under a member's name."""
    message = refusal(zip_of(tmp_path / "out.zip", (member(name), b"x")))
    assert said in message
    assert "cannot be read as it is (1 found)" in message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (stat.S_IFLNK, "is a symbolic link"),
        (stat.S_IFIFO, "is no regular file"),
        (stat.S_IFCHR, "is no regular file"),
    ],
)
def test_a_link_or_odd_file_in_a_zip_is_refused(tmp_path: Path, kind: int, said: str) -> None:
    """By what the directory says of it."""
    info = member("BraTS20_Training_003.nii.gz", external_attr=(kind | 0o777) << 16)
    assert said in refusal(zip_of(tmp_path / "out.zip", (info, b"/etc/passwd")))


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    """Which of them counts is nobody's guess."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(tmp_path / "out.zip", (member(f"{IDS[0]}.nii.gz"), nifti(coded(labels(9)))))
    assert f"'{IDS[0]}.nii.gz' is there 2 times" in refusal(path)


def patched(path: Path, offset: int, *values: int, form: str = "<H") -> Path:
    """Overwrite a field of every local header (PK34) and directory entry (PK12) of a zip."""
    content = bytearray(path.read_bytes())
    for signature, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = content.find(signature)
        while at >= 0:
            struct.pack_into(form, content, at + offset + shift, *values)
            at = content.find(signature, at + 4)
    path.write_bytes(bytes(content))
    return path


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    """The first bit of a member's flags."""
    path = patched(as_zip(tmp_path / "out.zip", good()), 6, 1)
    assert "is encrypted" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_is_refused(tmp_path: Path, method: int) -> None:
    """Their decoders know no limit."""
    assert "use deflate" in refusal(as_zip(tmp_path / "out.zip", good(), method))


def test_a_damaged_zip_is_a_sentence(tmp_path: Path) -> None:
    """Cut at the end, a flipped bit, a directory that points elsewhere, another kind of file."""
    whole = as_zip(tmp_path / "whole.zip", good()).read_bytes()
    half = whole[: len(whole) // 2]
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    moved = bytearray(whole)
    struct.pack_into("<I", moved, whole.rindex(b"PK\x05\x06") + 16, 7)
    for k, content in enumerate(
        (half, bytes(flipped), bytes(moved), b"PK\x05\x06", b"PK\x03\x04" + bytes(99))
    ):
        path = tmp_path / f"{k}.zip"
        path.write_bytes(content)
        assert "Write" in refusal(path)
    (tmp_path / "text.zip").write_text("no zip")
    assert "is one file, but there are 3 cases" in refusal(tmp_path / "text.zip")


def megabytes(action: Callable[[], Any]) -> tuple[Any, float]:
    """Return what an action returns, and the most memory that it had at once."""
    tracemalloc.start()
    try:
        found = action()
        return found, tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_a_member_that_says_it_is_large_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    """128 MB of zeros in a tenth of one."""
    path = tmp_path / "out.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, content in broken(b"").items():
            with file.open(name, "w") as stream:
                for _ in range(32 if content == b"" else 0):
                    stream.write(bytes(4 << 20))
                stream.write(content)
    message, peak = megabytes(lambda: refusal(path))

    assert path.stat().st_size < 1 << 20
    assert "says that it holds 134217728 bytes" in message
    assert peak < 8


def test_a_member_that_holds_more_than_it_says_is_not_read_on(tmp_path: Path) -> None:
    """64 MB of zeros that say they are 1 kB: at most that much is inflated."""
    path = as_zip(tmp_path / "out.zip", broken(bytes(64 << 20)))
    content = bytearray(path.read_bytes())
    size = struct.pack("<I", 64 << 20)
    assert content.count(size) == 2
    path.write_bytes(bytes(content).replace(size, struct.pack("<I", 1024)))
    message, peak = megabytes(lambda: refusal(path))

    assert f"{IDS[1]}.nii.gz" in message
    assert peak < 8


def test_a_label_file_that_inflates_to_more_than_its_grid_is_not_inflated_further(tmp_path: Path) -> None:
    """After the last voxel 128 MB of zeros follow."""
    whole = gzip.decompress(nifti(coded(labels(6))))
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as file:
        file.write(whole)
        for _ in range(32):
            file.write(bytes(4 << 20))
    path = as_folder(tmp_path / "out", broken(bomb.getvalue()))
    found, peak = megabytes(lambda: scorer().read_predictions(path, cases())["labels"])

    assert np.array_equal(found[1].array(), labels(6))
    assert peak < 8


def test_a_header_of_a_huge_grid_is_refused_before_a_voxel_is_read(tmp_path: Path) -> None:
    """The grid is the case's, never the file's."""
    head = bytearray(gzip.decompress(nifti(coded(labels(5)))))
    struct.pack_into("<3h", head, 42, 600, 600, 600)
    bomb = gzip.compress(bytes(head) + bytes(64 << 20), 9)
    path = as_folder(tmp_path / "out", broken(bomb))
    message, peak = megabytes(lambda: refusal(path))

    assert "has the shape (600, 600, 600)" in message
    assert peak < 8


@pytest.mark.parametrize(
    ("members", "said"), [(100_000, "list of members is larger"), (25_000, "at most 20000")]
)
def test_a_zip_of_very_many_members_is_refused(tmp_path: Path, members: int, said: str) -> None:
    """By the size of its directory before that is listed, else by the count."""
    path = tmp_path / "out.zip"
    with zipfile.ZipFile(path, "w") as file:
        for k in range(members):
            file.writestr(f"{k:05d}", b"")
    message, peak = megabytes(lambda: refusal(path))

    assert said in message
    assert peak < 64


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path, other: path.symlink_to(other), "is a symbolic link; copy the file itself"),
        (lambda path, other: os.link(other, path), "has 2 hard links; copy it"),
        (lambda path, other: os.mkfifo(path), "is no regular file"),
    ],
    ids=["symlink", "hard link", "pipe"],
)
def test_a_link_or_odd_file_in_a_folder_is_refused(
    tmp_path: Path, make: Callable[[Path, Path], None], said: str
) -> None:
    """None of them is opened: a pipe would wait for ever."""
    other = tmp_path / "sealed.nii.gz"
    other.write_bytes(nifti(coded(labels(5))))
    path = as_folder(tmp_path / "out", good())
    (path / f"{IDS[0]}.nii.gz").unlink()
    make(path / f"{IDS[0]}.nii.gz", other)
    assert f"{IDS[0]}.nii.gz {said}" in refusal(path)


def test_linked_folders_and_sets_are_refused(tmp_path: Path) -> None:
    """The set itself, a folder in it, a zip; and one that is not there."""
    path = as_folder(tmp_path / "out", good())
    (tmp_path / "linked").symlink_to(path)
    as_zip(tmp_path / "out.zip", good())
    (tmp_path / "linked.zip").symlink_to(tmp_path / "out.zip")
    for name in ("linked", "linked.zip"):
        assert "is a symbolic link" in refusal(tmp_path / name)
    (path / "more").symlink_to(tmp_path)
    assert "more is a symbolic link" in refusal(path)
    assert "does not exist" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["a\x1b[2J.nii.gz", "a\nb.nii.gz"])
def test_names_that_would_act_on_a_terminal_are_refused(tmp_path: Path, name: str) -> None:
    """And shown escaped."""
    for path in (
        as_folder(tmp_path / "f", good() | {name: b""}),
        zip_of(tmp_path / "z.zip", (member(name), b"")),
    ):
        said = refusal(path)
        assert f"{name!r} has characters that cannot be shown" in said
        assert name not in said


def test_folders_deeper_than_four_are_refused(tmp_path: Path) -> None:
    """A walk has an end."""
    path = as_folder(tmp_path / "out", good() | {"a/b/c/d/e/x.nii.gz": b""})
    assert "lies deeper than 4 folders" in refusal(path)


# --------------------------------------------------------------------------------------------- write
@pytest.mark.parametrize("edition", ["2020", "2023", "2026"])
@pytest.mark.parametrize("known", [True, False], ids=["truth", "images"])
def test_what_is_written_is_read_back(tmp_path: Path, edition: str, known: bool) -> None:
    """With the truth's grid, and with that of the images alone; in the edition's coding."""
    of = cases() if known else imaged(tmp_path / "images")
    predictions = {"labels": column(Volume.of(labels(k + 5)) for k in range(3))}
    path = tmp_path / "output.zip"
    scorer(edition).write_predictions(path, of, predictions)
    back = scorer(edition).read_predictions(path, of)["labels"]

    assert np.array_equal(back, predictions["labels"])
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == [f"{name}.nii.gz" for name in IDS]
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(file.read(f"{IDS[0]}.nii.gz")))
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj), coded(labels(5), edition))
    np.testing.assert_allclose(image.affine, LPS)


def test_equal_predictions_are_equal_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    """No time stamp of today, in the zip or in its gzip files."""
    predictions = {"labels": column(Volume.of(labels(k)) for k in range(3))}
    paths = [tmp_path / name for name in ("a.zip", "b.zip")]
    for path in paths:
        scorer().write_predictions(path, cases(), predictions)

    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {file.read(name)[4:8] for name in file.namelist()} == {bytes(4)}


def oblique(header: Any) -> None:
    """Give a header a rotated qform, no sform, and words."""
    angle = 0.2
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    header.set_qform(turn @ np.diag([1.0, 1.0, 2.0, 1.0]), 1)
    header.set_sform(None, 0)
    header["descrip"] = b"name of a patient"


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_header_is_that_of_the_cases_first_image(tmp_path: Path, order: str) -> None:
    """Rotations, units and byte order stay; what the image says of itself, and its values' scale, do not."""
    of = imaged(tmp_path / "images")
    for case in of.cases:
        image = nibabel.load(case.files[0])
        header = image.header.as_byteswapped(order)
        oblique(header)
        header["scl_slope"], header["scl_inter"], header["vox_offset"] = 2, 7, 352
        data = np.ones(SHAPE, dtype=np.int16).astype(order + "i2")
        raw = header.binaryblock + bytes(4) + data.tobytes(order="F")
        case.files[0].write_bytes(gzip.compress(raw))
    path = tmp_path / "output.zip"
    scorer("2023").write_predictions(path, of, {"labels": column(Volume.of(labels(k)) for k in range(3))})
    own = nibabel.load(of.cases[0].files[0])
    with zipfile.ZipFile(path) as file:
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(file.read(f"{IDS[0]}.nii.gz")))

    np.testing.assert_array_equal(image.affine, own.affine)
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 0)
    assert image.header["descrip"].item() == b""
    np.testing.assert_array_equal(np.asarray(image.dataobj), labels(0))
    assert image.header.endianness == order
    back = scorer("2023").read_predictions(path, of)["labels"]
    assert np.array_equal(back[2].array(), labels(2))


# --------------------------------------------------------------------------------------------- truth
def test_a_truth_set_gives_labels_and_geometry(tmp_path: Path) -> None:
    """From a folder, a zip and a single file; the spacing is that of its header, float32."""
    affine = np.diag([-0.9, -1.1, 1.5, 1.0])
    files = {f"{name}_seg.nii.gz": nifti(coded(labels(k)), affine) for k, name in enumerate(IDS)}
    judge = scorer()
    for path in (as_folder(tmp_path / "truth", files), as_zip(tmp_path / "truth.zip", files)):
        assert judge.truth_ids(path) == IDS
        truth = judge.read_truth(path, IDS[::-1])
        assert [np.array_equal(v.array(), labels(2 - k)) for k, v in enumerate(truth["labels"])] == [True] * 3
        assert truth["spacing"].tolist() == [[float(np.float32(mm)) for mm in (0.9, 1.1, 1.5)]] * 3
        np.testing.assert_allclose(truth["affine"], np.tile(affine, (3, 1, 1)), atol=1e-6)
    single = tmp_path / "truth" / f"{IDS[1]}_seg.nii.gz"
    assert judge.truth_ids(single) == (IDS[1],)
    assert np.array_equal(judge.read_truth(single, [IDS[1]])["labels"][0].array(), labels(1))
    with pytest.raises(UserError, match="is one label file, but there are 3 cases"):
        judge.read_truth(single, IDS)


def test_a_truth_set_of_other_cases_is_refused(tmp_path: Path) -> None:
    """The real pairs of 2026 have other names for predictions than for references: both are named."""
    folder, judge = real_data("brats") / "official_pairs", scorer("2026")
    ids = judge.truth_ids(folder / "ref")
    of = CaseSet(tuple(Case(i, i, ()) for i in ids), judge.read_truth(folder / "ref", ids))
    said = refusal(folder / "pred", of, "2026")

    assert ids == ("BraTS-MET-00132-000", "BraTS-MET-00217-000")
    assert "case BraTS-MET-00132-000 has no file" in said
    assert "SEG-00217-000.nii.gz is of no case" in said


# -------------------------------------------------------------------------------------------- digest
def test_a_folders_digest_is_that_of_its_names_and_contents(tmp_path: Path) -> None:
    """A changed byte, a new name and a moved file change it; a copy, hidden files and time do not."""
    first = as_folder(tmp_path / "first", good())
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    (copy / ".DS_Store").write_text("x")
    os.utime(copy / f"{IDS[0]}.nii.gz", (0, 0))
    assert archive.digest(copy) == archive.digest(first)

    (copy / f"{IDS[0]}.nii.gz").rename(copy / f"{IDS[0]}_seg.nii.gz")
    renamed = archive.digest(copy)
    (copy / f"{IDS[1]}.nii.gz").write_bytes(nifti(coded(labels(8))))
    assert len({archive.digest(first), renamed, archive.digest(copy)}) == 3


def test_a_files_digest_is_its_sha256(tmp_path: Path) -> None:
    """A zip's, and any other file's."""
    path = as_zip(tmp_path / "out.zip", good())
    other = tmp_path / "output.csv"
    other.write_text("a,b\n")
    for file in (path, other):
        assert archive.digest(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_reading_a_set_loads_no_heavy_library() -> None:
    """`harness score` of a pair is a matter of a second."""
    code = "import sys; import challenges.brats.scorer; print([m for m in ('torch','scipy','pandas','nibabel','numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
