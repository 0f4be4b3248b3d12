"""Calibration in the large of survival at one year."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import YEAR, as_follow_up
from harness.survival.calibration import observed_to_expected


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return |log(observed / expected)| of the risk of death until 365 days: 0 if right on the whole.

    Truth (n, 2), time in days and event; prediction (n,), the probability of living beyond. Observed is
    1 - Kaplan-Meier, expected the mean predicted risk. The logarithm, as half and twice are as wrong; NaN
    where either is 0 and where the follow-up ends before. Source: Crowson, Atkinson and Therneau, Statistical
    Methods in Medical Research 25 (2016), for the ratio.

    >>> round(float(compute([[100, 1], [400, 0]], [0.75, 0.75])), 4)  # twice as many died as expected
    0.6931
    """
    ratio = observed_to_expected(as_follow_up(truth), prediction, YEAR, counts)
    return np.asarray(np.abs(np.log(np.where(ratio > 0, ratio, np.nan))))


metric = Metric(
    "log_oe_1yr", "|log O/E| at 1 year", compute, higher_is_better=False, low=0.0, high=float("inf")
)
