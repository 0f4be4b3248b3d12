"""Bootstrap of survival metrics: the harness against a loop over scikit-survival, on the same draws.

uv run python benchmarks/survival.py [--cases 1139] [--resamples 1000] [--rounds 3]

One thread each, in turns, median of the rounds. The draws are made once for all metrics and timed apart:
multiplicities for the harness, case numbers for scikit-survival. A single value is timed as well. The
cohort has days, a quarter censored, and risks with ties; the training cohort is another.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv

from harness.statistics import bootstrap_counts
from harness.survival.brier import integrated_brier
from harness.survival.concordance import harrell, uno
from harness.survival.dynamic_auc import dynamic_auc
from harness.survival.followup import FollowUp, choose_tau

YEAR = 365.0


@dataclass(frozen=True)
class Cohort:
    """What is scored."""

    training: FollowUp
    truth: FollowUp
    risk: np.ndarray
    survival: np.ndarray
    tau: float
    grid: np.ndarray


def follow_up(draw: np.random.Generator, risk: np.ndarray) -> FollowUp:
    """Return Weibull deaths and uniform entry, in days."""
    death = np.ceil(900 * (draw.exponential(size=len(risk)) / np.exp(risk)) ** 0.8)
    lost = np.ceil(draw.uniform(250, 3650, len(risk)))
    return FollowUp.of(np.minimum(death, lost), death <= lost)


def cohort(cases: int) -> Cohort:
    """Return a cohort and the training cohort of the same size."""
    draw = np.random.default_rng(0)
    risk = np.round(draw.normal(size=cases), 2)
    training, truth = follow_up(draw, draw.normal(size=cases)), follow_up(draw, risk)
    tau = choose_tau(training)
    grid = np.linspace(float(np.quantile(truth.time, 0.1)), tau, 100)
    survival = np.exp(-np.outer(np.exp(risk), (grid / 900) ** 1.25))
    return Cohort(training, truth, risk, survival, tau, grid)


Ours = Callable[[Cohort, np.ndarray | None], np.ndarray]
Theirs = Callable[[Cohort, np.ndarray, np.ndarray, np.ndarray], float]


def harrell_of(c: Cohort, train: np.ndarray, drawn: np.ndarray, rows: np.ndarray) -> float:
    """Return Harrell's C of one resample."""
    return concordance_index_censored(drawn["event"], drawn["time"], c.risk[rows])[0]


def uno_of(c: Cohort, train: np.ndarray, drawn: np.ndarray, rows: np.ndarray) -> float:
    """Return Uno's C of one resample."""
    return concordance_index_ipcw(train, drawn, c.risk[rows], c.tau)[0]


def brier_of(c: Cohort, train: np.ndarray, drawn: np.ndarray, rows: np.ndarray) -> float:
    """Return the integrated Brier score of one resample."""
    return integrated_brier_score(train, drawn, c.survival[rows], c.grid)


def auc_of(c: Cohort, train: np.ndarray, drawn: np.ndarray, rows: np.ndarray) -> float:
    """Return the AUC at one year of one resample."""
    return cumulative_dynamic_auc(train, drawn, c.risk[rows], [YEAR])[1]


METRICS: dict[str, tuple[Ours, Theirs]] = {
    "Harrell C": (lambda c, counts: harrell(c.truth, c.risk, counts), harrell_of),
    "Uno C": (lambda c, counts: uno(c.truth, c.risk, c.training, c.tau, counts), uno_of),
    "integrated Brier": (
        lambda c, counts: integrated_brier(c.truth, c.survival, c.grid, c.training, counts),
        brier_of,
    ),
    "AUC at 1 year": (lambda c, counts: dynamic_auc(c.truth, c.risk, YEAR, c.training, counts), auc_of),
}


def theirs(c: Cohort, compute: Theirs, drawn: list[np.ndarray]) -> np.ndarray:
    """Return the metric of every resample by a loop; NaN where scikit-survival refuses one."""
    train = Surv.from_arrays(c.training.event, c.training.time)
    tested = Surv.from_arrays(c.truth.event, c.truth.time)
    found = np.full(len(drawn), np.nan)
    for k, rows in enumerate(drawn):
        with contextlib.suppress(ValueError):
            found[k] = compute(c, train, tested[rows], rows)
    return found


def multiplicities(n: int, resamples: int) -> np.ndarray:
    """Return how often each case is drawn, as the harness does."""
    return bootstrap_counts([f"{k:08d}" for k in range(n)], resamples, seed=0)


def rows_drawn(counts: np.ndarray) -> list[np.ndarray]:
    """Return the cases of each resample, in a random order."""
    draw = np.random.default_rng(0)
    return [draw.permutation(np.repeat(np.arange(len(row)), row)) for row in counts]


def timed(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the seconds of a call and what it returned."""
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def main() -> None:
    """Measure in turns and print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1139)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    c = cohort(options.cases)
    drawing, counts = timed(lambda: multiplicities(options.cases, options.resamples))
    drawn = rows_drawn(counts)
    print(
        f"{options.cases} cases, {c.truth.event.sum()} events, {options.resamples} resamples "
        f"(drawn in {drawing:.4f}), seconds"
    )
    for name, (fast, slow) in METRICS.items():
        seconds: dict[str, list[float]] = {"ours": [], "theirs": [], "one": []}
        difference = 0.0
        for _ in range(options.rounds):
            quick, found = timed(lambda fast=fast: fast(c, counts))
            long, expected = timed(lambda slow=slow: theirs(c, slow, drawn))
            single, _ = timed(lambda fast=fast: fast(c, None))
            for key, value in zip(seconds, (quick, long, single), strict=True):
                seconds[key].append(value)
            if (np.isnan(found) & ~np.isnan(expected)).any():
                raise SystemExit(f"{name}: undefined in a resample that scikit-survival scores")
            difference = max(difference, float(np.abs(found - expected)[~np.isnan(expected)].max()))
        quick, long, single = (statistics.median(values) for values in seconds.values())
        print(
            f"{name:16}  harness {quick:.4f}  scikit-survival {long:.2f}  ratio {long / quick:.0f}  "
            f"largest difference {difference:.1e}  one value {single:.4f}"
        )


if __name__ == "__main__":
    main()
