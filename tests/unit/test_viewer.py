"""Pictures of chosen cases: written beside a run's record, checked and shown by the leaderboard."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import pytest

from challenges.brats.slices import Box, mosaic, turn_of, windowed
from challenges.brats.viewer import chosen
from harness import catalog
from harness.compose import write_files
from harness.segmentation.nifti import read_labels
from leaderboard.viewer import UNREADABLE, Slices, slices_of
from tests.conftest import PROJECT
from tests.leaderboard_fakes import HOSTILE, record
from tests.real import real_data
from tests.viewer_fakes import BRAIN, BRIGHT, GRID, LPS, SPACING, index_of, site_with, tumour, viewer_in

RAS = np.diag([1.0, 1.0, 2.0, 1.0])


# -------------------------------------------------------------------------------------------- choice
def test_worst_median_and_best_are_chosen_by_mean_dice() -> None:
    """The median of an even number is the lower one, and ties go by case id."""
    ids = ("d", "c", "b", "a")

    assert chosen(np.array([0.5, 0.9, 0.1, 0.6]), ids) == {"worst": 2, "median": 0, "best": 1}
    assert chosen(np.array([0.5, 0.5, 0.5, 0.5]), ids) == {"worst": 3, "median": 2, "best": 0}


def test_no_case_is_shown_twice() -> None:
    """Two cases are the worst and the best, one case is the worst."""
    assert chosen(np.array([0.5, 0.9]), ("a", "b")) == {"worst": 0, "best": 1}
    assert chosen(np.array([0.5]), ("a",)) == {"worst": 0}


def test_a_case_without_a_value_is_the_last_resort() -> None:
    """NaN, a case whose every region is empty on both sides, is chosen only where there is no other."""
    nan = float("nan")

    assert chosen(np.array([nan, 0.2, nan, 0.9]), ("a", "b", "c", "d")) == {"worst": 1, "best": 3}
    assert chosen(np.array([nan]), ("a",)) == {"worst": 0}


# -------------------------------------------------------------------------------------------- volumes
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_a_volume_is_turned_as_nibabel_turns_it(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    """Of all 48 orientations, and a little oblique, the turned one runs to left, posterior, inferior."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([1.0, 2.0, 3.0])[:, order] * signs + 0.1
    volume = np.arange(24).reshape(2, 3, 4)
    turned = turn_of(affine).array(volume)
    wanted = nibabel.orientations.axcodes2ornt(("L", "P", "I"))
    change = nibabel.orientations.ornt_transform(nibabel.orientations.io_orientation(affine), wanted)

    assert np.array_equal(turned, nibabel.orientations.apply_orientation(volume, change))


@pytest.mark.parametrize("affine", [LPS, RAS, LPS[:, [1, 2, 0, 3]]], ids=["LPS", "RAS", "another order"])
def test_boxes_and_voxel_numbers_turn_with_the_volume(affine: np.ndarray) -> None:
    """A box cut before turning is the turned box cut after; its voxels know their number in the file."""
    volume = np.arange(np.prod(GRID)).reshape(GRID)
    turn, box = turn_of(affine), Box((2, 5, 7), (3, 4, 6))
    cut = turn.array(volume[2:5, 5:9, 7:13])
    turned = turn.box(box, GRID)
    whole = Box((0, 0, 0), turn.array(volume).shape)
    file = [0, 0, 0]
    for (axis, first, step), k in zip(turn.index(turned, GRID), (1, 2, 0), strict=True):
        file[axis] = first + step * k

    assert np.array_equal(turn.array(volume)[turned.within(whole)], cut)
    assert volume[tuple(file)] == cut[1, 2, 0]


def test_a_window_goes_from_the_first_to_the_last_half_percent_of_the_brain() -> None:
    """Background stays 0, brain is 1 to 255, and what lies beyond the percentiles is cut off."""
    image = np.zeros((10, 10, 11), dtype=np.int16)
    image[:, :, 1:] = np.arange(1, 1001).reshape(10, 10, 10)
    found = windowed(image)

    assert (found[:, :, 0] == 0).all()
    assert found[:, :, 1:].min() == 1
    assert found[0, 0, 1:11].tolist() == [1] * 10
    assert (found[9, 9, 6:] == 255).all()
    assert found[5, 0, 1] == round(1 + 254 * (501 - 10.99) / (995.005 - 10.99))
    assert (windowed(np.full((2, 2, 2), 7, dtype=np.int16)) == 1).all()
    assert not windowed(np.zeros((2, 2, 2), dtype=np.int16)).any()


def test_a_voxel_lies_in_its_tile_of_the_mosaic() -> None:
    """Slice k stands in column k mod n of row k div n, x to the right and y down; the rest is black."""
    volume = np.random.default_rng(0).integers(1, 255, (5, 7, 11), dtype=np.uint8)
    picture = mosaic(volume, 4)

    assert picture.shape == (3 * 7, 4 * 5)
    assert all(
        picture[k // 4 * 7 + y, k % 4 * 5 + x] == volume[x, y, k]
        for x, y, k in itertools.product(range(5), range(7), range(11))
    )
    assert not picture[14:, 15:].any()


# ---------------------------------------------------------------------------------- the run's folder
@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the viewer folder of a run of three cases."""
    return viewer_in(tmp_path_factory.mktemp("viewer"))


def labels_of(case: dict[str, Any], side: str) -> np.ndarray:
    """Return a label map on all of the case that is shown."""
    part = case[side]
    inside = np.frombuffer(zlib.decompress(base64.b64decode(part["deflated"])), dtype=np.uint8)
    whole = np.zeros(case["size"], dtype=np.uint8)
    cut = tuple(slice(a, a + n) for a, n in zip(part["start"], part["size"], strict=True))
    whole[cut] = inside.reshape(part["size"], order="F")
    return whole


def test_a_run_folder_holds_three_cases(viewer: Path) -> None:
    """Worst, median and best: four pictures, a preview and two label files each, and one index."""
    assert sorted(path.relative_to(viewer).as_posix() for path in viewer.rglob("*") if path.is_file()) == sorted(
        ["viewer.json"]
        + [f"{role}/{name}.webp" for role in ("worst", "median", "best")
           for name in ("t1", "t1ce", "t2", "flair", "preview")]
        + [f"{role}/{case}_{side}.nii.gz" for side in ("truth", "prediction")
           for role, case in (("worst", "case-0"), ("median", "case-2"), ("best", "case-1"))]
    )  # fmt: skip
    assert [(case["role"], case["id"]) for case in index_of(viewer)["cases"]] == [
        *(("worst", "case-0"), ("median", "case-2"), ("best", "case-1"))
    ]


@pytest.mark.parametrize(("affine", "flips"), [(LPS, (1, 1, -1)), (RAS, (-1, -1, -1))], ids=["LPS", "RAS"])
def test_a_picture_shows_the_bright_voxels_where_they_are(
    tmp_path: Path, affine: np.ndarray, flips: tuple[int, ...]
) -> None:
    """The bright block is bright in its tiles of the picture, the brain grey, and nothing else is."""
    found = viewer_in(tmp_path, shifts=[0], affine=affine)
    case = index_of(found)["cases"][0]
    picture = cv2.imread(str(found / case["pictures"][0]), cv2.IMREAD_GRAYSCALE)
    (wide, tall, deep), columns = case["image"]["size"], case["image"]["columns"]
    tiles = picture.reshape(-1, tall, columns, wide).transpose(0, 2, 1, 3).reshape(-1, tall, wide)
    wanted = np.zeros(GRID, dtype=bool)
    wanted[BRIGHT] = True
    wanted = wanted[BRAIN][tuple(slice(None, None, flip) for flip in flips)]

    assert (wide, tall, deep) == wanted.shape
    assert np.array_equal(tiles[:deep].transpose(2, 1, 0) > 200, wanted)
    assert not (tiles[deep:] > 20).any()


def test_label_maps_are_whole_and_in_place(viewer: Path) -> None:
    """Inflated and placed, truth and prediction are the turned ones, cut to what is shown."""
    for case, shift in zip(index_of(viewer)["cases"], (6, 2, 0), strict=True):
        for side, moved in (("truth", 0), ("prediction", shift)):
            wanted = tumour(moved)[BRAIN[0].start :, BRAIN[1], BRAIN[2]][:, :, ::-1]
            assert np.array_equal(labels_of(case, side), wanted[: case["size"][0]])
            assert labels_of(case, side).sum() == tumour(moved).sum()


def test_what_is_shown_holds_labels_beyond_the_brain(viewer: Path) -> None:
    """A prediction that leaves the brain widens what is shown, not the picture."""
    worst, best = index_of(viewer)["cases"][0], index_of(viewer)["cases"][2]

    assert best["size"] == [22, 27, 15]
    assert worst["size"] == [23, 27, 15]
    assert worst["image"]["size"] == best["image"]["size"] == best["size"]


def test_the_first_slices_go_through_the_truth(viewer: Path) -> None:
    """The page opens on the largest sections of the tumour, and numbers voxels as the file does."""
    case = index_of(viewer)["cases"][0]
    file = [0, 0, 0]
    for (axis, first, step), k in zip(case["index"], case["at"], strict=True):
        file[axis] = first + step * k

    assert tumour()[tuple(file)] > 0
    assert case["spacing"] == list(SPACING)


def test_an_empty_truth_opens_on_the_prediction_and_two_empty_ones_in_the_middle(tmp_path: Path) -> None:
    """A case without tumour is shown too."""
    from challenges.brats.viewer import for_options
    from harness.volumes import Volume, column
    from tests.viewer_fakes import cases_in

    cases, predictions, scores = cases_in(tmp_path / "data", shifts=[0, 1])
    nothing = Volume.of(np.zeros(GRID, dtype=np.uint8))
    assert cases.truth is not None
    cases.truth["labels"][:] = nothing
    predictions["labels"] = column([nothing, predictions["labels"][1]])
    for_options({"edition": "2020"}).write(tmp_path, cases, predictions, scores)
    predicted, empty = index_of(tmp_path)["cases"]

    assert labels_of(predicted, "prediction")[tuple(predicted["at"])] > 0
    assert not labels_of(empty, "truth").any()
    assert empty["at"] == [11, 13, 7]
    assert slices_like(tmp_path, tmp_path).view is not None


@pytest.mark.parametrize(("edition", "enhancing"), [("2020", 4), ("2023", 3), ("2026", 3)])
def test_downloads_are_in_the_editions_coding(tmp_path: Path, edition: str, enhancing: int) -> None:
    """A label file read back is the map on the whole grid, with the truth's affine and voxel size."""
    found = viewer_in(tmp_path, edition, shifts=[2])
    for side, moved in (("truth", 0), ("prediction", 2)):
        read = read_labels(found / f"worst/case-0_{side}.nii.gz", (0, 1, 2, enhancing))
        wanted = np.where(tumour(moved) == 3, enhancing, tumour(moved))
        assert np.array_equal(read.labels, wanted)
        assert np.array_equal(read.geometry.affine, LPS)
        assert read.geometry.spacing == SPACING


def test_the_same_case_gives_the_same_bytes(tmp_path: Path, viewer: Path) -> None:
    """Written twice, every file is the same."""
    again = viewer_in(tmp_path)
    names = [path.relative_to(viewer) for path in viewer.rglob("*") if path.is_file()]

    assert len(names) == 22
    assert all((again / name).read_bytes() == (viewer / name).read_bytes() for name in names)


def test_a_hostile_case_id_names_no_other_file(tmp_path: Path) -> None:
    """Slashes and markup in an id leave the names of files, and stay in the text."""
    found = viewer_in(tmp_path, shifts=[0, 1], names=["../../etc/<b>", "\udc80 ."])
    files = [path.relative_to(found).as_posix() for path in found.rglob("*_truth.nii.gz")]

    assert sorted(files) == ["best/etc_b_truth.nii.gz", "worst/case_truth.nii.gz"]
    assert {case["id"] for case in index_of(found)["cases"]} == {"../../etc/<b>", "\udc80 ."}


def test_a_real_case_takes_less_than_three_megabytes(tmp_path: Path) -> None:
    """Four modalities of 240 x 240 x 155, two label maps and the preview; the pictures err little."""
    from challenges.brats import data
    from challenges.brats.label_files import LabelFile, read_label_file
    from challenges.brats.viewer import for_options
    from harness.contracts import Case, CaseSet
    from harness.volumes import column

    folder = real_data("brats") / "BraTS-GLI-00001-000"
    files = tuple(folder / f"{folder.name}-{part}.nii.gz" for part in ("t1n", "t1c", "t2w", "t2f"))
    truth, grid = read_label_file(LabelFile("x", folder / "seg-BraTS23_1.nii.gz"), "2023")
    other, _ = read_label_file(LabelFile("x", folder / "seg-bratstoolkit_isen.nii.gz"), "2020")
    known = {"labels": column([truth]), "spacing": np.array([grid.spacing]), "affine": grid.affine[None]}
    cases = CaseSet((Case(folder.name, folder.name, files),), known)
    for_options({"edition": "2023"}).write(
        tmp_path, cases, {"labels": column([other])}, {"dice": np.array([0.9])}
    )
    case = index_of(tmp_path)["cases"][0]
    picture = cv2.imread(str(tmp_path / case["pictures"][3]), cv2.IMREAD_GRAYSCALE).astype(int)
    image = windowed(data.decode(cases.cases[0], {})["image"][3])[:, :, ::-1]
    errors = np.abs(picture - mosaic(image, case["image"]["columns"]))

    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 3e6
    assert np.array_equal(labels_of(case, "truth").sum(), truth.array().sum())
    assert errors[picture > 0].mean() < 2.5
    assert errors.max() < 25


# -------------------------------------------------------------------------------------- sealed truth
def test_the_sealed_half_is_never_written(tmp_path: Path) -> None:
    """Of a run with both halves predicted and both truths known, only development cases are shown."""
    challenge = catalog.challenge("brats", {"edition": "2020"})
    (tmp_path / "data").mkdir()
    challenge.phantom.write(tmp_path / "data", size="smoke")
    dataset = challenge.data.read(tmp_path / "data", None, {"edition": "2020"})
    assert dataset.development.truth is not None
    assert dataset.test.truth is not None
    predicted = {
        "cv": {"labels": dataset.development.truth["labels"]},
        "test": {"labels": dataset.test.truth["labels"]},
    }
    for route in ("code", "file", "reference"):
        entry = dataclasses.replace(record().entry, route=route)
        run = dataclasses.replace(record(run_id=route), entry=entry)
        write_files(tmp_path / "runs", run, challenge, dataset, predicted)
    code = tmp_path / "runs" / "brats" / "code"
    shown = {case["id"] for case in index_of(code / "viewer")["cases"]}
    names = " ".join(path.name for path in (code / "viewer").rglob("*"))

    assert len(shown) == 3
    assert shown <= set(dataset.development.ids)
    assert not shown & set(dataset.test.ids)
    assert not any(case in names for case in dataset.test.ids)
    assert not (tmp_path / "runs" / "brats" / "file" / "viewer").exists()
    assert not (tmp_path / "runs" / "brats" / "reference" / "viewer").exists()


def test_a_run_without_whole_predictions_or_a_challenge_without_a_viewer_writes_none(tmp_path: Path) -> None:
    """A failed run has nothing out of fold, and the other challenges have no viewer."""
    challenge = catalog.challenge("brats", {"edition": "2020"})
    (tmp_path / "data").mkdir()
    challenge.phantom.write(tmp_path / "data", size="smoke")
    dataset = challenge.data.read(tmp_path / "data", None, {"edition": "2020"})
    write_files(tmp_path / "runs", record(run_id="failed"), challenge, dataset, {})

    assert not (tmp_path / "runs" / "brats" / "failed" / "viewer").exists()
    assert challenge.viewer is not None
    assert catalog.challenge("kium").viewer is None
    assert catalog.challenge("pneumonia").viewer is None


def test_the_viewer_changes_no_digest_of_training_or_scoring() -> None:
    """Neither the folds nor the judge read it: a change asks for nothing to be run again."""
    challenge = catalog.challenge("brats", {"edition": "2020"})
    files = {path.name for path in challenge.training_files}

    assert "data.py" in files
    assert not files & {"viewer.py", "slices.py"}
    assert "viewer" not in (PROJECT / "challenges" / "brats" / "scorer.py").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------ the site
def files_of(site: Path) -> dict[str, bytes]:
    """Return every file of a site."""
    return {p.relative_to(site).as_posix(): p.read_bytes() for p in sorted(site.rglob("*")) if p.is_file()}


def slices_like(runs: Path, viewer: Path) -> Slices:
    """Return what the leaderboard makes of a viewer folder."""
    run = record(run_id="run")
    target = runs / "kium" / "run" / "viewer"
    if not target.exists():
        shutil.copytree(viewer, target, symlinks=True, ignore=lambda _, names: {"kium", "data"} & set(names))
    return slices_of(runs, run, "entry-0")


def test_two_entries_share_the_pictures_of_a_case(tmp_path: Path, viewer: Path) -> None:
    """Twelve pictures and two times three previews at most, whatever the number of entries."""
    other = viewer_in(tmp_path / "other", shifts=(5, 0, 2))
    site = site_with(tmp_path, [viewer, other, None])
    board = next(site.glob("kium/*/viewer")).parent
    pages = [next(board.glob(f"entries/entry_{k}-*.html")).read_text(encoding="utf-8") for k in range(3)]

    assert len(list((board / "viewer").iterdir())) == 12 + 3 + 1
    assert ["viewer.js" in page for page in pages] == [True, True, False]
    assert ["img-src data: 'self' file:;" in page for page in pages] == [True, True, False]
    assert "img-src data:;" in pages[2]
    assert "img-src data:;" in (board / "index.html").read_text(encoding="utf-8")


def test_every_file_that_a_page_names_is_there(tmp_path: Path, viewer: Path) -> None:
    """Previews, label maps, downloads, and the pictures that a label map's script names."""
    site = site_with(tmp_path, [viewer])
    (page,) = site.glob("kium/*/entries/*.html")
    text = page.read_text(encoding="utf-8")
    named = re.findall(r'(?:data-script|src|href)="([^"#:]+)"', text)
    scripts = [page.parent / name for name in named if re.search(r"/\d+\.js$", name)]
    for script in scripts:
        head, _, content = script.read_text(encoding="utf-8").partition(" = ")
        assert head == f"(window.SLICES ||= {{}})[{script.stem}]"
        named += json.loads(content.rstrip(";\n"))["pictures"]

    assert len(scripts) == 3
    assert len(named) > 12 + 3 + 6
    assert [name for name in named if not (page.parent / name).is_file()] == []


def test_the_same_runs_give_the_same_site_and_gone_runs_leave_nothing(tmp_path: Path, viewer: Path) -> None:
    """A rebuild changes no byte; without the run, its pictures and label maps go."""
    site = site_with(tmp_path, [viewer, None])
    before, again = files_of(site), site_with(tmp_path / "again", [viewer, None])
    shutil.rmtree(tmp_path / "runs" / "kium" / "run00000")
    site_with(tmp_path, [None])

    assert sum(name.endswith(".webp") for name in before) == 15
    assert before == files_of(again)
    assert not any(".webp" in name or ".nii" in name or "/0.js" in name for name in files_of(site))


def test_the_page_shows_the_scores_of_each_case(viewer: Path, tmp_path: Path) -> None:
    """Scores and regions as the viewer wrote them; what the edition lacks has no row."""
    view = slices_like(tmp_path, viewer).view
    assert view is not None

    assert [(case.role, case.score) for case in view.cases] == [
        *(("Worst", "0.400"), ("Median", "0.800"), ("Best", "1.000"))
    ]
    assert view.cases[0].columns == ("Score", "Whole tumour", "Tumour core", "Enhancing")
    assert [[cell.text for cell in row] for row in view.cases[0].rows] == [
        ["Dice", "0.400", "0.400", "0.400"],
        ["HD95, mm", "4.000", "4.000", "4.000"],
    ]
    assert view.labels == ((1, "Necrotic core", False), (2, "Oedema", False), (3, "Enhancing", True))


Spoil = Callable[[dict[str, Any]], object]
SPOILT: dict[str, Spoil] = {
    "no cases": lambda c: c.pop("cases"),
    "a size of text": lambda c: c["cases"][0].update(size=["1", 1, 1]),
    "a huge size": lambda c: c["cases"][0].update(size=[2000, 2000, 2000]),
    "a true size": lambda c: c["cases"][0]["size"].__setitem__(0, True),
    "a voxel outside": lambda c: c["cases"][0].update(at=[0, 0, 99]),
    "a box outside": lambda c: c["cases"][0]["truth"]["start"].__setitem__(0, 20),
    "a spacing of 0": lambda c: c["cases"][0].update(spacing=[0, 1, 1]),
    "an infinite spacing": lambda c: c["cases"][0].update(spacing=[1, float("inf"), 1]),
    "a step of 2": lambda c: c["cases"][0]["index"][0].__setitem__(2, 2),
    "no base64": lambda c: c["cases"][0]["truth"].update(deflated="<script>"),
    "a bomb": lambda c: c["cases"][0]["truth"].update(
        deflated=base64.b64encode(zlib.compress(bytes(10**7))).decode()
    ),
    "too few labels": lambda c: c["cases"][0]["truth"].update(
        deflated=base64.b64encode(zlib.compress(bytes(9))).decode()
    ),
    "a colour that is code": lambda c: c["labels"][0].update(colour="red;x:url(//evil)"),
    "a picture elsewhere": lambda c: c["cases"][0]["pictures"].__setitem__(0, "../record.json"),
    "a picture that leads out": lambda c: c["cases"][0]["pictures"].__setitem__(0, "../../x/a.webp"),
    "a picture that is none": lambda c: c["cases"][0]["pictures"].__setitem__(0, "worst/case-0_truth.nii.gz"),
    "a download that is a picture": lambda c: c["cases"][0]["downloads"][0].update(file="worst/t1.webp"),
    "too few pictures": lambda c: c["cases"][0]["pictures"].pop(),
    "nothing to choose": lambda c: c.update(pictures=[]),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_an_index_that_is_wrong_is_said_to_be_so(tmp_path: Path, viewer: Path, spoil: Spoil) -> None:
    """The page has a sentence instead of the viewer, and no file of it."""
    shutil.copytree(viewer, tmp_path / "viewer")
    content = index_of(viewer)
    spoil(content)
    (tmp_path / "viewer" / "viewer.json").write_text(json.dumps(content), encoding="utf-8")
    found = slices_like(tmp_path / "runs", tmp_path / "viewer")

    assert found.files == ()
    assert found.view is not None
    assert (found.view.note, found.view.cases) == (UNREADABLE, ())


@pytest.mark.parametrize("content", ["", "[1]", '{"cases": ' + "[" * 100_000, "\x00"])
def test_an_index_that_is_no_index_is_said_to_be_so(tmp_path: Path, viewer: Path, content: str) -> None:
    """Also one that no parser survives."""
    shutil.copytree(viewer, tmp_path / "viewer")
    (tmp_path / "viewer" / "viewer.json").write_text(content, encoding="utf-8")
    view = slices_like(tmp_path / "runs", tmp_path / "viewer").view

    assert view is not None
    assert view.note == UNREADABLE


@pytest.mark.parametrize("case", ["missing", "another kind", "a link"])
def test_a_picture_that_is_not_one_is_not_copied(tmp_path: Path, viewer: Path, case: str) -> None:
    """A file that is gone, that is no picture, or that leads elsewhere takes the viewer away."""
    shutil.copytree(viewer, tmp_path / "viewer")
    picture = tmp_path / "viewer" / "worst" / "t1.webp"
    content = picture.read_bytes()
    picture.unlink()
    if case == "another kind":
        picture.write_text("<svg onload=alert(1)>", encoding="utf-8")
    if case == "a link":
        (tmp_path / "secret").write_bytes(content)
        picture.symlink_to(tmp_path / "secret")
    found = slices_like(tmp_path / "runs", tmp_path / "viewer")

    assert found.files == ()
    assert found.view is not None
    assert found.view.note == UNREADABLE


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_of_a_viewer_are_text(tmp_path: Path, viewer: Path, text: str) -> None:
    """In every field that is text they make no element, no attribute and no code."""
    shutil.copytree(viewer, tmp_path / "viewer")
    content = index_of(viewer)
    content.update(about=text, legend=text, pictures=[text] * 4)
    content["labels"][0]["name"] = text
    for case in content["cases"]:
        case.update(id=text, role=text, scores={"columns": [text], "rows": [[text]]})
        case["downloads"][0]["title"] = text
    (tmp_path / "viewer" / "viewer.json").write_text(json.dumps(content), encoding="utf-8")
    site = site_with(tmp_path, [tmp_path / "viewer"])
    (page,) = site.glob("kium/*/entries/*.html")
    html = page.read_text(encoding="utf-8")
    data = re.findall(r'<script type="application/json">(.*?)</script>', html)

    assert "<script>alert" not in html
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', html))
    assert len(re.findall(r"<img ", html)) == 3
    assert len(data) == 1
    assert json.loads(data[0])["labels"]["1"]["colour"] == "#4c8dff"
    assert all(
        re.fullmatch(r"[A-Za-z0-9._\-]+", part) for path in site.rglob("*") for part in path.parts[-1:]
    )


def test_a_prediction_file_or_a_strange_run_id_has_no_viewer(tmp_path: Path, viewer: Path) -> None:
    """Only code entries have out-of-fold cases, and a run id leads to no other folder."""
    shutil.copytree(viewer, tmp_path / "kium" / "run" / "viewer")
    shutil.copytree(viewer, tmp_path / "kium" / "viewer")

    assert slices_of(tmp_path, record(run_id="run"), "e").view is not None
    assert slices_of(tmp_path, record(route="file", run_id="run"), "e").view is None
    assert slices_of(tmp_path, record(run_id="../kium"), "e").view is None
    assert slices_of(tmp_path, record(run_id="other"), "e").view is None
