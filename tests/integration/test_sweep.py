"""A sweep on a challenge small enough: pruning, failures, resuming, grids, nesting, a shared database."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Workplace
from tests.toy import write_toy

SWEEP = ("run", "challenge=toy", "sweep.trials=10", "jobs=1")


@pytest.fixture
def toy(workplace: Workplace) -> Workplace:
    """A working folder with the toy challenge."""
    write_toy(workplace.root)
    return workplace


def tuned(place: Workplace) -> list[dict[str, Any]]:
    """Return the records of tuned entries, oldest first."""
    return [record for record in place.records("toy") if record["sweep"] is not None]


def trials(record: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what a search found, without what differs from run to run."""
    return [
        (t["number"], t["state"], t["value"], t["parameters"], t["folds"]) for t in record["sweep"]["trials"]
    ]


def test_a_trial_is_pruned_by_a_better_one_at_work_beside_it(toy: Workplace) -> None:
    """Of two that start together, the noisy and slow one is not trained to its end."""
    space = ("sweep.space.noise=choice(0.0, 9.0)", "sweep.space.sleep=choice(2.0) if noise in (9.0)")
    toy.harness("run", "challenge=toy", "sweep.sampler=grid", "sweep.trials=2", "jobs=2", *space)
    (record,) = tuned(toy)
    found = {t["parameters"]["model.noise"]: t for t in record["sweep"]["trials"]}

    assert (found[0.0]["state"], found[0.0]["folds"]) == ("complete", 5)
    assert (found[9.0]["state"], found[9.0]["folds"] < 5) == ("pruned", True)
    assert f"worse than trial {found[0.0]['number']} " in found[9.0]["reason"]


def test_a_sweep_prunes_and_enters_its_best_trial(toy: Workplace) -> None:
    """The facts add up, the best trial's folds are the entry's, and the same command does nothing more."""
    toy.harness(*SWEEP)
    (record,) = tuned(toy)
    facts = record["sweep"]
    complete = [trial for trial in facts["trials"] if trial["state"] == "complete"]
    best = max(complete, key=lambda trial: trial["value"])

    assert len(facts["trials"]) == 10
    assert (
        facts["folds_trained"]
        == sum(trial["folds"] for trial in facts["trials"])
        < facts["folds_planned"]
        == 50
    )
    assert {trial["folds"] for trial in complete} == {5}
    assert any("worse than trial" in (trial["reason"] or "") for trial in facts["trials"])
    assert facts["inner_best"] == best["value"] == record["cv"]["metrics"]["auroc"]["value"]
    assert facts["optimism"] == pytest.approx(best["value"] - record["test"]["metrics"]["auroc"]["value"])
    assert record["entry"]["settings"]["hyperparameters"]["noise"] == best["parameters"]["model.noise"]
    assert record["entry"]["overrides"] == ["sweep.trials=10"]
    assert (toy.root / "runs/toy" / record["run_id"] / "sweep_figures.json").is_file()
    assert "Already done" in toy.harness(*SWEEP)
    assert len(tuned(toy)) == 1


def test_more_trials_go_on_where_the_sweep_ended(toy: Workplace) -> None:
    """The first ten trials are not tried again."""
    toy.harness(*SWEEP)
    printed = toy.harness("run", "challenge=toy", "sweep.trials=12", "jobs=1")
    first, second = tuned(toy)

    assert "10 of 12 trials were begun" in printed
    assert trials(second)[:10] == trials(first)
    assert len(trials(second)) == 12


def test_a_killed_sweep_goes_on_as_if_it_had_not_been(toy: Workplace) -> None:
    """Killed within a trial, the same command ends with the same trials and the same best."""
    words = (*SWEEP, "sweep.space.noise=uniform(0, 3)", "model.sleep=0.2", "sandbox=auto")
    process = toy.start(*words)
    journals: list[Path] = []
    deadline = time.monotonic() + 120
    while sum(b'"op_code":6' in line for path in journals for line in path.read_bytes().splitlines()) < 4:
        journals = list((toy.root / "runs/toy/.sweeps").glob("*/journal.log"))
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    if process.stdout is not None:
        process.stdout.close()
    with journals[0].open("ab") as file:
        file.write(b'{"op_code":6,"wor')  # what a kill in the middle of a write leaves
    assert tuned(toy) == []
    printed = toy.harness(*words)
    (record,) = tuned(toy)
    undisturbed = Workplace(toy.root / "undisturbed")
    write_toy(undisturbed.root)
    undisturbed.harness(*words)

    assert "The sweep goes on" in printed
    assert trials(record) == trials(tuned(undisturbed)[0])
    assert record["cv"]["metrics"] == tuned(undisturbed)[0]["cv"]["metrics"]


def test_failed_trials_are_failures_and_end_nothing(toy: Workplace) -> None:
    """An entry that raises or predicts NaN for some values is tuned over the others."""
    space = "sweep.space.kind=choice(good, bad, nan)"
    toy.harness("run", "challenge=toy", "sweep.sampler=grid", "sweep.space.noise=none", space)
    (record,) = tuned(toy)
    found = {trial["parameters"]["model.kind"]: trial for trial in record["sweep"]["trials"]}

    assert {kind: trial["state"] for kind, trial in found.items()} == {
        "good": "complete",
        "bad": "failed",
        "nan": "failed",
    }
    assert "this kind cannot be built" in found["bad"]["reason"]
    assert found["nan"]["value"] is None
    assert "must be a finite number" in found["nan"]["reason"]
    assert record["sweep"]["best"] == [{"model.kind": "good"}]


def test_a_sweep_without_a_complete_trial_is_a_failed_entry(toy: Workplace) -> None:
    """It is recorded with the first reason, and never gets a score."""
    words = ("sweep.sampler=grid", "sweep.space.noise=none", "sweep.space.kind=choice(bad)")
    toy.harness("run", "challenge=toy", *words, code=1)
    (record,) = tuned(toy)

    assert record["state"] == "failed"
    assert record["cv"]["metrics"] == {}
    assert "none of 1 trials was complete; the first: fold 0: error" in record["failures"][0]
    assert record["sweep"]["inner_best"] is None


def test_a_grid_is_searched_whole_and_its_conditions_hold(toy: Workplace) -> None:
    """Every cell once; a parameter that depends on another exists only there."""
    space = ("sweep.space.noise=geometric(1, 0.5, 3)", "sweep.space.strength=choice(1, 2) if noise in (0.5)")
    toy.harness("run", "challenge=toy", "sweep.sampler=grid", "sweep.pruner=none", *space)
    (record,) = tuned(toy)
    cells = [tuple(sorted(trial["parameters"].items())) for trial in record["sweep"]["trials"]]

    assert sorted(cells) == [
        (("model.noise", 0.25),),
        (("model.noise", 0.5), ("model.strength", 1)),
        (("model.noise", 0.5), ("model.strength", 2)),
        (("model.noise", 1.0),),
    ]
    assert record["sweep"]["folds_trained"] == record["sweep"]["folds_planned"] == 20


def test_a_nested_sweep_chooses_inside_every_outer_fold(toy: Workplace) -> None:
    """Each outer fold has its own trials on its training patients, and its own hyperparameters."""
    toy.harness(
        "run", "challenge=toy", "sweep.trials=3", "folds=3", "sweep.nested=true", "sweep.inner_folds=2"
    )
    (record,) = tuned(toy)
    facts = record["sweep"]

    assert [trial["outer"] for trial in facts["trials"]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(facts["best"]) == 3
    assert facts["folds_planned"] == 18
    assert facts["outer_score"] == record["cv"]["metrics"]["auroc"]["value"]
    assert facts["optimism"] == pytest.approx(facts["inner_best"] - facts["outer_score"])
    assert [cell["state"] for cell in record["cells"]] == ["done"] * 3


def test_a_database_holds_the_trials_and_its_password_stays_off_the_board(toy: Workplace) -> None:
    """Any URL that Optuna knows will do; the record shows the command without the name and password."""
    url = f"sqlite:///{toy.root}/sweeps.db"
    toy.harness("run", "challenge=toy", "sweep.trials=2", "sweep.sampler=random", f"sweep.storage={url}")
    with sqlite3.connect(toy.root / "sweeps.db") as database:
        (count,) = database.execute("select count(*) from trials").fetchone()
    refused = toy.harness(
        "run", "challenge=toy", "sweep.trials=2", "sweep.storage=nosuch://me:secret@host/db", code=2
    )

    assert count == 2
    assert "sweep.storage cannot be opened" in refused
    assert "secret" not in refused


def test_a_second_machine_enters_the_best_of_a_shared_database(toy: Workplace) -> None:
    """The trials are not tried again; only the best one's folds, which lie elsewhere, are trained here."""
    words = (
        "run",
        "challenge=toy",
        "sweep.trials=3",
        "sweep.sampler=random",
        f"sweep.storage=sqlite:///{toy.root}/s.db",
    )
    toy.harness(*words)
    printed = toy.harness(*words, "runs=elsewhere")
    there = json.loads(next((toy.root / "elsewhere/toy").glob("*baseline*/record.json")).read_text())

    assert "3 of 3 trials were begun" in printed
    assert there["cv"] == tuned(toy)[0]["cv"]
    assert trials(there) == trials(tuned(toy)[0])
    assert not any("storage" in record["command"] for record in (there, tuned(toy)[0]))


def test_fewer_trials_than_were_begun_are_refused(toy: Workplace) -> None:
    """They would be another entry's name for the same search."""
    toy.harness("run", "challenge=toy", "sweep.trials=3", "sweep.pruner=none")

    assert "Type sweep.trials=3 or more" in toy.harness(
        "run", "challenge=toy", "sweep.trials=2", "sweep.pruner=none", code=2
    )


def test_a_nested_sweep_without_success_never_shows_the_untuned_score(toy: Workplace) -> None:
    """Though the untuned entry's folds are stored, the failed one has no score."""
    toy.harness("run", "challenge=toy", "folds=3")
    words = ("sweep.trials=1", "sweep.nested=true", "sweep.inner_folds=2", "sweep.space.noise=none")
    toy.harness("run", "challenge=toy", "folds=3", *words, "sweep.space.kind=choice(bad)", code=1)
    (record,) = tuned(toy)

    assert record["state"] == "failed"
    assert record["cv"]["metrics"] == {}
    assert {cell["state"] for cell in record["cells"]} == {"failed"}


def test_cma_es_searches_numbers(toy: Workplace) -> None:
    """The sampler's library is there, and its state survives in the study."""
    toy.harness(
        "run", "challenge=toy", "sweep.trials=4", "sweep.sampler=cmaes", "sweep.space.strength=uniform(0, 1)"
    )

    assert [trial["number"] for trial in tuned(toy)[0]["sweep"]["trials"]] == [0, 1, 2, 3]
