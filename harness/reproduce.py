"""`harness reproduce`: train a stored run again, from its record, and compare prediction by prediction."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import __version__
from harness.atomic import write_atomic
from harness.cells import StoredCell
from harness.compose import data_facts, now, resamples_of
from harness.config import LoaderConfig, ReproduceConfig, RunConfig, TrainerConfig, merged
from harness.errors import UserError
from harness.plan import Plan, changed, make_plan
from harness.predictions import case_differences
from harness.prepare import locked
from harness.records import Half, RunRecord, dump, load_named
from harness.reproductions import FOLDER, Reproduction, digest_of_run
from harness.rescore import read_folds, rescored, stored_predictions
from harness.run import announce, open_floor, pending_of, stored, train_on

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays

__all__ = ["Compared", "compare", "reproduce"]

WORK = ".reproducing"


@dataclass(frozen=True, slots=True)
class Compared:
    """Old against new predictions of the same cases."""

    cases: int
    differing: int
    largest: float
    worst: str


def reproduce(config: ReproduceConfig) -> Reproduction:
    """Train a run again, or one fold of it, compare, and write down what was found.

    Raises:
        UserError: no such run, other files, other data, an older scorer, or a fold that fails.
    """
    old = _run_of(config)
    plan, work = _plan(config, old)
    folds = tuple(range(old.n_folds)) if config.fold is None else (config.fold,)
    digests = digest_of_run(config.runs / config.challenge / old.run_id)
    announce(plan)
    with locked(work / ".lock", "Waiting for another reproduction of this run to end."):
        cells = _trained(plan, folds)
        found = _found(config, plan, old, cells, digests)
        name = f"{old.run_id}.{found.finished.replace(':', '').replace('+', 'p')}.json"
        path = config.runs / config.challenge / FOLDER / name
        write_atomic(path, dump(found).encode())
    shutil.rmtree(work, ignore_errors=True)
    return found


def _run_of(config: ReproduceConfig) -> RunRecord:
    old = load_named(config.runs, config.challenge, config.run)
    if old.entry.route != "code" or old.state != "complete":
        raise UserError(f"Run {old.run_id} is no complete run of a code entry: there is nothing to train.")
    if old.sweep is not None and old.sweep.nested:
        raise UserError(f"Run {old.run_id} is a nested search: type its own command to search again.")
    if config.fold is not None and not 0 <= config.fold < old.n_folds:
        raise UserError(f"Run {old.run_id} has the folds 0 to {old.n_folds - 1}, but got fold={config.fold}.")
    return old


def _plan(config: ReproduceConfig, old: RunRecord) -> tuple[Plan, Path]:
    """Return the run as its record says, its folds to be stored apart from those that are done."""
    work = config.runs / config.challenge / f"{WORK}-{old.run_id}"
    given = config.model_dump(exclude_unset=True, exclude={"run", "fold"})
    words = {"submission": old.entry.name, **given, "runs": work, "folds": old.n_folds, "seed": old.seed}
    words["options"] = dict(old.data.options)
    plan = make_plan(RunConfig.model_validate(words), ())
    if plan.submission.digest != old.entry.digest:
        raise UserError(
            f"The files of {plan.submission.name} are not those of run {old.run_id}: digest "
            f"{plan.submission.digest[:10]} instead of {old.entry.digest[:10]}. "
            "Type submission=PATH of the same."
        )
    if plan.fingerprint != old.data.fingerprint:
        raise UserError(
            f"Run {old.run_id} is on data {old.data.fingerprint[:10]}; this is {plan.fingerprint[:10]}. "
            "Type data=PATH, or phantom=smoke."
        )
    _require_same_judge(plan, old)
    used = old.entry.settings
    settings = {
        **used,
        "trainer": merged(TrainerConfig, {}, used["trainer"], "trainer").model_dump(),
        "loader": merged(LoaderConfig, {}, used["loader"], "loader").model_dump(),
    }
    return changed(plan, settings=settings, overrides=old.entry.overrides), work


def _require_same_judge(plan: Plan, old: RunRecord) -> None:
    facts = data_facts(plan.source, plan.fingerprint)
    if old.challenge.digest != plan.challenge.scoring_digest:
        raise UserError(
            f"Run {old.run_id} was scored by another scorer. Type harness rescore challenge="
            f"{plan.challenge.name}, then reproduce the newer record."
        )
    if old.test is not None and old.data.truth_digest not in ("", facts.truth_digest):
        raise UserError(
            f"Run {old.run_id} was scored against another test truth. Type truth=PATH of the same."
        )


def _trained(plan: Plan, folds: tuple[int, ...]) -> dict[int, StoredCell]:
    pending = [index for index in pending_of(plan) if index in folds]
    if pending:
        with open_floor(plan) as floor:
            failures = train_on(floor, plan, pending)
        for index, outcome in sorted(failures.items()):
            reason = outcome.failure.reason if outcome.failure else "no reason given"
            raise UserError(f"Fold {index} failed, so nothing is compared: {reason}")
    return {index: cell for index, cell in stored(plan).items() if index in folds}


def _found(
    config: ReproduceConfig,
    plan: Plan,
    old: RunRecord,
    cells: Mapping[int, StoredCell],
    digests: Mapping[str, str],
) -> Reproduction:
    """Compare what was trained with what is stored."""
    before = stored_predictions(config.runs, old)
    development, test = plan.source.dataset.development, plan.source.dataset.test
    folder = config.runs / config.challenge / old.run_id
    if not np.array_equal(read_folds(folder / "folds.csv", development.ids), _fold_of(plan)):
        raise UserError(f"Run {old.run_id} was trained on other folds than the challenge's.")
    rows = np.sort(np.concatenate([plan.folds[index].heldout for index in cells]))
    after = {"cv": _heldout(plan, cells, before["cv"])}
    old_part = {key: values[rows] for key, values in before["cv"].items()}
    new_part = {key: values[rows] for key, values in after["cv"].items()}
    parts = [compare(old_part, new_part, [development.ids[row] for row in rows])]
    scores = [_change(plan, {k: v[rows] for k, v in (development.truth or {}).items()}, old_part, new_part)]
    if len(cells) == old.n_folds and "test" in before:
        after["test"] = plan.challenge.scorer.combine([cells[i].test for i in sorted(cells)])
        parts.append(compare(before["test"], after["test"], test.ids))
        if test.truth is not None:
            scores.append(_change(plan, test.truth, before["test"], after["test"]))
    worst = max(parts, key=lambda part: part.largest)
    return Reproduction(
        run_id=old.run_id,
        challenge=config.challenge,
        digests=dict(digests),
        submission=plan.submission.digest,
        folds=tuple(sorted(cells)),
        n_folds=old.n_folds,
        cases=sum(part.cases for part in parts),
        differing=sum(part.differing for part in parts),
        largest=worst.largest,
        worst=worst.worst,
        metric=plan.challenge.card.metrics[0].key,
        metric_difference=max(scores),
        stated=_misstated(config, plan, old, before),
        isolation=plan.isolation.value,
        harness=__version__,
        finished=now(),
        seconds=sum(cell.seconds for cell in cells.values()),
    )


def _fold_of(plan: Plan) -> Array:
    found = np.zeros(len(plan.source.dataset.development.cases), dtype=np.int64)
    for fold in plan.folds:
        found[fold.heldout] = fold.index
    return found


def _heldout(plan: Plan, cells: Mapping[int, StoredCell], like: Arrays) -> dict[str, Array]:
    """Return the stored predictions with the new ones of these folds in their places."""
    found = {key: values.copy() for key, values in like.items()}
    for index, cell in cells.items():
        if set(cell.heldout) != set(found):
            raise UserError(f"Fold {index} predicts {sorted(cell.heldout)}, stored are {sorted(found)}.")
        for key, values in cell.heldout.items():
            found[key][plan.folds[index].heldout] = values
    return found


def compare(before: Arrays, after: Arrays, ids: tuple[str, ...] | list[str]) -> Compared:
    """Compare predictions case by case; arrays have the cases as their first axis.

    Raises:
        UserError: if they are not predictions of the same things.
    """
    if set(before) != set(after) or any(len(before[k]) != len(after[k]) for k in before):
        raise UserError(f"Stored are predictions of {sorted(before)}, trained again of {sorted(after)}.")
    by_case = np.zeros(len(ids))
    for key, values in before.items():
        by_case = np.maximum(by_case, case_differences(values, after[key]))
    worst = int(by_case.argmax()) if len(ids) else 0
    largest = float(by_case[worst]) if len(ids) else 0.0
    return Compared(len(ids), int((by_case > 0).sum()), largest, ids[worst] if largest > 0 else "")


def _change(plan: Plan, truth: Arrays, before: Arrays, after: Arrays) -> float:
    """Return by how much the ranking metric differs; 0 where neither has a value."""
    key, scorer = plan.challenge.card.metrics[0].key, plan.challenge.scorer
    old, new = (float(scorer.score(truth, part)[key]) for part in (before, after))
    if np.isnan(old) and np.isnan(new):
        return 0.0
    return abs(old - new) if np.isfinite(old - new) else 1.0


def _misstated(config: ReproduceConfig, plan: Plan, old: RunRecord, predicted: Mapping[str, Arrays]) -> float:
    """Return the largest difference between the record's numbers and those of its stored predictions."""
    source, challenge = plan.source, plan.challenge
    drawn = resamples_of(challenge, source.dataset, predicted)
    true, _ = rescored(old, (), challenge, source, plan.fingerprint, predicted, drawn, config.runs)
    if old.test is not None and true.test is None:
        raise UserError(
            f"Run {old.run_id} has a test score, but {source.root} no test truth. Type truth=PATH."
        )
    halves = [(old.cv, true.cv)] + ([(old.test, true.test)] if old.test is not None else [])
    if any((a is None) != (b is None) or (a and b and set(a.metrics) != set(b.metrics)) for a, b in halves):
        return 1.0
    pairs = [pair for a, b in halves for pair in zip(_numbers(a), _numbers(b), strict=True)]
    seeds, known = _seed_numbers(old), _seed_numbers(true)
    pairs += [(seeds[name], known[name]) for name in seeds.keys() & known.keys()]
    return max((_distance(a, b) for a, b in pairs), default=1.0)


def _numbers(half: Half | None) -> list[float | None]:
    metrics = half.metrics if half is not None else {}
    found = [metrics[key] for key in sorted(metrics)]
    return [number for item in found for number in (item.value, item.low, item.high)]


def _seed_numbers(record: RunRecord) -> dict[tuple[object, ...], float | None]:
    """Return every number of a record's folds and seeds by its name, of those seeds that it knows."""
    found: dict[tuple[object, ...], float | None] = {
        (cell.fold, cell.seed, key): value for cell in record.cells for key, value in cell.metrics.items()
    }
    for score in record.seeds.scores if record.seeds else ():
        found |= {("cv", score.seed, key): value for key, value in score.cv.items()}
        found |= {("test", score.seed, key): value for key, value in score.test.items()}
    return found


def _distance(a: float | None, b: float | None) -> float:
    return (0.0 if a is b else 1.0) if a is None or b is None else abs(a - b)
