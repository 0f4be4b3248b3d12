"""Phantom films: drawn chests of children under real names, in the real layout, and as PneumoniaMNIST.

A consolidation in one lung (bacteria) or a fine pattern in both (virus) is all that tells the ill: the
size and proportions of a film, its brightness and its contrast do not. Children have several films, of which
an image-level split would learn the child. `difficulty` is the one knob: it divides the strength of a sign.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.pneumonia.drawing import Child, draw, sample_child
from challenges.pneumonia.mnist import SIDE
from challenges.pneumonia.names import AGENTS, BACTERIA, FOLDERS, NORMAL, VIRUS
from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFECTS", "VERSION", "defect", "write"]

VERSION = "1"
SIZES = {
    "smoke": {"train": (6, 12, 6), "test": (4, 5, 3)},
    "small": {"train": (114, 212, 114), "test": (66, 70, 44)},
}
"""Normal, bacterial and viral films of the development set and of the test set, in the real shares."""
VALIDATION = 16
"""One development film in so many lies in val/, as 16 real ones do."""
VIEWS = (0.72, 0.16, 0.06, 0.04, 0.02)
"""How often a child has one film, two, ... five."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One film: whose, where and under which name."""

    child: Child
    split: str
    name: str
    seed: tuple[int, ...]
    """Of its pose, exposure and grain."""

    @property
    def path(self) -> str:
        """Return the place in chest_xray/."""
        return f"{self.split}/{FOLDERS[int(self.child.agent != NORMAL)]}/{self.name}.jpeg"


def write(root: Path, *, seed: int = 0, size: str = "small", difficulty: float = 1.0) -> None:
    """Write chest_xray/, pneumoniamnist.npz of the same films, and `phantom.json`.

    Args:
        root: Folder to fill; made if missing.
        seed: Same seed, same bytes.
        size: "smoke" (24 + 12 films) or "small" (440 + 180).
        difficulty: 1 suits a small network on two cores; 0.5 is easy, 2 is hard.

    Raises:
        UserError: for an unknown size, a difficulty that is not positive, or a folder that is not empty.
    """
    if size not in SIZES:
        raise UserError(f"No phantom size named {size!r}. {did_you_mean(size, SIZES)}")
    if not difficulty > 0:
        raise UserError(f"difficulty must be above 0 but got {difficulty}.")
    if root.exists() and any(root.iterdir()):
        raise UserError(f"{root} is not empty; phantom patients are written to a new folder only.")
    sheets = [
        sheet for agent in (NORMAL, BACTERIA, VIRUS) for sheet in _sheets(agent, seed, size, difficulty)
    ]
    films = [_film(sheet) for sheet in sheets]
    for sheet, film in zip(sheets, films, strict=True):
        _write_film(root / "chest_xray" / sheet.path, film)
    _write_mnist(root / "pneumoniamnist.npz", sheets, films, seed)
    _write_latent(root / "phantom.json", {"seed": seed, "size": size, "difficulty": difficulty}, sheets)


# ------------------------------------------------------------------------------------------- cohort
def _sheets(agent: int, seed: int, size: str, difficulty: float) -> Iterator[Sheet]:
    """Yield the films of one agent, child by child: the development half, then the test half.

    Children are numbered anew for each agent, so that personN alone names two of them, also across
    the halves; so do IM-N and NORMAL2-IM-N, as in the real folders.
    """
    number, film = 0, 0
    for half, films in SIZES[size].items():
        for views in _films_of_children(np.random.default_rng([seed, agent, film]), films[agent]):
            number += 1
            child = sample_child((seed, agent, number), agent, difficulty)
            for view in range(views):
                film += 1
                kept_out = half == "train" and film % VALIDATION == VALIDATION // 4
                name = _name(agent, number, film, view if views > 1 else None)
                yield Sheet(child, "val" if kept_out else half, name, (seed, agent, number, view))


def _films_of_children(rng: np.random.Generator, films: int) -> list[int]:
    """Return how many films each child has: most one, some several, together `films`."""
    children: list[int] = []
    while sum(children) < films:
        children.append(min(int(rng.choice(len(VIEWS), p=VIEWS)) + 1, films - sum(children)))
    return children


def _name(agent: int, number: int, film: int, view: int | None) -> str:
    if agent != NORMAL:
        odd = "_1" if agent == VIRUS and film == 2 else ""
        return f"person{number}_{AGENTS[agent]}_{film}{odd}"
    series = f"{'NORMAL2-' * (number % 2)}IM-{(number + 1) // 2:04}-0001"
    return series if view is None else f"{series}-{view + 1:04}"


# -------------------------------------------------------------------------------------------- files
def _film(sheet: Sheet) -> NDArray[np.uint8]:
    """Draw a film, of a size and proportions that have nothing to do with the child."""
    rng = np.random.default_rng(np.random.SeedSequence([*sheet.seed, 1]))
    height = int(rng.integers(96, 145))
    return draw(rng, sheet.child, (height, round(height * rng.uniform(1.0, 1.5))))


def _write_film(path: Path, film: NDArray[np.uint8]) -> None:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".jpeg", film, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    path.write_bytes(encoded.tobytes())


def _write_mnist(path: Path, sheets: Sequence[Sheet], films: Sequence[NDArray[np.uint8]], seed: int) -> None:
    """Write the same films as PneumoniaMNIST has them: central square, 28 x 28, shuffled, 9 : 1."""
    order = np.random.default_rng([seed, len(films)]).permutation(len(films))
    test = [i for i in order if sheets[i].split == "test"]
    rest = [i for i in order if sheets[i].split != "test"]
    cut = len(rest) - len(rest) // 10
    arrays = {}
    for split, rows in (("train", rest[:cut]), ("val", rest[cut:]), ("test", test)):
        arrays[f"{split}_images"] = np.stack([_square(films[i]) for i in rows])
        labels = [[int(sheets[i].child.agent != NORMAL)] for i in rows]
        arrays[f"{split}_labels"] = np.array(labels, dtype=np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            # ZipInfo's fixed date keeps the bytes a function of the seed.
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)


def _square(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = film.shape
    side, left = min(height, width), (width - min(height, width)) // 2
    cut = np.ascontiguousarray(film[:side, left : left + side])
    return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _write_latent(path: Path, knobs: dict[str, Any], sheets: Sequence[Sheet]) -> None:
    """Write what no model may see: the knobs and what was drawn."""
    cases = {f"{sheet.split}/{sheet.name}": asdict(sheet.child) for sheet in sheets}
    facts = {"challenge": "pneumonia", "version": VERSION, **knobs, "cases": cases}
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


# ------------------------------------------------------------------------------------- the defects
def _films(root: Path, split: str = "train", folder: str = FOLDERS[1]) -> list[Path]:
    return sorted((root / "chest_xray" / split / folder).glob("*.jpeg"))


def _damaged_image(root: Path) -> Path:
    """Cut a picture off."""
    path = _films(root)[0]
    path.write_bytes(path.read_bytes()[:400])
    return path


def _duplicate_image(root: Path) -> Path:
    """Give one child the picture of another of the same agent."""
    films = [path for path in _films(root) if "bacteria" in path.name]
    owner = films[0].name.rpartition("_")[0]
    copy = next(path for path in films if path.name.rpartition("_")[0] != owner)
    copy.write_bytes(films[0].read_bytes())
    return copy


def _duplicate_across(root: Path) -> Path:
    """Put a training picture into the test set."""
    copy = _films(root, "test")[0]
    copy.write_bytes(_films(root)[0].read_bytes())
    return copy


def _two_labels(root: Path) -> Path:
    """Give an ill child the picture of a healthy one."""
    copy = _films(root)[0]
    copy.write_bytes(_films(root, folder=FOLDERS[0])[0].read_bytes())
    return copy


def _wrong_folder(root: Path) -> Path:
    """Lay a film with pneumonia among the normal ones."""
    path = _films(root)[0]
    return path.rename(path.parent.parent / FOLDERS[0] / path.name)


def _unknown_folder(root: Path) -> Path:
    """Add a class that the data set does not have."""
    path = root / "chest_xray" / "train" / "COVID"
    path.mkdir()
    _films(root)[0].rename(path / "person1_virus_1.jpeg")
    return path


def _stray_file(root: Path) -> Path:
    """Leave what a file manager leaves behind."""
    path = root / "chest_xray" / "train" / ".DS_Store"
    path.write_bytes(b"\x00\x00\x00\x01Bud1")
    return path


DEFECTS: dict[str, Callable[[Path], Path]] = {
    "damaged_image": _damaged_image,
    "duplicate_image": _duplicate_image,
    "duplicate_across": _duplicate_across,
    "two_labels": _two_labels,
    "wrong_folder": _wrong_folder,
    "unknown_folder": _unknown_folder,
    "stray_file": _stray_file,
}


def defect(root: Path, name: str) -> Path:
    """Put one defect of real data into written phantom patients; return the file it is in."""
    return DEFECTS[name](root)
