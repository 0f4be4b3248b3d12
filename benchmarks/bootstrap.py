"""AUROC of 1,000 bootstrap resamples: the harness against a loop over scikit-learn, on the same draws.

uv run python benchmarks/bootstrap.py [--cases 5856] [--resamples 1000]
"""

from __future__ import annotations

import argparse
import os
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from sklearn.metrics import roc_auc_score

from harness.metrics import auroc
from harness.statistics import bootstrap_counts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=5856)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    truth = draw.random(options.cases) < 0.73
    scores = np.round(draw.normal(size=options.cases) + truth, 3)
    names = [f"{k:08d}" for k in range(options.cases)]
    bootstrap_counts(names[:9], 2)  # what a first call loads is not timed
    began = time.perf_counter()
    counts = bootstrap_counts(names, options.resamples, seed=0)
    drawn = time.perf_counter() - began
    ours = auroc.compute(truth, scores, counts)
    fast = time.perf_counter() - began
    began = time.perf_counter()
    draw = np.random.default_rng(0)
    theirs = []
    for _ in range(options.resamples):
        rows = draw.integers(0, options.cases, options.cases)
        theirs.append(roc_auc_score(truth[rows], scores[rows]))
    slow = time.perf_counter() - began
    print(
        f"{options.cases} cases, {options.resamples} resamples, draws included: harness {fast:.3f} s "
        f"(draw {drawn:.3f} s), scikit-learn {slow:.2f} s, ratio {slow / fast:.0f}; "
        f"largest difference {np.abs(ours - theirs).max():.1e}"
    )


if __name__ == "__main__":
    main()
