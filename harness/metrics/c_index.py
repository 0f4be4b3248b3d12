"""Harrell's C of censored survival."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import as_follow_up
from harness.survival.concordance import harrell


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the share of the comparable pairs in which who died first had the higher risk, ties half.

    Truth (n, 2), time and event; risk (n,) real. NaN without a comparable pair. Equals
    sksurv.metrics.concordance_index_censored, difference 0. It depends on the censoring, unlike Uno's.
    Source: Harrell, Lee and Mark, Statistics in Medicine 15 (1996).

    >>> float(compute([[10, 1], [20, 1], [30, 0]], [3, 1, 2]))
    0.6666666666666666
    """
    return harrell(as_follow_up(truth), prediction, counts)


metric = Metric("c_index", "Harrell's C", compute, higher_is_better=True, low=0.0, high=1.0)
