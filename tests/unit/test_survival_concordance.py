"""Concordance against scikit-survival and against counting pair by pair."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest
from sksurv.exceptions import NoComparablePairException
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw

from harness.statistics import bootstrap_counts
from harness.survival import concordance
from harness.survival.concordance import concordance_difference, harrell, uno
from harness.survival.concordance_td import antolini
from harness.survival.followup import FollowUp, choose_tau
from tests.survival_fakes import cohort, curves, repeated, resamples, surv, training_for, ucsf


def peer_harrell(truth: FollowUp, risk: np.ndarray) -> float:
    """Return scikit-survival's C; NaN where it refuses for want of a comparable pair."""
    try:
        with np.errstate(invalid="ignore"):
            return float(concordance_index_censored(truth.event, truth.time, risk)[0])
    except NoComparablePairException:
        return math.nan
    except ValueError as refusal:
        if "All samples are censored" in str(refusal) or "minimum of" in str(refusal):
            return math.nan
        raise


def peer_uno(truth: FollowUp, risk: np.ndarray, training: FollowUp, tau: float | None) -> float:
    """Return scikit-survival's C; NaN where no event counts."""
    try:
        with np.errstate(invalid="ignore"):
            return float(concordance_index_ipcw(surv(training), surv(truth), risk, tau)[0])
    except (NoComparablePairException, ValueError):
        return math.nan


def pair_by_pair(truth: FollowUp, times: np.ndarray, survival: np.ndarray) -> float:
    """Return Antolini's C as its definition says."""
    won = pairs = 0.0
    curve = [np.concatenate([[1.0], row]) for row in survival]
    grid = np.concatenate([[0.0], times])
    for i in np.flatnonzero(truth.event & (truth.time <= times[-1])):
        day = truth.time[i]
        own = np.interp(day, grid, curve[i])
        for j in range(len(truth)):
            if truth.time[j] > day or (truth.time[j] == day and not truth.event[j]):
                other = np.interp(day, grid, curve[j])
                pairs += 1
                won += 1.0 if own < other else 0.5 if own == other else 0.0
    return won / pairs if pairs else math.nan


# --------------------------------------------------------------------------------------- the real cohort
def test_harrell_is_that_of_scikit_survival_on_the_real_cohort() -> None:
    """Difference 0 for age, which is full of ties, for the tumour's volume, and in 100 resamples."""
    truth, age, volume = ucsf()
    counts = bootstrap_counts([str(i) for i in range(len(truth))], 100, seed=3)
    for risk in (age, volume, -volume, np.round(volume, -4)):
        assert float(harrell(truth, risk)) == peer_harrell(truth, risk)
        expected = [peer_harrell(repeated(truth, row), np.repeat(risk, row)) for row in counts]
        assert harrell(truth, risk, counts).tolist() == expected


def test_uno_is_that_of_scikit_survival_on_the_real_cohort() -> None:
    """The first half of the patients trains the censoring distribution, tau is chosen from it."""
    truth, age, volume = ucsf()
    half = np.arange(len(truth)) < len(truth) // 2
    training, tested = truth.take(half), truth.take(~half)
    tau = choose_tau(training)
    counts = resamples(5, len(tested), 40)[3:]
    for risk in (age[~half], volume[~half]):
        expected = peer_uno(tested, risk, training, tau)
        np.testing.assert_allclose(uno(tested, risk, training, tau), expected, rtol=0, atol=1e-12)
        each = [peer_uno(repeated(tested, row), np.repeat(risk, row), training, tau) for row in counts]
        np.testing.assert_allclose(uno(tested, risk, training, tau, counts), each, rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------- many cohorts
@pytest.mark.parametrize("start", range(0, 240, 24))
def test_harrell_is_that_of_scikit_survival_whatever_is_tied(start: int) -> None:
    """Difference 0 for tied and nearly tied risks and days; NaN where scikit-survival refuses."""
    for seed in range(start, start + 24):
        truth, risk = cohort(seed)
        assert np.array_equal(harrell(truth, risk), peer_harrell(truth, risk), equal_nan=True), seed


@pytest.mark.parametrize("start", range(0, 120, 24))
def test_uno_is_that_of_scikit_survival_whatever_is_tied(start: int) -> None:
    """With a truncation and without one, to 1e-12."""
    for seed in range(start, start + 24):
        truth, risk = cohort(seed)
        training = training_for(truth, seed)
        for tau in (None, float(np.median(truth.time))):
            expected = peer_uno(truth, risk, training, tau)
            np.testing.assert_allclose(uno(truth, risk, training, tau), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_antolini_is_what_counting_pairs_gives(start: int) -> None:
    """Curves that cross, equal curves, events beyond the last time."""
    for seed in range(start, start + 20):
        truth, _ = cohort(seed)
        times, survival = curves(seed, len(truth))
        expected = pair_by_pair(truth, times, survival)
        np.testing.assert_allclose(antolini(truth, times, survival), expected, rtol=1e-15)


def test_with_proportional_hazards_the_curves_rank_as_the_risk_does() -> None:
    """Antolini's C of curves that never cross is Harrell's C of their risk, ties included."""
    truth, _ = cohort(4, n=80)
    risk = np.random.default_rng(0).integers(-10, 10, 80) / 5
    times = np.unique(truth.time)
    survival = np.exp(-np.outer(np.exp(risk), times / 60))
    assert float(antolini(truth, times, survival)) == float(harrell(truth, risk))


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_a_resample_is_scored_as_its_repeated_cases(start: int) -> None:
    """Whole numbers have no difference; a resample without a comparable pair is NaN."""
    for seed in range(start, start + 20):
        truth, risk = cohort(seed)
        times, survival = curves(seed, len(truth))
        training, counts = training_for(truth, seed), resamples(seed, len(truth))
        cases = [np.repeat(np.arange(len(truth)), row) for row in counts]
        again = [truth.take(rows) for rows in cases]
        pairs = [(t, rows) for t, rows in zip(again, cases, strict=True)]
        each: Any = [harrell(t, risk[rows]) for t, rows in pairs]
        assert np.array_equal(harrell(truth, risk, counts), each, equal_nan=True)
        each = [antolini(t, times, survival[rows]) for t, rows in pairs]
        assert np.array_equal(antolini(truth, times, survival, counts), each, equal_nan=True)
        each = [uno(t, risk[rows], training) for t, rows in pairs]
        np.testing.assert_allclose(uno(truth, risk, training, None, counts), each, rtol=0, atol=1e-12)
        assert np.isnan(harrell(truth, risk, counts)[:2]).all()


def test_many_resamples_are_the_same_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many are counted at once, and how wide the numbers are, changes nothing."""
    truth, risk = cohort(1, n=50)
    counts = resamples(0, 50, 30)
    whole = harrell(truth, risk, counts)
    monkeypatch.setattr(concordance, "BLOCK", 7)
    assert np.array_equal(harrell(truth, risk, counts), whole, equal_nan=True)
    assert np.array_equal(harrell(truth, risk, counts.astype(np.int64) * 10_000_000), whole, equal_nan=True)
    assert harrell(truth, risk, counts[:0]).shape == (0,)


# --------------------------------------------------------------------------------------------- properties
@pytest.mark.parametrize("seed", range(12))
def test_a_reversed_risk_has_the_rest_of_the_pairs(seed: int) -> None:
    """C(-risk) = 1 - C(risk), and C does not depend on the order of the cases."""
    truth, risk = cohort(seed)
    value = harrell(truth, risk)
    np.testing.assert_allclose(harrell(truth, -risk), 1 - value, rtol=1e-14)
    order = np.random.default_rng(seed).permutation(len(truth))
    assert np.array_equal(harrell(truth.take(order), risk[order]), value, equal_nan=True)


def test_a_constant_risk_is_a_coin_and_the_time_itself_an_oracle() -> None:
    """.5 for equal risks, 1 for the earliest first, whatever is censored."""
    truth, _ = cohort(0, n=40)
    assert float(harrell(truth, np.zeros(40))) == 0.5
    assert float(harrell(truth, -truth.time)) == 1.0
    assert float(uno(truth, -truth.time, training_for(truth, 0))) == 1.0


def test_the_tolerance_of_ties_is_kept_to_the_last_bit() -> None:
    """A difference of 1e-8 is a tie, the next float64 above it none; ties do not chain."""
    truth = FollowUp.of([1.0, 2.0], [1, 1])
    assert float(harrell(truth, [1e-8, 0.0])) == 0.5
    assert float(harrell(truth, [np.nextafter(1e-8, 1), 0.0])) == 1.0
    three = FollowUp.of([1.0, 2.0, 3.0], [1, 1, 1])
    assert float(harrell(three, [1.6e-8, 0.8e-8, 0.0])) == (1 + 0.5 + 0.5) / 3
    huge = np.array([1.7e308, -1.7e308])
    assert float(harrell(truth, huge)) == 1.0


# ------------------------------------------------------------------------------------------- degenerate
@pytest.mark.parametrize(
    ("time", "event"),
    [([], []), ([5], [1]), ([5, 6], [0, 0]), ([5, 5], [1, 1]), ([5, 6], [0, 1])],
    ids=["none", "one", "censored", "one day", "last"],
)
def test_without_a_comparable_pair_c_is_undefined(time: list[float], event: list[int]) -> None:
    """No case, one case, no event, all events on one day, the only event last."""
    truth = FollowUp.of(time, event)
    n, training = len(time), FollowUp.of([3, 9], [0, 1])
    survival = np.full((n, 1), 0.5)
    assert math.isnan(harrell(truth, np.arange(n)))
    assert math.isnan(uno(truth, np.arange(n), training))
    assert math.isnan(antolini(truth, [7.0], survival))
    assert np.isnan(harrell(truth, np.arange(n), np.ones((4, n), dtype=int))).all()


def test_an_event_beyond_the_training_follow_up_is_refused_unless_tau_excludes_it() -> None:
    """Its weight is unknown, or infinite where the last one was censored."""
    truth = FollowUp.of([5, 6, 20], [1, 1, 1])
    for last in (0, 1):
        training = FollowUp.of([3, 9], [1, last])
        with pytest.raises(ValueError, match="ends at 9 and gives no weight to the time 20"):
            uno(truth, [3, 2, 1], training)
        assert float(uno(truth, [3, 2, 1], training, tau=20)) == 1.0
    assert math.isnan(uno(truth, [3, 2, 1], training, tau=5))
    with pytest.raises(ValueError, match="ends at 0"):
        uno(truth, [3, 2, 1], FollowUp.of([], []))


@pytest.mark.parametrize("bad", [[1, 2, math.nan], [1, 2, math.inf], [1, 2], [[1, 2, 3]]])
def test_a_malformed_risk_is_refused(bad: Any) -> None:
    """NaN and infinity are never ranked, nor is another number of cases."""
    with pytest.raises(ValueError, match="prediction"):
        harrell(FollowUp.of([5, 6, 7], [1, 1, 1]), bad)


def test_curves_that_do_not_belong_to_the_cases_are_refused() -> None:
    """Another number of cases or of times, a probability above 1, times that do not rise."""
    truth = FollowUp.of([5, 6], [1, 1])
    for times, survival, words in (
        ([3.0, 9.0], np.full((3, 2), 0.5), "2 cases, survival 3"),
        ([3.0, 9.0], np.full((2, 3), 0.5), "must have shape"),
        ([3.0, 9.0], np.full((2, 2), 1.5), "outside"),
        ([9.0, 3.0], np.full((2, 2), 0.5), "rising"),
        ([0.0, 3.0], np.full((2, 2), 0.5), "positive"),
        ([3.0, math.nan], np.full((2, 2), 0.5), "rising"),
    ):
        with pytest.raises(ValueError, match=words):
            antolini(truth, times, survival)


# --------------------------------------------------------------------------------------- two risks compared
def test_the_difference_of_two_c_is_taken_within_each_resample() -> None:
    """On the real cohort age beats the tumour's volume; exchanged, the interval is mirrored."""
    truth, age, volume = ucsf()
    counts = bootstrap_counts([str(i) for i in range(len(truth))], 400, seed=0)
    found = concordance_difference(truth, age, volume, counts)
    assert found.value == float(harrell(truth, age)) - float(harrell(truth, volume))
    assert 0 < found.low < found.value < found.high
    assert found.p == 2 / 401
    mirrored = concordance_difference(truth, volume, age, counts)
    np.testing.assert_allclose((mirrored.low, mirrored.high), (-found.high, -found.low), rtol=1e-12)
    assert mirrored.p == found.p


def test_a_risk_does_not_differ_from_itself() -> None:
    """Value 0, p 1, by Harrell and by Uno; a tau without a training set is refused."""
    truth, risk = cohort(0, n=50)
    counts = resamples(0, 50, 60)[3:]
    training = training_for(truth, 0)
    for extra in ({}, {"training": training}, {"training": training, "tau": 40.0}):
        found = concordance_difference(truth, risk, 2 * risk, counts, **extra)
        assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="training set"):
        concordance_difference(truth, risk, risk, counts, tau=40.0)


def test_the_p_of_useless_risks_is_uniform() -> None:
    """Of 200 pairs of random risks about one in ten has p below .1."""
    truth, _ = cohort(0, n=120)
    draw = np.random.default_rng(1)
    counts = resamples(2, 120, 203)[3:]
    found = [concordance_difference(truth, *draw.normal(size=(2, 120)), counts).p for _ in range(200)]
    assert 0.05 < np.mean(np.array(found) < 0.1) < 0.16


def test_the_difference_is_undefined_where_too_many_resamples_are() -> None:
    """More than one resample in ten without a comparable pair: interval and p are NaN."""
    truth, risk = cohort(0, n=30)
    counts = resamples(0, 30, 12)
    found = concordance_difference(truth, risk, -risk, counts)
    assert not math.isnan(found.value)
    assert np.isnan([found.low, found.high, found.p]).all()


def test_the_examples_in_the_docstrings_hold() -> None:
    """As written."""
    assert tuple(doctest.testmod(concordance)) == (0, 3)
