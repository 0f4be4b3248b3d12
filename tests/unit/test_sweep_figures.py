"""Optuna's figures as JSON: all that a study has, nothing that it lacks, and words as text."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import optuna
import pytest

from harness.sweep_figures import LABEL, MOST_LINES, figures

Fail, Pruned = optuna.trial.TrialState.FAIL, optuna.trial.TrialState.PRUNED
WHOLE = {"history", "folds", "importances", "parallel_coordinates", "slices"}
HOSTILE = (
    '<a href="javascript:alert(1)">lr</a>',
    "%{x} %{customdata[0]:,.2f}",
    "&lt;b&gt;&amp;#37;",
    "</script><img src=x onerror=alert(1)>",
    "evil \u202etxet\x00\x1b[31m\ue001b\ue002",
    "one<br>two<extra>three</extra>",
    "name " + "very-long-" * 60,
    "name " + "very-long-" * 60 + "too",
    "부산 🧠",
    "",
)


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Keep Optuna's remarks out of the output."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def study(
    trials: int,
    *,
    names: tuple[str, str, str] = ("model.lr", "model.kind", "model.width"),
    kinds: tuple[Any, ...] = ("a", "b"),
    storage: str | None = None,
) -> optuna.Study:
    """Return a study with conditional, categorical and numeric parameters, pruned and failed trials."""
    found = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), storage=storage
    )
    for number in range(trials):
        trial = found.ask()
        value = trial.suggest_float(names[0], 1e-5, 1e-2, log=True)
        kind = trial.suggest_categorical(names[1], kinds)
        if kind == kinds[1]:
            trial.suggest_int(names[2], 1, 9)
        for fold in range(2 if number % 5 == 4 else 3):
            trial.report(value + fold, fold)
        if number % 5 == 4:
            found.tell(trial, state=Pruned)
        elif number % 5 == 3:
            found.tell(trial, state=Fail)
        else:
            found.tell(trial, value + (kind == kinds[1]))
    return found


def texts(value: Any) -> list[str]:
    """Return every string of a figure."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def test_a_whole_study_has_all_figures() -> None:
    """Each has a title and data, is strict JSON, and carries none of Plotly's template."""
    found = figures(study(20))

    assert set(found) == WHOLE
    for figure in found.values():
        assert figure["data"]
        assert figure["layout"]["title"]["text"]
        assert "template" not in figure["layout"]
    json.dumps(found, allow_nan=False)


def test_the_figures_show_the_trials_values() -> None:
    """History and slices hold what the complete trials had, under their numbers."""
    trials = study(20).trials
    found = figures(study(20))
    history, slice_lr = found["history"]["data"][0], found["slices"]["data"][1]
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]

    assert len(complete) == 12
    assert history["x"] == [trial.number for trial in complete]
    assert history["y"] == [trial.value for trial in complete]
    assert slice_lr["x"] == [trial.params["model.lr"] for trial in complete]
    assert slice_lr["marker"]["color"] == [trial.number for trial in complete]


def test_the_figures_are_a_function_of_the_study(tmp_path: Any) -> None:
    """Importances are seeded: the same trials give the same figures, in memory or stored."""
    stored = study(20, storage=f"sqlite:///{tmp_path}/study.db")

    assert figures(study(20)) == figures(study(20)) == figures(stored)


@pytest.mark.parametrize("trials", [0, 1, 2, 3])
def test_a_small_study_has_what_it_can_show(trials: int) -> None:
    """No figure of fewer than two trials, and no error with few."""
    assert bool(figures(study(trials))) == (trials > 1)


def test_a_study_whose_trials_all_failed_has_none() -> None:
    """There is nothing to draw."""
    found = optuna.create_study()
    for _ in range(3):
        found.tell(found.ask(), state=Fail)

    assert figures(found) == {}


def test_running_trials_are_left_out_and_numbers_stay() -> None:
    """Those after a trial that has not ended are not renumbered."""
    found = study(6)
    found.ask()
    last = found.ask()
    last.suggest_float("model.lr", 1e-5, 1e-2, log=True)
    found.tell(last, 0.5)
    history = figures(found)["history"]["data"][0]

    assert (history["x"][-2:], history["y"][-1]) == ([5, 7], 0.5)


def test_one_parameter_alone_has_neither_importances_nor_parallel_coordinates() -> None:
    """Both compare parameters; history and slice are drawn."""
    found = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=5)

    assert set(figures(found)) == {"history", "slices"}


def test_what_did_not_vary_has_no_figure() -> None:
    """One value of a parameter has no slice; one value of the score has no importances."""
    found = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def flat(trial: optuna.Trial) -> float:
        trial.suggest_categorical("fixed", ["only"])
        trial.suggest_float("lr", 0, 1)
        trial.suggest_int("width", 1, 9)
        return 1.0

    found.optimize(flat, n_trials=8)

    drawn = figures(found)

    assert set(drawn) == {"history", "slices"}
    assert len(drawn["slices"]["data"]) == 2


def test_an_infinite_value_is_no_token_that_json_lacks() -> None:
    """Infinities become gaps."""
    found = study(12)
    trial = found.ask()
    trial.suggest_float("model.lr", 1e-5, 1e-2, log=True)
    found.tell(trial, -math.inf)

    json.dumps(figures(found), allow_nan=False)


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 3))
def test_hostile_names_and_choices_are_text(first: int) -> None:
    """No tag, template or entity of an entrant's is in a figure; Optuna's own line breaks are."""
    one, two, three = (HOSTILE[(first + k) % len(HOSTILE)] for k in range(3))
    found = figures(study(40, names=(one, two, three), kinds=(one, two, three, None)))

    assert set(found) == WHOLE
    for shown in texts(found):
        bare = shown
        for own in ("<br>", "<extra></extra>", "%{x}", "%{y}", "%{marker.color}", "<0.01",
                    "%{customdata[0]}", "%{customdata[1]}"):  # fmt: skip
            bare = bare.replace(own, "", 1)
        assert not set("<>%\ue000\ue001\ue002\ue003\u202e\x00\x1b") & set(bare), shown
        assert len(bare) < 6 * LABEL


def test_names_that_are_cut_stay_apart() -> None:
    """Two long names that begin alike are two parameters with two labels."""
    first, second = HOSTILE[6:8]
    found = figures(study(20, names=(first, "kind", second)))
    layout = found["slices"]["layout"]
    titles = {layout[axis]["title"]["text"] for axis in ("xaxis", "xaxis2", "xaxis3")}

    assert len(titles) == 3
    assert all(len(title) <= LABEL + len(" (2)") for title in titles)


def test_a_long_search_draws_its_best_trials() -> None:
    """Figures with one line for each trial hold so many of the best, and say so."""
    found = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(MOST_LINES + 50):
        trial = found.ask()
        a, b = trial.suggest_float("a", 0, 1), trial.suggest_int("b", 1, 9)
        trial.report(a, 0)
        trial.report(a, 1)
        found.tell(trial, a + b + number * 0)
    drawn = figures(found)["folds"]
    best = sorted(found.trials, key=lambda trial: -(trial.value or 0.0))[:MOST_LINES]

    assert "200 best trials" in drawn["layout"]["title"]["text"]
    assert {line["name"] for line in drawn["data"]} == {f"Trial{trial.number}" for trial in best}


def test_importances_of_a_long_search_are_of_trials_from_all_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forest of a part of the trials, good and bad, which the title says."""
    monkeypatch.setattr("harness.sweep_figures.MOST_TRIALS", 8)
    title = figures(study(30))["importances"]["layout"]["title"]["text"]

    assert title.endswith(" (8 of 18 trials)")


def test_importances_need_two_parameters_that_all_trials_have() -> None:
    """With a conditional one beside a single other there is nothing to compare."""
    found = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def conditional(trial: optuna.Trial) -> float:
        value = trial.suggest_float("lr", 0, 1)
        return value + (trial.suggest_float("momentum", 0, 1) if value > 0.5 else 0)

    found.optimize(conditional, n_trials=12)

    assert set(figures(found)) == {"history", "parallel_coordinates", "slices"}


def test_importing_the_module_loads_neither_optuna_nor_plotly() -> None:
    """Both are loaded by the call."""
    code = "import sys, harness.sweep_figures; print([m for m in ('optuna', 'plotly') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
