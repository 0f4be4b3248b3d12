"""Brier score of survival probabilities under censoring, at one time and integrated, and scaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics._inputs import Counts, Floats, as_counts, as_probabilities, divide, shaped, weighted_mean
from harness.survival.followup import FollowUp, as_horizon, as_times, covered
from harness.survival.kaplan_meier import inverse_censoring, marginal, positive_censoring

__all__ = [
    "brier",
    "brier_terms",
    "integrated_brier",
    "scaled_brier",
    "scaled_integrated_brier",
]


def brier(
    truth: FollowUp, survival: ArrayLike, at: float, training: FollowUp, counts: ArrayLike | None = None
) -> Floats:
    """Return the mean of S^2/G(time) of who died until `at` and (1 - S)^2/G(at) of who lived beyond it.

    S (n,), or one number for all, is the predicted probability of living beyond `at`; G the censoring
    distribution of the training set, the same in all resamples. NaN if nobody was observed beyond `at`.
    Equals sksurv.metrics.brier_score. Source: Graf, Schmoor, Sauerbrei and Schumacher, Statistics in
    Medicine 18 (1999).

    Raises:
        ValueError: `at`, or a death until then, lies beyond the training follow-up.
    """
    times, drawn = np.array([as_horizon(at)]), as_counts(counts, len(truth))
    terms = brier_terms(truth, _column(truth, survival), times, training)[:, 0]
    return shaped(_mean(truth, terms, times, drawn), counts)


def integrated_brier(
    truth: FollowUp, survival: ArrayLike, at: ArrayLike, training: FollowUp, counts: ArrayLike | None = None
) -> Floats:
    """Return the mean of the Brier score over the span of rising times, by the trapezoidal rule.

    S (n, times), or (times,) for all. NaN if nobody was observed beyond the last time. Equals
    sksurv.metrics.integrated_brier_score. Source: as `brier`.

    Raises:
        ValueError: fewer than two times, or as `brier`.
    """
    times, drawn = as_times(at), as_counts(counts, len(truth))
    terms = _integrated(truth, survival, times, training)
    return shaped(_mean(truth, terms, times, drawn), counts)


def scaled_brier(
    truth: FollowUp, survival: ArrayLike, at: float, training: FollowUp, counts: ArrayLike | None = None
) -> Floats:
    """Return 1 - Brier / Brier of the training set's Kaplan-Meier survival, predicted for every case.

    1 is perfect, 0 no better than knowing the population, negative worse. NaN as `brier`, and where the
    baseline's score is 0. Source: Kattan and Gerds, Diagnostic and Prognostic Research 2 (2018).

    Raises:
        ValueError: as `brier`.
    """
    times, drawn = np.array([as_horizon(at)]), as_counts(counts, len(truth))
    columns = (_column(truth, survival), marginal(training)(times))
    own, baseline = (
        _mean(truth, brier_terms(truth, column, times, training)[:, 0], times, drawn) for column in columns
    )
    return shaped(1 - divide(own, baseline), counts)


def scaled_integrated_brier(
    truth: FollowUp, survival: ArrayLike, at: ArrayLike, training: FollowUp, counts: ArrayLike | None = None
) -> Floats:
    """Return 1 - integrated Brier / that of the training set's Kaplan-Meier curve; else as `scaled_brier`.

    Raises:
        ValueError: as `integrated_brier`.
    """
    times, drawn = as_times(at), as_counts(counts, len(truth))
    own, baseline = (
        _mean(truth, _integrated(truth, curves, times, training), times, drawn)
        for curves in (survival, marginal(training)(times))
    )
    return shaped(1 - divide(own, baseline), counts)


def brier_terms(truth: FollowUp, survival: ArrayLike, at: ArrayLike, training: FollowUp) -> Floats:
    """Return each case's part in the Brier score at rising times, (n, times); the score is their mean.

    Who was censored until a time has 0 there: the weights of the others make up for it.

    Raises:
        ValueError: as `brier`, or survival is neither (n, times) nor (times,).
    """
    times, values = as_times(at), as_probabilities(survival)
    shape = (len(truth), len(times))
    if values.shape not in (shape, shape[1:]):
        raise ValueError(f"survival must have shape {shape} or {shape[1:]}, got {values.shape}")
    dead = truth.event & (truth.time <= times[-1])
    weights = inverse_censoring(truth, training, dead)[:, None]
    died = (truth.time[:, None] <= times) & truth.event[:, None]
    lived = truth.time[:, None] > times
    alive = np.square(1 - values) / positive_censoring(training, times)
    return np.asarray(np.where(died, np.square(values) * weights, np.where(lived, alive, 0.0)))


def _integrated(truth: FollowUp, survival: ArrayLike, times: Floats, training: FollowUp) -> Floats:
    """Return each case's integral over the span: the rule is linear, so a resample needs only their mean."""
    if len(times) < 2:
        raise ValueError("an integral needs two times or more, got 1")
    terms = brier_terms(truth, survival, times, training)
    return np.asarray(np.trapezoid(terms, times, axis=1) / (times[-1] - times[0]))


def _column(truth: FollowUp, survival: ArrayLike) -> Floats:
    values = as_probabilities(survival)
    if values.shape not in ((), (len(truth),)):
        raise ValueError(f"survival must have shape ({len(truth)},) or (), got {values.shape}")
    return np.broadcast_to(values, (len(truth),))[:, None]


def _mean(truth: FollowUp, terms: Floats, times: Floats, counts: Counts) -> Floats:
    return np.where(covered(truth, times[-1], counts), weighted_mean(terms, counts), np.nan)
