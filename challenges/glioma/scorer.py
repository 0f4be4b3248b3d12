"""Score predicted risks and survival curves of glioma patients under censoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from challenges.glioma import output
from challenges.glioma import truth as truths
from challenges.glioma.columns import TIMES, YEAR
from challenges.glioma.panel import panel
from challenges.glioma.views import View, shares
from harness.contracts import ArraySpec
from harness.metrics import (
    auc_1yr,
    auc_2yr,
    brier_1yr,
    c_index,
    calibration_error_1yr,
    d_calibration,
    integrated_brier,
    log_oe_1yr,
    scaled_brier_1yr,
    uno_c,
)
from harness.survival.brier import brier_terms
from harness.survival.followup import FollowUp
from harness.survival.kaplan_meier import marginal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays, CaseSet, Metric

    Sides = tuple[Array, Array, NDArray[np.bool_] | None]
    """Truth and prediction of a metric, and the rows that count where not all do."""

__all__ = ["METRICS", "Scorer", "for_options"]


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of the board is computed from."""

    metric: Metric
    sides: Callable[[View], Sides | None]
    """None where the metric is undefined: no curves were predicted, or the follow-up is too short."""


def _of_risk(view: View) -> Sides:
    return view.truth, view.risk, None


def _of_gbm(view: View) -> Sides:
    return view.truth[view.gbm], view.risk[view.gbm], view.gbm


def _truncated(view: View) -> Sides | None:
    return None if view.truncated is None else (view.truncated, view.risk, None)


def _year(view: View) -> Sides | None:
    return None if view.survival is None else (view.truth, view.survival[:, view.year], None)


def _against_marginal(view: View) -> Sides | None:
    """Return survival at one year beside the evaluated cases' own Kaplan-Meier estimate."""
    if view.survival is None:
        return None
    alive = float(marginal(view.follow_up)(YEAR)) if view.reaches(YEAR) else np.nan
    if np.isnan(alive):
        return None
    own = view.survival[:, view.year]
    return view.truth, np.column_stack([own, np.full(len(own), alive)]), None


def _until_tau(view: View) -> Sides | None:
    grid = view.until_tau
    return None if view.survival is None or grid < 2 else (view.truth, view.survival[:, :grid], None)


def _until_end(view: View) -> Sides | None:
    return None if view.survival is None else (view.truth, view.survival[:, : view.until_end], None)


METRICS: Mapping[str, Column] = MappingProxyType(
    {
        "c_index": Column(c_index.metric, _of_risk),
        "uno_c": Column(uno_c.metric, _truncated),
        "c_index_gbm": Column(c_index.metric, _of_gbm),
        "auc_1yr": Column(auc_1yr.metric, _of_risk),
        "auc_2yr": Column(auc_2yr.metric, _of_risk),
        "brier_1yr": Column(brier_1yr.metric, _year),
        "scaled_brier_1yr": Column(scaled_brier_1yr.metric, _against_marginal),
        "integrated_brier": Column(integrated_brier.metric, _until_tau),
        "log_oe_1yr": Column(log_oe_1yr.metric, _year),
        "calibration_error_1yr": Column(calibration_error_1yr.metric, _year),
        "d_calibration": Column(d_calibration.metric, _until_end),
    }
)
"""What each key of challenge.yaml is computed from, in its order."""


def for_options(options: Mapping[str, str]) -> Scorer:
    """Return the judge of the endpoint that the options name."""
    return Scorer(options["endpoint"])


@dataclass(frozen=True, slots=True)
class Scorer:
    """The judge of one endpoint: overall survival, or death within a year.

    Weights for censoring (Uno's C, AUC, Brier) are of the evaluated half's own censoring, the same in all
    resamples; Uno's C and the integrated Brier score end at tau, the 80 % percentile of its follow-up. With
    endpoint=1yr all ends after 365 days: who was lost before is made up for by weights, never dropped.
    """

    endpoint: str = "os"

    SUFFIX: ClassVar[str] = ".csv"
    PREDICTIONS: ClassVar[Mapping[str, ArraySpec]] = MappingProxyType(
        {
            "risk": ArraySpec((), -np.inf, np.inf, description="any number, higher = earlier death"),
            "survival": ArraySpec(
                (len(TIMES),),
                0,
                1,
                required=False,
                description="probability of being alive after each quarter of five years",
            ),
        }
    )

    def score(
        self, truth: Arrays, predictions: Arrays, counts: NDArray[np.integer[Any]] | None = None
    ) -> dict[str, Array]:
        """Return every metric, () or (resamples,); NaN where undefined or where no curve was predicted."""
        view = View.of(truth, predictions, self.endpoint)
        return {key: _value(column, view, counts) for key, column in METRICS.items()}

    def sizes(self, truth: Arrays, predictions: Arrays) -> dict[str, int]:
        """Return how many glioblastomas C among them rests on."""
        return {"c_index_gbm": int(View.of(truth, predictions, self.endpoint).gbm.sum())}

    def per_case(self, truth: Arrays, predictions: Arrays) -> dict[str, Array]:
        """Return each case's share of concordant pairs (NaN without a pair) and Brier term, (n,)."""
        view = View.of(truth, predictions, self.endpoint)
        found = {"concordance": shares(view.follow_up, view.risk)}
        if view.survival is not None and view.reaches(YEAR):
            terms = brier_terms(view.follow_up, view.survival[:, [view.year]], [YEAR], view.follow_up)
            found["brier_1yr"] = terms[:, 0]
        return found

    def ranking_parts(self, truth: Arrays, predictions: Arrays) -> Array:
        """Return each case's share of concordant pairs, (n,); .5 where it has no pair to win or lose."""
        view = View.of(truth, predictions, self.endpoint)
        return np.nan_to_num(shares(view.follow_up, view.risk), nan=0.5)

    def panel(self, truth: Arrays, predictions: Arrays) -> dict[str, Any]:
        """Return curves by tertile of risk, calibration, AUC over time and C by subgroup."""
        return panel(truth, View.of(truth, predictions, self.endpoint))

    def combine(self, folds: Sequence[Arrays]) -> dict[str, Array]:
        """Join the fold models: mean of the standardised risks, and mean of the curves if all gave them.

        A risk is on no common scale: each fold's is standardised over the cases, and their mean is put
        back on the folds' mean scale, so that no fold counts more for its larger numbers.
        """
        joined = {"risk": _mean_risk([fold["risk"] for fold in folds])}
        if all("survival" in fold for fold in folds):
            joined["survival"] = np.asarray(np.mean([fold["survival"] for fold in folds], axis=0))
        return joined

    def references(self, development: Arrays, cases: CaseSet) -> dict[str, tuple[str, dict[str, Array]]]:
        """Return the answers that know no patient: one risk for all, without and with a survival curve."""
        n = len(cases.cases)
        follow_up = FollowUp.of(development["time"], development["event"])
        curve = _carried_on(marginal(follow_up)(TIMES))
        return {
            "same_risk": ("The same risk for everyone (constant)", {"risk": np.zeros(n)}),
            "kaplan_meier": (
                "Kaplan-Meier curve of the development set (constant)",
                {"risk": np.zeros(n), "survival": np.tile(curve, (n, 1))},
            ),
        }

    def read_predictions(self, path: Path, cases: CaseSet) -> dict[str, Array]:
        """Read a prediction file ID,risk[,s91,...], rows matched by ID.

        Raises:
            UserError: missing, extra, doubled or malformed rows, a curve that rises, by line and column.
        """
        return output.read_predictions(path, cases)

    def write_predictions(self, path: Path, cases: CaseSet, predictions: Arrays) -> None:
        """Write a prediction file."""
        output.write_predictions(path, cases, predictions)

    def read_truth(self, path: Path, ids: Sequence[str]) -> dict[str, Array]:
        """Read a truth file ID,time,event, cases in the order of `ids`, as the endpoint sees it."""
        return truths.read_truth(path, ids, self.endpoint)

    def truth_ids(self, path: Path) -> tuple[str, ...]:
        """Return the case ids of a truth file, sorted."""
        return truths.truth_ids(path)


def _value(column: Column, view: View, counts: NDArray[np.integer[Any]] | None) -> Array:
    sides = column.sides(view)
    if sides is None:
        return np.full(() if counts is None else (len(counts),), np.nan)
    truth, prediction, rows = sides
    drawn = counts if counts is None or rows is None else np.ascontiguousarray(counts[:, rows])
    return column.metric.compute(truth, prediction, drawn)


def _mean_risk(risks: Sequence[Array]) -> Array:
    table = np.asarray(risks, dtype=np.float64)
    mean, deviation = table.mean(axis=1, keepdims=True), table.std(axis=1, keepdims=True)
    standard = (table - mean) / np.where(deviation > 0, deviation, 1.0)
    return np.asarray(mean.mean() + deviation.mean() * standard.mean(axis=0))


def _carried_on(curve: Array) -> Array:
    """Return a survival curve that keeps its last known value where the follow-up has ended."""
    known = np.concatenate([[1.0], curve])
    last = np.maximum.accumulate(np.where(np.isnan(known), 0, np.arange(len(known))))
    return np.asarray(known[last][1:])
