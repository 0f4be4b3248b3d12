"""What the record says of a search: its trials, its cost, and its optimism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records import SweepFacts, SweepTrial
from harness.study import best_trial

if TYPE_CHECKING:
    import optuna

    from harness.plan import Plan
    from harness.records import Half
    from harness.space import Space

__all__ = ["Searched", "facts_of", "figures_of"]


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that has ended."""

    space: Space
    studies: tuple[optuna.Study, ...]
    """One, or one for each outer fold."""
    best: tuple[Mapping[str, Any], ...]
    """The hyperparameters that each study chose; empty where none of its trials was complete."""


def facts_of(plan: Plan, searched: Searched, cv: Half, test: Half | None) -> SweepFacts:
    """Return what the record says of a search, whose choice `cv` and `test` were scored with."""
    asked, nested = plan.config.sweep, plan.config.sweep.nested
    trials = tuple(
        trial
        for outer, study in enumerate(searched.studies)
        for trial in _trials(study, outer if nested else None)
    )
    found = [best_trial(study) for study in searched.studies]
    bests = [best.value for best in found if best is not None and best.value is not None]
    inner = sum(bests) / len(bests) if bests and len(bests) == len(searched.studies) else None
    outer_score = _ranking(plan, cv if nested else test)
    return SweepFacts(
        sampler=asked.sampler,
        pruner=asked.pruner,
        trials=trials,
        space=searched.space.texts(),
        nested=nested,
        seed=plan.config.seed,
        folds_trained=sum(trial.folds for trial in trials),
        folds_planned=len(trials) * (asked.inner_folds if nested else len(plan.folds)),
        seconds=sum(trial.seconds for trial in trials),
        inner_best=inner,
        outer_score=outer_score,
        optimism=_optimism(searched.studies[0], inner, outer_score),
        best=searched.best,
    )


def _optimism(study: optuna.Study, inner: float | None, outer: float | None) -> float | None:
    from optuna.study import StudyDirection

    if inner is None or outer is None:
        return None
    return inner - outer if study.direction is StudyDirection.MAXIMIZE else outer - inner


def _ranking(plan: Plan, half: Half | None) -> float | None:
    interval = (half.metrics if half else {}).get(plan.challenge.card.metrics[0].key)
    return interval.value if interval else None


def _trials(study: optuna.Study, outer: int | None) -> list[SweepTrial]:
    from optuna.trial import TrialState

    states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    return [
        SweepTrial(
            number=trial.number,
            state=states[trial.state],  # type: ignore[arg-type]  # the values are the record's
            value=trial.value if trial.state is not TrialState.FAIL else None,
            parameters=dict(trial.params),
            folds=int(trial.user_attrs.get("folds", 0)),
            seconds=float(trial.user_attrs.get("seconds", 0.0)),
            reason=trial.user_attrs.get("reason") or None,
            outer=outer,
        )
        for trial in study.get_trials(deepcopy=False, states=tuple(states))
    ]


def figures_of(searched: Searched) -> dict[str, Any]:
    """Return Optuna's own figures of the search, name -> Plotly figure."""
    from harness.sweep_figures import figures

    return figures(_pooled(searched))


def _pooled(searched: Searched) -> optuna.Study:
    """Return one study with the trials of all outer folds."""
    import optuna

    if len(searched.studies) == 1:
        return searched.studies[0]
    pooled = optuna.create_study(direction=searched.studies[0].direction)
    for study in searched.studies:
        pooled.add_trials([t for t in study.get_trials() if t.state.is_finished()])
    return pooled
