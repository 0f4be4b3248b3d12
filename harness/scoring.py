"""Truth joined to predictions: only here, in the parent, and always over every case of the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness import statistics
from harness.records import Half, Interval
from harness.resamples import Resamples, draws_of

if TYPE_CHECKING:
    from harness.cells import StoredCell
    from harness.contracts import Array, Arrays, CaseSet, Dataset, Fold, ScorerUnit

__all__ = ["assemble", "fold_metrics", "predicted_of", "resampled", "score_half"]

RESAMPLES = 1000
SEED = 20230713


def _number(value: Array | float) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def resampled(scorer: ScorerUnit, cases: CaseSet, predictions: Arrays) -> Resamples:
    """Return every metric in each bootstrap resample of a half's patients.

    The same patients give the same draws for every entry, so that any two can be compared pair by pair.

    Raises:
        ValueError: if the truth is absent or the predictions do not cover every case.
    """
    n = len(cases.cases)
    if cases.truth is None or any(len(values) != n for values in predictions.values()):
        raise ValueError(f"{n} cases need the truth and {n} predictions")
    patients = [case.patient for case in cases.cases]
    counts = statistics.bootstrap_counts(patients, resamples=RESAMPLES, seed=SEED)
    parts = getattr(scorer, "ranking_parts", None)
    order = np.argsort(np.array(cases.ids, dtype=np.str_))
    return Resamples(
        draws=draws_of(cases.cases, RESAMPLES, SEED),
        patients=len(set(patients)),
        values=scorer.score(cases.truth, predictions, counts),
        parts=None if parts is None else np.asarray(parts(cases.truth, predictions), np.float64)[order],
    )


def score_half(
    scorer: ScorerUnit, cases: CaseSet, predictions: Arrays, *, sealed: bool, drawn: Resamples | None = None
) -> Half:
    """Score one half, with 95 % bootstrap intervals over its patients; `drawn` if they are there already.

    A sealed half has no panel: whoever submits distinct scores knows their order, and the corners of a
    ROC curve, or counts by location, would then spell out every label. It has its `sizes`: how large a
    subgroup is says as much of its labels as the score of a constant answer, which every board shows.

    Raises:
        ValueError: as `resampled`.
    """
    drawn = drawn or resampled(scorer, cases, predictions)
    truth = cases.truth or {}
    metrics = {}
    for key, value in scorer.score(truth, predictions).items():
        low, high = statistics.percentile_interval(drawn.values[key])
        metrics[key] = Interval(_number(value), _number(low), _number(high))
    n, named = len(cases.cases), {**truth, "id": np.array(cases.ids)}
    sizes = getattr(scorer, "sizes", None)
    return Half(
        n,
        n,
        metrics,
        {} if sealed else scorer.panel(named, predictions),
        sizes={} if sizes is None else sizes(truth, predictions),
    )


def unscored(n_scored: int, n_expected: int) -> Half:
    """Return the half of a run that is not whole: nothing missing becomes a number."""
    return Half(n_scored, n_expected, {})


def fold_metrics(scorer: ScorerUnit, truth: Arrays, heldout: Arrays, fold: Fold) -> dict[str, float | None]:
    """Score one fold's held-out part."""
    part = {key: values[fold.heldout] for key, values in truth.items()}
    return {key: _number(value) for key, value in scorer.score(part, heldout).items()}


def assemble(folds: Mapping[int, tuple[Fold, Arrays]], n: int) -> dict[str, Array]:
    """Put the folds' held-out predictions back into the order of the development set."""
    arrays: dict[str, Array] = {}
    first = next(iter(folds.values()))[1]
    keys = [key for key in first if all(key in part for _, part in folds.values())]
    for key in keys:
        arrays[key] = np.zeros((n, *first[key].shape[1:]), dtype=first[key].dtype)
        for fold, part in folds.values():
            arrays[key][fold.heldout] = part[key]
    return arrays


def predicted_of(
    scorer: ScorerUnit, dataset: Dataset, parts: Mapping[int, tuple[Fold, StoredCell]]
) -> dict[str, Arrays]:
    """Return the out-of-fold and the combined test predictions of all folds of one seed."""
    heldout = {index: (fold, cell.heldout) for index, (fold, cell) in parts.items()}
    predicted: dict[str, Arrays] = {"cv": assemble(heldout, len(dataset.development.cases))}
    if dataset.test.cases:
        predicted["test"] = scorer.combine([parts[index][1].test for index in sorted(parts)])
    return predicted
