"""Censored cohorts, with every kind of tie, for the tests of survival statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from sksurv.util import Surv

from harness.survival.followup import FollowUp
from tests.real import real_data

RISKS = ("continuous", "levels", "nearly tied", "constant")
TIMES = ("continuous", "days", "few days")


def surv(truth: FollowUp) -> Any:
    """Return a follow-up as scikit-survival wants it."""
    return Surv.from_arrays(truth.event, truth.time)


def repeated(truth: FollowUp, row: np.ndarray) -> FollowUp:
    """Return the cases of one resample, each as often as it was drawn."""
    return truth.take(np.repeat(np.arange(len(truth)), row))


def cohort(seed: int, n: int | None = None) -> tuple[FollowUp, np.ndarray]:
    """Return a follow-up and a risk; the seed chooses their ties, the size and the share of events."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(2, 60)) if n is None else n
    time = draw.exponential(30, n) + 0.5
    kind = TIMES[seed % len(TIMES)]
    time = time if kind == "continuous" else np.ceil(time) if kind == "days" else np.ceil(time / 20)
    event = draw.random(n) < draw.choice([0.1, 0.5, 0.8, 1.0])
    return FollowUp.of(time, event), risk(draw, n, RISKS[(seed // len(TIMES)) % len(RISKS)])


def risk(draw: np.random.Generator, n: int, kind: str) -> np.ndarray:
    """Return risks; "nearly tied" lie about as far apart as scikit-survival's tolerance, 1e-8."""
    if kind == "levels":
        return draw.integers(0, 4, n) / 3
    if kind == "nearly tied":
        return draw.integers(0, 3, n) + draw.integers(0, 12, n) * 2.5e-9
    return draw.normal(size=n) if kind == "continuous" else np.zeros(n)


def training_for(truth: FollowUp, seed: int) -> FollowUp:
    """Return a training cohort that is observed longer than the given one."""
    other, _ = cohort(seed + 1, n=40)
    longest = max(truth.time.max(initial=1.0), other.time.max()) + 1
    return FollowUp.of(np.append(other.time, longest), np.append(other.event, True))


def resamples(seed: int, n: int, number: int = 12) -> np.ndarray:
    """Return multiplicities: ordinary ones, and some of one or two cases only."""
    draw = np.random.default_rng(seed)
    counts = draw.multinomial(n, np.full(n, 1 / n), size=number).astype(np.int32)
    counts[:3] = 0
    counts[1, draw.integers(n)] = 3
    counts[2, draw.integers(n, size=2)] = 2
    return counts


def curves(seed: int, n: int, times: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return rising times and survival curves that cross, (n, times), some equal and some down to 0."""
    draw = np.random.default_rng(seed)
    grid = np.sort(draw.choice(np.arange(1, 90), times, replace=False)).astype(float)
    falls = draw.random((n, times)) ** draw.choice([0.2, 1.0])
    falls[draw.random(n) < 0.2] = 0.5
    falls[draw.random(n) < 0.1, -1] = 0.0
    return grid, np.cumprod(falls, axis=1)


def ucsf() -> tuple[FollowUp, np.ndarray, np.ndarray]:
    """Return the real UCSF-PDGM cohort: follow-up of 500 patients, age, and the tumour's volume."""
    import pandas as pd

    folder = real_data("glioma") / "ucsf_pdgm"
    table = pd.read_csv(folder / "UCSF-PDGM-metadata_v2.csv").dropna(subset=["OS"])
    features = pd.read_csv(folder / "radiomic_features_T1gad_bias.csv").set_index("ID")
    truth = FollowUp.of(table["OS"].to_numpy(), table["1-dead 0-alive"].to_numpy())
    volume = features.loc[table["ID"], "original_shape_VoxelVolume"].to_numpy()
    return truth, table["Age at MRI"].to_numpy(dtype=np.float64), volume.astype(np.float64)
