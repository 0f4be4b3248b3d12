"""Pictures of the worst, the median and the best case, for the slice viewer of an entry's page.

viewer.json                      what there is, with the label maps themselves, cropped and deflated
<case>/<modality>.webp           the axial slices of the brain, row by row, as one 8-bit picture
<case>/preview.webp              three planes with both label maps drawn in, for a page without scripts
<case>/<case id>_{truth,prediction}.nii.gz    the label maps in the edition's coding, to download

<case> is worst, median or best. The pictures are for looking at: WebP at quality 90 errs by 1.8 of 255 levels
in the mean and 15 at most on a real case of 240 x 240 x 155, which takes 1.9 MB (2.4 MB at quality 95, 4.8 MB
as PNG). The images themselves are no download: 8 MB a case that every entrant has, under terms of their own,
and on whose grid the label maps lie.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.brats import data
from challenges.brats.labels import ED, ET, NCR, edition_of, to_file
from challenges.brats.slices import Box, Turn, box_of, columns_of, mosaic, preview, turn_of, windowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Arrays, Case, CaseSet
    from harness.volumes import Volume

__all__ = ["Viewer", "chosen", "for_options"]

MODALITIES = ("T1", "T1ce", "T2", "FLAIR")
FIRST = 3
"""The modality that is shown first."""
LABELS = ((NCR, "Necrotic core", "#4c8dff"), (ED, "Oedema", "#5fd35f"), (ET, "Enhancing", "#ff4a3d"))
HATCHED = (ET,)
"""Told from the oedema without the colours too."""
REGIONS = (("Whole tumour", "wt"), ("Tumour core", "tc"), ("Enhancing", "et"))
SCORES = (
    ("Dice", "dice"),
    ("HD95, mm", "hd95"),
    ("NSD", "nsd"),
    ("Lesion Dice", "lesion_dice"),
    ("Lesion HD95, mm", "lesion_hd95"),
)
QUALITY = 90
LEGEND = (
    "Truth outlined, prediction filled: necrotic core blue, oedema green, enhancing red. "
    "The patient's right is at the left."
)


def for_options(options: Mapping[str, str]) -> Viewer:
    """Return the writer for the edition that the options name."""
    return Viewer(edition_of(options))


@dataclass(frozen=True, slots=True)
class Viewer:
    """What writes the pictures of a run's out-of-fold half."""

    edition: str

    def write(
        self,
        folder: Path,
        cases: CaseSet,
        predictions: Arrays,
        scores: Mapping[str, NDArray[np.float64]],
    ) -> None:
        """Write what the module says into a folder; `scores` are the scorer's, of each case.

        Raises:
            UserError: a case whose images cannot be read any more.
        """
        rows = chosen(scores["dice"], cases.ids)
        count = f"{len(cases.cases)} cases" if len(cases.cases) > 1 else "1 case"
        content = {
            "about": f"{', '.join(rows).capitalize()} of {count} by the mean Dice of the three regions.",
            "legend": LEGEND,
            "pictures": MODALITIES,
            "first": FIRST,
            "labels": [
                {"value": value, "name": name, "colour": colour, "hatched": value in HATCHED}
                for value, name, colour in LABELS
            ],
            "cases": [
                self._case(folder, role, row, cases, predictions, scores) for role, row in rows.items()
            ],
        }
        text = json.dumps(content, allow_nan=False)
        (folder / "viewer.json").write_text(text, encoding="utf-8")

    def _case(
        self,
        folder: Path,
        role: str,
        row: int,
        cases: CaseSet,
        predictions: Arrays,
        scores: Mapping[str, NDArray[np.float64]],
    ) -> dict[str, Any]:
        (folder / role).mkdir(parents=True)
        if cases.truth is None:
            raise ValueError("cases without truth are not shown")
        case, affine, spacing = cases.cases[row], cases.truth["affine"][row], cases.truth["spacing"][row]
        labels = {"truth": cases.truth["labels"][row], "prediction": predictions["labels"][row]}
        scene = _scene(case, affine, spacing, labels)
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", case.id).strip("._-")[:80] or "case"
        files = {name: f"{role}/{stem}_{name}.nii.gz" for name in labels}
        for name, volume in labels.items():
            written = _nifti(to_file(volume.array(), self.edition), affine, spacing)
            (folder / files[name]).write_bytes(written)
        return {
            "id": case.id,
            "role": role,
            "score": _number(scores["dice"][row]),
            "pictures": [_picture(folder, f"{role}/{data.MODALITIES[k]}", scene, k) for k in range(4)],
            "preview": _preview(folder, f"{role}/preview.webp", scene),
            "downloads": [{"title": name.capitalize(), "file": file} for name, file in files.items()],
            "scores": _table(row, scores),
            **scene.facts,
        }


def chosen(dice: NDArray[np.float64], ids: Sequence[str]) -> dict[str, int]:
    """Return the rows of the worst, the median and the best case; of two or one, not the same twice.

    Ties are broken by case id; the median of an even number is the lower one; a case without a value is
    chosen only where there is no other.
    """
    known = [row for row in range(len(ids)) if not np.isnan(dice[row])] or list(range(len(ids)))
    order = sorted(known, key=lambda row: (dice[row], ids[row]))
    picked = {"worst": order[0], "median": order[(len(order) - 1) // 2], "best": order[-1]}
    roles = {row: role for role, row in reversed(picked.items())}
    return {role: row for role, row in picked.items() if roles[row] == role}


# ------------------------------------------------------------------------------------------ one case
@dataclass(frozen=True, slots=True)
class _Scene:
    """A case, turned; all arrays (x, y, z)."""

    images: tuple[NDArray[np.uint8], ...]
    """Of the modalities, windowed, in `image_box`."""
    image_box: Box
    labels: Mapping[str, NDArray[np.uint8]]
    """Of truth and prediction, each in its box."""
    label_boxes: Mapping[str, Box]
    box: Box
    """What is shown: it holds the brain and every label."""
    spacing: tuple[float, ...]
    at: tuple[int, ...]
    """The voxel that is shown first, in `box`."""
    index: list[list[int]]

    @property
    def facts(self) -> dict[str, Any]:
        """What the page needs to draw it."""
        return {
            "size": self.box.size,
            "spacing": self.spacing,
            "at": self.at,
            "index": self.index,
            "image": self._place(self.image_box) | {"columns": columns_of(self.image_box.size)},
            **{
                name: self._place(self.label_boxes[name]) | {"deflated": _deflated(labels)}
                for name, labels in self.labels.items()
            },
        }

    def _place(self, box: Box) -> dict[str, Any]:
        """Return where a box lies in what is shown."""
        start = [a - b for a, b in zip(box.start, self.box.start, strict=True)]
        return {"start": start if all(box.size) else [0, 0, 0], "size": box.size}

    def whole(self, part: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
        """Return an array of a box within all that is shown."""
        found = np.zeros(self.box.size, dtype=np.uint8)
        if part.size:
            found[box.within(self.box)] = part
        return found


def _scene(
    case: Case, affine: NDArray[np.float64], spacing: NDArray[np.float64], volumes: Mapping[str, Volume]
) -> _Scene:
    inputs = data.decode(case, {})
    grid, turn = inputs["grid"].tolist(), turn_of(affine)
    x, y, z = (int(n) for n in inputs["start"])
    brain = turn.box(Box((x, y, z), inputs["image"].shape[1:]), grid)
    boxes = {name: turn.box(box_of(volume), grid) for name, volume in volumes.items()}
    labels = {name: _turned(turn, volume.inside()) for name, volume in volumes.items()}
    box = brain.around(list(boxes.values()))
    return _Scene(
        images=tuple(_turned(turn, windowed(image)) for image in inputs["image"]),
        image_box=brain,
        labels=labels,
        label_boxes=boxes,
        box=box,
        spacing=tuple(float(spacing[axis]) for axis in turn.axes),
        at=_middle(labels, boxes, box),
        index=turn.index(box, grid),
    )


def _turned(turn: Turn, volume: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(turn.array(volume), dtype=np.uint8)


def _middle(labels: Mapping[str, NDArray[np.uint8]], boxes: Mapping[str, Box], box: Box) -> tuple[int, ...]:
    """Return the largest sections of the tumour: the truth's, else the predicted one's, else the middle.

    A voxel of the core counts twice; among sections of one size the middle one is taken.
    """
    for name, found in labels.items():
        if found.any():
            weights = (found > 0).astype(np.int64) + np.isin(found, (NCR, ET))
            sums = (weights.sum(axis=others) for others in ((1, 2), (0, 2), (0, 1)))
            largest = (np.flatnonzero(total == total.max()) for total in sums)
            starts = zip(largest, boxes[name].start, box.start, strict=True)
            return tuple(int(rows[len(rows) // 2] + start - shown) for rows, start, shown in starts)
    return tuple(n // 2 for n in box.size)


# -------------------------------------------------------------------------------------------- content
def _picture(folder: Path, name: str, scene: _Scene, k: int) -> str:
    """Write the mosaic of one modality and return its name."""
    picture = mosaic(scene.images[k], columns_of(scene.image_box.size))
    (folder / f"{name}.webp").write_bytes(_webp(picture))
    return f"{name}.webp"


def _preview(folder: Path, name: str, scene: _Scene) -> str:
    """Write the picture of the first slices and return its name."""
    shown = scene.whole(scene.images[FIRST], scene.image_box)
    truth, prediction = (
        scene.whole(labels, scene.label_boxes[side]) for side, labels in scene.labels.items()
    )
    picture = preview(shown, truth, prediction, scene.spacing, scene.at, _colours())
    (folder / name).write_bytes(_webp(picture[..., ::-1]))  # OpenCV takes blue first
    return name


def _colours() -> NDArray[np.uint8]:
    found = np.zeros((len(LABELS) + 1, 3), dtype=np.uint8)
    for value, _, colour in LABELS:
        found[value] = np.frombuffer(bytes.fromhex(colour[1:]), dtype=np.uint8)
    return found


def _webp(picture: NDArray[np.uint8]) -> bytes:
    import cv2

    done, content = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"OpenCV could not write a picture of {picture.shape}")
    return content.tobytes()


def _deflated(labels: NDArray[np.uint8]) -> str:
    """Return labels, x fastest, deflated, in base64."""
    return base64.b64encode(zlib.compress(labels.tobytes(order="F"), 9)).decode()


def _nifti(labels: NDArray[np.uint8], affine: NDArray[np.float64], spacing: NDArray[np.float64]) -> bytes:
    """Return a NIfTI file, the same bytes each time."""
    import nibabel

    nifti: Any = nibabel.Nifti1Image  # it ships no types
    image = nifti(labels, affine)
    image.header.set_zooms(tuple(spacing.tolist()))
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), mtime=0)


def _table(row: int, scores: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Return the case's scores by region; a score that the edition does not have is left out."""
    read = partial(_score, row=row, scores=scores)
    rows = [[title, *(read(f"{key}_{region}") for _, region in REGIONS)] for title, key in SCORES]
    return {
        "columns": ["Score", *(title for title, _ in REGIONS)],
        "rows": [line for line in rows if any(value is not None for value in line[1:])],
    }


def _score(key: str, row: int, scores: Mapping[str, NDArray[np.float64]]) -> float | None:
    return _number(scores[key][row]) if key in scores else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
