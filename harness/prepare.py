"""Cases to the prepared store: decode once, train many.

    <store>/<challenge>/<key>/
        development/<input>.npy   (n, ...) memory-mapped by every fold, trial and run
        test/<input>.npy
        */<input>/<row>.npy       inputs whose shape differs from case to case, one file each
        rows.json                 case key -> half and row: a changed file is decoded again alone

The store holds inputs only. The truth stays where the organiser keeps it and is read by the parent alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.atomic import atomic_folder
from harness.progress import say
from harness.ragged import inputs_of, row_file
from harness.volumes import raw_bytes

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.contracts import Array, Case, CaseSet, Dataset

__all__ = ["Store", "contents", "digests_of", "fingerprint", "locked", "prepare"]

HALVES = ("development", "test")
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Store:
    """Where the inputs of a data set lie."""

    folder: Path
    decoded: int
    """How many cases this call had to decode."""

    @property
    def development(self) -> Path:
        """The development set's inputs."""
        return self.folder / "development"

    @property
    def test(self) -> Path:
        """The test set's inputs."""
        return self.folder / "test"


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold an exclusive lock on a dot file, released by the system however this process ends.

    `waiting` is said if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests_of(dataset: Dataset) -> dict[Path, str]:
    """Return the SHA-256 of every input file; always of the content, never of the time stamp."""
    cases = [case for half in (dataset.development, dataset.test) for case in half.cases]
    files = [path for case in cases if not case.digest for path in case.files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(files, pool.map(_hash, files), strict=True))


def contents(case: Case, digests: Mapping[Path, str]) -> tuple[str, ...]:
    """Return the SHA-256 of each part of a case's input."""
    return (case.digest,) if case.digest else tuple(digests[path] for path in case.files)


def fingerprint(dataset: Dataset, digests: Mapping[Path, str], options: Mapping[str, str] = NONE) -> str:
    """Return the identity of a data set: ids, patients, inputs, development truth and chosen options.

    The test truth is left out, so that it may arrive later without moving the board.
    """
    total = hashlib.sha256("".join(f"{k}={v}\n" for k, v in sorted(options.items())).encode())
    for name, half in zip(HALVES, (dataset.development, dataset.test), strict=True):
        for case in half.cases:
            row = [name, case.id, case.patient, *contents(case, digests)]
            total.update("\0".join(row).encode() + b"\n")
    for key, values in sorted((dataset.development.truth or {}).items()):
        total.update(f"{key} {values.dtype.str} {values.shape}\n".encode() + raw_bytes(values))
    return total.hexdigest()


def _case_key(case: Case, digests: Mapping[Path, str], stamp: str) -> str:
    text = "\0".join([stamp, *contents(case, digests)])
    return hashlib.sha256(text.encode()).hexdigest()


class _Earlier:
    """Rows that earlier stores of the same preparation hold."""

    def __init__(self, folder: Path) -> None:
        self._where: dict[str, tuple[Path, int]] = {}
        for rows in sorted(folder.glob("[!.]*/rows.json")):
            for key, (half, row) in json.loads(rows.read_text()).items():
                self._where[key] = (rows.parent / half, row)

    def find(self, key: str) -> dict[str, Array] | None:
        if key not in self._where:
            return None
        folder, row = self._where[key]
        return {name: values[row] for name, values in inputs_of(folder).items()}


def _write_half(
    folder: Path, n: int, produce: Callable[[int], dict[str, Array]], ragged: Collection[str]
) -> None:
    """Write rows 0..n-1 into one array per input, decoding on all cores; a ragged one into a file per row."""
    folder.mkdir()
    if n == 0:
        return
    first = produce(0)
    for name in ragged:
        (folder / name).mkdir()
    arrays = {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=value.dtype, shape=(n, *value.shape)
        )
        for name, value in first.items()
        if name not in ragged
    }

    def fill(row: int) -> None:
        for name, value in (first if row == 0 else produce(row)).items():
            if name in ragged:
                np.save(row_file(folder, name, row), value)
            else:
                arrays[name][row] = value

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(fill, range(n)):
            pass
    for array in arrays.values():
        array.flush()


def prepare(
    challenge: Challenge,
    dataset: Dataset,
    digests: Mapping[Path, str],
    options: Mapping[str, Any],
    root: Path,
) -> Store:
    """Return the prepared store of a data set, built if it is not there.

    Raises:
        UserError: from the challenge's `decode`, by file name.
    """
    data = challenge.data
    stamp = json.dumps([challenge.name, data.PREPARATION, dict(sorted(options.items()))])
    halves: tuple[CaseSet, CaseSet] = (dataset.development, dataset.test)
    keys = {
        name: [_case_key(c, digests, stamp) for c in half.cases]
        for name, half in zip(HALVES, halves, strict=True)
    }
    key = hashlib.sha256(json.dumps([stamp, keys]).encode()).hexdigest()[:16]
    folder = root / challenge.name / "inputs"
    target = folder / key
    decoded = [0]
    with locked(folder / ".lock"):
        if target.is_dir():
            return Store(target, 0)
        earlier = _Earlier(folder)
        with atomic_folder(target) as temporary:
            for name, half in zip(HALVES, halves, strict=True):

                def produce(row: int, name: str = name, half: CaseSet = half) -> dict[str, Array]:
                    known = earlier.find(keys[name][row])
                    decoded[0] += known is None
                    return known if known is not None else data.decode(half.cases[row], options)

                _write_half(temporary / name, len(half.cases), produce, getattr(data, "RAGGED", ()))
            rows = {k: (name, row) for name in HALVES for row, k in enumerate(keys[name])}
            (temporary / "rows.json").write_text(json.dumps(rows))
    return Store(target, decoded[0])
