"""Predictions are checked case by case before anything is scored."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from harness.contracts import ArraySpec, Fold
from harness.predictions import as_bytes, check, expected_results, from_file
from harness.scoring import assemble

SPEC = {
    "p": ArraySpec((), 0, 1),
    "labels": ArraySpec((2,), 0, 1, integer=True),
    "extra": ArraySpec((), 0, 1, required=False),
}
GOOD = {
    "p": np.array([0.0, 1.0]),
    "labels": np.array([[0.0, 1], [1, 0]]),
    "extra": np.array([np.nan, np.nan]),
}


def test_good_predictions_come_back_in_the_types_of_the_spec() -> None:
    """Labels are whole numbers; an optional key that is all NaN was not given."""
    kept, failure = check(GOOD, SPEC, ["a", "b"])

    assert failure is None
    assert sorted(kept) == ["labels", "p"]
    assert kept["labels"].dtype == np.uint8


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("p", np.array([0.5, np.nan]), "p of case b is nan"),
        ("p", np.array([1.5, 0.5]), "p of case a is 1.5"),
        ("p", np.array([0.5, np.inf]), "case b is inf"),
        ("labels", np.array([[0, 0], [0, 0.5]]), r"labels\[1\] of case b is 0.5, but must be a whole number"),
        ("extra", np.array([0.5, np.nan]), "extra of case b is nan"),
    ],
)
def test_the_first_wrong_case_is_named(key: str, value: np.ndarray, named: str) -> None:
    """The reason holds the key, the case and the value."""
    _, failure = check({**GOOD, key: value}, SPEC, ["a", "b"])

    assert failure is not None

    assert re.search(named, failure.reason)


def test_expected_results_name_both_halves() -> None:
    """Shapes follow from the numbers of cases."""
    assert expected_results(SPEC, 3, 1)["heldout/labels"] == ((3, 2), "float")
    assert expected_results(SPEC, 3, 1)["test/p"] == ((1,), "float")


def test_out_of_fold_predictions_return_to_the_order_of_the_cases() -> None:
    """Each case gets the prediction of the fold that held it out."""
    rows = [np.array([1, 3]), np.array([0, 2])]
    folds = {i: (Fold(i, np.array([], dtype=int), held), {"p": held * 10.0}) for i, held in enumerate(rows)}

    assert np.array_equal(assemble(folds, 4)["p"], [0, 10, 20, 30])


def test_stored_predictions_read_back_bit_for_bit(tmp_path: Path) -> None:
    """No digit is lost on disk."""
    values = np.random.default_rng(0).random(7)
    (tmp_path / "p.npz").write_bytes(as_bytes({"p": values}))

    assert np.array_equal(values, from_file(tmp_path / "p.npz")["p"])
