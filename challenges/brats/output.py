"""Prediction sets: a folder or a zip of NIfTI files matched by case id, read; a zip, written."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from challenges.brats import label_files
from challenges.brats.grids import differences, orientation
from challenges.brats.labels import to_file
from challenges.brats.names import case_of_labels
from harness import archive
from harness.errors import UserError, refuse
from harness.safe_open import MEGABYTE
from harness.segmentation.nifti import Geometry, geometry_of, read_geometry
from harness.volumes import Volume, column

if TYPE_CHECKING:
    from harness.archive import Files
    from harness.contracts import Array, Arrays, Case, CaseSet

__all__ = ["geometries", "read_predictions", "read_truth", "truth_ids", "write_predictions"]

ENDINGS = (".nii", ".nii.gz")
WIDEST = 8
"""Bytes of a voxel in the widest type that is read."""
FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every member, so that the same predictions are the same bytes."""
HEADER = 348
"""Bytes of a NIfTI-1 header; four more say that no extension follows."""


def geometries(cases: CaseSet) -> list[Geometry]:
    """Return the grid of each case: its truth's, or that of its first image where there is no truth."""
    if cases.truth is None:
        return [read_geometry(case.files[0]) for case in cases.cases]
    rows = zip(cases.cases, *(cases.truth[key] for key in ("labels", "spacing", "affine")), strict=True)
    return [
        Geometry(Path(f"case {case.id}"), volume.shape, tuple(spacing.tolist()), affine)
        for case, volume, spacing, affine in rows
    ]


# --------------------------------------------------------------------------------------- predictions
def read_predictions(path: Path, cases: CaseSet, edition: str) -> dict[str, Array]:
    """Read `<id>.nii[.gz]`, `<id>_seg...` or `<id>-seg...` of each case, or one file of a single case.

    Gives labels (n,) of Volume, in the coding inside. Files lie in a folder or a zip, at most four folders
    deep, in the edition's coding, on the grids of the cases: nothing is resampled, nothing taken from a
    prediction's header.

    Raises:
        UserError: everything that is missing, extra, doubled, malformed, of another grid or coding, by file.
    """
    grids = geometries(cases)
    with archive.opened(path) as files:
        chosen, problems = _matched(path, files, cases.ids)

        def read(row: int) -> Volume | str:
            name = chosen.get(cases.ids[row])
            if name is None:
                return ""
            try:
                return _read(files, name, grids[row], edition)
            except UserError as error:
                return str(error).rstrip(".")

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(read, range(len(grids))))
    problems += [row for row in found if isinstance(row, str) and row]
    refuse(f"{path} does not fit the cases", problems)
    return {"labels": column(row for row in found if isinstance(row, Volume))}


def _matched(path: Path, files: Files, ids: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the file of each case that has exactly one, and what is missing, extra or doubled."""
    if files.kind == "file":
        if len(ids) == 1:
            return {ids[0]: files.names[0]}, []
        raise UserError(f"{path} is one file, but there are {len(ids)} cases. Name a folder or a zip.")
    of: dict[str, list[str]] = defaultdict(list)
    extra, wanted = [], set(ids)
    for name in files.names:
        case = _case_of(PurePosixPath(name).name, wanted)
        if case is None:
            extra.append(name)
        else:
            of[case].append(name)
    problems = [f"case {case} has no file" for case in ids if case not in of]
    problems += [
        f"case {case} has {len(names)} files: {', '.join(names)}"
        for case, names in of.items()
        if len(names) > 1
    ]
    problems += [f"{name} is of no case" for name in extra]
    return {case: names[0] for case, names in of.items() if len(names) == 1}, problems


def _case_of(name: str, ids: Collection[str]) -> str | None:
    """Return the case whose label file bears this name; an id may itself end in "_seg"."""
    ending = next((end for end in ENDINGS[::-1] if name.endswith(end)), None)
    stem = name.removesuffix(ending) if ending else ""
    return next((case for case in (stem, case_of_labels(name)) if case in ids), None)


def _read(files: Files, name: str, grid: Geometry, edition: str) -> Volume:
    """Return one label map; the header is looked at before the voxels are inflated."""
    shown = Path(files.shown(name))
    content = files.read(name, WIDEST * math.prod(grid.shape) + 2 * MEGABYTE)
    found = geometry_of(shown, content)
    for difference in differences(grid, found):
        raise UserError(f"{difference}: {_advice(grid, found)}.")
    return label_files.decoded(shown, content, edition)[0]


def _advice(grid: Geometry, found: Geometry) -> str:
    axes = [orientation(one.affine) for one in (grid, found)]
    if grid.shape == found.shape and axes[0] != axes[1]:
        return (
            "reorient it to the axes of the case; or, if its voxels lie in the case's order and only its "
            "header is wrong, write it with the header of the case's images"
        )
    return (
        "resample it to the grid of the case (nearest neighbour) and write it with the header of its images"
    )


# --------------------------------------------------------------------------------------------- truth
def truth_ids(path: Path) -> tuple[str, ...]:
    """Return the case ids of a folder, a zip or a single label file, sorted.

    Raises:
        UserError: no such thing.
    """
    return (_single_id(path),) if _is_single(path) else tuple(sorted(label_files.find_labels(path)))


def read_truth(path: Path, ids: Sequence[str], edition: str) -> dict[str, Array]:
    """Read exactly the cases `ids`, in their order, from a folder, a zip or a single label file.

    Raises:
        UserError: missing, extra or doubled cases, and everything wrong with a file.
    """
    if not _is_single(path):
        return dict(label_files.read_truth(path, ids, edition))
    if len(ids) != 1:
        raise UserError(f"{path} is one label file, but there are {len(ids)} cases. Name a folder or a zip.")
    file = label_files.LabelFile(ids[0], path)
    return dict(label_files.truth_of([label_files.read_label_file(file, edition)]))


def _is_single(path: Path) -> bool:
    return path.is_file() and path.name.endswith(ENDINGS)


def _single_id(path: Path) -> str:
    return case_of_labels(path.name) or path.name.partition(".nii")[0]


# -------------------------------------------------------------------------------------------- writing
def write_predictions(path: Path, cases: CaseSet, predictions: Arrays, edition: str) -> None:
    """Write a zip of `<id>.nii.gz`: uint8 in the edition's coding, each with the header of its case.

    The same predictions are the same bytes.
    """
    rows = list(zip(cases.cases, geometries(cases), predictions["labels"], strict=True))
    with ThreadPoolExecutor(os.cpu_count()) as pool, zipfile.ZipFile(path, "w") as file:
        packed = pool.map(lambda row: _packed(row[0], row[1], row[2], edition), rows)
        for case, content in zip(cases.cases, packed, strict=True):
            member = zipfile.ZipInfo(f"{case.id}.nii.gz", FIRST_DAY)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            file.writestr(member, content)


def _packed(case: Case, grid: Geometry, volume: Volume, edition: str) -> bytes:
    voxels = to_file(volume.array(), edition).tobytes(order="F")
    return gzip.compress(_header(case, grid) + bytes(4) + voxels, 6, mtime=0)


def _header(case: Case, grid: Geometry) -> bytes:
    """Return the header of the case's first image for uint8 labels, or one of its grid alone."""
    own = _own_header(case)
    head = bytearray(own if own is not None else _plain_header(grid))
    order = "<" if head[:4] == struct.pack("<i", HEADER) else ">"
    fields = (("8h", 40, (3, *grid.shape, 1, 1, 1, 1)), ("3f", 56, (0, 0, 0)), ("3h", 68, (0, 2, 8)))
    floats = (("3f", 108, (HEADER + 4, 1, 0)), ("2f", 124, (0, 0)))
    for form, offset, values in (*fields, *floats):
        struct.pack_into(order + form, head, offset, *values)
    head[148:252] = bytes(104)  # what the image says of itself
    head[344:348] = b"n+1\0"
    return bytes(head)


def _own_header(case: Case) -> bytes | None:
    """Return the first image's header; None without an image, or if it is no NIfTI-1."""
    if not case.files:
        return None
    with case.files[0].open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(case.files[0]) if packed else case.files[0].open("rb") as file:
        head = file.read(HEADER)
    return head if head[:4] in (struct.pack("<i", HEADER), struct.pack(">i", HEADER)) else None


def _plain_header(grid: Geometry) -> bytes:
    head = bytearray(HEADER)
    struct.pack_into("<i", head, 0, HEADER)
    struct.pack_into("<8f", head, 76, 1, *grid.spacing, 0, 0, 0, 0)
    head[123] = 2  # mm
    struct.pack_into("<2h", head, 252, 0, 1)
    struct.pack_into("<12f", head, 280, *grid.affine[:3].ravel())
    return bytes(head)
