"""On the real films: what folding by file or by personN would leak, and that our folds do not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from challenges.pneumonia import data
from harness.contracts import Case, CaseSet, Dataset, Fold
from harness.errors import UserError
from harness.folds import audit, make_folds
from harness.prepare import digests_of
from tests.real import real_data

VARIANTS = ("kaggle", "mnist28")


@pytest.fixture(scope="module")
def films() -> Dataset:
    """The real 5,840 films."""
    return data.read(real_data("pneumonia"), None, {"variant": "kaggle"})


def regrouped(cases: CaseSet, patient: Callable[[Case], str]) -> tuple[Fold, ...]:
    """Return ten folds with another notion of the patient."""
    renamed = [replace(case, patient=patient(case)) for case in cases.cases]
    return make_folds(renamed, data.strata(cases.truth or {}), 10, seed=0)


def person(case: Case) -> str:
    """Return personN without its agent, as a careless reader of the names would."""
    name = case.id.partition("/")[2]
    match = re.match(r"person[0-9]+", name)
    return match[0] if match else name


def straddling(folds: Sequence[Fold], groups: dict[str, list[int]]) -> int:
    """Return how many groups of rows are divided between two held-out parts."""
    home = {int(row): fold.index for fold in folds for row in fold.heldout}
    return sum(len({home[row] for row in rows}) > 1 for rows in groups.values())


def children(cases: CaseSet) -> dict[str, list[int]]:
    """Return the rows of each child."""
    found: dict[str, list[int]] = defaultdict(list)
    for row, case in enumerate(cases.cases):
        found[case.patient].append(row)
    return found


def test_the_real_films_are_counted(films: Dataset) -> None:
    """5,216 to learn from, 624 to be tested on, as distributed; no child is in both."""
    development, test = films.development, films.test
    truth = development.truth or {}
    patients = [{case.patient for case in half.cases} for half in (development, test)]

    assert (len(development.cases), int(truth["pneumonia"].sum())) == (5216, 3875)
    assert (len(test.cases), int((test.truth or {})["pneumonia"].sum())) == (624, 390)
    assert np.bincount(truth["agent"]).tolist() == [1341, 2530, 1345]
    assert not patients[0] & patients[1]


def test_folding_by_file_puts_one_child_in_two_halves(films: Dataset) -> None:
    """Hundreds of children, and copies of one film, straddle; the audit names them."""
    folds = regrouped(films.development, lambda case: case.id)
    digests = digests_of(films)
    contents: dict[str, list[int]] = defaultdict(list)
    for row, case in enumerate(films.development.cases):
        contents[digests[case.files[0]]].append(row)

    assert straddling(folds, children(films.development)) > 300
    assert straddling(folds, contents) > 10
    with pytest.raises(UserError, match="byte-identical files"):
        audit(replace(films, development=unknown_patients(films.development)), folds, digests)


def unknown_patients(cases: CaseSet) -> CaseSet:
    """Return the cases as if each were a patient of its own."""
    return replace(cases, cases=tuple(replace(case, patient=case.id) for case in cases.cases))


def test_folding_by_person_number_puts_one_film_in_two_halves(films: Dataset) -> None:
    """Byte-identical films under two numbers straddle; and children of both agents are taken for one."""
    folds = regrouped(films.development, person)
    both = defaultdict(set)
    for half in (films.development, films.test):
        for case in half.cases:
            if person(case).startswith("person"):
                both[person(case)].add(case.patient)

    assert straddling(folds, children(films.development)) > 0
    assert sum(len(found) > 1 for found in both.values()) > 500


@pytest.mark.parametrize("variant", VARIANTS)
def test_our_folds_divide_no_child_and_no_film(variant: str) -> None:
    """The audit, which looks at patients and contents, passes on the real data."""
    found = data.read(real_data("pneumonia"), None, {"variant": variant})
    folds = make_folds(found.development.cases, data.strata(found.development.truth or {}), 10, seed=0)
    audit(found, folds, digests_of(found))

    assert straddling(folds, children(found.development)) == 0
    shares = [(found.development.truth or {})["pneumonia"][fold.heldout].mean() for fold in folds]
    assert max(shares) - min(shares) < 0.1


def test_the_children_of_pneumoniamnist_are_known() -> None:
    """By their films, so that no child of a real image is in two halves there either."""
    found = data.read(real_data("pneumonia"), None, {"variant": "mnist28"})
    named = [
        case for case in found.development.cases if not re.fullmatch(r"(train|val)/[0-9]+", case.patient)
    ]

    assert (len(found.development.cases), len(found.test.cases)) == (5232, 624)
    assert len(named) > 0.99 * len(found.development.cases)
    assert len(children(found.development)) < 3700
