"""Uno's C of censored survival."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import as_follow_up
from harness.survival.concordance import uno


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return Harrell's C with pairs weighted by 1/G(time of the death)^2, G the censoring of the truth.

    Truth (n, 2), time and event; risk (n,) real. NaN without a comparable pair. Truncated at tau is what a
    truth gives whose cases observed for tau or longer are censored at tau. Equals
    sksurv.metrics.concordance_index_ipcw(truth, truth, risk). Source: Uno, Cai, Pencina, D'Agostino and
    Wei, Statistics in Medicine 30 (2011).

    >>> float(compute([[10, 1], [20, 1], [30, 0]], [3, 1, 2]))
    0.6666666666666666

    Raises:
        ValueError: a death at the end of the follow-up, when all others are censored too.
    """
    follow_up = as_follow_up(truth)
    return uno(follow_up, prediction, follow_up, None, counts)


metric = Metric("uno_c", "Uno's C", compute, higher_is_better=True, low=0.0, high=1.0)
