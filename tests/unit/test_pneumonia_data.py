"""The reader of the chest films: what it accepts, what it refuses and how it says so."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from challenges.pneumonia import data, mnist
from challenges.pneumonia.names import BACTERIA, NORMAL, UNKNOWN, VIRUS, parse
from harness.contracts import Case, CaseSet
from harness.errors import UserError

FILMS = (
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/NORMAL/NORMAL2-IM-0115-0001-0002.jpeg",
    "train/PNEUMONIA/person1_bacteria_1.jpeg",
    "train/PNEUMONIA/person1_bacteria_2.jpeg",
    "train/PNEUMONIA/person1_virus_6.jpeg",
    "train/PNEUMONIA/person447_virus_921_1.jpeg",
    "val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
    "val/PNEUMONIA/person1946_bacteria_4874.jpeg",
    "test/NORMAL/IM-0001-0001.jpeg",
    "test/PNEUMONIA/person100_bacteria_475.jpeg",
)
BYTES: dict[str, bytes] = {}
"""Small films that are all different, made once."""


def film(name: str) -> bytes:
    """Return a JPEG of 24 x 30 pixels that no other name has."""
    if name not in BYTES:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        BYTES[name] = cv2.imencode(".jpeg", rng.integers(0, 255, (24, 30), dtype=np.uint8))[1].tobytes()
    return BYTES[name]


def lay(root: Path, names: tuple[str, ...] = FILMS) -> Path:
    """Write films into chest_xray/ of a folder."""
    for name in names:
        path = root / "chest_xray" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(film(name))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten films as they are distributed, to spoil."""
    return lay(tmp_path / "data")


def problems(root: Path, truth: Path | None = None, **options: str) -> str:
    """Read what must be refused and return the words."""
    with pytest.raises(UserError) as error:
        data.read(root, truth, {"variant": "kaggle", **options})
    return str(error.value)


def facts(half: CaseSet) -> dict[str, tuple[str, int, int]]:
    """Return patient, label and agent by case id."""
    assert half.truth is not None
    rows = zip(half.cases, half.truth["pneumonia"], half.truth["agent"], strict=True)
    return {case.id: (case.patient, int(label), int(agent)) for case, label, agent in rows}


# -------------------------------------------------------------------------------------------- layout
def test_the_layout_is_read(root: Path) -> None:
    """Label and agent come from folder and name; val is part of the development set."""
    found = data.read(root)
    assert facts(found.development) == {
        "train/IM-0115-0001": ("IM-0115", 0, NORMAL),
        "train/NORMAL2-IM-0115-0001-0002": ("NORMAL2-IM-0115", 0, NORMAL),
        "train/person1_bacteria_1": ("person1_bacteria", 1, BACTERIA),
        "train/person1_bacteria_2": ("person1_bacteria", 1, BACTERIA),
        "train/person1_virus_6": ("person1_virus", 1, VIRUS),
        "train/person447_virus_921_1": ("person447_virus", 1, VIRUS),
        "val/NORMAL2-IM-1427-0001": ("NORMAL2-IM-1427", 0, NORMAL),
        "val/person1946_bacteria_4874": ("person1946_bacteria", 1, BACTERIA),
    }
    assert facts(found.test) == {
        "test/IM-0001-0001": ("IM-0001", 0, NORMAL),
        "test/person100_bacteria_475": ("person100_bacteria", 1, BACTERIA),
    }
    for case in (*found.development.cases, *found.test.cases):
        assert [path.stem for path in case.files] == [case.id.partition("/")[2]]
    for half in (found.development, found.test):
        assert {array.dtype for array in (half.truth or {}).values()} == {np.dtype(np.uint8)}


@pytest.mark.parametrize(
    ("stem", "agent", "patient"),
    [
        ("person1_bacteria_1", BACTERIA, "person1_bacteria"),
        ("person447_virus_921_1", VIRUS, "person447_virus"),
        ("IM-0115-0001", NORMAL, "IM-0115"),
        ("IM-0011-0001-0002", NORMAL, "IM-0011"),
        ("NORMAL2-IM-0173-0001-0002", NORMAL, "NORMAL2-IM-0173"),
        ("BACTERIA-1008087-0001", BACTERIA, "record 1008087"),
        ("VIRUS-1008087-0002", VIRUS, "record 1008087"),
        ("NORMAL-4512-0001", NORMAL, "record 4512"),
    ],
)
def test_a_name_tells_agent_and_child(stem: str, agent: int, patient: str) -> None:
    """Kaggle's numbers are one agent's own; Mendeley's are the hospital's."""
    named = parse(stem)
    assert named is not None
    assert (named.agent, named.patient) == (agent, patient)


@pytest.mark.parametrize(
    "stem",
    ["person1", "person1_fungus_1", "person_bacteria_1", "IM-0001", "1", "", "NORMAL-4512", "COVID-1-1"],
)
def test_other_names_tell_nothing(stem: str) -> None:
    """A form that is not the data set's has no child."""
    assert parse(stem) is None


@pytest.mark.parametrize("place", ["chest_xray", ".", "chest_xray/chest_xray"])
def test_the_folder_itself_may_be_named(root: Path, place: str) -> None:
    """data= names what holds chest_xray/, or that folder; the archive's nested one is found too."""
    if place == "chest_xray/chest_xray":
        (root / "chest_xray").rename(root / "inner")
        (root / "chest_xray").mkdir()
        (root / "inner").rename(root / "chest_xray" / "chest_xray")
        place = "."
    assert len(data.read(root / place).development.cases) == 8


def test_copies_and_leavings_are_ignored(root: Path) -> None:
    """The archive's second copy, __MACOSX, hidden files and a README change nothing."""
    before = data.read(root)
    base = root / "chest_xray"
    shutil.copytree(base, root / "copy")
    (root / "copy").rename(base / "chest_xray")
    (base / "__MACOSX" / "train").mkdir(parents=True)
    (base / "README.md").write_text("Read me.")
    for folder in (base, base / "train", base / "train" / "NORMAL"):
        for name in (".DS_Store", "._IM-0115-0001.jpeg", "Thumbs.db"):
            (folder / name).write_bytes(b"x")
    after = data.read(root)
    assert (after.development.cases, after.test.cases) == (before.development.cases, before.test.cases)


def test_val_may_be_absent(root: Path) -> None:
    """Many copies of the data set have no val/."""
    shutil.rmtree(root / "chest_xray" / "val")
    assert len(data.read(root).development.cases) == 6


def test_the_order_tells_nothing(tmp_path: Path) -> None:
    """400 films that lie sorted by class are in no order of class, the same one every time."""
    names = [f"train/NORMAL/IM-{k:04}-0001.jpeg" for k in range(200)]
    names += [f"train/PNEUMONIA/person{k}_virus_{k}.jpeg" for k in range(200)]
    lay(tmp_path, (*names, "test/NORMAL/IM-9001-0001.jpeg", "test/PNEUMONIA/person9_virus_9.jpeg"))
    found = data.read(tmp_path).development
    assert found.truth is not None
    half = found.truth["pneumonia"][:200].mean()
    assert 0.4 < half < 0.6
    assert data.read(tmp_path).development.ids == found.ids


def test_strata_are_the_agents(root: Path) -> None:
    """The folds balance normal, bacteria, virus and pneumonia of an agent not recorded."""
    truth = data.read(root).development.truth
    assert truth is not None
    found = data.strata(truth)
    assert (found.shape, found.dtype) == ((8, 4), np.bool_)
    assert found.sum(axis=0).tolist() == [3, 3, 2, 0]
    assert (found.sum(axis=1) == 1).all()


def test_an_unknown_variant_is_refused(root: Path) -> None:
    """The card's two values are known."""
    assert "No variant named 'mnist'. Did you mean 'mnist28'?" in problems(root, variant="mnist")


# ----------------------------------------------------------------------------------- refused: folders
def test_a_folder_without_films_is_named(tmp_path: Path) -> None:
    """What is no chest_xray/ is refused in one sentence that says what to type."""
    text = problems(tmp_path)
    assert "neither it nor chest_xray/ in it holds a folder train/" in text
    assert "Point data= at" in text


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("test", "test/ is missing"),
        ("train/NORMAL", "train/NORMAL/ is missing"),
        ("train/PNEUMONIA", "train/PNEUMONIA/ is missing"),
        ("test/NORMAL", "test/NORMAL/ is missing"),
    ],
)
def test_a_missing_folder_is_named(root: Path, name: str, problem: str) -> None:
    """Each half needs both classes."""
    shutil.rmtree(root / "chest_xray" / name)
    assert f"- {problem}" in problems(root)


@pytest.mark.parametrize("name", ["train/NORMAL", "test/PNEUMONIA", "train"])
def test_an_empty_folder_is_named(root: Path, name: str) -> None:
    """A class without a film is not taken for none."""
    for path in sorted((root / "chest_xray" / name).rglob("*.jpeg")):
        path.unlink()
    assert "holds no film" in problems(root)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("COVID", "COVID/ is an unknown folder"),
        ("train/COVID", "train/COVID/ is an unknown folder; known: NORMAL, PNEUMONIA"),
        ("train/normal", "train/normal/ is an unknown folder"),
        ("test/VIRUS", "test/VIRUS/ is an unknown folder"),
        ("train/PNEUMONIA/more", "train/PNEUMONIA/more/ is an unknown folder"),
    ],
)
def test_an_unknown_folder_is_named(root: Path, name: str, problem: str) -> None:
    """Another class, another spelling and a folder in a folder are not passed over."""
    (root / "chest_xray" / name).mkdir()
    assert f"- {problem}" in problems(root)


@pytest.mark.parametrize(
    "name", ["IM-0001-0001.jpeg", "scan.png", "train/IM-0001-0001.jpeg", "train/notes.txt"]
)
def test_a_misplaced_file_is_named(root: Path, name: str) -> None:
    """A film outside the class folders has no label."""
    (root / "chest_xray" / name).write_bytes(film(name))
    assert f"- {name} lies outside the" in problems(root)


# ------------------------------------------------------------------------------------- refused: files
@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"\x89PNG\r\n", "is not a JPEG file"), (b"\xff\xd8", "is not a JPEG file")],
)
def test_a_file_that_is_no_jpeg_is_named(root: Path, content: bytes, problem: str) -> None:
    """Empty files and other formats are named without decoding anything."""
    (root / "chest_xray" / FILMS[2]).write_bytes(content)
    assert f"- {FILMS[2]} {problem}" in problems(root)


@pytest.mark.parametrize("name", ["x.png", "IM-0115-0001.jpeg.txt", "IM-0115-0001"])
def test_another_ending_is_named(root: Path, name: str) -> None:
    """Only .jpeg and .jpg are films."""
    (root / "chest_xray/train/NORMAL" / name).write_bytes(film(name))
    assert f"- train/NORMAL/{name} is not named *.jpeg" in problems(root)


@pytest.mark.parametrize("name", ["scan7.jpeg", "person1_fungus_1.jpeg", "IM-0001.jpeg", "person1.jpeg"])
def test_a_name_of_unknown_form_is_named(root: Path, name: str) -> None:
    """Without a child a film cannot be put into a fold; the known forms are listed."""
    folder = "NORMAL" if name.startswith("IM") else "PNEUMONIA"
    (root / "chest_xray/train" / folder / name).write_bytes(film(name))
    text = problems(root)
    assert f"- train/{folder}/{name} has a name of unknown form; known: personN_bacteria_M" in text
    assert "NORMAL2-IM-N-M" in text


@pytest.mark.parametrize(
    ("folder", "name", "problem"),
    [
        ("NORMAL", "person7_virus_9.jpeg", "is named as virus but lies in NORMAL"),
        ("NORMAL", "BACTERIA-7-0001.jpeg", "is named as bacteria but lies in NORMAL"),
        ("PNEUMONIA", "IM-0007-0001.jpeg", "is named as normal but lies in PNEUMONIA"),
        ("PNEUMONIA", "NORMAL-7-0001.jpeg", "is named as normal but lies in PNEUMONIA"),
    ],
)
def test_a_name_against_its_folder_is_named(root: Path, folder: str, name: str, problem: str) -> None:
    """Name and folder agree, or one of them is wrong."""
    (root / "chest_xray/test" / folder / name).write_bytes(film(name))
    assert f"- test/{folder}/{name} {problem}" in problems(root)


def test_two_endings_of_one_name_are_named(root: Path) -> None:
    """One id is one film."""
    (root / "chest_xray/train/NORMAL/IM-0115-0001.jpg").write_bytes(film("other"))
    assert "IM-0115-0001.jpg and IM-0115-0001.jpeg are both train/IM-0115-0001" in problems(root)


def test_all_problems_are_listed_at_once(root: Path) -> None:
    """One reading names every wrong file, the first twenty and a count."""
    for k in range(25):
        (root / f"chest_xray/train/NORMAL/wrong{k}.jpeg").write_bytes(film(str(k)))
    text = problems(root)
    assert "(25 found)" in text
    assert "and 5 more" in text


# ---------------------------------------------------------------------------------- identical films
def test_children_of_one_film_are_one_child(root: Path) -> None:
    """Identical films join their children, and through a third film a chain of them."""
    base = root / "chest_xray/train/PNEUMONIA"
    shutil.copy(base / "person1_virus_6.jpeg", base / "person8_virus_80.jpeg")
    (base / "person8_virus_81.jpeg").write_bytes(film("between"))
    (base / "person9_virus_90.jpeg").write_bytes(film("between"))
    found = facts(data.read(root).development)
    joined = {
        found[f"train/{name}"][0] for name in ("person1_virus_6", "person8_virus_80", "person9_virus_90")
    }
    assert len(joined) == 1
    assert found["train/person8_virus_81"][0] in joined
    assert found["train/person447_virus_921_1"][0] not in joined


@pytest.mark.parametrize(
    ("source", "copy"),
    [
        ("train/PNEUMONIA/person1_virus_6.jpeg", "train/NORMAL/IM-7777-0001.jpeg"),
        ("train/PNEUMONIA/person1_virus_6.jpeg", "train/PNEUMONIA/person7_bacteria_7.jpeg"),
        ("val/NORMAL/NORMAL2-IM-1427-0001.jpeg", "train/PNEUMONIA/person7_bacteria_7.jpeg"),
    ],
)
def test_one_film_with_two_labels_is_named(root: Path, source: str, copy: str) -> None:
    """A film cannot be normal and ill, nor of two agents."""
    shutil.copy(root / "chest_xray" / source, root / "chest_xray" / copy)
    text = problems(root)
    assert "are one image with different labels" in text
    assert Path(source).stem in text
    assert Path(copy).stem in text


@pytest.mark.parametrize("split", ["train", "val"])
def test_one_film_in_both_sets_is_named(root: Path, split: str) -> None:
    """What is trained on is not tested on."""
    copy = root / f"chest_xray/{split}/NORMAL/IM-7777-0001.jpeg"
    shutil.copy(root / "chest_xray/test/NORMAL/IM-0001-0001.jpeg", copy)
    text = problems(root)
    assert "are one image in the development set and in the test set" in text
    assert f"{split}/IM-7777-0001" in text


# ------------------------------------------------------------------------------------ a test set of a team
@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A test folder without class folders, as a team has it."""
    names = [name for name in FILMS if not name.startswith("test")]
    return lay(tmp_path / "data", (*names, "test/a1.jpeg", "test/a2.jpeg"))


def test_a_flat_test_folder_has_no_truth(flat: Path) -> None:
    """Its films are cases, each its own child, without a label."""
    found = data.read(flat).test
    assert found.truth is None
    assert {case.id: case.patient for case in found.cases} == {"test/a1": "test/a1", "test/a2": "test/a2"}


def test_the_truth_of_a_flat_test_folder_is_a_table(flat: Path, tmp_path: Path) -> None:
    """Rows are matched by image; the agent is known if the table has it."""
    table = tmp_path / "truth.csv"
    table.write_text("image,pneumonia\ntest/a2,1\ntest/a1,0\n")
    assert facts(data.read(flat, table).test) == {
        "test/a1": ("test/a1", 0, NORMAL),
        "test/a2": ("test/a2", 1, UNKNOWN),
    }
    table.write_text("\ufeffagent,image,pneumonia\r\nvirus,test/a2,1\r\n\r\nnormal,test/a1,0.0\r\n")
    assert facts(data.read(flat, table).test)["test/a2"] == ("test/a2", 1, VIRUS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image,pneumonia\ntest/a1,0\n", "image 'test/a2' is missing"),
        ("image,pneumonia\ntest/a1,0\ntest/a2,1\ntest/a3,1\n", "line 4: image 'test/a3' is not asked for"),
        ("image,pneumonia\ntest/a1,0\ntest/a1,1\n", "line 3: image 'test/a1' was given before, in line 2"),
        ("image,pneumonia\ntest/a1,0\ntest/a2,0.5\n", "line 3, column pneumonia: '0.5' is not 0 or 1"),
        ("image,pneumonia\ntest/a1,0\ntest/a2,nan\n", "line 3, column pneumonia: 'nan' is not 0 or 1"),
        (
            "image,pneumonia,agent\ntest/a1,0,normal\ntest/a2,1,normal\n",
            "line 3: pneumonia 1 but agent normal",
        ),
        ("image,pneumonia,agent\ntest/a1,0,flu\ntest/a2,1,virus\n", "line 2, column agent: 'flu' is not"),
        ("image,label\ntest/a1,0\n", "column pneumonia is missing"),
        ("", "column image is missing"),
    ],
)
def test_a_malformed_truth_is_refused(flat: Path, tmp_path: Path, text: str, problem: str) -> None:
    """Every wrong row is named by line and column."""
    (tmp_path / "truth.csv").write_text(text)
    assert problem in problems(flat, tmp_path / "truth.csv")


def test_a_truth_beside_class_folders_is_refused(root: Path, tmp_path: Path) -> None:
    """Two truths of one test set are one too many."""
    assert "tell the test labels. Leave truth=" in problems(root, tmp_path / "truth.csv")


def test_a_named_truth_must_be_there(flat: Path) -> None:
    """A truth that was asked for and is not there is not taken for none."""
    assert "absent.csv does not exist" in problems(flat, flat / "absent.csv")


@pytest.mark.parametrize("name", ["test/NORMAL", "test/more"])
def test_a_test_folder_is_flat_or_divided(flat: Path, name: str) -> None:
    """Films beside class folders, or a folder beside films, is neither."""
    (flat / "chest_xray" / name).mkdir()
    assert "test/" in problems(flat)


# -------------------------------------------------------------------------------------------- decode
def case_of(path: Path, image: np.ndarray) -> Case:
    """Return a case of this image, stored almost without loss."""
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    return Case("x", "x", (path,))


def test_a_film_is_a_grey_square(tmp_path: Path) -> None:
    """(1, size, size) uint8, 256 by default, the same every time, also from a colour file."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    case = case_of(tmp_path / "a.jpeg", noise)
    image = data.decode(case, {"size": 32})["image"]
    assert (image.shape, image.dtype) == ((1, 32, 32), np.uint8)
    assert (image == data.decode(case, {"size": 32})["image"]).all()
    assert data.decode(case, {})["image"].shape == (1, 256, 256)
    colour = case_of(tmp_path / "b.jpeg", cv2.cvtColor(noise, cv2.COLOR_GRAY2BGR))
    assert np.abs(data.decode(colour, {"size": 32})["image"].astype(int) - image).max() <= 2


def test_both_sides_are_brought_to_the_size(tmp_path: Path) -> None:
    """A wide film and a tall one fill the square: no bar shows the proportions."""
    wide = np.full((60, 120), 200, dtype=np.uint8)
    wide[:, :60] = 50
    left = data.decode(case_of(tmp_path / "w.jpeg", wide), {"size": 30})["image"][0].astype(int)
    top = data.decode(case_of(tmp_path / "t.jpeg", wide.T.copy()), {"size": 30})["image"][0].astype(int)
    assert np.abs(left[:, :14] - 50).max() <= 3
    assert np.abs(left[:, 16:] - 200).max() <= 3
    assert np.abs(left - top.T).max() <= 3


def test_shrinking_keeps_the_mean(tmp_path: Path) -> None:
    """A pixel is the mean of what it covers: every fourth column light is a quarter of the light."""
    stripes = np.tile((np.arange(128) % 4 == 0).astype(np.uint8) * 200, (128, 1))
    image = data.decode(case_of(tmp_path / "s.jpeg", stripes), {"size": 32})["image"]
    assert np.abs(image.astype(int) - 50).max() <= 4


def test_a_film_is_not_turned(tmp_path: Path) -> None:
    """The pixels are those stored, whatever the EXIF tag says."""
    image = np.zeros((40, 40), dtype=np.uint8)
    image[:20] = 255
    content = cv2.imencode(".jpeg", image)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    tagged = content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:]
    path = tmp_path / "t.jpeg"
    path.write_bytes(tagged)
    assert cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[5].min() < 15  # others do turn it
    found = data.decode(Case("x", "x", (path,)), {"size": 40})["image"][0]
    assert found[5].min() > 240
    assert found[35].max() < 15


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_a_film_that_is_cut_off_is_named(root: Path, kept: float) -> None:
    """A truncated file is refused, not filled up with grey."""
    path = root / "chest_xray" / FILMS[0]
    path.write_bytes(path.read_bytes()[: 4 + int(kept * len(path.read_bytes()))])
    case = next(case for case in data.read(root).development.cases if case.files[0] == path)
    with pytest.raises(UserError, match=r"IM-0115-0001\.jpeg is not a whole JPEG image"):
        data.decode(case, {"size": 32})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sise": 3}, "No preparation named 'sise'. Did you mean 'size'?"),
        ({"size": 0}, "whole number from 1 to 2048"),
        ({"size": 4096}, "whole number from 1 to 2048"),
        ({"size": 32.0}, "whole number from 1 to 2048"),
        ({"size": True}, "whole number from 1 to 2048"),
    ],
)
def test_an_impossible_preparation_is_refused(root: Path, options: Mapping[str, Any], problem: str) -> None:
    """Unknown words and sizes are one sentence."""
    with pytest.raises(UserError, match=problem.replace("?", r"\?")):
        data.decode(data.read(root).test.cases[0], options)


# ---------------------------------------------------------------------------------------------- mnist
def arrays(**changes: Any) -> dict[str, Any]:
    """Return PneumoniaMNIST in small: 4 + 2 + 3 different images; None leaves a key out."""
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for split, n in (("train", 4), ("val", 2), ("test", 3)):
        found[f"{split}_images"] = rng.integers(0, 255, (n, 28, 28), dtype=np.uint8)
        found[f"{split}_labels"] = (np.arange(n)[:, None] % 2).astype(np.uint8)
    return {key: value for key, value in (found | changes).items() if value is not None}


def store(folder: Path, name: str = "pneumoniamnist.npz", **changes: Any) -> Path:
    """Write the arrays into a folder."""
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / name, **arrays(**changes))
    return folder


MNIST = {"variant": "mnist28"}


def test_the_npz_is_read(tmp_path: Path) -> None:
    """Train and val are the development set; the id is the row, the digest the content."""
    found = data.read(store(tmp_path), None, MNIST)
    assert {i: f[1:] for i, f in facts(found.development).items()} == {
        f"{split}/{row:05}": (row % 2, (NORMAL, UNKNOWN)[row % 2])
        for split, n in (("train", 4), ("val", 2))
        for row in range(n)
    }
    assert sorted(found.test.ids) == ["test/00000", "test/00001", "test/00002"]
    images = arrays()["test_images"]
    for case in found.test.cases:
        row = int(case.id[-5:])
        assert case.digest == mnist.digest(images[row])
        assert (data.decode(case, {"size": 28})["image"][0] == images[row]).all()
        assert data.decode(case, {"size": 64})["image"].shape == (1, 64, 64)


def test_identical_images_are_one_patient(tmp_path: Path) -> None:
    """Also across train and val, which are one set here."""
    images = arrays()
    images["val_images"][1] = images["train_images"][3]
    found = facts(data.read(store(tmp_path, **images), None, MNIST).development)
    assert found["val/00001"][0] == found["train/00003"][0]
    assert len({patient for patient, _, _ in found.values()}) == 5


@pytest.mark.parametrize(
    ("source", "copy", "problem"),
    [
        (("train", 0), ("train", 1), "train/00000 and train/00001 are one image with different labels"),
        (("train", 1), ("test", 1), "train/00001 and test/00001 are one image in the development set and in"),
        (("val", 0), ("test", 2), "val/00000 and test/00002 are one image in the development set and in"),
    ],
)
def test_an_image_that_is_two_cases_is_named(
    tmp_path: Path, source: tuple[str, int], copy: tuple[str, int], problem: str
) -> None:
    """Two labels, or both sets, exclude each other."""
    images = arrays()
    images[f"{copy[0]}_images"][copy[1]] = images[f"{source[0]}_images"][source[1]]
    assert problem in problems(store(tmp_path, **images), **MNIST)


def test_val_and_the_test_labels_may_be_absent(tmp_path: Path) -> None:
    """Without val the rest is read; without test_labels the truth is a table, or kept."""
    folder = store(tmp_path / "data", val_images=None, val_labels=None, test_labels=None)
    found = data.read(folder, None, MNIST)
    assert (len(found.development.cases), found.test.truth) == (4, None)
    table = tmp_path / "truth.csv"
    table.write_text("image,pneumonia\ntest/00000,1\ntest/00001,0\ntest/00002,1\n")
    assert facts(data.read(folder, table, MNIST).test)["test/00002"][1:] == (1, UNKNOWN)


def test_a_truth_beside_test_labels_is_refused(tmp_path: Path) -> None:
    """Two truths of one test set are one too many."""
    assert "holds test_labels. Leave truth=" in problems(store(tmp_path), tmp_path / "truth.csv", **MNIST)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train_images": None}, "train_images is missing"),
        ({"train_labels": None}, "train_labels is missing"),
        ({"test_images": None}, "test_images is missing"),
        ({"val_labels": None}, "val_images and val_labels belong together"),
        ({"train_images": np.zeros((4, 64, 64), np.uint8)}, "train_images is uint8 (4, 64, 64) instead of"),
        ({"train_images": np.zeros((4, 28, 28))}, "train_images is float64 (4, 28, 28) instead of uint8"),
        (
            {"train_labels": np.zeros((3, 1), np.uint8)},
            "train_labels is uint8 (3, 1) instead of integer (4, 1)",
        ),
        ({"test_labels": np.zeros((3, 1))}, "test_labels is float64 (3, 1) instead of integer (3, 1)"),
        ({"test_labels": np.array([[0], [2], [1]])}, "test_labels[1] is 2 instead of 0 or 1"),
        ({"test_labels": np.array([[0], [-1], [1]])}, "test_labels[1] is -1 instead of 0 or 1"),
        (
            {"train_images": np.zeros((0, 28, 28), np.uint8), "train_labels": np.zeros((0, 1), np.uint8)},
            "train_images is empty",
        ),
    ],
)
def test_a_malformed_npz_is_refused_by_key(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Missing keys, other shapes, types and labels are named."""
    assert problem in problems(store(tmp_path, **changes), **MNIST)


def test_objects_in_an_npz_are_refused(tmp_path: Path) -> None:
    """A pickle is never opened."""
    folder = store(tmp_path, train_labels=np.array([[{"a": 1}]] * 4, dtype=object))
    assert "is not an npz of plain arrays" in problems(folder, **MNIST)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY", b"hello"])
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    """Another format is one sentence with the name."""
    (tmp_path / "pneumoniamnist.npz").write_bytes(content)
    assert "pneumoniamnist.npz is not an npz of plain arrays" in problems(tmp_path, **MNIST)


def test_an_array_alone_is_refused(tmp_path: Path) -> None:
    """An npy under the name of an npz is no npz."""
    with (tmp_path / "pneumoniamnist.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert "is not an npz of plain arrays" in problems(tmp_path, **MNIST)


def test_the_npz_is_found_by_name(tmp_path: Path) -> None:
    """The one alike, or the one named exactly; two alike and none are refused."""
    assert "holds no pneumoniamnist*.npz" in problems(tmp_path, **MNIST)
    store(tmp_path, "pneumoniamnist_rebuilt.npz")
    assert len(data.read(tmp_path, None, MNIST).test.cases) == 3
    store(tmp_path, "pneumoniamnist_2.npz")
    assert "pneumoniamnist_2.npz, pneumoniamnist_rebuilt.npz. Keep the one to read" in problems(
        tmp_path, **MNIST
    )
    store(tmp_path)
    assert data.read(tmp_path, None, MNIST).test.cases[0].files[0].name == "pneumoniamnist.npz"


def test_an_npz_that_changes_is_not_decoded(tmp_path: Path) -> None:
    """A row with another content than the one that was read is refused."""
    case = data.read(store(tmp_path), None, MNIST).test.cases[0]
    (tmp_path / "pneumoniamnist.npz").unlink()
    changed = arrays()["test_images"] + np.uint8(1)
    store(tmp_path, test_images=changed)
    with pytest.raises(UserError, match="has changed since it was read"):
        data.decode(case, {"size": 28})


def test_the_table_of_films_names_films() -> None:
    """Each row of mnist_films.csv is a digest and a film of known form, each digest once."""
    table = mnist.films()
    assert len(table) > 5000
    assert {len(content) for content in table} == {mnist.SHORT}
    assert all(film.partition("/")[0] in ("train", "val", "test") for film in table.values())
    assert all(parse(film.partition("/")[2]) is not None for film in table.values())


def test_a_known_image_has_its_childs_name_and_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By content; a label against the film's keeps the label and forgets the agent."""
    images = arrays()["train_images"]
    known = {mnist.digest(images[row])[: mnist.SHORT]: f"train/person7_virus_{row}" for row in (0, 1, 3)}
    monkeypatch.setattr(mnist, "films", lambda: known)
    found = facts(data.read(store(tmp_path), None, MNIST).development)
    assert found["train/00001"] == ("person7_virus", 1, VIRUS)
    assert found["train/00003"] == ("person7_virus", 1, VIRUS)
    assert found["train/00000"] == ("person7_virus", 0, NORMAL)
    assert found["val/00001"] == ("val/00001", 1, UNKNOWN)
