"""Concordance of a risk with the order of deaths: Harrell's C, Uno's C, and the difference of two.

A pair is comparable if one case had the event and the other was observed longer, or was censored on the
same day. It is concordant if the first had the higher risk; equal risks (within `TIED`) count half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Counts, Floats, as_counts, as_scores, divide, same_shape, shaped
from harness.statistics import percentile_interval
from harness.survival.followup import FollowUp, as_horizon
from harness.survival.kaplan_meier import inverse_censoring

__all__ = ["TIED", "Difference", "concordance_difference", "harrell", "uno"]

Places = NDArray[np.intp]

TIED = 1e-8
"""Risks that differ by no more are tied, as in scikit-survival."""

BLOCK = 1000
"""Resamples at once; each step of the count is one addition for all of them."""


def harrell(truth: FollowUp, risk: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return Harrell's C: the share of the comparable pairs that are concordant, in whole numbers.

    Risk (n,) real, higher = earlier death. NaN without a comparable pair (no case, one case, all censored,
    all events on one day). Equals sksurv.metrics.concordance_index_censored, difference 0. Source:
    Harrell, Lee and Mark, Statistics in Medicine 15 (1996).

    >>> truth = FollowUp.of([10, 20, 30, 30], [1, 1, 1, 0])
    >>> float(harrell(truth, [4, 3, 2, 1]))
    1.0
    >>> float(harrell(truth, [4, 2, 3, 3]))
    0.5833333333333334
    """
    weights = np.ones(len(truth), dtype=np.int64)
    return shaped(_concordance(truth, risk, weights, as_counts(counts, len(truth))), counts)


def uno(
    truth: FollowUp,
    risk: ArrayLike,
    training: FollowUp,
    tau: float | None = None,
    counts: ArrayLike | None = None,
) -> Floats:
    """Return Uno's C: pairs weighted by 1/G(time of the event)^2, events before `tau` only.

    G is the censoring distribution of the training set, the same in all resamples. Undefined as
    `harrell`, and where no event lies before tau. Equals sksurv.metrics.concordance_index_ipcw. Source:
    Uno, Cai, Pencina, D'Agostino and Wei, Statistics in Medicine 30 (2011).

    Raises:
        ValueError: an event before tau lies beyond the training follow-up.
    """
    counted = truth.event if tau is None else truth.event & (truth.time < as_horizon(tau))
    weights = np.square(inverse_censoring(truth, training, counted))
    return shaped(_concordance(truth, risk, weights, as_counts(counts, len(truth))), counts)


# -------------------------------------------------------------------------------------- the difference
@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two values on the same cases, with its bootstrap interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def concordance_difference(
    truth: FollowUp,
    one: ArrayLike,
    other: ArrayLike,
    counts: ArrayLike,
    *,
    training: FollowUp | None = None,
    tau: float | None = None,
    level: float = 0.95,
) -> Difference:
    """Return C of one risk less C of another, on the same resamples of the same cases.

    Harrell's C, or Uno's where a training set is given. p = 2 min(share of resamples with a difference
    <= 0, share with one >= 0), the observed difference counted as a resample. Interval and p are NaN
    where the interval is (`percentile_interval`). Source: Davison and Hinkley, Bootstrap Methods and
    their Application (1997), 4.2 and 5.
    """
    values, resampled = (
        np.subtract(*(_either(truth, risk, training, tau, drawn) for risk in (one, other)))
        for drawn in (None, counts)
    )
    low, high = percentile_interval(resampled, level)
    p = float("nan") if np.isnan(low) else _two_sided(resampled[~np.isnan(resampled)])
    return Difference(float(values), low, high, p)


def _either(
    truth: FollowUp, risk: ArrayLike, training: FollowUp | None, tau: float | None, counts: ArrayLike | None
) -> Floats:
    if training is None:
        if tau is not None:
            raise ValueError("tau truncates Uno's C, which needs a training set")
        return harrell(truth, risk, counts)
    return uno(truth, risk, training, tau, counts)


def _two_sided(differences: Floats) -> float:
    tails = ((differences <= 0).sum(), (differences >= 0).sum())
    return float(min(1.0, 2 * (min(tails) + 1) / (len(differences) + 1)))


# ------------------------------------------------------------------------------------------ the count
def _concordance(truth: FollowUp, risk: ArrayLike, weights: NDArray[np.generic], counts: Counts) -> Floats:
    """Return C of each resample, (resamples,), with a weight of each event."""
    scores = as_scores(risk)
    same_shape(truth.time, scores, 1)
    plan = _Plan.of(truth, scores)
    parts = (counts[start : start + BLOCK] for start in range(0, len(counts), BLOCK))
    found = [_of_block(plan, weights, part) for part in parts]
    return np.concatenate(found) if found else np.zeros(0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who is met when, the latest first, and where each risk stands among the distinct ones."""

    days: list[tuple[list[int], list[int]]]
    """The cases censored on each day and those with the event, days falling."""
    place: Places
    low: Places
    """How many distinct risks are lower and not tied."""
    high: Places
    """How many distinct risks are lower or tied."""
    places: int

    @classmethod
    def of(cls, truth: FollowUp, scores: Floats) -> _Plan:
        distinct, place = np.unique(scores, return_inverse=True)
        low, high = _tied(distinct)
        return cls(list(_days(truth)), place, low[place], high[place], len(distinct))


def _days(truth: FollowUp) -> Iterator[tuple[list[int], list[int]]]:
    order = np.lexsort((truth.event, -truth.time))
    time, event = truth.time[order], truth.event[order]
    starts = np.flatnonzero(np.append(True, time[1:] != time[:-1])[: len(time)])
    for cases, events in zip(np.split(order, starts[1:]), np.split(event, starts[1:]), strict=True):
        yield cases[~events].tolist(), cases[events].tolist()


def _tied(distinct: Floats) -> tuple[Places, Places]:
    """Return, for rising values, the first that is tied with each, and the one after the last tied.

    Rounded differences rise with the value, so that what is tied lies together; searching for value - TIED
    would round once more.
    """
    n = len(distinct)
    low = np.searchsorted(distinct, distinct - TIED)
    high = np.searchsorted(distinct, distinct + TIED, side="right")

    def apart(first: Places, second: Places) -> Floats:
        with np.errstate(over="ignore"):
            return distinct[np.minimum(second, n - 1)] - distinct[np.maximum(first, 0)]

    own = np.arange(n)
    while (more := (low > 0) & (apart(low - 1, own) <= TIED)).any():
        low = low - more
    while (less := apart(low, own) > TIED).any():
        low = low + less
    while (more := (high < n) & (apart(own, high) <= TIED)).any():
        high = high + more
    while (less := apart(own, high - 1) > TIED).any():
        high = high - less
    return low, high


class _Entered:
    """How many cases have entered below each place, in each resample.

    Running sums over blocks of places, and over the places within each block: entering adds to two
    slices, asking adds two rows. With blocks of the square root of the places both are cheap, and each
    step serves all resamples at once.
    """

    def __init__(self, places: int, resamples: int, dtype: type[np.integer]) -> None:
        self.width = isqrt(places) + 1
        number = places // self.width + 1
        self.blocks = np.zeros((number, resamples), dtype=dtype)
        self.within = np.zeros((number, self.width, resamples), dtype=dtype)
        self.all = np.zeros(resamples, dtype=dtype)

    def add(self, place: int, times: Counts) -> None:
        block, step = divmod(place, self.width)
        self.blocks[block + 1 :] += times
        self.within[block, step + 1 :] += times
        self.all += times

    def below(self, place: int) -> Counts:
        block, step = divmod(place, self.width)
        return np.asarray(self.blocks[block] + self.within[block, step])


def _of_block(plan: _Plan, weights: NDArray[np.generic], counts: Counts) -> Floats:
    """Count twice the concordant pairs (ties once) and the comparable ones, days falling."""
    dtype = _wide_enough(counts)
    times = np.ascontiguousarray(counts.T, dtype=dtype)
    place, low, high, weight = (a.tolist() for a in (plan.place, plan.low, plan.high, weights))
    entered = _Entered(plan.places, len(counts), dtype)
    won, comparable = np.zeros((2, len(counts)), dtype=weights.dtype)
    for censored, events in plan.days:
        for case in censored:
            entered.add(place[case], times[case])
        for case in events:
            beaten = entered.below(low[case])
            beaten += entered.below(high[case])
            won += weight[case] * (beaten * times[case])
            comparable += weight[case] * (entered.all * times[case])
        for case in events:
            entered.add(place[case], times[case])
    return divide(won, 2 * comparable)


def _wide_enough(counts: Counts) -> type[np.integer]:
    """Return int32 if twice the pairs of the most frequent case fit: half the memory, twice the speed."""
    pairs = 2 * int(counts.sum(axis=1).max(initial=0)) * int(counts.max(initial=0))
    return np.int32 if pairs < 2**31 else np.int64
