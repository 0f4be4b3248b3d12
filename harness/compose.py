"""Stored folds to the record: predictions assembled, truth joined, everything written at once."""

from __future__ import annotations

import csv
import hashlib
import io
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import resamples
from harness.atomic import atomic_folder
from harness.cells import StoredCell, key_of, moments
from harness.contracts import CaseSet
from harness.predictions import as_bytes
from harness.prepare import locked
from harness.progress import say
from harness.provenance import environment, provenance
from harness.records import (
    Cell,
    ChallengeFacts,
    DataFacts,
    Entry,
    Half,
    RunRecord,
    SeedFacts,
    dump,
    load_all,
)
from harness.resamples import Resamples
from harness.scoring import predicted_of, resampled, score_half, unscored
from harness.seeds import SeedRun, logs_of, own_score, rows_of, seed_facts, seed_score, sentences_of
from harness.sweep_record import facts_of, figures_of
from harness.volumes import raw_bytes

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.contracts import Arrays, Dataset, Outcome
    from harness.plan import Plan
    from harness.source import Source
    from harness.sweep_record import Searched

__all__ = ["data_facts", "has_resamples", "resamples_of", "write_files", "write_record", "write_references"]


def now() -> str:
    """Return the time as UTC, ISO 8601."""
    return moments()[1]


def run_id(started: str, name: str, key: str) -> str:
    """Return an id that sorts by time: 20261123-205500-123-baseline-1a2b3c4d."""
    stamp = datetime.fromisoformat(started).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return f"{stamp}-{name}-{key[:8]}"


def data_facts(source: Source, fingerprint: str) -> DataFacts:
    """Return what the board says of the data."""
    dataset = source.dataset
    return DataFacts(
        fingerprint=fingerprint,
        phantom=source.phantom,
        n_development=len(dataset.development.cases),
        n_test=len(dataset.test.cases),
        test_truth=dataset.test.truth is not None,
        options=source.options,
        truth_digest=key_of(truth_key(dataset)) if dataset.test.truth is not None else "",
    )


def challenge_facts(challenge: Challenge) -> ChallengeFacts:
    """Return which question was asked, in which version."""
    return ChallengeFacts(challenge.name, challenge.card.version, challenge.scoring_digest)


def _entry(plan: Plan, cells: Mapping[int, StoredCell]) -> Entry:
    card = plan.submission.card
    return Entry(
        name=plan.submission.name,
        route="code",
        team=card.team,
        title=card.title,
        description=card.description,
        licence=card.licence,
        digest=plan.submission.digest,
        settings=plan.settings,
        overrides=plan.overrides,
        parameters=next((cell.parameters for cell in cells.values()), None),
    )


def _halves(
    plan: Plan,
    cells: Mapping[int, StoredCell],
    predicted: Mapping[str, Arrays],
    drawn: Mapping[str, Resamples],
) -> tuple[Half, Half | None]:
    data, scorer = plan.source.dataset, plan.challenge.scorer
    if len(cells) < len(plan.folds):
        n, n_test = len(data.development.cases), len(data.test.cases)
        covered = sum(len(plan.folds[index].heldout) for index in cells)
        return unscored(covered, n), unscored(0, n_test) if n_test else None
    cv = score_half(scorer, data.development, predicted["cv"], sealed=False, drawn=drawn["cv"])
    if "test" not in drawn:
        return cv, None
    return cv, score_half(scorer, data.test, predicted["test"], sealed=True, drawn=drawn["test"])


def write_record(
    plan: Plan,
    cells: Mapping[int, StoredCell],
    failures: Mapping[int, Outcome],
    searched: Searched | None = None,
    further: Sequence[SeedRun] = (),
) -> RunRecord:
    """Score what is there and write the run's folder; a tuned entry's with the search that found it.

    `further` are the entry's other seeds, none of which has a part in its score.
    """
    first = SeedRun(plan, cells, failures)
    dataset, scorer = plan.source.dataset, plan.challenge.scorer
    predicted = predicted_of(scorer, dataset, first.parts) if first.whole else {}
    drawn = resamples_of(plan.challenge, dataset, predicted)
    cv, test = _halves(plan, cells, predicted, drawn)
    rows, others = rows_of(first), [row for run in further for row in rows_of(run)]
    finished = now()
    record = RunRecord(
        run_id=run_id(finished, plan.submission.name, plan.key),
        key=plan.key,
        challenge=challenge_facts(plan.challenge),
        data=data_facts(plan.source, plan.fingerprint),
        entry=_entry(plan, cells),
        state="failed" if failures or any(run.failures for run in further) else "complete",
        failures=(*sentences_of(first), *(text for run in further for text in sentences_of(run, seed=True))),
        n_folds=len(plan.folds),
        seed=plan.config.seed,
        cells=(*rows, *others),
        cv=cv,
        test=test,
        isolation=plan.isolation.value,
        started=min(row.started for row in (*rows, *others)),
        finished=finished,
        seconds=sum(row.seconds for row in rows),
        command=shlex.join(["harness", "run", *public(plan.words)]),
        provenance=provenance({"run": plan.config.seed, "folds": 0, "bootstrap": "harness.scoring.SEED"}),
        sweep=facts_of(plan, searched, cv, test) if searched is not None else None,
        seeds=_seeds(first, further, cv, test, (*rows, *others)),
    )
    fold_of = {int(row): fold.index for fold in plan.folds for row in fold.heldout}
    figures = figures_of(searched) if searched is not None else None
    logs = logs_of(first, "fold_")
    for run in further:
        logs |= logs_of(run, f"seed_{run.seed}_fold_")
    write_files(plan.config.runs, record, plan.challenge, dataset, predicted, fold_of, logs, figures, drawn)
    return record


def _seeds(
    first: SeedRun, further: Sequence[SeedRun], cv: Half, test: Half | None, cells: Sequence[Cell]
) -> SeedFacts | None:
    """Return how far the seeds whose folds are all done are apart."""
    challenge, dataset = first.plan.challenge, first.plan.source.dataset
    whole = [run for run in further if run.whole]
    scores = [seed_score(challenge, dataset, run.seed, run.parts) for run in whole]
    known = {first.seed, *(run.seed for run in whole)}
    own = own_score(challenge.card, first.seed, cv, test)
    return seed_facts(challenge.card, own, scores, [cell for cell in cells if cell.seed in known])


def public(words: Sequence[str]) -> list[str]:
    """Return the words without the place of a database, which may hold a password."""
    return [word for word in words if not word.startswith("sweep.storage=")]


def _folds_csv(cases: CaseSet, fold_of: Mapping[int, int]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["case", "patient", "fold"])
    writer.writerows([case.id, case.patient, fold_of[row]] for row, case in enumerate(cases.cases))
    return buffer.getvalue()


def resamples_of(
    challenge: Challenge, dataset: Dataset, predicted: Mapping[str, Arrays]
) -> dict[str, Resamples]:
    """Return the resamples of each half that is predicted and whose truth is known."""
    return {
        half: resampled(challenge.scorer, cases, predicted[half])
        for half, cases in (("cv", dataset.development), ("test", dataset.test))
        if half in predicted and cases.truth is not None and cases.cases
    }


def _case_scores(challenge: Challenge, dataset: Dataset, predicted: Mapping[str, Arrays]) -> Any:  # noqa: ANN401
    """Return the per-case scores of both halves as a pandas frame."""
    import pandas as pd

    frames = []
    for half, cases in (("cv", dataset.development), ("test", dataset.test)):
        if half not in predicted or cases.truth is None:
            continue
        frame = pd.DataFrame(challenge.scorer.per_case(cases.truth, predicted[half]))
        frame.insert(0, "case", list(cases.ids))
        frame.insert(1, "patient", [case.patient for case in cases.cases])
        frame.insert(2, "half", half)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else None


def _write_slices(folder: Path, challenge: Challenge, cases: CaseSet, predictions: Arrays) -> None:
    """Write pictures of a few out-of-fold cases; those of the test set would show sealed truth."""
    write = getattr(challenge.viewer, "write", None)  # a viewer may be there for maps alone
    if write is not None and cases.truth is not None:
        folder.mkdir()
        write(folder, cases, predictions, challenge.scorer.per_case(cases.truth, predictions))


def write_files(
    runs: Path,
    record: RunRecord,
    challenge: Challenge,
    dataset: Dataset,
    predicted: Mapping[str, Arrays],
    fold_of: Mapping[int, int] | None = None,
    logs: Mapping[str, str] | None = None,
    figures: Mapping[str, Any] | None = None,
    drawn: Mapping[str, Resamples] | None = None,
    installed: str | None = None,
) -> None:
    """Write a run's folder, whole or not at all.

    The resamples are made if they are not there already; `installed` is the environment, today's by default.
    """
    drawn = resamples_of(challenge, dataset, predicted) if drawn is None else drawn
    with atomic_folder(runs / challenge.name / record.run_id) as folder:
        (folder / "predictions").mkdir()
        for half, arrays in predicted.items():
            cases = dataset.development if half == "cv" else dataset.test
            (folder / "predictions" / f"{half}.npz").write_bytes(as_bytes(arrays))
            scorer = challenge.scorer
            scorer.write_predictions(folder / "predictions" / f"output_{half}{scorer.SUFFIX}", cases, arrays)
        if fold_of is not None:
            (folder / "folds.csv").write_text(_folds_csv(dataset.development, fold_of), encoding="utf-8")
        frame = _case_scores(challenge, dataset, predicted)
        if frame is not None:
            frame.to_parquet(folder / "cases.parquet", index=False)
            (folder / "cases.parquet").chmod(0o600)  # an error of 0 or 1 is a label
        if drawn:
            (folder / resamples.FILE).write_bytes(resamples.as_bytes(drawn))
            (folder / resamples.FILE).chmod(0o600)  # values in known resamples spell out labels
        if record.entry.route == "code" and "cv" in predicted:
            _write_slices(folder / "viewer", challenge, dataset.development, predicted["cv"])
        (folder / "log").mkdir()
        for name, text in (logs or {}).items():
            (folder / "log" / f"{name}.txt").write_text(text, encoding="utf-8")
        if installed is None:
            installed = "".join(f"{name}=={version}\n" for name, version in environment().items())
        (folder / "environment.txt").write_text(installed, encoding="utf-8")
        if figures is not None:
            (folder / "sweep_figures.json").write_text(dump(figures, indent=None), encoding="utf-8")
        (folder / "record.json").write_text(dump(record), encoding="utf-8")


def write_references(challenge: Challenge, source: Source, fingerprint: str, runs: Path) -> None:
    """Write the reference rows of a board, those that are not there yet with their resamples."""
    facts, dataset = data_facts(source, fingerprint), source.dataset
    truth = dataset.development.truth
    if truth is None:
        return
    with locked(runs / challenge.name / ".references.lock"):
        known = {r.key for r in load_all(runs, challenge.name) if has_resamples(runs, r)}
        for name in challenge.scorer.references(truth, CaseSet((), None)):
            parts = ["reference", name, challenge.scoring_digest, fingerprint, truth_key(dataset)]
            if key_of(parts) not in known:
                _write_reference(challenge, dataset, facts, runs, name, key_of(parts))


def has_resamples(runs: Path, record: RunRecord) -> bool:
    """Say whether a run's folder holds its resamples; records of before there were any do not."""
    return (runs / record.challenge.name / record.run_id / resamples.FILE).is_file()


def truth_key(dataset: Dataset) -> list[str]:
    """Return what identifies the test truth."""
    truth = dataset.test.truth or {}
    return [f"{k}:{hashlib.sha256(raw_bytes(v)).hexdigest()}" for k, v in sorted(truth.items())]


def _write_reference(
    challenge: Challenge, dataset: Dataset, facts: DataFacts, runs: Path, name: str, key: str
) -> None:
    halves: dict[str, Half] = {}
    drawn: dict[str, Resamples] = {}
    predicted: dict[str, Arrays] = {}
    title = name
    for half, cases in (("cv", dataset.development), ("test", dataset.test)):
        if cases.truth is None or not cases.cases:
            continue
        title, predicted[half] = challenge.scorer.references(dataset.development.truth or {}, cases)[name]
        drawn[half] = resampled(challenge.scorer, cases, predicted[half])
        halves[half] = score_half(
            challenge.scorer, cases, predicted[half], sealed=half == "test", drawn=drawn[half]
        )
    moment = now()
    record = RunRecord(
        run_id=run_id(moment, f"reference-{name}", key),
        key=key,
        challenge=challenge_facts(challenge),
        data=facts,
        entry=Entry(name, "reference", "MEDAL", title, "Computed with every board.", "", key),
        state="complete",
        failures=(),
        n_folds=0,
        seed=0,
        cells=(),
        cv=halves.get("cv"),
        test=halves.get("test"),
        isolation="none",
        started=moment,
        finished=moment,
        seconds=0.0,
        command="",
        provenance=provenance({}),
    )
    write_files(runs, record, challenge, dataset, predicted, drawn=drawn)
    say(f"Reference row written: {title}")
