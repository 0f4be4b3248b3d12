"""Further seeds of an entry: how much of its score is luck of the seed.

An entry stands for its first seed, whose score, predictions and resamples are like those of every other
entry. Each further seed trains every fold once more, as cells of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cells import load_cell, moments
from harness.comparisons import cell_variance
from harness.contracts import Fold
from harness.records import Cell, Half, RunRecord, SeedFacts, SeedScore, SeedVariance
from harness.scoring import fold_metrics, predicted_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cards import ChallengeCard
    from harness.catalog import Challenge
    from harness.cells import StoredCell
    from harness.contracts import Array, Dataset, Outcome
    from harness.plan import Plan

__all__ = [
    "SeedRun",
    "logs_of",
    "own_score",
    "rows_of",
    "scored_again",
    "seed_facts",
    "seed_score",
    "seeds_in",
    "sentences_of",
]

KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SeedRun:
    """One seed: its plan, the folds that are done, and those that failed."""

    plan: Plan
    cells: Mapping[int, StoredCell]
    failures: Mapping[int, Outcome]

    @property
    def seed(self) -> int:
        """The number that it was asked for by."""
        return self.plan.config.seed

    @property
    def parts(self) -> dict[int, tuple[Fold, StoredCell]]:
        """The folds that are done, with what came of them."""
        return {index: (self.plan.folds[index], cell) for index, cell in self.cells.items()}

    @property
    def whole(self) -> bool:
        """Whether every fold is done."""
        return len(self.cells) == len(self.plan.folds)


def seeds_in(record: RunRecord) -> int:
    """Return with how many seeds a record's folds were trained."""
    return len({cell.seed for cell in record.cells})


def ranking_keys(card: ChallengeCard) -> tuple[str, ...]:
    """Return the keys of the metrics that rank: the first, and those that rank case by case."""
    return tuple(dict.fromkeys((card.metrics[0].key, *card.ranking.columns)))


def seed_score(
    challenge: Challenge, dataset: Dataset, seed: int, parts: Mapping[int, tuple[Fold, StoredCell]]
) -> SeedScore:
    """Return what all folds of a seed score together on both halves."""
    predicted = predicted_of(challenge.scorer, dataset, parts)
    found: dict[str, dict[str, float | None]] = {"cv": {}, "test": {}}
    for half, cases in (("cv", dataset.development), ("test", dataset.test)):
        if half in predicted and cases.truth is not None:
            values = challenge.scorer.score(cases.truth, predicted[half])
            known = {key: float(values[key]) for key in ranking_keys(challenge.card)}
            found[half] = {key: value if np.isfinite(value) else None for key, value in known.items()}
    return SeedScore(seed, found["cv"], found["test"])


def own_score(card: ChallengeCard, seed: int, cv: Half | None, test: Half | None) -> SeedScore:
    """Return the score of the seed that the entry stands for, which its halves hold already."""
    cv_of, test_of = (
        {key: half.metrics[key].value for key in ranking_keys(card) if key in half.metrics} if half else {}
        for half in (cv, test)
    )
    return SeedScore(seed, cv_of, test_of)


def seed_facts(
    card: ChallengeCard, first: SeedScore, further: Sequence[SeedScore], cells: Sequence[Cell]
) -> SeedFacts | None:
    """Return how far the seeds are apart, `cells` those of these seeds; None where there is only one."""
    if not further:
        return None
    parts = {key: cell_variance(cells, key) for key in ranking_keys(card)}
    return SeedFacts(
        (first, *further),
        {key: SeedVariance(found.seeds, found.folds) for key, found in parts.items() if found is not None},
    )


# ------------------------------------------------------------------------- what a record says of it
def rows_of(run: SeedRun) -> list[Cell]:
    """Return a seed's folds, done or failed, as its record holds them."""
    done = {index: _done(run.plan, index, cell) for index, cell in run.cells.items()}
    failed = {index: _failed(run.plan, index, outcome) for index, outcome in run.failures.items()}
    return [row for _, row in sorted({**failed, **done}.items())]


def logs_of(run: SeedRun, name: str) -> dict[str, str]:
    """Return what each fold printed, by the name of its file."""
    found = {index: cell.log for index, cell in run.cells.items()}
    found |= {index: outcome.log for index, outcome in run.failures.items()}
    return {f"{name}{index}": text for index, text in found.items()}


def sentences_of(run: SeedRun, *, seed: bool = False) -> list[str]:
    """Return a sentence for each fold that failed, with the seed's number if it is a further one's."""
    where = f"seed {run.seed}, " if seed else ""
    return [f"{where}{_sentence(index, outcome)}" for index, outcome in sorted(run.failures.items())]


def _sentence(index: int, outcome: Outcome) -> str:
    kind, reason = (outcome.failure.kind.value, outcome.failure.reason) if outcome.failure else ("", "")
    return f"fold {index}: {kind}: {reason}"


def _cell(plan: Plan, index: int, **found: Any) -> Cell:  # noqa: ANN401  the fields that differ by state
    fold = plan.folds[index]
    return Cell(
        fold=index,
        seed=plan.config.seed,
        key=plan.keys[index],
        n_train=len(fold.train),
        n_heldout=len(fold.heldout),
        **found,
    )


def _done(plan: Plan, index: int, cell: StoredCell) -> Cell:
    truth = plan.source.dataset.development.truth or {}
    return _cell(
        plan,
        index,
        state="done",
        failure_kind=None,
        failure_reason=None,
        started=cell.started,
        finished=cell.finished,
        seconds=cell.seconds,
        peak_memory_bytes=cell.peak_memory_bytes,
        metrics=fold_metrics(plan.challenge.scorer, truth, cell.heldout, plan.folds[index]),
        prediction_seconds=cell.prediction_seconds,
    )


def _failed(plan: Plan, index: int, outcome: Outcome) -> Cell:
    started, finished = moments(outcome.seconds)
    return _cell(
        plan,
        index,
        state="failed",
        failure_kind=outcome.failure.kind.value if outcome.failure else None,
        failure_reason=outcome.failure.reason if outcome.failure else None,
        started=started,
        finished=finished,
        seconds=outcome.seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
        metrics={},
    )


# -------------------------------------------------------------------------------- scored again
def scored_again(
    old: RunRecord, challenge: Challenge, dataset: Dataset, fold_of: Array, stored: Path
) -> tuple[list[SeedScore], list[Cell]]:
    """Score a record's further seeds again from their stored folds, in the folder `stored`.

    A run's folder holds predictions of its first seed only; a seed whose folds do not all lie here, as after
    an import, is left out.
    """
    scores: list[SeedScore] = []
    cells: list[Cell] = []
    for seed in sorted({cell.seed for cell in old.cells} - {old.seed}):
        own = [cell for cell in old.cells if cell.seed == seed]
        parts = {cell.fold: part for cell in own if (part := _stored_part(cell, fold_of, stored)) is not None}
        if len(parts) == old.n_folds == len(own):
            scores.append(seed_score(challenge, dataset, seed, parts))
            cells += [_judged(cell, challenge, dataset, parts[cell.fold]) for cell in own]
    return scores, cells


def _stored_part(cell: Cell, fold_of: Array, stored: Path) -> tuple[Fold, StoredCell] | None:
    rows = np.flatnonzero(fold_of == cell.fold)
    found = load_cell(stored / cell.key) if KEY.fullmatch(cell.key) else None
    if found is None or any(len(values) != len(rows) for values in found.heldout.values()):
        return None
    return Fold(cell.fold, np.flatnonzero(fold_of != cell.fold), rows), found


def _judged(cell: Cell, challenge: Challenge, dataset: Dataset, part: tuple[Fold, StoredCell]) -> Cell:
    fold, found = part
    truth = dataset.development.truth or {}
    return replace(cell, metrics=fold_metrics(challenge.scorer, truth, found.heldout, fold))
