"""Optuna's study as a sweep uses it: the paired test, seeded trials, a journal that survives a kill."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import optuna
import pytest
from scipy.stats import norm, wilcoxon

from harness.config import SweepConfig
from harness.errors import UserError
from harness.space import parse_space
from harness.study import (
    adopted,
    ask,
    begun,
    best_trial,
    enqueue_grid,
    is_worse,
    level_after,
    open_study,
    running_elsewhere,
    tell,
)

CONFIG = SweepConfig(trials=5)
SPACE = parse_space({"x": "uniform(0, 1)", "n": "int(0, 99)"}, {})


@pytest.mark.parametrize("seed", range(8))
def test_the_paired_test_is_wilcoxons(seed: int) -> None:
    """One-sided signed-rank test with split zeros, as scipy computes it, at the same level."""
    draw = np.random.default_rng(seed)
    best = draw.normal(size=60)
    ours = best - draw.normal(0.1, 0.5, size=60) * (draw.random(60) < 0.7)
    p = wilcoxon(ours - best, alternative="less", zero_method="zsplit").pvalue

    assert is_worse(dict(enumerate(ours)), dict(enumerate(best)), 0.1) == (
        p < 0.1 and ours.mean() < best.mean()
    )


def test_only_cases_that_both_predicted_are_compared() -> None:
    """Rows of later folds, undefined scores and a single pair say nothing."""
    best = {row: 1.0 for row in range(100)}
    worse = {row: 0.5 for row in range(10)}

    assert is_worse(worse, best, 0.1)
    assert not is_worse(worse, {row: 1.0 for row in range(50, 90)}, 0.1)
    assert not is_worse({row: float("nan") for row in range(10)}, best, 0.1)
    assert not is_worse({0: 0.0}, best, 0.1)
    assert not is_worse(best, worse, 0.1)


def test_early_folds_demand_more_than_late_ones() -> None:
    """The level rises with every fold, to the one that was asked for."""
    levels = [level_after(done, 10, 0.25) for done in range(1, 11)]

    assert levels == sorted(levels)
    assert levels[0] < 1e-6
    assert levels[1] == pytest.approx(norm.sf(5 * norm.isf(0.25)))
    assert levels[-1] == pytest.approx(0.25)


def test_the_same_seed_asks_for_the_same_trials_wherever_it_was_stopped(tmp_path: Path) -> None:
    """A sampler is seeded by the number of its trial, not by how long the process lives."""

    def asked(folder: Path, upto: int) -> list[dict[str, object]]:
        study = open_study(None, folder, "s", maximize=True)
        while begun(study) < upto:
            trial = ask(study, CONFIG, seed=3)
            values = SPACE.suggest(trial)
            tell(study, trial, "complete", float(values["model.x"]))  # type: ignore[arg-type]
        return [dict(trial.params) for trial in study.trials]

    asked(tmp_path / "stopped", 4)

    assert asked(tmp_path / "stopped", 13) == asked(tmp_path / "whole", 13)


def test_a_torn_last_line_of_the_journal_is_dropped(tmp_path: Path) -> None:
    """What a kill leaves half written does not hide the trials before it."""
    study = open_study(None, tmp_path, "s", maximize=True)
    tell(study, ask(study, CONFIG, 0), "complete", 0.5)
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"op_code":4,"worker')
    again = open_study(None, tmp_path, "s", maximize=True)
    tell(again, ask(again, CONFIG, 0), "complete", 0.7)

    assert [trial.value for trial in open_study(None, tmp_path, "s", maximize=True).trials] == [0.5, 0.7]


def test_an_abandoned_trial_is_taken_over_and_a_living_one_is_not(tmp_path: Path) -> None:
    """In a database, a process that is gone, even if its number lives again, is told from another machine's."""
    study = open_study(None, tmp_path, "s", maximize=True)
    gone, elsewhere = ask(study, CONFIG, 0), ask(study, CONFIG, 0)
    first = SPACE.suggest(gone)
    elsewhere.set_user_attr("owner", ["another-machine", "1", "1"])
    shared = CONFIG.model_copy(update={"storage": "sqlite:///s.db"})

    assert adopted(study, shared, 0) == []
    assert running_elsewhere(study) == [gone.number, elsewhere.number]
    gone.set_user_attr("owner", [platform.node(), str(2**22 + 1), "1"])
    (again,) = adopted(study, shared, 0)
    assert (again.number, SPACE.suggest(again)) == (gone.number, first)
    gone.set_user_attr("owner", [platform.node(), str(os.getpid()), "another start"])
    assert [trial.number for trial in adopted(study, shared, 0)] == [gone.number]
    assert [trial.number for trial in adopted(study, CONFIG, 0)] == [gone.number, elsewhere.number]


def test_a_grid_is_queued_once(tmp_path: Path) -> None:
    """Opening the sweep again adds nothing, and every cell is asked for once."""
    space = parse_space({"a": "choice(1, 2, 3)", "b": "choice(x, y)"}, {})
    study = open_study(None, tmp_path, "s", maximize=False)
    counts = [enqueue_grid(study, space, 0, None), enqueue_grid(study, space, 0, None)]
    found = []
    while begun(study) < counts[0]:
        trial = ask(study, SweepConfig(sampler="grid"), 0)
        found.append(tuple(space.suggest(trial).values()))
        tell(study, trial, "complete", 0.0)

    assert counts == [6, 6]
    assert sorted(found, key=str) == [(a, b) for a in (1, 2, 3) for b in ("x", "y")]


@pytest.mark.parametrize(("maximize", "best"), [(True, 2), (False, 0)])
def test_the_best_trial_is_complete_and_the_first_of_equals(
    tmp_path: Path, *, maximize: bool, best: int
) -> None:
    """Pruned and failed trials are never the best."""
    study = open_study(None, tmp_path, "s", maximize=maximize)
    for state, value in [
        ("complete", 1.0),
        ("complete", 1.0),
        ("complete", 2.0),
        ("failed", None),
        ("pruned", None),
    ]:
        trial = ask(study, CONFIG, 0)
        trial.report(9.0 if maximize else -9.0, 0)
        tell(study, trial, state, value)

    found = best_trial(study)
    assert found is not None
    assert found.number == best


def test_a_database_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    """It names the word and a URL that works."""
    with pytest.raises(UserError, match="sqlite:///sweeps.db"):
        open_study("nosuch://host/db", tmp_path, "s", maximize=True)


def test_optuna_says_nothing_on_its_own(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The harness's own lines are all that a person sees."""
    study = open_study(None, tmp_path, "s", maximize=True)
    tell(study, ask(study, CONFIG, 0), "complete", 0.5)
    is_worse({0: 1.0, 1: 2.0}, {0: 3.0, 1: 4.0}, 0.1)

    assert isinstance(study, optuna.Study)
    assert capfd.readouterr() == ("", "")
