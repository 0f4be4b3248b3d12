"""Tests of differences against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test, t, ttest_rel

import harness.ranking
from harness.comparisons import (
    corrected_fold_test,
    difference_errors,
    normalised,
    pair_errors,
    paired_p,
    variance_parts,
)
from harness.metrics import auroc
from harness.statistics import bootstrap_counts, percentile_interval

N, RESAMPLES = 80, 4000


def resampled_means(scores: np.ndarray) -> np.ndarray:
    """Return the entries' means in each resample, (resamples, entries)."""
    counts = bootstrap_counts([f"{k:03d}" for k in range(N)], RESAMPLES, seed=3)
    return counts @ scores.T / N


def drawn() -> np.ndarray:
    """Return scores by case of four entries, two of them nearly equal, (4, N)."""
    draw = np.random.default_rng(1)
    hard = draw.normal(0, 0.2, N)
    return np.array([0.6, 0.65, 0.66, 0.9])[:, None] + hard + draw.normal(0, 0.1, (4, N))


def test_the_paired_test_of_means_is_the_paired_t_test() -> None:
    """From the resamples alone, but for their number: the standard error has 1 / sqrt(2B) of itself."""
    scores = drawn()
    errors = difference_errors(resampled_means(scores), 0)
    p = paired_p(scores.mean(axis=1) - scores[0].mean(), errors, N)
    for other in (1, 2):
        wanted = ttest_rel(scores[other], scores[0])
        exact = np.std(scores[other] - scores[0], ddof=1) / math.sqrt(N)
        assert errors[other] * math.sqrt(N / (N - 1)) == pytest.approx(
            exact, rel=4 / math.sqrt(2 * RESAMPLES)
        )
        near = [2 * t.sf(abs(wanted.statistic) * factor, N - 1) for factor in (0.95, 1.05)]
        assert near[1] <= p[other] <= near[0]
    assert p[0] == 1


def test_the_interval_of_a_difference_is_scipys_bootstrap() -> None:
    """Percentile interval of paired means, within Monte-Carlo error."""
    scores = drawn()
    resampled = resampled_means(scores)
    low, high = percentile_interval(resampled[:, 1] - resampled[:, 0])
    wanted = bootstrap(
        (scores[1] - scores[0],), np.mean, n_resamples=RESAMPLES, method="percentile", rng=2
    ).confidence_interval
    width = wanted.high - wanted.low
    assert low == pytest.approx(wanted.low, abs=0.05 * width)
    assert high == pytest.approx(wanted.high, abs=0.05 * width)


def test_the_errors_of_all_pairs_are_those_of_one_at_a_time() -> None:
    """Covariances give the standard deviations of the differences."""
    resampled = resampled_means(drawn())
    pairs = pair_errors(resampled)
    for entry in range(4):
        others = np.arange(4) != entry
        assert pairs[entry, others] == pytest.approx(difference_errors(resampled, entry)[others], rel=1e-9)


def test_the_paired_test_of_aurocs_is_delongs() -> None:
    """From resamples, against the textbook formula of two correlated AUROCs."""
    draw = np.random.default_rng(4)
    truth = np.arange(200) % 2 == 0
    scores = [skill * truth + draw.normal(0, 1, 200) for skill in (1.0, 1.4)]
    counts = bootstrap_counts([f"{k:03d}" for k in range(200)], RESAMPLES, seed=3)
    resampled = np.column_stack([auroc.compute(truth, score, counts) for score in scores])
    above = [np.array([[(a > b) + (a == b) / 2 for b in s[~truth]] for a in s[truth]]) for s in scores]
    gap = above[1] - above[0]
    variance = gap.mean(axis=1).var(ddof=1) / 100 + gap.mean(axis=0).var(ddof=1) / 100
    p = float(paired_p(gap.mean(), difference_errors(resampled, 0)[1], 200))
    assert p == pytest.approx(2 * t.sf(abs(gap.mean()) / math.sqrt(variance), 199), abs=0.02)


def test_equal_entries_few_patients_and_missing_values_are_told_from_nothing() -> None:
    """No difference is p 1; n patients say no more than n coin tosses; NaN stays NaN."""
    assert paired_p([0.0, 0.0], [0.0, 1.0], 9).tolist() == [1.0, 1.0]
    assert paired_p([0.5], [0.0], 5).tolist() == [2.0**-4]
    assert paired_p([0.5], [1e-9], 1).tolist() == [1.0]
    assert np.isnan(paired_p([np.nan, 0.1], [0.1, np.nan], 9)).all()
    twins = np.repeat(np.random.default_rng(0).random((50, 1)), 2, axis=1)
    assert paired_p(np.zeros((2, 2)), pair_errors(twins), 9).tolist() == [[1.0, 1.0], [1.0, 1.0]]


# ------------------------------------------------------------------------------ sign flips
def test_sign_flips_of_real_numbers_are_scipys_permutation_test() -> None:
    """All pairs at once, within Monte-Carlo error; the first row alone is the same."""
    scores = drawn()[:, :30]
    found = harness.ranking.permutation_test(scores, 8000)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        wanted = permutation_test(
            (scores[a], scores[b]), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis),
            permutation_type="samples", n_resamples=8000, vectorized=True, rng=1,
        ).pvalue  # fmt: skip
        assert found[a, b] == pytest.approx(wanted, abs=0.02)
    assert harness.ranking.first_against_all(scores, 8000) == pytest.approx(found[0], abs=2e-3)


def test_sign_flips_of_real_numbers_are_exact_where_all_can_be_counted() -> None:
    """Three cases: eight flips, of which 2, 8 or 6 reach the difference, whatever the sums' rounding."""
    scores = np.array([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.3, 0.2, 0.1]])
    found = harness.ranking.permutation_test(scores, 20_000)
    assert found[0, 1] == pytest.approx(2 / 8, abs=0.015)
    assert found[0, 2] == pytest.approx(1.0)
    assert found[1, 2] == pytest.approx(6 / 8, abs=0.015)


def test_whole_numbers_and_the_same_as_real_ones_give_the_same_p() -> None:
    """The tolerance of real sums changes no whole one."""
    whole = np.random.default_rng(2).integers(0, 5, size=(6, 25))
    real = harness.ranking.permutation_test(whole / 4, 1000)
    assert np.array_equal(real, harness.ranking.permutation_test(whole, 1000))


def test_a_missing_score_by_case_has_no_test() -> None:
    """NaN is refused, not counted as no difference."""
    with pytest.raises(ValueError, match="NaN"):
        harness.ranking.permutation_test(np.array([[0.1, np.nan], [0.2, 0.3]]), 10)


# ---------------------------------------------------------------------------------- folds
def test_the_corrected_fold_test_by_hand() -> None:
    """Ten folds of 90 and 10: the variance of the mean is (1/10 + 1/9) s^2, 9 degrees of freedom."""
    values = np.array([0.02, 0.01, 0.03, 0.00, 0.02, 0.04, -0.01, 0.02, 0.03, 0.01])
    found = corrected_fold_test(values, 90, 10)
    assert found is not None
    error = values.std(ddof=1) * math.sqrt(1 / 10 + 1 / 9)
    assert found.mean == pytest.approx(values.mean())
    assert found.t == pytest.approx(values.mean() / error)
    assert found.p == pytest.approx(2 * t.sf(values.mean() / error, 9))
    reach = t.ppf(0.975, 9) * error
    assert (found.low, found.high) == pytest.approx((values.mean() - reach, values.mean() + reach))


def test_without_a_held_out_part_the_correction_leaves_the_paired_t_test() -> None:
    """The uncorrected test is the special case of no overlap."""
    draw = np.random.default_rng(0)
    a, b = draw.random(8), draw.random(8)
    found = corrected_fold_test(a - b, 100, 0)
    assert found is not None
    assert (found.t, found.p) == pytest.approx(tuple(ttest_rel(a, b)))


def test_folds_that_cannot_be_tested() -> None:
    """One fold has no spread; NaN has none; equal differences are certain."""
    assert corrected_fold_test([0.1], 9, 1) is None
    assert corrected_fold_test([0.1, math.nan], 9, 1) is None
    same = corrected_fold_test([0.0, 0.0, 0.0], 9, 1)
    assert same is not None
    assert (same.mean, same.p) == (0, 1)
    certain = corrected_fold_test([0.5, 0.5], 9, 1)
    assert certain is not None
    assert certain.p == 0


def test_the_corrected_test_keeps_its_level_where_the_plain_one_does_not() -> None:
    """Means over folds that share a part: the plain t-test rejects far too often, the corrected one does not."""
    draw = np.random.default_rng(5)
    shared, own = draw.normal(size=(2000, 1)), draw.normal(size=(2000, 10))
    values = math.sqrt(1 / 10) * shared + math.sqrt(9 / 10) * own
    corrected = np.mean([(f.p if (f := corrected_fold_test(v, 90, 10)) else 1) < 0.05 for v in values])
    plain = np.mean([(f.p if (f := corrected_fold_test(v, 90, 0)) else 1) < 0.05 for v in values])
    assert corrected < 0.07
    assert plain > 0.12


def test_seed_variance_apart_from_fold_variance() -> None:
    """By hand, and from a simulation of known variances."""
    found = variance_parts([[1.0, 3.0], [5.0, 7.0]])
    assert found is not None
    assert (found.seeds, found.folds) == (2.0, (16.0 - 2.0) / 2)
    draw = np.random.default_rng(0)
    table = draw.normal(0, 2, (4000, 1)) + draw.normal(0, 1, (4000, 3))
    known = variance_parts(table)
    assert known is not None
    assert known.folds == pytest.approx(4, rel=0.1)
    assert known.seeds == pytest.approx(1, rel=0.05)


def test_variance_is_never_negative_and_never_made_up() -> None:
    """Folds alike are 0 apart; one seed, or a missing score, tells nothing."""
    alike = variance_parts([[1.0, 3.0], [3.0, 1.0]])
    assert alike is not None
    assert (alike.folds, alike.seeds) == (0.0, 2.0)
    assert variance_parts([[1.0], [2.0]]) is None
    assert variance_parts([[1.0, math.nan], [2.0, 3.0]]) is None


def test_normalised_scores_go_the_same_way_in_both_directions() -> None:
    """The naive answer is 0, the best possible 1, a worse one below 0; without a span there is none."""
    assert normalised(0.5, 0.5, 1.0) == 0
    assert normalised(1.0, 0.5, 1.0) == 1
    assert normalised(0.4, 0.5, 1.0) == pytest.approx(-0.2)
    assert normalised(0.30, 0.25, 0.0) == pytest.approx(-0.2)
    assert normalised(0.9, 1.0, 1.0) is None
    assert normalised(math.nan, 0.5, 1.0) is None
    assert normalised(3.0, 9.0, math.inf) is None
