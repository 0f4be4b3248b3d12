"""Read BraTS as it is distributed, by edition, and decode its images.

MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001_{flair,t1,t1ce,t2,seg}.nii[.gz]
.../BraTS2021_00000/BraTS2021_00000_{flair,t1,t1ce,t2,seg}.nii.gz
.../BraTS-GLI-00000-000/BraTS-GLI-00000-000-{t1n,t1c,t2w,t2f,seg}.nii.gz
A folder with "validation" or "test" in its name holds the test set. Where `data=` has sub-folders 2020/,
2023/ or 2026/, as the phantom has, the edition's is read, and 2023/ for 2026 where there is no 2026/.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.brats.grids import differences, grid_of
from challenges.brats.images import brain_box, intensities, statistics
from challenges.brats.label_files import LabelFile, read_label_file, read_label_files, truth_of
from challenges.brats.labels import DEFAULT, ET, edition_of
from challenges.brats.layout import CaseFolder, base_of, find
from challenges.brats.names import MODALITIES, patients
from harness.contracts import Case, CaseSet, Dataset
from harness.errors import UserError, refuse
from harness.segmentation.nifti import Geometry, read_geometry
from harness.volumes import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["MODALITIES", "PREPARATION", "RAGGED", "decode", "read", "strata"]

PREPARATION = "1"
RAGGED = ("image",)
"""Cropped to its brain, each image has its own shape."""
DEFAULTS: Mapping[str, str] = MappingProxyType({"edition": DEFAULT})
ALMOST_ALL = 0.95
"""A tumour whose largest component holds less of it has several foci."""


# ---------------------------------------------------------------------------------------------- read
def read(root: Path, truth: Path | None = None, options: Mapping[str, str] = DEFAULTS) -> Dataset:
    """Read cases and label maps; `options["edition"]` says which labels the files hold, not their names.

    Truth: `labels` (n,) of Volume, 0 background, 1 NCR, 2 ED, 3 ET whatever the edition; `spacing` (n, 3),
    mm, and `affine` (n, 4, 4) of the label file's header. The test truth lies beside the test images, or in
    the folder or zip `truth`; None without either. Of the images the headers and ends are looked at.

    Raises:
        UserError: by file, everything that is wrong: missing or doubled modalities, files of one case on
            different grids, cut short or no NIfTI volumes, labels that are not of the edition, links,
            cases that are there twice, a development case without label map.
    """
    edition = edition_of(options)
    base = base_of(root, edition)
    layout = find(base)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        opened = list(pool.map(lambda case: _opened(case, edition), sorted(layout.cases, key=lambda c: c.id)))
    unlabelled = _unlabelled(opened, truth)
    wrong = [problem for one in opened for problem in one.problems]
    refuse(f"{base} is not a BraTS data set of edition={edition}", layout.problems + wrong + unlabelled)
    of = patients([one.case.id for one in opened], layout.aliases)
    development = [one for one in opened if not one.case.test]
    test = [one for one in opened if one.case.test]
    if not development:
        raise UserError(f"{base} holds test cases only. Add the training cases, in a folder of their own.")
    return Dataset(
        CaseSet(_cases(development, of), truth_of(_rows(development))),
        CaseSet(_cases(test, of), _test_truth(test, truth, edition)),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the headers and the label map of a case say."""

    case: CaseFolder
    grid: Geometry | None
    labelled: tuple[Volume, Geometry] | None
    problems: tuple[str, ...]


def _opened(case: CaseFolder, edition: str) -> _Opened:
    problems: list[str] = []
    grid = grid_of(case.images, problems)
    labelled = None
    if case.segmentation is not None:
        try:
            labelled = read_label_file(LabelFile(case.id, case.segmentation), edition)
        except UserError as error:
            problems.append(str(error).rstrip("."))
        else:
            problems += differences(grid, labelled[1]) if grid is not None and not problems else []
    return _Opened(case, grid, labelled, tuple(problems))


def _unlabelled(opened: Sequence[_Opened], truth: Path | None) -> list[str]:
    """Return which cases lack a label map that must have one."""
    without = [one.case for one in opened if one.case.segmentation is None]
    tested = [one.case for one in opened if one.case.test]
    problems = [f"{case.path} has no label map ({case.id}_seg or -seg)" for case in without if not case.test]
    some = [case for case in tested if case.segmentation is not None]
    if some and truth is not None:
        return [*problems, f"{some[0].path} holds its test truth: leave truth={truth} out"]
    if some and len(some) < len(tested):
        problems += [f"{case.path} has no label map, other test cases have" for case in without if case.test]
    return problems


def _cases(opened: Sequence[_Opened], patient_of: Mapping[str, str]) -> tuple[Case, ...]:
    return tuple(Case(one.case.id, patient_of[one.case.id], one.case.images) for one in opened)


def _rows(opened: Sequence[_Opened]) -> list[tuple[Volume, Geometry]]:
    return [one.labelled for one in opened if one.labelled is not None]


def _test_truth(test: Sequence[_Opened], truth: Path | None, edition: str) -> Arrays | None:
    if truth is None:
        return truth_of(_rows(test)) if _rows(test) else None
    rows = read_label_files(truth, [one.case.id for one in test], edition)
    pairs = zip(test, rows, strict=True)
    wrong = [problem for one, (_, found) in pairs if one.grid for problem in differences(one.grid, found)]
    refuse(f"{truth} does not lie on the grids of the cases", wrong)
    return truth_of(rows)


# -------------------------------------------------------------------------------------------- decode
def decode(case: Case, options: Mapping[str, Any]) -> dict[str, Array]:
    """Decode one case, cropped to the box of what is not 0 in any modality.

    image (4, x, y, z) int16, in the order of MODALITIES, 0 outside the brain; grid (3,) int64, the shape
    of the files; start (3,) int64, the crop's first voxel; spacing (3,) float32, mm; mean and std (4,)
    float32 of each modality's voxels that are not 0. Values are the file's where all of them are whole and
    fit into int16; else a modality is multiplied by one factor, so that its largest magnitude is 32767, and
    rounded. There is no preparation option.

    Raises:
        UserError: a file that is not whole, that differs in shape from the first, that holds a value
            which is no number or nothing but 0, by name; any option.
    """
    if options:
        raise UserError(
            f"BraTS has no preparation option, but got {', '.join(sorted(options))}. Leave it out."
        )
    images = [intensities(path) for path in case.files]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise UserError(f"{case.files[0].parent} has changed since it was read. Type the same again.")
    start, end = brain_box(images)
    crop = tuple(slice(first, last) for first, last in zip(start, end, strict=True))
    image = np.stack([image[crop] for image in images])
    mean, std = statistics(image)
    return {
        "image": image,
        "grid": np.array(images[0].shape, dtype=np.int64),
        "start": start,
        "spacing": np.array(read_geometry(case.files[0]).spacing, dtype=np.float32),
        "mean": mean,
        "std": std,
    }


# -------------------------------------------------------------------------------------------- strata
def strata(truth: Arrays) -> NDArray[np.bool_]:
    """Return whether there is ET, a tumour above the median volume, and several foci, (n, 3)."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        facts = np.array(list(pool.map(_facts, truth["labels"])), dtype=np.float64).reshape(-1, 3)
    volume = facts[:, 1] * truth["spacing"].prod(axis=1)
    return np.column_stack([facts[:, 0] > 0, volume > np.median(volume), facts[:, 2] < ALMOST_ALL])


def _facts(volume: Volume) -> tuple[float, float, float]:
    """Return voxels of ET, voxels of tumour, and the share that the largest component has (26 neighbours)."""
    import cc3d

    inside = volume.inside()
    total = int(np.count_nonzero(inside))
    if not total:
        return 0.0, 0.0, 1.0
    sizes = cc3d.statistics(cc3d.connected_components(inside > 0, connectivity=26))["voxel_counts"][1:]
    return float((inside == ET).any()), float(total), float(sizes.max() / total)
