"""A run's pictures of chosen cases, checked and laid out as files of the site.

<run>/viewer/viewer.json names the pictures, the label maps and the scores of a few cases of the out-of-fold
half. Its words are text and its numbers are checked; of its files only pictures and NIfTI files that are what
their names say are copied. A picture lies once on a board, named by its content, whatever number of entries
show the case.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records import RunRecord, dump
from leaderboard.panels import Cell, cell_of
from leaderboard.text import clean
from leaderboard.wording import say, templates

__all__ = ["NO_SLICES", "PLANES", "CaseView", "Plane", "Slices", "ViewerView", "slices_of"]

FOLDER, INDEX = "viewer", "viewer.json"
MOST_CASES, MOST_PICTURES, MOST_LABELS, MOST_ROWS = 12, 12, 40, 40
MOST_VOXELS, LONGEST_SIDE = 2**26, 2048
LARGEST = 64 << 20
"""Bytes of one file."""
PATH = re.compile(r"([a-z][a-z0-9_]{0,30})/([A-Za-z0-9][A-Za-z0-9._-]{0,120})")
COLOUR = re.compile(r"#[0-9a-f]{6}")
STARTS = {".webp": b"RIFF", ".png": b"\x89PNG\r\n\x1a\n", ".nii.gz": b"\x1f\x8b"}
UNREADABLE = say("viewer.unreadable")


@dataclass(frozen=True, slots=True)
class Plane:
    """One pane: the axes of what is shown, 0 to the patient's left, 1 backwards, 2 downwards."""

    name: str
    across: int
    down: int
    through: int

    @property
    def letters(self) -> tuple[tuple[str, str], ...]:
        """Where on the pane which direction is written."""
        first, last = zip(*(ENDS[axis] for axis in (self.across, self.down)), strict=True)
        return tuple(zip(("left", "top", "right", "bottom"), (*first, *last), strict=True))


ENDS = (("R", "L"), ("A", "P"), ("S", "I"))
PLANES = (
    Plane(say("viewer.axial"), 0, 1, 2),
    Plane(say("viewer.coronal"), 0, 2, 1),
    Plane(say("viewer.sagittal"), 1, 2, 0),
)
ROLES = {name: say(f"viewer.{name}") for name in ("best", "median", "worst")}
WORDS = templates("viewer", "readout", "nothing", "broken")


@dataclass(frozen=True, slots=True)
class Download:
    """A file beside the page."""

    title: str
    href: str
    size: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case."""

    id: str
    role: str
    score: str
    preview: str
    """A picture for a page without scripts; where it lies as seen from the page, as in all names here."""
    script: str
    """The file with its label maps and the names of its pictures."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    downloads: tuple[Download, ...]


@dataclass(frozen=True, slots=True)
class ViewerView:
    """The slice viewer of an entry's page."""

    about: str
    legend: str
    pictures: tuple[str, ...]
    """Their titles, such as the modalities of a scan; every case has them all."""
    first: int
    labels: tuple[tuple[int, str, bool], ...]
    """Value, name, and whether its fill is hatched."""
    content: str
    """What the script needs of them, as JSON that may stand in a script element."""
    cases: tuple[CaseView, ...]
    note: str = ""
    """Why nothing is shown."""
    planes: tuple[Plane, ...] = PLANES


@dataclass(frozen=True, slots=True)
class Slices:
    """The viewer and the files that it needs, by their names in the board's folder."""

    view: ViewerView | None = None
    files: tuple[tuple[str, bytes], ...] = ()


NO_SLICES = Slices()


def slices_of(runs: Path, record: RunRecord, entry: str) -> Slices:
    """Return the viewer of a run for the page `entries/<entry>.html`; nothing where the run has none."""
    if record.entry.route != "code" or not re.fullmatch(r"\w[\w.\-]*", record.run_id):
        return NO_SLICES
    place = f"{runs}/{record.challenge.name}/{record.run_id}/{FOLDER}"  # paths take longer a thousand times
    if not os.path.isfile(f"{place}/{INDEX}"):
        return NO_SLICES
    folder = Path(place)
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return _slices(_Reader(folder, entry), content)
    except (OSError, ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return Slices(ViewerView("", "", (), 0, (), "", (), note=UNREADABLE))


def _slices(reader: _Reader, content: Mapping[str, Any]) -> Slices:
    pictures = tuple(clean(title, 40) for title in content["pictures"][:MOST_PICTURES])
    labels = [_label(label) for label in content["labels"][:MOST_LABELS]]
    cases = [
        _case(reader, number, case, len(pictures))
        for number, case in enumerate(content["cases"][:MOST_CASES])
    ]
    view = ViewerView(
        about=clean(content["about"], 300),
        legend=clean(content["legend"], 400),
        pictures=pictures,
        first=_whole(content["first"], 0, len(pictures) - 1),
        labels=tuple((value, label["name"], label["hatched"]) for value, label in labels),
        content=_embedded({"labels": dict(labels), "words": WORDS}),
        cases=tuple(cases),
    )
    return Slices(view, tuple(reader.files.items()))


def _label(label: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    colour = label["colour"]
    if not COLOUR.fullmatch(colour):
        raise ValueError(f"{colour!r} is no colour")
    return _whole(label["value"], 1, 255), {
        "name": clean(label["name"], 40),
        "colour": colour,
        "rgb": list(bytes.fromhex(colour[1:])),
        "hatched": label["hatched"] is True,
    }


# ------------------------------------------------------------------------------------------ one case
def _case(reader: _Reader, number: int, case: Mapping[str, Any], n_pictures: int) -> CaseView:
    """Return a case's part of the page; its files are left with the reader.

    Raises:
        ValueError: for a number or a file that is not what it must be, as for all that is called here.
    """
    pictures = [reader.picture(path) for path in case["pictures"]]
    if len(pictures) != n_pictures:
        raise ValueError(f"{len(pictures)} pictures of {n_pictures}")
    columns, rows = case["scores"]["columns"][:MOST_ROWS], case["scores"]["rows"][:MOST_ROWS]
    return CaseView(
        id=clean(case["id"], 200),
        role=ROLES.get(case["role"]) or clean(case["role"], 40).capitalize(),
        score=cell_of(case["score"]).text,
        preview=reader.picture(case["preview"]),
        script=reader.script(number, {**_geometry(case), "pictures": pictures}),
        columns=tuple(clean(name, 60) for name in columns),
        rows=tuple(tuple(cell_of(value) for value in row[: len(columns)]) for row in rows),
        downloads=tuple(
            reader.download(clean(file["title"], 60), file["file"]) for file in case["downloads"][:MOST_ROWS]
        ),
    )


def _geometry(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers that the script draws by, each within its bounds."""
    size = [_whole(n, 1, LONGEST_SIDE) for n in _three(case["size"])]
    if math.prod(size) > MOST_VOXELS:
        raise ValueError(f"{size} voxels are too many")
    image = _place(case["image"], size)
    return {
        "size": size,
        "spacing": [_length(mm) for mm in _three(case["spacing"])],
        "at": [_whole(k, 0, n - 1) for k, n in zip(_three(case["at"]), size, strict=True)],
        "index": [_index(*row) for row in _three(case["index"])],
        "image": {**image, "columns": _whole(case["image"]["columns"], 1, LONGEST_SIDE)},
        **{side: _labels(case[side], size) for side in ("truth", "prediction")},
    }


def _labels(part: Mapping[str, Any], size: Sequence[int]) -> dict[str, Any]:
    """Return a label map whose text inflates to as many bytes as it has voxels."""
    place, n = _place(part, size), math.prod(part["size"])
    try:
        stream = zlib.decompressobj()
        inside = stream.decompress(base64.b64decode(part["deflated"], validate=True), n + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"no label map: {error}") from None
    if len(inside) != n or not stream.eof:
        raise ValueError(f"{len(inside)} labels of {n}")
    return {**place, "deflated": str(part["deflated"])}


def _place(part: Mapping[str, Any], size: Sequence[int]) -> dict[str, Any]:
    found = [_whole(n, 0, most) for n, most in zip(_three(part["size"]), size, strict=True)]
    most = [whole - n for whole, n in zip(size, found, strict=True)]
    start = [_whole(k, 0, last) for k, last in zip(_three(part["start"]), most, strict=True)]
    return {"start": start, "size": found}


def _index(axis: object, first: object, step: object) -> list[int]:
    if step not in (1, -1):
        raise ValueError(f"{step!r} is no step")
    return [_whole(axis, 0, 2), _whole(first, 0, LONGEST_SIDE), int(step)]


def _three(values: Sequence[Any]) -> Sequence[Any]:
    if len(values) != 3:
        raise ValueError(f"{len(values)} values of 3")
    return values


def _whole(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{value!r} is not within {low} and {high}")
    return value


def _length(value: object) -> float:
    if not isinstance(value, int | float) or not 1e-3 <= value <= 1e3:
        raise ValueError(f"{value!r} is no voxel size in mm")
    return float(value)


# --------------------------------------------------------------------------------------------- files
class _Reader:
    """The files of a run's viewer folder, and where they go."""

    def __init__(self, folder: Path, entry: str) -> None:
        self._folder, self._entry = folder, entry
        self.files: dict[str, bytes] = {}

    def picture(self, path: object) -> str:
        """Take a picture to the board's own folder and return its name as seen from the entry's page."""
        content, ending = self._read(path, (".webp", ".png"))
        name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:24]}{ending}"
        self.files[name] = content
        return f"../{name}"

    def download(self, title: str, path: object) -> Download:
        """Take a NIfTI file beside the entry's page."""
        content, _ = self._read(path, (".nii.gz",))
        self.files[f"entries/{self._entry}/{path}"] = content
        return Download(title, f"{self._entry}/{path}", _size(len(content)))

    def script(self, number: int, content: Mapping[str, Any]) -> str:
        """Write what a case is drawn by as a script, for file:// pages may read no other data."""
        name = f"{self._entry}/{number}.js"
        text = f"(window.SLICES ||= {{}})[{number}] = {_embedded(content)};\n"
        self.files[f"entries/{name}"] = text.encode()
        return name

    def _read(self, path: object, endings: Sequence[str]) -> tuple[bytes, str]:
        name = str(path)
        ending = next((ending for ending in endings if name.endswith(ending)), "")
        source = self._folder / name
        if not ending or not PATH.fullmatch(name) or source.is_symlink() or source.parent.is_symlink():
            raise ValueError(f"{name!r} is no name of a picture or a download")
        with source.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST or not content.startswith(STARTS[ending]):
            raise ValueError(f"{name!r} is not what its name says")
        return content, ending


def _size(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n >= 1e6 else f"{max(1, round(n / 1e3))} kB"


def _embedded(content: Mapping[str, Any]) -> str:
    """Return JSON that neither HTML nor a script ends early, in one line."""
    text = dump(content, indent=None)
    return text.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})
