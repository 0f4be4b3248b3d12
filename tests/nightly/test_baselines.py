"""Baselines under the challenge's own ten folds, on phantom patients: minutes each.

Not in `uv run pytest`; type `uv run pytest tests/nightly`.
"""

from __future__ import annotations

import pytest

from tests.conftest import Workplace


def test_the_brats_baseline_finds_the_tumour_in_ten_folds(workplace: Workplace) -> None:
    """On twenty brains its mean Dice of the whole tumour is above .7; "no tumour" has none."""
    workplace.harness("run", "challenge=brats", minutes=60)
    records = {record["entry"]["name"]: record for record in workplace.records("brats")}
    baseline, empty = records["baseline"], records["no_tumour"]

    assert len(baseline["cells"]) == 10
    assert baseline["data"]["n_development"] >= 20
    assert baseline["cv"]["metrics"]["dice_wt"]["value"] > 0.7
    assert baseline["cv"]["metrics"]["dice_wt"]["low"] > empty["cv"]["metrics"]["dice_wt"]["high"]


@pytest.mark.parametrize("challenge", ["pneumonia", "glioma"])
def test_a_baseline_beats_the_constant_answer_in_ten_folds(workplace: Workplace, challenge: str) -> None:
    """The whole interval of its first metric lies above one half, out of fold."""
    workplace.harness("run", f"challenge={challenge}", minutes=60)
    (baseline,) = [r for r in workplace.records(challenge) if r["entry"]["name"] == "baseline"]
    first = next(iter(baseline["cv"]["metrics"].values()))

    assert len(baseline["cells"]) == 10
    assert first["low"] > 0.5
