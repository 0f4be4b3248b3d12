"""Synthetic brains with tumours: which there are, and where every tissue lies.

Lengths are in units of the mean semi-axis of the brain; a direction is a unit vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from challenges.brats.labels import ED, ET, NCR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["OUTSIDE", "TISSUES", "Lesion", "Subject", "sample", "tissues", "waves"]

TISSUES = ("CSF", "GM", "WM", "NCR", "ED", "ET", "vessel", "lesion of white matter")
CSF, GM, WM = range(3)
VESSEL, SPOT = 6, 7
OUTSIDE = 255
OF_LABEL = {NCR: 3, ED: 4, ET: 5}

SEMI_AXES = (0.70, 0.86, 0.80)
"""Of the brain, in half sides of the grid."""
WOBBLE = 0.16
"""How far a surface of the tumour departs from a sphere."""
REACH = 0.72
"""No tumour is centred further out, in semi-axes."""
SMALLEST = 1.3
"""Radius of a satellite in voxels, at least."""


@dataclass(frozen=True, slots=True)
class Lesion:
    """Nested star-shaped regions around one centre."""

    centre: tuple[float, float, float]
    """In semi-axes."""
    radius: float
    """Of the whole, oedema included."""
    core: float
    """Radius of the tumour core, as a share of `radius`; 0 without one."""
    necrosis: float
    """Radius of the necrosis, as a share of the core's; 1 where nothing enhances."""
    seed: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient at one time point."""

    patient: int
    time: int
    grade: int
    lesions: tuple[Lesion, ...]
    seed: tuple[int, ...]
    """Of the healthy brain: the same at every time point."""

    @property
    def enhancing(self) -> bool:
        """Whether any lesion enhances."""
        return any(lesion.core > 0 and lesion.necrosis < 1 for lesion in self.lesions)


# --------------------------------------------------------------------------------------------- cohort
def sample(seed: int, patient: int, *, enhancing: bool, foci: int, satellites: int, time: int = 0) -> Subject:
    """Draw a patient: a main tumour, further foci of half its size, and small satellites near it.

    Grade 2 and some of grade 3 do not enhance; at a later time point everything has grown by a tenth.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, patient]))
    grade = int(rng.choice([3, 4], p=[0.15, 0.85])) if enhancing else int(rng.choice([2, 3], p=[0.8, 0.2]))
    first = _main(rng, grade, enhancing)
    others = [_focus(rng, first, enhancing) for _ in range(foci)]
    small = [_satellite(rng, first, enhancing) for _ in range(satellites)]
    grown = tuple(_grown(lesion, 1.1**time) for lesion in (first, *others, *small))
    return Subject(patient, time, grade, grown, (seed, patient))


def _main(rng: np.random.Generator, grade: int, enhancing: bool) -> Lesion:
    core = rng.uniform(0.48, 0.70) if grade > 2 else rng.uniform(0.60, 0.85)
    necrosis = rng.uniform(0.45, 0.70) if enhancing else 1.0
    return Lesion(_centre(rng, REACH), rng.uniform(0.26, 0.46), core, necrosis, int(rng.integers(2**31)))


def _focus(rng: np.random.Generator, first: Lesion, enhancing: bool) -> Lesion:
    """Draw a second tumour, far enough from the first to be apart from it."""
    radius = rng.uniform(0.16, 0.24)
    centre = first.centre
    while np.linalg.norm(np.subtract(centre, first.centre)) < 1.3 * (first.radius + radius) + 0.05:
        centre = _centre(rng, 0.85)
    necrosis = rng.uniform(0.2, 0.5) if enhancing else 1.0
    return Lesion(centre, radius, rng.uniform(0.5, 0.75), necrosis, int(rng.integers(2**31)))


def _satellite(rng: np.random.Generator, first: Lesion, enhancing: bool) -> Lesion:
    """Draw a small lesion beside the first, all of it enhancing or all of it oedema."""
    radius = rng.uniform(0.06, 0.11)
    way = _direction(rng)
    centre = np.add(first.centre, way * (1.25 * first.radius + radius + rng.uniform(0.05, 0.15)))
    inward = min(1.0, 0.85 / float(np.linalg.norm(centre)))
    core = float(enhancing and rng.random() < 0.6)
    x, y, z = (centre * inward).tolist()
    return Lesion((x, y, z), radius, core, 0.0, int(rng.integers(2**31)))


def _centre(rng: np.random.Generator, reach: float) -> tuple[float, float, float]:
    x, y, z = (_direction(rng) * reach * rng.random() ** (1 / 3)).tolist()
    return x, y, z


def _direction(rng: np.random.Generator) -> Floats:
    way = rng.normal(size=3)
    return np.asarray(way / np.linalg.norm(way))


def _grown(lesion: Lesion, times: float) -> Lesion:
    return Lesion(lesion.centre, lesion.radius * times, lesion.core, lesion.necrosis, lesion.seed)


# -------------------------------------------------------------------------------------------- anatomy
@dataclass(frozen=True, slots=True)
class Frame:
    """Where the brain lies in the grid."""

    shape: tuple[int, int, int]
    middle: Floats
    """Voxel of its centre."""
    semi: Floats
    """Semi-axes in voxels."""

    def places(self) -> Floats:
        """Return where every voxel is, in semi-axes, (3, x, y, z)."""
        sides = [(np.arange(n) - m) / s for n, m, s in zip(self.shape, self.middle, self.semi, strict=True)]
        return np.stack(np.meshgrid(*sides, indexing="ij"))

    def voxels(self, place: Floats) -> Floats:
        """Return the voxels (..., 3) of places in semi-axes (..., 3)."""
        return np.asarray(self.middle + place * self.semi)


def tissues(subject: Subject, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the tissue of every voxel, OUTSIDE beyond the brain, and the labels, each (x, y, z)."""
    rng = np.random.default_rng(np.random.SeedSequence([*subject.seed, 1]))
    semi = np.array(SEMI_AXES) * np.array(shape) / 2 * rng.uniform(0.96, 1.04, 3)
    frame = Frame(shape, (np.array(shape) - 1) / 2 + rng.uniform(-0.5, 0.5, 3), semi)
    tissue = _healthy(rng, frame)
    labels = np.zeros(shape, dtype=np.uint8)
    for lesion in subject.lesions:
        _add(labels, tissue, lesion, frame)
    for label, name in OF_LABEL.items():
        tissue[labels == label] = name
    return tissue, labels


def waves(rng: np.random.Generator, place: Floats, n: int, pitch: float) -> Floats:
    """Return a smooth random field of about -1 to 1: `n` plane waves, `pitch` radians a unit of length."""
    total = np.zeros(place.shape[1:])
    for _ in range(n):
        x, y, z = _direction(rng) * pitch * rng.uniform(0.6, 1.4)
        total += np.cos(x * place[0] + y * place[1] + z * place[2] + rng.uniform(0, 2 * np.pi))
    return np.asarray(total * (0.7 / np.sqrt(n / 2)))


def _healthy(rng: np.random.Generator, frame: Frame) -> NDArray[np.uint8]:
    """Return the tissues of a brain without tumour.

    Vessels are as bright as a tumour's rim on t1ce, and spots of white matter as oedema on t2 and flair, so
    that no intensity belongs to a tumour alone.
    """
    place = frame.places()
    depth = np.sqrt((place**2).sum(axis=0)) * (1 + 0.04 * waves(rng, place, 4, 3.0))
    folds = waves(rng, place, 6, 14.0)
    tissue = np.full(place.shape[1:], WM, dtype=np.uint8)
    tissue[depth > 0.84 + 0.07 * folds] = GM
    tissue[(depth > 0.86) & (folds > 0.75)] = CSF
    for side in (-1.0, 1.0):
        tissue[_ellipsoid(place, (side * 0.26, 0.10, 0.12), (0.13, 0.16, 0.12)) < 1] = GM
        horn = _ellipsoid(place, (side * 0.13, rng.uniform(-0.05, 0.05), 0.18), (0.09, 0.34, 0.15))
        tissue[(horn < 1.8) & (waves(rng, place, 4, 9.0) > 0.35)] = SPOT
        tissue[horn < rng.uniform(0.7, 1.3)] = CSF
    for _ in range(int(rng.integers(5, 10))):
        spot = _ellipsoid(place, _centre(rng, 0.7), tuple(rng.uniform(0.05, 0.11, 3).tolist()))
        tissue[(spot < 1) & (tissue == WM)] = SPOT
    for _ in range(int(rng.integers(5, 9))):
        tissue[_vessel(rng, frame)] = VESSEL
    tissue[depth > 1] = OUTSIDE
    return tissue


def _ellipsoid(place: Floats, centre: tuple[float, ...], axes: tuple[float, ...]) -> Floats:
    """Return the squared distance from a centre in units of the axes."""
    parts = zip(place, centre, axes, strict=True)
    return np.asarray(sum(((p - c) / a) ** 2 for p, c, a in parts))


def _vessel(rng: np.random.Generator, frame: Frame) -> tuple[NDArray[np.int64], ...]:
    """Return the voxels of a short bent tube, two voxels wide."""
    along = np.linspace(0, 0.5, 30)[:, None]
    line = np.array(_centre(rng, 0.8)) + _direction(rng) * along + _direction(rng) * along**2
    wide = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
    voxels = (frame.voxels(line)[:, None].astype(np.int64) + wide).reshape(-1, 3)
    return tuple(np.clip(voxels, 0, np.array(frame.shape) - 1).T)


# --------------------------------------------------------------------------------------------- tumour
def _add(labels: NDArray[np.uint8], tissue: NDArray[np.uint8], lesion: Lesion, frame: Frame) -> None:
    """Write one lesion into the labels; oedema spares the ventricles, nothing leaves the brain."""
    centre = frame.voxels(np.array(lesion.centre))
    radius = max(lesion.radius * float(frame.semi.mean()), SMALLEST)
    reach = radius * (1 + 2 * WOBBLE)
    box = tuple(
        slice(max(0, int(c - reach)), min(n, int(c + reach) + 2))
        for c, n in zip(centre, labels.shape, strict=True)
    )
    sides = [np.arange(s.start, s.stop) - c for s, c in zip(box, centre, strict=True)]
    offset = np.stack(np.meshgrid(*sides, indexing="ij"))
    away = np.sqrt((offset**2).sum(axis=0))
    way = offset / np.maximum(away, 1e-6)
    rng = np.random.default_rng(lesion.seed)
    surfaces = [radius * (1 + WOBBLE * waves(rng, way, 4, 3.0)) for _ in range(3)]
    inside, part = tissue[box] != OUTSIDE, labels[box]
    whole = inside & (away < surfaces[0])
    core = whole & (away < surfaces[1] * lesion.core)
    part[whole & (tissue[box] != CSF) & (part == 0)] = ED
    part[core] = ET if lesion.necrosis < 1 else NCR
    part[core & (away < surfaces[2] * lesion.core * lesion.necrosis)] = NCR
