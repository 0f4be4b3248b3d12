"""How sure a rank is: ranks in every bootstrap resample, tie groups, and how far two rankings agree.

Rows are resamples and columns entries throughout, so that a ranking is one run along memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.ranking import holm

__all__ = [
    "ALPHA",
    "kendall_tau",
    "rank_intervals",
    "rank_shares",
    "resampled_ranks",
    "significant_wins",
    "tie_groups",
]

ALPHA = 0.05
"""Level of every test that tells two entries apart, after Holm's correction."""
CHUNK = 512


def resampled_ranks(keys: Sequence[ArrayLike]) -> NDArray[np.int32]:
    """Return each entry's rank in each resample, (resamples, entries): 1 is the best, ties share it.

    `keys` are what ranks and then what breaks its ties, each (resamples, entries), larger is better. NaN
    is behind every number, so that an undefined value never outranks a defined one.

    >>> resampled_ranks([[[0.7, 0.9, 0.7, float("nan")]]]).tolist()
    [[2, 1, 2, 4]]
    """
    costs = [_costs(key) for key in keys]
    order = np.argsort(costs[0], axis=1) if len(costs) == 1 else np.lexsort(costs[::-1], axis=1)
    begins = np.zeros(order.shape, dtype=bool)
    begins[:, :1] = True
    for cost in costs:
        ordered = np.take_along_axis(cost, order, axis=1)
        begins[:, 1:] |= ordered[:, 1:] != ordered[:, :-1]
    first = np.where(begins, np.arange(1, order.shape[1] + 1, dtype=np.int32), np.int32(0))
    found = np.empty(order.shape, dtype=np.int32)
    np.put_along_axis(found, order, np.maximum.accumulate(first, axis=1), axis=1)
    return found


def _costs(key: ArrayLike) -> NDArray[np.floating]:
    """Return values of which less is better; NaN becomes infinite."""
    values = np.asarray(key)
    costs = -(values if values.dtype == np.float32 else values.astype(np.float64))
    costs[np.isnan(costs)] = np.inf
    return np.asarray(costs)


def rank_intervals(ranks: ArrayLike, level: float = 0.95) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the lower and the upper end of each entry's rank interval over the resamples, (entries,).

    The ends are ranks that occurred: the smallest rank that at least (1 - level) / 2 of the resamples do
    not exceed, and the smallest that at least (1 + level) / 2 do not (quantiles of the empirical
    distribution, Hyndman and Fan's type 1). `ranks` (resamples, entries).

    Raises:
        ValueError: without a resample.
    """
    columns = np.ascontiguousarray(np.asarray(ranks, dtype=np.int32).T)
    resamples = columns.shape[1]
    if not resamples:
        raise ValueError("a rank interval needs at least one resample")
    low, high = (_place(share, resamples) for share in ((1 - level) / 2, (1 + level) / 2))
    parted = np.partition(columns, (low, high), axis=1)
    return parted[:, low], parted[:, high]


def _place(share: float, resamples: int) -> int:
    """Return the index of a quantile; what floating point adds to a whole number does not count."""
    return min(resamples, max(1, math.ceil(round(share * resamples, 9)))) - 1


def rank_shares(ranks: ArrayLike, entries: int, places: int) -> NDArray[np.float64]:
    """Return how often each of the first entries had each rank from 1 to `places`, (entries, places).

    Shares of the resamples: each row's sum is 1. `ranks` (resamples, all entries).
    """
    counted = np.asarray(ranks)[:, :entries].T
    rows = [np.bincount(row, minlength=places + 1)[1:] for row in counted]
    shares = np.array(rows, dtype=np.float64).reshape(len(counted), places)
    return np.asarray(shares / max(1, len(np.asarray(ranks))))


def tie_groups(ranks: Sequence[int], p_against: Callable[[int, int], ArrayLike]) -> list[int]:
    """Return the group of each entry, 1 for the leader's, entries in the order of the ranking.

    A group begins with its best entry and ends before the first rank whose entries can all be told from
    that one: a test with Holm's correction for all entries behind it, at the level `ALPHA`. Entries that
    share a rank share a group. `p_against(best, end)` returns the p-values of the entries after `best` up
    to `end` against it; one that is NaN tells nothing apart.

    >>> tie_groups([1, 2, 3], lambda best, end: [0.3, 0.001][best : end - 1])
    [1, 1, 2]
    """
    groups: list[int] = []
    while len(groups) < len(ranks):
        best, group = len(groups), groups[-1] + 1 if groups else 1
        p = np.asarray(p_against(best, len(ranks)), dtype=np.float64)
        apart = holm(np.where(np.isnan(p), 1.0, p)) < ALPHA
        groups += [group] * _size(ranks[best:], apart)
    return groups


def _size(ranks: Sequence[int], apart: NDArray[np.bool_]) -> int:
    """Return how many entries from the first on form its group; `apart` is of those after the first."""
    told = [False, *apart.tolist()]
    size = 0
    while size < len(ranks):
        end = size + 1
        while end < len(ranks) and ranks[end] == ranks[size]:
            end += 1
        if all(told[size:end]):
            break
        size = end
    return size


def significant_wins(better: ArrayLike, p: ArrayLike) -> NDArray[np.int64]:
    """Return how many others each entry is better than, by tests of all pairs, (entries,).

    `better` (entries, entries) says whether the row's entry has the better score; `p` is the symmetric
    matrix of p-values, corrected here by Holm's method for the number of pairs. NaN is no win.
    """
    values = np.asarray(p, dtype=np.float64)
    above = np.triu_indices(len(values), 1)
    pairs = values[above]
    told = np.zeros(values.shape, dtype=bool)
    told[above] = holm(np.where(np.isnan(pairs), 1.0, pairs)) < ALPHA
    return np.asarray(((told | told.T) & np.asarray(better, dtype=bool)).sum(axis=1))


def kendall_tau(a: ArrayLike, b: ArrayLike) -> float:
    """Return Kendall's tau-b of two rankings of the same entries; NaN if one of them is all ties.

    Pairs in the same order minus pairs in the other, divided by the root of the product of the pairs that
    each ranking does not tie: 1 is the same order, -1 the reverse. Counted in whole numbers. Source:
    Kendall, The treatment of ties in ranking problems, Biometrika 33 (1945).

    >>> kendall_tau([1, 2, 3, 4], [1, 2, 4, 3])
    0.6666666666666666
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    agree = untied_first = untied_second = 0
    for begin in range(0, len(first), CHUNK):
        rows = slice(begin, begin + CHUNK)
        x = np.sign(first[rows, None] - first).astype(np.int8)
        y = np.sign(second[rows, None] - second).astype(np.int8)
        agree += int((x * y).sum(dtype=np.int64))
        untied_first += int(np.count_nonzero(x))
        untied_second += int(np.count_nonzero(y))
    if not untied_first or not untied_second:
        return float("nan")
    return agree / math.sqrt(untied_first * untied_second)
