"""Choosing cases, checking, drawing and storing maps, and the page that shows them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from challenges.pneumonia import scorer as pneumonia
from harness.atomic import write_atomic
from harness.errors import UserError
from harness.explain import chosen_rows, differs, find_run, order_of, run_words
from harness.explained import folder_of, maps_problem, shape_of, words_of
from harness.heat import image_of, pictures_of, quantised
from harness.records import RunRecord, dump
from harness.volumes import Volume, column
from leaderboard.explained import NO_MAPS, maps_of
from tests.explained_fakes import (
    CELL,
    blob,
    challenge,
    explained_record,
    facts,
    page_of,
    picture,
    site_of,
    store_flat,
    store_views,
    store_volume,
)
from tests.leaderboard_fakes import HOSTILE, record

IDS = ("a", "b", "c", "d", "e")
ORDER = np.array([3, 1, 4, 0, 2])
ALL = set(range(5))


# -------------------------------------------------------------------------------------------- choice
@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("c", [2]),
        ("b, c ,b", [1, 2]),
        ("worst:2", [3, 1]),
        ("best:2", [2, 0]),
        ("median:1", [4]),
        ("median:2", [1, 4]),
        ("worst:1,median:1,best:1", [3, 4, 2]),
        ("worst:99", [3, 1, 4, 0, 2]),
        ("worst:1,d", [3]),
    ],
)
def test_cases_are_named_by_id_or_by_their_place(words: str, rows: list[int]) -> None:
    """Each once, in the order of the words."""
    assert rows == chosen_rows(words, IDS, ORDER, ALL)


def test_a_fold_limits_the_choice() -> None:
    """The worst of its own cases, and no other fold's case by name."""
    assert [1, 0] == chosen_rows("worst:2", IDS, ORDER, {0, 1, 2})
    with pytest.raises(UserError, match="held out by another fold"):
        chosen_rows("d", IDS, ORDER, {0, 1, 2})


@pytest.mark.parametrize(
    ("words", "order", "sentence"),
    [
        ("x", ORDER, "No case 'x' in the development set"),
        ("worst", ORDER, "No case 'worst'"),
        ("t1", ORDER, "Case 't1' is of the test set, which stays sealed"),
        ("", ORDER, "names 0 cases"),
        ("worst:0", ORDER, "names 0 cases"),
        ("worst:1", None, "no order of cases, so worst:1 is not known"),
    ],
)
def test_what_cannot_be_chosen_is_said(words: str, order: Any, sentence: str) -> None:
    """A case of the test set is refused by that reason."""
    with pytest.raises(UserError, match=sentence):
        chosen_rows(words, IDS, order, ALL, known_test=("t1",))


def test_too_many_cases_are_refused() -> None:
    """The page is for a few."""
    with pytest.raises(UserError, match="names 25 cases, but 1 to 24"):
        chosen_rows("worst:25", [str(k) for k in range(40)], np.arange(40), set(range(40)))


def test_the_worst_case_is_the_one_that_costs_the_ranking_metric_most() -> None:
    """Then the farthest from its label, then the id; as the scorer's own parts say."""
    truth = {"pneumonia": np.array([1, 1, 1, 0, 0]), "agent": np.array([1, 1, 2, 0, 0])}
    predictions = {"pneumonia": np.array([0.9, 0.2, 0.8, 0.3, 0.1])}

    # Row 1 is above one normal film of two, row 3 below two of three; of the others the farthest first.
    assert order_of(pneumonia, truth, predictions, IDS).tolist() == [1, 3, 2, 4, 0]  # type: ignore[union-attr]
    assert order_of(pneumonia, truth, {"pneumonia": np.full(5, 0.5)}, IDS) is not None
    assert order_of(SimpleNamespace(), truth, predictions, IDS) is None  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------- run
def stored_runs(folder: Path, *records: RunRecord) -> Path:
    """Write records into folders of their own names."""
    for item in records:
        write_atomic(folder / "runs/kium" / item.run_id / "record.json", dump(item).encode())
    return folder / "runs"


def test_a_run_is_trained_again_by_the_words_of_its_own_command(tmp_path: Path) -> None:
    """Those of the run that trained its folds, where it was scored later; a run that is gone is said."""
    own = dataclasses.replace(explained_record("own"), command="harness run challenge=kium 'model.lr=1e-3'")
    later = dataclasses.replace(own, run_id="later", command="harness score challenge=kium run=own")
    stranger = dataclasses.replace(
        record("other", run_id="stranger"), command="harness run challenge=kium seed=7"
    )
    runs = stored_runs(tmp_path, own, later, stranger)

    assert run_words(runs, own) == run_words(runs, later) == ["challenge=kium", "model.lr=1e-3"]
    lost = dataclasses.replace(later, cells=(dataclasses.replace(later.cells[0], key="f" * 64),))
    with pytest.raises(UserError, match="was scored from another run"):
        run_words(runs, lost)


def test_only_a_complete_run_of_a_model_can_be_explained(tmp_path: Path) -> None:
    """A prediction file has no model, and a failed run is not whole."""
    runs = stored_runs(
        tmp_path,
        record("whole", run_id="whole"),
        record("filed", route="file", run_id="filed"),
        record("broken", run_id="broken", failure=("error", "it broke")),
    )

    assert find_run(runs, "whole").run_id == "whole"
    for name, why in (("filed", "is a file, not a model"), ("broken", "failed")):
        with pytest.raises(UserError, match=f"Run {name} {why}"):
            find_run(runs, name)
    with pytest.raises(UserError, match="The newest: broken, filed, whole"):
        find_run(runs, "whole/../whole")


# ---------------------------------------------------------------------------------- agreement, verdict
def test_retrained_predictions_differ_by_the_largest_difference() -> None:
    """Over the keys of both; label maps by the share of voxels."""
    ours = {"p": np.array([0.1, 0.5]), "q": np.array([1, 0], dtype=np.uint8), "only": np.zeros(2)}
    labels = np.zeros((2, 2, 2), dtype=np.uint8)
    moved = labels.copy()
    moved[0, 0, 0] = 1

    assert differs(ours, ours) == 0.0
    assert differs(ours, {"p": np.array([0.1, 0.25]), "q": ours["q"]}) == 0.25
    assert differs(ours, {"q": np.array([0, 1], dtype=np.uint8)}) == 1.0
    assert differs({"labels": column([Volume.of(labels)])}, {"labels": column([Volume.of(moved)])}) == 1 / 8
    assert differs(ours, {"other": np.zeros(2)}) is None


def test_the_words_of_a_case_are_its_numbers() -> None:
    """The truth of what was predicted, and the scorer's own verdict."""
    truth = {"pneumonia": np.array([1, 0]), "agent": np.array([2, 0])}
    predictions = {"pneumonia": np.array([0.25, 0.75]), "decision": np.array([1, 1], dtype=np.uint8)}

    assert words_of(pneumonia, truth, predictions, 0) == {
        "prediction": (("pneumonia", 0.25), ("decision", 1)),
        "truth": (("pneumonia", 1),),
        "right": True,  # by its own threshold
    }
    assert words_of(pneumonia, truth, predictions, 1)["right"] is False


def test_a_risk_is_neither_right_nor_wrong_and_all_of_the_truth_is_said() -> None:
    """Time and event have other names than what is predicted."""
    scorer: Any = SimpleNamespace(PREDICTIONS={}, per_case=lambda truth, predictions: {})
    truth = {"time": np.array([300.0]), "event": np.array([1]), "table": np.zeros((1, 3))}
    found = words_of(scorer, truth, {"risk": np.array([1.5]), "survival": np.zeros((1, 4))}, 0)

    assert found == {"prediction": (("risk", 1.5),), "truth": (("time", 300.0), ("event", 1)), "right": None}


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "holds nan"), (np.inf, "holds inf"), (-0.5, "holds -0.5, but Grad-CAM is never negative")],
)
def test_a_map_that_is_none_is_refused_with_its_case(value: float, problem: str) -> None:
    """Whatever a fold sends."""
    raw = np.zeros((1, 4, 4))
    raw[0, 1, 2] = value

    assert problem in str(maps_problem(raw, "case-7"))
    assert "case-7" in str(maps_problem(raw, "case-7"))
    assert maps_problem(np.zeros((1, 4, 4)), "case-7") is None


# ------------------------------------------------------------------------------------------- pictures
def test_a_map_is_quantised_to_its_maximum() -> None:
    """One step of 255 is the error; zeros stay zeros."""
    raw = np.random.default_rng(3).random((1, 9, 9)).astype(np.float32) * 7
    levels, maximum = quantised(raw)

    assert levels.max() == 255
    assert np.abs(levels / 255 * maximum - raw).max() <= maximum / 255 / 2 + 1e-6
    assert quantised(np.zeros((1, 3, 3)))[1] == 0.0
    assert quantised(np.full((1, 3, 3), 1e-310))[0].min() == 255


def test_the_image_is_the_first_input_that_can_be_one() -> None:
    """Channels are pictures, three are colours, of four axes the first channel; a unit may say another."""
    flat, volume = np.ones((8, 5, 6), dtype=np.uint8), np.arange(2 * 60).reshape(2, 3, 4, 5)

    assert shape_of(challenge(), {"age": np.ones(1), "views": flat}) == (8, 5, 6)
    assert shape_of(challenge(), {"views": flat[:3]}) == (1, 5, 6)
    assert image_of({"views": flat})[1] is True
    assert np.array_equal(image_of({"image": volume})[0], volume[:1])
    own = challenge(explained_image=lambda inputs: inputs["image"][1])
    assert shape_of(own, {"image": volume}) == (1, 3, 4, 5)
    with pytest.raises(ValueError, match="no image among the inputs age"):
        image_of({"age": np.ones(1)})


def decoded(content: bytes) -> np.ndarray:
    """Return a PNG picture's values."""
    found = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found)


def strongest(heat: bytes) -> tuple[float, float]:
    """Return how far down and across a map is most opaque and brightest, from 0 to 1."""
    values = decoded(heat).astype(int).sum(axis=2)
    rows, columns = np.nonzero(values == values.max())
    return (rows.mean() + 0.5) / values.shape[0], (columns.mean() + 0.5) / values.shape[1]


def test_a_flat_case_is_drawn_as_it_lies() -> None:
    """An 8-bit image keeps its values, the map lies where it is strong, weak places are transparent."""
    image = picture((300, 300)).astype(np.float32)[None]
    made = pictures_of(image, quantised(blob((1, 300, 300), (0, 60, 240), 20))[0], eight_bit=True)

    assert len(made) == 1
    assert np.array_equal(decoded(made[0].image), image[0])
    assert np.allclose(strongest(made[0].heat), (0.2, 0.8), atol=0.02)
    assert decoded(made[0].heat)[-1, 0, 3] == 0
    assert made[0].alt == "Image; the map is strongest at the upper right"


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SPL", "IAR"])
def test_a_volume_is_cut_through_the_maximum_and_turned(axes: str) -> None:
    """Right and front at the left, head at the top; slices are numbered as the input's own."""
    shape, letters = {"x": 30, "y": 40, "z": 20}, dict(zip("LRPASI", "xxyyzz", strict=True))
    patient = {"x": 24, "y": 10, "z": 15}  # towards left, posterior, superior
    size = tuple(shape[letters[letter]] for letter in axes)
    at = tuple(
        patient[k] if letter in "LPS" else shape[k] - 1 - patient[k]
        for letter, k in zip(axes, (letters[letter] for letter in axes), strict=True)
    )
    heat = quantised(blob((1, *size), (0, *at), 3))[0]
    made = pictures_of(np.zeros((1, *size), np.float32), heat, eight_bit=False, axes=axes)
    across, down, deep = 24.5 / 30, 10.5 / 40, 1 - 15.5 / 20
    number = {letters[letter]: place for letter, place in zip(axes, at, strict=True)}

    assert [item.title.split(",")[0] for item in made] == [
        f"Axial slice {number['z']}", f"Coronal slice {number['y']}", f"Sagittal slice {number['x']}",
    ]  # fmt: skip
    for item, wanted in zip(made, [(down, across), (deep, across), (deep, down)], strict=True):
        assert np.allclose(strongest(item.heat), wanted, atol=0.04), item.title


def test_the_planes_of_a_volume_have_one_scale() -> None:
    """Their pictures may be compared."""
    made = pictures_of(
        np.zeros((1, 30, 40, 20), np.float32), np.zeros((1, 30, 40, 20), np.uint8), eight_bit=False
    )

    assert [decoded(item.image).shape for item in made] == [(288, 216), (144, 216), (144, 288)]
    assert all("zero everywhere" in item.alt for item in made)


def test_axes_that_are_none_are_refused() -> None:
    """Two of one direction, a letter that is no side."""
    for axes in ("LRS", "LP", "XYZ"):
        with pytest.raises(ValueError, match="are not three letters"):
            pictures_of(
                np.zeros((1, 3, 3, 3), np.float32),
                np.zeros((1, 3, 3, 3), np.uint8),
                eight_bit=False,
                axes=axes,
            )


# -------------------------------------------------------------------------------------------- storage
def test_a_map_is_stored_without_pickle_and_stays(tmp_path: Path) -> None:
    """uint8, with what 255 stands for; a second one of the same case changes nothing."""
    store_volume(tmp_path, "case-1")
    folder = folder_of(tmp_path, "kium", CELL, "case-1")
    with np.load(folder / "map.npz", allow_pickle=False) as archive:
        assert archive["map"].dtype == np.uint8
        assert archive["map"].shape == (1, 36, 44, 30)
        assert float(archive["maximum"]) == 1.0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    store_flat(tmp_path, "case-1", fold=3)

    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert json.loads(before["explained.json"])["case"] == "case-1"


def test_a_hostile_case_id_is_no_path(tmp_path: Path) -> None:
    """Folders are named by a hash."""
    for name in ("../../x", "/etc/passwd", "lone \ud83d", "a" * 5000):
        assert folder_of(tmp_path, "kium", CELL, name).parent == tmp_path / "kium/.explained" / CELL[:32]


# ----------------------------------------------------------------------------------------------- page
def test_the_page_shows_the_maps_worst_first(tmp_path: Path) -> None:
    """With prediction, truth, verdict, and by how much the retrained models differ at most."""
    runs = tmp_path / "runs"
    store_flat(runs, "late", position=119)
    store_flat(runs, "unknown", position=None, differs=2e-7)
    store_flat(runs, "early", position=0, right=False, truth=(("aneurysm", 0),))
    site = site_of(tmp_path)
    text = page_of(site).read_text(encoding="utf-8")
    places = [text.index(f"<bdi>{case}</bdi>") for case in ("early", "late", "unknown")]

    assert places == sorted(places)
    assert "differ from the stored ones by at most 2e\N{MINUS SIGN}07" in text
    assert "Out-of-fold prediction: <bdi>aneurysm 0.93</bdi>. Truth: <bdi>aneurysm 0</bdi>." in text
    assert ">wrong</span>" in text
    assert "the worst of 120 cases" in text
    assert 'alt="early, Image; the map is strongest at the upper right"' in text
    assert len(list(site.glob("kium/*/explained/*.png"))) == 2  # one image, one map, whatever the cases


def test_the_pictures_of_views_and_planes_are_named(tmp_path: Path) -> None:
    """Eight views by the challenge's names, three planes."""
    store_views(tmp_path / "runs", position=1)
    store_volume(tmp_path / "runs", position=2)
    text = page_of(site_of(tmp_path)).read_text(encoding="utf-8")

    assert all(f"<bdi>view {k}</bdi>" in text for k in "ABCDEFGH")
    assert "Axial slice 20, the patient&#39;s right at the left" in text
    assert "are exactly the stored out-of-fold ones" in text


def test_the_site_is_the_same_to_the_byte_and_gains_a_case(tmp_path: Path) -> None:
    """A pure function of records and maps; pages of entries without maps stay as they were."""
    records = [explained_record(), dataclasses.replace(explained_record("run00001", "other"), cells=())]
    bare = site_of(tmp_path, records)
    before = {path: path.read_bytes() for path in bare.rglob("*.html")}
    store_flat(tmp_path / "runs", "one")
    first = {path: path.read_bytes() for path in site_of(tmp_path, records).rglob("*") if path.is_file()}
    again = {path: path.read_bytes() for path in site_of(tmp_path, records).rglob("*") if path.is_file()}
    changed = [path for path in before if first[path] != before[path]]

    assert first == again
    assert [page.stem.partition("-")[0] for page in changed] == ["aim_efficientnet"]
    assert b"Where the model looks" not in before[changed[0]]


def test_a_run_scored_again_keeps_its_maps_and_other_folds_have_none(tmp_path: Path) -> None:
    """Maps belong to the fold model."""
    runs = tmp_path / "runs"
    store_flat(runs, "one")
    rescored = dataclasses.replace(explained_record(), run_id="another", key="another")
    strange = dataclasses.replace(rescored, cells=(dataclasses.replace(rescored.cells[0], key="../" * 20),))
    failed = dataclasses.replace(rescored, cells=(dataclasses.replace(rescored.cells[0], state="failed"),))

    assert maps_of(runs, rescored).view is not None
    assert maps_of(runs, strange) == maps_of(runs, failed) == NO_MAPS


def test_hostile_words_are_text(tmp_path: Path) -> None:
    """Case ids and names of predictions."""
    for number, name in enumerate(HOSTILE):
        store_flat(tmp_path / "runs", name, position=number, prediction=((name, 0.5),))
    text = page_of(site_of(tmp_path)).read_text(encoding="utf-8")

    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"pictures": []},
        {"pictures": [{"title": "T", "alt": "A", "image": "../../record.json", "map": "0-map.png"}]},
        {"pictures": [{"title": "T", "alt": "A", "image": "1.png", "map": "0-map.png"}]},
        {"pictures": [{"title": "T", "alt": "A", "image": "link.png", "map": "0-map.png"}]},
        {"fold": -1},
        {"position": 120},
        {"maximum": None},
        {"differs": -1.0},
        {"right": "<b>"},
        {"prediction": [["p", "<b>"]]},
        {"case": None, "position": "x"},
    ],
)
def test_a_folder_that_is_not_what_it_must_be_is_left_out_and_said(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Nothing outside of it is read, and the other case is shown."""
    runs = tmp_path / "runs"
    store_flat(runs, "good")
    store_flat(runs, "bad")
    folder = folder_of(runs, "kium", CELL, "bad")
    (folder / "1.png").write_text("no picture")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    content = json.loads((folder / "explained.json").read_text())
    (folder / "explained.json").write_text(json.dumps({**content, **change}))
    view = maps_of(runs, explained_record()).view

    assert view is not None
    assert [case.id for case in view.cases] == ["good"]
    assert view.unreadable == 1
    assert "The maps of one case cannot be read" in page_of(site_of(tmp_path)).read_text(encoding="utf-8")


def test_a_difference_that_is_not_known_is_said(tmp_path: Path) -> None:
    """It is never taken for none."""
    store_flat(tmp_path / "runs", "one", differs=None)
    view = maps_of(tmp_path / "runs", explained_record()).view

    assert view is not None
    assert "could not be compared" in view.agreement
    assert facts("x", differs=None).differs is None
