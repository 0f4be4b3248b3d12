"""Stored maps: what `harness explain` leaves behind, one folder a case.

runs/<challenge>/.explained/<key of the fold>/<hash of the case id>/
    explained.json    which case, what was predicted and is true, how far the retrained model agrees
    map.npz           map (pictures, height, width) or (1, x, y, z) uint8; maximum, what its 255 stands for
    <number>.png, <number>-map.png    the pictures of the page, and the map to lay on each

The key is that of the fold model (`harness.cells`), so that a record scored again keeps its maps.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.atomic import atomic_folder
from harness.heat import image_of, pictures_of, quantised
from harness.records import dump

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.contracts import Array, Arrays, ScorerUnit

__all__ = ["Explained", "folder_of", "maps_problem", "shape_of", "store", "words_of"]

SCHEMA = 1
Pair = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """What is said of one case beside its map."""

    case: str
    fold: int
    run: str
    """The run that was explained."""
    cell: str
    """Key of the fold model."""
    position: int | None
    """In the order of all out-of-fold cases, the worst first, from 0; None where the scorer has no order."""
    n_cases: int
    prediction: tuple[Pair, ...]
    truth: tuple[Pair, ...]
    right: bool | None
    differs: float | None
    """By how much the retrained model's held-out predictions differ from the stored ones at most."""
    n_compared: int
    seconds: float
    finished: str
    command: str
    provenance: Mapping[str, Any]
    schema: int = SCHEMA


def folder_of(runs: Path, challenge: str, cell: str, case: str) -> Path:
    """Return where a case's map lies."""
    name = hashlib.sha256(case.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return runs / challenge / ".explained" / cell[:32] / name


def _units(challenge: Challenge) -> list[object]:
    return [unit for unit in (challenge.data, challenge.viewer) if unit is not None]


def shape_of(challenge: Challenge, inputs: Mapping[str, Array]) -> tuple[int, ...]:
    """Return the shape of a case's map, (pictures, height, width) or (1, x, y, z).

    Raises:
        ValueError: if the case has no image.
    """
    return image_of(inputs, _units(challenge))[0].shape


def maps_problem(raw: Array, case: str) -> str | None:
    """Say what is wrong with a map that a fold sent; its shape was asked for and is right."""
    if not np.isfinite(raw).all():
        bad = raw[~np.isfinite(raw)]
        return f"The map of case {case} holds {bad.flat[0]} ({bad.size} such values)."
    if raw.size and raw.min() < 0:
        return f"The map of case {case} holds {raw.min():g}, but Grad-CAM is never negative."
    return None


def words_of(scorer: ScorerUnit, truth: Arrays, predictions: Arrays, row: int) -> dict[str, Any]:
    """Return what the page says of an out-of-fold case: prediction, truth, and whether it was right.

    Numbers only, one a case. The truth is that of the predicted keys, or, where none of them is among the
    truth (a risk, for a time and an event), all of it. Right is what the scorer's `correct` says, else
    whether a probability stands on the side of a label of 0 or 1; None where neither is known.
    """
    predicted = _numbers(predictions, row)
    known = _numbers(truth, row)
    shared = [pair for pair in known if pair[0] in dict(predicted)]
    return {
        "prediction": tuple(predicted),
        "truth": tuple(shared or known),
        "right": _right(scorer, truth, predictions, row, [name for name, _ in shared]),
    }


def _numbers(arrays: Arrays, row: int) -> list[Pair]:
    scalars = {
        name: values for name, values in arrays.items() if values.ndim == 1 and values.dtype.kind in "biuf"
    }
    return [(name, values[row].item()) for name, values in scalars.items()]


def _right(
    scorer: ScorerUnit, truth: Arrays, predictions: Arrays, row: int, shared: list[str]
) -> bool | None:
    correct = scorer.per_case(truth, predictions).get("correct")
    if correct is not None:
        return bool(correct[row])
    for name in shared:
        spec, labels = scorer.PREDICTIONS[name], truth[name]
        if (spec.low, spec.high) == (0, 1) and np.isin(labels, (0, 1)).all():
            return bool((predictions[name][row] >= 0.5) == labels[row])
    return None


def store(
    runs: Path, challenge: Challenge, inputs: Mapping[str, Array], raw: Array, facts: Explained
) -> None:
    """Write a case's folder, whole or not at all; one that is there stays as it is."""
    target = folder_of(runs, challenge.name, facts.cell, facts.case)
    if target.is_dir():
        return
    image, eight_bit = image_of(inputs, _units(challenge))
    heat, maximum = quantised(raw)
    views, axes = getattr(challenge.data, "VIEWS", ()), _axes(challenge)
    pictures = pictures_of(image, heat, eight_bit=eight_bit, views=views, axes=axes)
    with atomic_folder(target) as folder:
        listed = []
        for number, picture in enumerate(pictures):
            names = {"image": f"{number}.png", "map": f"{number}-map.png"}
            (folder / names["image"]).write_bytes(picture.image)
            (folder / names["map"]).write_bytes(picture.heat)
            listed.append({"title": picture.title, "alt": picture.alt, **names})
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, map=heat, maximum=np.float64(maximum))
        (folder / "map.npz").write_bytes(buffer.getvalue())
        content = {**asdict(facts), "maximum": maximum, "pictures": listed}
        (folder / "explained.json").write_text(dump(content), encoding="utf-8")


def _axes(challenge: Challenge) -> str:
    found = (getattr(unit, "EXPLAINED_AXES", None) for unit in _units(challenge))
    return next((str(axes) for axes in found if axes), "LPS")
