"""`harness explain`: retrain the folds that held chosen cases out, and show where their models look.

Models are not stored. The same job, in the same sandbox, gives the same model again, or nearly: how far its
held-out predictions differ from the stored ones is measured and shown with every map. The cases are chosen
here, by their scores; the fold learns which of its held-out cases are asked for, and no score and no label.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cells import moments
from harness.config import ExplainConfig, RunConfig, parse_words
from harness.contracts import ExplainedCase, Failure, FailureKind, Outcome
from harness.errors import UserError
from harness.explained import Explained, folder_of, maps_problem, shape_of, store, words_of
from harness.plan import Plan, changed, fold_jobs, make_plan, prepare_inputs, sandbox_spec
from harness.predictions import case_differences, from_file, halves
from harness.prepare import locked
from harness.progress import open_progress, say
from harness.provenance import provenance
from harness.ragged import inputs_of
from harness.records import RunRecord, load, load_all
from harness.run import checked, run_fold
from harness.sandbox import shared_sandbox

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays, SandboxSpec, ScorerUnit
    from harness.prepare import Store

__all__ = ["Choice", "chosen_rows", "differs", "explain"]

RUN_ID = re.compile(r"\w[\w.\-]*")
ROLE = re.compile(r"(worst|median|best):(\d{1,6})")
MOST_CASES = 24
"""In one command; each is two pictures or more on the page."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A run, its plan, and what is asked of it."""

    record: RunRecord
    plan: Plan
    predictions: Arrays
    """Out-of-fold, in the order of the development set."""
    order: Array | None
    """The rows, the worst first; None where the scorer has no order of cases."""
    rows: dict[int, list[int]]
    """By fold, the rows that have no map yet."""


def explain(config: ExplainConfig, words: Sequence[str]) -> tuple[RunRecord, dict[int, Failure]]:
    """Store the maps of the chosen cases; return the run's record and why folds have none.

    What is stored stands: the same command does nothing new, another adds cases.

    Raises:
        UserError: for a run or a case that is not there, or a run that cannot be trained again as it was.
    """
    record = find_run(config.runs, config.run)
    plan = plan_of(config, record, words)
    with locked(plan.cells / f".explain-{record.key[:16]}.lock", "Waiting for another explanation to end."):
        choice = choose(config, record, plan)
        failures = train(choice) if choice.rows else {}
    return record, failures


# --------------------------------------------------------------------------------------------- the run
def find_run(runs: Path, run_id: str) -> RunRecord:
    """Return the record of a run whose model can be trained again.

    Raises:
        UserError: no such run, one of a prediction file, or one that is not complete.
    """
    paths = sorted(runs.glob(f"*/{run_id}/record.json")) if RUN_ID.fullmatch(run_id) else []
    if not paths:
        newest = sorted({path.parent.name for path in runs.glob("*/[!.]*/record.json")})[-5:]
        raise UserError(f"No run {run_id!r} in {runs}. The newest: {', '.join(newest) or 'none'}.")
    record = load(paths[0].parent)
    if record.entry.route != "code" or record.state != "complete":
        what = "failed" if record.entry.route == "code" else f"is a {record.entry.route}, not a model"
        raise UserError(
            f"Run {run_id} {what}, so there is nothing to explain. Name a complete run of a code entry."
        )
    return record


def plan_of(config: ExplainConfig, record: RunRecord, words: Sequence[str]) -> Plan:
    """Return the plan by which the run was trained, read from its own command.

    Raises:
        UserError: if code, data or isolation have changed since.
    """
    places: dict[str, Any] = {
        name: getattr(config, name) for name in ("store", "data") if name in config.model_fields_set
    }
    trained = parse_words(RunConfig, run_words(config.runs, record))
    plan = make_plan(trained.model_copy(update={"runs": config.runs, "site": config.site, **places}), words)
    for cell in record.first_cells:
        if plan_of_fold(plan, record, cell.fold).keys[cell.fold] != cell.key:
            raise UserError(f"Run {record.run_id} cannot be trained again: {_what_changed(plan, record)}.")
    return plan


def run_words(runs: Path, record: RunRecord) -> list[str]:
    """Return the words of the `harness run` that trained a record's folds; one scored later has its own."""
    keys = [cell.key for cell in record.first_cells]
    for found in (record, *load_all(runs, record.challenge.name)):
        given = shlex.split(found.command)
        if given[:2] == ["harness", "run"] and [cell.key for cell in found.first_cells] == keys:
            return given[2:]
    raise UserError(f"Run {record.run_id} was scored from another run, whose record is not in {runs}.")


def plan_of_fold(plan: Plan, record: RunRecord, fold: int) -> Plan:
    """Return the plan with the settings of one fold's model; in a nested sweep each has its own."""
    if record.sweep is not None and record.sweep.nested:
        from harness.search import tuned

        return tuned(plan, record.sweep.best[fold])
    return changed(plan, settings=record.entry.settings)


def _what_changed(plan: Plan, record: RunRecord) -> str:
    data = plan.source.root
    if plan.fingerprint != record.data.fingerprint:
        return f"it was trained on other data than lie in {data} now. Type data=/path/to/its data"
    if plan.submission.digest != record.entry.digest:
        return f"the files of {plan.submission.name} have changed since. Run it again, then explain that run"
    if plan.isolation.value != record.isolation:
        return f"it ran under isolation {record.isolation}, and here it would under {plan.isolation.value}"
    return (
        "the harness or the challenge's training code has changed since. Run it again, then explain that run"
    )


# ------------------------------------------------------------------------------------------ the cases
def choose(config: ExplainConfig, record: RunRecord, plan: Plan) -> Choice:
    """Return which cases of which folds are to be explained.

    Raises:
        UserError: for a case that is none of the development set's, or that another fold held out.
    """
    cases = plan.source.dataset.development
    predictions = from_file(config.runs / record.challenge.name / record.run_id / "predictions" / "cv.npz")
    order = order_of(plan.challenge.scorer, cases.truth or {}, predictions, cases.ids)
    fold_of = {int(row): fold.index for fold in plan.folds for row in fold.heldout}
    if config.fold is not None and config.fold >= len(plan.folds):
        raise UserError(
            f"Run {record.run_id} has the folds 0 to {len(plan.folds) - 1}, but got fold={config.fold}."
        )
    allowed = [row for row in fold_of if config.fold in (None, fold_of[row])]
    rows = chosen_rows(config.cases, cases.ids, order, set(allowed), known_test=plan.source.dataset.test.ids)
    cells = {cell.fold: cell.key for cell in record.first_cells}
    wanted: dict[int, list[int]] = {}
    for row in rows:
        cell = cells[fold_of[row]]
        if not folder_of(config.runs, record.challenge.name, cell, cases.ids[row]).is_dir():
            wanted.setdefault(fold_of[row], []).append(row)
    new = sum(map(len, wanted.values()))
    if new < len(rows):
        say(f"Already explained: {len(rows) - new} of {counted(len(rows), 'case')}.")
    return Choice(record, plan, predictions, order, dict(sorted(wanted.items())))


def order_of(scorer: ScorerUnit, truth: Arrays, predictions: Arrays, ids: Sequence[str]) -> Array | None:
    """Return the rows of the cases, the worst first, by what each adds to the ranking metric.

    Ties are broken by the distance to the truth, then by case id; a case that adds nothing comes last.
    None where the scorer has no `ranking_parts`, or they are undefined.
    """
    parts_of: Callable[[Arrays, Arrays], Array] | None = getattr(scorer, "ranking_parts", None)
    parts = np.asarray(parts_of(truth, predictions), dtype=np.float64) if parts_of is not None else None
    if parts is None or parts.shape != (len(ids),) or np.isnan(parts).all():
        return None
    shared = [
        key
        for key in predictions
        if key in truth and predictions[key].shape == truth[key].shape == parts.shape
    ]
    distance = np.zeros(len(ids))
    for key in (key for key in shared[:1] if truth[key].dtype.kind in "biuf"):
        distance = np.abs(predictions[key] - truth[key].astype(np.float64))
    rank_of_id = np.argsort(np.argsort(np.array(ids, dtype=object), kind="stable"), kind="stable")
    return np.lexsort((rank_of_id, -distance, parts))  # NaN is sorted last


def chosen_rows(
    wanted: str, ids: Sequence[str], order: Array | None, allowed: set[int], known_test: Sequence[str] = ()
) -> list[int]:
    """Return the rows that a word names: case ids, or worst:3, median:3, best:3, among those allowed.

    Raises:
        UserError: for an unknown case, a case that is not allowed, or too many.
    """
    found: list[int] = []
    row_of = {case: row for row, case in enumerate(ids)}
    for word in filter(None, (part.strip() for part in wanted.split(","))):
        role = ROLE.fullmatch(word)
        if word in row_of:
            found += [_allowed(word, row_of[word], allowed)]
        elif role:
            found += _by_role(role[1], int(role[2]), order, allowed)
        else:
            raise UserError(_unknown_case(word, known_test))
    rows = list(dict.fromkeys(found))
    if not rows or len(rows) > MOST_CASES:
        raise UserError(
            f"cases={wanted:.60} names {len(rows)} cases, but 1 to {MOST_CASES} can be explained at once."
        )
    return rows


def _allowed(case: str, row: int, allowed: set[int]) -> int:
    if row not in allowed:
        raise UserError(f"Case {case!r} was held out by another fold. Leave fold= out.")
    return row


def _unknown_case(word: str, known_test: Sequence[str]) -> str:
    if word in known_test:
        return f"Case {word!r} is of the test set, which stays sealed. Name cases of the development set."
    return (
        f"No case {word[:100]!r} in the development set. Type cases=ID,ID or cases=worst:3, median:3, best:3."
    )


def _by_role(role: str, n: int, order: Array | None, allowed: set[int]) -> list[int]:
    if order is None:
        raise UserError(
            f"This challenge's scorer has no order of cases, so {role}:{n} is not known. Type cases=ID,ID."
        )
    rows = [int(row) for row in order if int(row) in allowed]
    first = {"worst": 0, "best": max(0, len(rows) - n), "median": max(0, (len(rows) - n) // 2)}[role]
    part = rows[first : first + n]
    return part[::-1] if role == "best" else part


# ------------------------------------------------------------------------------------------- training
def train(choice: Choice) -> dict[int, Failure]:
    """Retrain each fold and store its maps; return why folds have none."""
    plan = choice.plan
    n = sum(map(len, choice.rows.values()))
    say(
        f"{plan.submission.name}: {counted(n, 'case')} to explain, "
        f"{counted(len(choice.rows), 'fold')} to train again, "
        f"isolation {plan.isolation.value}"
    )
    inputs = prepare_inputs(plan_of_fold(plan, choice.record, 0))
    spec = sandbox_spec(plan, inputs)
    failures: dict[int, Failure] = {}
    try:
        with open_progress(len(choice.rows)) as progress:
            for fold, rows in choice.rows.items():
                outcome, maps = explain_fold(choice, inputs, spec, fold, partial(progress.event, fold))
                failure = outcome.failure or keep(choice, inputs, fold, outcome, maps)
                if failure is not None:
                    failures[fold] = failure
                    progress.done(fold, f"FAILED ({failure.kind.value}): {failure.reason}")
                else:
                    progress.done(fold, f"{counted(len(rows), 'case')} explained in {outcome.seconds:.1f} s")
    finally:
        shared_sandbox(spec).close()
    return failures


def explain_fold(
    choice: Choice, store_: Store, spec: SandboxSpec, fold: int, on_event: Callable[[dict[str, Any]], None]
) -> tuple[Outcome, list[Array]]:
    """Train one fold again in its own isolated process; return what it predicts, checked, and its maps."""
    plan = plan_of_fold(choice.plan, choice.record, fold)
    job = fold_jobs(plan, store_, [fold])[fold]
    asked = tuple(ExplainedCase(row, map_shape(choice, store_, row)) for row in choice.rows[fold])
    job = dataclasses.replace(job, explained=asked)
    n_test = len(plan.source.dataset.test.cases)
    outcome = run_fold(job, spec, plan.limits, n_test, on_event)
    if outcome.failure is not None and outcome.failure.kind is FailureKind.SANDBOX:
        raise UserError(f"Fold {fold} could not be started: {outcome.failure.reason}. Type: harness doctor")
    if outcome.arrays is None:
        return outcome, []
    maps = [outcome.arrays.pop(f"map/{number}") for number in range(len(asked))]
    return checked(plan, fold, outcome), maps


def counted(n: int, what: str) -> str:
    """Return "1 case" or "2 cases"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def map_shape(choice: Choice, store_: Store, row: int) -> tuple[int, ...]:
    """Return the shape of a case's map.

    Raises:
        UserError: if the case has no image to lay it on.
    """
    try:
        return shape_of(choice.plan.challenge, inputs_at(store_, row))
    except ValueError as error:
        case = choice.plan.source.dataset.development.ids[row]
        raise UserError(f"Case {case!r} cannot be explained: {error}. Name a case with an image.") from None


def inputs_at(store_: Store, row: int) -> dict[str, Array]:
    """Return one development case's inputs."""
    return {name: np.asarray(values[row]) for name, values in inputs_of(store_.development).items()}


def keep(choice: Choice, store_: Store, fold: int, outcome: Outcome, maps: Sequence[Array]) -> Failure | None:
    """Store a fold's maps, or return why none of them is kept."""
    plan, rows = choice.plan, choice.rows[fold]
    development = plan.source.dataset.development
    problems = [maps_problem(raw, development.ids[row]) for raw, row in zip(maps, rows, strict=True)]
    if any(problems):
        return Failure(FailureKind.PREDICTIONS, next(filter(None, problems)))
    heldout = plan.folds[fold].heldout
    again = halves(outcome.arrays or {})[0]
    stored = {name: values[heldout] for name, values in choice.predictions.items()}
    positions = {} if choice.order is None else {int(row): k for k, row in enumerate(choice.order)}
    for raw, row in zip(maps, rows, strict=True):
        facts = Explained(
            case=development.ids[row],
            fold=fold,
            run=choice.record.run_id,
            cell=next(cell.key for cell in choice.record.first_cells if cell.fold == fold),
            position=positions.get(row),
            n_cases=len(development.cases),
            **words_of(plan.challenge.scorer, development.truth or {}, choice.predictions, row),
            differs=differs(stored, again),
            n_compared=len(heldout),
            seconds=outcome.seconds,
            finished=moments()[1],
            command=shlex.join(["harness", "explain", *plan.words]),
            provenance=provenance({"run": plan.config.seed}),
        )
        store(plan.config.runs, plan.challenge, inputs_at(store_, row), raw, facts)
    return None


def differs(stored: Mapping[str, Array], again: Mapping[str, Array]) -> float | None:
    """Return by how much two models' predictions of the same cases differ at most, over the keys of both.

    Label maps differ by the largest share of a case's voxels. None if no key is in both.
    """
    found = [case_differences(stored[key], again[key]).max(initial=0.0) for key in stored if key in again]
    return float(max(found)) if found else None
