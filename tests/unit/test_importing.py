"""An archive of a stranger's: whatever is not as an export wrote it is refused, and nothing is written."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.config import ExportConfig, ImportConfig
from harness.errors import UserError
from harness.exchange import export
from harness.importing import import_archive
from harness.predictions import as_bytes
from harness.records import dump
from harness.reproduce import compare
from harness.reproductions import FOLDER, Reproduction, badges, digest_of_run
from tests.leaderboard_fakes import record

RUN = record(run_id="run-1")
NAME = f"runs/{RUN.run_id}/"


def contents() -> dict[str, bytes]:
    """Return the files of a good archive, without its manifest."""
    predictions = {"cv": as_bytes({"x": np.zeros(1127)}), "test": as_bytes({"x": np.zeros(50)})}
    return {
        f"{NAME}record.json": dump(RUN).encode(),
        f"{NAME}folds.csv": b"case,patient,fold\n",
        **{f"{NAME}predictions/{half}.npz": content for half, content in predictions.items()},
    }


def packed(path: Path, files: dict[str, bytes], lie: dict[str, Any] | None = None, **manifest: Any) -> Path:
    """Write an archive whose manifest fits, but for what it is told to say."""
    rows = {n: {"sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for n, c in files.items()}
    said = {"schema": 1, "challenge": "kium", "files": {**rows, **(lie or {})}, **manifest}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in {**files, "manifest.json": json.dumps(said).encode()}.items():
            target.writestr(name, content)
    return path


def read(path: Path, runs: Path) -> tuple[str, int, int]:
    """Import an archive."""
    return import_archive(ImportConfig(file=path, runs=runs))


def test_a_good_archive_is_read_once(tmp_path: Path) -> None:
    """One new run; the second time it is there already, and its files are those of the archive."""
    path, runs = packed(tmp_path / "a.zip", contents()), tmp_path / "runs"

    assert read(path, runs) == ("kium", 1, 0)
    assert read(path, runs) == ("kium", 0, 1)
    assert (runs / "kium/run-1/folds.csv").read_bytes() == contents()[f"{NAME}folds.csv"]


HUGE = {f"{NAME}folds.csv": {"sha256": "0" * 64, "bytes": 1 << 40}}
OTHER = dump(dataclasses.replace(RUN, run_id="other")).encode()
PICKLE = io.BytesIO()
np.savez(PICKLE, x=np.array([{}] * 1127, dtype=object))


@pytest.mark.parametrize(
    ("more", "lie", "manifest", "sentence"),
    [
        (
            {f"{NAME}folds.csv": b"other"},
            {f"{NAME}folds.csv": {"sha256": "0" * 64, "bytes": 5}},
            {},
            "SHA-256",
        ),
        ({"../../evil": b"x"}, {}, {}, "leads out"),
        ({f"{NAME}model.py": b"import os"}, {}, {}, "no file of an export"),
        ({"runs/run-1/predictions/../../x": b"x"}, {}, {}, "leads out"),
        ({}, HUGE, {}, "at most"),
        ({}, {f"{NAME}environment.txt": {"sha256": "0" * 64, "bytes": 1}}, {}, "missing"),
        ({f"{NAME}record.json": b"{}"}, {}, {}, "not a run record"),
        ({f"{NAME}record.json": OTHER}, {}, {}, "is of run 'other'"),
        ({f"{NAME}predictions/cv.npz": PICKLE.getvalue()}, {}, {}, "not what its name says"),
        ({f"{NAME}predictions/cv.npz": as_bytes({"x": np.zeros(3)})}, {}, {}, "not of 1127 cases"),
        ({f"{NAME}cases.parquet": b"PAR1"}, {}, {}, "not what its name says"),
        ({"reproductions/a.json": b"{}"}, {}, {}, "not what its name says"),
        ({}, {}, {"challenge": "../kium"}, "not here"),
        ({}, {}, {"schema": 99}, "schema 99"),
    ],
)
def test_what_is_not_as_an_export_wrote_it_is_refused(
    tmp_path: Path, more: dict[str, bytes], lie: dict[str, Any], manifest: dict[str, Any], sentence: str
) -> None:
    """By name, and before any run is written."""
    path = packed(tmp_path / "a.zip", {**contents(), **more}, lie, **manifest)
    with pytest.raises(UserError, match=sentence):
        read(path, tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("kium/[!.]*"))


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A member that is a symbolic link, whatever the manifest says."""
    path = packed(tmp_path / "a.zip", contents())
    with zipfile.ZipFile(path, "a") as target:
        link = zipfile.ZipInfo(f"{NAME}environment.txt")
        link.external_attr = 0o120777 << 16
        target.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="symbolic link"):
        read(path, tmp_path / "runs")


def test_a_run_with_other_content_is_never_replaced(tmp_path: Path) -> None:
    """Records never change: the whole import is refused, and what is stored stays."""
    runs = tmp_path / "runs"
    read(packed(tmp_path / "a.zip", contents()), runs)
    changed = {**contents(), f"{NAME}folds.csv": b"case,patient,fold\na,a,1\n"}
    new = dump(dataclasses.replace(RUN, run_id="run-2")).encode()
    path = packed(tmp_path / "b.zip", {**changed, "runs/run-2/record.json": new})
    with pytest.raises(UserError, match="Nothing was imported"):
        read(path, runs)
    assert (runs / "kium/run-1/folds.csv").read_bytes() == contents()[f"{NAME}folds.csv"]
    assert not (runs / "kium/run-2").exists()


@pytest.mark.parametrize(("private", "halves"), [(False, ["cv"]), (True, ["cv", "test"])])
def test_an_export_leaves_the_test_halfs_scores_by_case_out(
    tmp_path: Path, private: bool, halves: list[str]
) -> None:
    """And logs; a private one keeps the scores. The same records give the same bytes."""
    import pandas as pd

    runs = tmp_path / "runs"
    read(packed(tmp_path / "a.zip", contents()), runs)
    frame = pd.DataFrame({"case": ["a", "b"], "half": ["cv", "test"], "error": [0.0, 1.0]})
    frame.to_parquet(runs / "kium/run-1/cases.parquet", index=False)
    (runs / "kium/run-1/log").mkdir()
    (runs / "kium/run-1/log/fold_0.txt").write_text("label of case b: 1")
    paths = [tmp_path / "x.zip", tmp_path / "y.zip"]
    for path in paths:
        export(ExportConfig(challenge="kium", to=path, runs=runs, private=private))
    with zipfile.ZipFile(paths[0]) as found:
        table = pd.read_parquet(io.BytesIO(found.read(f"{NAME}cases.parquet")))
        names = found.namelist()

    assert table["half"].tolist() == halves
    assert not [name for name in names if "log/" in name]
    assert paths[0].read_bytes() == paths[1].read_bytes()


# ----------------------------------------------------------------------------------- the badge
def found_in(runs: Path, **changes: Any) -> None:
    """Write what a reproduction of the run found."""
    folder = runs / "kium" / FOLDER
    folder.mkdir(exist_ok=True)
    facts: dict[str, Any] = {
        "run_id": "run-1", "challenge": "kium", "digests": digest_of_run(runs / "kium/run-1"),
        "submission": "d", "folds": tuple(range(10)), "n_folds": 10, "cases": 1177, "differing": 0,
        "largest": 0.0, "worst": "", "metric": "auroc", "metric_difference": 0.0, "stated": 0.0,
        "isolation": "none", "harness": "0", "finished": "2026-11-28T00:00:00", "seconds": 1.0, **changes,
    }  # fmt: skip
    number = len(list(folder.iterdir()))
    (folder / f"run-1.{number}.json").write_text(dump(Reproduction(**facts)))


@pytest.mark.parametrize(
    ("changes", "badge"),
    [
        ({}, "reproduced exactly"),
        ({"folds": (3,)}, "reproduced exactly, 1 of 10 folds"),
        ({"largest": 5e-4, "differing": 7}, "reproduced within 0.0005"),
        ({"largest": 0.2, "differing": 7}, None),
        ({"metric_difference": 0.01}, None),
        ({"stated": 0.1}, None),
        ({"folds": ()}, None),
        ({"digests": {"record.json": "0" * 64}}, None),
    ],
)
def test_the_badge_follows_from_the_differences(
    tmp_path: Path, changes: dict[str, Any], badge: str | None
) -> None:
    """Exact, or within the tolerance; never for an altered record."""
    read(packed(tmp_path / "a.zip", contents()), tmp_path / "runs")
    found_in(tmp_path / "runs", **changes)
    found = badges(tmp_path / "runs", "kium", ["run-1"])
    assert (found["run-1"].words if found else None) == badge


def test_a_record_altered_later_loses_its_badge(tmp_path: Path) -> None:
    """And so does one that a later comparison did not reproduce."""
    runs = tmp_path / "runs"
    read(packed(tmp_path / "a.zip", contents()), runs)
    found_in(runs)
    assert badges(runs, "kium", ["run-1"])
    found_in(runs, largest=0.5, differing=1, finished="2026-11-29T00:00:00")
    assert not badges(runs, "kium", ["run-1"])
    found_in(runs, finished="2026-11-30T00:00:00")
    assert badges(runs, "kium", ["run-1"])
    path = runs / "kium/run-1/record.json"
    path.write_text(path.read_text() + "\n")
    assert not badges(runs, "kium", ["run-1"])


def test_predictions_are_compared_case_by_case() -> None:
    """The largest difference and its case; a NaN is no agreement."""
    ids = ("a", "b", "c")
    before = {"x": np.array([0.1, 0.2, 0.3]), "y": np.zeros((3, 2))}
    after = {"x": np.array([0.1, 0.25, 0.3]), "y": np.array([[0, 0], [0, 0], [0, 0.5]])}
    found = compare(before, after, ids)

    assert (found.cases, found.differing, found.largest, found.worst) == (3, 2, 0.5, "c")
    assert compare(before, before, ids).largest == 0.0
    assert compare({"x": before["x"]}, {"x": np.full(3, np.nan)}, ids).largest == 1.0
