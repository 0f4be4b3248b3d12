"""Several seeds a fold: how much of a score is luck, and nothing of it in the score."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import f_oneway

from harness.cards import ChallengeCard
from harness.comparisons import cell_variance
from harness.config import RunConfig, parse_words
from harness.errors import UserError
from harness.records import Cell, RunRecord, SeedScore, dump, parse
from harness.seeds import own_score, seed_facts, seeds_in
from leaderboard.entry import EntryView, entry_view
from leaderboard.rows import shared_decimals
from leaderboard.site import build
from leaderboard.spread import by_fold, fold_spread, variance_of
from leaderboard.standings import standings
from tests.leaderboard_fakes import card, cell, challenge_yaml, record, write

KEY = "auroc_aneurysm"
SHIFTS = (0.0, 0.02, -0.01)


def seeded(*, test: float | None = 0.62, shifts: tuple[float, ...] = SHIFTS) -> RunRecord:
    """Return a record whose ten folds had three seeds; every fold of a seed is moved by the same."""
    run = record(test=test)
    cells = tuple(
        dataclasses.replace(c, seed=seed, metrics={KEY: (c.metrics[KEY] or 0) + shift})
        for seed, shift in enumerate(shifts)
        for c in run.cells
    )
    content = ChallengeCard.model_validate(challenge_yaml())
    own = own_score(content, 0, run.cv, run.test)
    further = [
        SeedScore(seed, {KEY: 0.6 + shift}, {KEY: 0.62 + shift} if test else {})
        for seed, shift in list(enumerate(shifts))[1:]
    ]
    return dataclasses.replace(run, cells=cells, seeds=seed_facts(content, own, further, cells))


def page(run: RunRecord) -> EntryView:
    """Return the entry's page on a board of its own."""
    found = standings([run], card())
    return entry_view(found.rows[0], found, shared_decimals(found))


def test_a_record_with_seeds_reads_back_and_one_of_before_loads() -> None:
    """Scores and variances to the last digit; without the field there are none."""
    run = seeded()
    assert parse(dump(run)) == run
    old = json.loads(dump(record()))
    del old["seeds"]
    assert parse(json.dumps(old)).seeds is None


@pytest.mark.parametrize(
    "broken",
    [
        {"scores": [{"seed": "0", "cv": {}, "test": {}}], "variance": {}},
        {"scores": [], "variance": {KEY: {"seeds": "a", "folds": 0.0}}},
        {"scores": {}, "variance": {}},
        {"scores": []},
        7,
    ],
)
def test_seeds_of_another_type_are_refused(broken: object) -> None:
    """Whatever was edited, parsing raises what `load` turns into a sentence."""
    content = json.loads(dump(seeded()))
    content["seeds"] = broken
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        parse(json.dumps(content))


def test_the_score_and_the_fold_spread_are_those_of_the_first_seed() -> None:
    """Further cells change neither row, rank nor spread; they are counted as seeds."""
    one, three = record(), seeded()
    assert seeds_in(one) == 1
    assert seeds_in(three) == 3
    assert three.first_cells == tuple(
        dataclasses.replace(c, metrics={KEY: c.metrics[KEY]}) for c in one.cells
    )
    assert fold_spread(three, KEY) == fold_spread(one, KEY)
    assert by_fold(three, KEY) == by_fold(one, KEY)


def test_a_failed_fold_of_a_further_seed_leaves_the_first_ones_folds_whole() -> None:
    """Whether the run is complete is the record's to say; the spread stays."""
    run = seeded()
    failed = dataclasses.replace(run.cells[15], state="failed", failure_kind="memory", metrics={})
    broken = dataclasses.replace(run, cells=(*run.cells[:15], failed, *run.cells[16:]))
    assert fold_spread(broken, KEY).defined == 10
    assert variance_of(broken, KEY) is None
    said = dataclasses.replace(broken, state="failed", failures=("seed 1, fold 5: memory: used 16 GB",))
    (row,) = standings([said], card()).unranked
    assert (row.status, row.reason) == ("failed", "seed 1, fold 5: memory: used 16 GB")


def test_the_variance_of_cells_is_the_one_way_analysis_of_variance() -> None:
    """The quotient of its mean squares is scipy's F, whatever the order of the cells."""
    draw = np.random.default_rng(3)
    table = draw.normal(0.6, 0.05, (10, 1)) + draw.normal(0, 0.02, (10, 4))
    cells = [of_seed(fold, seed, float(v)) for fold, row in enumerate(table) for seed, v in enumerate(row)]
    found = cell_variance(cells[::-1], KEY)
    assert found is not None
    assert (found.n_folds, found.n_seeds) == (10, 4)
    quotient = (found.seeds + 4 * found.folds) / found.seeds
    assert quotient == pytest.approx(f_oneway(*table).statistic)
    assert cell_variance(cells[1:], KEY) is None  # a fold with fewer seeds than the others


def of_seed(fold: int, seed: int, value: float) -> Cell:
    """Return a cell with one metric."""
    return dataclasses.replace(cell(fold, 0.5), seed=seed, metrics={KEY: value})


def test_the_record_holds_the_parts_of_the_variance() -> None:
    """As many as the leaderboard computes from the cells, by hand for the seeds: all folds move alike."""
    run = seeded()
    assert run.seeds is not None
    again = variance_of(run, KEY)
    assert again is not None
    assert run.seeds.variance[KEY].seeds == again.seeds == pytest.approx(np.var(SHIFTS, ddof=1))
    assert run.seeds.variance[KEY].folds == again.folds
    assert [score.seed for score in run.seeds.scores] == [0, 1, 2]


def test_the_page_has_a_table_of_seeds() -> None:
    """A column a seed, its standard deviation, and that of a fold apart; on test no folds are scored."""
    view = page(seeded()).seeds
    assert view is not None
    assert view.seeds == (0, 1, 2)
    cv, test = view.rows
    assert [value.exact for value in cv.values] == ["0.6", "0.62", "0.59"]
    assert float(cv.sd.exact) == pytest.approx(np.std([0.6, 0.62, 0.59], ddof=1))
    assert float(cv.fold_seeds.exact) == pytest.approx(np.std(SHIFTS, ddof=1))
    assert test.values[1].exact == "0.64"
    assert (test.fold_seeds.text, test.fold_folds.text) == ("–", "–")


def test_test_scores_of_seeds_are_shown_only_beside_the_entrys_own() -> None:
    """A record whose test half is withheld has no row of it, whatever its seeds scored."""
    run = dataclasses.replace(seeded(), test=None)
    view = page(run).seeds
    assert view is not None
    assert [row.half for row in view.rows] == ["CV"]
    assert page(record()).seeds is None


def test_the_page_says_it_in_both_languages(tmp_path: Path) -> None:
    """The heading, and what the table is for."""
    site = build(write(tmp_path / "runs", [seeded()]), tmp_path / "site", {"kium": card()}).parent
    (text,) = (path.read_text() for path in site.glob("kium/*/entries/*.html"))
    assert 'id="seeds"' in text
    assert "The entry stands for seed 0" in text
    assert "제출작을 대표하는 것은 시드 0" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["seeds=0"], "seeds: input should be greater than or equal to 1, but got '0'."),
        (["seeds=21"], "seeds: input should be less than or equal to 20, but got '21'."),
        (["seeds=3", "sweep.trials=4"], "the trials of a sweep have one seed each"),
    ],
)
def test_a_wrong_number_of_seeds_is_one_sentence(words: list[str], sentence: str) -> None:
    """Bounds, and no sweep with several."""
    with pytest.raises(UserError) as caught:
        parse_words(RunConfig, ["challenge=kium", *words])
    assert sentence.lower() in str(caught.value).lower()


def test_one_seed_and_a_sweep_go_together() -> None:
    """The default is no contradiction."""
    config: Any = parse_words(RunConfig, ["challenge=kium", "seeds=1", "sweep.trials=4"])
    assert (config.seeds, config.sweep.trials) == (1, 4)
