"""Score label maps of brain tumours by the rules of an edition, case by case."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from challenges.brats import output
from challenges.brats.labels import ED, ET, NCR
from challenges.brats.panel import definitions, panel
from harness.contracts import ArraySpec
from harness.metrics import (
    dice,
    hd95,
    iou,
    lesion_dice,
    lesion_fn,
    lesion_fp,
    lesion_hd95,
    lesion_tp,
    nsd,
    voxel_accuracy,
    voxel_precision,
    voxel_sensitivity,
    voxel_specificity,
)
from harness.segmentation.editions import EDITIONS, THREE_IS_ET, Edition
from harness.volumes import Volume, column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays, CaseSet, Metric

Item = TypeVar("Item")
Result = TypeVar("Result")

__all__ = ["METRICS", "RULES", "Scorer", "for_options"]

RULES: Mapping[str, Edition] = MappingProxyType(
    {name: replace(EDITIONS[name], regions=THREE_IS_ET) for name in ("2020", "2023", "2026")}
)
"""The editions on the coding of arrays, where 3 is ET; 4 exists only in files of 2020 and 2021."""
REGIONS = tuple(THREE_IS_ET)
"""From the largest to the smallest: ET lies within TC within WT."""
METRICS: Mapping[str, tuple[Metric, str]] = MappingProxyType(
    {
        "dice": (dice.metric, "dice"),
        "hd95": (hd95.metric, "hd95"),
        "lesion_dice": (lesion_dice.metric, "lesion_dice"),
        "lesion_hd95": (lesion_hd95.metric, "lesion_hd95"),
        "nsd": (nsd.metric, "nsd"),
        "sensitivity": (voxel_sensitivity.metric, "sensitivity"),
        "specificity": (voxel_specificity.metric, "specificity"),
        "precision": (voxel_precision.metric, "precision"),
        "iou": (iou.metric, "iou"),
        "accuracy": (voxel_accuracy.metric, "accuracy"),
        "lesion_tp": (lesion_tp.metric, "tp"),
        "lesion_fp": (lesion_fp.metric, "fp"),
        "lesion_fn": (lesion_fn.metric, "fn"),
    }
)
"""First part of a key of challenge.yaml -> metric, and its name in `harness.segmentation`."""
COLUMNS: Mapping[str, Metric] = MappingProxyType(
    {
        "dice": dice.metric,
        **{f"{key}_{r.lower()}": metric for key, (metric, _) in METRICS.items() for r in REGIONS},
    }
)
"""Every key of challenge.yaml, in its order."""
BESIDE = ("volume", "predicted_volume", "nsd_voxel", "lesion_nsd", "lesion_f1")
"""What else `harness.segmentation` measures of each case and region, in some editions only."""
MEASURED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        f"{key}_{region.lower()}": (region, name)
        for key, name in (
            *((key, name) for key, (_, name) in METRICS.items()),
            *zip(BESIDE, BESIDE, strict=True),
        )
        for region in REGIONS
    }
)
"""Column of each case -> region and name in `harness.segmentation`."""
MOST_PAIRS = 20_000
"""Scored pairs that a process remembers, some 1 kB each."""


def for_options(options: Mapping[str, str]) -> Scorer:
    """Return the judge of the edition that the options name."""
    return Scorer(RULES[options["edition"]])


@dataclass(frozen=True, slots=True)
class Scorer:
    """The judge of one edition.

    What a region scores that truth and prediction both lack, or one of them, is the edition's rule: 1 and
    0 mm, or 0 and the penalty in 2020 and 2023. In 2026 a region that both lack has no value: NaN, and the
    means are over the other cases. NaN is also what an edition does not have, such as lesions in 2020.
    """

    edition: Edition
    """Its regions speak of the coding of arrays."""

    SUFFIX: ClassVar[str] = ".zip"
    PREDICTIONS: ClassVar[Mapping[str, ArraySpec]] = {
        "labels": ArraySpec(
            (), 0, 3, integer=True, grid="grid", description="0 background, 1 NCR, 2 ED, 3 ET, whole grid"
        )
    }

    def score(
        self, truth: Arrays, predictions: Arrays, counts: NDArray[np.integer[Any]] | None = None
    ) -> dict[str, Array]:
        """Return every metric, () or (resamples,): the mean over the cases that have a value, else NaN."""
        table = self.per_case(truth, predictions)
        return {
            key: metric.compute(~np.isnan(table[key]), table[key], counts) for key, metric in COLUMNS.items()
        }

    def sizes(self, truth: Arrays, predictions: Arrays) -> dict[str, int]:
        """Return how many cases have a value, of each metric that some cases, but not all, lack."""
        known = {
            key: int((~np.isnan(values)).sum()) for key, values in self.per_case(truth, predictions).items()
        }
        return {key: known[key] for key in COLUMNS if 0 < known[key] < len(truth["labels"])}

    def per_case(self, truth: Arrays, predictions: Arrays) -> dict[str, Array]:
        """Return each case's metrics, volumes in mm3 and what else its edition measures, (n,).

        `dice` is the mean of the case's three Dice, of those that have a value.
        """
        table = _measured(self.edition, truth, predictions)
        found = dict(zip(MEASURED, table.T, strict=True))
        three = np.stack([found[f"dice_{region.lower()}"] for region in REGIONS])
        return {"dice": _mean_of_known(three), **found}

    def ranking_parts(self, truth: Arrays, predictions: Arrays) -> Array:
        """Return each case's mean Dice, (n,): what sweeps compare; NaN where no region has a value."""
        return self.per_case(truth, predictions)["dice"]

    def panel(self, truth: Arrays, predictions: Arrays) -> dict[str, Any]:
        """Return tables by region and the worst cases; they are named if `truth` holds `id`."""
        return panel(self.per_case(truth, predictions), truth.get("id"), self.edition)

    @property
    def definitions(self) -> tuple[str, ...]:
        """What must be printed beside the numbers."""
        return definitions(self.edition)

    def combine(self, folds: Sequence[Arrays]) -> dict[str, Array]:
        """Join the fold models' label maps by majority of each nested region; a tie is outside."""
        rows = zip(*(fold["labels"] for fold in folds), strict=True)
        return {"labels": column(_in_parallel(_majority, list(rows)))}

    def references(self, development: Arrays, cases: CaseSet) -> dict[str, tuple[str, dict[str, Array]]]:
        """Return the answer that needs no image: no tumour anywhere, on each case's grid."""
        shapes = [geometry.shape for geometry in output.geometries(cases)]
        empty = {shape: Volume.of(np.zeros(shape, dtype=np.uint8)) for shape in set(shapes)}
        return {
            "no_tumour": (
                "No tumour anywhere (constant)",
                {"labels": column(empty[shape] for shape in shapes)},
            )
        }

    def read_predictions(self, path: Path, cases: CaseSet) -> dict[str, Array]:
        """Read a folder or zip of NIfTI files, or one file of one case, in the order of the cases.

        Raises:
            UserError: missing, extra, doubled, malformed files, those on another grid or of another coding.
        """
        return output.read_predictions(path, cases, self.edition.name)

    def write_predictions(self, path: Path, cases: CaseSet, predictions: Arrays) -> None:
        """Write a zip of `<id>.nii.gz` in the edition's coding, each with its case's header."""
        output.write_predictions(path, cases, predictions, self.edition.name)

    def read_truth(self, path: Path, ids: Sequence[str]) -> dict[str, Array]:
        """Read a folder, zip or single file of label maps, cases in the order of `ids`."""
        return output.read_truth(path, ids, self.edition.name)

    def truth_ids(self, path: Path) -> tuple[str, ...]:
        """Return the case ids of a folder, zip or single file of label maps, sorted."""
        return output.truth_ids(path)


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean along the first axis of what is not NaN."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0))


# ------------------------------------------------------------------------------------ measuring
_known: dict[tuple[object, ...], NDArray[np.float64]] = {}
"""What this process has measured: a run asks for the same pairs some ten times."""


def _measured(edition: Edition, truth: Arrays, predictions: Arrays) -> NDArray[np.float64]:
    """Return what each case measures, (n, MEASURED); each pair of volumes once in this process."""
    pairs = list(zip(truth["labels"], predictions["labels"], truth["spacing"].tolist(), strict=True))
    rules = (edition.name, edition.labels)
    keys = [(rules, *spacing, _digest(ours), _digest(theirs)) for ours, theirs, spacing in pairs]
    known = {key: _known[key] for key in keys if key in _known}
    new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    found = _in_parallel(lambda pair: _measure(edition, *pair), list(new.values()))
    known |= dict(zip(new, found, strict=True))
    if len(_known) + len(new) > MOST_PAIRS:
        _known.clear()
    _known.update(known)
    return np.array([known[key] for key in keys], dtype=np.float64).reshape(len(keys), len(MEASURED))


def _digest(volume: Volume) -> bytes:
    where = repr((volume.shape, volume.start, volume.size)).encode()
    return hashlib.blake2b(where + volume.content, digest_size=16).digest()


def _measure(
    edition: Edition, truth: Volume, prediction: Volume, spacing: Sequence[float]
) -> NDArray[np.float64]:
    from harness.segmentation import measure

    x, y, z = spacing
    measures = measure(truth.array(), prediction.array(), (x, y, z), edition)
    return np.array([measures[region].get(name, math.nan) for region, name in MEASURED.values()])


def _in_parallel(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the results in order; as many items at once as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


# ------------------------------------------------------------------------------------ combining
def _majority(votes: Sequence[Volume]) -> Volume:
    """Return the label map whose regions are those that more than half of the volumes have.

    WT, TC and ET are voted on apart; as each volume's are nested, so are the majorities.
    """
    boxes = [(vote.start, np.add(vote.start, vote.size)) for vote in votes if any(vote.size)]
    if not boxes:
        return votes[0]
    start = np.min([first for first, _ in boxes], axis=0)
    size = np.max([last for _, last in boxes], axis=0) - start
    counts = [np.zeros(size, dtype=np.uint16, order="F") for _ in REGIONS]
    for vote in votes:
        inside, where = vote.inside(), _slices(np.subtract(vote.start, start), vote.size)
        for count, labels in zip(counts, THREE_IS_ET.values(), strict=True):
            for label in labels:
                count[where] += inside == label
    whole = np.zeros(votes[0].shape, dtype=np.uint8, order="F")
    joined = whole[_slices(start, size)]
    for count, label in zip(counts, (ED, NCR, ET), strict=True):
        joined[count > len(votes) // 2] = label
    return Volume.of(whole)


def _slices(start: Iterable[int], size: Iterable[int]) -> tuple[slice, ...]:
    return tuple(slice(int(first), int(first) + int(n)) for first, n in zip(start, size, strict=True))
