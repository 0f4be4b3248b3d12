"""Mean AUROC over labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.contracts import Metric
from harness.metrics._confusion import mean_over_supported
from harness.metrics._inputs import Floats, as_counts, as_scores, as_truth, same_shape, shaped
from harness.metrics.auroc import mann_whitney


def compute(truth: ArrayLike, prediction: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean of the labels' AUROCs, over the labels with a positive and a negative case.

    Truth (n, labels) 0/1, scores (n, labels) real; NaN if no label has both classes. In a resample
    the labels are those with both classes in that resample.

    >>> truth = [[0, 0], [0, 0], [1, 0]]
    >>> float(compute(truth, [[0.2, 0.1], [0.9, 0.1], [0.5, 0.1]]))
    0.5
    """
    labels, scores = as_truth(truth), as_scores(prediction)
    same_shape(labels, scores, 2)
    weights = as_counts(counts, len(labels))
    columns = [mann_whitney(labels[:, k], scores[:, k], weights) for k in range(labels.shape[1])]
    values = np.stack(columns, axis=1) if columns else np.empty((len(weights), 0))
    defined = (~np.isnan(values)).astype(np.float64)
    return shaped(mean_over_supported(values, defined), counts)


metric = Metric("auroc_macro", "Macro AUROC", compute, higher_is_better=True, low=0.0, high=1.0)
