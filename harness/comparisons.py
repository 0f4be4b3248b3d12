"""What a difference between two entries is worth: paired tests on patients, and on folds.

Every entry of a board is resampled with the same draws of patients (`statistics.bootstrap_counts`), so the
differences of two entries' values in the resamples are the bootstrap distribution of their difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from harness.records import Cell

__all__ = [
    "FoldTest",
    "VarianceParts",
    "cell_variance",
    "corrected_fold_test",
    "difference_errors",
    "normalised",
    "pair_errors",
    "paired_p",
    "variance_parts",
]

RELATIVE = 1e-12
"""Variances of differences below this part of those of the entries are what rounding leaves."""


# -------------------------------------------------------------------------------- over patients
def difference_errors(resampled: ArrayLike, entry: int) -> NDArray[np.float64]:
    """Return the bootstrap standard error of each entry's difference to one of them, (entries,).

    `resampled` (resamples, entries), the values in the same draws of patients.
    """
    values = np.asarray(resampled, dtype=np.float64)
    return np.asarray((values - values[:, [entry]]).std(axis=0, ddof=1))


def pair_errors(resampled: ArrayLike) -> NDArray[np.float64]:
    """Return the bootstrap standard error of the difference of each pair, (entries, entries).

    By covariances, var(a - b) = var(a) + var(b) - 2 cov(a, b): one product of matrices for all pairs. What
    rounding leaves of two nearly equal entries is not below `RELATIVE` of their variances.
    """
    values = np.asarray(resampled, dtype=np.float64)
    centred = values - values.mean(axis=0)
    covariance = centred.T @ centred / (len(values) - 1)
    own = np.diag(covariance)
    both = own[:, None] + own
    return np.asarray(np.sqrt(np.maximum(both - 2 * covariance, RELATIVE * both)))


def paired_p(differences: ArrayLike, errors: ArrayLike, patients: int) -> NDArray[np.float64]:
    """Return two-sided p-values of differences from their bootstrap standard errors, of the same shape.

    Student's t with patients - 1 degrees of freedom, the error enlarged by sqrt(n / (n - 1)): for a
    mean over patients that is the paired t-test, but for the number of resamples. Unlike a share of the
    resamples it can be small enough for Holm's correction among many entries. It is never below
    2^(1 - n), all that n coin tosses can say, and 1 where there is no difference or only one patient.
    """
    from scipy.special import stdtr

    seen, error = np.abs(np.asarray(differences, dtype=np.float64)), np.asarray(errors, dtype=np.float64)
    if patients < 2:
        return np.where(np.isnan(seen + error), np.nan, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = seen / (error * math.sqrt(patients / (patients - 1)))
    p = np.maximum(2 * stdtr(patients - 1, -t), 2.0 ** (1 - patients))
    p = np.where(seen == 0, 1.0, p)
    return np.where(np.isnan(seen) | np.isnan(error), np.nan, p)


# ----------------------------------------------------------------------------------- over folds
@dataclass(frozen=True, slots=True)
class FoldTest:
    """The mean over folds with the corrected interval, and the test that it is 0."""

    mean: float
    low: float
    high: float
    t: float
    p: float
    folds: int


def corrected_fold_test(
    values: ArrayLike, train: float, heldout: float, level: float = 0.95
) -> FoldTest | None:
    """Return the mean over folds with Nadeau and Bengio's interval and t-test; None below two folds.

    The folds' models share training cases, so their values vary less than independent ones would. The
    variance of the mean is therefore (1 / k + held-out / training) s^2 instead of s^2 / k, with s^2 the
    sample variance over k folds, and k - 1 degrees of freedom. `values` (folds,) are a metric's, or
    two entries' differences on the same folds; `train` and `heldout` how many cases a fold has. Equal
    values leave no spread: p is then 1 at a mean of 0, else 0. Source: Nadeau and Bengio, Inference for the
    generalization error, Machine Learning 52 (2003).
    """
    from scipy.special import stdtr, stdtrit

    array = np.asarray(values, dtype=np.float64)
    folds = len(array)
    if folds < 2 or not np.isfinite(array).all() or train <= 0:
        return None
    mean, error = float(array.mean()), float(array.std(ddof=1)) * math.sqrt(1 / folds + heldout / train)
    reach = float(stdtrit(folds - 1, (1 + level) / 2)) * error
    t = mean / error if error else math.copysign(math.inf, mean) if mean else 0.0
    return FoldTest(mean, mean - reach, mean + reach, t, float(2 * stdtr(folds - 1, -abs(t))), folds)


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """Where the spread of a cross-validation comes from."""

    folds: float
    """Variance between folds, beyond what seeds alone would make; not below 0."""
    seeds: float
    """Variance between the seeds of one fold."""
    n_folds: int
    n_seeds: int


def variance_parts(scores: ArrayLike) -> VarianceParts | None:
    """Return the variance between folds apart from that between seeds; None without two of each.

    One-way analysis of variance with random folds: the mean square within folds estimates the seeds'
    variance, and (mean square between - mean square within) / seeds the folds'. `scores` (folds, seeds),
    all finite. Source: Searle, Casella and McCulloch, Variance Components (1992), ch. 3.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        return None
    folds, seeds = table.shape
    within = float(table.var(axis=1, ddof=1).mean())
    between = seeds * float(table.mean(axis=1).var(ddof=1))
    return VarianceParts(max(0.0, (between - within) / seeds), within, folds, seeds)


def cell_variance(cells: Sequence[Cell], key: str) -> VarianceParts | None:
    """Return the variance parts of a metric over folds and seeds; None unless every cell has a value.

    The seed of a fold's training is drawn from the run's seed and the fold's number: seed 1 in one fold
    has nothing in common with seed 1 in another. Seeds are therefore nested in folds, the analysis of
    variance one-way, and there is no variance between seeds over all folds to tell apart.
    """
    rows: dict[int, list[float | None]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.fold, cell.seed)):
        rows.setdefault(cell.fold, []).append(cell.metrics.get(key))
    if len({len(row) for row in rows.values()}) != 1:
        return None
    return variance_parts(np.array(list(rows.values()), dtype=np.float64))  # None is NaN, which has no parts


def normalised(score: float, reference: float, best: float) -> float | None:
    """Return how far from the naive answer to the best possible one a score is: 0 at the one, 1 at the other.

    (score - reference) / (best - reference), the same for metrics of either direction; below 0 for a score
    that is worse than the naive answer. None where the naive answer is the best possible, or a value is
    not finite.

    >>> normalised(0.75, 0.5, 1.0), normalised(0.1, 0.25, 0.0)
    (0.5, 0.6)
    """
    if not all(map(math.isfinite, (score, reference, best))) or best == reference:
        return None
    return (score - reference) / (best - reference)
