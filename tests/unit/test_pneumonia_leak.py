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
    """Return personN without its agent, or a normal film's whole name, as a careless reader would."""
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


def test_folding_by_person_number_divides_the_healthy_children(films: Dataset) -> None:
    """A normal film has no personN, so each is on its own: its child's films are in several held-out parts."""
    folds = regrouped(films.development, person)
    normal = {
        child: rows for child, rows in children(films.development).items() if not child.startswith("person")
    }

    assert straddling(folds, normal) > 50
    assert straddling(folds, children(films.development)) == straddling(folds, normal)


def test_a_person_number_is_several_children(films: Dataset) -> None:
    """808 numbers have both agents in training; 170 are in both sets, none of them with one agent."""
    halves = [films.development, films.test]
    numbers = [
        {
            agent: {person(case) for case in half.cases if f"_{agent}_" in case.id}
            for agent in ("bacteria", "virus")
        }
        for half in halves
    ]
    train, test = numbers

    assert len(train["bacteria"] & train["virus"]) == 808
    assert len((train["bacteria"] | train["virus"]) & (test["bacteria"] | test["virus"])) == 170
    assert all(not train[agent] & test[agent] for agent in train)


def test_the_audit_refuses_a_person_number_for_a_child(films: Dataset) -> None:
    """The official halves would share 170 of them, the first of which are named."""
    renamed = Dataset(*(by_person(half) for half in (films.development, films.test)))
    folds = make_folds(renamed.development.cases, data.strata(films.development.truth or {}), 10, seed=0)

    with pytest.raises(
        UserError, match=r"\(170 found\)(.|\n)*patient person[0-9]+ is in fold [0-9] and the test"
    ):
        audit(renamed, folds, digests_of(films))


def by_person(cases: CaseSet) -> CaseSet:
    """Return the cases with personN as their patient, and every healthy child as it is."""
    renamed = tuple(
        replace(case, patient=person(case) if person(case).startswith("person") else case.patient)
        for case in cases.cases
    )
    return replace(cases, cases=renamed)


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
