"""Label files of many cases, a folder or a zip, matched by case id; and what one file holds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from challenges.brats.labels import ET_IN_FILES, from_file, known
from challenges.brats.names import case_of_labels
from harness import archive
from harness.errors import UserError, refuse
from harness.safe_open import MEGABYTE
from harness.segmentation.nifti import Geometry, labels_of
from harness.volumes import Volume, column

if TYPE_CHECKING:
    from harness.contracts import Arrays

__all__ = [
    "LabelFile",
    "decoded",
    "find_labels",
    "read_label_file",
    "read_label_files",
    "read_truth",
    "truth_of",
]

LARGEST = 256 * MEGABYTE
"""A label file, inflated: 240 x 240 x 155 voxels of 8 bytes are 71 MB."""
BYTES = range(256)
Labelled = tuple[Volume, Geometry]


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One label file in a folder."""

    case: str
    path: Path


# ---------------------------------------------------------------------------------------------- a set
def find_labels(path: Path) -> dict[str, str]:
    """Return the label files of a folder or a zip, case id -> path inside it; none of them is opened.

    Raises:
        UserError: neither, links, a case twice, or none at all.
    """
    with archive.opened(path) as files:
        if files.kind == "file":
            raise UserError(f"{path} is neither a folder nor a zip of files named <case id>.nii.gz.")
        of: dict[str, list[str]] = defaultdict(list)
        for name in files.names:
            if case := case_of_labels(PurePosixPath(name).name):
                of[case].append(name)
    problems = [
        f"case {case} is there twice: {' and '.join(names)}" for case, names in of.items() if names[1:]
    ]
    if not of:
        problems.append("it holds no file named <case id>.nii, <case id>.nii.gz or <case id>_seg.nii.gz")
    refuse(f"{path} is no set of label files", problems)
    return {case: names[0] for case, names in sorted(of.items())}


def read_label_files(path: Path, ids: Sequence[str], edition: str) -> list[Labelled]:
    """Read the label files of exactly the cases `ids`, in their order, several at a time.

    Raises:
        UserError: not a folder or zip of them; else with all that is missing, extra or wrong, by file.
    """
    names = find_labels(path)
    problems = [f"case {case} has no label file" for case in sorted(set(ids) - set(names))]
    problems += [f"{names[case]} is of no case" for case in sorted(set(names) - set(ids))]
    with archive.opened(path) as files:

        def read(case: str) -> Labelled | str:
            try:
                return decoded(Path(files.shown(names[case])), files.read(names[case], LARGEST), edition)
            except UserError as error:
                return str(error).rstrip(".")

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(read, [case for case in ids if case in names]))
    refuse(f"{path} does not fit the cases", problems + [row for row in found if isinstance(row, str)])
    return [row for row in found if not isinstance(row, str)]


# ------------------------------------------------------------------------------------------- one file
def read_label_file(file: LabelFile, edition: str) -> Labelled:
    """Return a file's labels in the coding inside, and its geometry.

    Raises:
        UserError: as `decoded`.
    """
    return decoded(file.path, file.path.read_bytes(), edition)


def decoded(path: Path, content: bytes, edition: str) -> Labelled:
    """Return the labels of a file with these bytes, in the coding inside, and its geometry.

    Raises:
        UserError: no NIfTI volume of three axes, cut short, a value that is not whole, or a label that
            the edition does not know; it says which edition does. `path` is what it calls the file.
    """
    found = labels_of(path, content, BYTES)
    volume = Volume.of(found.labels)
    unknown = sorted(set(volume.labels()) - set(known(edition)))
    if unknown:
        raise UserError(_unknown_label(path, unknown[0], edition))
    inside = from_file(found.labels, edition)
    return volume if inside is found.labels else Volume.of(inside), found.geometry


def _unknown_label(path: Path, label: int, edition: str) -> str:
    wrong = f"{path} holds the label {label}; edition={edition} knows {', '.join(map(str, known(edition)))}"
    others = [f"edition={name}" for name, et in ET_IN_FILES.items() if et == label]
    if not others:
        return f"{wrong}."
    care = " (or the resection cavity of 2024, which no edition here knows)" if label == 4 else ""
    return f"{wrong}. {label} is ET of {' and '.join(others)}{care}: type {others[0]} if that is what it is."


# --------------------------------------------------------------------------------------------- truth
def truth_of(rows: Sequence[Labelled]) -> Arrays:
    """Return labels, spacing and affine of these cases, in their order."""
    return {
        "labels": column(volume for volume, _ in rows),
        "spacing": np.array([grid.spacing for _, grid in rows], dtype=np.float64).reshape(-1, 3),
        "affine": np.array([grid.affine for _, grid in rows], dtype=np.float64).reshape(-1, 4, 4),
    }


def read_truth(path: Path, ids: Sequence[str], edition: str) -> Arrays:
    """Read a folder or zip that holds exactly the cases `ids`; the truth in their order.

    Raises:
        UserError: missing, extra and doubled cases, and everything wrong with a file.
    """
    return truth_of(read_label_files(path, ids, edition))
