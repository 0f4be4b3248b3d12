"""Calibration at a horizon: deaths observed, by Kaplan-Meier, against deaths predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import (
    Counts,
    Floats,
    as_counts,
    as_probabilities,
    divide,
    same_shape,
    shaped,
    weighted_mean,
)
from harness.survival.followup import FollowUp, as_horizon
from harness.survival.kaplan_meier import kaplan_meier, survival_in_resamples

__all__ = ["RiskGroup", "calibration_error", "observed_to_expected", "risk_groups"]

GROUPS = 10


@dataclass(frozen=True, slots=True)
class RiskGroup:
    """The predicted and the observed risk of death until the horizon, in one group of cases."""

    n: int
    expected: float
    """Mean predicted risk."""
    observed: float
    """1 - Kaplan-Meier; NaN where the group's follow-up ends before the horizon."""
    low: float
    high: float


def observed_to_expected(
    truth: FollowUp, survival: ArrayLike, at: float, counts: ArrayLike | None = None
) -> Floats:
    """Return (1 - Kaplan-Meier) / mean predicted risk at the horizon: 1 if calibrated in the large.

    `survival` (n,) is the predicted probability of living beyond `at`. NaN without a case, without any
    predicted risk, and where the follow-up ends before the horizon. Source: Crowson, Atkinson and
    Therneau, Statistical Methods in Medical Research 25 (2016).
    """
    risk, horizon = _risk(truth, survival), np.array([as_horizon(at)])
    drawn = as_counts(counts, len(truth))
    observed = 1 - survival_in_resamples(truth, horizon, drawn)[:, 0]
    return shaped(divide(observed, weighted_mean(risk, drawn)), counts)


def calibration_error(
    truth: FollowUp,
    survival: ArrayLike,
    at: float,
    counts: ArrayLike | None = None,
    *,
    groups: int = GROUPS,
) -> Floats:
    """Return the mean of |observed - expected| over groups of predicted risk, weighted by their cases.

    Groups are those of `risk_groups`, made anew in each resample. NaN without a case, and where the
    follow-up of a group ends before the horizon: a group is never left out.
    """
    risk, horizon = _risk(truth, survival), np.array([as_horizon(at)])
    drawn = as_counts(counts, len(truth))
    where = _groups(risk, drawn, groups)
    total = np.zeros(len(drawn))
    for group in range(groups):
        inside = np.where(where == group, drawn, 0)
        cases = inside.sum(axis=1)
        observed = 1 - survival_in_resamples(truth, horizon, inside)[:, 0]
        away = np.abs(observed - weighted_mean(risk, inside))
        total += np.where(cases > 0, cases * away, 0.0)
    return shaped(divide(total, drawn.sum(axis=1)), counts)


def risk_groups(
    truth: FollowUp, survival: ArrayLike, at: float, *, groups: int = GROUPS, level: float = 0.95
) -> tuple[RiskGroup, ...]:
    """Return the groups by rising predicted risk, with the log-log band of what was observed.

    A case belongs to group floor(groups * k / n), with k the cases of lower risk: groups are equal in
    size unless risks are, and equal risks are never divided. Empty groups are left out.
    """
    risk, horizon = _risk(truth, survival), as_horizon(at)
    where = _groups(risk, as_counts(None, len(truth)), groups)[0]
    return tuple(
        _group(truth.take(where == group), risk[where == group], horizon, level)
        for group in np.unique(where).tolist()
    )


def _group(truth: FollowUp, risk: Floats, at: float, level: float) -> RiskGroup:
    curve = kaplan_meier(truth, level)
    known = truth.time.max() >= at or curve.survival[-1] == 0
    if not known:
        return RiskGroup(len(truth), float(risk.mean()), *(float("nan"),) * 3)
    here = int(np.searchsorted(curve.times, at, side="right"))
    lived = [float(np.append(1.0, part)[here]) for part in (curve.survival, curve.high, curve.low)]
    return RiskGroup(len(truth), float(risk.mean()), *(1 - part for part in lived))


def _groups(risk: Floats, counts: Counts, groups: int) -> NDArray[np.int64]:
    """Return the group of each case in each resample, (resamples, n)."""
    if groups < 1:
        raise ValueError(f"groups must be 1 or more, got {groups}")
    order = np.argsort(risk, kind="stable")
    first = np.searchsorted(risk[order], risk, side="left")
    running = np.zeros((len(counts), len(risk) + 1), dtype=np.int64)
    np.cumsum(np.take(counts, order, axis=1), axis=1, out=running[:, 1:])
    lower = np.take(running, first, axis=1)
    return np.asarray(groups * lower // np.maximum(running[:, -1:], 1))


def _risk(truth: FollowUp, survival: ArrayLike) -> Floats:
    risk = 1 - as_probabilities(survival)
    same_shape(truth.time, risk, 1)
    return risk
