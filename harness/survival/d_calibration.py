"""D-calibration: whether predicted survival at the time of death is uniform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics._inputs import Floats, as_counts, divide, shaped
from harness.survival.followup import FollowUp
from harness.survival.interpolation import Curves

__all__ = ["DCalibration", "d_calibration", "d_calibration_test"]

BINS = 10


@dataclass(frozen=True, slots=True)
class DCalibration:
    """The test's result: `shares` (10,) of the cases in [0, .1), ... [.9, 1], .1 each if calibrated."""

    statistic: float
    p: float
    shares: Floats


def d_calibration(
    truth: FollowUp, times: ArrayLike, survival: ArrayLike, counts: ArrayLike | None = None
) -> Floats:
    """Return the chi-square statistic (9 df) of the predicted survival at each case's own time.

    Of a calibrated model S_i(t_i) is uniform. A death counts in the bin of its S; a censored case, whose
    death is still to come, is spread evenly over [0, S]. `survival` (n, times) is read as `Curves`; who was
    observed beyond its last time is censored there. NaN without a case. Source: Haider, Hoehn, Davis
    and Greiner, Journal of Machine Learning Research 21 (2020), 85.
    """
    parts = _parts(truth, Curves(times, survival))
    drawn = as_counts(counts, len(truth))
    cases = drawn.sum(axis=1)
    excess = drawn @ parts - cases[:, None] / BINS
    return shaped(divide(BINS * np.square(excess).sum(axis=1), cases), counts)


def d_calibration_test(truth: FollowUp, times: ArrayLike, survival: ArrayLike) -> DCalibration:
    """Return the statistic of `d_calibration`, its p and the share of each bin; NaN without a case."""
    from scipy.special import chdtrc

    statistic = float(d_calibration(truth, times, survival))
    shares = divide(_parts(truth, Curves(times, survival)).sum(axis=0), np.array(len(truth)))
    return DCalibration(statistic, float(chdtrc(BINS - 1, statistic)), shares)


def _parts(truth: FollowUp, curves: Curves) -> Floats:
    """Return how much of each case lies in each bin, (n, 10); 1 in all."""
    if len(curves) != len(truth):
        raise ValueError(f"truth has {len(truth)} cases, survival {len(curves)}")
    own = curves.at_own(np.minimum(truth.time, curves.end))
    edges = np.arange(BINS) / BINS
    bins = np.searchsorted(edges[1:], own, side="right")
    dead = truth.event & (truth.time <= curves.end)
    at_bin = np.eye(BINS)[bins]
    below = np.clip(own[:, None] - edges, 0.0, 1 / BINS)
    spread = np.divide(below, own[:, None], out=at_bin.copy(), where=own[:, None] > 0)
    return np.where(dead[:, None], at_bin, spread)
