"""Brier score of survival at one year."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import YEAR, as_follow_up, reaches, undefined
from harness.survival.brier import brier


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean squared error of the probability of living beyond 365 days, weighted for censoring.

    Truth (n, 2), time in days and event; prediction (n,) in [0, 1]. The weights are 1/G, G the censoring of
    the truth. NaN where nobody was observed beyond. Equals sksurv.metrics.brier_score(truth, truth, ..).
    Source: Graf, Schmoor, Sauerbrei and Schumacher, Statistics in Medicine 18 (1999).

    >>> float(compute([[100, 1], [400, 0]], [0.5, 1.0]))
    0.125
    """
    follow_up = as_follow_up(truth)
    if not reaches(follow_up, YEAR):
        return undefined(counts)
    return brier(follow_up, prediction, YEAR, follow_up, counts)


metric = Metric(
    "brier_1yr", "Brier score at 1 year", compute, higher_is_better=False, low=0.0, high=float("inf")
)
