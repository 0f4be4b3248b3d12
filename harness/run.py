"""`harness run`: train every fold in isolation, join the truth, write the record.

Whoever reads `run` has read the system.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import catalog
from harness.cells import StoredCell, load_cell, store_cell
from harness.compose import write_record, write_references
from harness.config import RunConfig
from harness.contracts import Failure, FailureKind, FoldJob, Limits, Outcome, SandboxSpec
from harness.errors import UserError
from harness.plan import ENTRY, Plan, fold_jobs, further_plans, make_plan, prepare_inputs, sandbox_spec
from harness.predictions import check, expected_results, gathered, halves
from harness.prepare import Store, locked
from harness.progress import Progress, open_progress, say
from harness.records import RunRecord, load_all
from harness.sandbox import shared_sandbox
from harness.seeds import SeedRun, seeds_in
from harness.tracking import Tracker, tracker_of

__all__ = ["run", "run_fold"]


def run(config: RunConfig, words: Sequence[str]) -> RunRecord:
    """Train and score one entry; what is already done is not done again.

    Raises:
        UserError: for every mistake that can be seen before training.
        KeyboardInterrupt: when stopped; finished folds are kept.
    """
    plan = make_plan(config, words)
    announce(plan)
    with locked(plan.cells / f".{plan.key[:16]}.lock", "Waiting for another run of the same entry to end."):
        finished = already_done(plan)
        if finished is None:
            failures, further = train(plan)
            finished = write_record(plan, stored(plan), failures, further=further)
    write_references(plan.challenge, plan.source, plan.fingerprint, config.runs)
    return finished


def announce(plan: Plan) -> None:
    """Say in a few lines what will be done, on which data, under which isolation."""
    data = plan.source.dataset
    if plan.source.phantom:
        say(
            f"No data given: using phantom patients. For the real ones type "
            f"data=/path/to/{plan.challenge.card.data_folder}"
        )
    say(
        f"{plan.challenge.name} · {plan.submission.name}: {len(data.development.cases)} development and "
        f"{len(data.test.cases)} test cases, {len(plan.folds)} folds{_with_seeds(plan)}, "
        f"{plan.jobs} at once, isolation {plan.isolation.value}"
    )


def _with_seeds(plan: Plan) -> str:
    return f" with {plan.config.seeds} seeds each" if plan.config.seeds > 1 else ""


def already_done(plan: Plan) -> RunRecord | None:
    """Return the complete record of this very computation, of no fewer seeds, if it is its entry's newest."""
    who = (plan.submission.name, plan.submission.card.team, plan.overrides, plan.fingerprint)
    records = [
        record
        for record in load_all(plan.config.runs, plan.challenge.name)
        if (record.entry.name, record.entry.team, record.entry.overrides, record.data.fingerprint) == who
        and record.entry.route == "code"
    ]
    newest = max(records, key=lambda record: record.finished, default=None)
    if newest is None or newest.key != plan.key or newest.state != "complete":
        return None
    if seeds_in(newest) < plan.config.seeds:
        return None
    say(f"Already done: run {newest.run_id} stands.")
    return newest


def stored(plan: Plan) -> dict[int, StoredCell]:
    """Return the folds that are done."""
    cells = {fold.index: load_cell(plan.cells / key) for fold, key in zip(plan.folds, plan.keys, strict=True)}
    return {index: cell for index, cell in cells.items() if cell is not None}


@dataclass(frozen=True, slots=True)
class Floor:
    """Where folds are trained: the prepared store, the sandbox and its executor."""

    store: Store
    spec: SandboxSpec
    pool: Executor


def train(plan: Plan) -> tuple[dict[int, Outcome], tuple[SeedRun, ...]]:
    """Train the folds that are not done, seed after seed.

    Returns:
        The failures of the first seed, and the further seeds with theirs: those that were trained, for where
        the first is not whole there is no score whose luck could be told.
    """
    plans = (plan, *further_plans(plan))
    pending = [pending_of(seed) for seed in plans]
    total, left = len(plans) * len(plan.folds), sum(map(len, pending))
    if left < total:
        say(f"{total - left} of {total} folds are already done.")
    if not left:
        return {}, tuple(SeedRun(seed, stored(seed), {}) for seed in plans[1:])
    with open_floor(plan) as floor:
        failures = train_on(floor, plan, pending[0])
        if failures:
            return failures, ()
        return {}, tuple(
            train_seed(floor, seed, todo) for seed, todo in zip(plans[1:], pending[1:], strict=True)
        )


def train_seed(floor: Floor, plan: Plan, pending: Sequence[int]) -> SeedRun:
    """Train a further seed's folds; a failure ends neither its other folds nor the other seeds."""
    if pending:
        say(f"Seed {plan.config.seed}:")
    failures = train_on(floor, plan, pending)
    return SeedRun(plan, stored(plan), failures)


def pending_of(plan: Plan) -> list[int]:
    """Return the folds that are not stored."""
    return [fold.index for fold in plan.folds if not (plan.cells / plan.keys[fold.index]).is_dir()]


def train_on(floor: Floor, plan: Plan, pending: Sequence[int]) -> dict[int, Outcome]:
    """Train these folds; return the failures with their logs."""
    failures: dict[int, Outcome] = {}
    if not pending:
        return failures
    tracker = tracker_of(plan)
    with open_progress(len(pending)) as progress:
        jobs = fold_jobs(plan, floor.store, pending)
        waiting = submit(floor, plan, jobs, reporter(progress, tracker))
        for future in as_completed(waiting):
            index = waiting[future]
            outcome = checked(plan, index, future.result())
            tracker.finish(index, outcome)
            settle(plan, index, outcome, failures, progress)
    return failures


def settle(
    plan: Plan, index: int, outcome: Outcome, failures: dict[int, Outcome], progress: Progress
) -> None:
    """Store what is done; keep what failed.

    Raises:
        UserError: if the isolation did not work here, which is no fault of the entry.
    """
    failure = kept(plan, index, outcome)
    if failure is None:
        progress.done(index, f"done in {outcome.seconds:.1f} s")
    else:
        failures[index] = outcome
        progress.done(index, f"FAILED ({failure.kind.value}): {failure.reason}")


def kept(plan: Plan, index: int, outcome: Outcome) -> Failure | None:
    """Store a fold that is done; return why it is not.

    Raises:
        UserError: if the isolation did not work here, which is no fault of the entry.
    """
    if outcome.failure is None:
        store_cell(plan.cells / plan.keys[index], outcome)
    elif outcome.failure.kind is FailureKind.SANDBOX:
        raise UserError(
            f"Fold {index} could not be started: {outcome.failure.reason}. What is done is kept. "
            "Type: harness doctor"
        )
    return outcome.failure


@contextmanager
def open_floor(plan: Plan) -> Iterator[Floor]:
    """Prepare the inputs and yield where to train; when left in haste, every sandbox is closed first."""
    store = prepare_inputs(plan)
    spec = sandbox_spec(plan, store)
    unit = catalog.executor(plan.config.executor)
    local = shared_sandbox(spec) if unit.SHARES_MEMORY else None
    if local is not None:
        local.start()
    pool = unit.open(plan.jobs)
    try:
        yield Floor(store, spec, pool)
    except BaseException:
        if local is not None:
            local.close()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    if local is not None:
        local.close()


Report = Callable[[int], Callable[[dict[str, Any]], None]]


def reporter(progress: Progress, tracker: Tracker) -> Report:
    """Return what makes a fold's event handler."""

    def of(index: int) -> Callable[[dict[str, Any]], None]:
        def on_event(event: dict[str, Any]) -> None:
            progress.event(index, event)
            tracker.event(index, event)

        return on_event

    return of


def submit(
    floor: Floor, plan: Plan, jobs: Mapping[int, FoldJob], report: Report
) -> dict[Future[Outcome], int]:
    """Hand the jobs to the executor."""
    shares_memory = catalog.executor(plan.config.executor).SHARES_MEMORY
    n_test = len(plan.source.dataset.test.cases)
    return {
        floor.pool.submit(
            run_fold, job, floor.spec, plan.limits, n_test, report(i) if shares_memory else None
        ): i
        for i, job in jobs.items()
    }


def run_fold(
    job: FoldJob,
    spec: SandboxSpec,
    limits: Limits,
    n_test: int,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> Outcome:
    """Run one fold in its own isolated process; idempotent, so that an executor may repeat it."""
    expected = expected_results(job.spec, len(job.heldout), n_test, grids_of(job))
    expected |= {f"map/{number}": (case.shape, "float") for number, case in enumerate(job.explained)}
    outcome = shared_sandbox(spec).run(ENTRY, pickle.dumps(job), expected, limits, on_event)
    if outcome.arrays is None:
        return outcome
    return dataclasses.replace(outcome, arrays=gathered(outcome.arrays, job.spec))


def grids_of(job: FoldJob) -> dict[str, dict[str, list[tuple[int, ...]]]]:
    """Return the shapes of the label maps that a fold must send back, by half and prediction."""
    found: dict[str, dict[str, list[tuple[int, ...]]]] = {"heldout": {}, "test": {}}
    for key, wanted in job.spec.items():
        for half, folder in (("heldout", job.development), ("test", job.test)):
            path = Path(folder) / f"{wanted.grid}.npy"
            if wanted.grid and path.is_file():
                shapes = np.load(path)[job.heldout] if half == "heldout" else np.load(path)
                found[half][key] = [tuple(row) for row in shapes.tolist()]
    return found


def checked(plan: Plan, index: int, outcome: Outcome) -> Outcome:
    """Return the outcome with its predictions checked case by case."""
    if outcome.arrays is None:
        return outcome
    data, spec = plan.source.dataset, plan.challenge.scorer.PREDICTIONS
    ids = data.development.ids
    heldout, test = halves(outcome.arrays)
    kept: dict[str, Any] = {}
    for half, arrays, names in (
        ("heldout", heldout, [ids[row] for row in plan.folds[index].heldout]),
        ("test", test, list(data.test.ids)),
    ):
        good, failure = check(arrays, spec, names)
        if failure is not None:
            return Outcome(
                None, failure, outcome.log, outcome.seconds, outcome.peak_memory_bytes, outcome.events
            )
        kept |= {f"{half}/{key}": values for key, values in good.items()}
    return Outcome(kept, None, outcome.log, outcome.seconds, outcome.peak_memory_bytes, outcome.events)
