"""The films of `chest_xray/`: which files there are, whose, and which are the same."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from challenges.pneumonia.names import AGENTS, FOLDERS, FORMS, NORMAL, UNKNOWN, Named, parse
from harness.errors import UserError, refuse
from harness.images import jpeg_problem

SPLITS = ("train", "val", "test")
IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini"}
NESTED = "chest_xray"
ENDINGS = (".jpeg", ".jpg")
PICTURES = (*ENDINGS, ".png", ".dcm", ".tif", ".tiff", ".bmp", ".gif", ".webp")


@dataclass(frozen=True, slots=True)
class Film:
    """One image of the layout."""

    id: str
    path: Path
    patient: str
    pneumonia: int | None
    """None in a test folder without classes."""
    agent: int

    @property
    def test(self) -> bool:
        """Whether it is in the test set; `val` is part of the development set."""
        return self.id.startswith("test/")


def base_of(root: Path) -> Path:
    """Return the folder that holds train/ and test/: `root`, or chest_xray/ in it, or once more below.

    Raises:
        UserError: there is none.
    """
    for folder in (root, root / NESTED, root / NESTED / NESTED):
        if (folder / "train").is_dir():
            return folder
    raise UserError(
        f"{root} is not the chest X-ray data: neither it nor chest_xray/ in it holds a folder train/. "
        "Point data= at the folder that holds chest_xray/."
    )


def read_films(base: Path) -> list[Film]:
    """Return every film, the patients of identical ones merged; the images are looked at, not decoded.

    Raises:
        UserError: a missing or unknown folder, a file that is no JPEG, a name of unknown form or
            against its folder, or one image with two labels or in both sets; by name.
    """
    refuse(f"{base} is not laid out as chest_xray/{{train,val,test}}/{{NORMAL,PNEUMONIA}}", _misplaced(base))
    problems: list[str] = []
    films: list[Film] = []
    for split in SPLITS:
        for folder, labelled in _homes(base / split):
            for path in _visible(folder):
                found = _film(path, base, split, folder.name if labelled else None)
                if isinstance(found, Film):
                    films.append(found)
                else:
                    problems.append(found)
    refuse(f"{base} holds files that are no films of the data set", problems + _doubled(films))
    return _merged(films, identical(films))


# ------------------------------------------------------------------------------------------- layout
def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    names = sorted(entry.name for entry in os.scandir(folder))
    return [folder / name for name in names if not name.startswith(".") and name not in IGNORED]


def _flat(folder: Path) -> bool:
    return folder.name == "test" and not any((folder / name).is_dir() for name in FOLDERS)


def _homes(folder: Path) -> list[tuple[Path, bool]]:
    """Return the folders of a split that hold films, and whether their name is the class."""
    return [(folder, False)] if _flat(folder) else [(folder / name, True) for name in FOLDERS]


def _misplaced(base: Path) -> list[str]:
    known = {*SPLITS, NESTED}
    problems = [
        f"{path.name}{'/ is an unknown folder' if path.is_dir() else ' lies outside the folders'}"
        for path in _visible(base)
        if path.name not in known and (path.is_dir() or path.suffix.lower() in PICTURES)
    ]
    for split in SPLITS:
        folder = base / split
        if folder.is_dir():
            problems += _misplaced_in(folder)
        elif split != "val":
            problems.append(f"{split}/ is missing")
    return problems


def _misplaced_in(folder: Path) -> Iterator[str]:
    if _flat(folder):
        if not _visible(folder):
            yield f"{folder.name}/ holds no film"
        for path in _visible(folder):
            if path.is_dir():
                yield f"{folder.name}/{path.name}/ is an unknown folder; known: {', '.join(FOLDERS)}"
        return
    for path in _visible(folder):
        if path.name in FOLDERS and path.is_dir():
            continue
        what = "is an unknown folder" if path.is_dir() else "lies outside the class folders"
        yield f"{folder.name}/{path.name}{'/' * path.is_dir()} {what}; known: {', '.join(FOLDERS)}"
    for name in FOLDERS if folder.name != "val" else ():
        if not _visible(folder / name):
            yield f"{folder.name}/{name}/ {'holds no film' if (folder / name).is_dir() else 'is missing'}"


# -------------------------------------------------------------------------------------------- files
def _film(path: Path, base: Path, split: str, folder: str | None) -> Film | str:
    """Return the film, or what is wrong with the file."""
    shown = path.relative_to(base).as_posix()
    if path.is_dir():
        return f"{shown}/ is an unknown folder"
    if path.suffix.lower() not in ENDINGS:
        return f"{shown} is not named *.jpeg"
    if (problem := jpeg_problem(path)) is not None:
        return f"{shown} {problem}"
    named = parse(path.stem)
    case = f"{split}/{path.stem}"
    if folder is None:
        return Film(case, path, named.patient if named else case, None, UNKNOWN)
    if named is None:
        return f"{shown} has a name of unknown form; known: {FORMS}"
    if (named.agent == NORMAL) != (folder == FOLDERS[NORMAL]):
        return f"{shown} is named as {AGENTS[named.agent]} but lies in {folder}"
    return _labelled(case, path, named)


def _labelled(case: str, path: Path, named: Named) -> Film:
    return Film(case, path, named.patient, int(named.agent != NORMAL), named.agent)


def _doubled(films: Sequence[Film]) -> list[str]:
    first: dict[str, Film] = {}
    doubled = [(film, first.setdefault(film.id, film)) for film in films]
    return [
        f"{film.path.name} and {other.path.name} are both {film.id}"
        for film, other in doubled
        if film is not other
    ]


# ------------------------------------------------------------------------------------- the same film
def identical(films: Sequence[Film]) -> list[list[Film]]:
    """Return the groups of byte-identical films, of two or more.

    Only files of one size can be equal, so that few have to be read (SHA-256).
    """
    sizes: dict[int, list[Film]] = defaultdict(list)
    for film in films:
        sizes[film.path.stat().st_size].append(film)
    contents: dict[str, list[Film]] = defaultdict(list)
    for same_size in sizes.values():
        for film in same_size if len(same_size) > 1 else ():
            contents[hashlib.sha256(film.path.read_bytes()).hexdigest()].append(film)
    return [group for group in contents.values() if len(group) > 1]


def contradictions(groups: Sequence[Sequence[Film]]) -> list[str]:
    """Return the groups of identical films that have two labels, or are in both sets."""
    problems = []
    for group in groups:
        names = " and ".join(film.id for film in group)
        if len({film.agent for film in group if film.pneumonia is not None}) > 1:
            problems.append(f"{names} are one image with different labels")
        elif len({film.test for film in group}) > 1:
            problems.append(f"{names} are one image in the development set and in the test set")
    return problems


def merged_patients(groups: Sequence[Sequence[str]]) -> Mapping[str, str]:
    """Return, for the patients named in groups that belong together, the one name of all of them."""
    head: dict[str, str] = {}

    def find(patient: str) -> str:
        while head.setdefault(patient, patient) != patient:
            patient = head[patient]
        return patient

    for group in groups:
        roots = sorted({find(patient) for patient in group})
        for root in roots[1:]:
            head[root] = roots[0]
    return {patient: find(patient) for patient in list(head)}


def _merged(films: Sequence[Film], groups: Sequence[Sequence[Film]]) -> list[Film]:
    refuse("One image is two cases that exclude each other", contradictions(groups))
    head = merged_patients([[film.patient for film in group] for group in groups])
    return [Film(f.id, f.path, head.get(f.patient, f.patient), f.pneumonia, f.agent) for f in films]
