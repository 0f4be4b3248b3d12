"""Folds that keep patients together and labels balanced, and the audit that finds leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from harness.contracts import Case, CaseSet, Dataset, Fold
from harness.errors import UserError
from harness.folds import audit, make_folds

KIUM_POSITIVES = (100, 100, 35, 34, 30, 18, 21, 13, 66, 30, 67, 96, 17, 11, 3, 2, 6, 4, 24, 3, 1)


def make_cases(patients: list[str]) -> tuple[Case, ...]:
    """Return a case for each patient named, without files."""
    return tuple(Case(f"case{i:04}", patient, ()) for i, patient in enumerate(patients))


def kium_strata(seed: int) -> Any:
    """1,127 patients, 523 with an aneurysm, and the real number of positives of every location."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((1127, 22), dtype=np.bool_)
    ill = rng.permutation(1127)[:523]
    labels[ill, 0] = True
    for column, positives in enumerate(KIUM_POSITIVES, start=1):
        labels[rng.permutation(ill)[:positives], column] = True
    return labels


def fold_of(cases: tuple[Case, ...], folds: tuple[Fold, ...]) -> dict[str, int]:
    """Return the fold that holds each case out."""
    return {cases[row].id: fold.index for fold in folds for row in fold.heldout}


def deviation(labels: Any, heldouts: list[Any]) -> float:
    """Return the mean distance, in positives, of a label in a fold from its equal share."""
    found = np.array([labels[rows].sum(axis=0) for rows in heldouts])
    return float(np.abs(found - labels.sum(axis=0) / len(heldouts)).mean())


@settings(max_examples=60, deadline=None)
@given(
    patients=st.lists(st.sampled_from([str(i) for i in range(12)]), min_size=8, max_size=40),
    n_folds=st.integers(2, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_case_is_held_out_once_with_its_patient(patients: list[str], n_folds: int, seed: int) -> None:
    """Held-out parts are a partition of the cases, and no patient is on both sides of a fold."""
    if len(set(patients)) < n_folds:
        return
    rng = np.random.default_rng(seed)
    cases = make_cases(patients)
    folds = make_folds(cases, rng.random((len(cases), 3)) < 0.2, n_folds, seed)
    assert [fold.index for fold in folds] == list(range(n_folds))
    assert sorted(np.concatenate([fold.heldout for fold in folds])) == list(range(len(cases)))
    for fold in folds:
        assert sorted([*fold.train, *fold.heldout]) == list(range(len(cases)))
        assert not {cases[i].patient for i in fold.train} & {cases[i].patient for i in fold.heldout}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_as_rare_as_the_real_ones_are_balanced(seed: int) -> None:
    """The 22 labels stray by less than half a positive a fold, under half of what plain folds do."""
    labels = kium_strata(seed)
    cases = make_cases([str(i) for i in range(1127)])
    folds = make_folds(cases, labels, 10, seed)
    ours = deviation(labels, [fold.heldout for fold in folds])
    plain = [heldout for _, heldout in KFold(10, shuffle=True, random_state=seed).split(labels)]
    assert ours < 0.5
    assert ours < deviation(labels, plain) / 2
    assert {len(fold.heldout) for fold in folds} <= {112, 113}


def test_the_seed_decides_the_folds() -> None:
    """The same seed repeats them, another one does not."""
    cases, labels = make_cases([str(i) for i in range(60)]), kium_strata(0)[:60]

    def table(seed: int) -> dict[str, int]:
        return fold_of(cases, make_folds(cases, labels, 5, seed))

    assert table(1) == table(1)
    assert table(1) != table(2)


def test_the_order_of_the_cases_does_not_change_the_folds() -> None:
    """A case is held out in the same fold wherever its row stands."""
    cases, labels = make_cases([str(i % 40) for i in range(80)]), kium_strata(0)[:80]
    order = np.random.default_rng(0).permutation(80)
    moved = tuple(cases[i] for i in order)
    assert fold_of(cases, make_folds(cases, labels, 5, 7)) == fold_of(
        moved, make_folds(moved, labels[order], 5, 7)
    )


def test_one_label_is_stratified_too() -> None:
    """A single column of labels is divided evenly."""
    labels = np.arange(100)[:, None] < 20
    for fold in make_folds(make_cases([str(i) for i in range(100)]), labels, 5, 0):
        assert labels[fold.heldout].sum() == 4


@pytest.mark.parametrize("n_folds", [-1, 0, 1, 4])
def test_impossible_numbers_of_folds_are_refused(n_folds: int) -> None:
    """Fewer than two folds, or more than patients, are an error, never another protocol."""
    cases = make_cases(["a", "a", "b", "b", "c"])
    with pytest.raises(UserError, match=rf"folds={n_folds} is impossible with 3 patients.*from 2 to 3"):
        make_folds(cases, np.zeros((5, 1), dtype=np.bool_), n_folds, 0)


# -------------------------------------------------------------------------------------------- audit
class Files:
    """A data set of 24 + 6 cases with one file each, and its folds, to spoil in one place."""

    def __init__(self, root: Path) -> None:
        rng = np.random.default_rng(0)
        self.cases = []
        for i in range(30):
            path = root / f"{i:02}.bin"
            path.write_bytes(bytes(int(rng.integers(10, 99))) + bytes([i]))
            self.cases.append(Case(f"{i:02}", f"p{i:02}", (path,)))
        self.digests = {case.files[0]: case.id for case in self.cases}
        self.labels = rng.permutation(np.repeat([0, 1], 12)).astype(np.uint8)
        heldout = np.arange(24).reshape(4, 6)
        self.test_truth: dict[str, Any] | None = None
        self.folds = [Fold(k, np.setdiff1d(np.arange(24), rows), rows) for k, rows in enumerate(heldout)]

    def audit(self) -> None:
        """Audit what the attributes hold now."""
        truth = {"label": self.labels, "places": np.column_stack([1 - self.labels[::-1]] * 2)}
        development = CaseSet(tuple(self.cases[:24]), truth)
        audit(
            Dataset(development, CaseSet(tuple(self.cases[24:]), self.test_truth)), self.folds, self.digests
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A data set without a leak."""
    return Files(tmp_path)


def test_a_clean_data_set_passes(files: Files) -> None:
    """Without a leak the audit says nothing."""
    files.audit()


@pytest.mark.parametrize(("other", "where"), [(9, "fold 0 and fold 1"), (27, "fold 0 and the test set")])
def test_a_patient_in_two_halves_is_named(files: Files, other: int, where: str) -> None:
    """A patient in two folds, or in both sets, fails the build."""
    files.cases[other] = replace(files.cases[other], patient="p03")
    with pytest.raises(UserError, match=f"patient p03 is in {where}"):
        files.audit()


@pytest.mark.parametrize(("other", "where"), [(9, "fold 1"), (27, "the test set")])
def test_a_byte_identical_file_in_two_halves_is_named(files: Files, other: int, where: str) -> None:
    """The same content in two folds, or in both sets, fails the build."""
    files.digests[files.cases[other].files[0]] = "03"
    with pytest.raises(
        UserError, match=rf"byte-identical files: 03.bin \(fold 0\) and {other:02}.bin \({where}\)"
    ):
        files.audit()


def test_a_byte_identical_file_in_one_fold_passes(files: Files) -> None:
    """Copies that are always held out together leak nothing."""
    files.digests[files.cases[4].files[0]] = "03"
    files.audit()


def test_a_patient_in_one_fold_passes(files: Files) -> None:
    """Several cases of a patient in one fold are what folds are for."""
    files.cases[4] = replace(files.cases[4], patient="p03")
    files.audit()


@pytest.mark.parametrize("labels", [[0] * 12 + [1] * 12, [1] * 12 + [0] * 12])
def test_labels_in_order_are_named(files: Files, labels: list[int]) -> None:
    """Cases sorted by their label, either way round, fail the build, for every label array."""
    files.labels = np.array(labels, dtype=np.uint8)
    with pytest.raises(
        UserError, match="the order of the cases gives away label in the development"
    ) as error:
        files.audit()
    assert "gives away places[1]" in str(error.value)


def test_labels_that_the_file_size_gives_away_are_named(files: Files) -> None:
    """Larger files for one class fail the build."""
    for case, label in zip(files.cases, files.labels, strict=False):
        case.files[0].write_bytes(bytes(100 + 50 * int(label)))
    with pytest.raises(UserError, match="the size of the files gives away label"):
        files.audit()


def test_test_labels_in_order_are_named(files: Files) -> None:
    """The truth of the test set is looked at too."""
    files.cases += [Case(f"{i}", f"p{i}", files.cases[-1].files) for i in range(30, 36)]
    files.test_truth = {"label": np.repeat([0, 1], 6)}
    with pytest.raises(UserError, match="the order of the cases gives away label in the test set"):
        files.audit()


def test_a_handful_of_positives_proves_nothing(files: Files) -> None:
    """With fewer than five cases of a class an ordered label may be chance, and passes."""
    files.labels = np.array([0] * 20 + [1] * 4, dtype=np.uint8)
    files.audit()


def test_folds_that_do_not_hold_out_once_are_named(files: Files) -> None:
    """A case held out twice, never, or trained on while held out, is named."""
    files.folds[1] = Fold(1, files.folds[1].train, np.array([5, 7, 8, 9, 10, 11]))
    with pytest.raises(UserError) as error:
        files.audit()
    for problem in (
        "case 05 is held out 2 times",
        "case 06 is held out 0 times",
        "case 05 is trained on and held",
    ):
        assert problem in str(error.value)
