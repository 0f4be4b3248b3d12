"""What an entry's page shows of survival: curves by tertile, calibration, AUC, subgroups; and how it is drawn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sksurv.compare import compare_survival
from sksurv.metrics import concordance_index_censored, cumulative_dynamic_auc
from sksurv.nonparametric import kaplan_meier_estimator

from challenges.glioma.columns import TIMES
from challenges.glioma.panel import facts, tertiles
from challenges.glioma.scorer import METRICS, Scorer
from challenges.glioma.views import View
from harness import catalog
from harness.records import Half
from harness.survival.followup import FollowUp, choose_tau
from leaderboard.figures import chart, forest
from leaderboard.panels import panel_views
from tests.survival_fakes import surv

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def shown() -> tuple[Arrays, Arrays, dict[str, Any]]:
    """Truth, predictions and facts of 240 patients."""
    draw = np.random.default_rng(3)
    n = 240
    risk = np.round(draw.normal(size=n), 1)
    death = 600 * (draw.exponential(size=n) / np.exp(risk)) ** 0.8
    lost = draw.uniform(250, 3650, n)
    truth = {
        "time": np.ceil(np.minimum(death, lost)),
        "event": (death <= lost).astype(np.uint8),
        "grade": draw.choice([0, 2, 3, 4], n).astype(np.uint8),
        "idh": draw.choice([0, 1, 2], n).astype(np.uint8),
        "sex": draw.choice([0, 1], n).astype(np.uint8),
        "age": np.where(draw.random(n) < 0.05, np.nan, draw.integers(20, 90, n)),
        "gbm": draw.choice([0, 1], n).astype(np.uint8),
        "id": np.array([f"p{k}" for k in range(n)]),
    }
    survival = np.exp(-np.outer(np.exp(risk), np.array(TIMES) / 900))
    predictions = {"risk": risk, "survival": survival}
    return truth, predictions, facts(truth, View.of(truth, predictions, "os"))


def test_the_card_and_the_scorer_name_the_same_metrics() -> None:
    """In the same order; C ranks, Uno's breaks ties."""
    card = catalog.challenge("glioma").card
    assert [(row.key, row.metric) for row in card.metrics] == [(k, c.metric.name) for k, c in METRICS.items()]
    assert (card.metrics[0].key, card.ranking.tie_breakers) == ("c_index", ("uno_c",))
    assert {name: option.default for name, option in card.options.items()} == {
        "endpoint": "os", "cohort": "all", "external": "tcga",
    }  # fmt: skip


def test_reported_results_lie_within_their_columns_and_fit_a_board() -> None:
    """The source's eight pairs, each on the track it was reported for."""
    card = catalog.challenge("glioma").card
    slides = [r for r in card.literature if r.title in ("SE-ResNeXt50 (3D)", "ResNet50-CBAM (3D)")]
    values = {(r.title[:2], *r.options.values(), r.metric): r.value for r in slides}
    assert len(values) == len(slides) == 16
    assert values[("Re", "1yr", "all", "c_index")] == 0.7961
    assert values[("SE", "os", "gbm", "brier_1yr")] == 0.201
    for row in card.literature:
        metric = METRICS[row.metric].metric
        assert metric.low <= row.value <= metric.high
        assert row.computed_on
        assert row.source
        assert "As reported" in row.note
        assert set(row.options) <= set(card.options)


def test_tertiles_are_equal_in_size_and_never_divide_equal_risks() -> None:
    """A constant is one group."""
    assert np.bincount(tertiles(np.arange(9.0))).tolist() == [3, 3, 3]
    assert tertiles(np.zeros(4)).tolist() == [0, 0, 0, 0]
    groups = tertiles(np.array([1.0, 1.0, 1.0, 1.0, 5.0, 6.0]))
    assert groups.tolist() == [0, 0, 0, 0, 2, 2]


def test_curves_by_tertile_are_scikit_survivals(shown: tuple[Arrays, Arrays, dict[str, Any]]) -> None:
    """Corners, band and log-rank p; numbers at risk by counting."""
    truth, predictions, found = shown
    groups = tertiles(predictions["risk"])
    y = surv(FollowUp.of(truth["time"], truth["event"]))
    assert found["logrank_p"] == pytest.approx(compare_survival(y, groups)[1], rel=1e-9)
    for k, series in enumerate(found["kaplan_meier"]):
        own = groups == k
        times, values, band = kaplan_meier_estimator(y["event"][own], y["time"][own], conf_type="log-log")
        falls = (times <= TIMES[-1]) & (np.diff(values, prepend=1.0) < 0)
        assert np.array(series["x"][1:-1:2]) * 365 == pytest.approx(times[falls])
        for share, expected in (("y", values), ("low", band[0]), ("high", band[1])):
            assert series[share][:2] == [1.0, 1.0]
            assert series[share][2::2] == pytest.approx(expected[falls], abs=1e-12), share
            assert series[share][2::2] == series[share][3::2]
        row = found["at_risk"][k]
        assert row["n"] == own.sum()
        reached = times[values <= 0.5]
        assert row["median_in_days"] == (reached[0] if len(reached) else None)
        assert row["deaths"] == truth["event"][own].sum()
        assert row["at_risk_after_2_y"] == (truth["time"][own] >= 730).sum()


def test_auc_over_time_is_scikit_survivals(shown: tuple[Arrays, Arrays, dict[str, Any]]) -> None:
    """At the quarters of a year until tau, inside its interval."""
    truth, predictions, found = shown
    follow_up = FollowUp.of(truth["time"], truth["event"])
    y = surv(follow_up)
    days = [day for day in TIMES if day <= choose_tau(follow_up)]
    expected, _ = cumulative_dynamic_auc(y, y, predictions["risk"], days)
    auc = found["auc"]

    assert np.array(auc["x"]) * 365 == pytest.approx(days)
    assert auc["y"] == pytest.approx(list(expected), abs=1e-12)
    assert all(low < y < high for low, y, high in zip(auc["low"], auc["y"], auc["high"], strict=True))


def test_every_subgroup_has_c_n_and_interval(shown: tuple[Arrays, Arrays, dict[str, Any]]) -> None:
    """By grade, IDH, GBM, sex and age; those of a column add up to all; all's interval is the board's."""
    truth, predictions, found = shown
    rows = {row["subgroup"]: row for row in found["subgroups"]}
    assert list(rows)[:5] == ["all", "grade 2", "grade 3", "grade 4", "grade unknown"]
    assert "sex unknown" not in rows
    for names in (list(rows)[1:5], ["IDH-wildtype", "IDH-mutant", "IDH unknown"], ["women", "men"],
                  ["younger than 50", "50 to 64 years", "65 years or older", "age unknown"]):  # fmt: skip
        assert sum(rows[name]["n"] for name in names) == 240
    own = truth["idh"] == 1
    expected = concordance_index_censored(
        truth["event"][own] == 1, truth["time"][own], predictions["risk"][own]
    )[0]
    assert rows["IDH-mutant"]["C"] == expected
    assert rows["IDH-mutant"]["low"] < expected < rows["IDH-mutant"]["high"]


def test_calibration_counts_every_patient(shown: tuple[Arrays, Arrays, dict[str, Any]]) -> None:
    """Tenths of predicted risk with bands; O/E with its interval; D-calibration with its p."""
    truth, predictions, found = shown
    assert sum(found["calibration"]["n"]) == 240
    ratio, uniform = found["calibration_in_numbers"]
    scored = Scorer().score(truth, predictions)
    assert abs(np.log(ratio["value"])) == pytest.approx(float(scored["log_oe_1yr"]))
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert uniform["value"] == pytest.approx(float(scored["d_calibration"]))
    assert 0 <= uniform["p"] <= 1


@pytest.mark.parametrize("endpoint", ["os", "1yr"])
def test_the_panel_is_json_that_the_page_draws(
    shown: tuple[Arrays, Arrays, dict[str, Any]], endpoint: str
) -> None:
    """Strict JSON, also of few patients and without curves; nothing falls back to raw text."""
    truth, predictions, _ = shown
    for rows in (slice(None), slice(0, 12), slice(0, 1)):
        part = {key: values[rows] for key, values in truth.items()}
        for given in (predictions, {"risk": predictions["risk"]}):
            own = {key: values[rows] for key, values in given.items()}
            panel = json.loads(json.dumps(Scorer(endpoint).panel(part, own), allow_nan=False))
            views = panel_views(Half(1, 1, {}, panel))
            assert {view.kind for view in views} <= {"table", "curve", "note"}
            assert {"kaplan_meier", "at_risk", "subgroups"} <= set(panel)


def test_bands_and_the_whole_axis_are_drawn(shown: tuple[Arrays, Arrays, dict[str, Any]]) -> None:
    """Survival from 0 to 1 over years; a band goes along its upper and back along its lower edge."""
    truth, predictions, _ = shown
    panel = Scorer().panel(truth, predictions)
    drawn = chart(panel["kaplan_meier"])

    assert [label for _, label in drawn.y_marks][0::4] == ["0.00", "1.00"]
    assert float(drawn.x_marks[-1][1]) >= 5
    assert not drawn.diagonal
    for series, given in zip(drawn.series, panel["kaplan_meier"]["series"], strict=True):
        assert series.band.startswith("M")
        assert series.band.endswith("Z")
        assert series.band.count("L") == 2 * len(given["x"]) - 1
    plain = {**panel["kaplan_meier"], "series": [{"name": "a", "x": [0, 2], "y": [1, 0.5]}]}
    assert chart(plain).series[0].band == ""


def test_c_by_subgroup_is_drawn_as_a_forest(shown: tuple[Arrays, Arrays, dict[str, Any]]) -> None:
    """A dot and a line a row on one axis, .5 marked; a row without a value is empty, one without interval a dot."""
    truth, predictions, _ = shown
    panel = Scorer().panel(truth, predictions)["subgroups"]
    drawn = forest(panel)
    first = drawn.whiskers[0]
    assert first is not None
    assert drawn.reference < first.dot
    assert first.line
    assert len(drawn.whiskers) == len(panel["rows"])
    undefined = [[*row[:3], None, None, None] for row in panel["rows"][:1]]
    alone = [[*row[:4], None, None] for row in panel["rows"][:1]]
    rows = forest({**panel, "rows": undefined + alone}).whiskers
    assert rows[0] is None
    assert rows[1] is not None
    assert rows[1].line == ""
    (view,) = panel_views(Half(1, 1, {}, {"subgroups": panel}))
    assert view.forest == drawn
    assert view.broad


@pytest.mark.parametrize(
    ("risk", "survival", "words"),
    [
        ([1.0, 1.0, 1.0], None, "the same for every case"),
        ([1.0, 2.0, 3.0], None, "No survival curve was predicted"),
        ([1.0, 2.0, 3.0], [0.2, 0.5, 0.9], "is the risk's sign right"),
        ([1.0, 2.0, 3.0], "rising", "The survival curve of 3 cases rises"),
    ],
)
def test_legal_but_unwise_answers_are_noted(risk: list[float], survival: Any, words: str) -> None:
    """The page warns of constants, missing curves, a wrong sign and curves that rise."""
    truth = {"time": np.array([100.0, 500.0, 900.0]), "event": np.array([1, 1, 0], np.uint8)}
    predictions: Arrays = {"risk": np.array(risk)}
    if survival == "rising":
        predictions["survival"] = np.tile(np.linspace(0.1, 0.9, 20), (3, 1))
    elif survival is not None:
        predictions["survival"] = np.tile(np.array(survival)[:, None], (1, 20))
    assert words in Scorer().panel(truth, predictions)["notes"]["text"]
