"""Contract tests over everything that exists: a new unit is tested without writing a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from harness import catalog, testing
from harness.config import LoaderConfig, TrainerConfig, merged
from harness.contracts import Outcome
from tests.checks import CHECKED, checked
from tests.conftest import PROJECT

BINARY = {
    "truth": np.array([0, 1, 1, 0, 1, 0, 0, 1]),
    "score": np.array([0.1, 0.9, 0.4, 0.4, 0.7, 0.2, 0.6, 0.4]),
}
LABELS = np.random.default_rng(7).random((8, 3))
TABLE = {"truth": (np.random.default_rng(5).random((8, 3)) < 0.4).astype(int)}
SURVIVAL = np.array(
    [[80, 1], [150, 1], [200, 1], [300, 1], [500, 1], [650, 1], [900, 0], [900, 0]], dtype=float
)
"""Days and deaths. All are censored at the end alone: weights for censoring, which resamples share, are 1."""


@pytest.mark.parametrize("name", catalog.names("challenges"))
def test_every_challenge_keeps_the_contract(name: str, tmp_path: Path) -> None:
    """Phantom files are read, folded, prepared, scored, written and read back."""
    testing.assert_challenge(catalog.challenge(name), tmp_path)


@pytest.mark.parametrize("name", catalog.names("challenges"))
def test_every_card_names_metrics_that_exist(name: str) -> None:
    """The tie breakers and the literature speak of the card's own metrics."""
    card = catalog.challenge(name).card
    keys = {metric.key for metric in card.metrics}

    assert {metric.metric for metric in card.metrics} <= set(catalog.names("metrics"))
    assert set(card.ranking.tie_breakers) | {row.metric for row in card.literature} <= keys


@pytest.mark.parametrize("name", catalog.names("challenges"))
def test_every_challenge_says_its_rules(name: str) -> None:
    """README.md is there and names the prediction keys."""
    challenge = catalog.challenge(name)
    text = (challenge.folder / "README.md").read_text(encoding="utf-8")

    assert [key for key in challenge.scorer.PREDICTIONS if key not in text] == []


@pytest.mark.parametrize("name", catalog.names("metrics"))
def test_every_metric_keeps_its_bounds_and_counts_repeat_cases(name: str) -> None:
    """On one column or on several, as the metric takes them."""
    metric = catalog.metric(name)
    tried = 0
    for truth, prediction in (
        (BINARY["truth"], BINARY["score"]),
        (TABLE["truth"], LABELS),
        (TABLE["truth"], (LABELS > 0.5).astype(int)),
        (SURVIVAL, BINARY["score"]),
        (SURVIVAL, LABELS[:, :2]),
        (SURVIVAL, LABELS),
    ):
        try:
            metric.compute(truth, prediction)
        except ValueError:
            continue
        testing.assert_metric(metric, truth, prediction)
        tried += 1

    assert tried > 0
    assert metric.name == name


@pytest.mark.parametrize("name", catalog.names("executors"))
def test_every_executor_runs_and_raises(name: str) -> None:
    """Results and exceptions come back through futures."""
    testing.assert_executor(catalog.executor(name))


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What `harness check` finds of the smaller submissions."""
    return checked(CHECKED, tmp_path_factory.mktemp("checks"))


@pytest.mark.parametrize("name", CHECKED)
def test_a_submission_passes_the_check(name: str, checks: dict[str, Outcome]) -> None:
    """One batch and a prediction, in the sandbox, on phantom patients."""
    assert checks[name].failure is None, (checks[name].failure, checks[name].log)
    assert checks[name].arrays


@pytest.mark.parametrize("name", catalog.names("submissions"))
def test_every_submission_card_is_whole(name: str) -> None:
    """Its settings are settings that exist."""
    card = catalog.open_submission(name).card

    assert merged(TrainerConfig, card.trainer, {}, "trainer")
    assert merged(LoaderConfig, card.loader, {}, "loader")


def test_shipped_entries_are_known_by_their_digest() -> None:
    """shipped.txt lists every submission of the project as it is; `python -m harness.shipped` writes it."""
    listed = dict(
        reversed(line.split()) for line in (PROJECT / "harness/shipped.txt").read_text().splitlines() if line
    )
    folders = [path.parent for path in sorted((PROJECT / "submissions").glob("*/submission.yaml"))]

    assert {folder.name: catalog.open_submission(str(folder)).digest for folder in folders} == listed


def test_every_submission_card_is_plain_yaml() -> None:
    """No tags, no anchors that hide what is set."""
    for path in (PROJECT / "submissions").glob("*/submission.yaml"):
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
