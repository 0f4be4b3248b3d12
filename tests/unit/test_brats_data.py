"""The reader of BraTS: what it accepts, what it refuses and how it says so."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import zipfile
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest

from challenges.brats import data
from challenges.brats.grids import orientation
from challenges.brats.labels import ED, ET, NCR, from_file, to_file
from challenges.brats.names import case_of_labels, parse, patients
from harness.contracts import CaseSet, Dataset
from harness.errors import UserError
from harness.folds import audit, make_folds
from harness.prepare import digests_of
from harness.volumes import Volume, column

SHAPE = (8, 7, 6)
LPS = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 6], [0, 0, 1.0, 0], [0, 0, 0, 1]])
TRAINING, VALIDATION = "MICCAI_BraTS2020_TrainingData", "MICCAI_BraTS2020_ValidationData"
OLD, NEW = ("t1", "t1ce", "t2", "flair"), ("t1n", "t1c", "t2w", "t2f")
ONE = "BraTS20_Training_001"


def image(seed: int) -> np.ndarray:
    """Return a small int16 image, 0 in its outermost voxels."""
    voxels = np.zeros(SHAPE, dtype=np.int16)
    voxels[1:-1, 1:-1, 1:-1] = np.random.default_rng(seed).integers(1, 900, [n - 2 for n in SHAPE])
    return voxels


def labels(*values: int) -> np.ndarray:
    """Return a small label map that holds these values, each in a row of its own."""
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    for k, value in enumerate(values):
        voxels[2:5, 2, 1 + k] = value
    return voxels


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = LPS) -> Path:
    """Write a NIfTI file, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


def lay(
    folder: Path, *values: int, words: tuple[str, ...] = OLD, join: str = "_", end: str = ".nii.gz"
) -> Path:
    """Write one case, with a label map if there are values for it."""
    for k, word in enumerate(words):
        save(folder / f"{folder.name}{join}{word}{end}", image(zlib.crc32(f"{folder.name}{k}".encode())))
    if values:
        save(folder / f"{folder.name}{join}seg{end}", labels(*values))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three training cases and two of the validation set, as 2020 distributes them, to spoil."""
    for number, values in (("001", (1, 2, 4)), ("002", (2,)), ("003", (1, 2, 4))):
        lay(tmp_path / "data" / TRAINING / f"BraTS20_Training_{number}", *values)
    for number in ("001", "002"):
        lay(tmp_path / "data" / VALIDATION / f"BraTS20_Validation_{number}")
    return tmp_path / "data"


def read(root: Path, edition: str = "2020", truth: Path | None = None) -> Dataset:
    """Read an edition."""
    return data.read(root, truth, {"edition": edition})


def problems(root: Path, edition: str = "2020", truth: Path | None = None) -> str:
    """Read what must be refused and return the words."""
    with pytest.raises(UserError) as error:
        read(root, edition, truth)
    return str(error.value)


def found_labels(half: CaseSet) -> list[tuple[int, ...]]:
    """Return which labels each case has, in the coding inside."""
    assert half.truth is not None
    return [volume.labels() for volume in half.truth["labels"]]


# -------------------------------------------------------------------------------------------- layout
def test_the_layout_of_2020_is_read(root: Path) -> None:
    """Images in one order, labels in the coding inside, geometry of the label file, no test truth."""
    found = read(root)
    first = found.development.cases[0]
    assert found.development.ids == tuple(f"BraTS20_Training_{k:03}" for k in (1, 2, 3))
    assert [file.name for file in first.files] == [f"{ONE}_{word}.nii.gz" for word in OLD]
    assert found_labels(found.development) == [(0, NCR, ED, ET), (0, ED), (0, NCR, ED, ET)]
    truth = found.development.truth
    assert truth is not None
    assert np.array_equal(truth["labels"][0].array(), np.where(labels(1, 2, 4) == 4, 3, labels(1, 2, 4)))
    assert (truth["spacing"].dtype, truth["spacing"].tolist()) == (np.dtype(float), [[1.0] * 3] * 3)
    assert np.array_equal(truth["affine"], np.stack([LPS] * 3))
    assert (found.test.ids, found.test.truth) == (("BraTS20_Validation_001", "BraTS20_Validation_002"), None)


@pytest.mark.parametrize(
    ("names", "words", "join", "end", "values"),
    [
        ("BraTS20_Training_{:03}", OLD, "_", ".nii", (1, 2, 4)),
        ("BraTS2021_{:05}", OLD, "_", ".nii.gz", (1, 2, 4)),
        ("BraTS2021_{:05}", OLD, "-", ".nii.gz", (1, 2, 4)),
        ("BraTS-GLI-{:05}-000", NEW, "-", ".nii.gz", (1, 2, 3)),
        ("BraTS-GLI-{:05}-000", NEW, "-", ".nii.gz", (1, 2, 4)),
        ("hospital-{}", NEW, "-", ".nii", (1, 2, 3)),
    ],
)
def test_every_naming_is_read(
    tmp_path: Path, names: str, words: tuple[str, ...], join: str, end: str, values: tuple[int, ...]
) -> None:
    """Names say nothing of the labels: the edition alone does."""
    for k in (1, 2):
        lay(tmp_path / names.format(k), *values, words=words, join=join, end=end)
    edition = "2023" if 3 in values else "2020"
    found = read(tmp_path, edition).development
    assert found.ids == (names.format(1), names.format(2))
    assert [f.name for f in found.cases[0].files] == [f"{names.format(1)}{join}{w}{end}" for w in words]
    assert found_labels(found) == [(0, NCR, ED, ET)] * 2


@pytest.mark.parametrize("place", [".", "BraTS2020_TrainingData", "a/b/c"])
def test_cases_lie_at_most_four_folders_deep(root: Path, place: str) -> None:
    """As Kaggle's copy lays them, or right in the folder that is named."""
    (root / place).mkdir(parents=True, exist_ok=True)
    for folder in sorted((root / TRAINING).iterdir()):
        folder.rename(root / place / folder.name)
    assert len(read(root).development.cases) == 3


@pytest.mark.parametrize("name", ["validation", "BraTS_VALIDATION_Data", "TestSet", "x/testing"])
def test_a_folders_name_says_which_cases_are_tested(root: Path, name: str) -> None:
    """Any folder below the root, in any case of letters; without one all are development cases."""
    lay(root / name / "case7")
    assert "case7" in read(root).test.ids
    shutil.rmtree(root / name)
    shutil.rmtree(root / VALIDATION)
    assert read(root).test == CaseSet((), None)


@pytest.mark.parametrize(
    ("edition", "case"), [("2020", "old"), ("2023", "new"), ("2026", "new")], ids=["2020", "2023", "2026"]
)
def test_folders_by_edition_are_chosen_among(tmp_path: Path, edition: str, case: str) -> None:
    """2020/ and 2023/ side by side, and 2023/ for 2026 too; 2026/ of its own where it is there."""
    lay(tmp_path / "2020" / "old", 1, 2, 4)
    lay(tmp_path / "2023" / "new", 1, 2, 3, words=NEW, join="-")
    assert read(tmp_path, edition).development.ids == (case,)
    lay(tmp_path / "2026" / "newest", 1, 2, 3, words=NEW, join="-")
    assert read(tmp_path, edition).development.ids == ("newest" if edition == "2026" else case,)


def test_folders_of_other_editions_are_named(tmp_path: Path) -> None:
    """It is said which edition to type."""
    lay(tmp_path / "2023" / "new", 1, 2, 3, words=NEW, join="-")
    assert "holds 2023/ but nothing for edition=2020. Type edition=2023 or edition=2026." in problems(
        tmp_path
    )


def test_case_355_is_read(root: Path) -> None:
    """The public set's label map with a name of its own, packed or not, belongs to its case."""
    for end in (".nii", ".nii.gz"):
        folder = lay(root / TRAINING / "BraTS20_Training_355", 2, 4)
        (folder / "BraTS20_Training_355_seg.nii.gz").unlink()
        save(folder / f"W39_1998.09.19_Segm{end}", labels(2, 4))
        assert found_labels(read(root).development)[-1] == (0, ED, ET)
        shutil.rmtree(folder)


def test_leavings_and_other_tables_are_ignored(root: Path) -> None:
    """Hidden files, __MACOSX, side tables and other NIfTI files of a case change nothing."""
    before = read(root)
    shutil.copytree(root / TRAINING / ONE, root / "__MACOSX" / ONE)
    for folder in (root, root / TRAINING, root / TRAINING / ONE):
        (folder / ".DS_Store").write_bytes(b"x")
        (folder / f"._{ONE}_t1.nii.gz").write_bytes(b"x")
    (root / TRAINING / "survival_info.csv").write_text("Brats20ID,Age\nx,1\n")
    save(root / TRAINING / ONE / f"{ONE}-inpainting-mask.nii.gz", labels(1))
    assert read(root).development.cases == before.development.cases


def test_the_truth_passes_the_audit(root: Path) -> None:
    """A column of label maps and a spacing of 1 mm are no labels that an order could give away."""
    found = read(root)
    assert found.development.truth is not None
    folds = make_folds(found.development.cases, data.strata(found.development.truth), 3, seed=0)
    audit(found, folds, digests_of(found))


def test_an_unknown_edition_is_refused(root: Path) -> None:
    """The card's three values are known, and which files each is for."""
    assert "No edition named '2021'. Known: 2020 (for label files of 2017 to 2022" in problems(root, "2021")


# ------------------------------------------------------------------------------------------ patients
def test_time_points_are_of_one_patient(tmp_path: Path) -> None:
    """The last three digits of 2023 are the time point."""
    for name in ("00000-000", "00000-001", "00001-000"):
        lay(tmp_path / f"BraTS-GLI-{name}", 1, words=NEW, join="-")
    found = [case.patient for case in read(tmp_path, "2023").development.cases]
    assert found == ["BraTS-GLI-00000", "BraTS-GLI-00000", "BraTS-GLI-00001"]


def test_a_table_of_names_joins_cases(root: Path) -> None:
    """Two cases with one TCGA id are one patient; NA is no id, and a grade is none."""
    (root / TRAINING / "name_mapping.csv").write_text(
        "Grade,BraTS_2017_subject_ID,TCGA_TCIA_subject_ID,BraTS_2020_subject_ID\n"
        "HGG,NA,TCGA-02-0001,BraTS20_Training_001\n"
        "HGG,NA,NA,BraTS20_Training_002\n"
        "HGG,Brats17_1,TCGA-02-0001,BraTS20_Training_003\n"
    )
    found = [case.patient for case in read(root).development.cases]
    assert found == [ONE, "BraTS20_Training_002", ONE]


def test_a_patient_in_both_sets_is_one_patient(root: Path) -> None:
    """Tables of both halves are joined, so that the audit can see it."""
    header = "TCGA_TCIA_subject_ID,BraTS_2020_subject_ID\n"
    (root / TRAINING / "name_mapping.csv").write_text(f"{header}TCGA-1,{ONE}\n")
    (root / VALIDATION / "name_mapping_validation_data.csv").write_text(
        f"{header}TCGA-1,BraTS20_Validation_002\n"
    )
    found = read(root)
    assert found.test.cases[1].patient == found.development.cases[0].patient == ONE
    folds = make_folds(found.development.cases, np.ones((3, 1), dtype=bool), 3, seed=0)
    with pytest.raises(UserError, match=rf"patient {ONE} is in fold \d and the test set"):
        audit(found, folds, digests_of(found))


def test_ids_join_through_each_other() -> None:
    """Three cases of which each two neighbours share an id are one patient."""
    rows = [["a", "x"], ["b", "x", "y"], [], ["c", "y"], ["d", "z"]]
    assert patients("abcd", rows) == {"a": "a", "b": "a", "c": "a", "d": "d"}


@pytest.mark.parametrize(
    ("name", "case", "modality"),
    [
        ("BraTS20_Training_001_t1ce.nii.gz", "BraTS20_Training_001", "t1ce"),
        ("BraTS2021_00000_flair.nii", "BraTS2021_00000", "flair"),
        ("BraTS-GLI-00000-000-t1n.nii.gz", "BraTS-GLI-00000-000", "t1"),
        ("BraTS-GLI-00000-000-t1c.nii.gz", "BraTS-GLI-00000-000", "t1ce"),
        ("BraTS-GLI-00000-000-t2w.nii.gz", "BraTS-GLI-00000-000", "t2"),
        ("BraTS-GLI-00000-000-t2f.nii.gz", "BraTS-GLI-00000-000", "flair"),
        ("BraTS-GLI-00000-000-seg.nii.gz", "BraTS-GLI-00000-000", "seg"),
    ],
)
def test_a_name_tells_case_and_modality(name: str, case: str, modality: str) -> None:
    """In both namings."""
    named = parse(name)
    assert named is not None
    assert (named.case, named.modality) == (case, modality)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("BraTS-GLI-00000-000.nii.gz", "BraTS-GLI-00000-000"),
        ("BraTS20_Validation_001_seg.nii", "BraTS20_Validation_001"),
        ("BraTS-GLI-00000-000-seg.nii.gz", "BraTS-GLI-00000-000"),
        ("BraTS20_Validation_001_t1.nii.gz", None),
        ("labels.csv", None),
        ("../../x.nii", None),
    ],
)
def test_a_label_files_name_tells_its_case(name: str, case: str | None) -> None:
    """With or without _seg; an image is none."""
    assert case_of_labels(name) == case


# ------------------------------------------------------------------------------------ refused: layout
def test_a_folder_without_cases_is_named(tmp_path: Path) -> None:
    """Also the Decathlon's layout, whose label codes are others."""
    save(tmp_path / "Task01_BrainTumour" / "imagesTr" / "BRATS_001.nii.gz", image(0))
    assert "Medical Segmentation Decathlon" in problems(tmp_path)
    assert "is not a folder" in problems(tmp_path / "absent")


@pytest.mark.parametrize("word", OLD)
def test_a_missing_modality_is_named(root: Path, word: str) -> None:
    """By folder and by the word that its files use."""
    (root / TRAINING / ONE / f"{ONE}_{word}.nii.gz").unlink()
    assert f"{TRAINING}/{ONE}/ lacks {word}" in problems(root)


def test_a_case_without_any_image_is_named(root: Path) -> None:
    """A folder with an edition's id is a case, empty or not."""
    (root / TRAINING / "BraTS20_Training_009").mkdir()
    (root / VALIDATION / "BraTS-GLI-00000-000").mkdir()
    text = problems(root)
    assert f"{TRAINING}/BraTS20_Training_009/ lacks t1, t1ce, t2, flair" in text
    assert f"{VALIDATION}/BraTS-GLI-00000-000/ lacks" in text


def test_a_doubled_modality_is_named(root: Path) -> None:
    """Packed and unpacked, or with two separators."""
    save(root / TRAINING / ONE / f"{ONE}_t1.nii", image(0))
    save(root / TRAINING / "BraTS20_Training_002" / "BraTS20_Training_002-seg.nii.gz", labels(1))
    text = problems(root)
    assert f"{ONE}/ holds t1 2 times: {ONE}_t1.nii, {ONE}_t1.nii.gz" in text
    assert "BraTS20_Training_002/ holds seg 2 times" in text


def test_names_of_two_editions_are_named(root: Path) -> None:
    """A t1c beside a t1ce is one too many, and it is not known which to take."""
    save(root / TRAINING / ONE / f"{ONE}_t1c.nii.gz", image(0))
    assert f"{ONE}/ holds names of two editions" in problems(root)


def test_a_file_of_another_case_is_named(root: Path) -> None:
    """A file that is not named after its folder, and one outside any."""
    save(root / TRAINING / ONE / "BraTS20_Training_007_t1.nii.gz", image(0))
    save(root / "x_t1.nii.gz", image(0))
    text = problems(root)
    assert f"{ONE}/BraTS20_Training_007_t1.nii.gz is not named after its folder" in text
    assert "x_t1.nii.gz lies outside a folder named after its case" in text


def test_a_case_that_is_there_twice_is_named(root: Path) -> None:
    """Within a half, and in both halves."""
    shutil.copytree(root / TRAINING / ONE, root / "copy" / ONE)
    shutil.copytree(root / TRAINING / "BraTS20_Training_002", root / VALIDATION / "BraTS20_Training_002")
    text = problems(root)
    assert f"case {ONE} is there 2 times: {TRAINING}/{ONE} and copy/{ONE}" in text
    assert "BraTS20_Training_002 is there 2 times, in the development set and in the test set" in text


def test_links_are_named(root: Path, tmp_path: Path) -> None:
    """A linked file, folder or table is not followed: it might lead to what is sealed."""
    elsewhere = lay(tmp_path / "elsewhere" / "BraTS20_Training_004", 1)
    (root / TRAINING / elsewhere.name).symlink_to(elsewhere)
    path = root / TRAINING / ONE / f"{ONE}_seg.nii.gz"
    path.unlink()
    path.symlink_to(elsewhere / "BraTS20_Training_004_seg.nii.gz")
    (root / TRAINING / "name_mapping.csv").symlink_to(tmp_path / "gone.csv")
    text = problems(root)
    for name in (elsewhere.name, f"{ONE}/{path.name}", "name_mapping.csv"):
        assert f"{TRAINING}/{name} is a symbolic link" in text


def test_a_pipe_is_named(root: Path) -> None:
    """It is not opened: that would wait for ever."""
    os.mkfifo(root / TRAINING / ONE / f"{ONE}_seg.nii")
    assert f"{TRAINING}/{ONE}/{ONE}_seg.nii is no regular file" in problems(root)


def test_a_training_case_without_labels_is_named(root: Path) -> None:
    """What the folds train on has a truth."""
    (root / TRAINING / ONE / f"{ONE}_seg.nii.gz").unlink()
    assert f"{ONE} has no label map" in problems(root)


def test_test_cases_alone_are_refused(root: Path) -> None:
    """Nothing could be trained."""
    shutil.rmtree(root / TRAINING)
    assert "holds test cases only" in problems(root)


def test_everything_wrong_is_said_at_once(root: Path) -> None:
    """Layout, grids and labels together, each by file."""
    (root / TRAINING / ONE / f"{ONE}_t1.nii.gz").unlink()
    second, third = (root / TRAINING / f"BraTS20_Training_00{k}" for k in (2, 3))
    save(second / f"{second.name}_seg.nii.gz", labels(3))
    save(third / f"{third.name}_t2.nii.gz", image(0)[:-1])
    text = problems(root)
    assert "is not a BraTS data set of edition=2020 (3 found):" in text
    for words in ("lacks t1", "holds the label 3", "has the shape (7, 7, 6)"):
        assert words in text


# ------------------------------------------------------------------------------------- refused: grids
@pytest.mark.parametrize("part", ["t2", "seg"])
@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((8, 7, 5), LPS, "has the shape (8, 7, 5), {}_t1.nii.gz (8, 7, 6)"),
        (SHAPE, LPS @ np.diag([1, 1, 1.5, 1]), "has the voxel size (1.0, 1.0, 1.5)"),
        (SHAPE, np.eye(4), "has the orientation RAS, {}_t1.nii.gz LPS"),
        (SHAPE, LPS + np.eye(4, k=3), "has the affine"),
    ],
    ids=["shape", "voxel size", "orientation", "affine"],
)
def test_a_grid_that_differs_is_named(
    root: Path, part: str, shape: tuple[int, ...], affine: np.ndarray, words: str
) -> None:
    """Image or label map: the plainest reason, both values."""
    path = root / TRAINING / ONE / f"{ONE}_{part}.nii.gz"
    save(path, np.zeros(shape, dtype=np.uint8), affine)
    text = problems(root)
    assert f"{path} {words.format(ONE)}" in text
    assert "(1 found)" in text


def test_rounding_of_a_header_is_no_difference(root: Path) -> None:
    """A thousandth of a millimetre is allowed: tools write headers in float32."""
    save(root / TRAINING / ONE / f"{ONE}_t2.nii.gz", image(0), LPS + 5e-4 * np.eye(4, k=3))
    assert len(read(root).development.cases) == 3


@pytest.mark.parametrize("wanted", ["LPS", "RAS", "PIR", "SAL"])
def test_the_orientation_is_nibabels(wanted: str) -> None:
    """The axes' letters."""
    ornt = nibabel.orientations.axcodes2ornt(wanted)
    affine = nibabel.orientations.inv_ornt_aff(ornt, (5, 6, 7))
    assert orientation(affine) == "".join(nibabel.aff2axcodes(affine))


@pytest.mark.parametrize("part", ["flair", "seg"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no NIfTI file"),
        (b"\x89PNG\r\n" * 100, "is no NIfTI file"),
        (gzip.compress(b"x" * 1000, mtime=0), "is no NIfTI file"),
        (b"\x1f\x8b" + b"x" * 1000, "is no gzip file"),
    ],
)
def test_a_file_that_is_no_nifti_is_named(root: Path, part: str, content: bytes, words: str) -> None:
    """Whatever its name says."""
    path = root / TRAINING / ONE / f"{ONE}_{part}.nii.gz"
    path.write_bytes(content)
    assert f"{path} {words}" in problems(root)


@pytest.mark.parametrize("part", ["flair", "seg"])
def test_a_volume_of_four_axes_is_named(root: Path, part: str) -> None:
    """A series is no case; a fourth axis of one is none."""
    path = root / TRAINING / ONE / f"{ONE}_{part}.nii.gz"
    save(path, labels(1)[..., None])
    assert len(read(root).development.cases) == 3
    save(path, np.stack([labels(1)] * 2, axis=-1))
    assert f"{path} has the axes [8, 7, 6, 2]" in problems(root)


@pytest.mark.parametrize("part", ["flair", "seg"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("lost", [10, 1000, 3000])
def test_a_file_that_is_cut_is_named(tmp_path: Path, part: str, packed: bool, lost: int) -> None:
    """Packed or not, image or label map, wherever it was cut."""
    end = ".nii.gz" if packed else ".nii"
    folder = lay(tmp_path / "case", 1, 2, 4, end=end)
    noise = np.random.default_rng(0).choice(np.array([0, 1, 2, 4], dtype=np.uint8), size=(30, 30, 20))
    for path in folder.iterdir():
        save(path, noise)
    path = folder / f"case_{part}{end}"
    path.write_bytes(path.read_bytes()[:-lost])
    text = problems(tmp_path)
    assert str(path) in text
    assert "cut short" in text or "no whole gzip" in text


def test_a_file_packed_in_two_pieces_is_whole(root: Path) -> None:
    """As bgzip writes it: the size at its end is the last piece's."""
    path = root / TRAINING / ONE / f"{ONE}_t1.nii.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    assert len(read(root).development.cases) == 3


def test_a_name_against_the_packing_is_named(root: Path) -> None:
    """Readers go by the name."""
    path = root / TRAINING / ONE / f"{ONE}_t1.nii.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert f"{path} is not packed by gzip" in problems(root)


# ------------------------------------------------------------------------------------ refused: labels
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_any_number_type_with_right_values_is_legal(root: Path, dtype: str) -> None:
    """Float label files are in the public set."""
    path = root / TRAINING / ONE / f"{ONE}_seg.nii.gz"
    save(path, labels(1, 2, 4).astype(dtype))
    assert found_labels(read(root).development)[0] == (0, NCR, ED, ET)


@pytest.mark.parametrize(
    ("edition", "value", "words"),
    [
        ("2020", 3, "holds the label 3; edition=2020 knows 0, 1, 2, 4. 3 is ET of edition=2023"),
        ("2023", 4, "holds the label 4; edition=2023 knows 0, 1, 2, 3. 4 is ET of edition=2020"),
        ("2026", 4, "type edition=2020"),
        ("2020", 7, "holds the label 7; edition=2020 knows 0, 1, 2, 4"),
        ("2023", 255, "holds the label 255"),
    ],
)
def test_a_foreign_label_is_named(tmp_path: Path, edition: str, value: int, words: str) -> None:
    """Also where all others fit: it is said which edition knows it, and nothing is mapped by guess."""
    lay(tmp_path / "case", 1, 2, value)
    assert words in problems(tmp_path, edition)


@pytest.mark.parametrize("value", [2.0001, 0.5, -1.0, float("nan"), 300.0])
def test_a_value_that_is_no_label_is_named(root: Path, value: float) -> None:
    """A resampled or probabilistic map is not rounded."""
    voxels = labels(1, 2, 4).astype(np.float32)
    voxels[3, 3, 3] = value
    path = save(root / TRAINING / ONE / f"{ONE}_seg.nii.gz", voxels)
    assert f"{path} holds the value" in problems(root)


def test_the_editions_differ_in_the_files_only() -> None:
    """Labels survive the way into a file and back; 2020 alone writes ET as 4."""
    inside = labels(NCR, ED, ET)
    assert set(np.unique(to_file(inside, "2020"))) == {0, 1, 2, 4}
    for edition in ("2020", "2023", "2026"):
        assert np.array_equal(from_file(to_file(inside, edition), edition), inside)
    assert np.array_equal(to_file(inside, "2023"), inside)


# ---------------------------------------------------------------------------------------- test truth
def answers(folder: Path, ending: str = "_seg.nii.gz", **changed: np.ndarray) -> Path:
    """Write label files of the two validation cases, some changed by number."""
    for number in ("001", "002"):
        save(folder / f"BraTS20_Validation_{number}{ending}", changed.get(f"n{number}", labels(2, 4)))
    return folder


def zipped(folder: Path, prefix: str = "") -> Path:
    """Pack a folder's files."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as file:
        for part in sorted(folder.iterdir()):
            file.write(part, f"{prefix}{part.name}")
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", "_seg.nii.gz", "-seg.nii"])
@pytest.mark.parametrize("packed", ["folder", "zip", "zip with a folder"])
def test_the_truth_may_come_apart(root: Path, tmp_path: Path, ending: str, packed: str) -> None:
    """A folder or a zip, files matched by case id."""
    path = answers(tmp_path / "truth", ending)
    path = path if packed == "folder" else zipped(path, "seg/" if "with" in packed else "")
    found = read(root, truth=path).test
    assert found_labels(found) == [(0, ED, ET)] * 2


def test_the_truth_may_lie_beside_the_images(root: Path) -> None:
    """Sealed on the organiser's machine; then no other is taken, and no case may lack it."""
    folder = root / VALIDATION / "BraTS20_Validation_001"
    save(folder / f"{folder.name}_seg.nii.gz", labels(1))
    assert "BraTS20_Validation_002 has no label map, other test cases have" in problems(root)
    other = root / VALIDATION / "BraTS20_Validation_002"
    save(other / f"{other.name}_seg.nii.gz", labels(2, 4))
    assert found_labels(read(root).test) == [(0, NCR), (0, ED, ET)]
    assert "leave truth=" in problems(root, truth=root)


def test_a_truth_of_other_cases_is_named(root: Path, tmp_path: Path) -> None:
    """Missing, extra and doubled cases."""
    path = answers(tmp_path / "truth")
    (path / "BraTS20_Validation_001_seg.nii.gz").unlink()
    save(path / "BraTS20_Validation_009.nii.gz", labels(1))
    text = problems(root, truth=path)
    assert "case BraTS20_Validation_001 has no label file" in text
    assert "BraTS20_Validation_009.nii.gz is of no case" in text
    save(path / "BraTS20_Validation_002.nii.gz", labels(1))
    assert "case BraTS20_Validation_002 is there twice" in problems(root, truth=path)
    assert "does not exist" in problems(root, truth=tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "holds no file named" in problems(root, truth=tmp_path / "empty")
    assert "is neither a folder nor a zip" in problems(root, truth=path / "BraTS20_Validation_002.nii.gz")


def test_a_truth_on_another_grid_is_named(root: Path, tmp_path: Path) -> None:
    """Its geometry is that of the images, or it is not theirs; so are its labels the edition's."""
    path = answers(tmp_path / "truth", n001=labels(1)[:-1], n002=labels(2))
    assert "BraTS20_Validation_001_seg.nii.gz has the shape (7, 7, 6)" in problems(root, truth=path)
    path = answers(tmp_path / "other", n001=labels(3))
    assert "BraTS20_Validation_001_seg.nii.gz holds the label 3" in problems(root, truth=zipped(path))


def test_a_zip_of_the_truth_cannot_lead_out(root: Path, tmp_path: Path) -> None:
    """Links and paths that climb are refused before anything is read, and nothing is written."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        link = zipfile.ZipInfo("BraTS20_Validation_001_seg.nii.gz")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("../BraTS20_Validation_002_seg.nii.gz", b"x")
    (tmp_path / "truth.zip").write_bytes(packed.getvalue())
    text = problems(root, truth=tmp_path / "truth.zip")
    assert "is a symbolic link" in text
    assert "leads out" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "truth.zip"]


# -------------------------------------------------------------------------------------------- strata
def block(label: int, *corners: tuple[int, int, int], side: int = 3) -> Volume:
    """Return a label map with cubes at these corners."""
    voxels = np.zeros((20, 20, 20), dtype=np.uint8)
    for x, y, z in corners:
        voxels[x : x + side, y : y + side, z : z + side] = label
    return Volume.of(voxels)


def test_strata_are_et_size_and_foci() -> None:
    """ET at all, a volume in mm3 above the median, and more than one tumour that counts; none of an empty map."""
    empty = Volume.of(np.zeros((20, 20, 20), dtype=np.uint8))
    volumes = [block(ET, (1, 1, 1)), block(ED, (1, 1, 1), (10, 10, 10)), block(NCR, (1, 1, 1), side=6), empty]
    truth = {"labels": column(volumes), "spacing": np.array([[3.0, 3, 3], [1, 1, 1], [1, 1, 1], [1, 1, 1]])}
    assert data.strata(truth).tolist() == [
        [True, True, False],
        [False, False, True],
        [False, True, False],
        [False, False, False],
    ]


def test_a_speck_is_no_second_tumour() -> None:
    """A component of less than a twentieth of the tumour does not make it multifocal."""
    voxels = block(ED, (1, 1, 1), side=6).array()
    voxels[15, 15, 15] = ED
    truth = {"labels": column([Volume.of(voxels)]), "spacing": np.ones((1, 3))}
    assert data.strata(truth).tolist() == [[False, False, False]]
