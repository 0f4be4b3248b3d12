"""Calibration error of survival at one year."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import YEAR, as_follow_up
from harness.survival.calibration import calibration_error


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean over tenths of predicted risk of |observed - expected| deaths until 365 days.

    Truth (n, 2), time in days and event; prediction (n,), the probability of living beyond. Observed is
    1 - Kaplan-Meier of the tenth; tenths weigh by their cases and are made anew in each resample. NaN where
    the follow-up of one ends before. Biased upwards for few cases.

    >>> float(compute([[100, 1], [200, 1], [400, 0], [500, 0]], [0.5, 0.5, 1.0, 1.0]))
    0.25
    """
    return calibration_error(as_follow_up(truth), prediction, YEAR, counts)


metric = Metric(
    "calibration_error_1yr",
    "Calibration error at 1 year",
    compute,
    higher_is_better=False,
    low=0.0,
    high=1.0,
)
