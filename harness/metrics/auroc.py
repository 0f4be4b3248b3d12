"""Area under the receiver operating characteristic curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.contracts import Metric
from harness.metrics._inputs import (
    Bools,
    Counts,
    Floats,
    as_counts,
    as_scores,
    as_truth,
    divide,
    same_shape,
    shaped,
)

BLOCK = 50
"""Resamples at once: what they need stays in the processor's cache."""


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return P(score of a positive > score of a negative) + P(equal) / 2.

    AUROC = U / (P N), the Mann-Whitney statistic in integers, so that ties are exact and a constant
    score gives .5; NaN with one class only. Truth (n,) 0/1, scores (n,) real. Equals
    sklearn.metrics.roc_auc_score. Source: Hanley and McNeil, Radiology 143 (1982).

    >>> float(compute([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.75
    >>> float(compute([0, 1, 1], [0.5, 0.5, 0.5]))
    0.5
    """
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 1)
    return shaped(mann_whitney(labels, scores, as_counts(counts, len(labels))), counts)


def mann_whitney(labels: Bools, scores: Floats, counts: Counts) -> Floats:
    """Return the AUROC of each resample, (resamples,).

    One sort serves all resamples: with C the running count of the negatives by rising score, a
    positive with `low` negatives below it and `high` below or equal wins (C[low] + C[high]) / 2.
    """
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    positive = positive[np.argsort(scores[positive])]
    negative = negative[np.argsort(scores[negative])]
    low = np.searchsorted(scores[negative], scores[positive], side="left")
    high = np.searchsorted(scores[negative], scores[positive], side="right")
    parts = [counts[start : start + BLOCK] for start in range(0, len(counts), BLOCK)]
    found = [_of_sorted(part, positive, negative, low, high) for part in parts]
    return np.concatenate(found) if found else np.zeros(0)


def _of_sorted(
    counts: Counts,
    positive: NDArray[np.intp],
    negative: NDArray[np.intp],
    low: NDArray[np.intp],
    high: NDArray[np.intp],
) -> Floats:
    running = np.zeros((len(counts), len(negative) + 1), dtype=np.int64)
    np.cumsum(np.take(counts, negative, axis=1), axis=1, out=running[:, 1:])
    beaten = np.take(running, low, axis=1)
    beaten += beaten if np.array_equal(low, high) else np.take(running, high, axis=1)
    times = np.take(counts, positive, axis=1).astype(np.int64, copy=False)
    wins = np.einsum("rp,rp->r", times, beaten)
    return divide(wins, 2 * times.sum(axis=1) * running[:, -1])


metric = Metric("auroc", "AUROC", compute, higher_is_better=True, low=0.0, high=1.0)
