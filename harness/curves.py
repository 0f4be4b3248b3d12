"""Curves and operating points of a score, for metrics and for the pages of entries.

A case is called positive if its score reaches the threshold; equal scores are never divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import (
    Bools,
    Counts,
    Floats,
    as_counts,
    as_probabilities,
    as_scores,
    as_truth,
    divide,
    same_shape,
    shaped,
)

Whole = NDArray[np.integer[Any]]

BINS = 10


# ------------------------------------------------------------------------------- in every resample
def thresholds(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order by falling score, and in it the last position of each group of equal scores."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    return order, np.flatnonzero(np.append(falling[1:] != falling[:-1], len(falling) > 0))


def above(labels: Bools, scores: Floats, counts: Counts) -> tuple[Whole, Whole]:
    """Return true and false positives at each distinct score, falling, each (resamples, distinct)."""
    order, ends = thresholds(scores)
    ordered = np.take(counts, order, axis=1).astype(np.int64, copy=False)
    called = ordered.cumsum(axis=1)[:, ends]
    hits = (ordered * labels[order]).cumsum(axis=1)[:, ends]
    return hits, called - hits


def within(percent: int, alarms: Whole, negatives: Whole) -> Whole:
    """Return how many thresholds, from the highest, keep a specificity of percent/100, (resamples,).

    The comparison is of integers: 100 FP <= (100 - percent) N.
    """
    return np.asarray((100 * alarms <= (100 - percent) * negatives[:, None]).sum(axis=1))


def sensitivity_at(percent: int, truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None) -> Floats:
    """Return the largest TP/P over the thresholds with TN/N >= percent/100, without interpolation.

    "Nobody" is a threshold too, so the value is 0 where every score calls too many negatives.
    """
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 1)
    weights = as_counts(counts, len(labels))
    hits, alarms = above(labels, scores, weights)
    positives, negatives = weights[:, labels].sum(axis=1), weights[:, ~labels].sum(axis=1)
    from_nobody = np.pad(hits, ((0, 0), (1, 0)))
    reached = np.take_along_axis(from_nobody, within(percent, alarms, negatives)[:, None], axis=1)
    return shaped(divide(reached[:, 0], np.where(negatives > 0, positives, 0)), counts)


def bin_of(probabilities: Floats) -> NDArray[np.intp]:
    """Return the bin of each probability: [0, .1), [.1, .2), ... [.9, 1]."""
    return np.searchsorted(np.arange(1, BINS) / BINS, probabilities, side="right")


# ------------------------------------------------------------------------------------- for one page
@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What calling a case positive from `threshold` on would mean; NaN where undefined."""

    threshold: float
    """Infinite: nobody is called."""
    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def sensitivity(self) -> float:
        """TP / P."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else float("nan")

    @property
    def specificity(self) -> float:
        """TN / N."""
        return self.tn / (self.tn + self.fp) if self.tn + self.fp else float("nan")

    def ppv(self, prevalence: float) -> float:
        """Return the share of true calls in a population with that prevalence (Bayes' rule)."""
        true = self.sensitivity * prevalence
        called = true + (1 - self.specificity) * (1 - prevalence)
        return true / called if called else float("nan")


def operating_point(truth: ArrayLike, prediction: ArrayLike, threshold: float) -> OperatingPoint:
    """Count the outcomes when scores from `threshold` on are called positive."""
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 1)
    called = scores >= threshold
    tp, fp = int((called & labels).sum()), int((called & ~labels).sum())
    return OperatingPoint(threshold, tp, fp, int(labels.sum()) - tp, int((~labels).sum()) - fp)


def point_at_specificity(truth: ArrayLike, prediction: ArrayLike, percent: int) -> OperatingPoint:
    """Return the lowest threshold with a specificity of percent/100: the most sensitive there."""
    labels, scores = as_truth(truth), as_scores(prediction)
    _, alarms = above(labels, scores, as_counts(None, len(labels)))
    kept = int(within(percent, alarms, np.array([(~labels).sum()]))[0])
    order, ends = thresholds(scores)
    threshold = float(scores[order[ends[kept - 1]]]) if kept else float("inf")
    return operating_point(labels, scores, threshold)


def roc(truth: ArrayLike, prediction: ArrayLike) -> list[tuple[float, float]]:
    """Return the corners (1 - specificity, sensitivity) from (0, 0) to (1, 1); [] with one class only."""
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 1)
    if not 0 < labels.sum() < len(labels):
        return []
    hits, alarms = above(labels, scores, as_counts(None, len(labels)))
    x, y = np.append(0, alarms[0]), np.append(0, hits[0])
    dx, dy = np.diff(x), np.diff(y)
    # On a straight stretch the cross product of the steps before and after is exactly 0.
    corner = np.concatenate([[True], dx[:-1] * dy[1:] != dy[:-1] * dx[1:], [True]])
    return list(zip((x / x[-1])[corner].tolist(), (y / y[-1])[corner].tolist(), strict=True))


def reliability(truth: ArrayLike, prediction: ArrayLike) -> list[dict[str, Any]]:
    """Return, per bin of `bin_of`: low, high, n, mean probability and share of positives (None if empty)."""
    labels, scores = as_truth(truth), as_probabilities(prediction)
    same_shape(labels, scores, 1)
    where = bin_of(scores)
    rows: list[dict[str, Any]] = []
    for k in range(BINS):
        inside = where == k
        mean = (float(scores[inside].mean()), float(labels[inside].mean())) if inside.any() else (None, None)
        rows.append(
            {
                "low": k / BINS,
                "high": (k + 1) / BINS,
                "n": int(inside.sum()),
                "predicted": mean[0],
                "observed": mean[1],
            }
        )
    return rows
