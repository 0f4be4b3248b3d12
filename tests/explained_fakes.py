"""Maps of fake cases, stored as `harness explain` stores them, and the site of a run that shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from harness.catalog import Challenge
from harness.explained import Explained, store
from harness.records import RunRecord
from leaderboard.site import build
from tests.leaderboard_fakes import card, record, write

CELL = "ab" * 32
SIDE = 40


def challenge(**data: Any) -> Challenge:
    """Return a challenge whose data unit says this of its images."""
    return cast("Challenge", SimpleNamespace(name="kium", data=SimpleNamespace(**data), viewer=None))


def facts(case: str, **changed: Any) -> Explained:
    """Return what is said of a case."""
    known = Explained(
        case=case,
        fold=0,
        run="run00000",
        cell=CELL,
        position=0,
        n_cases=120,
        prediction=(("aneurysm", 0.93),),
        truth=(("aneurysm", 1),),
        right=True,
        differs=0.0,
        n_compared=12,
        seconds=1.0,
        finished="2026-11-20T09:00:00+00:00",
        command="harness explain run=run00000",
        provenance={},
    )
    return dataclasses.replace(known, **changed)


def blob(shape: tuple[int, ...], at: Sequence[int], width: float = 6.0) -> np.ndarray:
    """Return a map of this shape that is strongest at a place."""
    grid = np.meshgrid(*(np.arange(n) - k for n, k in zip(shape, at, strict=True)), indexing="ij")
    return np.exp(-sum(axis.astype(float) ** 2 for axis in grid) / (2 * width**2)).astype(np.float32)


def picture(shape: tuple[int, ...]) -> np.ndarray:
    """Return a grey image with a brighter ball in its middle."""
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    far = np.sqrt(sum(axis**2 for axis in grid))
    return np.clip(230 - 200 * far, 0, 255).astype(np.uint8)


def store_flat(runs: Path, case: str = "case-1", **changed: Any) -> None:
    """Store the map of a case of one 2D image, strongest at the upper right."""
    raw = blob((1, SIDE, SIDE), (0, 8, 32))
    store(runs, challenge(), {"image": picture((SIDE, SIDE))[None]}, raw, facts(case, **changed))


def store_views(runs: Path, case: str = "views", **changed: Any) -> None:
    """Store the maps of a case of eight views."""
    raw = blob((8, SIDE, SIDE), (3, 8, 32))
    inputs = {"views": np.stack([picture((SIDE, SIDE))] * 8)}
    store(runs, challenge(VIEWS=tuple(f"view {k}" for k in "ABCDEFGH")), inputs, raw, facts(case, **changed))


def store_volume(runs: Path, case: str = "volume", **changed: Any) -> None:
    """Store the map of a case of four volumes."""
    raw = blob((1, 36, 44, 30), (0, 9, 11, 20))
    inputs = {"image": np.stack([picture((36, 44, 30)).astype(np.int16)] * 4)}
    store(runs, challenge(), inputs, raw, facts(case, **changed))


def explained_record(run_id: str = "run00000", name: str = "aim_efficientnet") -> RunRecord:
    """Return a record whose first fold is the one that the fakes explain."""
    found = record(name, run_id=run_id)
    cells = (dataclasses.replace(found.cells[0], key=CELL), *found.cells[1:])
    return dataclasses.replace(found, cells=cells)


def site_of(folder: Path, records: Sequence[RunRecord] = ()) -> Path:
    """Build the site of a run, or of several, beside the maps in `folder/runs`."""
    runs = write(folder / "runs", list(records) or [explained_record()])
    return build(runs, folder / "site", {"kium": card()}).parent


def page_of(site: Path) -> Path:
    """Return the page of the only entry, or of the first."""
    return sorted(site.glob("kium/*/entries/*.html"))[0]
