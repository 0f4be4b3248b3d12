"""Optuna's own figures of a study, as JSON that a page can draw.

The words of an entrant (names of parameters, values of choices) are text in them: Plotly reads a part of
HTML and its own templates in labels. While Optuna draws (and cuts long labels) the characters that begin
them are stand-ins of one character; in the JSON they are character references.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

__all__ = ["figures"]

Figure = dict[str, Any]

MOST_LINES = 200
"""In figures with one line for each trial; more are slow to draw and hide one another."""
MOST_TRIALS = 1000
"""In the forest that measures importances, which takes 20 s for so many."""
LABEL, CHOICE = 30, 18
"""Characters of a parameter's name, and of the value of a choice."""
INERT = str.maketrans("&<>%", "\ue000\ue001\ue002\ue003")
WRITTEN = {"\ue000": "&amp;", "\ue001": "&lt;", "\ue002": "&gt;", "\ue003": "&#37;"}


def figures(study: optuna.Study) -> dict[str, Figure]:
    """Return name -> Plotly figure (data and layout), without NaN or infinity.

    The history of the values, their course over the folds, the importances of the parameters (fANOVA,
    seeded), slices and parallel coordinates. A figure for which the study has too little is left out.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown = _readable(study)
    trials = shown.get_trials(deepcopy=False)
    complete = [trial for trial in trials if _scored(trial) is not None]
    if len(trials) < 2 or not complete:
        return {}
    draw = optuna.visualization
    makers: dict[str, Callable[[], Any]] = {"history": lambda: draw.plot_optimization_history(shown)}
    if any(len(trial.intermediate_values) > 1 for trial in trials):
        makers["folds"] = lambda: _lines(shown, draw.plot_intermediate_values)
    varied = _varied(complete)
    if len(varied) > 1 and len({trial.value for trial in complete}) > 1:
        if sum(all(name in trial.params for trial in complete) for name in varied) > 1:
            makers["importances"] = lambda: _importances(shown)
        makers["parallel_coordinates"] = lambda: _lines(shown, draw.plot_parallel_coordinate)
    if varied:
        makers["slices"] = lambda: _slices(shown, varied)
    found = {name: _drawn(make) for name, make in makers.items()}
    return {name: figure for name, figure in found.items() if figure is not None}


# --------------------------------------------------------------------------------- the study, as text
class _Word(str):
    """A choice whose repr, which is what Optuna prints, is the word itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _labels(texts: Iterable[str], most: int) -> dict[str, str]:
    """Return text -> label: of at most so many characters, visible, inert in Plotly, and no two alike."""
    found: dict[str, str] = {}
    taken = set[str]()
    for text in texts:
        if text not in found:
            plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:most])
            short = plain if len(text) <= most else plain[: most - 1] + "…"
            label, number = short, 1
            while label in taken:
                number += 1
                label = f"{short} ({number})"
            taken.add(label)
            found[text] = label.translate(INERT)
    return found


def _readable(study: optuna.Study) -> optuna.Study:
    """Return a copy in memory whose names and choices are labels, with the trials that have ended."""
    trials = study.get_trials(deepcopy=False)
    names = _labels(sorted({name for trial in trials for name in trial.params}), LABEL)
    return _copy(study, {t.number: _relabelled(t, names) for t in trials if t.state.is_finished()})


def _copy(study: optuna.Study, kept: Mapping[int, FrozenTrial]) -> optuna.Study:
    """Return a study in memory of these trials under their numbers; in place of others failed ones."""
    import optuna

    copy = optuna.create_study(direction=study.direction, sampler=optuna.samplers.RandomSampler(seed=0))
    failed = optuna.create_trial(state=optuna.trial.TrialState.FAIL)
    copy.add_trials(kept.get(trial.number, failed) for trial in study.get_trials(deepcopy=False))
    return copy


def _relabelled(trial: FrozenTrial, names: Mapping[str, str]) -> FrozenTrial:
    import optuna

    spaces = {name: _relabelled_space(space) for name, space in trial.distributions.items()}
    return optuna.create_trial(
        state=trial.state,
        values=trial.values,
        params={names[name]: spaces[name][1](value) for name, value in trial.params.items()},
        distributions={names[name]: space for name, (space, _) in spaces.items()},
        intermediate_values=trial.intermediate_values,
    )


def _relabelled_space(space: BaseDistribution) -> tuple[BaseDistribution, Callable[[Any], Any]]:
    """Return a distribution whose words are labels, and what makes a label of a value."""
    from optuna.distributions import CategoricalDistribution

    if not isinstance(space, CategoricalDistribution):
        return space, lambda value: value
    labels = _labels((choice for choice in space.choices if isinstance(choice, str)), CHOICE)

    def label(value: Any) -> Any:  # noqa: ANN401  any value of a choice
        return _Word(labels[value]) if isinstance(value, str) else value

    return CategoricalDistribution([label(choice) for choice in space.choices]), label


def _scored(trial: FrozenTrial) -> float | None:
    """Return the finite value of a complete trial."""
    import optuna

    value = trial.value if trial.state is optuna.trial.TrialState.COMPLETE else None
    return value if value is not None and math.isfinite(value) else None


def _varied(complete: Iterable[FrozenTrial]) -> list[str]:
    """Return the sorted names of the parameters that had more than one value."""
    seen: dict[str, set[Any]] = {}
    for trial in complete:
        for name, value in trial.params.items():
            seen.setdefault(name, set()).add(value)
    return sorted(name for name, values in seen.items() if len(values) > 1)


def _best(study: optuna.Study, most: int) -> tuple[optuna.Study, str]:
    """Return the study with its `most` best trials that have a value, and words that say so."""
    import optuna

    sign = -1.0 if study.direction is optuna.study.StudyDirection.MAXIMIZE else 1.0
    valued = [t for t in study.get_trials(deepcopy=False) if t.values and math.isfinite(t.values[0])]
    if len(valued) <= most:
        return study, ""
    ordered = sorted(valued, key=lambda trial: (sign * trial.values[0], trial.number))
    return _copy(study, {trial.number: trial for trial in ordered[:most]}), f" ({most} best trials)"


def _spread(study: optuna.Study, most: int) -> tuple[optuna.Study, str]:
    """Return the study with `most` complete trials, evenly chosen: importances of the best alone differ."""
    complete = [trial for trial in study.get_trials(deepcopy=False) if _scored(trial) is not None]
    if len(complete) <= most:
        return study, ""
    kept = [complete[k * len(complete) // most] for k in range(most)]
    return _copy(study, {trial.number: trial for trial in kept}), f" ({most} of {len(complete)} trials)"


# ---------------------------------------------------------------------------------------- the figures
def _lines(study: optuna.Study, draw: Callable[[optuna.Study], Any]) -> Any:  # noqa: ANN401  a Plotly figure
    """Draw a figure with one line for each trial; its title says if some are left out."""
    kept, words = _best(study, MOST_LINES)
    figure = draw(kept)
    return figure.update_layout(title_text=f"{figure.layout.title.text}{words}")


def _importances(study: optuna.Study) -> Any:  # noqa: ANN401  a Plotly figure
    import optuna

    kept, words = _spread(study, MOST_TRIALS)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    figure = optuna.visualization.plot_param_importances(kept, evaluator=evaluator)
    return figure.update_layout(title_text=f"{figure.layout.title.text}{words}")


def _slices(study: optuna.Study, names: list[str]) -> Any:  # noqa: ANN401  a Plotly figure
    import optuna

    figure = optuna.visualization.plot_slice(study, params=names)
    return figure.update_traces(hovertemplate="Trial %{marker.color}<br>%{x}: %{y}<extra></extra>")


def _drawn(make: Callable[[], Any]) -> Figure | None:
    """Return a figure's data and layout; None where Optuna has nothing to draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            figure = make()
        except (ValueError, RuntimeError):  # Optuna's words for "too few trials" and "no common parameter"
            return None
    if not figure.data:
        return None
    content = json.loads(figure.to_json())
    layout = {key: value for key, value in content["layout"].items() if key != "template"}
    return {"data": _json(content["data"]), "layout": _json(layout)}


def _json(value: Any) -> Any:  # noqa: ANN401  JSON is dynamic
    """Return the value without NaN and infinities, and with references for the stand-ins."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, str):
        return "".join(WRITTEN.get(char, char) for char in value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
