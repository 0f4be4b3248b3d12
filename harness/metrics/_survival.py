"""What the metrics of censored survival accept: truth (n, 2), the time in days and the event.

The follow-up that is evaluated also gives the weights of who was censored (the same in all resamples): it is
the censoring of these cases that must be made up for, and a development set followed for longer or shorter,
as another hospital's is, does not know it. Whoever wants a truncated follow-up truncates the truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics._inputs import Floats
from harness.survival.dynamic_auc import dynamic_auc
from harness.survival.followup import FollowUp

__all__ = ["QUARTER", "YEAR", "as_follow_up", "auc_at", "quarters", "reaches", "undefined"]

YEAR = 365.0
"""Days."""
QUARTER = YEAR / 4


def as_follow_up(truth: ArrayLike) -> FollowUp:
    """Return the follow-up of truth (n, 2): time in days, above 0, and event, 1 = dead.

    Raises:
        ValueError: another shape, a time that is not positive and finite, an event neither 0 nor 1.
    """
    table = np.asarray(truth, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"truth must have shape (n, 2), time and event, got {table.shape}")
    return FollowUp.of(table[:, 0], table[:, 1])


def auc_at(at: float, truth: ArrayLike, risk: ArrayLike, counts: ArrayLike | None) -> Floats:
    """Return the time-dependent AUC of a risk (n,) at a time in days; NaN with nobody observed beyond it."""
    follow_up = as_follow_up(truth)
    if not reaches(follow_up, at):
        return undefined(counts)
    return dynamic_auc(follow_up, risk, at, follow_up, counts)


def quarters(prediction: ArrayLike) -> tuple[Floats, Floats]:
    """Return the days at which survival curves are known, the ends of quarters of a year, and the curves.

    Raises:
        ValueError: prediction is not (n, quarters).
    """
    curves = np.asarray(prediction, dtype=np.float64)
    if curves.ndim != 2 or not curves.shape[1]:
        raise ValueError(f"prediction must have shape (n, quarters), got {curves.shape}")
    return QUARTER * np.arange(1, curves.shape[1] + 1), curves


def reaches(truth: FollowUp, at: float) -> bool:
    """Return whether anyone was observed beyond a time; if not, nothing at it is defined."""
    return bool((truth.time > at).any())


def undefined(counts: ArrayLike | None) -> Floats:
    """Return NaN, () or (resamples,)."""
    return np.full(() if counts is None else (len(np.asarray(counts)),), np.nan)
