"""Score predictions of pneumonia: one probability a film, over all cases and by agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.pneumonia.names import BACTERIA, NORMAL, VIRUS
from challenges.pneumonia.output import read_predictions, write_predictions
from challenges.pneumonia.panel import decisions, panel
from challenges.pneumonia.table import read_truth, truth_ids
from harness.contracts import ArraySpec
from harness.metrics import (
    accuracy,
    auprc,
    auroc,
    balanced_accuracy,
    brier,
    ece,
    f1_micro,
    mcc,
    sensitivity,
    sensitivity_at_specificity_95,
    specificity,
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
    "ranking_parts",
    "read_predictions",
    "read_truth",
    "references",
    "score",
    "sizes",
    "truth_ids",
    "write_predictions",
]

SUFFIX = ".csv"
PREDICTIONS: Mapping[str, ArraySpec] = {
    "pneumonia": ArraySpec((), 0, 1, description="probability of pneumonia"),
    "decision": ArraySpec(
        (), 0, 1, integer=True, required=False, description="0/1 at the entry's own threshold; else >= 0.5"
    ),
}


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of the board is computed from."""

    metric: Metric
    decided: bool = False
    """From the decisions, not from the probabilities."""
    agent: int | None = None
    """Only the cases of this agent and the normal ones."""


METRICS: Mapping[str, Column] = {
    "auroc": Column(auroc.metric),
    "balanced_accuracy": Column(balanced_accuracy.metric, decided=True),
    "accuracy": Column(accuracy.metric, decided=True),
    "sensitivity": Column(sensitivity.metric, decided=True),
    "specificity": Column(specificity.metric, decided=True),
    "f1": Column(f1_micro.metric, decided=True),
    "mcc": Column(mcc.metric, decided=True),
    "auprc": Column(auprc.metric),
    "sensitivity_95": Column(sensitivity_at_specificity_95.metric),
    "brier": Column(brier.metric),
    "ece": Column(ece.metric),
    "auroc_bacteria": Column(auroc.metric, agent=BACTERIA),
    "auroc_virus": Column(auroc.metric, agent=VIRUS),
    "sensitivity_bacteria": Column(sensitivity.metric, decided=True, agent=BACTERIA),
    "sensitivity_virus": Column(sensitivity.metric, decided=True, agent=VIRUS),
}
"""What each key of challenge.yaml is computed from."""


def score(
    truth: Arrays, predictions: Arrays, counts: NDArray[np.integer[Any]] | None = None
) -> dict[str, Array]:
    """Return every metric, () or (resamples,); NaN where a class or an agent is not among the cases."""
    values = (predictions["pneumonia"], decisions(predictions))
    kept: dict[int | None, tuple[Array, ...]] = {}
    for agent in (None, BACTERIA, VIRUS):
        rows = slice(None) if agent is None else np.isin(truth["agent"], (NORMAL, agent))
        times = () if counts is None else (np.ascontiguousarray(counts[:, rows]),)
        kept[agent] = (truth["pneumonia"][rows], values[0][rows], values[1][rows], *times)
    found = {}
    for key, column in METRICS.items():
        labels, scores, decided, *times_of = kept[column.agent]
        found[key] = column.metric.compute(labels, decided if column.decided else scores, *times_of)
    return found


def sizes(truth: Arrays, predictions: Arrays) -> dict[str, int]:
    """Return how many films each agent's metrics rest on; a sensitivity needs no normal ones."""
    found = {}
    for key, column in METRICS.items():
        if column.agent is not None:
            agents = (column.agent,) if column.metric is sensitivity.metric else (NORMAL, column.agent)
            found[key] = int(np.isin(truth["agent"], agents).sum())
    return found


def per_case(truth: Arrays, predictions: Arrays) -> dict[str, Array]:
    """Return each case's error and squared error, and whether its decision is right, (n,)."""
    error = np.abs(predictions["pneumonia"] - truth["pneumonia"].astype(np.float64))
    return {
        "error": error,
        "squared_error": error**2,
        "correct": decisions(predictions) == truth["pneumonia"],
    }


def ranking_parts(truth: Arrays, predictions: Arrays) -> NDArray[np.float64]:
    """Return each case's part in the AUROC that ranks, (n,), higher is better; NaN with one class only."""
    return placements(truth["pneumonia"], predictions["pneumonia"])


def combine(folds: Sequence[Arrays]) -> dict[str, Array]:
    """Join the fold models' answers: mean probability; decision by majority, a tie is 0.

    Decisions are joined if every fold gave them.
    """
    mean = np.mean([fold["pneumonia"] for fold in folds], axis=0, dtype=np.float64)
    if not all("decision" in fold for fold in folds):
        return {"pneumonia": np.asarray(mean)}
    votes = np.sum([fold["decision"] for fold in folds], axis=0, dtype=np.int64)
    return {"pneumonia": np.asarray(mean), "decision": np.asarray(2 * votes > len(folds), dtype=np.uint8)}


def references(development: Arrays, cases: CaseSet) -> dict[str, tuple[str, dict[str, Array]]]:
    """Return the answer that needs no image: the development set's prevalence for everyone."""
    prevalence = float(development["pneumonia"].mean())
    return {
        "prevalence": (
            "Prevalence of the development set (constant)",
            {"pneumonia": np.full(len(cases.cases), prevalence)},
        )
    }
