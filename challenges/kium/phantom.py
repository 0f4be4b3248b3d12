"""Phantom patients: drawn angiographies with the contest's own marginals, in its exact layout.

`difficulty` is the one knob: it shrinks the aneurysms and multiplies the look-alikes. Exposure
differs from view to view, so that the darkness of an image says nothing about the patient, and
only a blob at the right place, seen again in the other angle, does.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from challenges.kium.anatomy import PROJECTIONS, Branch, Floats, sites, smooth
from challenges.kium.data import LOCATIONS, VIEWS
from harness.errors import UserError, did_you_mean

__all__ = ["DEFECTS", "VERSION", "defect", "write"]

VERSION = "1"
SIZES = {"smoke": (24, 8), "small": (300, 120)}
"""Patients of the development set and of the test set."""

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
ORACLE_PATIENTS = 2000
SUPERSAMPLING = 2


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


def write(root: Path, *, seed: int = 0, size: str = "small", difficulty: float = 1.0) -> None:
    """Write phantom patients in the organisers' layout, the test truth and `phantom.json`.

    Args:
        root: Folder to fill; made if missing.
        seed: Same seed, same bytes; patient n depends on the seed and on n only.
        size: "smoke" (24 + 8 patients) or "small" (300 + 120).
        difficulty: 1 suits the baseline on two cores; 0.5 is easy, 2 is hard.

    Raises:
        UserError: for an unknown size or a difficulty that is not positive.
    """
    if size not in SIZES:
        raise UserError(f"No phantom size named {size!r}. {did_you_mean(size, SIZES)}")
    if not difficulty > 0:
        raise UserError(f"difficulty must be above 0 but got {difficulty}.")
    development, test = SIZES[size]
    patients = [sample(seed, number, difficulty) for number in range(development + test)]
    indices = _indices(patients)
    halves = {"train": slice(0, development), "test": slice(development, None)}
    for half, rows in halves.items():
        folder = root / f"{half}_set"
        folder.mkdir(parents=True, exist_ok=True)
        for index, number in zip(indices[rows], range(development + test)[rows], strict=True):
            _write_images(folder, index, patients[number], seed, number)
    train, held = halves.values()
    _write_table(root / "train.csv", indices[train], patients[train])
    _write_table(root / "groundtruth.csv", indices[held], patients[held])
    _write_table(root / "test.csv", indices[held], [None] * test)
    _write_latent(root, seed, size, difficulty, dict(zip(indices, patients, strict=True)))


# ------------------------------------------------------------------------------- what is true
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
    return counts / counts.sum()


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
            Blob(*rng.normal((site.x, site.y), SCATTER), radii[name], name)
            for name in locations
            for site in sites(_projection(view), view[0], name)
            if rng.random() < site.visible
        ]
        number = rng.poisson(LOOKALIKES * difficulty)
        others = [
            Blob(*rng.uniform(*FIELD, 2), rng.uniform(*RADIUS) / difficulty) for _ in range(number)
        ]
        blobs[view] = tuple(seen + others)
    return blobs


def _projection(view: str) -> str:
    """Return "I-A" for "LI-A" and "RI-A"."""
    return view[1:]


def _indices(patients: Sequence[Patient]) -> list[int]:
    """Number the patients upwards from 1001 with the gaps of the real data."""
    gaps = [1 + patient.gap for patient in patients[:-1]]
    return [int(index) for index in np.cumsum([1001, *gaps])]


# ------------------------------------------------------------------------------- the oracle
def evidence(patient: Patient, difficulty: float) -> float:
    """Return the log likelihood ratio of an observer who sees all blobs and knows the atlas.

    Blobs that are no aneurysm form a Poisson field; an aneurysm adds, with its site's visibility,
    one blob near the site. The ratio is exact for one location and takes several as one.
    """
    density = LOOKALIKES * difficulty / (FIELD[1] - FIELD[0]) ** 2
    ratios = [_location_ratio(patient, name, density) for name in LOCATIONS]
    return math.log(float(np.dot(_location_weights(), ratios)))


def _location_ratio(patient: Patient, location: str, density: float) -> float:
    ratio = 1.0
    for view, blobs in patient.blobs.items():
        for site in sites(_projection(view), view[0], location):
            squares = [((b.x - site.x) ** 2 + (b.y - site.y) ** 2) / SCATTER**2 for b in blobs]
            near = sum(math.exp(-square / 2) for square in squares) / (2 * math.pi * SCATTER**2)
            ratio *= 1 - site.visible + site.visible * near / density
    return ratio


def _auroc(scores: Floats, positive: NDArray[np.bool_]) -> float | None:
    """Return the Mann-Whitney probability, ties half; None unless both kinds occur."""
    pairs = scores[positive][:, None] - scores[~positive]
    return float(np.mean((pairs > 0) + 0.5 * (pairs == 0))) if pairs.size else None


def _oracle(patients: Sequence[Patient], difficulty: float) -> float | None:
    """Return the AUROC of that observer on these patients."""
    scores = np.array([evidence(patient, difficulty) for patient in patients])
    return _auroc(scores, np.array([bool(patient.locations) for patient in patients]))


# ------------------------------------------------------------------------------- the pictures
def _write_images(folder: Path, index: int, patient: Patient, seed: int, number: int) -> None:
    rng = np.random.default_rng(np.random.SeedSequence([seed, number, 1]))
    for view in VIEWS:
        image = draw(rng, patient, view)
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        (folder / f"{index}{view}.jpg").write_bytes(encoded.tobytes())


def draw(rng: np.random.Generator, patient: Patient, view: str) -> NDArray[np.uint8]:
    """Draw one view as the angiography shows it: dark arteries on a grey, uneven ground."""
    height, width = patient.shape
    blood = _draw_blood(rng, patient, view)
    ground = 0.72 + cv2.resize(
        rng.normal(0.0, 0.035, (5, 5)), (width, height), interpolation=cv2.INTER_CUBIC
    )
    gain, shift = math.exp(rng.normal(0.0, 0.15)), rng.normal(0.0, 12.0)
    image = 255 * gain * (ground - 0.52 * blood) + shift + rng.normal(0.0, 4.0, blood.shape)
    picture = np.clip(image, 0, 255).astype(np.uint8)
    return picture if patient.style == "plain" else _frame(rng, picture, patient.style == "text")


def _draw_blood(rng: np.random.Generator, patient: Patient, view: str) -> Floats:
    """Return the opacity of the contrast agent, 0 to 1, at the patient's image size."""
    projection = _projection(view)
    canvas = _Canvas(patient, mirrored=view in ("RI-A", "RV-A"))
    canvas.outline_skull(rng)
    for _ in range(rng.poisson(14)):
        canvas.artery(_wander(rng, 0.25), rng.uniform(0.006, 0.015), rng.uniform(0.15, 0.5))
    for _ in range(rng.poisson(1.5)):
        canvas.loop(rng.uniform(*FIELD, 2), rng.uniform(0.02, 0.05), rng.uniform(0.3, 0.7))
    order = sorted(range(len(PROJECTIONS[projection])), key=lambda i: _width(projection, i))
    for i in order:
        points, branch_width = patient.bends[projection][i], _width(projection, i)
        if len(points):
            opacity = min(0.95, 0.45 + 14 * branch_width)
            canvas.artery(points, branch_width * patient.calibre, opacity)
    for blob in patient.blobs[view]:
        if not blob.location:
            path = _wander(rng, 0.15) * 0.3 + np.array([blob.x, blob.y]) * 0.7
            canvas.artery(path + (np.array([blob.x, blob.y]) - path[1]), 0.014, 0.5)
        canvas.disc(blob, rng.uniform(0.7, 0.95))
    return canvas.developed()


def _width(projection: str, branch: int) -> float:
    return PROJECTIONS[projection][branch].width


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
        placed = 0.5 + patient.zoom * turned + np.asarray(patient.shift)
        if self.mirrored:
            placed[:, 0] = 1 - placed[:, 0]
        centre = np.array([self.width, self.height]) / 2
        return (centre + (placed - 0.5) * math.sqrt(self.width * self.height)) * SUPERSAMPLING

    def _curve(self, points: Floats, thickness: int, opacity: float) -> None:
        vertices = np.rint(points * 16).astype(np.int32)[None]
        cv2.polylines(self.pixels, vertices, False, round(255 * opacity), thickness, cv2.LINE_AA, 4)


def _frame(rng: np.random.Generator, picture: NDArray[np.uint8], text: bool) -> NDArray[np.uint8]:
    """Shrink the picture into a black margin, with burnt-in words if `text`."""
    height, width = picture.shape
    border_y, border_x = (round(float(f) * height) for f in rng.uniform(0.03, 0.08, 2))
    inner = cv2.resize(picture, (width - 2 * border_x, height - 2 * border_y))
    if text:
        _burn(inner, f"{rng.integers(10, 99)}cm", 0.06)
        _burn(inner, f"IM {rng.integers(1, 30)}", 0.97)
    framed = np.zeros_like(picture)
    framed[border_y : height - border_y, border_x : width - border_x] = inner
    return framed


def _burn(picture: NDArray[np.uint8], words: str, y: float) -> None:
    scale = len(picture) / 380
    origin = (2, max(round(y * len(picture)), round(22 * scale) + 1))
    cv2.putText(picture, words, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)


# ------------------------------------------------------------------------------- the files
def _row(index: int, locations: Sequence[str]) -> list[int]:
    return [index, int(bool(locations)), *(int(name in locations) for name in LOCATIONS)]


def _write_table(path: Path, indices: Sequence[int], patients: Sequence[Patient | None]) -> None:
    """Write the organisers' table; all zeros where the patient is withheld."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["Index", "Aneurysm", *LOCATIONS])
        for index, patient in zip(indices, patients, strict=True):
            table.writerow(_row(index, patient.locations if patient else ()))


def _write_latent(
    root: Path, seed: int, size: str, difficulty: float, patients: dict[int, Patient]
) -> None:
    """Write what no model may see: the knobs, the oracle's scores and each patient's truth."""
    development = SIZES[size][0]
    listed = list(patients.values())
    crowd = [sample(seed, number, difficulty) for number in range(ORACLE_PATIENTS)]
    latent = {
        "challenge": "kium",
        "version": VERSION,
        "seed": seed,
        "size": size,
        "difficulty": difficulty,
        "knobs": {"radius": RADIUS, "lookalikes": LOOKALIKES, "scatter": SCATTER},
        "oracle": {
            "observer": "sees every blob, knows the atlas and the pose",
            "auroc": _oracle(crowd, difficulty),
            "patients": ORACLE_PATIENTS,
            "auroc_development": _oracle(listed[:development], difficulty),
            "auroc_test": _oracle(listed[development:], difficulty),
        },
        "cases": {str(index): _latent(p, difficulty) for index, p in patients.items()},
    }
    (root / "phantom.json").write_text(json.dumps(latent, indent=1) + "\n")


def _latent(patient: Patient, difficulty: float) -> dict[str, Any]:
    blobs = {
        view: [
            {"location": b.location, **{k: round(getattr(b, k), 5) for k in ("x", "y", "radius")}}
            for b in seen
        ]
        for view, seen in patient.blobs.items()
        if seen
    }
    return {
        "locations": patient.locations,
        "style": patient.style,
        "shape": patient.shape,
        "evidence": round(evidence(patient, difficulty), 6),
        "blobs": blobs,
    }


# ------------------------------------------------------------------------------- the defects
def _first_images(root: Path) -> Iterator[Path]:
    return iter(sorted((root / "train_set").glob("*.jpg")))


def _missing_view(root: Path) -> Path:
    path = next(_first_images(root))
    path.unlink()
    return path


def _duplicate_image(root: Path) -> Path:
    """Give the second patient the first one's picture."""
    images = list(_first_images(root))
    copy = images[len(VIEWS)]
    copy.write_bytes(images[0].read_bytes())
    return copy


def _damaged_image(root: Path) -> Path:
    path = next(_first_images(root))
    path.write_bytes(path.read_bytes()[:100])
    return path


def _stray_file(root: Path) -> Path:
    """Leave what a file manager leaves behind."""
    path = root / "train_set" / ".DS_Store"
    path.write_bytes(b"\x00\x00\x00\x01Bud1")
    return path


def _contradicted_label(root: Path) -> Path:
    """Deny the aneurysm of the first patient who has one, but keep its location."""
    path = root / "train.csv"
    lines = path.read_text().splitlines()
    row = next(i for i, line in enumerate(lines[1:], start=1) if line.split(",")[1] == "1")
    index, _, *rest = lines[row].split(",")
    lines[row] = ",".join([index, "0", *rest])
    path.write_text("\n".join(lines) + "\n")
    return path


DEFECTS: dict[str, Callable[[Path], Path]] = {
    "missing_view": _missing_view,
    "duplicate_image": _duplicate_image,
    "damaged_image": _damaged_image,
    "stray_file": _stray_file,
    "contradicted_label": _contradicted_label,
}


def defect(root: Path, name: str) -> Path:
    """Put one defect of real data into written phantom patients; return the file it is in."""
    return DEFECTS[name](root)
