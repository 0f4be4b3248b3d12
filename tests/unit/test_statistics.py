"""The bootstrap of patients and its intervals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import auroc, brier
from harness.statistics import (
    MAX_UNDEFINED,
    bootstrap_counts,
    delong_interval,
    percentile_interval,
    placements,
    undefined_share,
)


@settings(max_examples=50, deadline=None)
@given(groups=st.lists(st.sampled_from("abcdefg"), max_size=30), seed=st.integers(0, 1000))
def test_whole_patients_are_drawn(groups: list[str], seed: int) -> None:
    """Cases of a patient occur equally often, and as many patients are drawn as there are."""
    counts = bootstrap_counts(groups, resamples=5, seed=seed)
    assert counts.shape == (5, len(groups))
    first = [groups.index(name) for name in groups]
    assert (counts == counts[:, first]).all()
    assert (counts[:, sorted(set(first))].sum(axis=1) == len(set(groups))).all()


def test_the_seed_decides_the_draws() -> None:
    """The same seed repeats the resamples, another one does not."""
    names = [str(i) for i in range(50)]
    assert (bootstrap_counts(names, 20, seed=1) == bootstrap_counts(names, 20, seed=1)).all()
    assert (bootstrap_counts(names, 20, seed=1) != bootstrap_counts(names, 20, seed=2)).any()


def test_the_draws_do_not_depend_on_the_order_of_the_cases() -> None:
    """A patient occurs as often in a resample wherever its cases stand."""
    names = np.array(["c", "a", "b", "a", "d"])
    order = np.array([3, 2, 4, 0, 1])
    plain, moved = bootstrap_counts(list(names), 10, seed=4), bootstrap_counts(list(names[order]), 10, seed=4)
    assert (moved == plain[:, order]).all()


def test_every_patient_is_drawn_equally_often() -> None:
    """A patient's mean multiplicity is 1 and its variance 1 - 1/n, as of a multinomial."""
    counts = bootstrap_counts([str(i) for i in range(20)], resamples=20_000, seed=0)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.04)
    np.testing.assert_allclose(counts.var(axis=0), 0.95, atol=0.06)


def test_the_interval_agrees_with_scipy() -> None:
    """The interval of a mean and of an AUROC is scipy's percentile bootstrap, within Monte-Carlo error."""
    rng = np.random.default_rng(0)
    truth = (rng.random(150) < 0.4).astype(int)
    scores = np.clip(0.5 * rng.random(150) + 0.3 * truth, 0, 1)
    counts = bootstrap_counts([str(i) for i in range(150)], resamples=9999, seed=1)
    for module in (brier, auroc):
        ours = percentile_interval(module.compute(truth, scores, counts))
        theirs = scipy.stats.bootstrap(
            (np.arange(150),),
            lambda rows, module=module: module.compute(truth[rows], scores[rows]),
            vectorized=False,
            n_resamples=2000,
            method="percentile",
            rng=2,
        )
        width = theirs.confidence_interval.high - theirs.confidence_interval.low
        np.testing.assert_allclose(ours, tuple(theirs.confidence_interval), atol=0.08 * width)


def test_repeated_cases_of_a_patient_do_not_narrow_the_interval() -> None:
    """Four copies of each patient give the interval of the patients, not half of it."""
    rng = np.random.default_rng(5)
    truth, scores = rng.integers(0, 2, 60), rng.random(60)
    names = [str(i) for i in range(60)]
    once = percentile_interval(brier.compute(truth, scores, bootstrap_counts(names, 500, seed=0)))
    counts = bootstrap_counts(names * 4, 500, seed=0)
    four_times = percentile_interval(brier.compute(np.tile(truth, 4), np.tile(scores, 4), counts))
    np.testing.assert_allclose(four_times, once, rtol=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_the_interval_holds_its_share_of_the_values(level: float) -> None:
    """The ends are the quantiles that leave (1 - level) / 2 outside on each side."""
    values = np.arange(1001) / 1000
    low, high = percentile_interval(values, level)
    np.testing.assert_allclose([low, high], [(1 - level) / 2, 1 - (1 - level) / 2])


def test_undefined_resamples_are_left_out_and_reported() -> None:
    """A tenth without a value still gives an interval of the rest; more does not."""
    values = np.linspace(0, 1, 100)
    values[:10] = np.nan
    assert undefined_share(values) == MAX_UNDEFINED
    assert percentile_interval(values) == percentile_interval(values[10:])
    values[10] = np.nan
    assert np.isnan(percentile_interval(values)).all()


def test_no_value_has_no_interval() -> None:
    """An empty or wholly undefined bootstrap has NaN ends."""
    assert np.isnan(percentile_interval([])).all()
    assert np.isnan(percentile_interval([np.nan, np.nan])).all()
    assert undefined_share([]) == 0.0


def test_delong_is_the_variance_of_the_structural_components() -> None:
    """The interval is AUROC +- 1.96 standard errors from the matrix of all pairs, ties half."""
    rng = np.random.default_rng(0)
    truth = (rng.random(120) < 0.4).astype(int)
    scores = np.round(rng.random(120) * 0.8 + truth * 0.2, 1)
    positive, negative = scores[truth == 1], scores[truth == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    reach = 1.959963984540054 * np.sqrt(variance)
    np.testing.assert_allclose(
        delong_interval(truth, scores), (wins.mean() - reach, wins.mean() + reach), atol=1e-12
    )
    counts = bootstrap_counts([str(i) for i in range(120)], 5000, seed=0)
    np.testing.assert_allclose(
        delong_interval(truth, scores), percentile_interval(auroc.compute(truth, scores, counts)), atol=0.02
    )


def test_delong_needs_two_of_each_class() -> None:
    """With one positive there is no variance; a perfect score has none either, and stays at 1."""
    assert np.isnan(delong_interval([0, 0, 1], [0.1, 0.2, 0.3])).all()
    assert delong_interval([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == (1.0, 1.0)


# ------------------------------------------------------------------------------------ parts in the AUROC
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40), levels=st.sampled_from([1, 3, 1000]))
def test_a_placement_is_the_share_of_the_other_class_on_the_right_side(
    seed: int, n: int, levels: int
) -> None:
    """Counted pair by pair, ties half; the mean of either class is the AUROC."""
    rng = np.random.default_rng(seed)
    truth = np.append([0, 1], rng.integers(0, 2, n - 2))
    scores = rng.integers(0, levels + 1, n) / levels
    parts = placements(truth, scores)
    for i in range(n):
        others = scores[truth != truth[i]]
        right = others < scores[i] if truth[i] else others > scores[i]
        assert parts[i] == pytest.approx(np.mean(right + 0.5 * (others == scores[i])), abs=1e-12)
    area = float(auroc.compute(truth, scores))
    assert parts[truth == 1].mean() == pytest.approx(area, abs=1e-12)
    assert parts[truth == 0].mean() == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_without_the_other_class_there_is_no_placement(label: int) -> None:
    """One class only is NaN for every case, and no case gives none."""
    assert np.isnan(placements([label] * 3, [0.1, 0.2, 0.3])).all()
    assert placements([], []).shape == (0,)


def test_malformed_placements_are_refused() -> None:
    """A score that is no number, or another number of scores, is a ValueError."""
    with pytest.raises(ValueError, match="not finite at index 1"):
        placements([0, 1], [0.5, float("nan")])
    with pytest.raises(ValueError, match="truth has shape"):
        placements([0, 1], [0.5])
