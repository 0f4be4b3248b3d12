"""Resampling of patients, and intervals from resamples: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_UNDEFINED = 0.10
"""Largest share of resamples without a value for which an interval is still given."""


def bootstrap_counts(groups: Sequence[str], resamples: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """Return how often each case occurs in each resample, (resamples, n).

    `groups` names the patient of each case: patients are drawn with replacement, as many as there
    are, and all cases of a patient come along. The same patients and seed give the same draws.
    """
    names, patient = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    patients = len(names)
    if patients == 0:
        return np.zeros((resamples, 0), dtype=np.int64)
    drawn = np.random.default_rng(seed).integers(0, patients, size=(resamples, patients))
    drawn += np.arange(resamples)[:, None] * patients
    counts = np.bincount(drawn.ravel(), minlength=resamples * patients)
    return np.take(counts.reshape(resamples, patients), patient, axis=1)


def percentile_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the metric's values in the resamples, (resamples,).

    Resamples in which the metric is undefined (NaN: one class was not drawn, for example) are left
    out; `undefined_share` says how many. If they are more than `MAX_UNDEFINED` of all, what is left
    is no longer a sample of the metric's distribution, and both ends are NaN. Quantiles are
    interpolated linearly. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or undefined_share(array) > MAX_UNDEFINED:
        return (float("nan"), float("nan"))
    tail = (1 - level) / 2
    low, high = np.quantile(array[~np.isnan(array)], [tail, 1 - tail])
    return (float(low), float(high))


def undefined_share(values: ArrayLike) -> float:
    """Return the share of resamples without a value (NaN), 0 if there are none at all."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.isnan(array).mean()) if array.size else 0.0
