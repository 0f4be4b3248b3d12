"""Area under the precision-recall curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.curves import above
from harness.metrics._inputs import (
    Floats,
    as_counts,
    as_scores,
    as_truth,
    divide,
    same_shape,
    shaped,
)


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the average precision: the sum of (recall_t - recall_(t-1)) precision_t.

    Over the distinct scores t, falling, without interpolation; NaN without a positive case. Its
    level for a score that knows nothing is the prevalence, not .5. Truth (n,) 0/1, scores (n,) real.
    Equals sklearn.metrics.average_precision_score. Source: Davis and Goadrich, ICML 2006.

    >>> round(float(compute([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 1)
    hits, alarms = above(labels, scores, as_counts(counts, len(labels)))
    gained = np.diff(hits, axis=1, prepend=0)
    # A leading group that the resample does not hold has no precision, and gains nothing.
    precision = hits / np.maximum(hits + alarms, 1)
    positives = hits[:, -1] if hits.shape[1] else np.zeros(len(hits))
    return shaped(divide(np.einsum("rt,rt->r", gained, precision), positives), counts)


metric = Metric("auprc", "AUPRC", compute, higher_is_better=True, low=0.0, high=1.0)
