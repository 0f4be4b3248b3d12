"""D-calibration of survival curves."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import as_follow_up, quarters
from harness.survival import d_calibration as survival


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the chi-square statistic (9 df) of the predicted survival at each case's own time.

    Truth (n, 2), time in days and event; prediction (n, quarters), the probabilities of being alive at the
    ends of the first quarters of a year, linear between. Of a calibrated model they are uniform; above 16.9
    they differ from it at the 5 % level. It grows with the number of cases. NaN without a case. Source:
    Haider, Hoehn, Davis and Greiner, Journal of Machine Learning Research 21 (2020), 85.

    >>> round(float(compute([[91.25, 1], [182.5, 1]], [[0.55, 0.2], [0.7, 0.65]])), 4)
    8.0
    """
    times, curves = quarters(prediction)
    return survival.d_calibration(as_follow_up(truth), times, curves, counts)


metric = Metric(
    "d_calibration", "D-calibration", compute, higher_is_better=False, low=0.0, high=float("inf"), digits=2
)
