"""PneumoniaMNIST: the same films at 28 x 28, in one npz."""

from __future__ import annotations

import csv
import hashlib
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from challenges.pneumonia.names import Named, parse
from harness.errors import UserError, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array

SIDE = 28
SPLITS = ("train", "val", "test")
OPTIONAL = ("val_images", "val_labels", "test_labels")
NAMES = "pneumoniamnist*.npz"
TABLE = "mnist_films.csv"
"""The film of chest_xray/ that an image is, by the first `SHORT` digits of its digest; from matching.py."""
SHORT = 12


def npz_of(root: Path) -> Path:
    """Return PneumoniaMNIST's file in `root`: pneumoniamnist.npz, or the only one named alike.

    Raises:
        UserError: there is none, or one cannot tell which.
    """
    found = sorted(root.glob(NAMES))
    if not found:
        raise UserError(f"{root} holds no {NAMES}. Download PneumoniaMNIST into it, or type variant=kaggle.")
    exact = [path for path in found if path.name == "pneumoniamnist.npz"] or found
    if len(exact) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"{root} holds {names}. Keep the one to read, or name it pneumoniamnist.npz.")
    return exact[0]


def read_arrays(path: Path) -> Mapping[str, Array]:
    """Return the arrays: <split>_images uint8 (n, 28, 28) and <split>_labels uint8 (n,), 0 or 1.

    `val` and the labels of `test` may be absent.

    Raises:
        UserError: no npz of plain arrays, a missing key, or another shape, type or label; by key.
    """
    return _arrays(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _arrays(path: Path, _: int) -> Mapping[str, Array]:
    try:
        with path.open("rb") as opened, _opened(opened) as file:
            known = [f"{s}_{kind}" for s in SPLITS for kind in ("images", "labels")]
            arrays = {key: file[key] for key in known if key in file.files}
            missing = [f"{key} is missing" for key in known if key not in arrays and key not in OPTIONAL]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is not an npz of plain arrays: {error}.") from None
    refuse(f"{path} is not PneumoniaMNIST", missing or _malformed(arrays))
    return {key: a.reshape(-1).astype(np.uint8) if "labels" in key else a for key, a in arrays.items()}


def _opened(file: BinaryIO) -> np.lib.npyio.NpzFile:
    found = np.load(file, allow_pickle=False)
    if not isinstance(found, np.lib.npyio.NpzFile):
        raise ValueError("it holds one array without a name")
    return found


def _malformed(arrays: Mapping[str, Array]) -> list[str]:
    problems = []
    for key, array in arrays.items():
        split, _, kind = key.partition("_")
        if kind == "images" and (array.dtype != np.uint8 or array.shape[1:] != (SIDE, SIDE)):
            problems.append(f"{key} is {array.dtype} {array.shape} instead of uint8 (n, {SIDE}, {SIDE})")
        elif kind == "labels":
            n = len(arrays[f"{split}_images"]) if f"{split}_images" in arrays else -1
            if array.dtype.kind not in "iub" or array.shape not in ((n,), (n, 1)):
                problems.append(f"{key} is {array.dtype} {array.shape} instead of integer ({n}, 1)")
            elif (wrong := np.flatnonzero(~np.isin(array, (0, 1)))).size:
                problems.append(f"{key}[{wrong[0]}] is {array.flat[wrong[0]]} instead of 0 or 1")
    if ("val_images" in arrays) != ("val_labels" in arrays):
        problems.append("val_images and val_labels belong together, but one is missing")
    return problems or [
        f"{key} is empty" for key, array in arrays.items() if not len(array) and "val" not in key
    ]


def rows(arrays: Mapping[str, Array], kind: str) -> Iterator[tuple[str, Array]]:
    """Yield the id and the value of every row of the "images" or the "labels": `train/00012`."""
    for split in SPLITS:
        for row, value in enumerate(arrays.get(f"{split}_{kind}", ())):
            yield f"{split}/{row:05}", value


def digest(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of one image's bytes."""
    return hashlib.sha256(image.tobytes()).hexdigest()


@cache
def films() -> Mapping[str, str]:
    """Return the film of chest_xray/ that an image of PneumoniaMNIST is, by the start of its digest."""
    with Path(__file__).with_name(TABLE).open(encoding="utf-8", newline="") as file:
        return {row["digest"]: row["film"] for row in csv.DictReader(file)}


def named(content: str) -> Named | None:
    """Return child and agent of the image with this digest, where its film is known."""
    film = films().get(content[:SHORT])
    return parse(film.partition("/")[2]) if film else None


def identical(digests: Mapping[str, str]) -> list[list[str]]:
    """Return the groups of ids, of two or more, that have one digest."""
    groups: dict[str, list[str]] = defaultdict(list)
    for case, content in digests.items():
        groups[content].append(case)
    return [group for group in groups.values() if len(group) > 1]
