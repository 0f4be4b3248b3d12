"""A failure is a typed state with its reason, and the rest of the run is intact."""

from __future__ import annotations

from collections.abc import Iterable

from harness.cells import seed_of
from tests.conftest import Workplace, needs
from tests.fakes import TINY, attacking, predicting

WORDS = ("challenge=kium", "phantom=smoke", "folds=3")
ATTACKS = {
    "error": 'raise RuntimeError("this fold was told to fail")',
    "timeout": "time.sleep(3600)",
    "memory": "self.hoard = torch.ones(100 * 2**30, dtype=torch.uint8)",
    "processes": "import os\n            while True:\n                os.fork()",
    "disk": 'open("/tmp/full", "wb").write(bytes(3 * 2**30))',
    "killed": "import ctypes\n            ctypes.string_at(0)",
    "output": "while True:\n                print('x' * 10**6, flush=True)",
}
"""By kind of failure, what a fold does."""
ANSWERS = {
    'return {"aneurysm": scores[:, 0]}': "predict_step returned no 'locations'",
    'return {"aneurysm": scores, "locations": scores[:, 1:]}': "'aneurysm' has shape",
    "return scores": "must return a dictionary",
    'return {"aneurysm": scores[:, 0] * float("nan"), "locations": scores[:, 1:].round()}': "is nan",
    'return {"aneurysm": scores[:, 0] + 5, "locations": scores[:, 1:].round()}': "[0, 1]",
    'return {"aneurysm": scores[:, 0], "locations": scores[:, 1:]}': "whole number",
    'return {"aneurism": scores[:, 0], "locations": scores[:, 1:].round()}': "unknown key 'aneurism'",
}
"""Predictions that are none, and what is said of them."""


def by_fold(bodies: Iterable[str]) -> str:
    """Return a model's lines that do in each fold, known by its seed, what is listed for it."""
    lines = [
        f"        if torch.initial_seed() == {seed_of(0, fold)}:\n            {body}\n"
        for fold, body in enumerate(bodies)
    ]
    return "".join(lines)


def test_hostile_folds_end_as_typed_failures_with_the_rest_intact(workplace: Workplace) -> None:
    """Each fold fails by its kind, two are done; nothing is ranked; exit code 1."""
    needs("bwrap")
    body = by_fold(ATTACKS.values()).strip()
    model = attacking(body).replace("if torch.initial_seed() == self.victim:", "if True:")
    entry = workplace.submission("hostile", model, trainer={"max_epochs": 1})
    words = ("challenge=kium", "phantom=smoke", f"folds={len(ATTACKS) + 2}")
    printed = workplace.harness("run", entry, *words, "limits.hours=0.005", "limits.memory_gb=4", code=1)
    record = workplace.record("hostile")

    assert [*ATTACKS, None, None] == [cell["failure_kind"] for cell in record["cells"]], printed
    assert ["failed"] * len(ATTACKS) + ["done"] * 2 == [cell["state"] for cell in record["cells"]]
    assert record["state"] == "failed"
    assert {} == record["cv"]["metrics"] == record["test"]["metrics"]
    assert record["cv"]["n_scored"] < record["cv"]["n_expected"]


def test_wrong_predictions_are_said_exactly(workplace: Workplace) -> None:
    """Key, shape, type, range and NaN: each fold's failure is the sentence, not a guess."""
    model = predicting(by_fold(ANSWERS))
    entry = workplace.submission("wrong", model, trainer={"max_epochs": 1})
    workplace.harness("run", entry, "challenge=kium", "phantom=smoke", f"folds={len(ANSWERS)}", code=1)
    cells = workplace.record("wrong")["cells"]

    assert {"predictions"} == {cell["failure_kind"] for cell in cells}
    for cell, reason in zip(cells, ANSWERS.values(), strict=True):
        assert reason in cell["failure_reason"]


def test_a_mended_entry_trains_anew_and_a_retry_trains_the_failed_fold_only(workplace: Workplace) -> None:
    """The same command retries what failed and nothing else."""
    victim = {"hyperparameters": {"victim": seed_of(0, 1)}, "trainer": {"max_epochs": 1}}
    entry = workplace.submission("failing", TINY, **victim)
    workplace.harness("run", entry, *WORDS, code=1)
    printed = workplace.harness("run", entry, *WORDS, code=1)

    assert "2 of 3 folds are already done" in printed
    assert "this fold was told to fail" in printed


def test_check_says_exactly_what_is_wrong(workplace: Workplace) -> None:
    """`harness check` ends with exit code 1 and the sentence."""
    entry = workplace.submission("wrong", predicting('        return {"aneurysm": scores[:, 0]}'))
    printed = workplace.harness("check", entry, code=1)

    assert "predict_step returned no 'locations'" in printed
    assert "FAILED (predictions)" in printed


def test_check_passes_a_plain_lightning_module(workplace: Workplace) -> None:
    """A LightningModule that knows nothing of the harness is enough."""
    assert "All is well" in workplace.harness("check", workplace.submission("plain", TINY))


def test_a_new_submission_runs_as_it_is(workplace: Workplace) -> None:
    """`harness new` writes a folder that passes `harness check` at once."""
    workplace.harness("new", "submission", "mine", "challenge=kium", "team=Ours: 'quoted' & co")
    assert "All is well" in workplace.harness("check", "submission=mine")
