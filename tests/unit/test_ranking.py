"""Rank, then aggregate: ranks against scipy, and the permutation test."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from statsmodels.stats.multitest import multipletests

from harness.ranking import (
    as_one_more,
    case_ranks,
    final_scores,
    first_against_all,
    holm,
    permutation_test,
    ranks,
)


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


@pytest.mark.parametrize(
    ("values", "higher", "means"),
    [
        ([[0.6], [0.8]], False, [1, 2]),
        ([[0.6], [0.8]], True, [2, 1]),
        ([[0.6], [0.6]], False, [1, 1]),
        ([[0.6, 0.4], [0.8, 1.0]], False, [1, 2]),
        ([[np.nan], [0.8]], True, [2, 1]),
        ([[np.nan], [0.4]], False, [2, 1]),
        ([[0.6]], False, [1]),
    ],
)
def test_the_examples_of_challenger(values: list[list[float]], higher: bool, means: list[float]) -> None:
    """The mean ranks that its tests of rank-then-aggregate expect (wiesenfa/challengeR), ties as "min"."""
    doubled = ranks(np.array(values)[:, :, None], [higher], "min")
    assert (case_ranks(doubled).mean(axis=1) / 2).tolist() == means


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


def test_no_entry_one_entry_and_no_case() -> None:
    """Without entries or cases there are no ranks; alone, everyone is first everywhere."""
    assert ranks(np.zeros((0, 5, 2)), [True, False]).shape == (0, 5, 2)
    assert ranks(np.zeros((3, 0, 2)), [True, False]).shape == (3, 0, 2)
    alone = ranks(np.full((1, 5, 2), np.nan), [True, False])
    assert (alone == 2).all()
    assert final_scores(alone).tolist() == [1.0]
    assert permutation_test(case_ranks(alone)).tolist() == [[1.0]]


def test_one_more_entry_is_ranked_as_if_it_had_taken_part() -> None:
    """Its ranks and what it adds to the others' sums are those of a ranking with it in."""
    draw = np.random.default_rng(5)
    values = draw.integers(0, 4, size=(8, 30, 3)) / 3
    values[5, 2:6, 0] = np.nan
    higher = [True, False, True]
    own, added = as_one_more(values[:7], values[7], higher)
    together = case_ranks(ranks(values, higher))
    assert np.array_equal(own, together[7])
    before = case_ranks(ranks(values[:7], higher)).sum(axis=1)
    assert np.array_equal(before + added, together[:7].sum(axis=1))
    nobody, nothing = as_one_more(np.zeros((0, 30, 3)), values[0], higher)
    assert (nobody.tolist(), nothing.tolist()) == ([6] * 30, [])


def test_the_order_of_entries_cases_and_columns_does_not_matter() -> None:
    """Sums of whole numbers: any order gives the same ranks, scores and p-values."""
    draw = np.random.default_rng(2)
    values, higher = draw.integers(0, 5, size=(6, 20, 4)) / 5, np.array([True, True, False, False])
    rows, columns = draw.permutation(6), draw.permutation(4)
    plain = ranks(values, higher)
    turned = ranks(values[rows][:, :, columns], higher[columns])
    assert np.array_equal(turned, plain[rows][:, :, columns])
    assert np.array_equal(final_scores(turned), final_scores(plain)[rows])
    p = permutation_test(case_ranks(plain), 500)
    assert np.array_equal(permutation_test(case_ranks(turned), 500), p[np.ix_(rows, rows)])


def test_the_first_row_alone_is_the_first_row_of_all_pairs() -> None:
    """The same swaps give the same p-values, also where sums leave single precision."""
    draw = np.random.default_rng(3)
    for scale in (1, 10**7):
        cumulative = draw.integers(6, 60, size=(5, 40)) * scale
        pairs = permutation_test(cumulative, 2_500, seed=4)
        assert np.array_equal(first_against_all(cumulative, 2_500, seed=4), pairs[0])


def test_holm_corrects_for_the_number_of_tests() -> None:
    """The smallest is multiplied by all, the next by one less, never falling and never above 1."""
    assert holm([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=30)
    | st.lists(st.sampled_from([0.0, 0.01, 1.0]), min_size=1)
)
def test_holm_is_statsmodels_holm(p: list[float]) -> None:
    """Ties, zeros and ones included."""
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15)


def test_shapes_that_do_not_fit_are_refused() -> None:
    """One direction for two columns is an error, not a broadcast."""
    with pytest.raises(ValueError, match="higher_is_better"):
        ranks(np.zeros((2, 3, 2)), [True])
