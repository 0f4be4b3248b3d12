"""How long a model takes for a case: measured where it predicts, believed only as a description."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cells import load_cell, store_cell
from harness.contracts import Outcome
from harness.records import RunRecord, dump, parse
from leaderboard.entry import entry_view
from leaderboard.export import as_csv
from leaderboard.inference import hardware_of, inference_of, seconds_per_case
from leaderboard.pages import board_view
from leaderboard.rows import shared_decimals
from leaderboard.site import build
from leaderboard.standings import standings
from tests.leaderboard_fakes import card, record, write

HELDOUT = {"event": "predicted", "half": "heldout", "seconds": 1.5}
TEST = {"event": "predicted", "half": "test", "seconds": 0.5}


def stored(folder: Path, *events: dict[str, Any]) -> float | None:
    """Return what a stored fold of ten seconds says of its prediction."""
    arrays = {"heldout/risk": np.zeros(3), "test/risk": np.zeros(2)}
    store_cell(folder, Outcome(arrays, None, "", 10.0, 1, events))
    cell = load_cell(folder)
    assert cell is not None
    return cell.prediction_seconds


def timed(name: str, seconds: float | None, **words: Any) -> RunRecord:
    """Return a record whose ten folds, of 110 held-out and 50 test cases, each predicted for so long."""
    run = record(name, **words)
    cells = tuple(dataclasses.replace(cell, prediction_seconds=seconds) for cell in run.cells)
    return dataclasses.replace(run, cells=cells)


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ((HELDOUT, TEST), 2.0),
        ((HELDOUT,), 1.5),
        ((), None),
        (({**HELDOUT, "seconds": 11.0},), None),
        ((HELDOUT, {**TEST, "seconds": -1.0}), None),
        ((HELDOUT, {**TEST, "seconds": "0.1"}), None),
        ((HELDOUT, {**TEST, "seconds": math.nan}), None),
        ((HELDOUT, {**TEST, "half": ["test"]}), 1.5),
        ((HELDOUT, {**TEST, "half": "another"}), 1.5),
    ],
)
def test_a_fold_keeps_what_can_be_a_measurement(
    tmp_path: Path, events: tuple[dict[str, Any], ...], seconds: float | None
) -> None:
    """Both halves together; whatever an entry sends instead, a number within the fold's time or none."""
    assert stored(tmp_path / "cell", *events) == seconds


def test_a_fold_and_a_record_of_before_have_none(tmp_path: Path) -> None:
    """Without the field both load."""
    stored(tmp_path / "cell", HELDOUT)
    path = tmp_path / "cell/cell.json"
    facts = json.loads(path.read_text())
    del facts["prediction_seconds"]
    path.write_text(json.dumps(facts))
    cell = load_cell(tmp_path / "cell")
    assert cell is not None
    assert cell.prediction_seconds is None
    content = json.loads(dump(record()))
    for row in content["cells"]:
        del row["prediction_seconds"]
    assert seconds_per_case(parse(json.dumps(content))) is None


def test_the_seconds_are_shared_among_the_cases_of_the_first_seed() -> None:
    """Ten folds predict 110 held-out and 50 test cases each; a fold that does not say leaves nothing."""
    run = timed("a", 8.0)
    assert seconds_per_case(run) == pytest.approx(8 / 160)
    further = tuple(dataclasses.replace(cell, seed=1, prediction_seconds=80.0) for cell in run.cells)
    assert seconds_per_case(dataclasses.replace(run, cells=(*run.cells, *further))) == pytest.approx(8 / 160)
    silent = dataclasses.replace(run.cells[0], prediction_seconds=None)
    assert seconds_per_case(dataclasses.replace(run, cells=(silent, *run.cells[1:]))) is None
    assert seconds_per_case(record("file", route="file")) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.0, "0.050"), (0.0, "0.000000"), (4000.0, "25"), (1e-4, "0.000001"), (None, "–")]
)
def test_two_digits_are_shown(seconds: float | None, text: str) -> None:
    """However long or short."""
    assert inference_of(timed("a", seconds)).text == text


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        ({"cpu": "Xeon", "cores": 8, "gpus": 0}, "Xeon, 8 cores"),
        ({"cpu": "Xeon", "cores": 1, "gpus": 2}, "Xeon, 1 core, 2 GPUs"),
        ({"cpu": 7, "cores": "many"}, "an unknown processor"),
        ("fast", "an unknown processor"),
    ],
)
def test_the_machine_is_named_whatever_the_record_says(hardware: object, words: str) -> None:
    """Known parts in words; parts of another type are left out."""
    run = dataclasses.replace(record(), provenance={"hardware": hardware})
    assert hardware_of(run) == words


def test_boards_entries_and_exports_show_it(tmp_path: Path) -> None:
    """An optional column, a line of the entry's facts, a column of the cost table and of the CSV."""
    runs = [timed("a", 8.0), timed("b", 4.0, test=0.5), timed("c", None, test=0.4)]
    found = standings(runs, card())
    column = {column.key: column for column in board_view(found).head}["inference"]
    assert (column.more, column.small) == (True, "s per case")
    facts = {
        fact.term: fact.text for fact in entry_view(found.ranked[0], found, shared_decimals(found)).facts
    }
    assert facts["Inference"] == "0.05 s per case and model, on 8 cores"
    assert "seconds_per_case" in as_csv(found).splitlines()[0]
    site = build(write(tmp_path / "runs", runs), tmp_path / "site", {"kium": card()}).parent
    assert "0.050" in next(site.glob("kium/data-*/index.html")).read_text()
    plain = board_view(standings([record("a")], card()))
    assert "inference" not in {column.key for column in plain.head}
