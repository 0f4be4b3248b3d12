"""Who the phantom patients are before anything is drawn, and how well they can be told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from challenges.kium.anatomy import PROJECTIONS, Branch, Floats, sites
from challenges.kium.columns import LOCATIONS, VIEWS

__all__ = ["FIELD", "KNOBS", "Blob", "Patient", "evidence", "oracle_auroc", "projection", "sample"]

PREVALENCE = 523 / 1127
LOCATION_COUNTS = (402, 92, 23, 4, 2)
"""Patients of the real training set with 1, 2, ... 5 locations."""
POSITIVES = {
    "L_ICA": 100, "R_ICA": 100, "L_PCOM": 35, "R_PCOM": 34, "L_AntChor": 30, "R_AntChor": 18,
    "L_ACA": 21, "R_ACA": 13, "L_ACOM": 66, "R_ACOM": 30, "L_MCA": 67, "R_MCA": 96, "L_VA": 17,
    "R_VA": 11, "L_PICA": 3, "R_PICA": 2, "L_SCA": 6, "R_SCA": 4, "BA": 24, "L_PCA": 3, "R_PCA": 1,
}  # fmt: skip
"""Patients of the real training set by location."""

RADIUS = (0.034, 0.062)
"""Of an aneurysm at difficulty 1, as a fraction of the image; divided by the difficulty."""
LOOKALIKES = 0.10
"""Blobs per view that are no aneurysm, at difficulty 1; multiplied by the difficulty."""
SCATTER = 0.016
"""Standard deviation of an aneurysm about its site, per axis, as a fraction of the image."""
FIELD = (0.06, 0.94)
"""Look-alikes and loops lie anywhere in this square."""
SHAPES = ((96, 96),) * 6 + ((80, 80), (88, 104), (104, 96), (128, 128))
"""Height and width of a patient's images; the real ones measure 720 to 1672."""
STYLES = ("plain",) * 8 + ("margin", "text")
KNOBS = {"radius": RADIUS, "lookalikes": LOOKALIKES, "scatter": SCATTER}


@dataclass(frozen=True, slots=True)
class Blob:
    """A dark disc: an aneurysm, or a look-alike if it has no location; in atlas coordinates."""

    x: float
    y: float
    radius: float
    location: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is true of a phantom patient before anything is drawn."""

    gap: int
    """Unused index numbers before the next patient."""
    locations: tuple[str, ...]
    style: str
    shape: tuple[int, int]
    turn: float
    """Radians."""
    zoom: float
    shift: tuple[float, float]
    calibre: float
    """Factor on the width of all arteries."""
    bends: dict[str, tuple[Floats, ...]]
    """By projection: the patient's own control points; empty where a branch is missing."""
    blobs: dict[str, tuple[Blob, ...]]
    """By view."""


def sample(seed: int, number: int, difficulty: float) -> Patient:
    """Draw one patient from the seed and the patient's number alone."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, number, 0]))
    locations = _draw_locations(rng)
    return Patient(
        gap=int(rng.geometric(0.72)) - 1,
        locations=locations,
        style=STYLES[rng.integers(len(STYLES))],
        shape=SHAPES[rng.integers(len(SHAPES))],
        turn=float(rng.normal(0.0, 0.06)),
        zoom=float(rng.normal(1.0, 0.04)),
        shift=(float(rng.normal(0.0, 0.02)), float(rng.normal(0.0, 0.02))),
        calibre=float(np.exp(rng.normal(0.0, 0.12))),
        bends={name: _bend(rng, branches) for name, branches in PROJECTIONS.items()},
        blobs=_draw_blobs(rng, locations, difficulty),
    )


def _draw_locations(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw the locations of the aneurysms from the real marginals; none for most patients."""
    if rng.random() >= PREVALENCE:
        return ()
    numbers = np.asarray(LOCATION_COUNTS) / sum(LOCATION_COUNTS)
    number = 1 + int(rng.choice(len(numbers), p=numbers))
    weights = _location_weights()
    chosen = rng.choice(len(LOCATIONS), size=number, replace=False, p=weights)
    return tuple(LOCATIONS[i] for i in sorted(chosen))


def _location_weights() -> Floats:
    counts = np.array([POSITIVES[name] for name in LOCATIONS], dtype=float)
    weights: Floats = counts / counts.sum()
    return weights


def _bend(rng: np.random.Generator, branches: Sequence[Branch]) -> tuple[Floats, ...]:
    """Move each branch a little; leave some inconstant ones out."""
    bent = []
    for branch in branches:
        points = np.asarray(branch.points) + rng.normal(0.0, 0.006, (len(branch.points), 2))
        bent.append(points if rng.random() < branch.constant else np.empty((0, 2)))
    return tuple(bent)


def _draw_blobs(
    rng: np.random.Generator, locations: Sequence[str], difficulty: float
) -> dict[str, tuple[Blob, ...]]:
    """Place the aneurysms that each view shows, and look-alikes anywhere."""
    radii = {name: rng.uniform(*RADIUS) / difficulty for name in locations}
    blobs: dict[str, tuple[Blob, ...]] = {}
    for view in VIEWS:
        seen = [
            Blob(rng.normal(site.x, SCATTER), rng.normal(site.y, SCATTER), radii[name], name)
            for name in locations
            for site in sites(projection(view), view[0], name)
            if rng.random() < site.visible
        ]
        number = rng.poisson(LOOKALIKES * difficulty)
        others = [
            Blob(rng.uniform(*FIELD), rng.uniform(*FIELD), rng.uniform(*RADIUS) / difficulty)
            for _ in range(number)
        ]
        blobs[view] = tuple(seen + others)
    return blobs


def projection(view: str) -> str:
    """Return "I-A" for "LI-A" and "RI-A"."""
    return view[1:]


def evidence(patient: Patient, difficulty: float) -> float:
    """Return the log likelihood ratio of an observer who sees all blobs and knows the atlas.

    Blobs that are no aneurysm form a Poisson field; an aneurysm adds, with its site's visibility,
    one blob near the site. The ratio is exact for one location and takes several as one.
    """
    density = LOOKALIKES * difficulty / (FIELD[1] - FIELD[0]) ** 2
    ratios = [_location_ratio(patient, name, density) for name in LOCATIONS]
    # Rounded: what a distant blob adds is below the precision of the sum and must not break ties.
    return round(math.log(float(np.dot(_location_weights(), ratios))), 6)


def _location_ratio(patient: Patient, location: str, density: float) -> float:
    ratio = 1.0
    for view, blobs in patient.blobs.items():
        for site in sites(projection(view), view[0], location):
            squares = [((b.x - site.x) ** 2 + (b.y - site.y) ** 2) / SCATTER**2 for b in blobs]
            near = sum(math.exp(-square / 2) for square in squares) / (2 * math.pi * SCATTER**2)
            ratio *= 1 - site.visible + site.visible * near / density
    return ratio


def oracle_auroc(patients: Sequence[Patient], difficulty: float) -> float | None:
    """Return that observer's AUROC for "has an aneurysm", ties half; None unless both kinds occur."""
    scores = np.array([evidence(patient, difficulty) for patient in patients])
    positive = np.array([bool(patient.locations) for patient in patients])
    pairs = scores[positive][:, None] - scores[~positive]
    return float(np.mean((pairs > 0) + 0.5 * (pairs == 0))) if pairs.size else None
