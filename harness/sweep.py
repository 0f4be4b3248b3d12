"""`harness run sweep.trials=40`: search the hyperparameters, then enter the best ones.

One trial is a cross-validation on the development set. A nested sweep searches inside each outer fold
instead, so that no held-out case has had a part in the choice of the model that predicts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from harness.cells import key_of
from harness.compose import write_record, write_references
from harness.config import RunConfig
from harness.contracts import Failure, FailureKind, Fold, Outcome
from harness.errors import UserError
from harness.folds import make_folds
from harness.plan import Plan, changed, make_plan, with_keys
from harness.prepare import locked
from harness.progress import open_progress, say
from harness.run import (
    Floor,
    already_done,
    announce,
    open_floor,
    pending_of,
    stored,
    train_on,
)
from harness.search import Search, higher_is_better, tuned
from harness.space import Space, parse_space
from harness.study import begun, best_trial, ended, enqueue_grid, open_study, running_elsewhere
from harness.sweep_record import Searched

if TYPE_CHECKING:
    import optuna

    from harness.records import RunRecord

__all__ = ["sweep"]


def sweep(config: RunConfig, words: Sequence[str]) -> RunRecord:
    """Search, then train and score the best hyperparameters as the entry; what is done is not done again.

    Raises:
        UserError: for every mistake that can be seen before training.
        KeyboardInterrupt: when stopped; finished folds and trials are kept.
    """
    plan = make_plan(config, words)
    space = parse_space(plan.submission.card.space, config.sweep.space)
    refuse_contradictions(plan, space)
    announce(plan)
    key = sweep_key(plan, space)
    named = replace(plan, overrides=tuple(sorted([*plan.overrides, *overrides_of(config)])))
    lock = plan.cells / f".sweep-{key[:16]}.lock"
    with locked(lock, "Waiting for another sweep of the same entry to end."):
        finished = (nested if config.sweep.nested else flat)(with_keys(named, plan.keys), space, key)
    write_references(plan.challenge, plan.source, plan.fingerprint, config.runs)
    return finished


def refuse_contradictions(plan: Plan, space: Space) -> None:
    """Refuse a space that names what the entry does not have, or what a word has fixed.

    Raises:
        UserError: naming the word.
    """
    for name in space.texts():
        group, _, key = name.partition(".")
        if key in getattr(plan.config, group):
            raise UserError(
                f"{name} is both given and searched. Leave out {name}=, or type sweep.space.{name}=none"
            )
    tuned(plan, space.example())
    if plan.config.sweep.sampler == "grid":
        space.grid()


def sweep_key(plan: Plan, space: Space) -> str:
    """Return what identifies a search; the number of trials does not, so that more may be added."""
    asked, first = plan.config.sweep, plan.challenge.card.metrics[0]
    words = [asked.sampler, asked.pruner, asked.p, asked.nested, asked.inner_folds if asked.nested else None]
    goal = [first.key, first.metric, higher_is_better(plan), plan.challenge.scoring_digest]
    return key_of(["sweep", plan.keys, asdict(plan.limits), plan.config.seed, space.texts(), words, goal])


def overrides_of(config: RunConfig) -> list[str]:
    """Return the words by which the board knows this search."""
    asked = config.sweep.model_dump(exclude_defaults=True, exclude={"space", "storage"})
    words = [f"sweep.{name}={value}" for name, value in asked.items()]
    return words + [f"sweep.space.{name}={text}" for name, text in config.sweep.space.items()]


# ------------------------------------------------------------------------------- the two protocols
def flat(plan: Plan, space: Space, key: str) -> RunRecord:
    """Search on the challenge's own folds, and enter the best trial."""
    with open_floor(plan) as floor:
        study = search(floor, plan, space, key)
        best = best_trial(study)
        searched = Searched(space, (study,), (dict(best.params) if best else {},))
        if best is None:
            return write_record(plan, {}, no_success(study, range(len(plan.folds))), searched)
        final = tuned(plan, best.params)
        # Stored already, unless the best trial ran on another machine.
        failures = train_on(floor, final, pending_of(final))
    finished = already_done(final)
    return finished if finished is not None else write_record(final, stored(final), failures, searched)


def nested(plan: Plan, space: Space, key: str) -> RunRecord:
    """Search inside each outer fold's training part, and enter the model that each search chose."""
    studies: list[optuna.Study] = []
    chosen: list[dict[str, Any]] = []
    keys: list[str] = []
    failures: dict[int, Outcome] = {}
    with open_floor(plan) as floor:
        for fold in plan.folds:
            say(f"Outer fold {fold.index} of {len(plan.folds)}:")
            inside = changed(plan, folds=inner_folds(plan, fold))
            study = search(floor, inside, space, f"{key[:16]}-{fold.index}")
            best = best_trial(study)
            outer = tuned(plan, best.params) if best is not None else plan
            if best is None:
                failures |= no_success(study, [fold.index])
            elif fold.index in pending_of(outer):
                failures |= train_on(floor, outer, [fold.index])
            studies.append(study)
            chosen.append(dict(best.params) if best is not None else {})
            keys.append(outer.keys[fold.index])
    final = with_keys(plan, tuple(keys))
    finished = already_done(final)
    if finished is not None:
        return finished
    cells = {index: cell for index, cell in stored(final).items() if index not in failures}
    return write_record(final, cells, failures, Searched(space, tuple(studies), tuple(chosen)))


def inner_folds(plan: Plan, fold: Fold) -> tuple[Fold, ...]:
    """Divide an outer fold's training patients, grouped and stratified as the challenge's own folds are."""
    development = plan.source.dataset.development
    cases = [development.cases[row] for row in fold.train]
    strata = plan.challenge.data.strata({k: v[fold.train] for k, v in (development.truth or {}).items()})
    inner = make_folds(cases, strata, plan.config.sweep.inner_folds, seed=0)
    return tuple(Fold(part.index, fold.train[part.train], fold.train[part.heldout]) for part in inner)


# ------------------------------------------------------------------------------------- one search
def search(floor: Floor, plan: Plan, space: Space, key: str) -> optuna.Study:
    """Run one search to its end, going on where it was stopped."""
    asked = plan.config.sweep
    folder = plan.config.runs / plan.challenge.name / ".sweeps" / key[:32]
    name = f"{plan.challenge.name}-{plan.submission.name}-{key[:32]}"
    study = open_study(asked.storage, folder, name, maximize=higher_is_better(plan))
    trials = asked.trials or 0
    if asked.sampler == "grid":
        trials = enqueue_grid(study, space, plan.config.seed, asked.trials)
    done = begun(study)
    if done > trials:
        raise UserError(f"{done} trials of this sweep were begun before. Type sweep.trials={done} or more.")
    if done:
        say(f"The sweep goes on: {done} of {trials} trials were begun.")
    with open_progress(trials, "trial", ended(study)) as progress:
        Search(plan, space, study, trials, floor, progress).run()
    elsewhere = running_elsewhere(study)
    if elsewhere:
        raise UserError(
            f"Trials {', '.join(map(str, elsewhere))} are at work elsewhere, or lost with their machine. "
            "Type the same again when they have ended, or with another sweep.storage if they never will."
        )
    return study


def no_success(study: optuna.Study, folds: Sequence[int]) -> dict[int, Outcome]:
    """Return the failure of folds for which no trial was complete."""
    reasons = [str(trial.user_attrs.get("reason")) for trial in study.get_trials(deepcopy=False)]
    first = next((reason for reason in reasons if reason != "None"), "no trial was begun")
    failure = Failure(FailureKind.ERROR, f"none of {len(reasons)} trials was complete; the first: {first}")
    return {index: Outcome(None, failure, "", 0.0, 0) for index in folds}
