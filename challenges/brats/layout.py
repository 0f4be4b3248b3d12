"""The folders of a BraTS data set: which cases there are, with which files, of which half and patient."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from challenges.brats.names import MODALITIES, NAMINGS, SEGMENTATION, Named, is_case_id, parse
from harness.errors import UserError
from harness.safe_open import read_text

__all__ = ["CaseFolder", "Layout", "base_of", "find"]

DEPTH = 4
"""A case's folder lies at most so deep."""
IGNORED = {"__MACOSX"}
TEST_WORDS = ("validation", "test")
ENDINGS = (".nii", ".nii.gz")
SUBFOLDERS = {"2020": ("2020",), "2023": ("2023",), "2026": ("2026", "2023")}
"""Where the root has folders by edition: which of them an edition reads, the first that is there."""
MAPPING = "name_mapping"
NO_ID = {"", "NA", "NAN", "N/A", "NONE"}


@dataclass(frozen=True, slots=True)
class CaseFolder:
    """One case whose files are all there."""

    id: str
    path: Path
    images: tuple[Path, ...]
    """In the order of MODALITIES."""
    segmentation: Path | None
    test: bool


@dataclass(slots=True)
class Layout:
    """What a walk through the folders found."""

    cases: list[CaseFolder] = field(default_factory=list)
    aliases: list[list[str]] = field(default_factory=list)
    """Ids of one patient, of the rows of name_mapping*.csv."""
    problems: list[str] = field(default_factory=list)


def base_of(root: Path, edition: str) -> Path:
    """Return the folder to read: `root`, or its sub-folder of the edition where it has such.

    Raises:
        UserError: no folder, or one with sub-folders of other editions only.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder. Point data= at the folder that holds the cases' folders.")
    there = [
        name for name in sorted({n for names in SUBFOLDERS.values() for n in names}) if _dir(root / name)
    ]
    if not there:
        return root
    for name in SUBFOLDERS[edition]:
        if name in there:
            return root / name
    fitting = [known for known, names in SUBFOLDERS.items() if set(names) & set(there)]
    raise UserError(
        f"{root} holds {', '.join(f'{name}/' for name in there)} but nothing for edition={edition}. "
        f"Type {' or '.join(f'edition={name}' for name in fitting)}."
    )


def _dir(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def find(base: Path) -> Layout:
    """Walk through the folders; what is wrong is gathered in `problems`, by file. Only tables are opened."""
    layout = Layout()
    _walk(base, base, 0, layout)
    if not layout.cases and not layout.problems:
        layout.problems.append(
            "no folder in it is a case such as BraTS20_Training_001/BraTS20_Training_001_flair.nii.gz or "
            "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t2f.nii.gz (the Medical Segmentation Decathlon has "
            "another layout and other label codes, and is not read)"
        )
    layout.problems += _doubled(layout.cases, base)
    return layout


def _walk(base: Path, folder: Path, depth: int, layout: Layout) -> None:
    files: list[str] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name in IGNORED:
            continue
        if entry.is_symlink():
            if path.is_dir() or entry.name.endswith((*ENDINGS, ".csv")):
                layout.problems.append(f"{_shown(path, base)} is a symbolic link; copy the file itself")
        elif entry.is_dir():
            if depth < DEPTH:
                _walk(base, path, depth + 1, layout)
        elif not entry.is_file():
            layout.problems.append(f"{_shown(path, base)} is no regular file")
        elif entry.name.endswith(ENDINGS):
            files.append(entry.name)
        elif entry.name.startswith(MAPPING) and entry.name.endswith(".csv"):
            layout.aliases += _rows_of_one(path)
    _add_case(base, folder, files, layout)


def _shown(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix()


# -------------------------------------------------------------------------------------------- one case
def _add_case(base: Path, folder: Path, files: Sequence[str], layout: Layout) -> None:
    """Add a folder that holds modality files, or is named as a case, or what is wrong with it."""
    parts = {name: named for name in files if (named := parse(name, folder.name))}
    modal = [name for name, named in parts.items() if named.part != SEGMENTATION]
    if not modal and not is_case_id(folder.name):
        return
    if folder == base and modal:
        layout.problems.append(f"{modal[0]} lies outside a folder named after its case")
        return
    problems = list(_problems(parts, folder.name))
    layout.problems += [f"{_shown(folder, base)}/{problem}" for problem in problems]
    if not problems:
        path_of = {named.modality: folder / name for name, named in parts.items()}
        images = tuple(path_of[modality] for modality in MODALITIES)
        test = any(word in part.lower() for part in folder.relative_to(base).parts for word in TEST_WORDS)
        layout.cases.append(CaseFolder(folder.name, folder, images, path_of.get(SEGMENTATION), test))


def _problems(parts: dict[str, Named], case: str) -> Iterator[str]:
    of: dict[str, list[str]] = defaultdict(list)
    for name, named in parts.items():
        if named.case != case:
            yield f"{name} is not named after its folder"
        else:
            of[named.modality].append(name)
    used = sorted({k for named in parts.values() if (k := named.naming) is not None})
    if len(used) > 1:
        yield f" holds names of two editions: {', '.join(sorted(parts))}"
    words = NAMINGS[used[0] if used else 0]
    missing = [word for word, modality in zip(words, MODALITIES, strict=True) if modality not in of]
    if missing:
        yield f" lacks {', '.join(missing)}"
    for modality, names in sorted(of.items()):
        if len(names) > 1:
            yield f" holds {modality} {len(names)} times: {', '.join(sorted(names))}"


def _doubled(cases: Sequence[CaseFolder], base: Path) -> Iterator[str]:
    homes: dict[str, list[CaseFolder]] = defaultdict(list)
    for case in cases:
        homes[case.id].append(case)
    for name, found in sorted(homes.items()):
        if len(found) > 1:
            where = " and ".join(_shown(case.path, base) for case in found)
            both = ", in the development set and in the test set" * (len({case.test for case in found}) > 1)
            yield f"case {name} is there {len(found)} times{both}: {where}"


# -------------------------------------------------------------------------------------------- patients
def _rows_of_one(path: Path) -> Iterator[list[str]]:
    """Yield the ids of each row of a table of names: its columns *subject_ID."""
    rows = csv.reader(read_text(path).splitlines())
    header = next(rows, [])
    columns = [k for k, name in enumerate(header) if name.strip().lower().endswith("subject_id")]
    for row in rows:
        ids = [row[k].strip() for k in columns if k < len(row)]
        yield _real(ids)


def _real(ids: Iterable[str]) -> list[str]:
    return [name for name in ids if name.upper() not in NO_ID]
