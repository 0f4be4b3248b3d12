"""`harness rescore`: every stored run of a challenge scored again from its stored predictions.

After a change of metric, scorer or test truth. Nothing is trained and the old records stay: beside each, a
record of today's numbers is added, with the run that it comes from as its `origin`.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import catalog
from harness.cells import key_of
from harness.compose import (
    challenge_facts,
    data_facts,
    has_resamples,
    now,
    resamples_of,
    run_id,
    truth_key,
    write_files,
    write_references,
)
from harness.config import RescoreConfig
from harness.contracts import CaseSet, Fold
from harness.errors import UserError
from harness.predictions import check, from_file
from harness.prepare import digests_of, fingerprint, locked
from harness.progress import say
from harness.records import Half, RunRecord, SeedScore, SweepFacts, load_all
from harness.scoring import fold_metrics, score_half
from harness.seeds import own_score, scored_again, seed_facts, seeds_in
from harness.source import Source, open_source

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.contracts import Array, Arrays
    from harness.resamples import Resamples

__all__ = ["Done", "kept_files", "rescore", "rescored", "scoring_key", "stored_predictions"]

HALVES = ("cv", "test")


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """What came of scoring a challenge's runs again."""

    fingerprint: str
    written: tuple[RunRecord, ...]
    current: int
    """Runs that today's scorer and truth had scored already."""
    elsewhere: int
    """Runs on other data."""
    bare: int
    """Runs without predictions: failed ones."""


def rescore(config: RescoreConfig, words: Sequence[str]) -> Done:
    """Score every stored run on this data again.

    Raises:
        UserError: no test truth where a run has a test score; predictions that are not of these cases.
    """
    challenge = catalog.challenge(config.challenge, config.options)
    source = open_source(challenge, config)
    data = fingerprint(source.dataset, digests_of(source.dataset), source.options)
    with locked(config.runs / challenge.name / ".rescore.lock", "Waiting for another rescore to end."):
        known = load_all(config.runs, challenge.name)
        groups = _by_origin([r for r in known if r.data.fingerprint == data and r.entry.route != "reference"])
        _require_truth(groups, source)
        today = (challenge.scoring_digest, data_facts(source, data).truth_digest)
        whole = {run.run_id for run in known if has_resamples(config.runs, run)}
        fresh = [any(_made_with(r) == today and r.run_id in whole for r in runs) for runs in groups]
        old = [runs[-1] for runs, done in zip(groups, fresh, strict=True) if not done]
        bare = [run for run in old if not stored_predictions(config.runs, run)]
        written = [_one(config.runs, run, words, challenge, source, data) for run in old if run not in bare]
    write_references(challenge, source, data, config.runs)
    elsewhere = sum(r.data.fingerprint != data and r.entry.route != "reference" for r in known)
    return Done(data, tuple(written), len(groups) - len(old), elsewhere, len(bare))


def _by_origin(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Return the records of each set of stored predictions, oldest first."""
    groups: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda record: (record.finished, record.run_id)):
        groups.setdefault(record.origin or record.run_id, []).append(record)
    return list(groups.values())


def _made_with(record: RunRecord) -> tuple[str, str]:
    return record.challenge.digest, record.data.truth_digest


def _require_truth(groups: Sequence[Sequence[RunRecord]], source: Source) -> None:
    tested = sum(any(run.test is not None for run in runs) for runs in groups)
    if tested and source.dataset.test.truth is None:
        raise UserError(
            f"{source.root} holds no test truth, but {tested} runs have test scores. "
            "Type truth=/path/to/the/truth file."
        )


def _one(
    runs: Path, old: RunRecord, words: Sequence[str], challenge: Challenge, source: Source, data: str
) -> RunRecord:
    predicted = {
        half: _checked(old, half, arrays, challenge, source)
        for half, arrays in stored_predictions(runs, old).items()
    }
    drawn = resamples_of(challenge, source.dataset, predicted)
    record, folds = rescored(old, ["rescore", *words], challenge, source, data, predicted, drawn, runs)
    kept = kept_files(runs, record)
    write_files(runs, record, challenge, source.dataset, predicted, folds, drawn=drawn, **kept)
    lost = seeds_in(record) < seeds_in(old)
    say(f"Scored again: {old.run_id}{', without the seeds whose folds are not stored here' if lost else ''}")
    return record


def _checked(
    old: RunRecord, half: str, arrays: Arrays, challenge: Challenge, source: Source
) -> dict[str, Array]:
    """Return stored predictions in the types of the spec.

    Raises:
        UserError: if they are not of these cases.
    """
    cases: CaseSet = source.dataset.development if half == "cv" else source.dataset.test
    spec = {key: item for key, item in challenge.scorer.PREDICTIONS.items() if key in arrays}
    missing = [k for k, item in challenge.scorer.PREDICTIONS.items() if item.required and k not in arrays]
    if missing or any(len(arrays[key]) != len(cases.cases) for key in spec):
        what = f"lack {missing[0]!r}" if missing else f"are not of {len(cases.cases)} cases"
        raise UserError(f"The stored {half} predictions of run {old.run_id} {what}. Move its folder away.")
    kept, failure = check(arrays, spec, cases.ids)
    if failure is not None:
        raise UserError(f"The stored {half} predictions of run {old.run_id}: {failure.reason}")
    return kept


def stored_predictions(runs: Path, record: RunRecord) -> dict[str, dict[str, Array]]:
    """Return the predictions that lie with a run, by half."""
    folder = runs / record.challenge.name / record.run_id / "predictions"
    paths = {half: folder / f"{half}.npz" for half in ("cv", "test")}
    return {half: from_file(path) for half, path in paths.items() if path.is_file()}


def scoring_key(challenge: Challenge, source: Source, data: str) -> list[str]:
    """Return what identifies how predictions are scored: scorer, data and test truth."""
    return [challenge.name, challenge.scoring_digest, data, *truth_key(source.dataset)]


def kept_files(runs: Path, record: RunRecord) -> dict[str, Any]:
    """Return what a record of new scores keeps of its origin's folder, by `write_files`' words."""
    folder = runs / record.challenge.name / record.origin
    if not record.origin or not folder.is_dir():
        return {}
    logs = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "log").glob("*.txt")}
    figures, installed = folder / "sweep_figures.json", folder / "environment.txt"
    return {
        "logs": logs,
        "figures": json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else None,
        "installed": installed.read_text(encoding="utf-8") if installed.is_file() else None,
    }


def rescored(
    old: RunRecord,
    words: Sequence[str],
    challenge: Challenge,
    source: Source,
    data: str,
    predicted: Mapping[str, Arrays],
    drawn: Mapping[str, Resamples],
    runs: Path,
) -> tuple[RunRecord, dict[int, int] | None]:
    """Return the record with every number computed again by today's scorer, and its folds.

    `drawn` holds the resamples of each predicted half whose truth is known.
    """
    development, test = source.dataset.development, source.dataset.test
    moment, truth = now(), development.truth or {}
    key = key_of(["run", old.origin or old.run_id, *scoring_key(challenge, source, data)])
    path, cells, folds = runs / challenge.name / old.run_id / "folds.csv", old.cells, None
    seeds: list[SeedScore] = []
    if "cv" in predicted and path.is_file():
        fold_of = read_folds(path, development.ids)
        folds = dict(enumerate(fold_of.tolist()))
        first = [
            dataclasses.replace(
                cell, metrics=_cell_metrics(challenge, truth, predicted["cv"], fold_of == cell.fold)
            )
            for cell in old.first_cells
        ]
        stored = runs / challenge.name / ".cells"
        seeds, further = scored_again(old, challenge, source.dataset, fold_of, stored)
        cells = (*first, *further)
    judged = {
        half: score_half(challenge.scorer, cases, predicted[half], sealed=half == "test", drawn=drawn[half])
        for half, cases in (("cv", development), ("test", test))
        if half in drawn
    }
    record = dataclasses.replace(
        old,
        run_id=run_id(moment, old.entry.name, key),
        key=key,
        challenge=challenge_facts(challenge),
        data=data_facts(source, data),
        cells=cells,
        cv=judged.get("cv"),
        test=(tested := _with_positional(judged.get("test"), old, data_facts(source, data).truth_digest)),
        finished=moment,
        command=shlex.join(["harness", *words]),
        sweep=_sweep_of(old, challenge),
        origin=old.origin or old.run_id,
        seeds=seed_facts(
            challenge.card, own_score(challenge.card, old.seed, judged.get("cv"), tested), seeds, cells
        ),
    )
    return record, folds


def _with_positional(half: Half | None, old: RunRecord, truth: str) -> Half | None:
    """Keep what the organiser's script said of the file's own rows, while the truth is the same."""
    if half is None or old.test is None or old.data.truth_digest != truth:
        return half
    return dataclasses.replace(half, positional=old.test.positional)


def _sweep_of(old: RunRecord, challenge: Challenge) -> SweepFacts | None:
    """Return the search without its optimism, if another scorer judged its trials."""
    if old.sweep is None or old.challenge.digest == challenge.scoring_digest:
        return old.sweep
    return dataclasses.replace(old.sweep, outer_score=None, optimism=None)


def _cell_metrics(
    challenge: Challenge, truth: Arrays, pooled: Arrays, inside: Array
) -> dict[str, float | None]:
    fold = Fold(0, np.array([], dtype=np.int64), inside)
    heldout = {name: values[inside] for name, values in pooled.items()}
    return fold_metrics(challenge.scorer, truth, heldout, fold)


def read_folds(path: Path, ids: Sequence[str]) -> Array:
    """Return the fold of each case from a run's folds.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        fold_of = {row["case"]: int(row["fold"]) for row in csv.DictReader(file)}
    return np.array([fold_of[case] for case in ids])
