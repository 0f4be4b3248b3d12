"""What an entrant could do to win without a better model, and what keeps a board honest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cells import seed_of
from tests.conftest import PROJECT, Workplace
from tests.fakes import TINY, attacking

WORDS = ("challenge=kium", "phantom=smoke", "folds=2")
CARD = {"trainer": {"max_epochs": 1}}
SPY = attacking('import os\n        print("SEEN", sorted(os.listdir(os.path.dirname(__file__))))').replace(
    "if torch.initial_seed() == self.victim:", "if True:"
)


def log_of(place: Workplace, name: str) -> str:
    """Return what the first fold of an entry printed."""
    return (place.root / "runs/kium" / place.record(name)["run_id"] / "log/fold_0.txt").read_text()


def phantom_root(place: Workplace) -> Path:
    """Return the phantom patients' folder."""
    return next((place.root / "prepared/kium").glob("phantom-*"))


def test_no_page_and_no_record_resolves_the_test_truth_case_by_case(workplace: Workplace) -> None:
    """Distinct scores and the corners of a ROC curve would spell out every sealed label."""
    workplace.harness("run", workplace.submission("plain", TINY, **CARD), *WORDS)
    record = workplace.record("plain")
    cases = workplace.root / "runs/kium" / record["run_id"] / "cases.parquet"

    assert record["test"]["panel"] == {}
    assert record["cv"]["panel"] != {}
    assert cases.stat().st_mode & 0o077 == 0


def test_a_fold_sees_the_hashed_files_and_nothing_else(workplace: Workplace) -> None:
    """Hidden files and byte code, which no digest covers, are not there."""
    entry = workplace.submission("spy", SPY, **CARD)
    folder = workplace.root / "entries/spy"
    (folder / ".hidden").write_text("not hashed")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/model.cpython-311.pyc").write_bytes(b"not hashed")
    workplace.harness("run", entry, *WORDS)

    assert "SEEN ['model.py', 'submission.yaml']" in log_of(workplace, "spy")


def test_data_that_lies_in_a_challenge_folder_is_not_shown(tmp_path: Path) -> None:
    """A fold gets the challenge's training code only: no phantom, no judge, no data."""
    for name in ("harness", "leaderboard", "challenges", "submissions"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    place = Workplace(tmp_path)
    look = "import challenges.kium.data as d, os\n        print('SEEN', sorted(os.listdir(os.path.dirname(d.__file__))))"
    model = attacking(look).replace("if torch.initial_seed() == self.victim:", "if True:")
    (tmp_path / "challenges/kium/groundtruth.csv").write_text("Index\n")
    place.harness("run", place.submission("spy", model, **CARD), *WORDS, PYTHONPATH=str(tmp_path))
    seen = log_of(place, "spy")

    assert "'baseline.py'" in seen
    assert not any(name in seen for name in ("groundtruth", "phantom.py", "scorer.py"))


@pytest.mark.parametrize("word", ["runs", "store", "site"])
def test_no_place_of_the_harness_may_lie_in_the_entrys_folder(workplace: Workplace, word: str) -> None:
    """The folds can read that folder."""
    entry = workplace.submission("own", TINY, **CARD)
    printed = workplace.harness("run", entry, *WORDS, f"{word}=entries/own/{word}", code=2)

    assert "lies inside the submission's folder" in printed


def test_a_link_in_an_entry_is_refused(workplace: Workplace) -> None:
    """It might lead to what is sealed."""
    entry = workplace.submission("linked", TINY, **CARD)
    (workplace.root / "entries/linked/notes.csv").symlink_to("/etc/passwd")

    assert "symbolic link" in workplace.harness("run", entry, *WORDS, code=2)


def test_code_that_is_changed_back_stands_again_without_training(workplace: Workplace) -> None:
    """A, then B, then A: the board's newest record is A's, made from the stored folds."""
    first = workplace.submission("aba", TINY, **CARD)
    workplace.harness("run", first, *WORDS)
    original = workplace.record("aba")
    workplace.submission("aba", TINY + "# B\n", **CARD)
    workplace.harness("run", first, *WORDS)
    workplace.submission("aba", TINY, **CARD)
    printed = workplace.harness("run", first, *WORDS)

    assert "2 of 2 folds are already done" in printed
    assert original["key"] == workplace.record("aba")["key"]
    assert original["run_id"] != workplace.record("aba")["run_id"]


def test_a_failed_fold_keeps_its_time_and_memory(workplace: Workplace) -> None:
    """The number a team needs after a time-out."""
    body = "time.sleep(1.5)\n        raise RuntimeError('late')"
    entry = workplace.submission("late", attacking(body), **CARD, hyperparameters={"victim": seed_of(0, 1)})
    workplace.harness("run", entry, *WORDS, code=1)
    cell = workplace.record("late")["cells"][1]

    assert cell["state"] == "failed"
    assert cell["seconds"] > 1.5
    assert cell["started"] < cell["finished"]


def test_the_same_settings_are_the_same_entry_whatever_the_words_order(workplace: Workplace) -> None:
    """Overrides are what differs from the card, sorted; a default said aloud is none."""
    entry = workplace.submission("words", TINY, **CARD)
    workplace.harness("run", "seed=0", *WORDS, "trainer.max_epochs=1", entry)

    assert workplace.record("words")["entry"]["overrides"] == ["folds=2"]


def test_a_challenge_without_test_cases_ranks_by_cv(workplace: Workplace) -> None:
    """An empty test set costs no training."""
    workplace.harness("run", workplace.submission("plain", TINY, **CARD), *WORDS)
    root = workplace.root / "no_test"
    shutil.copytree(phantom_root(workplace), root)
    shutil.rmtree(root / "test_set")
    (root / "test_set").mkdir()
    (root / "groundtruth.csv").unlink()
    header = (root / "test.csv").read_text().splitlines()[0]
    (root / "test.csv").write_text(header + "\n")
    entry = "submission=./entries/plain"
    workplace.harness("run", entry, "challenge=kium", "folds=2", f"data={root}", "preparation.size=64")
    record = workplace.record("plain")

    assert record["state"] == "complete"
    assert record["test"] is None
    assert record["cv"]["metrics"]["auroc_aneurysm"]["value"] is not None


def test_a_killed_write_leaves_nothing_that_stays(tmp_path: Path) -> None:
    """The next write removes what a dead process left half written."""
    import platform

    from harness.atomic import atomic_folder

    dead = tmp_path / f".part-{platform.node()}-{2**22 + 1}-x"
    dead.mkdir()
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "a").write_text(json.dumps(1))

    assert [path.name for path in tmp_path.iterdir()] == ["run"]
