"""Ranks by case of 1,000 entries and the tests between all pairs: the harness against scipy.

uv run python benchmarks/ranking.py [--entries 1000] [--cases 369] [--columns 6] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from scipy.stats import permutation_test as scipy_test
from scipy.stats import rankdata

from harness.ranking import case_ranks, first_against_all, permutation_test, ranks

SWAPS, PAIRS = 1000, 20


def timed(compute: Callable[[], object], rounds: int) -> float:
    """Return the median of some runs, in seconds."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        compute()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Return the statistic of the test."""
    return np.mean(a, axis=axis) - np.mean(b, axis=axis)


def scipy_pairs(cumulative: np.ndarray) -> None:
    """Test some pairs by scipy."""
    for other in range(1, PAIRS + 1):
        samples = (cumulative[0], cumulative[other])
        scipy_test(
            samples, difference, permutation_type="samples", n_resamples=SWAPS, vectorized=True, rng=other
        )


def main() -> None:
    """Measure and print processor seconds of one thread, and ratios."""
    parser = argparse.ArgumentParser()
    for name, value in (("entries", 1000), ("cases", 369), ("columns", 6), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    shape = (options.entries, options.cases, options.columns)
    values = np.round(np.random.default_rng(0).random(shape), 3)
    higher = np.arange(options.columns) < options.columns / 2
    costs = np.where(higher, -values, values)
    doubled = ranks(values, higher)
    cumulative = case_ranks(doubled)
    ours = timed(lambda: ranks(values, higher), options.rounds)
    theirs = timed(lambda: rankdata(costs, method="average", axis=0), options.rounds)
    same = np.array_equal(doubled, 2 * rankdata(costs, method="average", axis=0))
    print(
        f"ranks of {shape}: harness {ours:.3f} s, scipy {theirs:.2f} s, ratio {theirs / ours:.1f}, "
        f"equal {same}"
    )
    pairs = options.entries * (options.entries - 1) // 2
    ours = timed(lambda: permutation_test(cumulative, SWAPS), options.rounds) / pairs
    theirs = timed(lambda: scipy_pairs(cumulative), options.rounds) / PAIRS
    print(
        f"permutation test, {SWAPS} swaps: all {pairs} pairs {ours * pairs:.2f} s, scipy "
        f"{theirs * 1e3:.1f} ms a pair, ratio a pair {theirs / ours:.0f}"
    )
    ours = timed(lambda: first_against_all(cumulative, 20_000), options.rounds)
    print(f"the first against all others, 20,000 swaps: {ours:.2f} s")


if __name__ == "__main__":
    main()
