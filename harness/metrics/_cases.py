"""Metrics that are measured case by case, such as those of label volumes: their mean over the cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics._inputs import Floats, as_counts, as_scores, as_truth, same_shape, shaped, weighted_mean


def mean_of_cases(counted: ArrayLike, values: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the mean value of the cases that count; NaN where none does.

    `counted` (n,) 0/1: whether the case has a value (in some editions a region that neither truth nor
    prediction has leaves none); `values` (n,) real, unread (NaN, say) where the case does not count.

    >>> float(mean_of_cases([1, 1, 0], [0.5, 1.0, float("nan")]))
    0.75
    """
    known, numbers = as_truth(counted), np.asarray(values, dtype=np.float64)
    same_shape(known, numbers, 1)
    times = as_counts(counts, len(known))[:, known]
    return shaped(weighted_mean(as_scores(numbers[known]), times), counts)
