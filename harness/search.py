"""One search: Optuna's trials as cross-validations, several at once, each pruned fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import catalog
from harness.cells import StoredCell, load_cell
from harness.contracts import Outcome
from harness.errors import UserError
from harness.plan import Plan, changed, fold_jobs, settings_of
from harness.progress import Progress
from harness.run import Floor, checked, kept, stored, submit
from harness.study import adopted, ask, begun, best_trial, is_worse, level_after, report, tell
from harness.tracking import Tracker, tracker_of

if TYPE_CHECKING:
    import optuna

    from harness.contracts import Array, Arrays
    from harness.space import Space, Value

__all__ = ["Search", "higher_is_better", "tuned"]


FEWEST_FOLDS = 2
"""Before a trial may be pruned: one fold's patients may be unlike the others."""


@dataclass(slots=True)
class Attempt:
    """A trial at work."""

    trial: optuna.Trial
    plan: Plan
    tracker: Tracker
    cells: list[StoredCell] = field(default_factory=list)
    """Of the folds that are done, in order."""
    lost_seconds: float = 0.0
    """Of the fold that failed."""


def tuned(plan: Plan, values: Mapping[str, Value]) -> Plan:
    """Return the plan with these hyperparameters.

    Raises:
        UserError: for a word that the submission or the trainer does not know.
    """
    words: dict[str, dict[str, Any]] = {
        "model": dict(plan.config.model),
        "trainer": dict(plan.config.trainer),
        "loader": dict(plan.config.loader),
    }
    for name, value in values.items():
        group, _, key = name.partition(".")
        words[group][key] = value
    config = plan.config.model_copy(update=words)
    return changed(plan, settings=settings_of(config, plan.challenge, plan.submission, plan.source))


class Search:
    """The trials of one study, on the folds of its plan."""

    def __init__(
        self, plan: Plan, space: Space, study: optuna.Study, trials: int, floor: Floor, progress: Progress
    ) -> None:
        self.plan = plan
        self.space = space
        self.study = study
        self.trials = trials
        self.floor = floor
        self.progress = progress
        self._waiting: dict[Future[Outcome], Attempt] = {}
        self._best: tuple[int, list[StoredCell]] | None = None

    def run(self) -> None:
        """Go on until the trials are done.

        Raises:
            UserError: if the isolation did not work here.
        """
        config, seed = self.plan.config.sweep, self.plan.config.seed
        abandoned = adopted(self.study, config, seed)
        while True:
            while len(self._waiting) < self.plan.jobs and (abandoned or begun(self.study) < self.trials):
                self._begin(abandoned.pop(0) if abandoned else ask(self.study, config, seed))
            if not self._waiting:
                return
            for future in wait(self._waiting, return_when=FIRST_COMPLETED).done:
                self._take(self._waiting.pop(future), future.result())

    def _begin(self, trial: optuna.Trial) -> None:
        try:
            plan = tuned(self.plan, self.space.suggest(trial))
        except UserError as error:
            self._end(Attempt(trial, self.plan, tracker_of(self.plan)), "failed", str(error))
            return
        self._go_on(Attempt(trial, plan, tracker_of(plan)))

    def _take(self, attempt: Attempt, outcome: Outcome) -> None:
        """Store the fold that has just ended, or end the trial that failed in it."""
        index = len(attempt.cells)
        outcome = checked(attempt.plan, index, outcome)
        attempt.tracker.finish(index, outcome)
        failure = kept(attempt.plan, index, outcome)
        if failure is None:
            self._go_on(attempt)
        else:
            attempt.lost_seconds = outcome.seconds
            self._end(attempt, "failed", f"fold {index}: {failure.kind.value}: {failure.reason}")

    def _go_on(self, attempt: Attempt) -> None:
        """Count the folds that are stored, then hand out the next one or end the trial."""
        plan, index = attempt.plan, len(attempt.cells)
        while index < len(plan.folds):
            cell = load_cell(plan.cells / plan.keys[index])
            if cell is None:
                self._submit(attempt, index)
                return
            self._count(attempt, cell)
            index += 1
            better = self._better(attempt) if FEWEST_FOLDS <= index < len(plan.folds) else None
            if better is not None:
                level = level_after(index, len(plan.folds), plan.config.sweep.p)
                reason = f"after {index} folds worse than trial {better} (p < {level:.2g})"
                self._end(attempt, "pruned", reason)
                return
        value = pooled_score(plan, dict(enumerate(attempt.cells)))
        if np.isfinite(value):
            self._end(attempt, "complete", "", value)
        else:
            self._end(attempt, "failed", "the ranking metric is undefined on its predictions")

    def _submit(self, attempt: Attempt, index: int) -> None:
        jobs = fold_jobs(attempt.plan, self.floor.store, [index])
        for future in submit(self.floor, attempt.plan, jobs, partial(partial, attempt.tracker.event)):
            self._waiting[future] = attempt

    def _count(self, attempt: Attempt, cell: StoredCell) -> None:
        """Add a fold's scores to the trial."""
        plan, index = attempt.plan, len(attempt.cells)
        attempt.cells.append(cell)
        value = pooled_score(plan, {index: cell})
        report(attempt.trial, value, index)
        event = {"event": "fold", "fold": index + 1, "of": len(plan.folds), "metrics": {"score": value}}
        self.progress.event(attempt.trial.number, event)

    def _better(self, attempt: Attempt) -> int | None:
        """Return the number of a trial that is better on the folds that both have predicted.

        It is compared with the best complete one and with those at work that are as far: until one is
        complete, and beside it, a bad trial need not be trained to its end.
        """
        if self.plan.config.sweep.pruner == "none":
            return None
        done = len(attempt.cells)
        rivals = {a.trial.number: a.cells for a in self._waiting.values()}
        best = best_trial(self.study)
        if best is not None:
            if self._best is None or self._best[0] != best.number:
                cells = stored(tuned(self.plan, best.params))
                whole = len(cells) == len(self.plan.folds)  # not so if it ran on another machine
                self._best = (best.number, [cells[k] for k in sorted(cells)] if whole else [])
            rivals = {best.number: self._best[1], **rivals}
        own = paired_scores(self.plan, attempt.cells)
        level = level_after(done, len(self.plan.folds), self.plan.config.sweep.p)
        scores = {n: paired_scores(self.plan, c[:done]) for n, c in rivals.items() if len(c) >= done}
        return next((n for n, theirs in scores.items() if is_worse(own, theirs, level)), None)

    def _end(self, attempt: Attempt, state: str, reason: str, value: float | None = None) -> None:
        """Tell Optuna and the display."""
        seconds = sum(cell.seconds for cell in attempt.cells) + attempt.lost_seconds
        folds = len(attempt.cells)
        tell(self.study, attempt.trial, state, value, seconds=seconds, folds=folds, reason=reason)
        best = best_trial(self.study)
        so_far = f"; best {best.value:.4f} (trial {best.number})" if best is not None else ""
        found = f"{value:.4f}" if value is not None else f"{state}, {reason}"
        self.progress.done(attempt.trial.number, f"{found} in {seconds:.0f} s{so_far}")


def pooled_score(plan: Plan, cells: Mapping[int, StoredCell]) -> float:
    """Return the ranking metric on the held-out cases of these folds together; NaN where undefined."""
    _, truth, found = _pooled(plan, cells)
    return float(plan.challenge.scorer.score(truth, found)[plan.challenge.card.metrics[0].key])


def _pooled(plan: Plan, cells: Mapping[int, StoredCell]) -> tuple[Array, Arrays, Arrays]:
    """Return the held-out rows of these folds, their truth and what was predicted for them."""
    folds = {index: (plan.folds[index], cell.heldout) for index, cell in cells.items()}
    rows = np.concatenate([fold.heldout for fold, _ in folds.values()])
    truth = {key: values[rows] for key, values in _truth(plan).items()}
    shared = set.intersection(*(set(part) for _, part in folds.values()))
    found = {key: np.concatenate([part[key] for _, part in folds.values()]) for key in sorted(shared)}
    return rows, truth, found


def paired_scores(plan: Plan, cells: Sequence[StoredCell]) -> dict[int, float]:
    """Return what each case adds to a trial's score on its first folds pooled, higher is better.

    By row of the development set where the challenge can say what each case adds to its ranking
    metric, else one number a fold.
    """
    parts = getattr(plan.challenge.scorer, "ranking_parts", None)
    if parts is None:
        sign = 1 if higher_is_better(plan) else -1
        return {k: sign * pooled_score(plan, {k: cell}) for k, cell in enumerate(cells)}
    rows, truth, found = _pooled(plan, dict(enumerate(cells)))
    return {int(row): float(score) for row, score in zip(rows, parts(truth, found), strict=True)}


def higher_is_better(plan: Plan) -> bool:
    """Say in which direction the ranking metric is better."""
    return catalog.metric(plan.challenge.card.metrics[0].metric).higher_is_better


def _truth(plan: Plan) -> Arrays:
    return plan.source.dataset.development.truth or {}
