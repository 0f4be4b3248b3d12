"""Brier score of survival at one year against a baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics import brier_1yr
from harness.metrics._inputs import Floats, divide


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return 1 - Brier / Brier of a baseline, both at 365 days: 1 is perfect, 0 no better than the baseline.

    Truth (n, 2), time in days and event; prediction (n, 2), the probability of living beyond and the
    baseline's, such as a Kaplan-Meier estimate. NaN as `brier_1yr`, and where the baseline is perfect.
    Source: Kattan and Gerds, Diagnostic and Prognostic Research 2 (2018).

    >>> float(compute([[100, 1], [400, 0]], [[0.5, 0.5], [1.0, 0.5]]))
    0.5
    """
    both = np.asarray(prediction, dtype=np.float64)
    if both.ndim != 2 or both.shape[1] != 2:
        raise ValueError(f"prediction must have shape (n, 2), its own and the baseline's, got {both.shape}")
    own, baseline = (np.atleast_1d(brier_1yr.compute(truth, part, counts)) for part in both.T)
    scaled = 1 - divide(own, baseline)
    return scaled if counts is not None else np.asarray(scaled[0])


metric = Metric(
    "scaled_brier_1yr",
    "Scaled Brier score at 1 year",
    compute,
    higher_is_better=True,
    low=float("-inf"),
    high=1.0,
)
