"""Rank, then aggregate: the ranking of BraTS 2017-2020, in whole numbers, and what its differences mean."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["case_ranks", "final_scores", "permutation_test", "ranks"]

CHUNK = 1000


def ranks(
    values: ArrayLike, higher_is_better: ArrayLike, ties: Literal["average", "min"] = "average"
) -> NDArray[np.int64]:
    """Return twice the rank of each entry for each case and column, (entries, cases, columns).

    Twice, so that the middle of a tie is a whole number; 2 is the best. The organisers (BraTS-2020 results,
    zenodo 3718904, as nnU-Net quotes it) do not say what a tie is; tied entries share the mean of their
    ranks by default, so that the ranks of a case always have the same sum; "min" gives all of them the
    best, as nnU-Net's re-implementation does. NaN, a case that an entry left out, ranks last.

    `values` (entries, cases, columns); `higher_is_better` (columns,).

    >>> ranks([[[0.9]], [[0.8]], [[0.9]]], [True]).ravel().tolist()
    [3, 6, 3]
    """
    signs = np.where(np.asarray(higher_is_better, dtype=bool), -1.0, 1.0)
    costs = np.asarray(values, dtype=np.float64) * signs
    if costs.ndim != 3 or signs.shape != costs.shape[2:]:
        raise ValueError(f"values are {costs.shape}, higher_is_better {signs.shape}: (e, n, c), (c,) needed")
    costs = np.where(np.isnan(costs), np.inf, costs)
    order = np.argsort(costs, axis=0, kind="stable")
    ordered = np.take_along_axis(costs, order, axis=0)
    changes = ordered[1:] != ordered[:-1]
    first = _latest(changes)
    last = len(costs) - 1 - np.flip(_latest(np.flip(changes, axis=0)), axis=0)
    doubled = first + (last if ties == "average" else first) + 2
    found = np.empty(costs.shape, dtype=np.int64)
    np.put_along_axis(found, order, doubled, axis=0)
    return found


def _latest(changes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each place along the first axis where the latest change was; one place more than changes."""
    places = np.zeros((len(changes) + 1, *changes.shape[1:]), dtype=np.int64)
    places[1:] = np.where(changes, np.arange(1, len(changes) + 1)[:, None, None], 0)
    return np.maximum.accumulate(places, axis=0)


def case_ranks(doubled: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each entry's cumulative rank of each case, twice, (entries, cases)."""
    return np.asarray(doubled.sum(axis=2))


def final_scores(doubled: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean rank of each entry over columns and cases divided by the entries, (entries,).

    Lower is better; 1 is the worst. One division of whole numbers: equal sums give equal scores.
    """
    entries, cases, columns = doubled.shape
    return np.asarray(doubled.sum(axis=(1, 2)) / (2 * cases * columns * entries))


def permutation_test(
    cumulative: NDArray[np.int64], permutations: int = 10_000, seed: int = 0
) -> NDArray[np.float64]:
    """Return the two-sided p-value of each pair of entries, (entries, entries); 1 on the diagonal.

    The entries' cumulative ranks (entries, cases) are swapped case by case at random, as BraTS does; p is
    the share of swaps with a difference of sums as large as the one seen, itself counted.
    """
    sums = cumulative.sum(axis=1)
    seen = np.abs(sums[:, None] - sums)
    at_least = np.ones(seen.shape, dtype=np.int64)
    draw = np.random.default_rng(seed)
    for begin in range(0, permutations, CHUNK):
        size = (cumulative.shape[1], min(CHUNK, permutations - begin))
        swaps = draw.integers(0, 2, size=size, dtype=np.int8) * 2.0 - 1.0
        swapped = cumulative.astype(np.float64) @ swaps  # whole numbers below 2^53: exact
        for entry, row in enumerate(swapped):
            at_least[entry] += (np.abs(row - swapped) >= seen[entry][:, None]).sum(axis=1)
    return at_least / (1 + permutations)
