"""The K-ium reader: what it accepts, what it refuses and how it says so."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from challenges.kium import data
from challenges.kium.data import HEADER, LOCATIONS, VIEWS
from harness.errors import UserError

TRAIN, TEST = ("1005", "1001", "1002"), ("1009", "1003")
POSITIVE = {"1001": ("R_MCA",), "1002": ("L_ICA", "BA"), "1003": ("R_PCA",)}


def row(index: str, *, empty: bool = False) -> list[str]:
    """Return the table's row of one of the patients."""
    places = () if empty else POSITIVE.get(index, ())
    return [index, str(int(bool(places))), *(str(int(name in places)) for name in LOCATIONS)]


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a table with the organisers' header."""
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five patients in the organisers' layout, with views of 30 x 40 pixels, and the test truth."""
    root = tmp_path_factory.mktemp("kium")
    rng = np.random.default_rng(0)
    for name, ids in (("train", TRAIN), ("test", TEST)):
        (root / f"{name}_set").mkdir()
        write_table(root / f"{name}.csv", [row(index, empty=name == "test") for index in ids])
        for index in ids:
            for view in VIEWS:
                pixels = rng.integers(0, 255, (30, 40), dtype=np.uint8)
                cv2.imwrite(str(root / f"{name}_set" / f"{index}{view}.jpg"), pixels)
    write_table(root / "groundtruth.csv", [row(index) for index in reversed(TEST)])
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(template, tmp_path / "kium"))


def problems(root: Path, truth: Path | None = None) -> str:
    """Read what must be refused and return the words."""
    with pytest.raises(UserError) as error:
        data.read(root, truth)
    return str(error.value)


# -------------------------------------------------------------------------------------------- layout
def test_the_layout_is_read_sorted_by_index(template: Path) -> None:
    """Cases are sorted, a patient is a case, and the eight views have one fixed order."""
    found = data.read(template)
    assert found.development.ids == ("1001", "1002", "1005")
    assert found.test.ids == ("1003", "1009")
    assert [case.patient for case in found.test.cases] == ["1003", "1009"]
    names = [path.name for path in found.development.cases[0].files]
    assert names == [f"1001{view}.jpg" for view in VIEWS]
    assert names == sorted(names)


def test_the_truth_follows_the_cases(template: Path) -> None:
    """Labels stand in the order of the sorted cases, whatever the order of the tables."""
    found = data.read(template)
    assert found.development.truth is not None
    assert found.test.truth is not None
    assert found.development.truth["aneurysm"].tolist() == [1, 1, 0]
    assert [LOCATIONS[k] for k in np.flatnonzero(found.development.truth["locations"][1])] == ["L_ICA", "BA"]
    assert found.test.truth["aneurysm"].tolist() == [1, 0]
    assert found.test.truth["locations"].shape == (2, 21)
    assert {array.dtype for array in found.test.truth.values()} == {np.dtype(np.uint8)}


def test_a_team_has_no_test_truth(root: Path) -> None:
    """Without groundtruth.csv the test set has cases and no truth."""
    (root / "groundtruth.csv").unlink()
    found = data.read(root)
    assert found.test.truth is None
    assert found.test.ids == ("1003", "1009")


def test_the_truth_may_lie_elsewhere(root: Path) -> None:
    """An organiser keeps the truth out of the data folder and names it."""
    elsewhere = root.parent / "answers.csv"
    (root / "groundtruth.csv").rename(elsewhere)
    found = data.read(root, elsewhere)
    assert found.test.truth is not None
    assert found.test.truth["aneurysm"].tolist() == [1, 0]


def test_strata_are_the_aneurysm_and_the_locations(template: Path) -> None:
    """The folds balance 22 labels, the first of them Aneurysm."""
    truth = data.read(template).development.truth
    assert truth is not None
    found = data.strata(truth)
    assert (found.shape, found.dtype) == ((3, 22), np.bool_)
    assert (found[:, 0] == found[:, 1:].any(axis=1)).all()


def test_files_of_other_systems_are_ignored(root: Path) -> None:
    """What Finder and Explorer leave behind is not a view."""
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._1001LI-A.jpg"):
        (root / "train_set" / name).write_bytes(b"x")
    assert len(data.read(root).development.cases) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n\n",
        lambda text: text.rstrip("\n"),
        lambda text: text.replace(",0", ",0.0"),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "no last newline", "0.0"],
)
def test_harmless_differences_are_read(root: Path, change: Callable[[str], str]) -> None:
    """A mark, Windows line endings, blank lines and 0.0 change nothing."""
    before = data.read(root)
    for name in ("train.csv", "test.csv", "groundtruth.csv"):
        text = (root / name).read_text()
        (root / name).write_text(change(text), newline="")
    after = data.read(root)
    for one, other in ((before.development, after.development), (before.test, after.test)):
        assert one.cases == other.cases
        assert one.truth is not None
        assert other.truth is not None
        assert all((one.truth[key] == other.truth[key]).all() for key in one.truth)


# ---------------------------------------------------------------------------------- refused: folders
@pytest.mark.parametrize("name", ["train_set", "test_set", "train.csv", "test.csv"])
def test_a_missing_part_is_named(root: Path, name: str) -> None:
    """A folder or table that is not there is named."""
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert f"{name}{'' if '.' in name else '/'} is missing" in problems(root)


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is named, once."""
    assert "nowhere is not the K-ium data (1 found)" in problems(tmp_path / "nowhere")


def test_a_named_truth_must_be_there(template: Path) -> None:
    """A truth that was asked for and is not there is not taken for none."""
    assert "absent.csv does not exist" in problems(template, template / "absent.csv")


# ----------------------------------------------------------------------------------- refused: images
def test_missing_views_are_named(root: Path) -> None:
    """Every missing view is named, also of a patient without any."""
    (root / "train_set" / "1001LV-B.jpg").unlink()
    for view in VIEWS:
        (root / "train_set" / f"1005{view}.jpg").unlink()
    text = problems(root)
    assert "(2 found)" in text
    assert "- 1001LV-B.jpg missing" in text
    assert "- 1005LI-A.jpg, 1005LI-B.jpg, " in text


@pytest.mark.parametrize(
    "name",
    ["1001LX-A.jpg", "1001LI-C.jpg", "101LI-A.jpg", "1001LI-A.png", "1001LI-A.jpg.jpg", "notes.txt", "sub"],
)
def test_a_wrong_name_is_named(root: Path, name: str) -> None:
    """A file, or folder, that is no view is named with the pattern."""
    (root / "test_set" / name).mkdir()
    assert f"- {name} is not named [Index](LI|LV|RI|RV)-(A|B).jpg" in problems(root)


def test_images_of_an_unlisted_patient_are_named(root: Path) -> None:
    """Views without a row in the table are named."""
    shutil.copy(root / "test_set" / "1003LI-A.jpg", root / "test_set" / "1234RV-B.jpg")
    assert "- 1234RV-B.jpg: Index 1234 is not in the table" in problems(root)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"\x89PNG\r\n", "is not a JPEG file"), (b"\xff", "is not a JPEG file")],
)
def test_a_file_that_is_no_jpeg_is_named(root: Path, content: bytes, problem: str) -> None:
    """Empty files and other formats are named without decoding anything."""
    (root / "train_set" / "1002RI-A.jpg").write_bytes(content)
    assert f"- 1002RI-A.jpg {problem}" in problems(root)


def test_a_view_that_is_a_folder_is_named(root: Path) -> None:
    """A folder with a view's name cannot be read."""
    (root / "train_set" / "1002RI-A.jpg").unlink()
    (root / "train_set" / "1002RI-A.jpg").mkdir()
    assert "1002RI-A.jpg cannot be read: Is a directory" in problems(root)


# ----------------------------------------------------------------------------------- refused: tables
@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (("Index", "Aneurysm", *LOCATIONS[:-1]), "column R_PCA is missing"),
        ((*HEADER, "Age"), "column 'Age' is not one of the 23"),
        ((*HEADER, "BA"), "column BA occurs twice"),
        (("Index", "Aneurysm", "R_ICA", "L_ICA", *LOCATIONS[2:]), "column 3 is R_ICA and must be L_ICA"),
        (("Index", "Aneurysm", "L_JCA", *LOCATIONS[1:]), "column 'L_JCA' is not one of the 23"),
        ((), "column Index is missing"),
    ],
)
def test_a_wrong_header_is_named(root: Path, header: tuple[str, ...], problem: str) -> None:
    """Missing, extra, doubled and misplaced columns are named."""
    lines = (root / "train.csv").read_text().splitlines()
    (root / "train.csv").write_text("\n".join([",".join(header), *lines[1:]]))
    text = problems(root)
    assert "train.csv has a wrong header" in text
    assert f"- {problem}" in text


def test_an_empty_table_is_refused(root: Path) -> None:
    """A file without a line has no header."""
    (root / "train.csv").write_text("")
    assert "wrong header (23 found)" in problems(root)


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        (0, "101", "line 3, column Index: '101' is not four digits"),
        (0, "1001.0", "line 3, column Index: '1001.0' is not four digits"),
        (0, "1005", "line 3: Index 1005 was given before, in line 2"),
        (1, "0.5", "line 3, column Aneurysm: '0.5' is not 0 or 1"),
        (1, "", "line 3, column Aneurysm: '' is not 0 or 1"),
        (13, "2", "line 3, column R_MCA: '2' is not 0 or 1"),
        (13, "nan", "line 3, column R_MCA: 'nan' is not 0 or 1"),
        (13, "inf", "line 3, column R_MCA: 'inf' is not 0 or 1"),
        (13, "yes", "line 3, column R_MCA: 'yes' is not 0 or 1"),
        (13, "0_1", "line 3, column R_MCA: '0_1' is not 0 or 1"),
        (13, "١", "line 3, column R_MCA: '١' is not 0 or 1"),
        (22, "-1", "line 3, column R_PCA: '-1' is not 0 or 1"),
        (1, "0", "line 3: Index 1001 has Aneurysm 0 but 1 locations"),
        (13, "0", "line 3: Index 1001 has Aneurysm 1 but 0 locations"),
    ],
)
def test_a_wrong_value_is_named_by_line_and_column(root: Path, column: int, value: str, problem: str) -> None:
    """Every malformed or contradictory value is named where it stands."""
    rows = [row(index) for index in TRAIN]
    rows[1][column] = value
    write_table(root / "train.csv", rows)
    assert f"- {problem}" in problems(root)


def test_lines_are_counted_as_an_editor_does(root: Path) -> None:
    """Blank lines before a wrong one are counted."""
    lines = (root / "train.csv").read_text().splitlines()
    (root / "train.csv").write_text("\n".join([lines[0], lines[1], "", "", lines[2][:-1] + "7"]))
    assert "- line 5, column R_PCA: '7'" in problems(root)


@pytest.mark.parametrize("line", ["1001,1", "1001" + ",0" * 23])
def test_a_row_of_another_length_is_named(root: Path, line: str) -> None:
    """A short or long row is named with its length."""
    with (root / "train.csv").open("a") as file:
        file.write(line)
    assert f"- line 5: {line.count(',') + 1} values instead of 23" in problems(root)


def test_text_that_is_no_csv_is_refused(root: Path) -> None:
    """An open quote is an error of the file, not a crash."""
    (root / "train.csv").write_text(",".join(HEADER) + '\n"1001,0')
    assert "train.csv is not a CSV file" in problems(root)


def test_text_in_another_encoding_is_refused(root: Path) -> None:
    """A table that is not UTF-8 is refused with the place."""
    (root / "train.csv").write_bytes(b"Index,\xe9")
    assert "train.csv is not UTF-8 text (byte 6)" in problems(root)


def test_all_problems_are_listed_at_once(root: Path) -> None:
    """One run names every wrong value, the first twenty and a count."""
    write_table(root / "train.csv", [[*row(index)[:2], *["x"] * 21] for index in TRAIN])
    text = problems(root)
    assert "(63 found)" in text
    assert "and 43 more" in text


def test_a_patient_in_both_sets_is_named(root: Path) -> None:
    """A test Index that is also in the training table is named."""
    write_table(root / "test.csv", [row("1001", empty=True), row("1003", empty=True)])
    assert "- line 2: Index 1001 is in train.csv too" in problems(root)


def test_a_template_with_answers_is_refused(root: Path) -> None:
    """Truth in test.csv, which every team sees, is sent to groundtruth.csv."""
    write_table(root / "test.csv", [row("1003"), row("1009")])
    text = problems(root)
    assert "line 2: Index 1003 is not all 0" in text
    assert "groundtruth.csv" in text


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (("1003",), "Index 1009 is missing"),
        (("1003", "1009", "1777"), "line 4: Index 1777 is not asked for"),
    ],
)
def test_a_truth_of_other_patients_is_refused(root: Path, ids: tuple[str, ...], problem: str) -> None:
    """The truth holds exactly the test patients."""
    write_table(root / "groundtruth.csv", [row(index) for index in ids])
    assert f"- {problem}" in problems(root)


def test_a_truth_that_contradicts_itself_is_refused(root: Path) -> None:
    """The test truth, too, has an Aneurysm exactly where it has a location."""
    write_table(root / "groundtruth.csv", [["1003", "0", *row("1003")[2:]], row("1009")])
    assert "- line 2: Index 1003 has Aneurysm 0 but 1 locations" in problems(root)
