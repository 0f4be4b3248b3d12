"""Rank, then aggregate: the ranking of BraTS 2017-2020, in whole numbers, and what its differences mean.

Ranks are doubled throughout, so that the middle of a tie is a whole number: 2 is the best.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "as_one_more",
    "case_ranks",
    "final_scores",
    "first_against_all",
    "holm",
    "permutation_test",
    "ranks",
]

CHUNK = 1000
TOLERANCE = 1e-12
"""Of sums of real numbers, relative to the sum of their absolute values."""


def ranks(
    values: ArrayLike, higher_is_better: ArrayLike, ties: Literal["average", "min"] = "average"
) -> NDArray[np.int64]:
    """Return twice the rank of each entry for each case and column, (entries, cases, columns).

    The organisers (BraTS-2020 results, zenodo 3718904, as nnU-Net quotes it) do not say what a tie is;
    tied entries share the mean of their ranks by default, so that the ranks of a case always have the
    same sum; "min" gives all of them the best, as nnU-Net's re-implementation does. NaN, a case that an
    entry left out, ranks last.

    `values` (entries, cases, columns); `higher_is_better` (columns,).

    >>> ranks([[[0.9]], [[0.8]], [[0.9]]], [True]).ravel().tolist()
    [3, 6, 3]
    """
    costs = _costs(values, higher_is_better)
    entries = len(costs)
    rows = np.ascontiguousarray(costs.reshape(entries, costs[:1].size).T)  # sorts run along memory
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    begins = np.ones(ordered.shape, dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.flatnonzero(begins)
    size = np.diff(first, append=begins.size)
    best = 2 * (first % max(entries, 1)) + 2
    shared = np.repeat(best + size - 1 if ties == "average" else best, size)
    found = np.empty(rows.shape, dtype=np.int64)
    np.put_along_axis(found, order, shared.reshape(rows.shape), axis=1)
    return np.ascontiguousarray(found.T).reshape(costs.shape)


def _costs(values: ArrayLike, higher_is_better: ArrayLike) -> NDArray[np.float64]:
    """Return values of which less is better, (entries, cases, columns); NaN becomes infinite."""
    signs = np.where(np.asarray(higher_is_better, dtype=bool), -1.0, 1.0)
    costs = np.asarray(values, dtype=np.float64)
    if costs.ndim != 3 or signs.shape != costs.shape[2:]:
        raise ValueError(f"values are {costs.shape}, higher_is_better {signs.shape}: (e, n, c), (c,) needed")
    costs = costs * signs
    costs[np.isnan(costs)] = np.inf
    return costs


def case_ranks(doubled: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each entry's cumulative rank of each case, twice, (entries, cases)."""
    return np.asarray(doubled.sum(axis=2))


def final_scores(doubled: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean rank of each entry over columns and cases divided by the entries, (entries,).

    Lower is better; 1 is the worst. One division of whole numbers: equal sums give equal scores.
    """
    entries, cases, columns = doubled.shape
    return np.asarray(doubled.sum(axis=(1, 2)) / (2 * cases * columns * entries))


def as_one_more(
    values: ArrayLike, one: ArrayLike, higher_is_better: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what one more entry would be ranked, and what that would add to the rank sums of the others.

    The first is its cumulative rank of each case, twice, (cases,); the second (entries,) counts 2 for
    each case and column in which it is better than the entry, and 1 where they are equal. Together they
    are what `ranks` gives for all at once.

    `values` (entries, cases, columns); `one` (cases, columns); `higher_is_better` (columns,).
    """
    others, own = _costs(values, higher_is_better), _costs(np.asarray(one)[None], higher_is_better)
    behind, equal = own < others, own == others
    added = 2 * behind.sum(axis=(1, 2)) + equal.sum(axis=(1, 2))
    columns = others.shape[2]
    ahead = len(others) - behind.sum(axis=0) - equal.sum(axis=0)
    return np.asarray((2 * ahead + equal.sum(axis=0)).sum(axis=1) + 2 * columns), np.asarray(added)


# ---------------------------------------------------------------------------------- significance
def permutation_test(
    cumulative: NDArray[Any], permutations: int = 10_000, seed: int = 0
) -> NDArray[np.float64]:
    """Return the two-sided p-value of each pair of entries, (entries, entries); 1 on the diagonal.

    The entries' cumulative ranks (entries, cases) are swapped case by case at random, as BraTS does: the
    sign of each case's difference is tossed. p is the share of swaps with a difference of sums as large as
    the one seen, itself counted. Where cases belong together, as those of one patient, give their sums.
    Whole numbers are compared exactly; real ones, such as scores by case, count as equal where they differ
    by less than `TOLERANCE` of the two entries' sums of absolute values, which is above what the order of
    a summation can change.

    Raises:
        ValueError: for a NaN, which has no difference to anything.
    """
    entries = len(cumulative)
    sums, slack = cumulative.sum(axis=1), _slack(cumulative)
    at_least = np.zeros((entries, entries), dtype=np.int64)
    for swapped in _swapped(cumulative, permutations, seed):
        seen = (np.abs(sums[:, None] - sums) - slack[:, None] - slack).astype(swapped.dtype)
        for entry in range(entries - 1):
            differences = np.abs(swapped[entry + 1 :] - swapped[entry])
            reached = differences >= seen[entry, entry + 1 :, None]
            at_least[entry, entry + 1 :] += np.count_nonzero(reached, axis=1)
    p = (1 + at_least + at_least.T) / (1 + permutations)
    np.fill_diagonal(p, 1.0)
    return np.asarray(p)


def first_against_all(
    cumulative: NDArray[Any], permutations: int = 10_000, seed: int = 0
) -> NDArray[np.float64]:
    """Return the first row of `permutation_test` alone, (entries,), for the price of one row."""
    differences, slack = cumulative - cumulative[:1], _slack(cumulative)
    seen = (np.abs(differences.sum(axis=1)) - slack - slack[:1])[:, None]
    at_least = np.zeros(len(cumulative), dtype=np.int64)
    for swapped in _swapped(differences, permutations, seed):
        at_least += np.count_nonzero(np.abs(swapped) >= seen, axis=1)
    return np.asarray((1 + at_least) / (1 + permutations))


def _slack(cumulative: NDArray[Any]) -> NDArray[Any]:
    """Return by how much each entry's part of a difference may be off, (entries,): 0 for whole numbers."""
    if np.issubdtype(cumulative.dtype, np.integer):
        return np.zeros(len(cumulative), dtype=np.int64)
    if np.isnan(cumulative).any():
        raise ValueError("a score by case is NaN: test ranks by case instead, where it is the last")
    return np.asarray(TOLERANCE * np.abs(cumulative).sum(axis=1))


def _swapped(cumulative: NDArray[Any], permutations: int, seed: int) -> Iterator[NDArray[Any]]:
    """Yield the sums of the cases' ranks under random signs, (entries, up to CHUNK).

    A sum of whole numbers is exact in every order while no part of it leaves the mantissa; single precision
    halves the time where it is wide enough for the difference of two sums.
    """
    exact = np.issubdtype(cumulative.dtype, np.integer)
    largest = 2 * int(np.abs(cumulative).sum(axis=1).max(initial=0))
    ranked = cumulative.astype(np.float32 if exact and largest < 2**24 else np.float64)
    total, cases = ranked.sum(axis=1, keepdims=True), cumulative.shape[1]
    draw = np.random.default_rng(seed)
    for begin in range(0, permutations, CHUNK):
        size = min(CHUNK, permutations - begin)
        octets = draw.integers(0, 256, size=(cases, (size + 7) // 8), dtype=np.uint8)
        yield 2 * (ranked @ np.unpackbits(octets, axis=1, count=size).astype(ranked.dtype)) - total


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return p-values corrected for their number by Holm's step-down method, in the order given.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).

    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty(len(values))
    found[order] = np.minimum(stepped, 1.0)
    return found
