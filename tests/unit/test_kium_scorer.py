"""The K-ium scorer: the official pair, the panel beside it, and its references."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from challenges.kium import scorer
from challenges.kium.columns import LOCATIONS, RARE
from challenges.kium.panel import POOLED, facts
from harness.cards import ChallengeCard
from harness.statistics import bootstrap_counts
from harness.validated import read_card
from tests.fakes import nameless

POSITIVES = (100, 100, 35, 34, 30, 18, 21, 13, 66, 30, 67, 96, 17, 11, 3, 2, 6, 4, 24, 3, 1)
PATIENTS, ILL = 1127, 523


def real_marginals(seed: int = 0) -> dict[str, Any]:
    """1,127 patients with the published numbers of positives in every column."""
    rng = np.random.default_rng(seed)
    ill = rng.permutation(PATIENTS)[:ILL]
    truth = {"aneurysm": np.zeros(PATIENTS, np.uint8), "locations": np.zeros((PATIENTS, 21), np.uint8)}
    truth["aneurysm"][ill] = 1
    for column, positives in enumerate(POSITIVES):
        truth["locations"][rng.permutation(ill)[:positives], column] = 1
    return truth


def guess(truth: dict[str, Any], seed: int = 1) -> dict[str, Any]:
    """Predictions that know a little, with every key."""
    rng = np.random.default_rng(seed)
    scores = np.clip(0.6 * rng.random(truth["locations"].shape) + 0.4 * truth["locations"], 0, 1)
    return {
        "aneurysm": np.round(0.7 * rng.random(len(scores)) + 0.3 * truth["aneurysm"], 3),
        "locations": (scores > 0.58).astype(np.uint8),
        "location_scores": scores,
    }


def card() -> ChallengeCard:
    """The challenge's own card."""
    return read_card(ChallengeCard, Path(scorer.__file__).parent / "challenge.yaml")


def test_the_card_and_the_scorer_name_the_same_metrics() -> None:
    """Every metric of challenge.yaml is scored, in its order; the first ranks."""
    listed = [(row.key, row.metric) for row in card().metrics]
    assert listed == [(key, metric.name) for key, (metric, _) in scorer.METRICS.items()]
    assert listed[0] == ("auroc_aneurysm", "auroc")
    assert set(card().ranking.tie_breakers) <= {key for key, _ in listed}


def test_published_results_name_known_metrics() -> None:
    """Each reported result belongs to a column, lies within its bounds and says what it was computed on."""
    known = {key: metric for key, (metric, _) in scorer.METRICS.items()}
    for row in card().literature:
        assert known[row.metric].low <= row.value <= known[row.metric].high
        assert row.computed_on
        assert row.source


def test_the_official_pair_is_the_two_formulas() -> None:
    """AUROC is scikit-learn's, location accuracy 1 - sum |truth - output| / (rows x 21)."""
    truth = real_marginals()
    predictions = guess(truth)
    found = scorer.score(truth, predictions)
    assert float(found["auroc_aneurysm"]) == pytest.approx(
        sk.roc_auc_score(truth["aneurysm"], predictions["aneurysm"]), abs=1e-15
    )
    wrong = np.abs(truth["locations"].astype(int) - predictions["locations"].astype(int)).sum()
    assert float(found["location_accuracy"]) == 1 - wrong / (PATIENTS * 21)


@pytest.mark.parametrize(("pairs", "reported"), [(370, 0.5958), (603, 0.9710)])
def test_the_published_aurocs_are_pairs_of_the_real_test(pairs: int, reported: float) -> None:
    """23 patients with and 27 without give 621 pairs; 370 and 603 won ones are the reported scores."""
    truth = np.repeat([1, 0], [23, 27])
    scores = np.zeros(50)
    scores[23:] = np.linspace(0.1, 0.5, 27)
    whole, rest = divmod(pairs, 27)
    scores[:whole] = 1.0
    scores[whole] = 0.1 + 0.4 / 26 * (rest - 0.5)
    empty = np.zeros((50, 21), dtype=np.uint8)
    found = scorer.score({"aneurysm": truth, "locations": empty}, {"aneurysm": scores, "locations": empty})
    assert float(found["auroc_aneurysm"]) == pairs / 621
    assert round(float(found["auroc_aneurysm"]), 4) == reported


def test_no_aneurysm_anywhere_reaches_97_percent() -> None:
    """The constant answer scores .97123 in location accuracy, .5 in AUROC, and 0 in F1."""
    truth = real_marginals()
    title, predictions = scorer.references(truth, nameless(PATIENTS))["no_aneurysm"]
    found = scorer.score(truth, predictions)
    assert "constant" in title
    assert round(float(found["location_accuracy"]), 5) == 0.97123
    assert found["auroc_aneurysm"] == 0.5
    assert found["location_f1_macro"] == found["location_f1_micro"] == 0
    assert found["location_balanced_accuracy"] == 0.5
    assert found["brier_aneurysm"] == pytest.approx(ILL / PATIENTS)
    assert np.isnan(found["location_auroc"])


def test_the_prevalence_reference_is_calibrated_and_knows_nothing() -> None:
    """The development set's prevalence has no calibration error on it, and AUROCs of .5."""
    truth = real_marginals()
    _, predictions = scorer.references(truth, nameless(PATIENTS))["prevalence"]
    found = scorer.score(truth, predictions)
    assert found["ece_aneurysm"] == pytest.approx(0, abs=1e-12)
    assert found["auroc_aneurysm"] == found["location_auroc"] == 0.5
    assert found["auprc_aneurysm"] == pytest.approx(ILL / PATIENTS)
    assert not predictions["locations"].any()
    assert len(scorer.references(truth, nameless(7))["prevalence"][1]["aneurysm"]) == 7


def test_a_frequent_location_is_in_the_prevalence_answer() -> None:
    """A location that half of the patients have is decided as 1."""
    locations = np.zeros((4, 21), dtype=np.uint8)
    locations[:2, 5] = 1
    truth = {"aneurysm": locations.any(axis=1).astype(np.uint8), "locations": locations}
    _, predictions = scorer.references(truth, nameless(3))["prevalence"]
    assert np.flatnonzero(predictions["locations"][0]).tolist() == [5]


def test_every_metric_of_every_resample_is_that_of_the_repeated_cases() -> None:
    """Multiplicities give what scoring the drawn rows gives, for all metrics."""
    truth = {key: array[:80] for key, array in real_marginals().items()}
    predictions = guess(truth)
    counts = bootstrap_counts([str(i) for i in range(80)], resamples=10, seed=0)
    fast = scorer.score(truth, predictions, counts)
    for r, times in enumerate(counts):
        rows = np.repeat(np.arange(80), times)
        slow = scorer.score(
            {key: array[rows] for key, array in truth.items()},
            {key: array[rows] for key, array in predictions.items()},
        )
        for key, values in fast.items():
            np.testing.assert_allclose(values[r], slow[key], rtol=0, atol=1e-12, err_msg=key)


def test_a_thousand_resamples_of_all_metrics_take_less_than_a_second() -> None:
    """The bootstrap of the real training set's size is interactive; processor time, the machine is shared."""
    truth = real_marginals()
    counts = bootstrap_counts([str(i) for i in range(PATIENTS)], resamples=1000, seed=0)
    start = process_time()
    found = scorer.score(truth, guess(truth), counts)
    # Measured: 0.16 s.
    assert process_time() - start < 1.0
    assert {array.shape for array in found.values()} == {(1000,)}
    assert all(np.isfinite(array).all() for array in found.values())


def test_without_location_scores_their_auroc_is_undefined() -> None:
    """The optional key is NaN, plain and in resamples; nothing else changes."""
    truth = real_marginals()
    predictions = guess(truth)
    full = scorer.score(truth, predictions)
    del predictions["location_scores"]
    counts = bootstrap_counts([str(i) for i in range(PATIENTS)], resamples=2, seed=0)
    assert np.isnan(scorer.score(truth, predictions, counts)["location_auroc"]).all()
    found = scorer.score(truth, predictions)
    assert np.isnan(found.pop("location_auroc"))
    assert found == {key: full[key] for key in found}


def test_per_case_scores_add_up_to_the_metrics() -> None:
    """The mean of the cases is the Brier score, the accuracy and the exact match."""
    truth = real_marginals()
    predictions = guess(truth)
    cases, found = scorer.per_case(truth, predictions), scorer.score(truth, predictions)
    assert cases["aneurysm_squared_error"].mean() == pytest.approx(float(found["brier_aneurysm"]))
    assert 1 - cases["wrong_locations"].mean() / 21 == pytest.approx(float(found["location_accuracy"]))
    assert cases["location_exact_match"].mean() == pytest.approx(float(found["location_exact_match"]))
    assert {array.shape for array in cases.values()} == {(PATIENTS,)}


def test_ranking_parts_average_to_the_ranking_metric() -> None:
    """Each case's part in the AUROC, over the patients with an aneurysm and over those without."""
    truth = real_marginals()
    predictions = guess(truth)
    parts = scorer.ranking_parts(truth, predictions)
    area = float(scorer.score(truth, predictions)["auroc_aneurysm"])
    for ill in (0, 1):
        assert parts[truth["aneurysm"] == ill].mean() == pytest.approx(area, abs=1e-12)


# ------------------------------------------------------------------------------------------ combine
def fold(aneurysm: float, place: int, score: float | None = None) -> dict[str, Any]:
    """One fold model's answer about one case."""
    answer = {"aneurysm": np.array([aneurysm]), "locations": np.full((1, 21), place, dtype=np.uint8)}
    return answer if score is None else answer | {"location_scores": np.full((1, 21), score)}


def test_folds_are_joined_by_mean_and_majority() -> None:
    """Probabilities are averaged, locations voted on."""
    joined = scorer.combine([fold(0.2, 1, 0.1), fold(0.4, 1, 0.2), fold(0.9, 0, 0.6)])
    np.testing.assert_allclose(joined["aneurysm"], [0.5])
    np.testing.assert_allclose(joined["location_scores"], np.full((1, 21), 0.3))
    assert joined["locations"].tolist() == [[1] * 21]


def test_a_tied_vote_is_no() -> None:
    """As many for as against is 0; many votes do not overflow."""
    assert not scorer.combine([fold(0, 1), fold(0, 0)])["locations"].any()
    assert scorer.combine([fold(0, 1)] * 300 + [fold(0, 0)] * 299)["locations"].all()


def test_optional_scores_need_every_fold() -> None:
    """Location scores that one fold did not give are not joined from the others."""
    assert "location_scores" not in scorer.combine([fold(0, 1, 0.5), fold(0, 0)])


def test_joined_probabilities_stay_within_their_bounds() -> None:
    """The mean of ones is 1, also of single-precision ones, and in double precision."""
    answers = [{key: array.astype(np.float32) for key, array in fold(1, 1, 1).items()} for _ in range(10)]
    joined = scorer.combine(answers)
    assert joined["aneurysm"].dtype == np.float64
    assert joined["aneurysm"].max() == joined["location_scores"].max() == 1


# -------------------------------------------------------------------------------------------- panel
def test_the_panel_is_json_without_nan() -> None:
    """Tables and curves survive strict JSON, also where everything is undefined."""
    truth = real_marginals()
    for rows in (slice(None), slice(0, 1), slice(0, 0)):
        part = {key: array[rows] for key, array in truth.items()}
        panel = json.loads(json.dumps(scorer.panel(part, guess(part)), allow_nan=False))
        assert {part["kind"] for part in panel.values()} <= {"table", "curve", "note"}
        assert all(len(row) == len(panel["locations"]["columns"]) for row in panel["locations"]["rows"])


def test_the_location_table_agrees_with_the_oracle() -> None:
    """Each row holds its label's counts, sensitivity, specificity, F1 and AUROC."""
    truth = real_marginals()
    predictions = guess(truth)
    table = facts(truth, predictions)["locations"]
    assert [line["location"] for line in table] == [*LOCATIONS, POOLED]
    assert [line["positives"] for line in table[:21]] == list(POSITIVES)
    for k, line in enumerate(table[:21]):
        labels, decisions = truth["locations"][:, k], predictions["locations"][:, k]
        assert line["sensitivity"] == sk.recall_score(labels, decisions)
        assert line["specificity"] == sk.recall_score(labels, decisions, pos_label=0)
        assert line["f1"] == pytest.approx(sk.f1_score(labels, decisions))
        assert line["auroc"] == pytest.approx(sk.roc_auc_score(labels, predictions["location_scores"][:, k]))


def test_rare_posterior_locations_are_pooled() -> None:
    """The six locations with at most six patients are also one row of 19 positive cells."""
    truth = real_marginals()
    pooled = facts(truth, guess(truth))["locations"][-1]
    assert all(name in pooled["location"] for name in RARE)
    assert pooled["positives"] == 19
    assert pooled["n"] == 6 * PATIENTS
    assert all(POSITIVES[LOCATIONS.index(name)] <= 6 for name in RARE)


def test_predictive_values_are_given_for_screening_too() -> None:
    """The same threshold means far fewer true alarms at 3 % than in the contest's half."""
    truth = real_marginals()
    panel = facts(truth, guess(truth))
    assert panel["prevalence"] == pytest.approx(0.464, abs=5e-4)
    for point in panel["operating_points"]:
        assert point["tp"] + point["fn"] == ILL
        assert point["ppv_in_this_set"] == pytest.approx(point["tp"] / (point["tp"] + point["fp"]))
        odds = 0.03 * point["sensitivity"] / (0.97 * (1 - point["specificity"]))
        assert point["ppv_in_screening"] == pytest.approx(odds / (1 + odds))


@pytest.mark.parametrize(
    ("aneurysm", "place", "words"),
    [
        ([0.2, 0.8], 1, "1 cases have Aneurysm below 0.5 and a location"),
        ([0.0, 1.0], 0, "only 0 or 1"),
        ([0.3, 0.3], 0, "the same for every case"),
    ],
)
def test_legal_but_unwise_answers_are_noted(aneurysm: list[float], place: int, words: str) -> None:
    """The page warns of contradictions, hard decisions and constants."""
    truth = {"aneurysm": np.array([0, 1]), "locations": np.zeros((2, 21), dtype=np.uint8)}
    predictions = {"aneurysm": np.array(aneurysm), "locations": np.full((2, 21), place, dtype=np.uint8)}
    notes = facts(truth, predictions)["notes"]
    assert len(notes) == 1
    assert words in notes[0]


def test_a_sensible_answer_has_no_note() -> None:
    """Probabilities that agree with the locations pass without a word."""
    truth = {"aneurysm": np.array([0, 1]), "locations": np.zeros((2, 21), dtype=np.uint8)}
    predictions = {"aneurysm": np.array([0.2, 0.7]), "locations": np.zeros((2, 21), dtype=np.uint8)}
    assert facts(truth, predictions)["notes"] == []
