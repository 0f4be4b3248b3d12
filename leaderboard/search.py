"""A tuned entry's search to what its page prints: how, where, how long, what came out, what to believe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.records import SweepFacts, SweepTrial
from leaderboard.about import Fact
from leaderboard.card import MetricFacts
from leaderboard.panels import Cell, cell_of
from leaderboard.plots import Plots
from leaderboard.standings import HalfName
from leaderboard.text import MINUS, clean, count, duration, number
from leaderboard.tuned import optimism_of, outer_half
from leaderboard.values import Value
from leaderboard.wording import say

__all__ = ["SearchView", "search_view"]

MOST_TRIALS, MOST_PARAMETERS = 5000, 60
SAMPLERS = {name: say(f"search.{name}") for name in ("tpe", "random", "grid", "cmaes")}
PRUNERS = {name: say(f"search.{name}") for name in ("wilcoxon", "none")}


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial."""

    number: int
    outer: str
    state: str
    chosen: bool
    value: Value
    folds: int
    time: Value
    parameters: tuple[Cell, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class SearchView:
    """The section of a tuned entry's page."""

    nested: bool
    metric: str
    inner: Value
    outer: Value
    outer_words: str
    optimism: Value
    sentence: str
    trials_in_all: str
    folds: str
    time: Value
    facts: tuple[Fact, ...]
    names: tuple[str, ...]
    """The hyperparameters, in the order of the space."""
    space: tuple[tuple[str, str, Cell], ...]
    """Name, distribution as written, and the chosen value of a search that is not nested."""
    best: tuple[tuple[Cell, ...], ...]
    """Of a nested search: the choice inside each outer fold."""
    trials: tuple[TrialRow, ...]
    numeric: tuple[bool, ...]
    """Whether a hyperparameter's values are numbers."""
    hidden: int
    has_reasons: bool
    plots: Plots


def search_view(
    sweep: SweepFacts, metric: MetricFacts, decimals: Mapping[HalfName, int], plots: Plots
) -> SearchView:
    """Return what an entry's page says of the search behind it."""
    half = outer_half(sweep)
    names = _names(sweep)
    trials = sorted(sweep.trials, key=lambda trial: (trial.outer or 0, trial.number))
    chosen = _chosen(sweep, trials, metric)
    digits = min(decimals["cv"] + 1, metric.digits)  # one more than of entries: trials share their cases
    rows = tuple(_trial(trial, names, digits, trial in chosen) for trial in trials[:MOST_TRIALS])
    words = say("search.on_outer" if sweep.nested else "search.on_test")
    return SearchView(
        nested=sweep.nested,
        metric=metric.title,
        inner=_score(sweep.inner_best, decimals["cv"]),
        outer=_score(sweep.outer_score, decimals[half]),
        outer_words=words,
        optimism=optimism_of(sweep, decimals[half]),
        sentence=_sentence(sweep, metric, decimals, words),
        trials_in_all=count(len(sweep.trials)),
        folds=say("search.folds_of", done=count(sweep.folds_trained), planned=count(sweep.folds_planned)),
        time=Value(duration(sweep.seconds), exact=say("search.time_exact", n=f"{sweep.seconds:.0f}")),
        facts=_facts(sweep),
        names=tuple(clean(name, 120) for name in names),
        space=tuple(_dimension(name, sweep) for name in names),
        best=tuple(tuple(_cell(found.get(name)) for name in names) for found in sweep.best),
        trials=rows,
        numeric=tuple(all(row.parameters[k].numeric for row in rows) for k in range(len(names))),
        hidden=len(trials) - len(rows),
        has_reasons=any(row.reason for row in rows),
        plots=plots,
    )


def _names(sweep: SweepFacts) -> tuple[str, ...]:
    """Return every hyperparameter: of the space, then those that only a trial or the choice names."""
    held = (*(trial.parameters for trial in sweep.trials), *sweep.best)
    names = dict.fromkeys((*sweep.space, *(name for parameters in held for name in parameters)))
    return tuple(names)[:MOST_PARAMETERS]


def _chosen(sweep: SweepFacts, trials: Iterable[SweepTrial], metric: MetricFacts) -> list[SweepTrial]:
    """Return the trial whose hyperparameters were chosen, or one for each outer fold."""
    found = []
    for k, best in enumerate(sweep.best):
        fits = [
            trial
            for trial in trials
            if trial.parameters == best and trial.value is not None and trial.outer in (None, k)
            if trial.state == "complete"
        ]
        order = sorted(fits, key=lambda t: (t.value or 0.0) * (-1 if metric.higher_is_better else 1))
        found += order[:1]
    return found


def _sentence(sweep: SweepFacts, metric: MetricFacts, decimals: Mapping[HalfName, int], words: str) -> str:
    """Say in words what the optimism of the search means."""
    if sweep.inner_best is None:
        return say("search.nothing")
    inner = number(sweep.inner_best, decimals["cv"])
    half = outer_half(sweep)
    nested = "_nested" if sweep.nested else ""
    if sweep.outer_score is None or sweep.optimism is None:
        return say(f"search.no_outer{nested}", metric=metric.title, inner=inner)
    outer = number(sweep.outer_score, decimals[half])
    by = number(sweep.optimism, decimals[half])
    better = sweep.optimism > 0 and float(by) > 0
    judged = say("search.better", by=by) if better else say("search.not_better")
    return say(
        f"search.verdict{nested}", metric=metric.title, inner=inner, outer=outer, where=words, judged=judged
    )


def _facts(sweep: SweepFacts) -> tuple[Fact, ...]:
    kind = say("search.kind_nested" if sweep.nested else "search.kind_plain")
    return (
        Fact(say("search.kind"), kind),
        Fact(say("search.sampler"), SAMPLERS.get(sweep.sampler, clean(sweep.sampler, 100))),
        Fact(say("search.pruner"), PRUNERS.get(sweep.pruner, clean(sweep.pruner, 100))),
        Fact(say("search.seed"), str(sweep.seed)),
    )


def _dimension(name: str, sweep: SweepFacts) -> tuple[str, str, Cell]:
    chosen = _cell(sweep.best[0].get(name)) if sweep.best and not sweep.nested else Cell("–", numeric=True)
    text = sweep.space.get(name, "")
    return clean(name, 120), clean(text, 300) if text.strip() else "", chosen


def _trial(trial: SweepTrial, names: Sequence[str], decimals: int, chosen: bool) -> TrialRow:
    return TrialRow(
        number=trial.number,
        outer="" if trial.outer is None else str(trial.outer),
        state=trial.state,
        chosen=chosen,
        value=_score(trial.value, decimals),
        folds=trial.folds,
        time=Value(duration(trial.seconds), exact=f"{trial.seconds:.1f} s"),
        parameters=tuple(_cell(trial.parameters.get(name)) for name in names),
        reason=clean(trial.reason, 300) if trial.reason and trial.reason.strip() else "",
    )


def _score(value: float | None, decimals: int) -> Value:
    return Value("–") if value is None else Value(number(value, decimals), exact=repr(value))


def _cell(value: object) -> Cell:
    """Return a hyperparameter's value; a number with four significant digits, for they span decades."""
    if not isinstance(value, float):
        return cell_of(value)
    shown = f"{value:.4g}"
    exact = repr(value) if shown != repr(value) else ""
    return Cell(shown.replace("-", MINUS, 1) if value < 0 else shown, numeric=True, exact=exact)
