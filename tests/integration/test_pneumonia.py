"""The pneumonia challenge end to end, on phantom films."""

from __future__ import annotations

from tests.conftest import Workplace

SMALL = ("run", "challenge=pneumonia", "submission=pneumonia_small", "folds=3", "trainer.max_epochs=6")


def test_a_small_network_learns_the_phantom_films(workplace: Workplace) -> None:
    """Far above the constant answer, on CV and on test, whole intervals apart; each variant has its board."""
    workplace.harness(*SMALL)
    workplace.harness(*SMALL[:-1], "trainer.max_epochs=1", "variant=mnist28")
    records = [r for r in workplace.records("pneumonia") if r["entry"]["name"] == "pneumonia_small"]
    films, mnist = records

    assert films["cv"]["metrics"]["auroc"]["low"] > 0.5
    assert films["test"]["metrics"]["auroc"]["low"] > 0.6
    assert films["data"]["options"] == {"variant": "kaggle"}
    assert mnist["data"]["options"] == {"variant": "mnist28"}
    assert films["data"]["fingerprint"] != mnist["data"]["fingerprint"]
