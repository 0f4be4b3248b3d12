"""Fake runs of a challenge like BraTS: records, and the cases.parquet files that its board ranks by.

The scores are drawn, not measured: they test how entries are ranked and shown, never what a model can do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.atomic import write_atomic
from harness.records import Half, Interval, RunRecord, dump
from leaderboard.card import Card, card_of
from tests.leaderboard_fakes import metric, record

COLUMNS = ("dice_wt", "dice_tc", "dice_et", "hd95_wt", "hd95_tc", "hd95_et")
TITLES = {
    "dice": "Dice",
    **{f"dice_{r}": f"Dice ({r.upper()})" for r in ("wt", "tc", "et")},
    **{f"hd95_{r}": f"HD95 ({r.upper()}), mm" for r in ("wt", "tc", "et")},
}
SIZES = {"cv": 24, "test": 9}

Scores = Mapping[str, NDArray[np.float64]]
"""By half, (cases, 6)."""


def by_case_yaml(**ranking: Any) -> dict[str, Any]:
    """Return the parsed challenge.yaml of a challenge that ranks by case."""
    return {
        "title": "BraTS: segmentation of gliomas on MRI",
        "task": "image segmentation",
        "version": "1",
        "description": "Four MR images of one head: which voxels are tumour?",
        "metrics": [{"key": key, "metric": key, "title": title} for key, title in TITLES.items()],
        "ranking": {"rule": "case_ranks", "columns": list(COLUMNS), "tie_breakers": ["dice"]} | ranking,
    }


def by_case_card(**ranking: Any) -> Card:
    """Return its card: Dice rises, HD95 falls and has no upper bound."""

    def find(name: str) -> Any:
        higher = name.startswith("dice")
        return metric(name, higher, high=1.0 if higher else float("inf"))

    return card_of("brats", by_case_yaml(**ranking), find)


def drawn(seed: int, skill: float, sizes: Mapping[str, int] = SIZES) -> dict[str, NDArray[np.float64]]:
    """Return scores of an entry, the better the larger its skill, on cases that are hard for all alike."""
    found = {}
    for place, (half, n) in enumerate(sorted(sizes.items())):
        hard = np.random.default_rng(place).normal(0, 0.08, (n, 1))
        noise = np.random.default_rng([seed, place]).normal(0, 0.05, (n, 6))
        good = np.clip(skill + hard + noise, 0.02, 0.98)
        found[half] = np.round(np.hstack([good[:, :3], 40 * (1 - good[:, 3:])]), 3)
    return found


def by_case_record(name: str, scores: Scores, **words: Any) -> RunRecord:
    """Return the record of a run with these scores by case; the metrics are their means."""
    run = record(name, run_id=words.pop("run_id", f"run-{name}"), **words)
    halves = {half: _half(values) for half, values in scores.items()}
    cells = tuple(dataclasses.replace(cell, metrics={"dice": 0.7 + cell.fold / 100}) for cell in run.cells)
    return dataclasses.replace(
        run,
        challenge=dataclasses.replace(run.challenge, name="brats"),
        data=dataclasses.replace(run.data, n_development=SIZES["cv"], n_test=SIZES["test"]),
        cv=halves.get("cv"),
        test=halves.get("test"),
        cells=cells,
    )


def _half(values: NDArray[np.float64]) -> Half:
    means = {"dice": np.nanmean(values[:, :3]), **dict(zip(COLUMNS, np.nanmean(values, axis=0), strict=True))}
    intervals = {
        key: Interval(float(mean), float(mean * 0.95), float(mean * 1.02)) for key, mean in means.items()
    }
    return Half(len(values), len(values), intervals)


def frame(scores: Scores, patients: int = 0) -> pd.DataFrame:
    """Return the table of a run's cases.parquet; `patients` share the cases, by default each has one."""
    parts = []
    for half, values in sorted(scores.items()):
        part = pd.DataFrame(values, columns=list(COLUMNS))
        names = [f"{half}_{i:03d}" for i in range(len(values))]
        owner = [f"{half}_p{i % patients}" for i in range(len(values))] if patients else names
        parts.append(part.assign(case=names, patient=owner, half=half, dice=values[:, :3].mean(axis=1)))
    return pd.concat(parts, ignore_index=True)


def write_run(runs: Path, run: RunRecord, table: pd.DataFrame | None) -> Path:
    """Write a run's folder, with its scores by case if there are any, and return it."""
    folder = runs / run.challenge.name / run.run_id
    write_atomic(folder / "record.json", dump(run).encode("utf-8", "surrogatepass"))
    if table is not None:
        table.sample(frac=1, random_state=len(run.run_id)).to_parquet(folder / "cases.parquet", index=False)
        (folder / "cases.parquet").chmod(0o600)
    return folder


def entries(runs: Path, skills: Sequence[float], **words: Any) -> list[RunRecord]:
    """Write entries of these skills and return their records."""
    found = []
    for place, skill in enumerate(skills):
        scores = drawn(place + 1, skill)
        run = by_case_record(f"entry_{place}", scores, **({"team": f"Team {place}"} | words))
        write_run(runs, run, frame(scores))
        found.append(run)
    return found
