"""Fake entries with real numbers: drawn predictions, scored and resampled by the harness's own metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.atomic import write_atomic
from harness.contracts import Case
from harness.metrics import accuracy, auroc, brier
from harness.records import Half, Interval, RunRecord, dump
from harness.resamples import FILE, Resamples, as_bytes, draws_of
from harness.statistics import bootstrap_counts, percentile_interval, placements
from leaderboard.card import Card
from tests.leaderboard_fakes import card, record

RESAMPLES, SEED = 400, 5
SIZES = {"cv": 90, "test": 60}


def small_card() -> Card:
    """Return a card of the three metrics that these entries have: AUROC ranks, accuracy breaks ties."""
    whole = card()
    keys = ("auroc_aneurysm", "location_accuracy", "brier_aneurysm")
    return dataclasses.replace(whole, metrics=tuple(whole.metric(key) for key in keys))


def truth_of(half: str) -> np.ndarray:
    """Return the labels of a half, both classes among them."""
    return np.arange(SIZES[half]) % 5 < 2


def cases_of(half: str, patients: int = 0) -> tuple[Case, ...]:
    """Return the cases of a half; `patients` share them, by default each has one."""
    n = SIZES[half]
    return tuple(Case(f"{half}{k:03d}", f"{half}-p{k % (patients or n)}", ()) for k in range(n))


def drawn(skill: float, seed: int, half: str) -> np.ndarray:
    """Return probabilities, the better the larger the skill."""
    noise = np.random.default_rng([seed, half == "test"]).normal(size=SIZES[half])
    return np.round(1 / (1 + np.exp(-(skill * (truth_of(half) - 0.5) + noise))), 6)


def scores_of(half: str, predicted: np.ndarray, counts: np.ndarray | None = None) -> dict[str, Any]:
    """Return the three metrics."""
    truth = truth_of(half)
    return {
        "auroc_aneurysm": auroc.compute(truth, predicted, counts),
        "location_accuracy": accuracy.compute(truth[:, None], predicted[:, None] > 0.5, counts),
        "brier_aneurysm": brier.compute(truth, predicted, counts),
    }


def resamples_of(half: str, predicted: np.ndarray, patients: int = 0) -> Resamples:
    """Return the metrics in every resample, as the harness stores them."""
    cases = cases_of(half, patients)
    counts = bootstrap_counts([case.patient for case in cases], RESAMPLES, SEED)
    return Resamples(
        draws=draws_of(cases, RESAMPLES, SEED),
        patients=len({case.patient for case in cases}),
        values=scores_of(half, predicted, counts),
        parts=placements(truth_of(half), predicted),
    )


def entry(
    runs: Path,
    name: str,
    predicted: Mapping[str, np.ndarray],
    *,
    patients: int = 0,
    stored: bool = True,
    **words: Any,
) -> RunRecord:
    """Write a run of these predictions by half, with its resamples, and return its record."""
    halves, found = {}, {}
    for half, values in predicted.items():
        found[half] = resamples_of(half, values, patients)
        ends = {key: percentile_interval(column) for key, column in found[half].values.items()}
        metrics = {key: Interval(float(value), *ends[key]) for key, value in scores_of(half, values).items()}
        halves[half] = Half(SIZES[half], SIZES[half], metrics)
    words = {"run_id": f"run-{name}", "team": f"Team {name}"} | words
    run = dataclasses.replace(record(name, **words), cv=halves.get("cv"), test=halves.get("test"))
    folder = runs / "kium" / run.run_id
    write_atomic(folder / "record.json", dump(run).encode())
    if stored:
        write_atomic(folder / FILE, as_bytes(found))
    frames = [
        pd.DataFrame(
            {"case": case.id, "patient": case.patient, "half": half} for case in cases_of(half, patients)
        )
        for half in predicted
    ]
    pd.concat(frames).sample(frac=1, random_state=1).to_parquet(folder / "cases.parquet", index=False)
    return run


def entries(runs: Path, skills: Sequence[float], **words: Any) -> list[RunRecord]:
    """Write entries of these skills."""
    return [
        entry(runs, f"e{k}", {half: drawn(skill, k, half) for half in SIZES}, **words)
        for k, skill in enumerate(skills)
    ]
