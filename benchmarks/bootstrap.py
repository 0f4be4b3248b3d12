"""AUROC of 1,000 bootstrap resamples: the harness against a loop over scikit-learn, on the same draws.

uv run python benchmarks/bootstrap.py [--cases 5856] [--resamples 1000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from sklearn.metrics import roc_auc_score

from harness.metrics import auroc
from harness.statistics import bootstrap_counts


def ours(truth: np.ndarray, scores: np.ndarray, resamples: int) -> np.ndarray:
    """Return the AUROC of every resample as the harness does."""
    names = [f"{k:08d}" for k in range(len(truth))]
    return auroc.compute(truth, scores, bootstrap_counts(names, resamples, seed=0))


def theirs(truth: np.ndarray, scores: np.ndarray, resamples: int) -> np.ndarray:
    """Return the same by a loop, on the same draws."""
    draw, n = np.random.default_rng(0), len(truth)
    rows = (draw.integers(0, n, n) for _ in range(resamples))
    return np.array([roc_auc_score(truth[row], scores[row]) for row in rows])


def main() -> None:
    """Measure in turns and print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=5856)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    truth = draw.random(options.cases) < 0.73
    scores = np.round(draw.normal(size=options.cases) + truth, 3)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    found = {}
    for _ in range(options.rounds):
        for name, compute in (("ours", ours), ("theirs", theirs)):
            began = time.perf_counter()
            found[name] = compute(truth, scores, options.resamples)
            seconds[name].append(time.perf_counter() - began)
    fast, slow = (statistics.median(values) for values in seconds.values())
    print(
        f"{options.cases} cases, {options.resamples} resamples, draws included, median of {options.rounds}: "
        f"harness {fast:.3f} s, scikit-learn {slow:.2f} s, ratio {slow / fast:.0f}; largest difference "
        f"{np.abs(found['ours'] - found['theirs']).max():.1e}"
    )


if __name__ == "__main__":
    main()
