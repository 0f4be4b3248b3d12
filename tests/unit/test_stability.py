"""Rank intervals, tie groups and agreement of rankings, against scipy, numpy and by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, rankdata, wilcoxon

from harness.ranking import case_ranks, final_scores, ranks
from harness.stability import (
    kendall_tau,
    rank_intervals,
    rank_shares,
    resampled_ranks,
    significant_wins,
    tie_groups,
)
from harness.statistics import bootstrap_counts

numbers = st.one_of(st.just(math.nan), st.integers(0, 4).map(lambda k: k / 4))
tables = st.integers(1, 6).flatmap(
    lambda entries: st.lists(st.lists(numbers, min_size=entries, max_size=entries), min_size=1, max_size=5)
)


def test_ranks_in_resamples_are_scipys_with_ties_sharing_the_best() -> None:
    """Row by row rankdata's "min" of the negated values."""
    values = np.random.default_rng(0).integers(0, 6, size=(50, 12)) / 5
    assert np.array_equal(resampled_ranks([values]), rankdata(-values, method="min", axis=1))
    single = values.astype(np.float32)
    assert np.array_equal(resampled_ranks([single]), resampled_ranks([values]))


def test_a_second_key_orders_only_what_the_first_ties() -> None:
    """By hand: two equal firsts are ordered by the second key, two equal pairs stay tied."""
    first, second = [[0.5, 0.9, 0.5, 0.5]], [[1.0, 0.0, 2.0, 1.0]]
    assert resampled_ranks([first, second]).tolist() == [[3, 1, 2, 3]]


@settings(max_examples=60, deadline=None)
@given(tables)
def test_nan_never_outranks_a_number(table: list[list[float]]) -> None:
    """In either direction every number's rank is smaller than every NaN's."""
    values = np.array(table)
    for turned in (values, -values):
        for row, places in zip(turned, resampled_ranks([turned]), strict=True):
            known = ~np.isnan(row)
            if known.any() and not known.all():
                assert places[known].max() < places[~known].min()


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(0, 5))
def test_an_identical_entry_ties_with_its_twin_in_every_resample(table: list[list[float]], pick: int) -> None:
    """A copied column has the rank of its original, and the same interval."""
    values = np.array(table)
    column = pick % values.shape[1]
    found = resampled_ranks([np.column_stack([values, values[:, column]])])
    assert np.array_equal(found[:, -1], found[:, column])
    low, high = rank_intervals(found)
    assert (low[-1], high[-1]) == (low[column], high[column])


@settings(max_examples=40, deadline=None)
@given(tables, st.randoms())
def test_the_order_of_entries_and_resamples_does_not_matter(
    table: list[list[float]], shuffle: object
) -> None:
    """Columns keep their ranks, rows their intervals."""
    values = np.array(table)
    draw = np.random.default_rng(len(table))
    columns, rows = draw.permutation(values.shape[1]), draw.permutation(len(values))
    plain, turned = resampled_ranks([values]), resampled_ranks([values[rows][:, columns]])
    assert np.array_equal(turned, plain[rows][:, columns])
    for ends, others in zip(rank_intervals(plain), rank_intervals(turned), strict=True):
        assert np.array_equal(ends[columns], others)


@pytest.mark.parametrize("resamples", [1, 7, 39, 40, 41, 1000])
def test_a_rank_interval_is_the_quantile_of_the_empirical_distribution(resamples: int) -> None:
    """The inverted_cdf of numpy, and at least 95 % of the resamples lie within."""
    found = np.random.default_rng(resamples).integers(1, 9, size=(resamples, 5))
    low, high = rank_intervals(found)
    wanted = np.quantile(found, [0.025, 0.975], axis=0, method="inverted_cdf")
    assert np.array_equal([low, high], wanted)
    assert (((found >= low) & (found <= high)).mean(axis=0) >= 0.95).all()


def test_no_resample_has_no_interval() -> None:
    """Nothing is made up."""
    with pytest.raises(ValueError, match="at least one"):
        rank_intervals(np.zeros((0, 3)))


def test_shares_count_how_often_an_entry_had_a_rank() -> None:
    """By hand: of two resamples, one in which the first two change places."""
    found = np.array([[1, 2, 3], [2, 1, 3]])
    assert rank_shares(found, 2, 4).tolist() == [[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0]]
    assert rank_shares(found, 9, 3).sum(axis=1).tolist() == [1, 1, 1]


def test_resampled_ranks_by_case_are_those_of_ranking_the_resampled_cases_again() -> None:
    """Rank sums times multiplicities give what ranking the repeated cases would."""
    values = np.random.default_rng(3).integers(0, 9, size=(7, 20, 2)) / 8
    counts = bootstrap_counts([str(k) for k in range(20)], 30)
    cumulative = case_ranks(ranks(values, [True, False]))
    found = resampled_ranks([-(counts @ cumulative.T).astype(np.float32)])
    for row, places in zip(counts, found, strict=True):
        again = final_scores(ranks(np.repeat(values, row, axis=1), [True, False]))
        assert np.array_equal(places, rankdata(again, method="min"))


# -------------------------------------------------------------------------------------- groups
def against(matrix: np.ndarray) -> Callable[[int, int], np.ndarray]:
    """Return what `tie_groups` asks for, from a matrix of p-values."""
    return lambda best, end: matrix[best, best + 1 : end]


def test_groups_by_hand() -> None:
    """The first is told from the third on after Holm; the third's group takes the rest."""
    p = np.ones((4, 4))
    p[0] = [1, 0.2, 0.01, 0.02]  # Holm of three: 0.03 and 0.04 are below 0.05, 0.2 is not
    assert tie_groups([1, 2, 3, 4], against(p)) == [1, 1, 2, 2]
    p[2, 3] = 0.04
    assert tie_groups([1, 2, 3, 4], against(p)) == [1, 1, 2, 3]


def test_holm_widens_a_group() -> None:
    """0.03 alone tells apart; as the smallest of three it does not."""
    p = np.ones((4, 4))
    p[0, 1] = 0.03
    assert tie_groups([1, 2], against(p[:2, :2])) == [1, 2]
    assert tie_groups([1, 2, 3, 4], against(p)) == [1, 1, 1, 1]


def test_a_group_ends_at_the_first_entry_that_is_told_apart() -> None:
    """A later one that is not told apart, for its wider spread, does not join over its head."""
    p = np.ones((3, 3))
    p[0, 1:] = [0.01, 0.9]
    assert tie_groups([1, 2, 3], against(p)) == [1, 2, 2]


def test_entries_that_share_a_rank_share_a_group() -> None:
    """One of two tied entries that is not told apart keeps both."""
    p = np.ones((3, 3))
    p[0, 1] = 0.001
    assert tie_groups([1, 2, 2], against(p)) == [1, 1, 1]
    p[0, 2] = 0.001
    assert tie_groups([1, 2, 2], against(p)) == [1, 2, 2]


def test_what_was_not_tested_is_not_told_apart() -> None:
    """NaN is no evidence."""
    assert tie_groups([1, 2], against(np.full((2, 2), np.nan))) == [1, 1]
    assert tie_groups([], against(np.zeros((0, 0)))) == []


def test_wins_are_counted_after_holm_over_all_pairs() -> None:
    """Of three pairs 0.01 and 0.02 are significant, 0.2 is not; only the better one wins."""
    p = np.array([[1, 0.01, 0.02], [0.01, 1, 0.2], [0.02, 0.2, 1]])
    better = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
    assert significant_wins(better, p).tolist() == [2, 0, 0]
    assert significant_wins(better.T, p).tolist() == [0, 1, 1]
    assert significant_wins(better, np.full((3, 3), np.nan)).tolist() == [0, 0, 0]


# -------------------------------------------------------------------------------------- tau
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=2, max_size=20))
def test_kendalls_tau_is_scipys(pairs: list[tuple[int, int]]) -> None:
    """tau-b with ties; NaN where one ranking is all ties."""
    a, b = zip(*pairs, strict=True)
    assert kendall_tau(a, b) == pytest.approx(kendalltau(a, b).statistic, abs=1e-12, nan_ok=True)


def test_kendalls_tau_of_many_entries_goes_by_parts() -> None:
    """More entries than one chunk."""
    draw = np.random.default_rng(0)
    a, b = draw.integers(0, 300, 1200), draw.integers(0, 300, 1200)
    assert kendall_tau(a, b) == pytest.approx(kendalltau(a, b).statistic, abs=1e-12)


def test_the_examples_of_challenger() -> None:
    """Its tests of aggregate-then-rank (wiesenfa/challengeR): small is better, ties "min" and means by hand."""
    two_cases = np.array([[0.6, 0.4], [0.8, 1.0]])
    assert two_cases.mean(axis=1).tolist() == [0.5, 0.9]
    assert resampled_ranks([-two_cases.mean(axis=1)[None]]).tolist() == [[1, 2]]
    assert resampled_ranks([[[-0.6, -0.6]]]).tolist() == [[1, 1]]
    assert resampled_ranks([[[0.6, 0.8]]]).tolist() == [[2, 1]]


@pytest.mark.parametrize(("cases", "wins"), [(4, [0, 1]), (2, [0, 0]), (1, [0, 0])])
def test_the_wins_of_challengers_examples(cases: int, wins: list[int]) -> None:
    """Its tests of test-then-rank: .2 against 1 in four cases is a win; .6 against .8 in two or one is none.

    The one-sided signed-rank test is scipy's, by the normal distribution as R takes it where differences tie.
    """
    worse, better = (0.2, 1.0) if cases == 4 else (0.6, 0.8)
    pair, how = ([better] * cases, [worse] * cases), {"alternative": "greater", "correction": True}
    found = wilcoxon(*pair, method="asymptotic", **how).pvalue
    p = np.array([[1.0, found], [found, 1.0]])
    assert significant_wins([[False, False], [True, False]], p).tolist() == wins
