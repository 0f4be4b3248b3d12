"""Ten isolated folds against ten fits in one plain Lightning process, on the same prepared data.

uv run python benchmarks/folds.py [--folds 10] [--rounds 1]

Both train the K-ium baseline on the same folds of the same phantom patients, one at a time, with one torch
thread, and predict the same cases. The imports that both pay once (torch, Lightning, timm, monai) are left
out on both sides; the sandbox's start is shown apart.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

from harness.config import RunConfig, parse_words
from harness.contracts import FoldJob, Limits, SandboxSpec
from harness.plan import Plan, fold_jobs, make_plan, prepare_inputs, sandbox_spec
from harness.run import run_fold
from harness.sandbox import shared_sandbox


def planned(folder: Path, folds: int) -> tuple[Plan, SandboxSpec, dict[int, FoldJob]]:
    """Return the plan, the sandbox's specification and the jobs."""
    words = ["challenge=kium", f"store={folder}", f"folds={folds}", "jobs=1"]
    plan = make_plan(parse_words(RunConfig, words), words)
    store = prepare_inputs(plan)
    spec = sandbox_spec(plan, store)
    return plan, spec, fold_jobs(plan, store, range(folds))


def isolated(plan: Plan, spec: SandboxSpec, jobs: dict[int, FoldJob]) -> list[float]:
    """Return the seconds of each isolated fold, start and transfer included."""
    n_test = len(plan.source.dataset.test.cases)
    seconds = []
    for job in jobs.values():
        began = time.perf_counter()
        outcome = run_fold(job, spec, plan.limits, n_test)
        assert outcome.failure is None, outcome.failure
        seconds.append(time.perf_counter() - began)
    return seconds


def plain(jobs: dict[int, FoldJob]) -> list[float]:
    """Return the seconds of each fit and prediction in this process."""
    from harness.training import fit_and_predict

    seconds = []
    for job in jobs.values():
        payload = pickle.dumps(job)
        began = time.perf_counter()
        fit_and_predict(payload, lambda event: None)
        seconds.append(time.perf_counter() - began)
    return seconds


def empty_fold_cost(spec: SandboxSpec, rounds: int = 10) -> float:
    """Return the median seconds of a fold that does nothing, after the first."""
    box = shared_sandbox(spec)
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        box.run("harness.zygote:nothing", b"", {}, Limits())
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan, spec, jobs = planned(Path(folder), options.folds)
        began = time.perf_counter()
        empty_fold_cost(spec, 1)
        started = time.perf_counter() - began
        print(f"isolation {plan.isolation.value}; sandbox start, libraries preloaded: {started:.2f} s")
        print(f"a fold that does nothing: {empty_fold_cost(spec):.3f} s (median of 10)")
        began = time.perf_counter()
        import harness.training  # noqa: F401  the plain process pays this once, as the sandbox does

        print(f"imports of the plain process {time.perf_counter() - began:.2f} s")
        for _ in range(options.rounds):
            pairs = []
            for k, j in jobs.items():
                pairs.append((isolated(plan, spec, {k: j})[0], plain({k: j})[0]))
                print(f"fold {k}: isolated {pairs[-1][0]:.1f} s, plain {pairs[-1][1]:.1f} s", flush=True)
            ours, theirs = (sum(side) for side in zip(*pairs, strict=True))
            ratio = f"ratio {ours / theirs:.3f}"
            print(f"{options.folds} folds: isolated {ours:.1f} s, plain {theirs:.1f} s, {ratio}")
        shared_sandbox(spec).close()


if __name__ == "__main__":
    sys.exit(main())
