"""Score K-ium predictions: the organisers' pair, and the panel that it hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.kium.columns import LOCATIONS
from challenges.kium.data import read_truth, truth_ids
from challenges.kium.output import positional, read_predictions, write_predictions
from challenges.kium.panel import panel
from harness.contracts import ArraySpec
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
    sensitivity_at_specificity_90,
    sensitivity_at_specificity_95,
)
from harness.statistics import placements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays, CaseSet, Metric

__all__ = [
    "METRICS",
    "PREDICTIONS",
    "SUFFIX",
    "combine",
    "panel",
    "per_case",
    "positional",
    "ranking_parts",
    "read_predictions",
    "read_truth",
    "references",
    "score",
    "truth_ids",
    "write_predictions",
]

SUFFIX = ".csv"
PREDICTIONS: Mapping[str, ArraySpec] = {
    "aneurysm": ArraySpec((), 0, 1, description="probability of an aneurysm anywhere"),
    "locations": ArraySpec((len(LOCATIONS),), 0, 1, integer=True, description="0/1 per location"),
    "location_scores": ArraySpec(
        (len(LOCATIONS),), 0, 1, required=False, description="probability per location"
    ),
}

METRICS: Mapping[str, tuple[Metric, str]] = {
    "auroc_aneurysm": (auroc.metric, "aneurysm"),
    "location_accuracy": (accuracy.metric, "locations"),
    "auprc_aneurysm": (auprc.metric, "aneurysm"),
    "sensitivity_90_aneurysm": (sensitivity_at_specificity_90.metric, "aneurysm"),
    "sensitivity_95_aneurysm": (sensitivity_at_specificity_95.metric, "aneurysm"),
    "brier_aneurysm": (brier.metric, "aneurysm"),
    "ece_aneurysm": (ece.metric, "aneurysm"),
    "location_f1_macro": (f1_macro.metric, "locations"),
    "location_f1_micro": (f1_micro.metric, "locations"),
    "location_balanced_accuracy": (balanced_accuracy.metric, "locations"),
    "location_exact_match": (exact_match.metric, "locations"),
    "location_auroc": (auroc_macro.metric, "location_scores"),
}
"""Metric and prediction of each key of challenge.yaml."""

TRUTH_OF = {"aneurysm": "aneurysm", "locations": "locations", "location_scores": "locations"}


def score(
    truth: Arrays, predictions: Arrays, counts: NDArray[np.integer[Any]] | None = None
) -> dict[str, Array]:
    """Return every metric, () or (resamples,); NaN where undefined or not predicted.

    The official pair is `auroc_aneurysm` = roc_auc_score and `location_accuracy` =
    1 - sum|truth - output| / (cases * 21).
    """
    absent = np.full(() if counts is None else len(counts), np.nan)
    return {
        key: metric.compute(truth[TRUTH_OF[name]], predictions[name], counts)
        if name in predictions
        else absent
        for key, (metric, name) in METRICS.items()
    }


def per_case(truth: Arrays, predictions: Arrays) -> dict[str, Array]:
    """Return each case's error and squared error of Aneurysm, wrong locations and exact match, (n,)."""
    error = np.abs(predictions["aneurysm"] - truth["aneurysm"].astype(np.float64))
    wrong = (predictions["locations"] != truth["locations"]).sum(axis=1)
    return {
        "aneurysm_error": error,
        "aneurysm_squared_error": error**2,
        "wrong_locations": wrong,
        "location_exact_match": wrong == 0,
    }


def ranking_parts(truth: Arrays, predictions: Arrays) -> NDArray[np.float64]:
    """Return each case's part in the AUROC that ranks, (n,), higher is better; NaN with one class only."""
    return placements(truth["aneurysm"], predictions["aneurysm"])


def combine(folds: Sequence[Arrays]) -> dict[str, Array]:
    """Join the fold models' answers: mean probabilities; locations by majority, a tie is 0.

    Location scores are joined if every fold gave them.
    """
    votes = np.sum([fold["locations"] for fold in folds], axis=0, dtype=np.int64)
    joined: dict[str, Array] = {
        "aneurysm": _mean(folds, "aneurysm"),
        "locations": np.asarray(2 * votes > len(folds), dtype=np.uint8),
    }
    if all("location_scores" in fold for fold in folds):
        joined["location_scores"] = _mean(folds, "location_scores")
    return joined


def _mean(folds: Sequence[Arrays], key: str) -> Array:
    return np.asarray(np.mean([fold[key] for fold in folds], axis=0, dtype=np.float64))


def references(development: Arrays, cases: CaseSet) -> dict[str, tuple[str, dict[str, Array]]]:
    """Return the answers that need no image: nothing anywhere, and the development set's prevalences."""
    aneurysm = float(development["aneurysm"].mean())
    shares = development["locations"].mean(axis=0, dtype=np.float64)
    n = len(cases.cases)
    nowhere = np.zeros((n, len(LOCATIONS)), dtype=np.uint8)
    return {
        "no_aneurysm": (
            "No aneurysm anywhere (constant)",
            {"aneurysm": np.zeros(n), "locations": nowhere},
        ),
        "prevalence": (
            "Prevalence of the development set (constant)",
            {
                "aneurysm": np.full(n, aneurysm),
                "locations": np.tile((shares >= 0.5).astype(np.uint8), (n, 1)),
                "location_scores": np.tile(shares, (n, 1)),
            },
        ),
    }
