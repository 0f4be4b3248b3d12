"""Concordance of survival curves that may cross: Antolini's time-dependent C."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Counts, Floats, as_counts, divide, shaped
from harness.survival.followup import FollowUp
from harness.survival.interpolation import Curves

__all__ = ["antolini"]

BLOCK = 256
"""Events at once."""


def antolini(
    truth: FollowUp, times: ArrayLike, survival: ArrayLike, counts: ArrayLike | None = None
) -> Floats:
    """Return Antolini's C: the share of the comparable pairs in which who died had the lower survival then.

    Each pair is judged at the time of its event, by `survival` (n, times) read as `Curves`; pairs are
    those of `harrell`, equal survival counts half, so that with proportional hazards the two are equal.
    Events beyond the last of the `times` are left out, as the curves end there. NaN without a comparable
    pair. Source: Antolini, Boracchi and Biganzoli, Statistics in Medicine 24 (2005).
    """
    curves = Curves(times, survival)
    if len(curves) != len(truth):
        raise ValueError(f"truth has {len(truth)} cases, survival {len(curves)}")
    drawn = as_counts(counts, len(truth))
    events = np.flatnonzero(truth.event & (truth.time <= curves.end))
    totals = np.zeros((2, len(drawn)))
    for start in range(0, len(events), BLOCK):
        totals += _pairs(truth, curves, events[start : start + BLOCK], drawn)
    return shaped(divide(totals[0], 2 * totals[1]), counts)


def _pairs(truth: FollowUp, curves: Curves, events: NDArray[np.intp], counts: Counts) -> Floats:
    """Return twice the concordant pairs of some events, ties once, and the comparable, (2, resamples).

    Both are whole numbers, exact in float64.
    """
    day, time = truth.time[events], truth.time[:, None]
    later = (time > day) | ((time == day) & ~truth.event[:, None])
    then = curves.at(day)
    own = then[events, np.arange(len(events))]
    points = np.where(later, 2.0 * (own < then) + (own == then), 0.0)
    dead, drawn = counts[:, events], counts.astype(np.float64)
    return np.stack(
        [np.einsum("re,re->r", dead, drawn @ part) for part in (points, later.astype(np.float64))]
    )
