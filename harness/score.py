"""`harness score`: predictions in a file or folder against the sealed truth, on the code entries' board."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import archive, catalog
from harness.cells import key_of
from harness.compose import (
    challenge_facts,
    data_facts,
    has_resamples,
    now,
    resamples_of,
    run_id,
    write_files,
    write_references,
)
from harness.config import ScoreConfig
from harness.contracts import Case, CaseSet
from harness.errors import UserError
from harness.predictions import check
from harness.prepare import digests_of, fingerprint, locked
from harness.progress import say
from harness.provenance import provenance
from harness.records import Entry, Half, RunRecord, load_all, load_named
from harness.rescore import kept_files, rescored, scoring_key, stored_predictions
from harness.scoring import resampled, score_half
from harness.source import Source, open_source

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.contracts import Array
    from harness.resamples import Resamples

Scored = tuple[RunRecord, dict[str, dict[str, "Array"]], dict[str, "Resamples"], dict[int, int] | None]
"""A record, the predictions and the resamples of each half, and the fold of each development row."""

__all__ = ["score", "score_against_file"]


def score(config: ScoreConfig, words: Sequence[str]) -> RunRecord:
    """Score a prediction file, or a stored run whose test truth has arrived, and write its record.

    Raises:
        UserError: for a file that is no prediction of these cases, by row and column; no test truth.
    """
    challenge = catalog.challenge(config.challenge, config.options)
    source = open_source(challenge, config)
    if source.dataset.test.truth is None:
        raise UserError(f"{source.root} holds no test truth. Type truth=/path/to/the/truth file.")
    data = fingerprint(source.dataset, digests_of(source.dataset), source.options)
    make = _file_record if config.predictions is not None else _run_record
    record, predicted, drawn, folds = make(config, ["score", *words], challenge, source, data)
    with locked(config.runs / challenge.name / ".cells" / f".{record.key[:16]}.lock"):
        known = [
            r
            for r in load_all(config.runs, challenge.name)
            if r.key == record.key and has_resamples(config.runs, r)
        ]
        if known:
            say(f"Already scored: run {known[-1].run_id} stands.")
            record = known[-1]
        else:
            kept = kept_files(config.runs, record)
            write_files(config.runs, record, challenge, source.dataset, predicted, folds, drawn=drawn, **kept)
    write_references(challenge, source, data, config.runs)
    return record


def _read(challenge: Challenge, path: Path, cases: CaseSet) -> dict[str, Array]:
    predictions = challenge.scorer.read_predictions(path, cases)
    kept, failure = check(
        {key: predictions[key] for key in predictions},
        {key: spec for key, spec in challenge.scorer.PREDICTIONS.items() if key in predictions},
        cases.ids,
    )
    if failure is not None:
        raise UserError(f"{path}: {failure.reason}")
    return kept


def entry_name(word: str) -> str:
    """Return a name in lower case letters, digits and _ for a file's stem."""
    return re.sub(r"[^a-z0-9_]+", "_", word.lower()).strip("_")[:60] or "predictions"


def _stem(path: Path) -> str:
    """Return a file's name without its ending, or without both of one such as .nii.gz; a folder's name."""
    return path.resolve().name if path.is_dir() else Path(path.name.removesuffix(".gz")).stem


def _positional(challenge: Challenge, truth: Path | None, path: Path) -> Mapping[str, float] | None:
    """Return what the organiser's own script says, where the challenge knows it and has its truth file."""
    official = getattr(challenge.scorer, "positional", None)
    if official is None or truth is None or not truth.is_file():
        return None
    keys = [metric.key for metric in challenge.card.metrics]
    return dict(zip(keys, official(truth, path), strict=False))


def _file_record(
    config: ScoreConfig, words: Sequence[str], challenge: Challenge, source: Source, data: str
) -> Scored:
    path = config.predictions or Path()
    cases = source.dataset.test
    predictions = _read(challenge, path, cases)
    drawn = resampled(challenge.scorer, cases, predictions)
    half = score_half(challenge.scorer, cases, predictions, sealed=True, drawn=drawn)
    half = dataclasses.replace(half, positional=_positional(challenge, _truth_file(config, source), path))
    content = archive.digest(path)
    name = entry_name(config.name or _stem(path))
    entry = Entry(
        name=name,
        route="file",
        team=config.team or name,
        title=config.title or f"Prediction {'folder' if path.is_dir() else 'file'} {path.name}",
        description="Scored from given predictions; how they were made is not known to the harness.",
        licence="not stated",
        digest=content,
    )
    key = key_of(
        ["file", content, entry.team, entry.name, entry.title, *scoring_key(challenge, source, data)]
    )
    record = _record(config, words, challenge, source, data, entry, key, half)
    return record, {"test": predictions}, {"test": drawn}, None


def _truth_file(config: ScoreConfig, source: Source) -> Path | None:
    return config.truth or source.root / "groundtruth.csv"


def _record(
    config: ScoreConfig,
    words: Sequence[str],
    challenge: Challenge,
    source: Source,
    data: str,
    entry: Entry,
    key: str,
    half: Half,
) -> RunRecord:
    moment = now()
    return RunRecord(
        run_id=run_id(moment, entry.name, key),
        key=key,
        challenge=challenge_facts(challenge),
        data=data_facts(source, data),
        entry=entry,
        state="complete",
        failures=(),
        n_folds=0,
        seed=0,
        cells=(),
        cv=None,
        test=half,
        isolation="none",
        started=moment,
        finished=moment,
        seconds=0.0,
        command=shlex.join(["harness", *words]),
        provenance=provenance({}),
    )


def _run_record(
    config: ScoreConfig, words: Sequence[str], challenge: Challenge, source: Source, data: str
) -> Scored:
    """Score the stored test predictions of a code entry, now that the truth is there."""
    if config.run is None:
        raise UserError("Nothing to score. Type predictions=output.csv, or run=RUN_ID for a stored run.")
    old = load_named(config.runs, challenge.name, config.run)
    if old.data.fingerprint != data or old.state != "complete":
        raise UserError(
            f"Run {old.run_id} is {old.state} on data {old.data.fingerprint[:10]}; this is {data[:10]}."
        )
    predicted = stored_predictions(config.runs, old)
    if old.entry.route != "code" or set(predicted) != {"cv", "test"}:
        raise UserError(f"Run {old.run_id} holds no predictions of both halves. Name a run of a code entry.")
    drawn = resamples_of(challenge, source.dataset, predicted)
    record, folds = rescored(old, words, challenge, source, data, predicted, drawn, config.runs)
    return record, predicted, drawn, folds


def score_against_file(config: ScoreConfig) -> Half:
    """Score predictions against a given truth, as the organiser's own script does; no board.

    Said beside it is how the challenge measures, where it has words for that.

    Raises:
        UserError: for either file, by row and column.
    """
    challenge = catalog.challenge(config.challenge, config.options)
    if config.predictions is None or config.truth is None:
        raise UserError("Type predictions=output.csv truth=groundtruth.csv.")
    ids = challenge.scorer.truth_ids(config.truth)
    truth = challenge.scorer.read_truth(config.truth, ids)
    cases = CaseSet(tuple(Case(i, i, ()) for i in ids), truth)
    half = score_half(challenge.scorer, cases, _read(challenge, config.predictions, cases), sealed=True)
    for line in getattr(challenge.scorer, "definitions", ()):
        say(line)
    return dataclasses.replace(half, positional=_positional(challenge, config.truth, config.predictions))
