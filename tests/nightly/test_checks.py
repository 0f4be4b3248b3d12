"""`harness check` of the large submissions, in the sandbox, on phantom patients.

Not in `uv run pytest`; type `uv run pytest tests/nightly`.
"""

from __future__ import annotations

import pytest

from harness import catalog
from harness.contracts import Outcome
from tests.checks import LARGE, checked


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What it finds of each."""
    return checked(LARGE, tmp_path_factory.mktemp("checks"))


def test_every_large_submission_is_there() -> None:
    """No name that is none."""
    assert set(LARGE) <= set(catalog.names("submissions"))


@pytest.mark.parametrize("name", LARGE)
def test_a_large_submission_passes_the_check(name: str, checks: dict[str, Outcome]) -> None:
    """One batch and a prediction."""
    assert checks[name].failure is None, (checks[name].failure, checks[name].log)
    assert checks[name].arrays
