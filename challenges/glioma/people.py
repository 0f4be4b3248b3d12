"""Who the phantom patients are, how long they live, and how well that can be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from challenges.glioma.columns import RADIOMICS
from harness.survival.concordance import harrell
from harness.survival.followup import FollowUp

__all__ = ["KNOBS", "Person", "features", "oracle", "sample"]

GRADES = {2: 0.15, 3: 0.13, 4: 0.72}
MUTANT = {2: 0.80, 3: 0.60, 4: 0.07}
"""Share of IDH-mutant tumours by grade."""
AGE = {True: (42.0, 12.0), False: (62.0, 11.0)}
"""Mean and standard deviation, years, of IDH-mutant and wildtype."""
LOG_VOLUME = {2: 3.0, 3: 3.2, 4: 3.35}
"""Mean logarithm of the tumour core in ml."""
SPREAD = 0.55
NECROSIS = (0.55, 0.18, 0.1, 0.92)
"""Mean share of the core, its change with z, and its limits."""
SHAPE, SCALE = 1.25, 900.0
"""Of the Weibull distribution of survival, scale in days."""
LOSS = 9000.0
"""Mean of the exponential time to loss, days: with the end of the study 35 % are censored."""
STUDY = (250.0, 3650.0)
"""From entry to the end of the study, days, uniform."""
KNOBS = {"shape": SHAPE, "scale": SCALE, "loss": LOSS, "study": STUDY, "necrosis": NECROSIS}


@dataclass(frozen=True, slots=True)
class Person:
    """What is true of a phantom patient."""

    age: int
    female: bool
    grade: int
    mutant: bool
    codeleted: bool
    methylated: bool | None
    resection: str
    biopsied_before: bool
    log_volume: float
    """Of the core, ml."""
    z: float
    """What necrosis shows."""
    clinical: float
    """Part of the log hazard that the covariates tell."""
    seen: float
    """Part of the log hazard that the image tells."""
    days: int
    dead: bool

    @property
    def necrosis(self) -> float:
        """Share of the core."""
        mean, slope, low, high = NECROSIS
        return min(high, max(low, mean + slope * self.z))


def sample(seed: int, cohort: int, number: int, image: float) -> Person:
    """Draw one patient from the seed, the cohort and the patient's number alone.

    `image` is how much the image tells: 0 nothing, .55 as much as it may in reality, .8 much.
    """
    draw = np.random.default_rng(np.random.SeedSequence([seed, cohort, number]))
    grade = int(draw.choice(list(GRADES), p=list(GRADES.values())))
    mutant = bool(draw.random() < MUTANT[grade])
    age = int(np.clip(draw.normal(*AGE[mutant]), 18, 92))
    log_volume = float(draw.normal(LOG_VOLUME[grade], SPREAD))
    z = float(draw.normal())
    clinical = 0.33 * (age - 58) / 10 + {2: 0.0, 3: 0.55, 4: 1.15}[grade] - 0.95 * mutant
    seen = image * (0.8 * (log_volume - 3.3) / SPREAD + 0.8 * z)
    days, dead = _followed(draw, clinical + seen)
    return Person(
        age=age,
        female=bool(draw.random() < 0.4),
        grade=grade,
        mutant=mutant,
        codeleted=bool(mutant and grade < 4 and draw.random() < 0.25),
        methylated=None if draw.random() < 0.15 else bool(draw.random() < (0.85 if mutant else 0.45)),
        resection=str(draw.choice(["GTR", "STR", "biopsy"], p=[0.5, 0.4, 0.1])),
        biopsied_before=bool(draw.random() < 0.14),
        log_volume=log_volume,
        z=z,
        clinical=clinical,
        seen=seen,
        days=days,
        dead=dead,
    )


def _followed(draw: np.random.Generator, hazard: float) -> tuple[int, bool]:
    """Return the days under observation, whole, and whether death ended them."""
    death = SCALE * (draw.exponential() / math.exp(hazard - 1)) ** (1 / SHAPE)
    lost = min(draw.exponential(LOSS), draw.uniform(*STUDY))
    return max(1, math.ceil(min(death, lost))), bool(death <= lost)


def features(draw: np.random.Generator, person: Person) -> tuple[float, ...]:
    """Return radiomics that mix volume and necrosis in fixed shares, with noise and long tails."""
    n = len(RADIOMICS)
    loads = np.random.default_rng(0).normal(size=(n, 2))
    mixed = loads @ [(person.log_volume - 3.3) / SPREAD, person.z] + draw.normal(0.0, 1.0, n)
    values = np.exp(2 + 0.5 * mixed)
    values[RADIOMICS.index("original_shape_VoxelVolume")] = 1000 * math.exp(person.log_volume)
    return tuple(float(f"{value:.6g}") for value in values)


def oracle(people: Sequence[Person]) -> dict[str, float | int]:
    """Return Harrell's C of those who know the hazard, its clinical part, and what the image tells."""
    truth = FollowUp.of([p.days for p in people], [p.dead for p in people])
    known = {
        "all": [p.clinical + p.seen for p in people],
        "clinical": [p.clinical for p in people],
        "image": [p.seen for p in people],
    }
    found = {name: round(float(harrell(truth, risk)), 4) for name, risk in known.items()}
    return {**found, "patients": len(people), "censored": round(1 - float(truth.event.mean()), 3)}
