"""What an entry's page shows of pneumonia: curves, operating points, agents and notes; and the references."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from challenges.pneumonia import scorer
from challenges.pneumonia.names import AGENTS, BACTERIA, NORMAL, UNKNOWN, VIRUS
from challenges.pneumonia.panel import facts
from harness.cards import ChallengeCard
from harness.statistics import bootstrap_counts
from harness.validated import read_card
from tests.fakes import nameless

SHARES = {NORMAL: 1341, BACTERIA: 2530, VIRUS: 1345}
"""Films of the real development set."""


def real_shares(scale: int = 1) -> dict[str, Any]:
    """Return the agents of the real development set, or of every `scale`-th of its films, mixed."""
    agents = np.repeat(list(SHARES), list(SHARES.values()))[::scale]
    agents = np.random.default_rng(0).permutation(agents).astype(np.uint8)
    return {"agent": agents, "pneumonia": (agents != NORMAL).astype(np.uint8)}


def guess(truth: dict[str, Any], seed: int = 1) -> dict[str, Any]:
    """Return probabilities that know a little, with ties, and decisions at .6."""
    rng = np.random.default_rng(seed)
    scores = np.round(0.6 * rng.random(len(truth["agent"])) + 0.4 * (truth["agent"] != NORMAL), 2)
    return {"pneumonia": scores, "decision": (scores >= 0.6).astype(np.uint8)}


def card() -> ChallengeCard:
    """The challenge's own card."""
    return read_card(ChallengeCard, Path(scorer.__file__).parent / "challenge.yaml")


def test_the_card_and_the_scorer_name_the_same_metrics() -> None:
    """Every metric of challenge.yaml is scored by the metric it names, in its order; AUROC ranks."""
    listed = [(row.key, row.metric) for row in card().metrics]
    assert listed == [(key, column.metric.name) for key, column in scorer.METRICS.items()]
    assert listed[0] == ("auroc", "auroc")
    assert card().ranking.tie_breakers == ("balanced_accuracy",)


def test_published_results_lie_within_their_columns() -> None:
    """Each says what it was computed on and where it was read; the source's ladder is marked as it is."""
    known = {key: column.metric for key, column in scorer.METRICS.items()}
    for row in card().literature:
        assert known[row.metric].low <= row.value <= known[row.metric].high
        assert row.computed_on
        assert row.source
    ladder = [row for row in card().literature if row.title.startswith("Source ladder")]
    assert [row.value for row in ladder] == [0.8641, 0.8994, 0.9089, 0.9560, 0.9712]
    assert all("best epoch" in row.note for row in ladder)


def test_the_panel_is_json_without_nan() -> None:
    """Tables and curves survive strict JSON, also where everything is undefined."""
    truth = real_shares(10)
    for rows in (slice(None), slice(0, 1), slice(0, 0)):
        part = {key: array[rows] for key, array in truth.items()}
        for predictions in (guess(part), {"pneumonia": guess(part)["pneumonia"]}):
            panel = json.loads(json.dumps(scorer.panel(part, predictions), allow_nan=False))
            assert {shown["kind"] for shown in panel.values()} <= {"table", "curve", "note"}
            tables = [shown for shown in panel.values() if shown["kind"] == "table"]
            assert len(tables) == 2
            assert all(len(row) == len(t["columns"]) for t in tables for row in t["rows"])


def test_each_agent_has_a_row_with_its_number() -> None:
    """n, calls and share of each; AUROC against the normal films is scikit-learn's."""
    truth = real_shares()
    predictions = guess(truth)
    rows = facts(truth, predictions)["subgroups"]
    assert [(row["subgroup"], row["n"]) for row in rows] == [(AGENTS[a], n) for a, n in SHARES.items()]
    for agent, row in zip(SHARES, rows, strict=True):
        own = truth["agent"] == agent
        assert row["called"] == predictions["decision"][own].sum()
        assert row["share_called"] == predictions["decision"][own].mean()
        assert row["mean_probability"] == pytest.approx(predictions["pneumonia"][own].mean())
        if agent == NORMAL:
            assert row["auroc"] is None
            continue
        both = np.isin(truth["agent"], (NORMAL, agent))
        expected = sk.roc_auc_score(own[both], predictions["pneumonia"][both])
        assert row["auroc"] == pytest.approx(expected, abs=1e-12)


def test_films_of_an_agent_not_recorded_have_a_row_of_their_own() -> None:
    """They count as pneumonia and in no other agent; without them the row is not there."""
    truth = real_shares(10)
    assert [row["subgroup"] for row in facts(truth, guess(truth))["subgroups"]] == list(AGENTS[:3])
    truth["agent"][truth["agent"] == VIRUS] = UNKNOWN
    predictions = guess(truth)
    rows = {row["subgroup"]: row for row in facts(truth, predictions)["subgroups"]}
    assert rows["virus"]["n"] == 0
    assert rows["virus"]["auroc"] is None
    assert rows["not recorded"]["n"] == (truth["agent"] == UNKNOWN).sum()
    found = scorer.score(truth, predictions)
    assert np.isnan(found["auroc_virus"])
    assert np.isnan(found["sensitivity_virus"])
    assert found["sensitivity"] == sk.recall_score(truth["pneumonia"], predictions["decision"])


def test_the_roc_is_drawn_for_all_and_for_each_agent() -> None:
    """From (0, 0) to (1, 1); the area below the corners is the AUROC."""
    truth = real_shares()
    predictions = guess(truth)
    curve = scorer.panel(truth, predictions)["roc"]
    assert [s["name"] for s in curve["series"]] == ["All", "Bacteria against normal", "Virus against normal"]
    found = scorer.score(truth, predictions)
    for series, key in zip(curve["series"], ("auroc", "auroc_bacteria", "auroc_virus"), strict=True):
        assert (series["x"][0], series["y"][0], series["x"][-1], series["y"][-1]) == (0, 0, 1, 1)
        assert np.trapezoid(series["y"], series["x"]) == pytest.approx(float(found[key]), abs=1e-12)


def test_the_reliability_curve_counts_its_films() -> None:
    """Every film is in one bin, and the gaps weighted by n are the calibration error."""
    truth = real_shares()
    predictions = guess(truth)
    series = scorer.panel(truth, predictions)["reliability"]["series"][0]
    assert sum(series["n"]) == sum(SHARES.values())
    gaps = np.abs(np.subtract(series["x"], series["y"])) * series["n"] / sum(series["n"])
    assert gaps.sum() == pytest.approx(float(scorer.score(truth, predictions)["ece"]), abs=1e-12)


def test_operating_points_are_those_of_the_metrics() -> None:
    """The entry's own decisions, .5, and two specificities; without decisions there are three."""
    truth = real_shares()
    predictions = guess(truth)
    points = facts(truth, predictions)["operating_points"]
    found = scorer.score(truth, predictions)
    assert [p["at"] for p in points] == [
        "the entry's decisions", "threshold 0.5", "specificity >= 90 %", "specificity >= 95 %",
    ]  # fmt: skip
    assert points[0]["threshold"] is None
    assert (points[0]["sensitivity"], points[0]["specificity"]) == (
        found["sensitivity"],
        found["specificity"],
    )
    assert points[3]["sensitivity"] == found["sensitivity_95"]
    assert points[3]["specificity"] >= 0.95
    for point in points:
        assert point["tp"] + point["fn"] == SHARES[BACTERIA] + SHARES[VIRUS]
        assert point["ppv_in_this_set"] == pytest.approx(point["tp"] / (point["tp"] + point["fp"]))
    assert len(facts(truth, {"pneumonia": predictions["pneumonia"]})["operating_points"]) == 3


@pytest.mark.parametrize(
    ("scores", "called", "words"),
    [
        ([0.0, 1.0, 1.0], None, "only 0 or 1"),
        ([0.3, 0.3, 0.3], None, "the same for every case"),
        ([0.2, 0.8, 0.4], [1, 0, 0], "no threshold on the probability"),
    ],
)
def test_legal_but_unwise_answers_are_noted(
    scores: list[float], called: list[int] | None, words: str
) -> None:
    """The page warns of hard probabilities, constants and decisions against the probability."""
    agents = np.array([NORMAL, BACTERIA, VIRUS], dtype=np.uint8)
    truth = {"agent": agents, "pneumonia": (agents > 0).astype(np.uint8)}
    predictions = {"pneumonia": np.array(scores)}
    if called is not None:
        predictions["decision"] = np.array(called, dtype=np.uint8)
    notes = facts(truth, predictions)["notes"]
    assert len(notes) == 1
    assert words in notes[0]


def test_a_sensible_answer_has_no_note() -> None:
    """Probabilities with a threshold pass without a word."""
    truth = real_shares(10)
    assert facts(truth, guess(truth))["notes"] == []


def test_the_prevalence_answers_without_an_image() -> None:
    """It is calibrated where it was counted, knows nothing, and its accuracy is the prevalence."""
    truth = real_shares()
    title, predictions = scorer.references(truth, nameless(sum(SHARES.values())))["prevalence"]
    found = scorer.score(truth, predictions)
    prevalence = truth["pneumonia"].mean()
    assert "constant" in title
    assert found["auroc"] == found["balanced_accuracy"] == 0.5
    assert found["mcc"] == 0
    assert found["ece"] == pytest.approx(0, abs=1e-12)
    assert float(found["accuracy"]) == pytest.approx(prevalence, abs=1e-12)
    assert round(float(prevalence), 3) == 0.743
    assert len(scorer.references(truth, nameless(7))["prevalence"][1]["pneumonia"]) == 7


def test_per_case_scores_add_up_to_the_metrics() -> None:
    """The mean of the cases is the Brier score and the accuracy."""
    truth = real_shares(10)
    predictions = guess(truth)
    cases, found = scorer.per_case(truth, predictions), scorer.score(truth, predictions)
    assert cases["squared_error"].mean() == pytest.approx(float(found["brier"]))
    assert cases["correct"].mean() == pytest.approx(float(found["accuracy"]))
    assert {array.shape for array in cases.values()} == {truth["agent"].shape}


def test_a_thousand_resamples_of_all_metrics_are_interactive() -> None:
    """Of the real development set's size; processor time, the machine is shared."""
    truth = real_shares()
    counts = bootstrap_counts([str(i) for i in range(len(truth["agent"]))], resamples=1000, seed=0)
    start = process_time()
    found = scorer.score(truth, guess(truth), counts)
    # Measured: 1.1 s.
    assert process_time() - start < 6.0
    assert {array.shape for array in found.values()} == {(1000,)}
    assert all(np.isfinite(array).all() for array in found.values())
