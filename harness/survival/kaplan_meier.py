"""Kaplan-Meier curves: of survival, of censoring, of resamples, and for a figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Counts, Floats, as_counts, divide, shaped
from harness.survival.followup import FollowUp, as_times

__all__ = [
    "KaplanMeier",
    "Steps",
    "at_risk",
    "blocks",
    "censoring",
    "inverse_censoring",
    "kaplan_meier",
    "marginal",
    "positive_censoring",
    "survival_at",
    "survival_in_resamples",
]

Whole = NDArray[np.int64]

BLOCK = 50
"""Resamples at once: what they need stays in the processor's cache."""


def blocks(counts: Counts) -> Iterator[Counts]:
    """Return the resamples, some at a time."""
    return (counts[start : start + BLOCK] for start in range(0, len(counts), BLOCK))


# ------------------------------------------------------------------------------------ step functions
@dataclass(frozen=True, slots=True)
class Steps:
    """A curve that is 1 at the start and falls to `values` at `times`, each holding from its time on."""

    times: Floats
    values: Floats

    def __call__(self, at: ArrayLike) -> Floats:
        """Return the curve at the given times; beyond the last one 0 if it fell to 0, else NaN: unknown."""
        wanted = np.asarray(at, dtype=np.float64)
        end = self.values[-1] if len(self.values) and self.values[-1] == 0 else np.nan
        found = np.concatenate([[1.0], self.values])[np.searchsorted(self.times, wanted, side="right")]
        last = self.times[-1] if len(self.times) else -np.inf
        return np.asarray(np.where(wanted > last, end, found))


def marginal(truth: FollowUp) -> Steps:
    """Return the Kaplan-Meier survival of a population: what is predicted without knowing the case.

    Source: Kaplan and Meier, Journal of the American Statistical Association 53 (1958).
    """
    table = _Table.of(truth)
    alive = 1 - divide(table.events, table.entering)
    return Steps(table.times, np.asarray(np.cumprod(alive), dtype=np.float64))


def censoring(training: FollowUp) -> Steps:
    """Return the Kaplan-Meier probability of being still under observation.

    Who dies at a time leaves before who is censored at it. Equals
    sksurv.nonparametric.CensoringDistributionEstimator (which takes times within 2e-16 for one).
    """
    table = _Table.of(training)
    left = table.entering - table.events
    lost = np.divide(table.censored, left, out=np.zeros(len(left)), where=table.censored > 0)
    return Steps(table.times, np.asarray(np.cumprod(1 - lost), dtype=np.float64))


def inverse_censoring(truth: FollowUp, training: FollowUp, needed: NDArray[np.bool_]) -> Floats:
    """Return 1/G(time) of the needed cases, 0 for the others, with G the censoring in training.

    Raises:
        ValueError: G is 0 or unknown at a needed time: the training follow-up is too short for it.
    """
    weights = np.zeros(len(truth))
    times = truth.time[needed]
    weights[needed] = 1 / positive_censoring(training, times)
    return weights


def positive_censoring(training: FollowUp, at: Floats) -> Floats:
    """Return the censoring distribution at the given times, all above 0.

    Raises:
        ValueError: it is 0 or unknown at one of them.
    """
    found = censoring(training)(at)
    wrong = ~(found > 0)
    if wrong.any():
        last = training.time.max() if len(training) else 0.0
        raise ValueError(
            f"the training follow-up ends at {last:g} and gives no weight to the time {at[wrong][0]:g}: "
            "end tau and the grid of times before it"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Table:
    """What happens at each distinct time, and how many are observed until it."""

    times: Floats
    entering: Whole
    events: Whole
    censored: Whole

    @classmethod
    def of(cls, truth: FollowUp) -> _Table:
        times, place = np.unique(truth.time, return_inverse=True)
        leaving = np.bincount(place, minlength=len(times))
        events = np.bincount(place[truth.event], minlength=len(times))
        return cls(times, len(truth) - np.cumsum(leaving) + leaving, events, leaving - events)


# ---------------------------------------------------------------------------------- in every resample
def survival_at(truth: FollowUp, at: float, counts: ArrayLike | None = None) -> Floats:
    """Return the Kaplan-Meier survival at a time, () or (resamples,).

    NaN without a case, and beyond the last observation unless that was an event of all at risk.
    """
    found = survival_in_resamples(truth, as_times([at]), as_counts(counts, len(truth)))
    return shaped(found[:, 0], counts)


def survival_in_resamples(truth: FollowUp, at: Floats, counts: Counts) -> Floats:
    """Return the Kaplan-Meier survival at rising times in each resample, (resamples, times)."""
    times, place = np.unique(truth.time, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(times)))
    if not len(times):
        return np.full((len(counts), len(at)), np.nan)
    ordered = FollowUp(truth.time[order], truth.event[order])
    found = [_survival(ordered, starts, at, np.take(part, order, axis=1)) for part in blocks(counts)]
    return np.concatenate(found) if found else np.zeros((0, len(at)))


def _survival(ordered: FollowUp, starts: NDArray[np.intp], at: Floats, counts: Counts) -> Floats:
    """Return the survival at rising times; `starts` are the first cases of each distinct time."""
    leaving = np.add.reduceat(counts, starts, axis=1, dtype=np.int64)
    dying = np.add.reduceat(counts * ordered.event, starts, axis=1, dtype=np.int64)
    entering = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
    share = np.divide(dying, entering, out=np.zeros(dying.shape), where=dying > 0)
    curve = np.ones((len(counts), len(starts) + 1))
    np.cumprod(1 - share, axis=1, out=curve[:, 1:])
    times = ordered.time[starts]
    found = curve[:, np.searchsorted(times, at, side="right")]
    after = np.searchsorted(times, at, side="left")
    observed = np.pad(entering, ((0, 0), (0, 1)))[:, after] > 0
    return np.where(observed | (found == 0), found, np.nan)


def at_risk(truth: FollowUp, at: ArrayLike) -> Whole:
    """Return how many cases were observed until each time or longer, for the table below a figure."""
    return np.asarray((truth.time[None, :] >= np.asarray(at)[..., None]).sum(axis=-1), dtype=np.int64)


# ------------------------------------------------------------------------------------- for one figure
@dataclass(frozen=True, slots=True)
class KaplanMeier:
    """A Kaplan-Meier curve with its band; all (distinct times,)."""

    times: Floats
    survival: Floats
    """From each time on; 1 before the first."""
    low: Floats
    high: Floats
    at_risk: Whole
    """Just before each time."""
    events: Whole
    censored: Whole

    @property
    def median(self) -> float:
        """The first time at which survival is .5 or less; NaN if it never is."""
        reached = self.times[self.survival <= 0.5]
        return float(reached[0]) if len(reached) else float("nan")


def kaplan_meier(truth: FollowUp, level: float = 0.95) -> KaplanMeier:
    """Return the curve with its pointwise log-log band: S^exp(+-z se), se = sqrt(Greenwood) / |log S|.

    The band is 1 before the first event and 0 where the curve is. Equals
    sksurv.nonparametric.kaplan_meier_estimator with conf_type="log-log". Source: Kalbfleisch and
    Prentice, The Statistical Analysis of Failure Time Data (2002), 1.4.
    """
    table = _Table.of(truth)
    survival = marginal(truth).values
    left = table.entering - table.events
    greenwood = np.cumsum(
        np.divide(table.events, table.entering * left, out=np.zeros(len(left)), where=left > 0)
    )
    alive = survival > np.finfo(np.float64).eps
    logarithm = np.log(survival, out=np.zeros(len(survival)), where=alive)
    error = np.divide(np.sqrt(greenwood), -logarithm, out=np.zeros(len(survival)), where=logarithm < 0)
    reach = np.exp(NormalDist().inv_cdf((1 + level) / 2) * error)
    low, high = (np.where(alive, np.exp(power * logarithm), 0.0) for power in (reach, 1 / reach))
    return KaplanMeier(table.times, survival, low, high, table.entering, table.events, table.censored)
