"""The site after one new record of 1,000: how long a build takes where only that is new.

uv run python benchmarks/rebuild.py [--entries 1000] [--cases 369] [--resamples 1000] [--rounds 3]

Every build is a process of its own on one core, and its seconds those of `leaderboard.site.build` alone, wall
and processor; the whole command, with the interpreter's start, its imports and the board in the terminal, is
shown beside it. The runs are as large as real ones: 12 metrics on both halves, ten folds, curves and tables;
once with what ranks in every resample beside them, once without. In the end the site is compared, byte by
byte, with one that is built into an empty folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from harness.board import cards_of
from harness.records import Cell, ChallengeFacts, DataFacts, Entry, Half, Interval, RunRecord, dump
from harness.resamples import FILE, Resamples, as_bytes
from leaderboard.card import Card
from leaderboard.site import build

CHALLENGE, TEST_CASES, FOLDS = "kium", 125, 10


def metrics_of(card: Card, skill: float, draw: np.random.Generator, wide: float) -> dict[str, Interval]:
    """Return all metrics of a half."""
    values = np.clip(skill + draw.normal(0, 0.02, len(card.metrics)), 0.05, 0.95).tolist()
    return {
        metric.key: Interval(value, max(0.0, value - wide), min(1.0, value + wide))
        for metric, value in zip(card.metrics, values, strict=True)
    }


def panel_of(draw: np.random.Generator, cases: int) -> dict[str, Any]:
    """Return curves and tables as a scorer makes them."""
    x = np.sort(draw.random(cases))
    bins = np.arange(0.05, 1, 0.1)
    rows = [[f"L{k}", k, *draw.random(3).tolist()] for k in range(21)]
    return {
        "roc": {"kind": "curve", "title": "ROC", "x_label": "1 - specificity", "y_label": "Sensitivity",
                "diagonal": True, "series": [{"name": "all", "x": x.tolist(), "y": np.sqrt(x).tolist()}]},
        "reliability": {"kind": "curve", "title": "Reliability", "x_label": "Predicted",
                        "y_label": "Observed", "diagonal": True,
                        "series": [{"name": "bins", "x": bins.tolist(), "y": draw.random(10).tolist(),
                                    "n": list(range(10))}]},
        "locations": {"kind": "table", "title": "Locations", "rows": rows,
                      "columns": ["Location", "positive", "sensitivity", "specificity", "F1"]},
    }  # fmt: skip


def cells_of(card: Card, skill: float, draw: np.random.Generator, cases: int) -> tuple[Cell, ...]:
    """Return the folds."""
    held = cases // FOLDS
    found = []
    for fold in range(FOLDS):
        scores = {key: value.value for key, value in metrics_of(card, skill, draw, 0.1).items()}
        when = ("2026-11-20T08:00:00Z", "2026-11-20T08:05:00Z")
        sizes = (900 << 20, cases - held, held)
        found.append(Cell(fold, 0, f"{fold:032x}", "done", None, None, *when, 300.0 + fold, *sizes, scores))
    return tuple(found)


def record_of(card: Card, number: int, cases: int) -> RunRecord:
    """Return the record of an entry."""
    draw = np.random.default_rng(number)
    skill = float(np.clip(draw.normal(0.65, 0.05), 0.4, 0.9))
    name = f"entry_{number:05d}"
    return RunRecord(
        run_id=f"run-{number:05d}",
        key=f"key-{number}",
        challenge=ChallengeFacts(card.name, card.version, "c" * 64),
        data=DataFacts("3f9a1c07be" + "0" * 54, False, cases, TEST_CASES, True, "t" * 64),
        entry=Entry(
            name, "code", f"Team {number % 97}", f"Network {number}", "Eight views as channels.",
            "Apache-2.0", f"{number:064x}",
            {"model": {"width": 1.0}, "trainer": {"max_epochs": 10}}, (), 4_010_269,
        ),
        state="complete",
        failures=(),
        n_folds=FOLDS,
        seed=0,
        cells=cells_of(card, skill, draw, cases),
        cv=Half(cases, cases, metrics_of(card, skill, draw, 0.05), panel_of(draw, cases)),
        test=Half(TEST_CASES, TEST_CASES, metrics_of(card, skill, draw, 0.08)),
        isolation="bubblewrap",
        started="2026-11-20T08:00:00Z",
        finished="2026-11-20T09:00:00Z",
        seconds=3245.0,
        command=f"harness run challenge={card.name} submission={name}",
        provenance={"git": {"commit": "0123abc", "dirty": False}, "versions": {"torch": "2.15.0"}},
    )  # fmt: skip


def resamples_of(run: RunRecord, number: int, resamples: int) -> bytes:
    """Return what a run stores of its resamples: correlated between entries, as those of shared patients."""
    draw, shared = np.random.default_rng([number, 1]), np.random.default_rng(0).normal(0, 0.03, resamples)
    found = {}
    for name, half in (("cv", run.cv), ("test", run.test)):
        assert half is not None
        values = {
            key: np.clip((interval.value or 0.0) + shared + draw.normal(0, 0.015, resamples), 0, 1)
            for key, interval in half.metrics.items()
        }
        found[name] = Resamples(f"draws-{name}", half.n_expected, values, draw.random(half.n_expected))
    return as_bytes(found)


def write(runs: Path, card: Card, number: int, options: argparse.Namespace, stored: bool) -> None:
    """Write a run."""
    run = record_of(card, number, options.cases)
    folder = runs / card.name / run.run_id
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(dump(run), encoding="utf-8")
    if stored:
        (folder / FILE).write_bytes(resamples_of(run, number, options.resamples))


# ------------------------------------------------------------------------------------- measuring
def measure(runs: Path, site: Path) -> None:
    """Build once on one core and print the seconds: what a process of its own is asked for."""
    cards = cards_of(None)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    began, worked = time.perf_counter(), time.process_time()
    build(runs, site, cards)
    print(json.dumps([time.perf_counter() - began, time.process_time() - worked]))


def timed(runs: Path, site: Path) -> tuple[float, float]:
    """Return a build's wall and processor seconds, in a fresh process."""
    words = [sys.executable, __file__, "--measure", str(runs), str(site)]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    wall, worked = json.loads(found.splitlines()[-1])
    return wall, worked


def command(runs: Path, site: Path) -> float:
    """Return the wall seconds of the whole command."""
    code = "from harness.cli import main; main()"
    words = ["leaderboard", f"challenge={CHALLENGE}", f"runs={runs}", f"site={site}"]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    return time.perf_counter() - began


def contents(site: Path) -> dict[str, bytes]:
    """Return every file that the site publishes."""
    hidden = (path for path in site.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(site)): path.read_bytes() for path in hidden}


def board(folder: Path, options: argparse.Namespace, stored: bool) -> None:
    """Measure one board and print a line a kind of build."""
    card, runs, site = cards_of(None)[CHALLENGE], folder / "runs", folder / "site"
    for number in range(options.entries):
        write(runs, card, number, options, stored)
    full = timed(runs, site)
    same = [timed(runs, site) for _ in range(options.rounds)]
    new = []
    for number in range(options.entries, options.entries + options.rounds):
        write(runs, card, number, options, stored)
        new.append(timed(runs, site))
    write(runs, card, options.entries + options.rounds, options, stored)
    whole = command(runs, site)
    build(runs, folder / "fresh", cards_of(None))
    equal = contents(site) == contents(folder / "fresh")
    print(f"{options.entries} entries, {'with' if stored else 'without'} {options.resamples} resamples each:")
    nothing, one = (tuple(map(statistics.median, zip(*found, strict=True))) for found in (same, new))
    for name, (wall, worked) in (("whole site", full), ("nothing new", nothing), ("one new record", one)):
        print(f"  {name:15} {wall:6.2f} s wall, {worked:6.2f} s processor, ratio {full[1] / worked:5.1f}")
    print(f"  the whole command after one new record {whole:.2f} s wall; same bytes as a fresh site: {equal}")


def main() -> None:
    """Measure both boards."""
    parser = argparse.ArgumentParser()
    for name, value in (("entries", 1000), ("cases", 369), ("resamples", 1000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--measure", nargs=2, type=Path, metavar=("RUNS", "SITE"))
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    for stored in (True, False):
        folder = Path(tempfile.mkdtemp(prefix="rebuild-"))
        try:
            board(folder, options, stored)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a machine of its user's own
    main()
