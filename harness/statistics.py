"""Resampling of patients, and intervals from resamples: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import as_scores, as_truth, same_shape

MAX_UNDEFINED = 0.10
"""Largest share of resamples without a value for which an interval is still given."""


def bootstrap_counts(groups: Sequence[str], resamples: int = 1000, seed: int = 0) -> NDArray[np.int32]:
    """Return how often each case occurs in each resample, (resamples, n).

    `groups` names the patient of each case: patients are drawn with replacement, as many as there
    are, and all cases of a patient come along. The same patients and seed give the same draws.
    """
    names, patient = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    patients = len(names)
    if patients == 0:
        return np.zeros((resamples, 0), dtype=np.int32)
    counts = np.empty((resamples, len(patient)), dtype=np.int32)
    draw = np.random.default_rng(seed)
    alone = np.array_equal(patient, np.arange(patients))
    for row in counts:
        times = np.bincount(draw.integers(0, patients, size=patients), minlength=patients)
        row[:] = times if alone else times[patient]
    return counts


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


def delong_interval(truth: ArrayLike, scores: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return DeLong's interval of the AUROC, cut at 0 and 1; NaN with fewer than two of a class.

    AUROC +- z sqrt(var(V of the positives) / P + var(V of the negatives) / N), with V the share of the
    other class that a case is on the right side of, ties half. For independent cases only: where a
    patient has several, bootstrap. Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    labels, parts = as_truth(truth), placements(truth, scores)
    above, below = parts[labels], parts[~labels]
    if min(len(above), len(below)) < 2:
        return (float("nan"), float("nan"))
    error = np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    return (float(max(0.0, above.mean() - reach)), float(min(1.0, above.mean() + reach)))


def placements(truth: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Return each case's part in the AUROC, (n,): the share of the other class on the right side of it.

    Of a positive the negatives below it, of a negative the positives above it, ties half; NaN with one
    class only. The mean over the positives is the AUROC, and so is that over the negatives. Source:
    DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    labels, values = as_truth(truth), as_scores(scores)
    same_shape(labels, values, 1)
    parts = np.full(len(labels), np.nan)
    positive, negative = values[labels], values[~labels]
    if len(positive) and len(negative):
        parts[labels] = _share_below(positive, negative)
        parts[~labels] = 1 - _share_below(negative, positive)
    return parts


def _share_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of `others` below each value, equal ones counted half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.asarray((left + right) / (2 * len(others)), dtype=np.float64)
