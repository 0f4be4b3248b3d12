"""Curves and operating points of a score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics as sk

from harness.curves import operating_point, point_at_specificity, reliability, roc
from harness.metrics import ece, sensitivity_at_specificity_90


@pytest.fixture
def cases() -> tuple[Any, Any]:
    """Labels of 200 cases and scores that know a little, with ties."""
    rng = np.random.default_rng(0)
    truth = (rng.random(200) < 0.3).astype(int)
    return truth, np.round(np.clip(0.7 * rng.random(200) + 0.3 * truth, 0, 1), 2)


def test_the_roc_has_the_corners_of_the_oracle(cases: tuple[Any, Any]) -> None:
    """The corners are scikit-learn's, from (0, 0) to (1, 1), and enclose the AUROC."""
    corners = np.array(roc(*cases))
    fpr, tpr, _ = sk.roc_curve(*cases)
    assert (corners[0] == 0).all()
    assert (corners[-1] == 1).all()
    np.testing.assert_allclose(np.interp(fpr, *_upper(corners)), _upper_of(fpr, tpr), atol=1e-12)
    assert sk.auc(corners[:, 0], corners[:, 1]) == pytest.approx(sk.roc_auc_score(*cases), abs=1e-12)
    assert len(corners) <= len(fpr)


def _upper(corners: Any) -> tuple[Any, Any]:
    x = np.unique(corners[:, 0])
    return x, np.array([corners[corners[:, 0] == value, 1].max() for value in x])


def _upper_of(fpr: Any, tpr: Any) -> Any:
    return np.array([tpr[fpr == value].max() for value in fpr])


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_roc(label: int) -> None:
    """With one class only there is no curve."""
    assert roc([label] * 3, [0.1, 0.2, 0.3]) == []


def test_a_constant_score_is_the_diagonal() -> None:
    """Equal scores are never divided."""
    assert roc([0, 1, 1], [0.5] * 3) == [(0.0, 0.0), (1.0, 1.0)]


def test_an_operating_point_counts_the_four_outcomes() -> None:
    """A score that reaches the threshold is a call."""
    point = operating_point([1, 1, 0, 0, 0], [0.5, 0.4, 0.5, 0.1, 0.2], 0.5)
    assert (point.tp, point.fp, point.fn, point.tn) == (1, 1, 1, 2)
    assert point.sensitivity == 0.5
    assert point.specificity == pytest.approx(2 / 3)


def test_the_point_at_a_specificity_is_the_metric(cases: tuple[Any, Any]) -> None:
    """The page's threshold reaches the metric's sensitivity, and the promised specificity."""
    point = point_at_specificity(*cases, 90)
    assert point.sensitivity == sensitivity_at_specificity_90.compute(*cases)
    assert point.specificity >= 0.9
    assert operating_point(*cases, np.nextafter(point.threshold, 0) - 0.01).specificity < 0.9


def test_calling_nobody_is_a_threshold() -> None:
    """If the highest score is a negative's, 90 % of one negative are kept by calling nobody."""
    point = point_at_specificity([0, 1], [0.9, 0.1], 90)
    assert point.threshold == float("inf")
    assert (point.sensitivity, point.specificity) == (0.0, 1.0)


def test_the_predictive_value_follows_the_prevalence() -> None:
    """Sensitivity .8 at specificity .9: 89 % of calls are true at a prevalence of 50 %, 20 % at 3 %."""
    point = operating_point([1] * 10 + [0] * 10, [1] * 8 + [0] * 2 + [1] + [0] * 9, 1)
    assert point.ppv(0.5) == pytest.approx(8 / 9)
    assert point.ppv(0.03) == pytest.approx(0.024 / (0.024 + 0.097))


def test_undefined_numbers_are_nan() -> None:
    """Without positives there is no sensitivity, without calls no predictive value."""
    assert np.isnan(operating_point([0, 0], [0.1, 0.2], 0.5).sensitivity)
    assert np.isnan(operating_point([0, 1], [0.1, 0.2], 0.5).ppv(0.5))


def test_the_reliability_curve_is_the_oracles(cases: tuple[Any, Any]) -> None:
    """Bins agree with scikit-learn where no probability lies on an edge, and add up to the ECE."""
    truth, scores = cases[0], cases[1] * 0.998 + 0.0007
    rows = [row for row in reliability(truth, scores) if row["n"]]
    observed, predicted = sklearn.calibration.calibration_curve(truth, scores, n_bins=10)
    np.testing.assert_allclose([row["observed"] for row in rows], observed, atol=1e-12)
    np.testing.assert_allclose([row["predicted"] for row in rows], predicted, atol=1e-12)
    gaps = [row["n"] / 200 * abs(row["predicted"] - row["observed"]) for row in rows]
    assert sum(gaps) == pytest.approx(float(ece.compute(truth, scores)), abs=1e-12)


def test_an_empty_bin_has_a_count_and_no_mean() -> None:
    """Ten rows always; the last bin holds 1."""
    rows = reliability([1], [1.0])
    assert [row["n"] for row in rows] == [0] * 9 + [1]
    assert rows[0]["predicted"] is None
