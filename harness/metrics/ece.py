"""Expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.curves import BINS, bin_of
from harness.metrics._inputs import (
    Floats,
    as_counts,
    as_probabilities,
    as_truth,
    divide,
    same_shape,
    shaped,
)


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the sum over ten bins of equal width of (n_b / n) |mean p - mean y|.

    Truth y (n,) 0/1, probabilities p (n,) in [0, 1]; NaN without a case. Biased upwards for few
    cases: read it beside the reliability curve. Source: Naeini et al., AAAI 2015, for a binary
    outcome.

    >>> round(float(compute([0, 1, 1, 1], [0.25, 0.25, 0.85, 0.95])), 4)
    0.175
    """
    labels, scores = as_truth(truth), as_probabilities(prediction)
    same_shape(labels, scores, 1)
    weights = as_counts(counts, len(labels))
    surplus = np.zeros((len(labels), BINS))
    surplus[np.arange(len(labels)), bin_of(scores)] = scores - labels
    gaps = np.abs(weights.astype(np.float64) @ surplus).sum(axis=1)
    return shaped(divide(gaps, weights.sum(axis=1)), counts)


metric = Metric("ece", "Expected calibration error", compute, higher_is_better=False, low=0.0, high=1.0)
