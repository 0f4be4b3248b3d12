"""What every metric accepts, refuses and returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.integer[Any]]


def as_truth(truth: ArrayLike) -> Bools:
    """Return 0/1 labels as booleans.

    Raises:
        ValueError: a label is neither 0 nor 1 (NaN included).
    """
    return _as_bools("truth", truth)


def as_decisions(prediction: ArrayLike) -> Bools:
    """Return 0/1 decisions as booleans.

    Raises:
        ValueError: a decision is neither 0 nor 1 (NaN included).
    """
    return _as_bools("prediction", prediction)


def as_scores(prediction: ArrayLike) -> Floats:
    """Return real scores as float64.

    Raises:
        ValueError: a score is NaN or infinite.
    """
    scores = np.asarray(prediction, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"prediction is not finite at {_first(~np.isfinite(scores))}")
    return scores


def as_probabilities(prediction: ArrayLike) -> Floats:
    """Return probabilities as float64.

    Raises:
        ValueError: a value is NaN or outside [0, 1].
    """
    scores = as_scores(prediction)
    outside = (scores < 0) | (scores > 1)
    if outside.any():
        raise ValueError(f"prediction is outside [0, 1] at {_first(outside)}")
    return scores


def as_counts(counts: ArrayLike | None, n: int) -> Counts:
    """Return the multiplicities (resamples, n); one row of ones if there are none.

    Raises:
        ValueError: not integers, negative, or not one column a case.
    """
    if counts is None:
        return np.ones((1, n), dtype=np.int64)
    array = np.asarray(counts)
    if array.ndim != 2 or array.shape[1] != n:
        raise ValueError(f"counts must have shape (resamples, {n}), got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"counts must be integers, got {array.dtype}")
    if array.size and array.min() < 0:
        raise ValueError("counts must not be negative")
    return array


def same_shape(truth: NDArray[Any], prediction: NDArray[Any], *ndims: int) -> None:
    """Refuse arrays that do not belong together.

    Raises:
        ValueError: the shapes differ, or have another number of axes than `ndims`.
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth has shape {truth.shape}, prediction {prediction.shape}")
    if truth.ndim not in ndims:
        raise ValueError(f"expected {' or '.join(map(str, ndims))} axes, got shape {truth.shape}")


def as_columns(labels: Bools) -> Bools:
    """Return (n,) as (n, 1), and (n, labels) as it is."""
    return labels[:, None] if labels.ndim == 1 else labels


def divide(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def weighted_mean(terms: Floats, counts: Counts) -> Floats:
    """Return the mean of per-case terms (n,) in each resample, (resamples,)."""
    return divide(counts @ terms, counts.sum(axis=1))


def shaped(values: Floats, counts: ArrayLike | None) -> Floats:
    """Return (resamples,) as it is, or () where no counts were given."""
    return values if counts is not None else np.asarray(values[0])


def _as_bools(what: str, values: ArrayLike) -> Bools:
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        raise ValueError(f"{what} is neither 0 nor 1 at {_first(wrong)}")
    return array.astype(np.bool_)


def _first(wrong: Bools) -> str:
    return f"index {', '.join(str(int(i)) for i in np.argwhere(wrong)[0])}"
