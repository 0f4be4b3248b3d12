"""`harness export`: one archive of a whole challenge, as plain files with a manifest of SHA-256.

manifest.json             schema, challenge, digests, and the SHA-256 and size of every other file
challenge/                challenge.yaml and README.md: the definition, to read; no code
runs/<run id>/            record.json, folds.csv, environment.txt, predictions/, viewer/, sweep_figures.json,
                          cases.parquet (the out-of-fold half)
reproductions/            what `harness reproduce` found

Never in it: the truth, the logs (an entry may print what it was trained on), and, unless the archive is
private, the test half's scores by case, for an error of 0 or 1 is a label. The same records give the same
bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__, catalog
from harness.config import ExportConfig
from harness.errors import UserError
from harness.records import dump, load_all
from harness.reproductions import FOLDER, read_all
from harness.resamples import FILE as RESAMPLES
from harness.sealing import clock, is_sealed

if TYPE_CHECKING:
    from harness.catalog import Challenge

__all__ = ["CASES", "MANIFEST", "RUN_FILE", "SCHEMA", "export"]

SCHEMA = 1
MANIFEST, CASES = "manifest.json", "cases.parquet"
RUN_FILE = re.compile(
    r"(record\.json|folds\.csv|environment\.txt|sweep_figures\.json|cases\.parquet|resamples\.npz"
    r"|predictions/[\w.\-]+|viewer/[\w.\-]+(/[\w.\-]+)?)"
)
"""What of a run's folder is in an archive, and all that an import writes."""
DAY = (2020, 1, 1, 0, 0, 0)
"""Of every member, so that the same records give the same archive."""


def export(config: ExportConfig) -> tuple[Path, int, int]:
    """Write the archive; return its path, how many files it holds and its size in bytes.

    Raises:
        UserError: no run, a file of that name, or scores that are sealed.
    """
    challenge = catalog.challenge(config.challenge)
    path = config.to or Path(f"{challenge.name}.zip")
    if path.exists():
        raise UserError(f"{path} is there already. Move it, or type to=ANOTHER.zip.")
    if not load_all(config.runs, challenge.name):
        raise UserError(f"There is no run of {challenge.name} in {config.runs}, so nothing to export.")
    _refuse_sealed(config, challenge)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".part-{path.name}")
    rows: dict[str, dict[str, str | int]] = {}
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target:
            if config.private:
                temporary.chmod(0o600)
            for name, content in _files(config, challenge):
                _put(target, name, content)
                rows[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            _put(target, MANIFEST, dump(_manifest(challenge, rows, private=config.private)).encode())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path, len(rows), path.stat().st_size


def _refuse_sealed(config: ExportConfig, challenge: Challenge) -> None:
    sealed = challenge.card.sealed
    if sealed is not None and is_sealed(sealed, datetime.now(UTC)) and not config.private:
        raise UserError(
            f"The test scores of {challenge.name} are sealed until {clock(sealed.until)}, and the records "
            "hold them. Type private=true for an archive of your own."
        )


def _put(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, DAY)
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
    target.writestr(member, content)


def _manifest(
    challenge: Challenge, rows: dict[str, dict[str, str | int]], *, private: bool
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "challenge": challenge.name,
        "version": challenge.card.version,
        "scoring_digest": challenge.scoring_digest,
        "training_digest": challenge.training_digest,
        "harness": __version__,
        "private": private,
        "files": rows,
    }


def _files(config: ExportConfig, challenge: Challenge) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file but the manifest, sorted within each part."""
    for name in ("challenge.yaml", "README.md"):
        if (challenge.folder / name).is_file():
            yield f"challenge/{name}", (challenge.folder / name).read_bytes()
    for name in read_all(config.runs, challenge.name):
        yield f"reproductions/{name}", (config.runs / challenge.name / FOLDER / name).read_bytes()
    for record in load_all(config.runs, challenge.name):
        folder = config.runs / challenge.name / record.run_id
        if not (folder / "record.json").is_file():
            raise UserError(f"Run {record.run_id} does not lie in a folder of its name: rename its folder.")
        for name, path in _run_files(folder):
            content = path.read_bytes() if config.private else shared_part(name, path)
            if content:
                yield f"runs/{record.run_id}/{name}", content


def _run_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of what an archive takes of a run's folder."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and RUN_FILE.fullmatch(name):
            yield name, path


def shared_part(name: str, path: Path) -> bytes:
    """Return what of a file is for everybody: values in known draws would spell out test labels."""
    if name == RESAMPLES:
        return b""
    return without_test(path.read_bytes()) if name == CASES else path.read_bytes()


def without_test(content: bytes) -> bytes:
    """Return a cases.parquet without the rows of the test half; empty if no row is left."""
    import pyarrow.compute as pc
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    kept = table.filter(pc.equal(table["half"], "cv"))
    if not len(kept):
        return b""
    target = io.BytesIO()
    parquet.write_table(kept, target)
    return target.getvalue()
