"""Time-dependent AUC at one year."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._inputs import Floats
from harness.metrics._survival import YEAR, auc_at


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the AUC of a risk for death until 365 days, ties half, who was censored before made up for.

    Truth (n, 2), time in days and event; risk (n,) real. Deaths weigh 1/G(time of death), G the censoring
    of the truth. NaN without a death until then, or nobody observed beyond. Equals
    sksurv.metrics.cumulative_dynamic_auc(truth, truth, risk, 365). Source: Uno, Cai, Tian and Wei,
    Journal of the American Statistical Association 102 (2007).

    >>> float(compute([[100, 1], [200, 1], [900, 1], [1000, 0]], [3, 1, 2, 0]))
    0.75
    """
    return auc_at(YEAR, truth, prediction, counts)


metric = Metric("auc_1yr", "AUC at 1 year", compute, higher_is_better=True, low=0.0, high=1.0)
