"""A failure is a typed state with its reason, and the rest of the run is intact."""

from __future__ import annotations

import pytest

from harness.cells import seed_of
from tests.conftest import Workplace, needs
from tests.fakes import TINY, attacking, predicting

WORDS = ("challenge=kium", "phantom=smoke", "folds=3")
ATTACKS = {
    "error": 'raise RuntimeError("this fold was told to fail")',
    "timeout": "time.sleep(3600)",
    "memory": "self.hoard = torch.ones(100 * 2**30, dtype=torch.uint8)",
    "processes": "import os\n        while True:\n            os.fork()",
    "disk": 'open("/tmp/full", "wb").write(bytes(3 * 2**30))',
    "killed": "import ctypes\n        ctypes.string_at(0)",
    "output": "while True:\n            print('x' * 10**6, flush=True)",
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_hostile_fold_ends_as_a_typed_failure_with_the_rest_intact(workplace: Workplace, kind: str) -> None:
    """One fold of three fails by its kind; the other two are done; nothing is ranked; exit code 1."""
    needs("bwrap")
    victim = {"hyperparameters": {"victim": seed_of(0, 1)}, "trainer": {"max_epochs": 1}}
    entry = workplace.submission("hostile", attacking(ATTACKS[kind]), **victim)
    printed = workplace.harness("run", entry, *WORDS, "limits.hours=0.005", "limits.memory_gb=4", code=1)
    record = workplace.record("hostile")

    assert ["done", "failed", "done"] == [cell["state"] for cell in record["cells"]]
    assert kind == record["cells"][1]["failure_kind"], printed
    assert record["state"] == "failed"
    assert {} == record["cv"]["metrics"] == record["test"]["metrics"]
    assert record["cv"]["n_scored"] < record["cv"]["n_expected"]


def test_a_mended_entry_trains_anew_and_a_retry_trains_the_failed_fold_only(workplace: Workplace) -> None:
    """The same command retries what failed and nothing else."""
    victim = {"hyperparameters": {"victim": seed_of(0, 1)}, "trainer": {"max_epochs": 1}}
    entry = workplace.submission("failing", TINY, **victim)
    workplace.harness("run", entry, *WORDS, code=1)
    printed = workplace.harness("run", entry, *WORDS, code=1)

    assert "2 of 3 folds are already done" in printed
    assert "this fold was told to fail" in printed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('        return {"aneurysm": scores[:, 0]}', "predict_step returned no 'locations'"),
        ('        return {"aneurysm": scores, "locations": scores[:, 1:]}', "'aneurysm' has shape"),
        ("        return scores", "must return a dictionary"),
        (
            '        return {"aneurysm": scores[:, 0] * float("nan"), "locations": scores[:, 1:].round()}',
            "is nan",
        ),
        ('        return {"aneurysm": scores[:, 0] + 5, "locations": scores[:, 1:].round()}', "[0, 1]"),
        ('        return {"aneurysm": scores[:, 0], "locations": scores[:, 1:]}', "whole number"),
        (
            '        return {"aneurism": scores[:, 0], "locations": scores[:, 1:].round()}',
            "unknown key 'aneurism'",
        ),
    ],
)
def test_check_says_exactly_what_is_wrong(workplace: Workplace, body: str, reason: str) -> None:
    """`harness check` ends with exit code 1 and the sentence, not a guess."""
    entry = workplace.submission("wrong", predicting(body))
    printed = workplace.harness("check", entry, code=1)

    assert reason in printed
    assert "FAILED (predictions)" in printed


def test_check_passes_a_plain_lightning_module(workplace: Workplace) -> None:
    """A LightningModule that knows nothing of the harness is enough."""
    assert "All is well" in workplace.harness("check", workplace.submission("plain", TINY))


def test_a_new_submission_runs_as_it_is(workplace: Workplace) -> None:
    """`harness new` writes a folder that passes `harness check` at once."""
    workplace.harness("new", "submission", "mine", "challenge=kium", "team=Ours: 'quoted' & co")
    assert "All is well" in workplace.harness("check", "submission=mine")
