"""Cells: one fold with one seed. What is done is stored, found by its key, and never done again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.atomic import atomic_folder
from harness.predictions import as_bytes, from_file, halves
from harness.records import dump

if TYPE_CHECKING:
    from harness.contracts import Array, Outcome

__all__ = ["StoredCell", "cell_key", "load_cell", "moments", "seed_of", "store_cell"]


def key_of(parts: Any) -> str:  # noqa: ANN401  anything JSON
    """Return the key of a computation: the one key function."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def cell_key(identity: Mapping[str, Any], fold: int, seed: int, members: bytes) -> str:
    """Return the key of one fold; `members` are the fold's row numbers."""
    rows = hashlib.sha256(members).hexdigest()
    return key_of({**identity, "harness": __version__, "fold": fold, "seed": seed, "rows": rows})


def seed_of(seed: int, fold: int) -> int:
    """Return the seed of a fold's training, in [0, 2**31)."""
    return int(key_of([seed, fold])[:8], 16) % 2**31


@dataclass(frozen=True, slots=True)
class StoredCell:
    """A fold that is done."""

    started: str
    finished: str
    seconds: float
    peak_memory_bytes: int
    parameters: int | None
    heldout: dict[str, Array]
    test: dict[str, Array]
    log: str
    prediction_seconds: float | None = None
    """None of a fold of before it was measured."""


def moments(seconds: float = 0.0) -> tuple[str, str]:
    """Return when something that took so long and has just ended began and ended, UTC, ISO 8601."""
    finished = datetime.now(UTC)
    started = finished - timedelta(seconds=seconds)
    return started.isoformat(timespec="milliseconds"), finished.isoformat(timespec="milliseconds")


def _parameters(outcome: Outcome) -> int | None:
    """Return the number of trainable parameters, as the entry's process reported it."""
    for event in outcome.events:
        count = event.get("parameters")
        if event.get("event") == "fitted" and isinstance(count, int) and 0 <= count < 2**53:
            return count
    return None


def _prediction_seconds(outcome: Outcome) -> float | None:
    """Return how long the fold's process took to predict both halves, as it said itself; None if unknown.

    To describe, never to rank: the entry's code runs in that process. What is more than the whole fold took
    is no measurement.
    """
    found = {
        event.get("half"): event.get("seconds")
        for event in outcome.events
        if event.get("event") == "predicted" and event.get("half") in ("heldout", "test")
    }
    seconds = [value for value in found.values() if isinstance(value, float) and math.isfinite(value)]
    if not seconds or len(seconds) < len(found) or min(seconds) < 0 or sum(seconds) > outcome.seconds:
        return None
    return sum(seconds)


def store_cell(folder: Path, outcome: Outcome) -> None:
    """Store a fold that has just finished, whole or not at all; a twin stored meanwhile is left as it is."""
    started, finished = moments(outcome.seconds)
    facts = {
        "started": started,
        "finished": finished,
        "seconds": outcome.seconds,
        "peak_memory_bytes": outcome.peak_memory_bytes,
        "parameters": _parameters(outcome),
        "prediction_seconds": _prediction_seconds(outcome),
    }
    try:
        with atomic_folder(folder) as temporary:
            (temporary / "predictions.npz").write_bytes(as_bytes(outcome.arrays or {}))
            (temporary / "log.txt").write_text(outcome.log, encoding="utf-8")
            (temporary / "cell.json").write_text(dump(facts), encoding="utf-8")
    except OSError:
        if not folder.is_dir():
            raise


def load_cell(folder: Path) -> StoredCell | None:
    """Return the stored fold, or None if it is not done."""
    if not folder.is_dir():
        return None
    heldout, test = halves(from_file(folder / "predictions.npz"))
    facts = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
    log = (folder / "log.txt").read_text(encoding="utf-8")
    return StoredCell(**facts, heldout=heldout, test=test, log=log)
