"""`harness run seeds=3`: every fold with three seeds, the entry's score that of the first."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.cells import seed_of
from tests.conftest import Workplace
from tests.fakes import TINY

WORDS = ("challenge=kium", "phantom=smoke", "folds=2")
CARD = {"trainer": {"max_epochs": 1}}


def stamps(place: Workplace) -> dict[str, str]:
    """Return what every stored cell says of itself, by key."""
    folder = place.root / "runs/kium/.cells"
    return {path.parent.name: path.read_text() for path in folder.glob("[!.]*/cell.json")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A working folder in which an entry was run with one seed, then with two."""
    place = Workplace(tmp_path_factory.mktemp("seeds"))
    entry = place.submission("tiny", TINY, **CARD)
    place.harness("run", entry, *WORDS)
    before = stamps(place)
    printed = place.harness("run", entry, *WORDS, "seeds=2")
    assert "2 of 4 folds are already done" in printed
    assert "2 folds with 2 seeds each" in printed
    assert before.items() <= stamps(place).items()
    return place


def test_the_further_seeds_are_added_and_change_no_score(place: Workplace) -> None:
    """Same entry, same key, same numbers and resamples; two more cells, with scores of their own."""
    one, two = [record for record in place.records() if record["entry"]["name"] == "tiny"]
    folders = [place.root / "runs/kium" / record["run_id"] for record in (one, two)]

    assert (one["key"], one["cv"], one["test"]) == (two["key"], two["cv"], two["test"])
    assert one["entry"]["overrides"] == two["entry"]["overrides"] == ["folds=2"]
    assert one["cells"] == two["cells"][:2]
    assert [(cell["fold"], cell["seed"]) for cell in two["cells"]] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert one["seconds"] == two["seconds"]
    assert all(0 < cell["prediction_seconds"] < cell["seconds"] for cell in two["cells"])
    for name in ("resamples.npz", "predictions/cv.npz", "predictions/test.npz"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    first, second = two["seeds"]["scores"]
    assert first["cv"]["auroc_aneurysm"] == two["cv"]["metrics"]["auroc_aneurysm"]["value"]
    assert set(second["test"]) == {"auroc_aneurysm"}
    assert set(two["seeds"]["variance"]["auroc_aneurysm"]) == {"seeds", "folds"}
    assert (folders[1] / "log/seed_1_fold_0.txt").is_file()


def test_a_seed_of_its_own_shares_its_cells(place: Workplace) -> None:
    """`seed=1` is another entry; its score is the second seed's, and nothing is trained for it."""
    before = stamps(place)
    printed = place.harness("run", "submission=./entries/tiny", *WORDS, "seed=1")
    own = place.record("tiny")
    (two,) = [record for record in place.records() if record["seeds"]]

    assert "2 of 2 folds are already done" in printed
    assert stamps(place) == before
    assert own["entry"]["overrides"] == ["folds=2", "seed=1"]
    value = own["test"]["metrics"]["auroc_aneurysm"]["value"]
    assert value == two["seeds"]["scores"][1]["test"]["auroc_aneurysm"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_no_more_seeds_are_already_done(place: Workplace, seeds: int) -> None:
    """Fewer than were trained are done, and as many."""
    n = len(place.records())
    assert "Already done" in place.harness("run", "submission=./entries/tiny", *WORDS, f"seeds={seeds}")
    assert len(place.records()) == n


@pytest.mark.nightly
def test_a_run_with_seeds_is_scored_again_reproduced_and_carried(place: Workplace) -> None:
    """Its numbers are those of its predictions; without its cells the further seeds are left out."""
    (run,) = (record for record in place.records() if record["seeds"])
    words = ("challenge=kium", "phantom=smoke")
    told = place.harness("reproduce", run["run_id"], *words, "submission=./entries/tiny")
    assert "Reproduced exactly" in told
    assert "2 of 2 folds trained again" in told
    place.harness("export", "challenge=kium", "to=whole.zip")
    there = Workplace(place.root / "there")
    there.root.mkdir()
    there.harness("import", "../whole.zip")
    assert run["seeds"] in [record["seeds"] for record in there.records()]

    folder = place.root / "runs/kium" / run["run_id"]
    (folder / "resamples.npz").unlink()  # scored as before there were any: it is scored again
    place.harness("rescore", *words)
    again = [record for record in place.records() if record["origin"] == run["run_id"]]
    assert [record["seeds"] for record in again] == [run["seeds"]]
    assert again[0]["cells"] == run["cells"]

    shutil.copytree(place.root / "prepared", there.root / "prepared")
    assert "without the seeds whose folds are not stored here" in there.harness("rescore", *words)
    moved = [record for record in there.records() if record["origin"] == run["run_id"]]
    assert [(record["seeds"], record["cells"]) for record in moved] == [(None, run["cells"][:2])]


def test_a_failure_of_a_further_seed_is_named_and_ends_nothing_else(place: Workplace) -> None:
    """Exit code 1; seed 2 is trained all the same; with one seed the entry is whole."""
    victim = {"hyperparameters": {"victim": seed_of(1, 0)}, "trainer": {"max_epochs": 1}}
    entry = place.submission("failing", TINY, **victim)
    printed = place.harness("run", entry, *WORDS, "seeds=3", code=1)
    record = place.record("failing")

    assert "Seed 1:" in printed
    assert record["state"] == "failed"
    assert [text[:23] for text in record["failures"]] == ["seed 1, fold 0: error: "]
    assert [cell["state"] for cell in record["cells"]] == ["done", "done", "failed", "done", "done", "done"]
    assert [score["seed"] for score in record["seeds"]["scores"]] == [0, 2]
    assert json.loads((place.root / f"runs/kium/{record['run_id']}/record.json").read_text()) == record

    printed = place.harness("run", entry, *WORDS)
    assert "2 of 2 folds are already done" in printed
    assert place.record("failing")["state"] == "complete"


def test_where_the_first_seed_fails_no_other_is_trained(place: Workplace) -> None:
    """Without a score there is no luck to tell."""
    victim = {"hyperparameters": {"victim": seed_of(0, 1)}, "trainer": {"max_epochs": 1}}
    printed = place.harness("run", place.submission("first", TINY, **victim), *WORDS, "seeds=2", code=1)
    record = place.record("first")

    assert "Seed 1:" not in printed
    assert [(cell["seed"], cell["state"]) for cell in record["cells"]] == [(0, "done"), (0, "failed")]
    assert record["seeds"] is None
