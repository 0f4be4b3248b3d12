"""The glioma scorer against scikit-survival, on the real UCSF-PDGM cohort and on degenerate truths; its files."""

from __future__ import annotations

import math
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from sksurv.metrics import (
    brier_score,
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)

from challenges.glioma import data
from challenges.glioma.columns import TIMES
from challenges.glioma.output import SURVIVAL
from challenges.glioma.scorer import METRICS, Scorer, for_options
from harness import catalog
from harness.contracts import Case, CaseSet
from harness.errors import UserError
from harness.folds import make_folds
from harness.predictions import check
from harness.statistics import bootstrap_counts
from harness.survival.concordance import harrell
from harness.survival.cox import ridge
from harness.survival.design import Design
from harness.survival.followup import FollowUp, choose_tau
from tests.fakes import nameless
from tests.real import real_data
from tests.survival_fakes import surv

Arrays = dict[str, np.ndarray]
NAMES = CaseSet(tuple(Case(i, i, ()) for i in ("a", "b")), None)


def curves_of(risk: np.ndarray) -> np.ndarray:
    """Return survival curves that fall with the risk, (n, 20)."""
    return np.exp(-np.outer(np.exp(risk - risk.mean()), np.array(TIMES) / 700))


@pytest.fixture(scope="module")
def real() -> tuple[Arrays, Arrays]:
    """UCSF-PDGM, and what age says of it."""
    truth = dict(data.read(real_data("glioma"), None, {"external": "none"}).development.truth or {})
    risk = truth["age"] / 30
    return truth, {"risk": risk, "survival": curves_of(risk)}


def oracle(truth: Arrays, predictions: Arrays) -> dict[str, float]:
    """Return what scikit-survival computes, its weights those of the same cases."""
    follow_up = FollowUp.of(truth["time"], truth["event"])
    y, risk, tau = surv(follow_up), predictions["risk"], choose_tau(follow_up)
    grid = [day for day in TIMES if day <= tau]
    gbm = truth["gbm"] == 1
    curves = predictions["survival"]
    auc, _ = cumulative_dynamic_auc(y, y, risk, [365.0, 730.0])
    return {
        "c_index": concordance_index_censored(y["event"], y["time"], risk)[0],
        "uno_c": concordance_index_ipcw(y, y, risk, tau=tau)[0],
        "c_index_gbm": concordance_index_censored(y["event"][gbm], y["time"][gbm], risk[gbm])[0],
        "auc_1yr": auc[0],
        "auc_2yr": auc[1],
        "brier_1yr": brier_score(y, y, curves[:, 3], 365.0)[1][0],
        "integrated_brier": integrated_brier_score(y, y, curves[:, : len(grid)], grid),
    }


def test_every_metric_is_scikit_survivals_on_the_real_cohort(real: tuple[Arrays, Arrays]) -> None:
    """C exactly, the others to 1e-12; every column of the card is there, in its order."""
    found = Scorer().score(*real)
    expected = oracle(*real)

    assert list(found) == [column.key for column in catalog.challenge("glioma").card.metrics]
    assert float(found["c_index"]) == expected["c_index"]
    assert {key: float(found[key]) for key in expected} == pytest.approx(expected, abs=1e-12, rel=0)
    assert all(math.isfinite(value) for value in found.values())


def test_risk_turned_round_is_the_complement(real: tuple[Arrays, Arrays]) -> None:
    """C(-risk) = 1 - C: no sign is lost on the way."""
    truth, predictions = real
    found, turned = (Scorer().score(truth, {"risk": s * predictions["risk"]}) for s in (1, -1))
    for key in ("c_index", "uno_c", "auc_1yr", "auc_2yr", "c_index_gbm"):
        assert float(turned[key]) == pytest.approx(1 - float(found[key]), abs=1e-12)


def test_a_resample_is_scored_with_the_weights_of_all(real: tuple[Arrays, Arrays]) -> None:
    """Multiplicities of one resample give what the repeated cases give with the censoring of the half."""
    truth, predictions = real
    counts = bootstrap_counts([str(k) for k in range(500)], resamples=2, seed=1)
    found = Scorer().score(truth, predictions, counts)
    whole = FollowUp.of(truth["time"], truth["event"])
    for row, times in enumerate(counts):
        drawn = np.repeat(np.arange(500), times)
        y = surv(whole.take(drawn))
        risk, curves = predictions["risk"][drawn], predictions["survival"][drawn]
        assert found["c_index"][row] == concordance_index_censored(y["event"], y["time"], risk)[0]
        uno = concordance_index_ipcw(surv(whole), y, risk, tau=choose_tau(whole))[0]
        assert found["uno_c"][row] == pytest.approx(uno, abs=1e-12)
        brier = brier_score(surv(whole), y, curves[:, 3], 365.0)[1][0]
        assert found["brier_1yr"][row] == pytest.approx(brier, abs=1e-12)


def test_within_a_year_who_was_lost_is_made_up_for(real: tuple[Arrays, Arrays]) -> None:
    """AUC and Brier at one year are those of the whole follow-up; leaving the lost out would differ."""
    truth, predictions = real
    seen = dict(
        data.read(real_data("glioma"), None, {"external": "none", "endpoint": "1yr"}).development.truth or {}
    )
    judge = for_options({"endpoint": "1yr"})
    found, full = judge.score(seen, predictions), Scorer().score(truth, predictions)
    known = (truth["time"] > 365) | (truth["event"] == 1)
    naive = np.mean((predictions["survival"][known, 3] - (truth["time"][known] > 365)) ** 2)

    assert float(found["auc_1yr"]) == pytest.approx(float(full["auc_1yr"]), abs=1e-12)
    assert float(found["brier_1yr"]) == pytest.approx(float(full["brier_1yr"]), abs=1e-12)
    assert abs(naive - float(found["brier_1yr"])) > 0.001
    assert math.isnan(found["auc_2yr"])
    assert float(found["c_index"]) != float(full["c_index"])
    y = surv(FollowUp.of(seen["time"], seen["event"]))
    assert float(found["uno_c"]) == pytest.approx(
        concordance_index_ipcw(y, y, predictions["risk"])[0], abs=1e-12
    )
    assert all(math.isfinite(value) for key, value in found.items() if key != "auc_2yr")


@pytest.mark.parametrize(
    ("time", "event"),
    [
        ([], []),
        ([10.0], [1]),
        ([10.0], [0]),
        ([10.0, 20.0, 900.0], [0, 0, 0]),
        ([10.0, 10.0, 10.0], [1, 1, 1]),
        ([400.0, 400.0], [1, 0]),
        ([5.0, 3000.0], [1, 1]),
        ([2000.0, 2000.0, 2000.0], [0, 0, 0]),
    ],
)
@pytest.mark.parametrize("endpoint", ["os", "1yr"])
def test_degenerate_truths_give_a_number_or_nan(time: list[float], event: list[int], endpoint: str) -> None:
    """No case, one, no death, one day, nobody beyond a year: nothing raises, with resamples or without."""
    judge, n = Scorer(endpoint), len(time)
    seen = {**data.outcome_of(time, [bool(e) for e in event], endpoint), "gbm": np.ones(n, np.uint8)}
    risk = np.arange(n, dtype=float)
    counts = np.ones((3, n), dtype=np.int32)
    for predictions in ({"risk": risk}, {"risk": risk, "survival": np.full((n, 20), 0.5)}):
        found = judge.score(seen, predictions)
        resampled = judge.score(seen, predictions, counts)
        assert {values.shape for values in resampled.values()} == {(3,)}
        for key, value in found.items():
            assert np.array_equal(resampled[key], np.full(3, value), equal_nan=True), key
        truth = FollowUp.of(seen["time"], seen["event"])
        assert np.array_equal(found["c_index"], harrell(truth, risk), equal_nan=True)
        assert judge.panel(seen, predictions)
        assert len(judge.per_case(seen, predictions)["concordance"]) == n


def test_all_censored_has_no_concordance_but_no_pair_is_no_error() -> None:
    """NaN, never .5 or 0."""
    truth = {"time": np.array([10.0, 500.0, 900.0]), "event": np.zeros(3, np.uint8)}
    found = Scorer().score(truth, {"risk": np.arange(3.0), "survival": np.full((3, 20), 0.9)})

    assert math.isnan(found["c_index"])
    assert math.isnan(found["auc_1yr"])
    assert float(found["brier_1yr"]) == pytest.approx(2 / 3 * 0.01 / (2 / 3))


def test_without_curves_what_needs_them_is_undefined(real: tuple[Arrays, Arrays]) -> None:
    """And nothing else."""
    truth, predictions = real
    found = Scorer().score(truth, {"risk": predictions["risk"]})
    undefined = {key for key, value in found.items() if math.isnan(value)}

    assert undefined == set(METRICS) - {"c_index", "uno_c", "c_index_gbm", "auc_1yr", "auc_2yr"}


def out_of_fold(cases: CaseSet, truth: Arrays, features: np.ndarray) -> np.ndarray:
    """Return the risk that ten Cox models give the cases that they have not seen, as glioma_clinical fits them."""
    risk, follow_up = np.zeros(len(features)), FollowUp.of(truth["time"], truth["event"])
    for fold in make_folds(cases.cases, data.strata(truth), 10, seed=0):
        design = Design.of(features[fold.train])
        model = ridge(design(features[fold.train]), follow_up.take(fold.train), 1.0)
        risk[fold.heldout] = model.risk(design(features[fold.heldout]))
    return risk


def test_a_clinical_model_beats_070_and_learns_nothing_of_shuffled_outcomes() -> None:
    """Cross-validated on the real cohort.

    Of 20 shuffles C had mean .487 and deviation .030 (pooled folds lie a little below .5 where there is nothing
    to learn), and .5 lay in the interval of 16.
    """
    cases = data.read(real_data("glioma"), None, {}).development
    features = np.stack([data.decode(case, {"covariates": 4})["covariates"] for case in cases.cases])
    counts = bootstrap_counts([str(k) for k in range(500)], resamples=200, seed=0)
    known = dict(cases.truth or {})
    assert float(Scorer().score(known, {"risk": out_of_fold(cases, known, features)})["c_index"]) > 0.70
    found, inside = [], 0
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(500)
        truth = FollowUp.of(known["time"][order], known["event"][order])
        shuffled = {**known, "time": truth.time, "event": truth.event.astype(np.uint8)}
        risk = out_of_fold(cases, shuffled, features)
        low, high = np.quantile(harrell(truth, risk, counts), [0.025, 0.975])
        found.append(float(harrell(truth, risk)))
        inside += low < 0.5 < high
    assert abs(np.mean(found) - 0.5) < 0.04
    assert inside >= 3


def test_each_cases_share_adds_up_to_c(real: tuple[Arrays, Arrays]) -> None:
    """A sweep compares them; who has no pair neither wins nor loses."""
    truth, predictions = real
    n = 60
    part = {key: values[:n] for key, values in truth.items()}
    risk = predictions["risk"][:n]
    judge = Scorer()
    shares = judge.per_case(part, {"risk": risk})["concordance"]
    pairs = [
        sum(
            (a != b)
            and any(
                part["event"][i]
                and (
                    part["time"][j] > part["time"][i]
                    or (part["time"][j] == part["time"][i] and not part["event"][j])
                )
                for i, j in ((a, b), (b, a))
            )
            for b in range(n)
        )
        for a in range(n)
    ]
    known = np.array(pairs) > 0
    assert (~np.isnan(shares) == known).all()
    weighted = np.sum(shares[known] * np.array(pairs)[known]) / np.sum(pairs)
    assert weighted == pytest.approx(float(judge.score(part, {"risk": risk})["c_index"]), abs=1e-12)
    assert np.isfinite(judge.ranking_parts(part, {"risk": risk})).all()


def test_folds_are_joined_on_one_scale() -> None:
    """A fold with larger numbers does not win; equal folds stay; curves are averaged if all gave them."""
    judge = Scorer()
    small, large = np.array([0.0, 1.0, 2.0]), 1000 * np.array([2.0, 0.0, 1.0])
    joined = judge.combine([{"risk": small}, {"risk": small}, {"risk": large}])["risk"]

    assert np.argsort(joined).tolist() == [1, 0, 2] or np.argsort(joined).tolist() == [0, 1, 2]
    assert judge.combine([{"risk": large}, {"risk": large}])["risk"] == pytest.approx(large)
    assert judge.combine([{"risk": np.zeros(3)}, {"risk": np.zeros(3)}])["risk"].tolist() == [0, 0, 0]
    curves = [np.full((3, 20), value) for value in (0.2, 0.6)]
    both: list[Any] = [{"risk": small, "survival": curve} for curve in curves]
    assert judge.combine(both)["survival"] == pytest.approx(np.full((3, 20), 0.4))
    assert "survival" not in judge.combine([both[0], {"risk": small}])


def test_references_know_no_patient(real: tuple[Arrays, Arrays]) -> None:
    """C is .5; the Kaplan-Meier curve is calibrated where it was estimated, and is no better than itself."""
    truth, _ = real
    found = Scorer().references(truth, nameless(500))
    flat = Scorer().score(truth, found["kaplan_meier"][1])

    assert {name: sorted(arrays) for name, (_, arrays) in found.items()} == {
        "same_risk": ["risk"],
        "kaplan_meier": ["risk", "survival"],
    }
    assert float(flat["c_index"]) == float(flat["c_index_gbm"]) == 0.5
    assert float(flat["scaled_brier_1yr"]) == pytest.approx(0, abs=1e-12)
    assert float(flat["log_oe_1yr"]) == pytest.approx(0, abs=1e-12)
    curve = found["kaplan_meier"][1]["survival"][0]
    assert (np.diff(curve) <= 0).all()
    early = {**truth, **data.outcome_of(list(truth["time"]), list(truth["event"] == 1), "1yr")}
    short = Scorer("1yr").references(early, nameless(2))["kaplan_meier"][1]["survival"][0]
    assert np.isfinite(short).all()
    assert (short[3:] == short[3]).all()


def test_predictions_are_checked_as_numbers() -> None:
    """Any finite risk; a probability of a curve lies in [0, 1]."""
    spec = Scorer.PREDICTIONS
    good = {"risk": np.array([-1e9, 3.0]), "survival": np.full((2, 20), 0.5)}
    assert check(good, spec, ["a", "b"])[1] is None
    for key, value in (("risk", np.inf), ("risk", np.nan), ("survival", 1.2)):
        wrong = {name: values.copy() for name, values in good.items()}
        wrong[key][1] = value
        failure = check(wrong, spec, ["a", "b"])[1]
        assert failure is not None
        assert "case b" in failure.reason


def test_a_thousand_resamples_of_all_metrics_are_interactive() -> None:
    """Of the source's 1,139 patients; processor time, the machine is shared."""
    draw = np.random.default_rng(0)
    risk = draw.normal(size=1139)
    death = 900 * (draw.exponential(size=1139) / np.exp(risk)) ** 0.8
    lost = draw.uniform(250, 3650, 1139)
    truth = {
        "time": np.ceil(np.minimum(death, lost)),
        "event": (death <= lost).astype(np.uint8),
        "gbm": (draw.random(1139) < 0.6).astype(np.uint8),
    }
    counts = bootstrap_counts([str(k) for k in range(1139)], resamples=1000, seed=0)
    start = process_time()
    found = Scorer().score(truth, {"risk": risk, "survival": curves_of(risk)}, counts)
    # Measured: 0.9 s.
    assert process_time() - start < 6
    assert all(np.isfinite(values).all() for values in found.values())


# ------------------------------------------------------------------------------------------------ files
def test_predictions_come_back_as_they_were_written(tmp_path: Path) -> None:
    """At full precision, in whatever order, with curves and without."""
    given = {
        "risk": np.array([0.1 + 0.2, -1e-12]),
        "survival": np.sort(np.random.default_rng(0).random((2, 20)))[:, ::-1],
    }
    for kept in (given, {"risk": given["risk"]}):
        Scorer().write_predictions(tmp_path / "o.csv", NAMES, kept)
        back = Scorer().read_predictions(tmp_path / "o.csv", CaseSet(NAMES.cases[::-1], None))
        assert {key: values.tolist() for key, values in back.items()} == {
            key: values[::-1].tolist() for key, values in kept.items()
        }


def row(case: str, *values: float | str) -> str:
    """Return a row whose curve ends as its last value."""
    curve = [*values[1:], *[values[-1]] * (20 - len(values[1:]))]
    return ",".join([case, str(values[0]), *map(str, curve)])


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["ID,risk", "a,1"], "'b' is missing"),
        (["ID,risk", "a,1", "b,2", "c,3"], "line 4: 'c' is not asked for"),
        (["ID,risk", "a,1", "a,1", "b,2"], "line 3, column ID: a was given before, in line 2"),
        (["ID,risk", "a,nan", "b,2"], "line 2, column risk: 'nan' is not a finite number"),
        (["ID,risk", "a,inf", "b,2"], "line 2, column risk"),
        (["ID,risk", "a,1,2", "b,2"], "line 2: 3 values instead of 2"),
        (["ID,hazard", "a,1", "b,2"], "column 'risk' is missing"),
        (["ID,risk,extra", "a,1,2", "b,2,2"], "column 'extra' is not one of"),
        (["ID,risk,s91", "a,1,0.5", "b,2,0.5"], "column s182 is missing"),
        (["ID,risk," + ",".join(SURVIVAL), row("a", 1, 0.5), row("b", 1, 0.9, 0.95, 0.5)],
         "line 3, column s182: '0.95' is more than '0.9' before"),
        (["ID,risk," + ",".join(SURVIVAL), row("a", 1, 1.5, 0.5), row("b", 1, 0.9)], "line 2, column s91: '1.5'"),
        ([""], "column 'ID' is missing"),
    ],
)  # fmt: skip
def test_a_malformed_prediction_file_is_refused(tmp_path: Path, lines: list[str], problem: str) -> None:
    """By row and column."""
    (tmp_path / "o.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=problem):
        Scorer().read_predictions(tmp_path / "o.csv", NAMES)
