"""Label files of many cases, a folder or a zip, matched by case id; and what one file holds.

A member of a zip is never extracted under its own name: its bytes, limited, go to a file of ours.
"""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.brats.labels import ET_IN_FILES, from_file, known
from challenges.brats.names import case_of_labels
from harness.errors import UserError, refuse
from harness.segmentation.nifti import Geometry, read_labels
from harness.volumes import Volume, column

if TYPE_CHECKING:
    from harness.contracts import Arrays

__all__ = ["LabelFile", "find_labels", "read_label_file", "read_truth", "truth_of"]

DEPTH = 4
MAX_BYTES = 256 << 20
"""Of one member of a zip, inflated: 240 x 240 x 155 voxels of 8 bytes are 68 MB."""
MAX_MEMBERS = 20_000
BYTES = range(256)


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One label file, in a folder or in a zip."""

    case: str
    path: Path
    """The file, or the zip that it is in."""
    member: str = ""

    @property
    def shown(self) -> str:
        """How messages call it."""
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Give a path to read it from; of a zip's member a temporary copy.

        Raises:
            UserError: a member that cannot be read, or is larger than MAX_BYTES.
        """
        if not self.member:
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"labels{'.nii.gz' if self.member.endswith('.gz') else '.nii'}"
            copy.write_bytes(_member(self))
            yield copy


# ---------------------------------------------------------------------------------------------- a set
def find_labels(path: Path) -> dict[str, LabelFile]:
    """Return the label files of a folder or a zip by case id; no file is opened.

    Raises:
        UserError: neither, links, a case twice, or none at all.
    """
    if path.is_dir():
        listed, problems = _in_folder(path, path, 0)
    elif path.is_file() and zipfile.is_zipfile(path):
        listed, problems = _in_zip(path)
    else:
        what = "is neither a folder nor a zip" if path.exists() else "does not exist"
        raise UserError(f"{path} {what}. Name a folder or a zip of <case id>.nii.gz files.")
    of: dict[str, list[LabelFile]] = defaultdict(list)
    for file in listed:
        of[file.case].append(file)
    doubled = [files for files in of.values() if len(files) > 1]
    problems += [f"case {f[0].case} is there twice: {f[0].shown} and {f[1].shown}" for f in doubled]
    if not listed and not problems:
        problems.append("it holds no file named <case id>.nii, <case id>.nii.gz or <case id>_seg.nii.gz")
    refuse(f"{path} is no set of label files", problems)
    return {case: files[0] for case, files in sorted(of.items())}


def _in_folder(base: Path, folder: Path, depth: int) -> tuple[list[LabelFile], list[str]]:
    found: list[LabelFile] = []
    problems: list[str] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path, case = Path(entry.path), case_of_labels(entry.name)
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            shown = path.relative_to(base).as_posix()
            problems += [f"{shown} is a symbolic link; copy the file itself"] if case or path.is_dir() else []
        elif entry.is_dir() and depth < DEPTH:
            inner, wrong = _in_folder(base, path, depth + 1)
            found, problems = found + inner, problems + wrong
        elif entry.is_file() and case:
            found.append(LabelFile(case, path))
    return found, problems


def _in_zip(path: Path) -> tuple[list[LabelFile], list[str]]:
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
    if len(members) > MAX_MEMBERS:
        raise UserError(f"{path} has {len(members)} members; at most {MAX_MEMBERS} are read.")
    found, problems = [], []
    for info in members:
        name = info.filename.rpartition("/")[2]
        if info.is_dir() or name.startswith(".") or "__MACOSX" in info.filename:
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            problems.append(f"{info.filename} is a symbolic link; put the file itself into the zip")
        elif info.flag_bits & 1:
            problems.append(f"{info.filename} is encrypted")
        elif case := case_of_labels(name):
            found.append(LabelFile(case, path, info.filename))
    return found, problems


def _member(file: LabelFile) -> bytes:
    try:
        with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as stream:
            content = stream.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise UserError(f"{file.shown} cannot be read ({error}). Write the zip again.") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{file.shown} is larger than {MAX_BYTES >> 20} MB.")
    return content


# ------------------------------------------------------------------------------------------- one file
def read_label_file(file: LabelFile, edition: str) -> tuple[Volume, Geometry]:
    """Return a file's labels in the coding inside, and its geometry.

    Raises:
        UserError: no NIfTI volume of three axes, cut short, a value that is not whole, or a label that
            the edition does not know; it says which edition does.
    """
    with file.opened() as path:
        try:
            found = read_labels(path, BYTES)
        except UserError as error:
            raise UserError(str(error).replace(str(path), file.shown)) from None
    volume = Volume.of(found.labels)
    unknown = sorted(set(volume.labels()) - set(known(edition)))
    if unknown:
        raise UserError(_unknown_label(file, unknown[0], edition))
    if volume.labels()[-1:] == (ET_IN_FILES[edition],):
        volume = Volume.of(from_file(found.labels, edition))
    return volume, replace(found.geometry, path=file.path)


def _unknown_label(file: LabelFile, label: int, edition: str) -> str:
    wrong = (
        f"{file.shown} holds the label {label}; edition={edition} knows {', '.join(map(str, known(edition)))}"
    )
    others = [f"edition={name}" for name, et in ET_IN_FILES.items() if et == label]
    if not others:
        return f"{wrong}."
    care = " (or the resection cavity of 2024, which no edition here knows)" if label == 4 else ""
    return f"{wrong}. {label} is ET of {' and '.join(others)}{care}: type {others[0]} if that is what it is."


# --------------------------------------------------------------------------------------------- truth
def truth_of(rows: Sequence[tuple[Volume, Geometry]]) -> Arrays:
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
    return truth_of(read_label_files(find_labels(path), ids, edition, str(path)))


def read_label_files(
    files: Mapping[str, LabelFile], ids: Sequence[str], edition: str, where: str
) -> list[tuple[Volume, Geometry]]:
    """Read the label files of exactly the cases `ids`, in their order, several at a time.

    Raises:
        UserError: with all that is wrong, by case and file.
    """
    problems = [f"case {case} has no label file" for case in sorted(set(ids) - set(files))]
    problems += [f"{files[case].shown} is of no case" for case in sorted(set(files) - set(ids))]

    def read(case: str) -> tuple[Volume, Geometry] | str:
        try:
            return read_label_file(files[case], edition)
        except UserError as error:
            return str(error).rstrip(".")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(read, [case for case in ids if case in files]))
    refuse(f"{where} does not fit the cases", problems + [row for row in found if isinstance(row, str)])
    return [row for row in found if not isinstance(row, str)]
