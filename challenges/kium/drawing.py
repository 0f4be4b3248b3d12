"""Phantom patients as the angiography shows them: dark arteries on a grey, uneven ground."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from challenges.kium.anatomy import PROJECTIONS, Floats, smooth
from challenges.kium.cohort import FIELD, Blob, Patient, projection

__all__ = ["draw"]

Picture = NDArray[np.uint8]

SUPERSAMPLING = 2


def draw(rng: np.random.Generator, patient: Patient, view: str) -> Picture:
    """Draw one view, (height, width) of the patient, exposed and framed as the rng says."""
    import cv2

    height, width = patient.shape
    blood = _draw_blood(rng, patient, view)
    ground = 0.72 + cv2.resize(rng.normal(0.0, 0.035, (5, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
    gain, shift = math.exp(rng.normal(0.0, 0.15)), rng.normal(0.0, 12.0)
    image = 255 * gain * (ground - 0.52 * blood) + shift + rng.normal(0.0, 4.0, blood.shape)
    picture = np.clip(image, 0, 255).astype(np.uint8)
    return picture if patient.style == "plain" else _frame(rng, picture, patient.style == "text")


def _draw_blood(rng: np.random.Generator, patient: Patient, view: str) -> Floats:
    """Return the opacity of the contrast agent, 0 to 1, at the patient's image size."""
    name = projection(view)
    canvas = _Canvas(patient, mirrored=view in ("RI-A", "RV-A"))
    canvas.outline_skull(rng)
    for _ in range(rng.poisson(14)):
        canvas.artery(_wander(rng, 0.25), rng.uniform(0.006, 0.015), rng.uniform(0.15, 0.5))
    for _ in range(rng.poisson(1.5)):
        canvas.loop(rng.uniform(*FIELD, 2), rng.uniform(0.02, 0.05), rng.uniform(0.3, 0.7))
    branches = zip(PROJECTIONS[name], patient.bends[name], strict=True)
    for branch, points in sorted(branches, key=lambda pair: pair[0].width):
        if len(points):
            canvas.artery(points, branch.width * patient.calibre, min(0.95, 0.45 + 14 * branch.width))
    for blob in patient.blobs[view]:
        if not blob.location:
            path = _wander(rng, 0.05)
            canvas.artery(path - path[1] + (blob.x, blob.y), 0.014, 0.5)
        canvas.disc(blob, rng.uniform(0.7, 0.95))
    return canvas.developed()


def _wander(rng: np.random.Generator, stride: float) -> Floats:
    """Return the control points of a small artery from anywhere to anywhere; (4, 2)."""
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0.0, 0.6, 3))
    steps = stride / 2 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return np.cumsum([rng.uniform(*FIELD, 2), *steps], axis=0)


class _Canvas:
    """Draws in atlas coordinates through the patient's pose."""

    def __init__(self, patient: Patient, *, mirrored: bool) -> None:
        self.height, self.width = patient.shape
        self.patient = patient
        self.mirrored = mirrored
        shape = (self.height * SUPERSAMPLING, self.width * SUPERSAMPLING)
        self.pixels = np.zeros(shape, np.uint8)

    def artery(self, points: Floats, width: float, opacity: float) -> None:
        """Draw a curve that tapers in three steps."""
        curve = self._place(smooth(points, 6))
        for start, end, taper in ((0.6, 1.0, 0.55), (0.3, 0.66, 0.8), (0.0, 0.36, 1.0)):
            part = curve[int(start * len(curve)) : math.ceil(end * len(curve))]
            thickness = max(1, round(width * taper * self._scale()))
            self._curve(part, thickness, opacity)

    def loop(self, centre: Floats, radius: float, opacity: float) -> None:
        """Draw an artery that turns round on itself: a widening curl, not a disc."""
        angles = np.linspace(0.0, 3 * np.pi, 25) + 2 * np.pi * opacity
        radii = radius * np.concatenate([np.full(16, 1.0), np.linspace(1.1, 3.0, 9)])
        curl = centre + radii[:, None] * np.stack([np.cos(angles), 0.8 * np.sin(angles)], axis=1)
        self._curve(self._place(curl), max(1, round(0.011 * self._scale())), opacity)

    def disc(self, blob: Blob, opacity: float) -> None:
        """Draw an aneurysm or a look-alike."""
        import cv2

        ((x, y),) = self._place(np.array([[blob.x, blob.y]]))
        radius = max(1, round(16 * blob.radius * self._scale()))
        centre = (round(16 * x), round(16 * y))
        cv2.circle(self.pixels, centre, radius, round(255 * opacity), -1, cv2.LINE_AA, 4)

    def outline_skull(self, rng: np.random.Generator) -> None:
        """Draw what subtraction leaves of the bone: a faint outline."""
        centre = np.array([0.5, 0.5]) + rng.normal(0.0, 0.02, 2)
        angles = np.linspace(0.0, 2 * np.pi, 33)
        ring = centre + np.stack([0.46 * np.cos(angles), 0.5 * np.sin(angles)], axis=1)
        self._curve(self._place(ring), max(1, round(0.02 * self._scale())), rng.uniform(0, 0.12))

    def developed(self) -> Floats:
        """Return the opacity, softened as by the focal spot, at the image's size."""
        import cv2

        soft = cv2.GaussianBlur(self.pixels, (0, 0), 0.7 * SUPERSAMPLING)
        small = cv2.resize(soft, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return small.astype(np.float64) / 255

    def _scale(self) -> float:
        """Return the pixels of the canvas to one unit of the atlas."""
        return math.sqrt(self.height * self.width) * SUPERSAMPLING * self.patient.zoom

    def _place(self, points: Floats) -> Floats:
        """Map atlas coordinates to pixels of the canvas."""
        patient = self.patient
        cosine, sine = math.cos(patient.turn), math.sin(patient.turn)
        turned = (points - 0.5) @ np.array([[cosine, sine], [-sine, cosine]])
        placed: Floats = 0.5 + patient.zoom * turned + np.asarray(patient.shift)
        if self.mirrored:
            placed[:, 0] = 1 - placed[:, 0]
        middle = np.array([self.width, self.height]) / 2
        return (middle + (placed - 0.5) * math.sqrt(self.width * self.height)) * SUPERSAMPLING

    def _curve(self, points: Floats, thickness: int, opacity: float) -> None:
        import cv2

        vertices = [np.rint(points * 16).astype(np.int32)]
        cv2.polylines(self.pixels, vertices, False, round(255 * opacity), thickness, cv2.LINE_AA, 4)


def _frame(rng: np.random.Generator, picture: Picture, text: bool) -> Picture:
    """Shrink the picture into a black margin, with burnt-in words if `text`."""
    import cv2

    height, width = picture.shape
    border_y, border_x = (round(float(f) * height) for f in rng.uniform(0.03, 0.08, 2))
    size = (width - 2 * border_x, height - 2 * border_y)
    inner = cv2.resize(picture, size).astype(np.uint8)
    if text:
        _burn(inner, f"{rng.integers(10, 99)}cm", 0.06)
        _burn(inner, f"IM {rng.integers(1, 30)}", 0.97)
    framed = np.zeros_like(picture)
    framed[border_y : height - border_y, border_x : width - border_x] = inner
    return framed


def _burn(picture: Picture, words: str, y: float) -> None:
    import cv2

    scale = len(picture) / 380
    origin = (2, max(round(y * len(picture)), round(22 * scale) + 1))
    cv2.putText(picture, words, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
