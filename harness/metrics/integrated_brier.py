"""Integrated Brier score of survival curves."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import as_follow_up, quarters, reaches, undefined
from harness.survival.brier import integrated_brier


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean of the Brier score from the first to the last column, by the trapezoidal rule.

    Truth (n, 2), time in days and event; prediction (n, quarters) in [0, 1], two or more: the probabilities
    of being alive at the ends of the first quarters of a year. The weights are 1/G, G the censoring of the
    truth. NaN where nobody was observed beyond the last. Equals
    sksurv.metrics.integrated_brier_score(truth, truth, ..). Source: as `brier_1yr`.

    >>> float(compute([[91, 1], [400, 0]], [[0.5, 0.5], [1.0, 1.0]]))
    0.125
    """
    follow_up = as_follow_up(truth)
    times, curves = quarters(prediction)
    if not reaches(follow_up, float(times[-1])):
        return undefined(counts)
    return integrated_brier(follow_up, curves, times, follow_up, counts)


metric = Metric(
    "integrated_brier",
    "Integrated Brier score",
    compute,
    higher_is_better=False,
    low=0.0,
    high=float("inf"),
)
