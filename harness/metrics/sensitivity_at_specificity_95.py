"""Sensitivity at 95 % specificity."""

from __future__ import annotations

from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.curves import sensitivity_at
from harness.metrics._inputs import Floats


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the largest sensitivity over the thresholds with a specificity of at least .95.

    max TP/P subject to TN/N >= .95; equal scores are never divided and nothing is interpolated; NaN
    with one class only. Truth (n,) 0/1, scores (n,) real. Source: Metrics Reloaded (Maier-Hein et
    al., Nature Methods 21, 2024), "sensitivity at specificity".

    >>> float(compute([0, 0, 0, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.9]))
    0.5
    """
    return sensitivity_at(95, truth, prediction, counts)


metric = Metric(
    "sensitivity_at_specificity_95",
    "Sensitivity at 95 % specificity",
    compute,
    higher_is_better=True,
    low=0.0,
    high=1.0,
)
