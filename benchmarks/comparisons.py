"""How sure the ranks of 1,000 entries are: the harness against scipy and against plain loops, one thread.

uv run python benchmarks/comparisons.py [--entries 1000] [--cases 369] [--columns 6] [--resamples 1000]

What the other side would take for everything is scaled up from a sample of its resamples or pairs.
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
from scipy.stats import kendalltau, rankdata, ttest_rel
from scipy.stats import permutation_test as scipy_test

from harness.comparisons import pair_errors, paired_p
from harness.ranking import case_ranks, permutation_test, ranks
from harness.stability import kendall_tau, rank_intervals, resampled_ranks
from harness.statistics import bootstrap_counts

FLIPS, PAIRS, DRAWS = 1000, 20, 3


def timed(compute: Callable[[], object], rounds: int) -> float:
    """Return the median processor seconds of some runs, after one that is not counted."""
    compute()
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        compute()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def draws(values: np.ndarray, resamples: int) -> np.ndarray:
    """Return how often each case occurs in each resample."""
    return bootstrap_counts([f"{k:06d}" for k in range(values.shape[1])], resamples)


def bootstrap_rankings(values: np.ndarray, higher: np.ndarray, resamples: int) -> np.ndarray:
    """Return every entry's rank in every resample, from scores by case; draws included."""
    cumulative = case_ranks(ranks(values, higher)).astype(np.float32)
    found = resampled_ranks([-(draws(values, resamples).astype(np.float32) @ cumulative.T)])
    rank_intervals(found)
    return found


def by_loop(values: np.ndarray, higher: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the same by ranking the resampled cases again with scipy, resample by resample."""
    costs = np.where(higher, -values, values)
    found = []
    for row in counts:
        drawn = np.repeat(costs, row, axis=1)
        sums = rankdata(drawn, method="average", axis=0).sum(axis=(1, 2))
        found.append(rankdata(sums, method="min"))
    return np.array(found)


def by_cached_loop(values: np.ndarray, higher: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the same by a loop over resamples that ranks the cases once."""
    cumulative = case_ranks(ranks(values, higher))
    return np.array([rankdata(cumulative @ row, method="min") for row in counts])


def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Return the statistic of the test."""
    return np.mean(a, axis=axis) - np.mean(b, axis=axis)


def scipy_pairs(scores: np.ndarray) -> None:
    """Test some pairs by scipy."""
    for other in range(1, PAIRS + 1):
        samples = (scores[0], scores[other])
        scipy_test(
            samples, difference, permutation_type="samples", n_resamples=FLIPS, vectorized=True, rng=other
        )


def rankings(values: np.ndarray, resamples: int, rounds: int) -> None:
    """Measure ranks and bootstrap rankings."""
    higher = np.arange(values.shape[2]) < values.shape[2] / 2
    counts = draws(values, resamples)
    found = bootstrap_rankings(values, higher, resamples)
    same = np.array_equal(found[:DRAWS], by_loop(values, higher, counts[:DRAWS]))
    ours = timed(lambda: bootstrap_rankings(values, higher, resamples), rounds)
    cached = timed(lambda: by_cached_loop(values, higher, counts), 1)
    theirs = timed(lambda: by_loop(values, higher, counts[:DRAWS]), 1) / DRAWS * resamples
    print(
        f"ranks of {values.shape}, {resamples} bootstrap rankings and their intervals: harness {ours:.3f} s; "
        f"loop over cached ranks {cached:.2f} s, ratio {cached / ours:.1f}; scipy ranking each resample "
        f"again {theirs:.0f} s (scaled from {DRAWS} resamples), ratio {theirs / ours:.0f}; equal {same}"
    )


def pairs_by_flips(scores: np.ndarray, rounds: int) -> None:
    """Measure the sign-flip tests of all pairs, on real numbers."""
    pairs = len(scores) * (len(scores) - 1) // 2
    ours = timed(lambda: permutation_test(scores, FLIPS), rounds)
    theirs = timed(lambda: scipy_pairs(scores), 1) / PAIRS * pairs
    print(
        f"paired permutation tests of all {pairs} pairs x {FLIPS} flips, real numbers: harness {ours:.2f} s, "
        f"scipy {theirs:.0f} s (scaled from {PAIRS} pairs), ratio {theirs / ours:.0f}"
    )


def pairs_by_resamples(scores: np.ndarray, resamples: int, rounds: int) -> None:
    """Measure the paired tests of all pairs from stored resamples."""
    counts = draws(scores, resamples)
    means, drawn = scores.mean(axis=1), (counts @ scores.T) / scores.shape[1]

    def test() -> np.ndarray:
        return paired_p(means[:, None] - means, pair_errors(drawn), scores.shape[1])

    pairs = len(scores) * (len(scores) - 1) // 2
    ours = timed(test, rounds)
    sample = [ttest_rel(scores[0], scores[k]).pvalue for k in range(1, PAIRS + 1)]
    off = np.abs(np.array(sample) - test()[0, 1 : PAIRS + 1]).max()
    theirs = timed(lambda: [ttest_rel(scores[0], scores[k]) for k in range(1, PAIRS + 1)], 1) / PAIRS * pairs
    print(
        f"paired tests of all {pairs} pairs from {resamples} resamples: harness {ours:.2f} s, "
        f"scipy's t-tests {theirs:.0f} s (scaled from {PAIRS} pairs), ratio {theirs / ours:.0f}, "
        f"largest difference of p {off:.3f}"
    )


def main() -> None:
    """Measure and print processor seconds of one thread, and ratios."""
    parser = argparse.ArgumentParser()
    words = (("entries", 1000), ("cases", 369), ("columns", 6), ("resamples", 1000), ("rounds", 3))
    for name, value in words:
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    shape = (options.entries, options.cases, options.columns)
    values = np.round(np.random.default_rng(0).random(shape), 3)
    rankings(values, options.resamples, options.rounds)
    scores = values.mean(axis=2)
    pairs_by_flips(scores, options.rounds)
    pairs_by_resamples(scores, options.resamples, options.rounds)
    order, other = np.argsort(scores[:, 0]), np.argsort(scores[:, 1])
    ours, theirs = (
        timed(lambda f=f: f(order, other), options.rounds)
        for f in (kendall_tau, lambda a, b: kendalltau(a, b))
    )
    print(f"Kendall's tau of {len(order)} entries: harness {ours * 1e3:.1f} ms, scipy {theirs * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
