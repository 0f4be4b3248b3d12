"""What a build read of the runs, kept for the next: what boards show of records, and resamples that rank.

runs/<challenge>/.board/records.jsonl         digest of a record.json, and what a board shows of it
runs/<challenge>/.board/<board>-<half>.npz    what ranks in each resample, of all runs in one array

Private, as the runs are, and safe to delete. A record counts as read only while its file is byte for byte
the one that was checked; resamples, only while their file's place, size and times are those of before it was
read. What was written by other code, or is damaged, is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.atomic import write_atomic
from harness.errors import UserError
from harness.records import RunRecord, files, parse, unless_broken
from harness.resamples import FILE, Resamples
from leaderboard.card import Card
from leaderboard.fingerprint import code_digest
from leaderboard.judging import HalfName
from leaderboard.resampled import agreed, resample_files

__all__ = ["FOLDER", "KeptRecord", "KeptResamples", "load_kept", "states_of", "whole"]

FOLDER, RECORDS = ".board", "records.jsonl"
CASES = "cases.parquet"
HALVES = ("cv", "test")


# --------------------------------------------------------------------------------------- records
@dataclass(frozen=True, slots=True)
class KeptRecord(RunRecord):
    """What a board shows of a record, and the file that has all of it.

    Without panels and settings; of the provenance with the machine, of the folds with the metric that ranks.
    """

    file: Path = Path()
    file_digest: str = ""


@cache
def _decoder() -> msgspec.json.Decoder[KeptRecord]:
    return msgspec.json.Decoder(KeptRecord, dec_hook=lambda kind, value: kind(value))


def load_kept(runs: Path, card: Card) -> tuple[KeptRecord, ...]:
    """Read what a board shows of every record of a challenge, sorted by run id.

    Raises:
        UserError: if a record.json is not a record.
    """
    cache, key = runs / card.name / FOLDER / RECORDS, card.ranking.key
    known = _lines(cache, key)
    found, lines = [], dict[str, bytes]()
    for path in files(runs, card.name):
        with unless_broken(path):
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            lines[digest] = line = known.get(digest) or _bare(content, key)
            found.append(replace(_decoder().decode(line), file=path, file_digest=digest))
    if lines.keys() != known.keys():
        _keep(cache, _as_lines(lines, key))
    return tuple(found)


def whole(record: RunRecord) -> RunRecord:
    """Return all of a record.

    Raises:
        UserError: if its file was changed meanwhile.
    """
    if not isinstance(record, KeptRecord):
        return record
    with unless_broken(record.file):
        content = record.file.read_bytes()
        if hashlib.sha256(content).hexdigest() != record.file_digest:
            raise UserError(f"{record.file} was changed while it was read. Type the command again.")
        return parse(content)


def states_of(runs: Path, record: RunRecord) -> list[list[int]]:
    """Return what changes with the files of a run's scores by case and of its resamples."""
    folder = f"{runs}/{record.challenge.name}/{record.run_id}"
    return [_state(f"{folder}/{name}") for name in (CASES, FILE)]


def _bare(content: bytes, key: str) -> bytes:
    """Return what a board shows of a record, as a line of JSON."""
    parse(content)
    data = msgspec.json.decode(content)
    bare = {
        **data,
        **{half: data[half] and {**data[half], "panel": {}} for half in HALVES},
        "entry": {**data["entry"], "settings": {}},
        "cells": [{**cell, "metrics": _only(cell["metrics"], key)} for cell in data["cells"]],
        "provenance": {
            name: data["provenance"][name] for name in ("hardware",) if name in data["provenance"]
        },
    }
    return msgspec.json.encode(bare)


def _only(metrics: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {key: metrics[key]} if key in metrics else {}


def _lines(path: Path, key: str) -> dict[str, bytes]:
    """Return the kept lines by digest; none of a file that is damaged, or that other code wrote."""
    try:
        head, content = path.read_bytes().split(b"\n", 1)
    except (OSError, ValueError):
        return {}
    if head.decode(errors="replace") != _head(content, key):
        return {}
    return {digest.decode(): line for digest, line in (line.split(b" ", 1) for line in content.splitlines())}


def _as_lines(lines: Mapping[str, bytes], key: str) -> bytes:
    content = b"".join(b"%s %s\n" % (digest.encode(), lines[digest]) for digest in sorted(lines))
    return f"{_head(content, key)}\n".encode() + content


def _head(content: bytes, key: str) -> str:
    return f"{code_digest()} {key} {hashlib.sha256(content).hexdigest()}"


def _keep(path: Path, content: bytes) -> None:
    """Write a private file; where the runs may only be read, nothing is kept."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomic(path, content, durable=False, mode=0o600)


# ------------------------------------------------------------------------------------- resamples
@dataclass(frozen=True, slots=True)
class _Read:
    """One run's resamples and the state of their file before they were read."""

    state: list[int]
    found: Resamples


@dataclass
class KeptResamples:
    """A reader of what ranks in the runs' resamples; `keep` stores what it read for the next build."""

    runs: Path
    card: Card
    board: str
    """Its id: other boards have other patients."""
    _known: dict[str, dict[str, _Read]] = field(default_factory=dict)
    _used: dict[str, dict[str, _Read]] = field(default_factory=dict)

    def __call__(self, record: RunRecord, half: HalfName) -> Resamples | str:
        """Return what the run's file holds of the metrics that rank, or why there is nothing."""
        if half not in self._known:
            self._known[half] = _read_all(self._path(half), self._metrics)
        state = _state(f"{self.runs}/{record.challenge.name}/{record.run_id}/{FILE}")
        kept = self._known[half].get(record.run_id)
        if kept is None or not state or kept.state != state:
            found = resample_files(self.runs)(record, half)
            if isinstance(found, str) or not set(self._metrics) <= set(found.values):
                return found
            ranking = {name: found.values[name] for name in self._metrics}
            kept = _Read(state, Resamples(found.draws, found.patients, ranking, found.parts))
        self._used.setdefault(half, {})[record.run_id] = kept
        return kept.found

    def keep(self) -> None:
        """Store what was read, where that is not what was known."""
        for half, used in self._used.items():
            known = self._known[half]
            shown = agreed([item.found.identity for item in used.values()])
            alike = {name: item for name, item in used.items() if item.state and item.found.identity == shown}
            if any(known.get(name) is not item for name, item in alike.items()) or len(alike) < len(known):
                _keep(self._path(half), _as_archive(alike, self._metrics))

    @property
    def _metrics(self) -> list[str]:
        return list(dict.fromkeys((self.card.ranking.key, *self.card.tie_breakers)))

    def _path(self, half: str) -> Path:
        return self.runs / self.card.name / FOLDER / f"{self.board}-{half}.npz"


def _state(path: str) -> list[int]:
    """Return what changes with a file; nothing of one that is not there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return []
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _as_archive(items: Mapping[str, _Read], metrics: Sequence[str]) -> bytes:
    """Return an npz archive, without any object: a line of JSON and one or two arrays."""
    found = [item.found for item in items.values()]
    about = {
        "code": code_digest(),
        "metrics": list(metrics),
        "runs": [[name, item.state, item.found.draws, item.found.patients] for name, item in items.items()],
    }
    arrays: dict[str, NDArray[Any]] = {
        "about": np.array(json.dumps(about)),
        "values": np.array([[half.values[name] for name in metrics] for half in found], dtype=np.float64),
    }
    if found and found[0].parts is not None:
        arrays["parts"] = np.array([half.parts for half in found], dtype=np.float64)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read_all(path: Path, metrics: Sequence[str]) -> dict[str, _Read]:
    """Return the kept resamples by run; none of a file that is damaged, or that other code wrote."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            if about["code"] != code_digest() or about["metrics"] != list(metrics):
                return {}
            values = archive["values"]
            parts: Iterable[Any] = archive["parts"] if "parts" in archive.files else [None] * len(values)
            rows = zip(about["runs"], values, parts, strict=True)
            return {
                name: _Read(state, Resamples(draws, patients, dict(zip(metrics, row, strict=True)), part))
                for (name, state, draws, patients), row, part in rows
            }
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
        return {}
