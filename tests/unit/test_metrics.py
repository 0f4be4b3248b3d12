"""Every metric against scikit-learn, on the set and on bootstrap resamples of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import catalog
from harness.contracts import Metric
from harness.metrics import (
    accuracy,
    auprc,
    auroc,
    auroc_macro,
    balanced_accuracy,
    brier,
    ece,
    exact_match,
    f1_macro,
    f1_micro,
    mcc,
    sensitivity_at_specificity_90,
    sensitivity_at_specificity_95,
    specificity,
)
from harness.metrics import sensitivity as recall_metric

Oracle = Callable[[Any, Any], float]
NAN = float("nan")


def both_classes(y: Any) -> bool:
    """Say whether there are positives and negatives."""
    return 0 < y.sum() < len(y)


def one(function: Oracle, *, needs: Callable[[Any], bool] = both_classes) -> Oracle:
    """Return the oracle, NaN where it has no answer."""
    return lambda y, p: function(y, p) if len(y) and needs(y) else NAN


def over_supported(function: Oracle) -> Oracle:
    """Return the mean of the oracle over the labels with both classes."""

    def mean(y: Any, p: Any) -> float:
        values = [function(y[:, k], p[:, k]) for k in range(y.shape[1]) if both_classes(y[:, k])]
        return float(np.mean(values)) if values else NAN

    return mean


def sensitivity(share: tuple[int, int]) -> Oracle:
    """Walk over all thresholds by hand: specificity at least share[0] / share[1]."""

    def best(y: Any, p: Any) -> float:
        found = 0.0
        for threshold in np.unique(p):
            called = p >= threshold
            if (~called & (y == 0)).sum() * share[1] >= share[0] * (y == 0).sum():
                found = max(found, called[y == 1].mean())
        return found

    return best


def calibration(y: Any, p: Any) -> float:
    """Return the expected calibration error, bin by bin."""
    total = 0.0
    for k in range(10):
        inside = (p >= k / 10) & ((p < (k + 1) / 10) | (k == 9))
        if inside.any():
            total += inside.mean() * abs(p[inside].mean() - y[inside].mean())
    return total


def f1_pooled(y: Any, p: Any) -> float:
    """Return micro F1, NaN where nothing is positive and nothing called."""
    return sk.f1_score(y, p, average="micro", zero_division=np.nan)


def recall(y: Any, p: Any, of: int) -> float:
    """Return the share of the cells of one class that are decided right, NaN where there is none."""
    y, p = np.ravel(y), np.ravel(p)
    return sk.recall_score(y, p, pos_label=of) if (y == of).any() else NAN


def correlation(y: Any, p: Any) -> float:
    """Return Matthews correlation of the pooled cells, NaN with one class only."""
    y, p = np.ravel(y), np.ravel(p)
    return sk.matthews_corrcoef(y, p) if both_classes(y) else NAN


SCORED: dict[str, tuple[Metric, Oracle]] = {
    "auroc": (auroc.metric, one(sk.roc_auc_score)),
    "auprc": (auprc.metric, one(sk.average_precision_score, needs=lambda y: y.sum() > 0)),
    "sensitivity 90": (sensitivity_at_specificity_90.metric, one(sensitivity((9, 10)))),
    "sensitivity 95": (sensitivity_at_specificity_95.metric, one(sensitivity((19, 20)))),
    "brier": (brier.metric, one(lambda y, p: float(np.mean((y - p) ** 2)), needs=len)),
    "ece": (ece.metric, one(calibration, needs=len)),
}
DECIDED: dict[str, tuple[Metric, Oracle]] = {
    "accuracy": (accuracy.metric, lambda y, p: 1 - sk.hamming_loss(y, p)),
    "exact match": (exact_match.metric, sk.accuracy_score),
    "macro F1": (f1_macro.metric, over_supported(sk.f1_score)),
    "micro F1": (f1_micro.metric, f1_pooled),
    "sensitivity": (recall_metric.metric, lambda y, p: recall(y, p, 1)),
    "specificity": (specificity.metric, lambda y, p: recall(y, p, 0)),
    "MCC": (mcc.metric, correlation),
    "balanced accuracy": (balanced_accuracy.metric, over_supported(sk.balanced_accuracy_score)),
}


def resampled(metric: Metric, oracle: Oracle, truth: Any, prediction: Any, counts: Any) -> None:
    """Compare the value of every resample with the oracle on the repeated rows."""
    values = metric.compute(truth, prediction, counts)
    expected = [oracle(np.repeat(truth, c, axis=0), np.repeat(prediction, c, axis=0)) for c in counts]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    plain = metric.compute(truth, prediction)
    assert plain.shape == ()
    np.testing.assert_allclose(plain, oracle(truth, prediction), rtol=0, atol=1e-12)


@st.composite
def scored_cases(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Labels, probabilities with many ties, and three resamples."""
    n = draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    levels = draw(st.sampled_from([1, 2, 10, 1000]))
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).astype(np.uint8)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=3)
    return truth, rng.integers(0, levels + 1, n) / levels, counts


@st.composite
def decided_cases(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Labels and decisions of two to five labels, and three resamples."""
    n, k = draw(st.integers(2, 40)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    truth = (rng.random((n, k)) < share).astype(np.uint8)
    prediction = (rng.random((n, k)) < draw(st.sampled_from([0.0, 0.1, 0.5]))).astype(np.uint8)
    return truth, prediction, rng.multinomial(n, np.full(n, 1 / n), size=3)


@pytest.mark.parametrize("name", SCORED)
@settings(max_examples=60, deadline=None)
@given(case=scored_cases())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_score_equals_the_oracle(name: str, case: tuple[Any, Any, Any]) -> None:
    """Metrics of scores agree with the oracle to 1e-12, ties and one-class sets included."""
    metric, oracle = SCORED[name]
    resampled(metric, oracle, *case)


@pytest.mark.parametrize("name", DECIDED)
@settings(max_examples=60, deadline=None)
@given(case=decided_cases())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_decision_equals_the_oracle(name: str, case: tuple[Any, Any, Any]) -> None:
    """Metrics of decisions agree with the oracle to 1e-12, labels without a positive included."""
    metric, oracle = DECIDED[name]
    resampled(metric, oracle, *case)


def test_macro_auroc_equals_the_oracle() -> None:
    """Macro AUROC is the mean over the labels that have both classes, in each resample."""
    rng = np.random.default_rng(3)
    truth = (rng.random((60, 8)) < 0.06).astype(np.uint8)
    truth[:, 0] = 0
    scores = np.round(rng.random((60, 8)), 1)
    counts = rng.multinomial(60, np.full(60, 1 / 60), size=20)
    resampled(auroc_macro.metric, over_supported(sk.roc_auc_score), truth, scores, counts)


@pytest.mark.parametrize("name", [*SCORED, *DECIDED])
def test_a_perfect_answer_reaches_the_bound(name: str) -> None:
    """The truth itself scores the metric's best value."""
    metric = (SCORED | DECIDED)[name][0]
    truth = np.array([0, 1, 1, 0, 0])
    best = metric.high if metric.higher_is_better else metric.low
    assert metric.compute(truth, truth) == best


@pytest.mark.parametrize("name", [*SCORED, *DECIDED])
def test_no_case_is_undefined(name: str) -> None:
    """Without a case every metric is NaN, plain and in an empty resample."""
    metric = (SCORED | DECIDED)[name][0]
    assert np.isnan(metric.compute(np.empty(0), np.empty(0)))
    assert np.isnan(metric.compute([0, 1], [0, 1], np.zeros((2, 2), dtype=int))).all()


@pytest.mark.parametrize("name", ["auroc", "sensitivity 90", "sensitivity 95"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_undefined(name: str, label: int) -> None:
    """With one class only, what compares classes is NaN."""
    assert np.isnan(SCORED[name][0].compute([label] * 4, [0.1, 0.2, 0.3, 0.4]))


@pytest.mark.parametrize("name", [*SCORED, *DECIDED])
@pytest.mark.parametrize(
    ("truth", "prediction", "reason"),
    [
        ([0, 1, 1], [0, float("nan"), 1], "index 1"),
        ([0, float("nan"), 1], [0, 1, 1], "truth is neither 0 nor 1 at index 1"),
        ([0, 1, 2], [0, 1, 1], "truth is neither 0 nor 1 at index 2"),
        ([0, 1, 1], [0, 1], "truth has shape"),
    ],
)
def test_malformed_input_is_refused(name: str, truth: Any, prediction: Any, reason: str) -> None:
    """NaN, other labels and other shapes are a ValueError that says where, never a number."""
    with pytest.raises(ValueError, match=reason):
        (SCORED | DECIDED)[name][0].compute(truth, prediction)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [([[1.0, 1.0]], "integers"), ([[1, -1]], "negative"), ([[1, 1, 1]], "shape"), ([1, 1], "shape")],
)
def test_malformed_counts_are_refused(counts: Any, reason: str) -> None:
    """Multiplicities are whole, not negative, and one a case."""
    with pytest.raises(ValueError, match=reason):
        auroc.compute([0, 1], [0.1, 0.2], np.array(counts))


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_probability_outside_the_unit_interval_is_refused(value: float) -> None:
    """Brier score and calibration error are for probabilities only."""
    for module in (brier, ece):
        with pytest.raises(ValueError, match="outside"):
            module.compute([0, 1], [0.5, value])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int64, np.float32, np.float64])
def test_the_type_of_the_labels_changes_nothing(dtype: Any) -> None:
    """Small unsigned labels do not wrap around, in any metric."""
    truth, decisions = np.array([0, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 0])
    for metric, _ in (SCORED | DECIDED).values():
        expected = metric.compute(truth, decisions)
        assert metric.compute(truth.astype(dtype), decisions.astype(dtype)) == expected


def test_a_constant_score_has_an_auroc_of_a_half() -> None:
    """Ties count half, exactly."""
    assert auroc.compute([0, 1, 1, 0, 1], [0.3] * 5) == 0.5


def test_nearby_scores_are_not_tied() -> None:
    """Two neighbouring floating-point numbers are ordered, not merged."""
    score = 0.1
    assert auroc.compute([0, 1], [score, np.nextafter(score, 1)]) == 1.0


@settings(max_examples=50, deadline=None)
@given(case=scored_cases())
def test_auroc_of_the_complement_is_the_complement(case: tuple[Any, Any, Any]) -> None:
    """Reversing the scores, or the labels, gives 1 - AUROC; a rising map changes nothing."""
    truth, scores, _ = case
    value = auroc.compute(truth, scores)
    np.testing.assert_allclose(auroc.compute(truth, -scores), 1 - value, atol=1e-15)
    np.testing.assert_allclose(auroc.compute(1 - truth, scores), 1 - value, atol=1e-15)
    np.testing.assert_array_equal(auroc.compute(truth, np.round(scores * 1000) ** 3), value)


def test_many_cases_do_not_overflow() -> None:
    """Pairs are counted in 64 bits: 100,000 cases of each class."""
    truth = np.repeat([0, 1], 100_000)
    assert auroc.compute(truth, truth) == 1.0
    assert auroc.compute(truth, truth, np.ones((1, 200_000), dtype=np.int16))[0] == 1.0


def test_every_metric_file_declares_itself() -> None:
    """The name of a metric is its file's, and its values stay within its bounds; survival's are in test_units."""
    rng = np.random.default_rng(0)
    truth, decisions = rng.integers(0, 2, (2, 50, 3))
    for name in catalog.names("metrics"):
        metric = catalog.metric(name)
        assert metric.name == name
        columns = (
            (truth, decisions) if metric.compute is auroc_macro.compute else (truth[:, 0], decisions[:, 0])
        )
        if not takes_times(name):
            assert metric.low <= metric.compute(*columns) <= metric.high


def takes_times(name: str) -> bool:
    """Say whether a metric judges survival: its truth is (n, 2), time and event."""
    source = (Path(catalog.__file__).parent / "metrics" / f"{name}.py").read_text(encoding="utf-8")
    return "harness.survival" in source or "_survival" in source or "_1yr" in name


def test_a_specificity_that_is_just_reached_counts() -> None:
    """One alarm among ten negatives is 90 %, and among twenty 95 %, exactly."""
    for module, negatives in ((sensitivity_at_specificity_90, 10), (sensitivity_at_specificity_95, 20)):
        truth = np.array([1, 1] + [0] * negatives)
        scores = np.array([0.9, 0.5, 0.7] + [0.1] * (negatives - 1))
        assert module.compute(truth, scores) == 1.0
        assert module.compute(truth[:-1], scores[:-1]) == 0.5


@pytest.mark.parametrize(
    ("truth", "sensitivity_of_all", "specificity_of_all"), [([1, 1, 1], 2 / 3, NAN), ([0, 0, 0], NAN, 1 / 3)]
)
def test_one_class_defines_its_own_share_only(
    truth: list[int], sensitivity_of_all: float, specificity_of_all: float
) -> None:
    """With one class, its share of right decisions is defined; the other's and the correlation are NaN."""
    decisions = [1, 0, 1]
    np.testing.assert_equal(float(recall_metric.compute(truth, decisions)), sensitivity_of_all)
    np.testing.assert_equal(float(specificity.compute(truth, decisions)), specificity_of_all)
    assert np.isnan(mcc.compute(truth, decisions))


@pytest.mark.parametrize("answer", [0, 1])
def test_one_answer_to_every_case_does_not_correlate(answer: int) -> None:
    """MCC of a constant decision is 0, plain and in a resample, as its source has it."""
    truth = [0, 1, 1, 0]
    assert mcc.compute(truth, [answer] * 4) == 0
    assert mcc.compute(truth, [answer] * 4, np.array([[1, 2, 0, 1]]))[0] == 0
