"""Counts above every threshold, which AUPRC and sensitivity at a specificity share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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

Whole = NDArray[np.integer[Any]]


def thresholds(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order by falling score and the last position of each group of equal scores."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(falling[1:] != falling[:-1], True) if len(scores) else np.empty(0, np.bool_)
    return order, np.flatnonzero(last)


def above(labels: Bools, scores: Floats, counts: Counts) -> tuple[Whole, Whole]:
    """Return true and false positives at each distinct score, falling, each (resamples, distinct)."""
    order, ends = thresholds(scores)
    ordered = np.take(counts, order, axis=1).astype(np.int64, copy=False)
    called = ordered.cumsum(axis=1)[:, ends]
    hits = (ordered * labels[order]).cumsum(axis=1)[:, ends]
    return hits, called - hits


def sensitivity_at(percent: int, truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None) -> Floats:
    """Return the largest TP/P over the thresholds with TN/N >= percent/100, without interpolation.

    A case is called positive if its score reaches the threshold; equal scores are never divided,
    and "nobody" is a threshold. The comparison is of integers: 100 FP <= (100 - percent) N.
    """
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 1)
    weights = as_counts(counts, len(labels))
    hits, alarms = above(labels, scores, weights)
    positives = weights[:, labels].sum(axis=1)
    negatives = weights[:, ~labels].sum(axis=1)
    allowed = (100 * alarms <= (100 - percent) * negatives[:, None]).sum(axis=1, keepdims=True)
    from_nobody = np.pad(hits, ((0, 0), (1, 0)))
    reached = np.take_along_axis(from_nobody, allowed, axis=1)[:, 0]
    defined = np.where(negatives > 0, positives, 0)
    return shaped(divide(reached, defined), counts)
