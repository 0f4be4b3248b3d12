"""Draw a frontal chest film of a child, and the two pneumonias.

Lengths are in half heights of the film, measured from its middle: u to the right, v downwards, so that a
wider film shows more of what lies beside the child, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from challenges.pneumonia.names import BACTERIA, NORMAL, VIRUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float64]

REACH = 1.8
"""Textures span -REACH to REACH in u and v."""


@dataclass(frozen=True, slots=True)
class Child:
    """The anatomy that all films of a child share."""

    agent: int
    seed: tuple[int, ...]
    """Of its textures: vessels, and the interstitial pattern of a virus."""
    lung_x: float
    lung_y: float
    lung_width: float
    lung_height: float
    heart: float
    rib_pitch: float
    rib_phase: float
    vessels: float
    """Strength of the normal markings, the confounder."""
    side: int
    """-1 or 1: the lung that bacteria take."""
    lobe: float
    """Height of the consolidation in that lung, -1 top to 1 bottom."""
    extent: float
    severity: float


def sample_child(seed: tuple[int, ...], agent: int, difficulty: float) -> Child:
    """Draw a child's anatomy; the same seed gives the same child."""
    rng = np.random.default_rng(np.random.SeedSequence(list(seed)))
    return Child(
        agent=agent,
        seed=seed,
        lung_x=rng.normal(0.44, 0.03),
        lung_y=rng.normal(0.0, 0.04),
        lung_width=rng.normal(0.33, 0.025),
        lung_height=rng.normal(0.80, 0.05),
        heart=rng.normal(0.30, 0.03),
        rib_pitch=rng.uniform(10.0, 13.0),
        rib_phase=rng.uniform(0, 2 * np.pi),
        vessels=float(rng.gamma(4.0, 1.8)),
        side=int(rng.choice([-1, 1])),
        lobe=rng.uniform(-0.65, 0.65),
        extent=rng.uniform(0.14, 0.22),
        severity=float(rng.lognormal(0.0, 0.3)) / difficulty,
    )


def draw(rng: np.random.Generator, child: Child, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return one film of `shape` (height, width): pose, exposure and noise are the film's own."""
    u, v = _pose(rng, shape)
    lungs = _lungs(child, u, v)
    film = _anatomy(child, u, v, lungs) + child.vessels * _vessels(child, u, v) * lungs
    film = film + child.severity * _disease(rng, child, u, v) * lungs
    return _exposed(rng, film)


# ---------------------------------------------------------------------------------------- geometry
def _pose(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """Return u and v of every pixel, the child a little turned, shifted and zoomed."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    x, y = (x - (width - 1) / 2) / (height / 2), (y - (height - 1) / 2) / (height / 2)
    turn, zoom = rng.normal(0, 0.04), rng.normal(1.0, 0.05)
    right, down = rng.normal(0, 0.05, 2)
    x, y = (x - right) / zoom, (y - down) / zoom
    return np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x


def _ellipse(
    u: Plane, v: Plane, centre: tuple[float, float], radii: tuple[float, float], edge: float
) -> Plane:
    """Return 1 inside and 0 outside, falling over about `edge`."""
    distance = np.hypot((u - centre[0]) / radii[0], (v - centre[1]) / radii[1])
    return _step((1 - distance) * min(radii), edge)


def _step(value: Plane, edge: float) -> Plane:
    return 1 / (1 + np.exp(-np.clip(value / edge * 4, -30, 30)))


def _lungs(child: Child, u: Plane, v: Plane) -> Plane:
    """Return how much of each pixel is lung, free of heart and diaphragm."""
    radii = (child.lung_width, child.lung_height)
    both = sum(_ellipse(u, v, (s * child.lung_x, child.lung_y), radii, 0.06) for s in (-1, 1))
    dome = child.lung_y + 0.62 * child.lung_height + 0.12 * np.abs(np.abs(u) - child.lung_x)
    return np.asarray(both * (1 - _heart(child, u, v)) * _step(dome - v, 0.06))


def _heart(child: Child, u: Plane, v: Plane) -> Plane:
    return _ellipse(u, v, (0.10, child.lung_y + 0.26), (child.heart, 0.9 * child.heart), 0.06)


def _anatomy(child: Child, u: Plane, v: Plane, lungs: Plane) -> Plane:
    body = _ellipse(u, v, (0.0, 0.55), (1.12, 1.6), 0.08)
    spine = _step(0.08 - np.abs(u), 0.04) * (1 + 0.25 * np.cos(22 * v))
    arcs = np.cos(child.rib_pitch * (v + 0.45 * np.abs(u) ** 1.5) + child.rib_phase)
    ribs = np.maximum(arcs, 0) ** 3 * _ellipse(u, v, (0.0, 0.0), (0.85, 0.9), 0.1)
    return np.asarray(
        body * (105 + 18 * v) - 62 * lungs + 30 * _heart(child, u, v) + 26 * spine + 17 * ribs * body
    )


# ----------------------------------------------------------------------------------------- texture
def _texture(seed: tuple[int, ...], cells: int, u: Plane, v: Plane) -> Plane:
    """Return smooth noise of unit variance, `cells` to each side of the plane, fixed to the child."""
    import cv2

    noise = np.random.default_rng(np.random.SeedSequence([*seed, cells])).normal(size=(cells, cells))
    scale = (cells - 1) / (2 * REACH)
    columns, rows = (((axis + REACH) * scale).astype(np.float32) for axis in (u, v))
    found = cv2.remap(noise.astype(np.float32), columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(found, dtype=np.float64)


def _vessels(child: Child, u: Plane, v: Plane) -> Plane:
    """Return the markings that every lung has, of coarse and fine grain."""
    return np.asarray((_texture(child.seed, 14, u, v) + _texture(child.seed, 30, u, v)) / np.sqrt(2))


def _disease(rng: np.random.Generator, child: Child, u: Plane, v: Plane) -> Plane:
    """Return the opacity: none, one lobar consolidation, or a bilateral interstitial pattern."""
    if child.agent == BACTERIA:
        place = (child.side * child.lung_x, child.lung_y + child.lobe * 0.6 * child.lung_height)
        grown = child.extent * rng.uniform(0.9, 1.1)
        return 40 * _ellipse(u, v, place, (grown, 1.1 * grown), 0.14)
    if child.agent == VIRUS:
        seed = (*child.seed, VIRUS)
        return 7 * (_texture(seed, 30, u, v) + _texture(seed, 46, u, v) + _texture(seed, 62, u, v)) + 3.0
    assert child.agent == NORMAL  # noqa: S101  the three agents of the films
    return np.zeros_like(u)


def _exposed(rng: np.random.Generator, film: Plane) -> NDArray[np.uint8]:
    """Return grey values: automatic exposure, then each film's own gain, offset and grain.

    Brightness and contrast of a film are thus the same lottery for ill and well.
    """
    level = (film - film.mean()) / film.std()
    gain, offset = 46 * np.exp(rng.normal(0, 0.15)), 122 + rng.normal(0, 9)
    grey = np.round(gain * level + offset + rng.normal(0, 4, film.shape))
    return np.asarray(np.clip(grey, 0, 255), dtype=np.uint8)
