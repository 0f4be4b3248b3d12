"""A metric that rests on a part of the cases says on how many."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from challenges.brats.scorer import for_options as brats
from challenges.glioma.scorer import Scorer as Glioma
from challenges.pneumonia import scorer as pneumonia
from challenges.pneumonia.names import BACTERIA, NORMAL, VIRUS
from harness import catalog
from harness.contracts import Case, CaseSet
from harness.records import Half, RunRecord, dump, parse
from harness.scoring import score_half
from harness.volumes import Volume, column
from leaderboard.entry import entry_view
from leaderboard.pages import board_view
from leaderboard.rows import shared_decimals, size_words
from leaderboard.site import build
from leaderboard.standings import standings
from tests.leaderboard_fakes import card, record, write

KEY = "auprc_aneurysm"


def sized(name: str, cv: int, test: int, score: float = 0.62) -> RunRecord:
    """Return a record with one metric of a subgroup."""
    run = record(name, score)
    assert run.cv is not None
    assert run.test is not None
    return dataclasses.replace(
        run,
        cv=dataclasses.replace(run.cv, sizes={KEY: cv}),
        test=dataclasses.replace(run.test, sizes={KEY: test}),
    )


def test_pneumonias_agents_are_counted_with_the_normal_films_and_alone() -> None:
    """An AUROC needs both classes, a sensitivity one; all other metrics rest on all films."""
    agent = np.array([NORMAL] * 5 + [BACTERIA] * 3 + [VIRUS] * 2)
    truth = {"agent": agent, "pneumonia": (agent != NORMAL).astype(np.uint8)}
    assert pneumonia.sizes(truth, {}) == {
        "auroc_bacteria": 8,
        "auroc_virus": 7,
        "sensitivity_bacteria": 3,
        "sensitivity_virus": 2,
    }


def test_gliomas_glioblastomas_are_counted() -> None:
    """Of four patients three."""
    truth = {"time": np.array([10.0, 20, 30, 40]), "event": np.ones(4), "gbm": np.array([1, 1, 0, 1])}
    assert Glioma().sizes(truth, {"risk": np.arange(4.0)}) == {"c_index_gbm": 3}


@pytest.mark.parametrize(("edition", "found"), [("2020", {}), ("2026", 1)])
def test_a_region_without_a_value_is_left_out_of_the_count(edition: str, found: Any) -> None:
    """Two cases, one without enhancing tumour anywhere: by the rules of 2026 it has no Dice of ET."""
    whole = np.zeros((6, 6, 6), np.uint8)
    whole[1:4, 1:4, 1:4] = 2
    enhancing = whole.copy()
    enhancing[2, 2, 2] = 3
    labels = column([Volume.of(whole), Volume.of(enhancing)])
    truth = {"labels": labels, "spacing": np.ones((2, 3))}
    sizes = brats({"edition": edition}).sizes(truth, {"labels": labels})
    assert (sizes.get("dice_et", {}), "dice_wt" in sizes) == (found, False)


def test_a_scored_half_keeps_them_and_one_of_before_has_none() -> None:
    """Through JSON and back; the sealed half has them too."""
    agent = np.array([NORMAL, BACTERIA, VIRUS, NORMAL])
    truth = {"agent": agent, "pneumonia": (agent != NORMAL).astype(np.uint8)}
    cases = CaseSet(tuple(Case(str(i), str(i), ()) for i in range(4)), truth)
    challenge = catalog.challenge("pneumonia")
    predictions = {"pneumonia": np.array([0.1, 0.9, 0.8, 0.2])}
    half = score_half(challenge.scorer, cases, predictions, sealed=True)
    assert half.sizes["auroc_virus"] == 3
    run = dataclasses.replace(record(), test=half)
    assert parse(dump(run)).test == half
    assert Half(1, 1, {}).sizes == {}


@pytest.mark.parametrize(
    ("sizes", "words"), [([], ""), ([12], "n = 12"), ([12, 12], "n = 12"), ([1200, 90], "n = 90–1,200")]
)
def test_entries_that_differ_make_a_range(sizes: list[int], words: str) -> None:
    """The smallest and the largest; nothing where a metric rests on all cases."""
    halves = [Half(50, 50, {}, sizes={KEY: n}) for n in sizes]
    assert size_words([*halves, None, Half(50, 50, {})], KEY) == words


def test_the_column_and_the_entrys_table_say_it(tmp_path: Path) -> None:
    """Behind the name of the half on the board; both halves on the page of an entry."""
    runs = [sized("one", 480, 21), sized("two", 480, 21, 0.6)]
    found = standings(runs, card())
    smalls = {column.title: column.small for column in board_view(found).head}
    assert smalls["AUPRC (aneurysm)"] == "test, n = 21"
    assert smalls["Brier score (aneurysm)"] == "test"
    page = entry_view(found.rows[0], found, shared_decimals(found))
    assert {m.title: m.sizes for m in page.metrics}["AUPRC (aneurysm)"] == "CV n = 480, test n = 21"
    site = build(write(tmp_path / "runs", runs), tmp_path / "site", {"kium": card()}).parent
    assert "n = 21</span>" in next(site.glob("kium/data-*/index.html")).read_text()
    assert '"sizes":{' in next(site.glob("kium/data-*/standings.json")).read_text()
