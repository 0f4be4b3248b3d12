"""What is done is never done again, and nothing that is stopped is lost."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conftest import Workplace, place_with
from tests.fakes import TINY

WORDS = ("challenge=kium", "phantom=smoke", "folds=6", "jobs=1")
CARD = {"trainer": {"max_epochs": 1}, "hyperparameters": {"sleep": 0.5}}


def numbers(record: dict) -> tuple:
    """Return the scores of a record."""
    return record["cv"]["metrics"], record["test"]["metrics"], [cell["metrics"] for cell in record["cells"]]


def wait_for_folds(place: Workplace, n: int) -> list[str]:
    """Wait until n folds are stored and return their keys."""
    for _ in range(1200):
        done = [path.parent.name for path in (place.root / "runs/kium/.cells").glob("[!.]*/cell.json")]
        if len(done) >= n:
            return sorted(done)
        time.sleep(0.05)
    raise AssertionError("the folds never came")


def test_kill_9_then_the_same_command_finishes_the_rest_and_only_the_rest(
    workplace: Workplace, store: Path
) -> None:
    """Killed in fold 4, folds 0 to 3 keep their time stamps and the numbers are those of an undisturbed run."""
    entry = workplace.submission("slow", TINY, **CARD)
    process = workplace.start("run", entry, *WORDS)
    kept = wait_for_folds(workplace, 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stamps = {key: (workplace.root / f"runs/kium/.cells/{key}/cell.json").read_text() for key in kept}

    printed = workplace.harness("run", entry, *WORDS)
    resumed = workplace.record("slow")
    (workplace.root / "other").mkdir()
    undisturbed = place_with(workplace.root / "other", store)
    undisturbed.submission("slow", TINY, **CARD)
    undisturbed.harness("run", entry, *WORDS)

    assert f"{len(kept)} of 6 folds are already done" in printed
    for key, text in stamps.items():
        assert text == (workplace.root / f"runs/kium/.cells/{key}/cell.json").read_text()
    assert numbers(undisturbed.record("slow")) == numbers(resumed)
    assert resumed["state"] == "complete"


def test_ctrl_c_ends_soon_with_what_is_done_kept(workplace: Workplace) -> None:
    """SIGINT ends the run with exit code 130; the finished folds stay."""
    entry = workplace.submission("slow", TINY, **{**CARD, "hyperparameters": {"sleep": 15.0}})
    process = workplace.start("run", entry, *WORDS)
    wait_for_folds(workplace, 1)
    time.sleep(0.5)  # into the next fold: a slow disk's fsync of the first is not what is measured
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    printed = process.communicate()[0]
    took = time.monotonic() - began

    assert process.returncode == 130, printed
    assert took < 12.0  # half a second on an idle machine, and a fold sleeps for 15
    assert "What is done is kept" in printed
    assert "Traceback" not in printed
    assert wait_for_folds(workplace, 1)
    assert not workplace.records()


def test_two_runs_at_once_do_not_harm_each_other(workplace: Workplace) -> None:
    """The same command twice and another entry, all at once: three exits 0, one record an entry."""
    first = workplace.submission("first", TINY, trainer={"max_epochs": 1})
    second = workplace.submission("second", TINY, trainer={"max_epochs": 2})
    words = ("challenge=kium", "phantom=smoke", "folds=3")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda entry: workplace.harness("run", entry, *words), [first, first, second]))

    names = [record["entry"]["name"] for record in workplace.records()]

    assert sorted(names) == ["first", "no_aneurysm", "prevalence", "second"]
    assert all(record["state"] == "complete" for record in workplace.records())


def test_a_finished_run_is_not_run_again(workplace: Workplace) -> None:
    """The same command after the end trains nothing and leaves the same records."""
    entry = workplace.submission("once", TINY, trainer={"max_epochs": 1})
    words = ("challenge=kium", "phantom=smoke", "folds=2")
    workplace.harness("run", entry, *words)
    before = workplace.records()
    printed = workplace.harness("run", entry, *words)

    assert "Already done" in printed
    assert before == workplace.records()
