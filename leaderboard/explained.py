"""The Grad-CAM maps of a run's held-out cases, checked and laid out as files of the site.

runs/<challenge>/.explained/<key of the fold>/<case>/explained.json, as `harness.explained` writes it, names
the pictures of one case. Its words are text and its numbers are checked; of its files only PNG pictures are
copied. A picture lies once on a board, named by its content.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records import RunRecord
from leaderboard.text import MINUS, clean
from leaderboard.wording import say

__all__ = ["NO_MAPS", "ExplainedView", "MapCase", "MapPicture", "Maps", "maps_of"]

FOLDER, INDEX, SHOWN = ".explained", "explained.json", "explained"
MOST_CASES, MOST_PICTURES, MOST_NUMBERS = 60, 24, 12
LARGEST, LONGEST_SIDE = 8 << 20, 2048
KEY = re.compile(r"[0-9a-f]{32}")
PICTURE = re.compile(r"\d{1,3}(-map)?\.png")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@dataclass(frozen=True, slots=True)
class MapPicture:
    """One picture and the map over it; where they lie as seen from the entry's page."""

    title: str
    alt: str
    image: str
    heat: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class MapCase:
    """One case."""

    id: str
    place: str
    """In the order of all cases, such as "the worst of 522 cases"; empty if not known."""
    right: bool | None
    prediction: str
    truth: str
    fold: int
    differs: str
    """By how much the retrained fold's predictions differ from the stored ones; empty if by nothing."""
    empty: bool
    """Whether the map is zero everywhere."""
    pictures: tuple[MapPicture, ...]


@dataclass(frozen=True, slots=True)
class ExplainedView:
    """The maps of an entry's page."""

    agreement: str
    cases: tuple[MapCase, ...]
    hidden: int
    """How many more cases have maps."""
    unreadable: int
    """Of how many cases the maps cannot be read."""


@dataclass(frozen=True, slots=True)
class Maps:
    """The view and the files that it needs, by their names in the board's folder."""

    view: ExplainedView | None = None
    files: tuple[tuple[str, bytes], ...] = ()


NO_MAPS = Maps()


def maps_of(runs: Path, record: RunRecord) -> Maps:
    """Return the maps of a run for its page; nothing where no case was explained.

    The worst case comes first, as `harness explain` ordered them; cases without an order follow by id.
    """
    found: list[tuple[dict[str, Any], MapCase]] = []
    files: dict[str, bytes] = {}
    unreadable = 0
    for folder in _folders(runs, record):
        try:
            content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            read: dict[str, bytes] = {}
            found.append((content, _case(folder, content, read)))
        except (OSError, ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
            unreadable += 1
            continue
        files |= read
    if not found and not unreadable:
        return NO_MAPS
    ordered = sorted(found, key=lambda item: _order(item[0]))
    cases = tuple(case for _, case in ordered[:MOST_CASES])
    view = ExplainedView(
        _agreement([content["differs"] for content, _ in found]), cases, len(found) - len(cases), unreadable
    )
    shown = {name for case in cases for picture in case.pictures for name in (picture.image, picture.heat)}
    return Maps(view, tuple((name, files[name]) for name in sorted(files) if f"../{name}" in shown))


def _folders(runs: Path, record: RunRecord) -> Iterator[Path]:
    """Yield the folders of the run's fold models, each once."""
    place = f"{runs}/{record.challenge.name}/{FOLDER}"  # paths take longer a thousand times
    if not os.path.isdir(place):
        return
    root = Path(place)
    keys = sorted({cell.key[:32] for cell in record.first_cells if cell.state == "done"})
    for key in (key for key in keys if KEY.fullmatch(key) and (root / key).is_dir()):
        yield from sorted(path.parent for path in (root / key).glob(f"[!.]*/{INDEX}"))


def _order(content: Mapping[str, Any]) -> tuple[float, str]:
    position = content["position"]
    return (math.inf if position is None else position, str(content["case"]))


def _agreement(differences: Sequence[float | None]) -> str:
    """Return how far retrained models agree with the stored predictions, over all maps that are shown."""
    known = [value for value in differences if value is not None]
    if len(known) < len(differences) or not known:
        return say("maps.not_compared")
    if max(known) == 0:
        return say("maps.exact")
    return say("maps.differ", by=_number(max(known)))


# ------------------------------------------------------------------------------------------ one case
def _case(folder: Path, content: Mapping[str, Any], files: dict[str, bytes]) -> MapCase:
    """Return a case's part of the page; its pictures are added to the files.

    Raises:
        ValueError: for a number or a file that is not what it must be, as for all that is called here.
    """
    pictures = tuple(_picture(folder, item, files) for item in content["pictures"][:MOST_PICTURES])
    if not pictures:
        raise ValueError("a map without a picture")
    right, differs = content["right"], content["differs"]
    if right not in (True, False, None) or not (differs is None or _finite(differs) >= 0):
        raise ValueError(f"{right!r} and {differs!r} are no verdict and no difference")
    return MapCase(
        id=clean(content["case"], 200),
        place=_place(content["position"], content["n_cases"]),
        right=right,
        prediction=_pairs(content["prediction"]),
        truth=_pairs(content["truth"]),
        fold=_whole(content["fold"], 10**6),
        differs=_number(differs) if differs else "",
        empty=_finite(content["maximum"]) == 0,
        pictures=pictures,
    )


def _place(position: object, n: object) -> str:
    if position is None:
        return ""
    of = _whole(n, 10**9)
    place = _whole(position, of - 1)
    if place in (0, of - 1):
        return say("maps.best" if place else "maps.worst", total=of)
    return say("maps.place", place=place + 1, total=of)


def _pairs(pairs: Sequence[Sequence[object]]) -> str:
    """Return "pneumonia 0.931, decision 1"."""
    return ", ".join(f"{clean(name, 60)} {_number(value)}" for name, value in pairs[:MOST_NUMBERS])


def _number(value: object) -> str:
    """Return a number to four digits, "–" for one that is not there."""
    if value is None:
        return "–"
    return f"{_finite(value):.4g}".replace("-", MINUS)


def _picture(folder: Path, item: Mapping[str, Any], files: dict[str, bytes]) -> MapPicture:
    image, size = _taken(folder, item["image"], files)
    heat, _ = _taken(folder, item["map"], files)
    return MapPicture(clean(item["title"], 60), clean(item["alt"], 200), image, heat, *size)


def _taken(folder: Path, name: object, files: dict[str, bytes]) -> tuple[str, tuple[int, int]]:
    """Take a picture to the board's own folder; return its name as seen from an entry's page, and size."""
    path = folder / str(name)
    if not PICTURE.fullmatch(str(name)) or path.is_symlink() or folder.is_symlink():
        raise ValueError(f"{name!r} is no name of a picture")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST or not content.startswith(PNG):
        raise ValueError(f"{name!r} is not a PNG picture")
    width, height = struct.unpack(">II", content[len(PNG) : len(PNG) + 8])
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE):
        raise ValueError(f"{name!r} has {width} x {height} pixels")
    target = f"{SHOWN}/{hashlib.sha256(content).hexdigest()[:24]}.png"
    files[target] = content
    return f"../{target}", (width, height)


def _whole(value: object, high: int) -> int:
    if type(value) is not int or not 0 <= value <= high:
        raise ValueError(f"{value!r} is not within 0 and {high}")
    return value


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
