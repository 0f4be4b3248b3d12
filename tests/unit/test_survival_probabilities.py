"""Brier score and AUC under censoring against scikit-survival; calibration against what is counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2
from sksurv.metrics import brier_score, cumulative_dynamic_auc, integrated_brier_score
from sksurv.nonparametric import kaplan_meier_estimator

from harness.survival.brier import (
    brier,
    brier_terms,
    integrated_brier,
    scaled_brier,
    scaled_integrated_brier,
)
from harness.survival.calibration import calibration_error, observed_to_expected, risk_groups
from harness.survival.d_calibration import d_calibration, d_calibration_test
from harness.survival.dynamic_auc import dynamic_auc, mean_dynamic_auc
from harness.survival.followup import FollowUp, censored_at, choose_tau
from harness.survival.kaplan_meier import marginal
from tests.survival_fakes import cohort, curves, repeated, resamples, surv, training_for, ucsf

GRID = np.array([4.0, 9.0, 15.0, 22.0])


def inside(truth: FollowUp) -> np.ndarray:
    """Return some times within the follow-up, or none."""
    return GRID[(truth.time.min() <= GRID) & (truth.time.max() > GRID)]


def close(ours: Any, peers: Any) -> None:
    """Agree to 1e-12, NaN with NaN."""
    np.testing.assert_allclose(ours, peers, rtol=0, atol=1e-12)


def halves() -> tuple[FollowUp, FollowUp, np.ndarray, np.ndarray, np.ndarray]:
    """Return the real cohort: training half, tested half, its risk, a grid, its survival."""
    truth, age, _ = ucsf()
    half = np.arange(len(truth)) % 2 == 0
    training, tested, risk = truth.take(half), truth.take(~half), age[~half] / 25
    grid = np.linspace(30, choose_tau(training), 40)
    hazard = np.exp(risk - risk.mean())
    return training, tested, risk, grid, np.exp(-np.outer(hazard, grid / 800))


# ----------------------------------------------------------------------------------- against scikit-survival
def test_brier_and_auc_are_those_of_scikit_survival_on_the_real_cohort() -> None:
    """Brier at each time, integrated, AUC at one and two years and its mean; and in 20 resamples."""
    training, tested, risk, grid, survival = halves()
    peers = brier_score(surv(training), surv(tested), survival, grid)[1]
    close([brier(tested, survival[:, k], at, training) for k, at in enumerate(grid)], peers)
    close(brier_terms(tested, survival, grid, training).mean(axis=0), peers)
    close(
        integrated_brier(tested, survival, grid, training),
        integrated_brier_score(surv(training), surv(tested), survival, grid),
    )
    years = np.array([365.0, 730.0])
    aucs, mean = cumulative_dynamic_auc(surv(training), surv(tested), risk, years)
    close([dynamic_auc(tested, risk, at, training) for at in years], aucs)
    close(mean_dynamic_auc(tested, risk, years, training), mean)
    counts = resamples(1, len(tested), 23)[3:]
    ours = integrated_brier(tested, survival, grid, training, counts)
    auc = mean_dynamic_auc(tested, risk, years, training, counts)
    for k, row in enumerate(counts):
        drawn, copies = surv(repeated(tested, row)), np.repeat(np.arange(len(tested)), row)
        close(ours[k], integrated_brier_score(surv(training), drawn, survival[copies], grid))
        close(auc[k], cumulative_dynamic_auc(surv(training), drawn, risk[copies], years)[1])


@pytest.mark.parametrize("start", range(0, 120, 24))
def test_brier_is_that_of_scikit_survival_whatever_is_tied(start: int) -> None:
    """At each time and integrated, where the follow-up covers the times."""
    checked = 0
    for seed in range(start, start + 24):
        truth, _ = cohort(seed)
        training, grid = training_for(truth, seed), inside(truth)
        if not truth.event.any() or not len(grid):
            continue
        survival = np.random.default_rng(seed).random((len(truth), len(grid)))
        peers = brier_score(surv(training), surv(truth), survival, grid)[1]
        close([brier(truth, survival[:, k], at, training) for k, at in enumerate(grid)], peers)
        if len(grid) > 1:
            peer = integrated_brier_score(surv(training), surv(truth), survival, grid)
            close(integrated_brier(truth, survival, grid, training), peer)
        checked += 1
    assert checked > 12


@pytest.mark.parametrize("start", range(0, 240, 48))
def test_auc_is_that_of_scikit_survival_whatever_is_tied(start: int) -> None:
    """At each time and its mean, for one risk and for one at each time; nearly tied risks chain."""
    checked = 0
    for seed in range(start, start + 48):
        truth, risk = cohort(seed)
        training, grid = training_for(truth, seed), inside(truth)
        if not truth.event.any() or not len(grid):
            continue
        moving = risk[:, None] + np.random.default_rng(seed).integers(0, 2, (len(truth), len(grid)))
        with np.errstate(invalid="ignore", divide="ignore"):
            peers, mean = cumulative_dynamic_auc(surv(training), surv(truth), risk, grid)
            other = cumulative_dynamic_auc(surv(training), surv(truth), moving, grid)[1]
        close([dynamic_auc(truth, risk, at, training) for at in grid], peers)
        close(mean_dynamic_auc(truth, risk, grid, training), mean)
        close(mean_dynamic_auc(truth, moving, grid, training), other)
        checked += 1
    assert checked > 24


Compute = Callable[[FollowUp, np.ndarray, FollowUp, Any], Any]
ALL: dict[str, Compute] = {
    "brier": lambda t, s, tr, c: brier(t, s[:, 1], GRID[1], tr, c),
    "integrated": lambda t, s, tr, c: integrated_brier(t, s, GRID, tr, c),
    "scaled": lambda t, s, tr, c: scaled_brier(t, s[:, 1], GRID[1], tr, c),
    "scaled integrated": lambda t, s, tr, c: scaled_integrated_brier(t, s, GRID, tr, c),
    "auc": lambda t, s, tr, c: dynamic_auc(t, -s[:, 1], GRID[1], tr, c),
    "tied auc": lambda t, s, tr, c: dynamic_auc(t, np.round(4 * s[:, 1]) * 6e-9, GRID[1], tr, c),
    "mean auc": lambda t, s, tr, c: mean_dynamic_auc(t, -s, GRID, tr, c),
    "d": lambda t, s, tr, c: d_calibration(t, GRID, s, c),
    "o/e": lambda t, s, tr, c: observed_to_expected(t, s[:, 1], GRID[1], c),
    "error": lambda t, s, tr, c: calibration_error(t, s[:, 1], GRID[1], c, groups=3),
}


@pytest.mark.parametrize("name", ALL)
def test_a_resample_is_scored_as_its_repeated_cases(name: str) -> None:
    """Also where it is undefined: follow-up that ends too early, nobody dead, nobody alive."""
    defined = 0
    for seed in range(30):
        truth, _ = cohort(seed)
        _, survival = curves(seed, len(truth), len(GRID))
        training, counts = training_for(truth, seed), resamples(seed, len(truth))
        ours = ALL[name](truth, survival, training, counts)
        for value, row in zip(ours, counts, strict=True):
            cases = np.repeat(np.arange(len(truth)), row)
            close(value, ALL[name](truth.take(cases), survival[cases], training, None))
        assert ours.shape == (len(counts),)
        assert math.isnan(ours[0])
        defined += int((~np.isnan(ours)).sum())
    assert defined > 60
    assert ALL[name](truth, survival, training, counts[:0]).shape == (0,)


# ---------------------------------------------------------------------------------------------- meaning
def test_knowing_the_population_only_scales_to_zero() -> None:
    """The training set's Kaplan-Meier curve has a scaled score of 0, the outcome itself 1."""
    training, tested, _, grid, survival = halves()
    assert float(scaled_brier(tested, marginal(training)(365.0), 365.0, training)) == 0
    assert float(scaled_integrated_brier(tested, marginal(training)(grid), grid, training)) == 0
    outcome = (tested.time > 365).astype(float)
    assert float(brier(tested, outcome, 365.0, training)) == 0
    assert float(scaled_brier(tested, outcome, 365.0, training)) == 1
    assert 0 < float(scaled_integrated_brier(tested, survival, grid, training)) < 0.5


def test_the_horizon_of_an_endpoint_keeps_what_happened_until_then() -> None:
    """Censored at one year, Brier and AUC at one year are unchanged: who lived is still known to have."""
    training, tested, risk, _, _ = halves()
    short, chance = censored_at(tested, 365.0), np.exp(-0.5 * np.exp(risk - 2))
    assert (tested.time > 365).sum() == (short.time > 365).sum() > 100
    for truth in (tested, short):
        for known in (training, censored_at(training, 365.0)):
            close(brier(truth, chance, 365.0, known), brier(tested, chance, 365.0, training))
            close(dynamic_auc(truth, risk, 365.0, known), dynamic_auc(tested, risk, 365.0, training))


def test_without_censoring_brier_and_auc_are_the_ordinary_ones() -> None:
    """The mean square, and the Mann-Whitney statistic."""
    truth = FollowUp.of([1, 2, 3, 4], [1, 1, 1, 1])
    assert float(brier(truth, [0.1, 0.4, 0.8, 1.0], 2.5, truth)) == pytest.approx(
        (0.1**2 + 0.4**2 + 0.2**2) / 4
    )
    assert float(dynamic_auc(truth, [4, 2, 3, 2], 2.5, truth)) == (1 + 1 + 0 + 0.5) / 4


def test_the_deaths_of_a_calibrated_model_are_uniform() -> None:
    """Over 200 cohorts that the model describes, the statistic is chi-square with 9 degrees, or less.

    What is spread of a censored case is no longer random, so that the test is conservative.
    """
    draw, times = np.random.default_rng(0), np.linspace(0.05, 8, 160)
    for loss, low, high in ((np.inf, 8.0, 10.0), (1.5, 2.0, 8.0)):
        statistics = []
        for _ in range(200):
            hazard = np.exp(draw.normal(size=150))
            death, lost = draw.exponential(1 / hazard), loss * draw.random(150) + 1e-9
            event = death <= lost if np.isfinite(loss) else np.ones(150, dtype=bool)
            truth = FollowUp.of(np.where(event, death, lost), event)
            statistics.append(float(d_calibration(truth, times, np.exp(-np.outer(hazard, times)))))
        assert low < np.mean(statistics) < high


def test_d_calibration_spreads_who_was_censored() -> None:
    """A death at S = .35 in the fourth bin; censored at S = .25: .4, .4, .2 in the lowest three."""
    truth, survival = FollowUp.of([2, 2, 2, 5], [1, 0, 0, 1]), np.array([[0.35], [0.25], [0.0], [0.15]])
    found = d_calibration_test(truth, [2.0], survival)
    expected = np.array([0.4 + 1 + 0.1 / 0.15, 0.4 + 0.05 / 0.15, 0.2, 1, 0, 0, 0, 0, 0, 0]) / 4
    np.testing.assert_allclose(found.shares, expected, atol=1e-15)
    assert found.statistic == pytest.approx(40 * np.square(expected - 0.1).sum())
    assert found.p == pytest.approx(chi2.sf(found.statistic, 9))


def test_a_model_that_is_too_hopeful_is_not_calibrated() -> None:
    """On the real cohort the marginal curve passes D-calibration; its square root does not."""
    training, tested, _, grid, _ = halves()
    same = np.tile(marginal(training)(grid), (len(tested), 1))
    good, bad = d_calibration_test(tested, grid, same), d_calibration_test(tested, grid, np.sqrt(same))
    assert good.p > 0.05
    assert bad.p < 0.01
    assert math.isclose(bad.shares.sum(), 1)
    assert float(observed_to_expected(tested, np.full(len(tested), marginal(tested)(365.0)), 365.0)) == (
        pytest.approx(1, abs=1e-14)
    )
    assert float(observed_to_expected(tested, np.sqrt(same[:, 10]), grid[10])) > 1.3


def test_risk_groups_compare_the_mean_with_kaplan_meier() -> None:
    """Each group's curve is scikit-survival's; the error is the weighted mean distance."""
    _, tested, risk, _, _ = halves()
    chance = np.exp(-0.5 * np.exp(risk - 2))
    groups = risk_groups(tested, chance, 365.0, groups=4)
    assert sum(group.n for group in groups) == len(tested)
    order, begin = np.argsort(-chance, kind="stable"), 0
    for group in groups:
        rows = order[begin : begin + group.n]
        begin += group.n
        times, curve, band = kaplan_meier_estimator(
            tested.event[rows], tested.time[rows], conf_type="log-log"
        )
        at = np.searchsorted(times, 365.0, side="right") - 1
        found = (group.expected, group.observed, group.low, group.high)
        close(found, (np.mean(1 - chance[rows]), 1 - curve[at], 1 - band[1, at], 1 - band[0, at]))
    away = sum(g.n * abs(g.observed - g.expected) for g in groups) / len(tested)
    close(calibration_error(tested, chance, 365.0, groups=4), away)
    assert len(risk_groups(tested, np.full(len(tested), 0.5), 365.0)) == 1


# ------------------------------------------------------------------------------------------- degenerate
def test_a_horizon_that_nobody_was_observed_beyond_has_no_brier_score() -> None:
    """NaN, in a resample too, as scikit-survival refuses it; the AUC has no negative there."""
    truth, training = FollowUp.of([3, 5, 8], [1, 1, 0]), FollowUp.of([9, 10], [0, 1])
    survival = np.full((3, 2), 0.4)
    for at in (8.0, 8.5):
        assert math.isnan(brier(truth, survival[:, 0], at, training))
        assert math.isnan(dynamic_auc(truth, [1, 2, 3], at, training))
        assert math.isnan(integrated_brier(truth, survival, [4.0, at], training))
        with pytest.raises(ValueError, match="within follow-up"):
            brier_score(surv(training), surv(truth), survival[:, :1], [at])
    counts = np.array([[1, 1, 0], [0, 1, 2], [0, 0, 0]])
    assert np.isnan(brier(truth, survival[:, 0], 6.0, training, counts)).tolist() == [True, False, True]


def test_what_the_training_follow_up_does_not_reach_is_refused() -> None:
    """The horizon, the end of a grid, or a death whose weight is unknown."""
    truth = FollowUp.of([3, 5, 8], [1, 1, 0])
    for last in (0, 1):
        training = FollowUp.of([2, 6], [1, last])
        words = "follow-up ends at 6 and gives no weight to the time 7"
        with pytest.raises(ValueError, match=words):
            brier(truth, [0.5, 0.5, 0.5], 7.0, training)
        with pytest.raises(ValueError, match=words):
            integrated_brier(truth, np.full((3, 2), 0.5), [4.0, 7.0], training)
    with pytest.raises(ValueError, match="ends at 4 and gives no weight to the time 5"):
        dynamic_auc(truth, [1, 2, 3], 7.0, FollowUp.of([2, 4], [1, 0]))


def test_degenerate_cohorts_are_undefined() -> None:
    """Nobody, one case, all censored: NaN where there is nothing to compare, never an exception."""
    training = FollowUp.of([20, 30], [0, 1])
    for time, event in (([], []), ([12], [0]), ([6, 12], [0, 0])):
        truth, n = FollowUp.of(time, event), len(time)
        survival = np.full((n, 2), 0.5)
        assert math.isnan(dynamic_auc(truth, np.zeros(n), 7.0, training))
        assert math.isnan(mean_dynamic_auc(truth, np.zeros(n), [7.0, 8.0], training))
        assert math.isnan(brier(truth, survival[:, 0], 7.0, training)) == (n == 0)
        assert math.isnan(d_calibration(truth, [7.0, 8.0], survival)) == (n == 0)
        assert math.isnan(observed_to_expected(truth, survival[:, 0], 7.0)) == (n == 0)
        assert math.isnan(calibration_error(truth, survival[:, 0], 7.0)) == (n == 0)
        assert len(risk_groups(truth, survival[:, 0], 7.0)) == (n > 0)
    nobody = d_calibration_test(FollowUp.of([], []), [7.0], np.zeros((0, 1)))
    assert np.isnan([nobody.statistic, nobody.p, *nobody.shares]).all()


def test_a_group_without_follow_up_has_nothing_observed() -> None:
    """Its row says NaN, and so does the error: a group is never left out."""
    truth, chance = FollowUp.of([2, 3, 9, 9], [0, 0, 1, 0]), np.array([0.9, 0.9, 0.2, 0.2])
    first, second = risk_groups(truth, chance, 5.0, groups=2)
    assert (first.n, second.n) == (2, 2)
    assert math.isnan(second.observed) != math.isnan(first.observed)
    assert math.isnan(calibration_error(truth, chance, 5.0, groups=2))
    assert math.isnan(observed_to_expected(truth, np.ones(4), 5.0))
    with pytest.raises(ValueError, match="1 or more"):
        calibration_error(truth, chance, 5.0, groups=0)


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_survival_that_is_no_probability_is_refused(bad: float) -> None:
    """NaN, below 0, above 1."""
    truth = FollowUp.of([3, 5, 8], [1, 1, 0])
    values = np.array([0.5, bad, 0.5])
    for call in (
        lambda: brier(truth, values, 4.0, truth),
        lambda: integrated_brier(truth, np.stack([values, values], axis=1), [3.5, 4.0], truth),
        lambda: observed_to_expected(truth, values, 4.0),
        lambda: d_calibration(truth, [4.0], values[:, None]),
    ):
        with pytest.raises(ValueError, match="prediction"):
            call()


def test_shapes_and_times_that_do_not_fit_are_refused() -> None:
    """The shape that is needed is named."""
    truth = FollowUp.of([3, 5, 8], [1, 1, 0])
    with pytest.raises(ValueError, match=r"must have shape \(3,\) or \(\)"):
        brier(truth, [0.5, 0.5], 4.0, truth)
    with pytest.raises(ValueError, match=r"must have shape \(3, 2\) or \(2,\)"):
        integrated_brier(truth, np.full((2, 3), 0.5), [3.5, 4.0], truth)
    with pytest.raises(ValueError, match="two times or more"):
        integrated_brier(truth, np.full((3, 1), 0.5), [4.0], truth)
    with pytest.raises(ValueError, match=r"risk must have shape \(3, 2\)"):
        mean_dynamic_auc(truth, np.zeros((3, 3)), [3.5, 4.0], truth)
    for at in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="positive, finite and rising"):
            brier(truth, [0.5, 0.5, 0.5], at, truth)
