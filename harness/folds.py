"""Patient-grouped, stratified folds, and the audit that no leak passes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.contracts import Case, CaseSet, Dataset, Fold
from harness.errors import UserError, refuse
from harness.metrics import auroc
from harness.prepare import contents

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays

TELLING = 0.99
"""AUROC from which on a file property is taken for the label itself."""
FEWEST = 5
"""Cases of each class that a label needs before the audit judges it."""


def make_folds(cases: Sequence[Case], strata: NDArray[np.bool_], n_folds: int, seed: int) -> tuple[Fold, ...]:
    """Divide the patients into `n_folds` held-out parts with similar shares of every label.

    Iterative stratification over patients (a patient has a label if any of its cases has), so that a
    patient is never divided; every case is held out exactly once. `strata` is (n, labels) in the order
    of `cases`. Which patients share a fold depends on the seed, the patients and their labels, not on
    the order of the cases. Source: Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011.

    Raises:
        UserError: fewer than 2 folds, or more folds than the patients can fill.
    """
    patients, of_case = np.unique([case.patient for case in cases], return_inverse=True)
    if len(patients) < 2:
        raise UserError(
            f"Folds need at least 2 patients, but the development set has {len(patients)}. "
            "Check that data= names the folder that holds them all."
        )
    if not 2 <= n_folds <= len(patients):
        raise UserError(
            f"folds={n_folds} is impossible with {len(patients)} patients; "
            f"choose a number from 2 to {len(patients)}."
        )
    labels = np.zeros((len(patients), strata.shape[1]), dtype=np.bool_)
    np.logical_or.at(labels, of_case, strata)
    heldout_in = _stratified(labels, n_folds, seed)[of_case]
    if len(np.unique(heldout_in)) < n_folds:
        raise UserError(
            f"folds={n_folds} leaves a fold without a patient, of {len(patients)}; choose fewer folds."
        )
    return tuple(
        Fold(k, np.flatnonzero(heldout_in != k), np.flatnonzero(heldout_in == k)) for k in range(n_folds)
    )


def _stratified(labels: NDArray[np.bool_], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each patient."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    # The splitter takes one column for a multi-class target: two more, always 0, change nothing.
    padded = np.pad(labels, ((0, 0), (0, 2)))
    splitter = MultilabelStratifiedKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    fold_of = np.empty(len(labels), dtype=np.int64)
    for k, (_, heldout) in enumerate(splitter.split(padded, padded)):
        fold_of[heldout] = k
    return fold_of


# -------------------------------------------------------------------------------------------- audit
def audit(dataset: Dataset, folds: Sequence[Fold], digests: Mapping[Path, str]) -> None:
    """Refuse a data set or folds through which a label could leak.

    `digests` holds the content hash of every input file. Looked for: a case that is not held out
    exactly once, a patient or a byte-identical file on both sides of a fold or in both sets, and a
    label that the order of the cases or the size of their files gives away.

    Raises:
        UserError: with every leak by name.
    """
    halves = _halves(dataset, folds)
    refuse(
        "The data would leak labels",
        [
            *_not_held_out_once(dataset.development, folds),
            *_patients_in_two(halves),
            *_files_in_two(halves, digests),
            *_telling_properties("development set", dataset.development),
            *_telling_properties("test set", dataset.test),
        ],
    )


def _halves(dataset: Dataset, folds: Sequence[Fold]) -> list[tuple[Case, str]]:
    """Return every case with the name of the part that is predicted as a whole."""
    cases = dataset.development.cases
    heldout = [(cases[i], f"fold {fold.index}") for fold in folds for i in fold.heldout]
    return heldout + [(case, "the test set") for case in dataset.test.cases]


def _not_held_out_once(cases: CaseSet, folds: Sequence[Fold]) -> Iterator[str]:
    times = np.zeros(len(cases.cases), dtype=np.int64)
    for fold in folds:
        np.add.at(times, fold.heldout, 1)
        for i in np.intersect1d(fold.train, fold.heldout):
            yield f"case {cases.ids[i]} is trained on and held out in fold {fold.index}"
    for i in np.flatnonzero(times != 1):
        yield f"case {cases.ids[i]} is held out {times[i]} times instead of once"


def _patients_in_two(halves: Sequence[tuple[Case, str]]) -> Iterator[str]:
    homes: dict[str, set[str]] = defaultdict(set)
    for case, half in halves:
        homes[case.patient].add(half)
    for patient, found in sorted(homes.items()):
        if len(found) > 1:
            yield f"patient {patient} is in {' and '.join(sorted(found))}"


def _files_in_two(halves: Sequence[tuple[Case, str]], digests: Mapping[Path, str]) -> Iterator[str]:
    homes: dict[str, dict[str, str]] = defaultdict(dict)
    for case, half in halves:
        names = [case.id] if case.digest else [file.name for file in case.files]
        for content, name in zip(contents(case, digests), names, strict=True):
            homes[content].setdefault(half, name)
    for found in homes.values():
        if len(found) > 1:
            names = [f"{name} ({half})" for half, name in sorted(found.items())]
            yield f"byte-identical files: {' and '.join(names)}"


def _telling_properties(where: str, cases: CaseSet) -> Iterator[str]:
    """Yield the labels that a property of the files, which no model should need, gives away."""
    if cases.truth is None:
        return
    properties = {
        "the order of the cases": np.arange(len(cases.cases), dtype=np.float64),
        "the size of the files": np.array([_bytes(case) for case in cases.cases], dtype=np.float64),
    }
    for label, values in _binary_labels(cases.truth):
        for name, scores in properties.items():
            area = float(auroc.compute(values, scores))
            if area >= TELLING or area <= 1 - TELLING:
                yield f"{name} gives away {label} in the {where} (AUROC {area:.3f})"


def _binary_labels(truth: Arrays) -> Iterator[tuple[str, Array]]:
    """Yield the 0/1 labels with enough cases of both classes, by name."""
    for key, array in truth.items():
        if array.ndim not in (1, 2) or not np.isin(array, (0, 1)).all():
            continue
        columns: Iterable[tuple[str, Any]] = [(key, array)]
        if array.ndim == 2:
            columns = [(f"{key}[{k}]", array[:, k]) for k in range(array.shape[1])]
        for name, values in columns:
            if FEWEST <= values.sum() <= len(values) - FEWEST:
                yield name, values


def _bytes(case: Case) -> int:
    return sum(file.stat().st_size for file in case.files)
