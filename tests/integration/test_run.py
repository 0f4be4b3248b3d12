"""`harness run` and its neighbours on small phantom patients."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Workplace, place_with
from tests.fakes import TINY

WORDS = ("challenge=kium", "phantom=smoke", "folds=3")
CARD = {"trainer": {"max_epochs": 1}}


def phantom_root(place: Workplace) -> Path:
    """Return the phantom patients' folder."""
    return next((place.root / "prepared/kium").glob("phantom-*"))


def scores(place: Workplace, name: str) -> tuple:
    """Return the numbers of an entry."""
    record = place.record(name)
    return record["cv"]["metrics"], record["test"]["metrics"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Workplace:
    """A working folder with one finished run."""
    place = place_with(tmp_path_factory.mktemp("run"), store)
    place.harness("run", place.submission("tiny", TINY, **CARD), *WORDS)
    return place


def test_the_record_holds_its_provenance(place: Workplace) -> None:
    """Git, versions, hardware, seeds, fingerprint, digest, command, folds and per-case scores are there."""
    record = place.record("tiny")
    folder = place.root / "runs/kium" / record["run_id"]

    assert record["command"].startswith("harness run submission=./entries/tiny challenge=kium")
    assert {"git", "versions", "hardware", "seeds", "python"} <= set(record["provenance"])
    assert len(record["data"]["fingerprint"]) == len(record["entry"]["digest"]) == 64
    assert record["entry"]["parameters"] == 8 * 16 * 22 + 22
    assert {"cases.parquet", "environment.txt", "folds.csv", "record.json", "resamples.npz"} <= {
        p.name for p in folder.iterdir()
    }
    assert "torch==" in (folder / "environment.txt").read_text()


def test_output_csv_is_in_the_organisers_format(place: Workplace) -> None:
    """Header, order and Index of test.csv; locations are whole numbers."""
    folder = place.root / "runs/kium" / place.record("tiny")["run_id"]
    template = list(csv.reader((phantom_root(place) / "test.csv").open()))
    output = list(csv.reader((folder / "predictions/output_test.csv").open()))

    assert template[0] == output[0]
    assert [row[0] for row in template] == [row[0] for row in output]
    assert {cell for row in output[1:] for cell in row[2:]} <= {"0", "1"}


def test_the_run_is_the_same_in_every_executor_and_isolation(place: Workplace, store: Path) -> None:
    """local, inline and dask, bubblewrap and off: the same numbers to the last digit."""
    entry = "submission=./entries/tiny"
    expected = scores(place, "tiny")
    for more in (("executor=inline",), ("executor=dask", "jobs=2"), ("sandbox=off",)):
        root = place.root / "_".join(more).replace("=", "_")
        root.mkdir()
        other = place_with(root, store)
        other.submission("tiny", TINY, **CARD)
        other.harness("run", entry, *WORDS, *more)
        assert expected == scores(other, "tiny"), more


def test_wandb_offline_writes_one_run_per_fold_in_one_group(place: Workplace) -> None:
    """Three folds, three offline runs; nothing is sent."""
    entry = place.submission("tracked", TINY, **CARD)
    place.harness("run", entry, *WORDS, "wandb.mode=offline")
    runs = list((place.root / "wandb").glob("offline-run-*"))
    record = place.record("tracked")

    assert len(runs) == 3
    assert record["state"] == "complete"


def test_a_scored_file_gets_the_number_of_the_run_that_wrote_it(place: Workplace) -> None:
    """`harness score` of output_test.csv equals the code entry's test score and is marked as a file."""
    folder = place.root / "runs/kium" / place.record("tiny")["run_id"]
    path = folder / "predictions/output_test.csv"
    place.harness(
        "score", "challenge=kium", f"predictions={path}", "team=Filers", "name=filed", "phantom=smoke"
    )
    record, original = place.record("filed"), place.record("tiny")
    again = place.harness(
        "score", "challenge=kium", f"predictions={path}", "team=Filers", "name=filed", "phantom=smoke"
    )

    assert record["entry"]["route"] == "file"
    assert original["test"]["metrics"]["auroc_aneurysm"] == record["test"]["metrics"]["auroc_aneurysm"]
    assert (
        record["test"]["positional"]["auroc_aneurysm"] == record["test"]["metrics"]["auroc_aneurysm"]["value"]
    )
    assert "Already scored" in again


def test_truth_given_scores_as_the_organisers_script_does_and_touches_no_board(place: Workplace) -> None:
    """predictions= and truth= alone print the two numbers."""
    truth = phantom_root(place) / "groundtruth.csv"
    before = len(place.records())
    printed = place.harness("score", "challenge=kium", f"predictions={truth}", f"truth={truth}")

    assert "1.0" in printed
    assert before == len(place.records())


def test_a_wrong_prediction_file_is_refused_by_row_and_column(place: Workplace, tmp_path: Path) -> None:
    """Exit code 2, one sentence, and what is stored stays."""
    rows = list(csv.reader((phantom_root(place) / "groundtruth.csv").open()))
    rows[2][3] = "7"
    bad = tmp_path / "output.csv"
    with bad.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    before = place.records()
    printed = place.harness("score", "challenge=kium", f"predictions={bad}", "phantom=smoke", code=2)

    assert "R_ICA" in printed
    assert "Traceback" not in printed
    assert before == place.records()


def test_without_test_truth_the_cv_score_ranks_and_the_test_score_is_added_later(
    workplace: Workplace,
) -> None:
    """The team has no truth; the organiser scores the stored run with truth=, and the entry gains its test score."""
    workplace.submission("tiny", TINY, **CARD)
    workplace.harness("run", "submission=./entries/tiny", *WORDS)
    root = Path(shutil.copytree(phantom_root(workplace), workplace.root / "data"))
    sealed = workplace.root / "groundtruth.csv"
    (root / "groundtruth.csv").rename(sealed)
    team = Workplace(workplace.root / "team")
    team.root.mkdir()
    team.submission("tiny", TINY, **CARD)
    words = ("challenge=kium", f"data={root}", "folds=3", "preparation.size=64")
    team.harness("run", "submission=./entries/tiny", *words)
    record = team.record("tiny")
    assert record["test"] is None
    team.harness("score", "challenge=kium", f"run={record['run_id']}", f"data={root}", f"truth={sealed}")

    assert team.record("tiny")["test"]["metrics"] == workplace.record("tiny")["test"]["metrics"]
    assert team.record("tiny")["cv"] == record["cv"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("challenge=kiun",), "Did you mean 'kium'?"),
        (("challenge=kium", "submission=nobody"), "No submission named 'nobody'"),
        (("challenge=kium", "executor=loca"), "Did you mean 'local'?"),
        (("challenge=kium", "model.lrr=1"), "No option 'model.lrr'"),
        (("challenge=kium", "data=/nowhere"), "There is no folder"),
        (("challenge=kium", "folds=500", "phantom=smoke"), "500"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_code_2(
    place: Workplace, words: tuple, sentence: str
) -> None:
    """No traceback for what a user can mend."""
    printed = place.harness("run", *words, code=2)

    assert sentence in printed
    assert "Traceback" not in printed


def test_per_case_scores_join_the_predictions(place: Workplace) -> None:
    """cases.parquet has a row for every case of both halves."""
    import pandas as pd

    record = place.record("tiny")
    frame = pd.read_parquet(place.root / "runs/kium" / record["run_id"] / "cases.parquet")

    assert record["data"]["n_development"] + record["data"]["n_test"] == len(frame)
    brier = frame[frame.half == "test"].aneurysm_squared_error.mean()
    assert np.isclose(brier, record["test"]["metrics"]["brier_aneurysm"]["value"], rtol=0, atol=1e-12)
