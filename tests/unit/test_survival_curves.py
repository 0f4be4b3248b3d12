"""Follow-up, Kaplan-Meier curves, the reading of predicted ones, and the log-rank test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sksurv.compare import compare_survival
from sksurv.nonparametric import CensoringDistributionEstimator, kaplan_meier_estimator

from harness.survival.followup import FollowUp, censored_at, choose_tau, covered
from harness.survival.interpolation import Curves
from harness.survival.kaplan_meier import Steps, at_risk, censoring, kaplan_meier, marginal, survival_at
from harness.survival.logrank import logrank, logrank_test
from tests.survival_fakes import cohort, resamples, surv, ucsf


# -------------------------------------------------------------------------------------------- follow-up
@pytest.mark.parametrize(
    ("time", "event", "words"),
    [
        ([1, 0], [1, 1], "time is 0.0 at index 1"),
        ([1, -3], [1, 1], "time is -3.0 at index 1"),
        ([math.nan, 2], [1, 1], "time is nan at index 0"),
        ([1, math.inf], [1, 1], "time is inf at index 1"),
        ([1, 2], [1, 2], "neither 0 nor 1 at index 1"),
        ([1, 2], [math.nan, 1], "neither 0 nor 1 at index 0"),
        ([1, 2], [1], "shape"),
        ([[1, 2]], [[1, 1]], "axes"),
    ],
)
def test_a_follow_up_that_cannot_be_is_refused(time: Any, event: Any, words: str) -> None:
    """By case and value."""
    with pytest.raises(ValueError, match=words):
        FollowUp.of(time, event)


def test_an_endpoint_is_the_follow_up_as_it_was_known_then() -> None:
    """A death on the day counts, a later one is not yet known; loss on the day is no life beyond it."""
    truth = censored_at(FollowUp.of([10, 365, 365, 366, 900], [1, 1, 0, 1, 0]), 365)
    assert truth.event.tolist() == [True, True, False, False, False]
    assert (truth.time > 365).tolist() == [False, False, False, True, True]
    assert (truth.time <= 365.0001).all()
    again = censored_at(truth, 365)
    assert np.array_equal(again.time, truth.time)
    assert np.array_equal(again.event, truth.event)


def test_tau_is_an_observed_time_before_the_last() -> None:
    """The 80th percentile, and the last but one where that is the last."""
    training = FollowUp.of(np.arange(1, 101), np.ones(100))
    assert choose_tau(training) == 80
    assert choose_tau(training, 90) == 90
    assert choose_tau(training, 100) == 99
    assert choose_tau(FollowUp.of([2, 7, 7, 7], [1, 0, 0, 0])) == 2
    with pytest.raises(ValueError, match="1 distinct"):
        choose_tau(FollowUp.of([7, 7], [1, 0]))


@pytest.mark.parametrize("seed", range(20))
def test_censoring_is_known_and_positive_until_tau(seed: int) -> None:
    """So that Uno's C and a grid that ends there are never refused."""
    truth, _ = cohort(seed, n=30)
    for percent in (50, 80, 100):
        assert censoring(truth)(choose_tau(truth, percent)) > 0


# ---------------------------------------------------------------------------------------- Kaplan-Meier
@pytest.mark.parametrize("seed", range(60))
def test_curves_and_bands_are_those_of_scikit_survival(seed: int) -> None:
    """The curve to the last bit, the log-log band and the censoring distribution to 1e-12."""
    truth, _ = cohort(seed)
    for level in (0.95, 0.8):
        times, curve, band = kaplan_meier_estimator(
            truth.event, truth.time, conf_type="log-log", conf_level=level
        )
        found = kaplan_meier(truth, level)
        assert np.array_equal(found.times, times)
        assert np.array_equal(found.survival, curve)
        np.testing.assert_allclose((found.low, found.high), band, rtol=0, atol=1e-12)
    if truth.event.any():
        peer = CensoringDistributionEstimator().fit(surv(truth))
        at = np.concatenate([times, times[:-1] + np.diff(times) / 2, [times[0] / 2]])
        assert np.array_equal(censoring(truth)(at), peer.predict_proba(at))


def test_the_real_curve_has_its_numbers_at_risk() -> None:
    """Counts agree with the definition at every time; half of the patients are dead at the median."""
    truth, _, _ = ucsf()
    curve = kaplan_meier(truth)
    assert np.array_equal(curve.at_risk, [(truth.time >= t).sum() for t in curve.times])
    assert curve.events.sum() == truth.event.sum()
    assert curve.censored.sum() == (~truth.event).sum()
    assert at_risk(truth, [0.0, 365.0, 1e5]).tolist() == [len(truth), (truth.time >= 365).sum(), 0]
    before, after = marginal(truth)([curve.median - 1e-6, curve.median])
    assert after <= 0.5 < before


@pytest.mark.parametrize("seed", range(20))
def test_survival_in_a_resample_is_that_of_its_repeated_cases(seed: int) -> None:
    """To the last bit, and unknown beyond its own follow-up."""
    truth, _ = cohort(seed)
    counts = resamples(seed, len(truth))
    for at in (0.1, 5.0, 20.0, 60.0, 1e4):
        again = [truth.take(np.repeat(np.arange(len(truth)), row)) for row in counts]
        expected = [float(marginal(cases)(at)) for cases in again]
        assert np.array_equal(survival_at(truth, at, counts), expected, equal_nan=True)
        assert np.array_equal(survival_at(truth, at), marginal(truth)(at), equal_nan=True)
        assert covered(truth, at, counts).tolist() == [bool((c.time > at).any()) for c in again]


def test_a_curve_is_unknown_after_its_last_time_unless_it_fell_to_zero() -> None:
    """Steps hold from their time on."""
    open_end, closed = Steps(np.array([2.0, 4.0]), np.array([0.5, 0.2])), Steps(np.array([2.0]), np.zeros(1))
    assert np.array_equal(open_end([1, 2, 3, 4, 5]), [1, 0.5, 0.5, 0.2, np.nan], equal_nan=True)
    assert closed([1, 2, 9]).tolist() == [1, 0, 0]
    assert math.isnan(marginal(FollowUp.of([], []))(3.0))
    assert math.isnan(survival_at(FollowUp.of([], []), 3.0))
    nobody = kaplan_meier(FollowUp.of([], []))
    assert len(nobody.times) == 0
    assert math.isnan(nobody.median)
    assert math.isnan(kaplan_meier(FollowUp.of([3, 4], [0, 0])).median)


# ------------------------------------------------------------------------------------ predicted curves
def test_predicted_curves_are_linear_between_their_times() -> None:
    """1 at the start, exact at the times, unknown after the last."""
    curves = Curves([10.0, 30.0], [[0.8, 0.1], [0.3, 0.3]])
    at = [5.0, 10.0, 20.0, 30.0, 31.0]
    expected = [[0.9, 0.8, 0.45, 0.1, np.nan], [0.65, 0.3, 0.3, 0.3, np.nan]]
    np.testing.assert_allclose(curves.at(at), expected, rtol=1e-15)
    assert curves.at([10.0, 30.0]).tolist() == [[0.8, 0.1], [0.3, 0.3]]
    assert curves.at_own([30.0, 10.0]).tolist() == [0.1, 0.3]
    draw = np.random.default_rng(0)
    times, values = np.sort(draw.random(9)) + 0.01, draw.random((7, 9))
    wanted = draw.random(40) * times[-1]
    expected = [np.interp(wanted, [0, *times], [1, *row]) for row in values]
    np.testing.assert_allclose(Curves(times, values).at(wanted), expected, rtol=0, atol=1e-14)


# -------------------------------------------------------------------------------------------- log-rank
@pytest.mark.parametrize("seed", range(30))
def test_log_rank_is_that_of_scikit_survival(seed: int) -> None:
    """Two to five groups by name, tied days, unequal sizes."""
    draw = np.random.default_rng(seed)
    truth, _ = cohort(seed, n=int(draw.integers(25, 60)))
    group = draw.choice(list("abcde")[: draw.integers(2, 6)], len(truth))
    found = logrank_test(truth, group)
    if found.df < len(found.groups) - 1:
        assert truth.event.sum() < 6
        return
    statistic, p, table, _ = compare_survival(surv(truth), group, return_stats=True)
    assert math.isclose(found.statistic, statistic, rel_tol=1e-10)
    assert math.isclose(found.p, p, rel_tol=1e-9)
    assert found.groups == tuple(table.index)
    assert found.observed.tolist() == table["observed"].tolist()
    np.testing.assert_allclose(found.expected, table["expected"], rtol=1e-12)
    assert math.isclose(found.expected.sum(), truth.event.sum())


def test_log_rank_of_the_real_cohort_by_age() -> None:
    """Tertiles of age differ as scikit-survival says; the days of the oldest are fewest."""
    truth, age, _ = ucsf()
    third = np.digitize(age, np.quantile(age, [1 / 3, 2 / 3]))
    found = logrank_test(truth, third)
    statistic, p = compare_survival(surv(truth), third)
    assert math.isclose(found.statistic, statistic, rel_tol=1e-12)
    assert math.isclose(found.p, p, rel_tol=1e-9)
    assert found.observed[2] > found.expected[2]
    assert float(logrank(truth, third)) == found.statistic


@pytest.mark.parametrize("seed", range(15))
def test_log_rank_of_a_resample_is_that_of_its_repeated_cases(seed: int) -> None:
    """Also where a group was not drawn."""
    truth, _ = cohort(seed)
    group = np.random.default_rng(seed).integers(0, 3, len(truth))
    counts = resamples(seed, len(truth))
    found = logrank(truth, group, counts)
    for value, row in zip(found, counts, strict=True):
        cases = np.repeat(np.arange(len(truth)), row)
        np.testing.assert_allclose(value, logrank(truth.take(cases), group[cases]), rtol=1e-9)
    assert math.isnan(found[0])


def test_log_rank_needs_two_groups_and_chance() -> None:
    """One group, nobody, no event, one who left before the first event, all dead at once: NaN."""
    for time, event, group in (
        ([1, 2, 3], [1, 1, 1], "aaa"),
        ([], [], ""),
        ([1, 2, 3], [0, 0, 0], "abb"),
        ([1, 2, 3], [0, 1, 1], "abb"),
        ([2, 2], [1, 1], "ab"),
    ):
        found = logrank_test(FollowUp.of(time, event), list(group))
        assert math.isnan(found.statistic)
        assert math.isnan(found.p)
        assert found.df == 0
    three = logrank_test(FollowUp.of([1, 2, 3, 4, 5], [0, 1, 1, 1, 1]), list("abbcc"))
    two = logrank_test(FollowUp.of([2, 3, 4, 5], [1, 1, 1, 1]), list("bbcc"))
    assert (three.statistic, three.df) == (two.statistic, 1)
    with pytest.raises(ValueError, match="group has shape"):
        logrank(FollowUp.of([1, 2], [1, 1]), ["a"])
