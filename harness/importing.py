"""`harness import`: read an archive of a stranger's, all of it checked before anything is written.

Nothing is extracted: members are listed and read by `harness.archive`, which refuses paths that lead out,
links, encrypted and doubled members; sizes and SHA-256 must be the manifest's, names must be those that an
export writes, and every file must be what its name says. No code is in an archive, and none of it is run.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import archive, catalog, records, reproductions
from harness.archive import Files
from harness.atomic import atomic_folder, write_atomic
from harness.config import ImportConfig
from harness.errors import UserError, did_you_mean, refuse
from harness.exchange import CASES, MANIFEST, RUN_FILE, SCHEMA
from harness.prepare import locked
from harness.progress import say
from harness.records import RunRecord
from harness.resamples import FILE as RESAMPLES
from harness.safe_open import MEGABYTE

__all__ = ["import_archive"]

LARGEST_MANIFEST = 16 * MEGABYTE
LARGEST_FILE, LARGEST_TEXT = 2048 * MEGABYTE, 64 * MEGABYTE
LARGEST_TOTAL = 64 * 1024 * MEGABYTE
MOST_CELLS = 200_000_000
"""Of a table of scores by case."""
RUN = re.compile(r"runs/(\w[\w.\-]*)/(.+)")
FOUND = re.compile(r"reproductions/(\w[\w.\-]*\.json)")
DEFINITION = ("challenge/challenge.yaml", "challenge/README.md")
TEXTS = ("record.json", "folds.csv", "environment.txt", "sweep_figures.json")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself."""

    challenge: str
    files: Mapping[str, tuple[str, int]]
    """Name to SHA-256 and bytes."""


def import_archive(config: ImportConfig) -> tuple[str, int, int]:
    """Add an archive's runs; return the challenge, how many are new and how many were there.

    Raises:
        UserError: for anything that is not as an export wrote it; a run that is there with other content.
    """
    with archive.opened(config.file) as files:
        if files.kind == "file":
            raise UserError(f"{config.file} is no archive. Name a zip that harness export wrote.")
        manifest = _manifest(files, str(config.file))
        target = config.runs / manifest.challenge
        with locked(target / ".import.lock", "Waiting for another import to end."):
            runs = _checked(files, manifest)
            new = [run for run in runs if not _is_there(config, files, manifest, run)]
            found = _reproductions(config, files, manifest)
            _require_space(config, manifest)
            for run in new:
                with atomic_folder(target / run) as folder:
                    for name in _names(manifest, run):
                        path = folder / name
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(_read(files, manifest, f"runs/{run}/{name}"))
                        path.chmod(0o600 if name in (CASES, RESAMPLES) else 0o644)
            for path, content in found:
                write_atomic(path, content)
    return manifest.challenge, len(new), len(runs) - len(new)


# ------------------------------------------------------------------------------------- the manifest
def _manifest(files: Files, path: str) -> Manifest:
    if MANIFEST not in files.names:
        raise UserError(f"{path} has no {MANIFEST}. Name a zip that harness export wrote.")
    try:
        data = json.loads(files.read(MANIFEST, LARGEST_MANIFEST))
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']!r:.20}, this harness reads {SCHEMA}")
        rows = {name: (row["sha256"], row["bytes"]) for name, row in data["files"].items()}
        if any(type(size) is not int or size < 0 or type(sha) is not str for sha, size in rows.values()):
            raise ValueError("a size or a SHA-256 is none")
        manifest = Manifest(data["challenge"], rows)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UserError(f"{files.shown(MANIFEST)} is no manifest of an export ({error}).") from None
    known = catalog.names("challenges")
    if manifest.challenge not in known:
        near = did_you_mean(str(manifest.challenge), known)
        raise UserError(f"The archive is of challenge {manifest.challenge!r:.60}, which is not here. {near}")
    _require_names(files, manifest)
    digest = catalog.challenge(manifest.challenge).scoring_digest
    if data.get("scoring_digest") != digest:
        say(f"The archive's scorer is another version than this one ({digest[:10]}).")
    return manifest


def _require_names(files: Files, manifest: Manifest) -> None:
    """Refuse files that the manifest does not name or that no export writes, and sizes over the limits."""
    listed, there = set(manifest.files), set(files.names) - {MANIFEST}
    problems = [f"{name!r:.100} is not in the manifest" for name in sorted(there - listed)]
    problems += [f"{name!r:.100} is missing" for name in sorted(listed - there)]
    problems += [f"{name!r:.100} is no file of an export" for name in sorted(listed) if not _is_ours(name)]
    for name, (_, size) in manifest.files.items():
        most = LARGEST_TEXT if name.endswith((".json", ".csv", ".txt", ".yaml", ".md")) else LARGEST_FILE
        if size > most:
            problems.append(f"{name!r:.100} has {size} bytes; at most {most}")
    total = sum(size for _, size in manifest.files.values())
    if total > LARGEST_TOTAL:
        problems.append(f"all files together have {total} bytes; at most {LARGEST_TOTAL}")
    refuse("The archive cannot be read as it is", problems)


def _is_ours(name: str) -> bool:
    if name in DEFINITION or FOUND.fullmatch(name):
        return True
    run = RUN.fullmatch(name)
    return run is not None and RUN_FILE.fullmatch(run[2]) is not None and ".." not in name


def _names(manifest: Manifest, run: str) -> list[str]:
    return [found[2] for name in manifest.files if (found := RUN.fullmatch(name)) and found[1] == run]


def _read(files: Files, manifest: Manifest, name: str) -> bytes:
    """Return a file whose size and SHA-256 are the manifest's.

    Raises:
        UserError: if they are not.
    """
    digest, size = manifest.files[name]
    content = files.read(name, size)
    if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
        raise UserError(f"{files.shown(name)} is not what the manifest says (SHA-256). Export it again.")
    return content


# ---------------------------------------------------------------------------------------- the files
def _checked(files: Files, manifest: Manifest) -> list[str]:
    """Read every file once, and return the runs that the archive holds.

    Raises:
        UserError: for the first file that is not what its name says.
    """
    runs = sorted({found[1] for name in manifest.files if (found := RUN.fullmatch(name))})
    known = {run: _record(files, manifest, run) for run in runs}
    for name in manifest.files:
        content = _read(files, manifest, name)
        try:
            if (found := FOUND.fullmatch(name)) is not None:
                if reproductions.parse(content.decode()).challenge != manifest.challenge:
                    raise ValueError("of another challenge")
            elif (run := RUN.fullmatch(name)) is not None:
                _require_kind(run[2], content, known[run[1]])
        except (KeyError, OSError, RecursionError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(f"{files.shown(name)} is not what its name says ({error}).") from None
    return runs


def _record(files: Files, manifest: Manifest, run: str) -> RunRecord:
    name = f"runs/{run}/record.json"
    if name not in manifest.files:
        raise UserError(f"{files.shown(name)} is missing: a run without a record.")
    try:
        record = records.parse(_read(files, manifest, name).decode())
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise UserError(f"{files.shown(name)} is not a run record ({error}).") from None
    if (record.run_id, record.challenge.name) != (run, manifest.challenge):
        raise UserError(f"{files.shown(name)} is of run {record.run_id!r:.60}, not {run}.")
    return record


def _require_kind(name: str, content: bytes, record: RunRecord) -> None:
    """Refuse what is not of the kind that its name says.

    Raises:
        ValueError: saying why; or what the reader of that kind raises.
    """
    if name in TEXTS:
        text = content.decode()
        if name.endswith(".json"):
            json.loads(text)
    elif re.fullmatch(r"predictions/(cv|test)\.npz", name):
        half = record.data.n_development if name.endswith("cv.npz") else record.data.n_test
        _require_arrays(content, half)
    elif name == RESAMPLES:
        _require_arrays(content, None)
    elif name == CASES:
        _require_table(content, record.data.n_development + record.data.n_test)


def _require_arrays(content: bytes, cases: int | None) -> None:
    """Refuse an npz that unpacks to more than it may, to anything but plain arrays, or to other cases."""
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as members:
        total = sum(member.file_size for member in members.infolist())
        if total > LARGEST_FILE:
            raise ValueError(f"it unpacks to {total} bytes; at most {LARGEST_FILE}")
        if any(member.flag_bits & 1 or not member.filename.endswith(".npy") for member in members.infolist()):
            raise ValueError("it holds other things than arrays")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for key in arrays.files:
            array = arrays[key]
            if cases is not None and ":" not in key and (array.ndim < 1 or len(array) != cases):
                raise ValueError(f"{key} is not of {cases} cases")


def _require_table(content: bytes, most: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        facts = parquet.ParquetFile(io.BytesIO(content)).metadata
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    groups = (facts.row_group(k).total_byte_size for k in range(facts.num_row_groups))
    if facts.num_rows > most or facts.num_rows * facts.num_columns > MOST_CELLS:
        raise ValueError(f"it has {facts.num_rows} rows; the run has {most} cases")
    if sum(groups) > LARGEST_TEXT:
        raise ValueError(f"it unpacks to more than {LARGEST_TEXT} bytes")


def _is_there(config: ImportConfig, files: Files, manifest: Manifest, run: str) -> bool:
    """Say whether the run is stored already, with the same content.

    Raises:
        UserError: with other content.
    """
    folder = config.runs / manifest.challenge / run
    if not folder.exists():
        return False
    for name in _names(manifest, run):
        if name == CASES:  # an archive may lack the test half's rows
            continue
        path = folder / name
        if not path.is_file() or path.read_bytes() != _read(files, manifest, f"runs/{run}/{name}"):
            raise UserError(
                f"Run {run} is in {folder.parent} already, with another {name}. Nothing was imported: "
                "records never change. Import into another place with runs=PATH."
            )
    return True


def _reproductions(config: ImportConfig, files: Files, manifest: Manifest) -> list[tuple[Path, bytes]]:
    """Return the reproductions that are not there yet, by the place where each is to lie.

    Raises:
        UserError: one is there with other content.
    """
    folder, new = config.runs / manifest.challenge / reproductions.FOLDER, []
    for name in manifest.files:
        if (found := FOUND.fullmatch(name)) is not None:
            path, content = folder / found[1], _read(files, manifest, name)
            if not path.exists():
                new.append((path, content))
            elif path.read_bytes() != content:
                raise UserError(f"{path} is there already with other content. Nothing was imported.")
    return new


def _require_space(config: ImportConfig, manifest: Manifest) -> None:
    needed: Any = sum(size for _, size in manifest.files.values())
    free = shutil.disk_usage(config.runs if config.runs.exists() else ".").free
    if needed > free:
        raise UserError(f"The archive needs {needed} bytes on disk, and {free} are free.")
