"""An atlas of the cerebral arteries as drawn on the phantom: branches and sites of aneurysms.

One projection per injection (I internal carotid, V vertebral) and angle (A frontal, B lateral),
in the unit square, x to the right and y down, drawn for the left side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PROJECTIONS", "Branch", "Site", "sites", "smooth"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Branch:
    """One artery in one projection; tapers from `width` to 45 % of it."""

    territory: str
    """Name of the location without its side; "" where no location is counted."""
    width: float
    """At the origin, as a fraction of the image."""
    points: tuple[tuple[float, float], ...]
    """Control points, upstream first."""
    constant: float = 1.0
    """Probability that a patient has the branch: small arteries are often missing."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where aneurysms of one territory arise in one projection."""

    territory: str
    x: float
    y: float
    visible: float
    """Probability that an aneurysm there is seen in this projection."""


PROJECTIONS: dict[str, tuple[Branch, ...]] = {
    "I-A": (
        Branch("ICA", 0.040, ((0.40, 1.02), (0.42, 0.88), (0.38, 0.79), (0.44, 0.71), (0.40, 0.63))),
        Branch("ICA", 0.036, ((0.40, 0.63), (0.42, 0.57), (0.47, 0.53))),
        Branch("MCA", 0.032, ((0.47, 0.53), (0.58, 0.55), (0.69, 0.51))),
        Branch("", 0.024, ((0.69, 0.51), (0.78, 0.43), (0.80, 0.31), (0.88, 0.17))),
        Branch("", 0.022, ((0.69, 0.51), (0.80, 0.52), (0.90, 0.43), (0.95, 0.30))),
        Branch("ACA", 0.028, ((0.47, 0.53), (0.37, 0.51), (0.27, 0.47))),
        Branch("ACA", 0.024, ((0.27, 0.47), (0.23, 0.38), (0.26, 0.24), (0.22, 0.08))),
        Branch("ACOM", 0.018, ((0.27, 0.47), (0.21, 0.48), (0.14, 0.47))),
        Branch("AntChor", 0.012, ((0.42, 0.59), (0.50, 0.62), (0.55, 0.57), (0.60, 0.61)), 0.9),
        Branch("PCOM", 0.014, ((0.39, 0.65), (0.31, 0.67), (0.25, 0.73)), 0.8),
    ),
    "I-B": (
        Branch("ICA", 0.040, ((0.56, 1.02), (0.55, 0.88), (0.46, 0.81), (0.35, 0.77), (0.31, 0.69))),
        Branch("ICA", 0.036, ((0.31, 0.69), (0.36, 0.62), (0.46, 0.63), (0.48, 0.56))),
        Branch("MCA", 0.030, ((0.48, 0.56), (0.58, 0.49), (0.67, 0.43))),
        Branch("", 0.024, ((0.67, 0.43), (0.78, 0.38), (0.90, 0.41))),
        Branch("", 0.022, ((0.67, 0.43), (0.72, 0.32), (0.86, 0.24), (0.95, 0.27))),
        Branch("ACA", 0.026, ((0.48, 0.56), (0.38, 0.50), (0.29, 0.43))),
        Branch("ACA", 0.024, ((0.29, 0.43), (0.22, 0.32), (0.29, 0.18), (0.48, 0.11), (0.68, 0.13))),
        Branch("ACOM", 0.016, ((0.29, 0.43), (0.23, 0.45), (0.18, 0.43))),
        Branch("AntChor", 0.012, ((0.48, 0.60), (0.57, 0.60), (0.66, 0.55)), 0.9),
        Branch("PCOM", 0.014, ((0.44, 0.64), (0.54, 0.68), (0.66, 0.68)), 0.8),
    ),
    "V-A": (
        Branch("VA", 0.034, ((0.68, 1.02), (0.66, 0.91), (0.58, 0.84), (0.51, 0.75))),
        Branch("BA", 0.036, ((0.51, 0.75), (0.50, 0.64), (0.50, 0.53), (0.50, 0.47))),
        Branch("PICA", 0.018, ((0.62, 0.87), (0.72, 0.83), (0.77, 0.90), (0.86, 0.88)), 0.9),
        Branch("SCA", 0.017, ((0.50, 0.53), (0.61, 0.55), (0.72, 0.62), (0.79, 0.60))),
        Branch("", 0.015, ((0.50, 0.53), (0.39, 0.55), (0.28, 0.62), (0.21, 0.60))),
        Branch("PCA", 0.026, ((0.50, 0.47), (0.62, 0.44), (0.74, 0.47), (0.80, 0.36), (0.76, 0.22))),
        Branch("", 0.022, ((0.50, 0.47), (0.38, 0.44), (0.26, 0.47), (0.20, 0.36), (0.24, 0.22))),
        Branch("PCOM", 0.013, ((0.61, 0.44), (0.62, 0.37), (0.58, 0.31)), 0.7),
    ),
    "V-B": (
        Branch("VA", 0.034, ((0.72, 1.02), (0.70, 0.90), (0.62, 0.83), (0.52, 0.77))),
        Branch("BA", 0.036, ((0.52, 0.77), (0.47, 0.68), (0.43, 0.58), (0.42, 0.51))),
        Branch("PICA", 0.018, ((0.66, 0.86), (0.76, 0.80), (0.80, 0.88), (0.90, 0.84)), 0.9),
        Branch("SCA", 0.017, ((0.43, 0.56), (0.55, 0.58), (0.68, 0.63), (0.80, 0.61))),
        Branch("PCA", 0.026, ((0.42, 0.51), (0.53, 0.46), (0.68, 0.47), (0.84, 0.40))),
        Branch("", 0.020, ((0.60, 0.46), (0.68, 0.36), (0.76, 0.24))),
        Branch("PCOM", 0.014, ((0.44, 0.50), (0.35, 0.47), (0.25, 0.50)), 0.8),
    ),
}
"""Drawn from anatomy books' schemes; enough for a picture, not for a surgeon."""

_SITES: dict[str, tuple[Site, ...]] = {
    "I-A": (
        Site("ICA", 0.40, 0.68, 0.85),
        Site("PCOM", 0.34, 0.665, 0.60),
        Site("AntChor", 0.49, 0.62, 0.75),
        Site("ACA", 0.25, 0.29, 0.80),
        Site("ACOM", 0.23, 0.475, 0.90),
        Site("MCA", 0.69, 0.51, 0.95),
    ),
    "I-B": (
        Site("ICA", 0.36, 0.66, 0.90),
        Site("PCOM", 0.52, 0.675, 0.90),
        Site("AntChor", 0.57, 0.60, 0.80),
        Site("ACA", 0.26, 0.24, 0.90),
        Site("ACOM", 0.25, 0.44, 0.65),
        Site("MCA", 0.66, 0.43, 0.60),
    ),
    "V-A": (
        Site("VA", 0.60, 0.855, 0.90),
        Site("PICA", 0.71, 0.84, 0.85),
        Site("SCA", 0.61, 0.55, 0.80),
        Site("BA", 0.50, 0.47, 0.95),
        Site("PCA", 0.73, 0.465, 0.85),
        Site("PCOM", 0.615, 0.39, 0.35),
    ),
    "V-B": (
        Site("VA", 0.62, 0.83, 0.90),
        Site("PICA", 0.76, 0.81, 0.85),
        Site("SCA", 0.56, 0.58, 0.70),
        Site("BA", 0.42, 0.51, 0.90),
        Site("PCA", 0.66, 0.47, 0.75),
        Site("PCOM", 0.36, 0.475, 0.50),
    ),
}


def sites(projection: str, side: str, location: str) -> tuple[Site, ...]:
    """Return the sites in one side's projection of a location such as "L_PCOM" or "BA"."""
    owner, _, territory = location.rpartition("_")
    if owner not in ("", side):
        return ()
    return tuple(site for site in _SITES[projection] if site.territory == territory)


def smooth(points: Floats, steps: int) -> Floats:
    """Return a Catmull-Rom curve through the points, `steps` to each span; (n, 2) -> (m, 2)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    p0, p1, p2, p3 = padded[:-3, None], padded[1:-2, None], padded[2:-1, None], padded[3:, None]
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    curve = p1 + 0.5 * t * ((p2 - p0) + t * ((2 * p0 - 5 * p1 + 4 * p2 - p3) + t * (3 * (p1 - p2) + p3 - p0)))
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])
