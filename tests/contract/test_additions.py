"""Adding a challenge, a submission and a metric changes no existing file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT
from tests.fakes import TINY

COPIED = ("harness", "leaderboard", "challenges", "submissions")
METRIC = '''
"""Share of cases that are right."""

from __future__ import annotations

import numpy as np

from harness.contracts import Metric


def compute(truth, prediction, counts=None):
    """Return the weighted share of equal cells."""
    right = (truth == prediction).reshape(len(truth), -1).mean(axis=1)
    return np.asarray(right.mean() if counts is None else counts @ right / counts.sum(axis=1))


metric = Metric("dummy_share", "Share", compute, higher_is_better=True, low=0.0, high=1.0)
'''


def hashes(root: Path) -> dict[str, str]:
    """Return the content hash of every file but byte code."""
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def harness(root: Path, *words: str) -> str:
    """Run the copy's own command."""
    done = subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def add_units(root: Path) -> None:
    """Add one folder a unit, and one file for the metric."""
    (root / "harness/metrics/dummy_share.py").write_text(METRIC)
    dummy = root / "challenges" / "dummy"
    shutil.copytree(root / "challenges" / "kium", dummy)
    for path in dummy.glob("*.py"):
        path.write_text(path.read_text().replace("challenges.kium", "challenges.dummy"))
    scorer = dummy / "scorer.py"
    scorer.write_text(
        scorer.read_text()
        .replace("    exact_match,\n", "    dummy_share,\n    exact_match,\n", 1)
        .replace('"location_accuracy": (accuracy.metric', '"location_accuracy": (dummy_share.metric', 1)
    )
    card = dummy / "challenge.yaml"
    card.write_text(card.read_text().replace("metric: accuracy\n", "metric: dummy_share\n", 1))
    entry = root / "submissions" / "dummy_entry"
    entry.mkdir()
    (entry / "submission.yaml").write_text("challenge: dummy\nteam: D\ntitle: d\ntrainer: {max_epochs: 1}\n")
    (entry / "model.py").write_text(TINY)


def test_a_dummy_challenge_submission_and_metric_run_without_touching_a_file(tmp_path: Path) -> None:
    """A copy of the project with three additions runs them end to end; nothing that was there has changed."""
    for name in COPIED:
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = hashes(tmp_path)
    add_units(tmp_path)
    listed = harness(tmp_path, "list")
    harness(tmp_path, "run", "challenge=dummy", "submission=dummy_entry", "phantom=smoke", "folds=2")
    after = hashes(tmp_path)

    assert all(name in listed for name in ("dummy\n", "dummy_entry", "dummy_share"))
    assert before == {name: after.get(name) for name in before}
    assert list((tmp_path / "runs/dummy").glob("*dummy_entry*/record.json"))
