"""Rank, then aggregate: ranks against scipy, and the permutation test."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import pytest
from scipy.stats import rankdata

from harness.segmentation.ranking import case_ranks, final_scores, permutation_test, ranks


@pytest.mark.parametrize("ties", ["average", "min"])
def test_ranks_are_scipys_and_ties_are_exact(ties: Literal["average", "min"]) -> None:
    """Twice scipy's rank, NaN last, for columns in which more or less is better."""
    draw = np.random.default_rng(0)
    values = draw.integers(0, 6, size=(9, 40, 4)) / 7
    values[2, 3:9, 1] = np.nan
    higher = np.array([True, False, True, False])
    costs = np.where(np.isnan(values), np.inf, np.where(higher, -values, values))
    assert np.array_equal(ranks(values, higher, ties), 2 * rankdata(costs, method=ties, axis=0))


def test_the_final_score_is_the_mean_rank_divided_by_the_entries() -> None:
    """Of three entries the always best has 1/3, and equal sums give equal scores whatever the order."""
    values = np.array([[[1.0, 0.0]] * 7, [[0.5, 3.0]] * 7, [[0.5, 3.0]] * 7])
    doubled = ranks(values, [True, False])
    assert final_scores(doubled).tolist() == [1 / 3, 2.5 / 3, 2.5 / 3]
    assert case_ranks(doubled).tolist() == [[4] * 7, [10] * 7, [10] * 7]


def test_the_permutation_test_approaches_all_swaps() -> None:
    """With 8 cases all 256 swaps can be counted; the sampled p-values are near, symmetric and 1 with itself."""
    draw = np.random.default_rng(1)
    cumulative = draw.integers(6, 30, size=(4, 8))
    cumulative[3] = cumulative[2] + 3
    signs = np.array(list(product([-1, 1], repeat=8)))
    found = permutation_test(cumulative, permutations=20_000)
    for a, b in product(range(4), repeat=2):
        difference = cumulative[a] - cumulative[b]
        exact = (np.abs(signs @ difference) >= abs(difference.sum())).mean()
        assert found[a, b] == pytest.approx(exact, abs=0.012)
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 1).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    """One direction for two columns is an error, not a broadcast."""
    with pytest.raises(ValueError, match="higher_is_better"):
        ranks(np.zeros((2, 3, 2)), [True])
