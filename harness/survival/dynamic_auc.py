"""Cumulative/dynamic AUC: who died until a time against who lived beyond it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Bools, Counts, Floats, as_counts, as_scores, divide, same_shape, shaped
from harness.survival.concordance import TIED
from harness.survival.followup import FollowUp, as_horizon, as_times
from harness.survival.kaplan_meier import blocks, inverse_censoring, survival_in_resamples

__all__ = ["dynamic_auc", "mean_dynamic_auc"]

Groups = NDArray[np.int64]


def dynamic_auc(
    truth: FollowUp, risk: ArrayLike, at: float, training: FollowUp, counts: ArrayLike | None = None
) -> Floats:
    """Return the AUC of a risk for death until a time, ties half.

    Positives died until then and are weighted by 1/G(time of death), G the censoring distribution of the
    training set; negatives were observed beyond it; who was censored before is in neither, which is what
    the weights make up for. Risk (n,). NaN without a positive or a negative. Equals
    sksurv.metrics.cumulative_dynamic_auc: risks are tied if no gap between them is above `TIED`.
    Source: Uno, Cai, Tian and Wei, Journal of the American Statistical Association 102 (2007).

    Raises:
        ValueError: a death until then lies beyond the training follow-up.
    """
    drawn = as_counts(counts, len(truth))
    scores = as_scores(risk)
    same_shape(truth.time, scores, 1)
    return shaped(_auc(truth, scores, as_horizon(at), training, drawn), counts)


def mean_dynamic_auc(
    truth: FollowUp, risk: ArrayLike, at: ArrayLike, training: FollowUp, counts: ArrayLike | None = None
) -> Floats:
    """Return the mean of the AUC over several times, weighted by the share of deaths in each interval.

    Risk (n,), or (n, times) where it depends on the time. The deaths are those of the Kaplan-Meier curve
    of the evaluated cases, before the first time included in its interval. NaN where the AUC is undefined
    at one of the times. Equals the second value of sksurv.metrics.cumulative_dynamic_auc. Source:
    Lambert and Chevret, Statistical Methods in Medical Research 25 (2016).

    Raises:
        ValueError: as `dynamic_auc`.
    """
    times, drawn = as_times(at), as_counts(counts, len(truth))
    scores = as_scores(risk)
    scores = np.tile(scores[:, None], len(times)) if scores.ndim == 1 else scores
    if scores.shape != (len(truth), len(times)):
        raise ValueError(f"risk must have shape ({len(truth)}, {len(times)}), got {scores.shape}")
    values = [_auc(truth, scores[:, k], time, training, drawn) for k, time in enumerate(times.tolist())]
    if len(times) == 1:
        return shaped(values[0], counts)
    survival = survival_in_resamples(truth, times, drawn)
    deaths = -np.diff(survival, axis=1, prepend=1.0)
    return shaped(divide((np.stack(values, axis=1) * deaths).sum(axis=1), 1 - survival[:, -1]), counts)


def _auc(truth: FollowUp, scores: Floats, at: float, training: FollowUp, counts: Counts) -> Floats:
    weights = inverse_censoring(truth, training, truth.event & (truth.time <= at))
    negative = truth.time > at
    groups, hold = _chains(scores)
    if hold:
        return _mann_whitney(groups, weights, negative, counts)
    here = counts > 0
    parts = (
        _mann_whitney(_chains(scores[drawn])[0], weights[drawn], negative[drawn], row[None, drawn])
        for drawn, row in zip(here, counts, strict=True)
    )
    return np.concatenate([np.zeros(0), *parts])


def _chains(scores: Floats) -> tuple[Groups, bool]:
    """Return the rank of each case's group of tied risks, and whether a resample has the same groups.

    A gap above `TIED` begins a group; one that is wider than `TIED` may break where a resample lacks a case.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    with np.errstate(over="ignore"):
        group = np.cumsum(np.diff(distinct, prepend=distinct[:1]) > TIED)
    first = distinct[np.searchsorted(group, group)]
    return np.asarray(group[place], dtype=np.int64), bool((distinct - first <= TIED).all())


def _mann_whitney(groups: Groups, weights: Floats, negative: Bools, counts: Counts) -> Floats:
    """Return the weighted share of the pairs that are in order, ties half, (resamples,)."""
    positive, others = np.flatnonzero(weights > 0), np.flatnonzero(negative)
    others = others[np.argsort(groups[others], kind="stable")]
    low = np.searchsorted(groups[others], groups[positive], side="left")
    high = np.searchsorted(groups[others], groups[positive], side="right")
    found = []
    for part in blocks(counts):
        running = np.zeros((len(part), len(others) + 1), dtype=np.int64)
        np.cumsum(np.take(part, others, axis=1), axis=1, out=running[:, 1:])
        times = np.take(part, positive, axis=1) * weights[positive]
        wins = np.einsum("rp,rp->r", times, np.take(running, low, axis=1) + np.take(running, high, axis=1))
        found.append(divide(wins, 2 * times.sum(axis=1) * running[:, -1]))
    return np.concatenate([np.zeros(0), *found])
