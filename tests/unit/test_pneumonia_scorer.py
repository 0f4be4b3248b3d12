"""The pneumonia scorer against scikit-learn, on the real films' labels and on degenerate ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from challenges.pneumonia import data, scorer
from challenges.pneumonia.names import BACTERIA, NORMAL, VIRUS
from harness import catalog
from harness.contracts import Case, CaseSet
from harness.curves import BINS
from harness.errors import UserError
from tests.real import real_data

Labels = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def real() -> tuple[Labels, Labels]:
    """The 624 real test films, and what a logistic regression on 7 x 7 squares says of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = data.read(real_data("pneumonia"), None, {"variant": "mnist28"})
    halves = [
        np.stack([data.decode(case, {"size": 7})["image"].ravel() for case in half.cases]).astype(float)
        for half in (found.development, found.test)
    ]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(halves[0], (found.development.truth or {})["pneumonia"])
    return dict(found.test.truth or {}), {"pneumonia": model.predict_proba(halves[1])[:, 1]}


def oracle(truth: Labels, predictions: Labels) -> dict[str, float]:
    """Return every metric as scikit-learn computes it."""
    y, p = truth["pneumonia"], predictions["pneumonia"]
    d = (p >= 0.5).astype(int)
    false_alarms, hits, _ = sk.roc_curve(y, p, drop_intermediate=False)
    found = {
        "auroc": sk.roc_auc_score(y, p),
        "balanced_accuracy": sk.balanced_accuracy_score(y, d),
        "accuracy": sk.accuracy_score(y, d),
        "sensitivity": sk.recall_score(y, d),
        "specificity": sk.recall_score(y, d, pos_label=0),
        "f1": sk.f1_score(y, d),
        "mcc": sk.matthews_corrcoef(y, d),
        "auprc": sk.average_precision_score(y, p),
        "sensitivity_95": hits[false_alarms <= 0.05 + 1e-12].max(),
        "brier": sk.brier_score_loss(y, p),
    }
    for name, agent in (("bacteria", BACTERIA), ("virus", VIRUS)):
        rows = np.isin(truth["agent"], (NORMAL, agent))
        found[f"auroc_{name}"] = sk.roc_auc_score(y[rows], p[rows])
        found[f"sensitivity_{name}"] = sk.recall_score(y[rows], d[rows])
    edges = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [abs(p[edges == k].sum() - y[edges == k].sum()) for k in range(BINS)]
    return {**found, "ece": sum(gaps) / len(y)}


def test_every_metric_is_scikit_learns_on_real_predictions(real: tuple[Labels, Labels]) -> None:
    """To 1e-12, and every column of the card is there, in its order."""
    found = scorer.score(*real)
    expected = oracle(*real)

    assert list(found) == [column.key for column in catalog.challenge("pneumonia").card.metrics]
    assert {key: float(value) for key, value in found.items()} == pytest.approx(expected, abs=1e-12, rel=0)


def test_a_resample_is_scored_as_its_cases_are(real: tuple[Labels, Labels]) -> None:
    """Multiplicities give what scikit-learn gives for the repeated rows."""
    truth, predictions = real
    counts = np.random.default_rng(0).multinomial(len(truth["agent"]), np.full(624, 1 / 624), size=3)
    found = scorer.score(truth, predictions, counts)

    for row, times in enumerate(counts):
        drawn = [{key: np.repeat(v, times) for key, v in side.items()} for side in real]
        assert {key: float(value[row]) for key, value in found.items()} == pytest.approx(
            oracle(drawn[0], drawn[1]), abs=1e-12, rel=0
        )


def test_parts_in_the_ranking_have_the_auroc_as_their_mean(real: tuple[Labels, Labels]) -> None:
    """Over the ill, and over the healthy."""
    truth, predictions = real
    parts = scorer.ranking_parts(truth, predictions)
    area = sk.roc_auc_score(truth["pneumonia"], predictions["pneumonia"])

    for label in (0, 1):
        assert parts[truth["pneumonia"] == label].mean() == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_what_needs_two(label: int) -> None:
    """NaN, never a number; what counts right answers stays defined."""
    n = 4
    truth = {"pneumonia": np.full(n, label, np.uint8), "agent": np.full(n, label, np.uint8)}
    found = scorer.score(truth, {"pneumonia": np.linspace(0.1, 0.9, n)})

    assert {"auroc", "balanced_accuracy", "mcc", "auroc_bacteria"} <= {
        k for k, v in found.items() if np.isnan(v)
    }
    assert found["accuracy"] == 0.5
    assert np.isnan(found["specificity" if label else "sensitivity"])
    assert np.isnan(scorer.ranking_parts(truth, {"pneumonia": np.linspace(0.1, 0.9, n)})).all()


def test_no_case_and_one_case_are_defined_or_nan() -> None:
    """Nothing raises on the smallest sets."""
    for n in (0, 1):
        truth = {"pneumonia": np.ones(n, np.uint8), "agent": np.ones(n, np.uint8)}
        found = scorer.score(truth, {"pneumonia": np.full(n, 0.7)})
        assert np.isnan(found["auroc"])
        assert scorer.per_case(truth, {"pneumonia": np.full(n, 0.7)})["error"].shape == (n,)


def test_equal_scores_know_nothing() -> None:
    """Ties count half."""
    truth = {"pneumonia": np.array([0, 1, 1], np.uint8), "agent": np.array([0, 1, 2], np.uint8)}

    assert scorer.score(truth, {"pneumonia": np.full(3, 0.4)})["auroc"] == 0.5


def test_an_entrys_own_decision_stands_over_the_half() -> None:
    """Accuracy and the like follow it, the AUROC does not."""
    truth = {"pneumonia": np.array([0, 1], np.uint8), "agent": np.array([0, 1], np.uint8)}
    scores = np.array([0.1, 0.3])
    own = scorer.score(truth, {"pneumonia": scores, "decision": np.array([0, 1], np.uint8)})
    plain = scorer.score(truth, {"pneumonia": scores})

    assert (own["accuracy"], plain["accuracy"]) == (1.0, 0.5)
    assert own["auroc"] == plain["auroc"] == 1.0


def test_folds_are_joined_by_their_mean_and_majority() -> None:
    """A tie is 0, and a fold without decisions leaves them out."""
    folds: list[Any] = [
        {"pneumonia": np.array([0.2, 0.4]), "decision": np.array([1, 1], np.uint8)},
        {"pneumonia": np.array([0.4, 0.8]), "decision": np.array([0, 1], np.uint8)},
    ]
    joined = scorer.combine(folds)

    assert joined["pneumonia"] == pytest.approx([0.3, 0.6])
    assert joined["decision"].tolist() == [0, 1]
    assert "decision" not in scorer.combine([folds[0], {"pneumonia": folds[1]["pneumonia"]}])


def test_predictions_come_back_as_they_were_written(tmp_path: Path) -> None:
    """At full precision, in whatever order."""
    cases = [Case(i, i, ()) for i in ("test/b", "test/a")]
    given = {"pneumonia": np.array([0.1 + 0.2, 1 / 3]), "decision": np.array([0, 1], np.uint8)}
    scorer.write_predictions(tmp_path / "o.csv", CaseSet(tuple(cases), None), given)
    back = scorer.read_predictions(tmp_path / "o.csv", CaseSet(tuple(cases[::-1]), None))

    assert back["pneumonia"].tolist() == given["pneumonia"][::-1].tolist()
    assert back["decision"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image,pneumonia\ntest/a,0.5\n", "test/b"),
        ("image,pneumonia\ntest/a,0.5\ntest/b,0.5\ntest/c,0.5\n", "test/c"),
        ("image,pneumonia\ntest/a,0.5\ntest/a,0.5\ntest/b,0.1\n", "test/a"),
        ("image,pneumonia\ntest/a,nan\ntest/b,0.5\n", "line 2, column pneumonia"),
        ("image,pneumonia\ntest/a,1.5\ntest/b,0.5\n", "line 2, column pneumonia"),
        ("image,pneumonia,decision\ntest/a,0.5,2\ntest/b,0.5,0\n", "line 2, column decision"),
        ("image\ntest/a\n", "pneumonia"),
        ("", "empty|header|image"),
    ],
)
def test_a_malformed_prediction_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """By row and column."""
    (tmp_path / "o.csv").write_text(text)
    cases = CaseSet(tuple(Case(i, i, ()) for i in ("test/a", "test/b")), None)
    with pytest.raises(UserError, match=problem):
        scorer.read_predictions(tmp_path / "o.csv", cases)
