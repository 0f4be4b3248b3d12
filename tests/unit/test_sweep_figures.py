"""Optuna's figures as JSON: all that a study has, and nothing that it lacks."""

from __future__ import annotations

import json

import optuna
import pytest

from harness.sweep_figures import figures

KNOWN = {"history", "folds", "importances", "slices", "parallel_coordinates"}


def study(trials: int, *, pruned: bool = True, parameters: int = 2) -> optuna.Study:
    """Return a study with conditional, categorical and numeric parameters, pruned and failed trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(trials):
        trial = found.ask()
        value = trial.suggest_float("model.lr", 1e-5, 1e-2, log=True)
        kind = trial.suggest_categorical("model.kind", ["a", "b"]) if parameters > 1 else "a"
        if kind == "b":
            trial.suggest_int("model.width", 1, 9)
        trial.report(value, 0)
        if pruned and number % 5 == 4:
            found.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif pruned and number % 5 == 3:
            found.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            found.tell(trial, value + (kind == "b"))
    return found


def test_a_whole_study_has_all_figures() -> None:
    """Each has data and a layout, and is strict JSON."""
    found = figures(study(20))

    assert set(found) == KNOWN
    assert all(figure["data"] and "title" in figure["layout"] for figure in found.values())
    json.dumps(found, allow_nan=False)


def test_the_figures_are_a_function_of_the_study() -> None:
    """Importances are seeded: the same trials, the same figures."""
    assert figures(study(20)) == figures(study(20))


@pytest.mark.parametrize("trials", [0, 1, 2])
def test_a_small_study_has_what_it_can_show(trials: int) -> None:
    """Nothing without a complete trial, and no error with one or two."""
    found = figures(study(trials))

    assert set(found) <= KNOWN
    assert ("history" in found) == (trials > 0)


def test_a_study_whose_trials_all_failed_has_none() -> None:
    """There is nothing to draw."""
    found = optuna.create_study()
    for _ in range(3):
        found.tell(found.ask(), state=optuna.trial.TrialState.FAIL)

    assert figures(found) == {}


def test_one_parameter_is_enough() -> None:
    """Slices and history are drawn."""
    assert {"history", "slices"} <= set(figures(study(12, parameters=1)))
