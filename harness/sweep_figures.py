"""Optuna's own figures of a study, as JSON that a page can draw."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

__all__ = ["figures"]


def figures(study: optuna.Study) -> dict[str, dict[str, Any]]:
    """Return name -> Plotly figure (data and layout), without NaN or infinity.

    The history of the values, their course over the folds, the importances of the parameters (fANOVA,
    seeded), slices and parallel coordinates. A figure for which the study has too little is left out.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    draw = optuna.visualization
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not complete:
        return {}
    makers: dict[str, Callable[[], Any]] = {
        "history": lambda: draw.plot_optimization_history(study),
        "folds": lambda: draw.plot_intermediate_values(study),
        "importances": lambda: _importances(study),
        "slices": lambda: draw.plot_slice(study),
        "parallel_coordinates": lambda: draw.plot_parallel_coordinate(study),
    }
    if len({trial.value for trial in complete}) < 2:
        makers = {"history": makers["history"]}
    found = {name: _drawn(make) for name, make in makers.items()}
    return {name: figure for name, figure in found.items() if figure is not None}


def _importances(study: optuna.Study) -> Any:  # noqa: ANN401  a Plotly figure
    import optuna

    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.visualization.plot_param_importances(study, evaluator=evaluator)


def _drawn(make: Callable[[], Any]) -> dict[str, Any] | None:
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
    return {"data": _finite(content["data"]), "layout": _finite(layout)}


def _finite(value: Any) -> Any:  # noqa: ANN401  JSON is dynamic
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
