"""How sure a board's ranks are: intervals, groups, differences, schemes; and who may never be above whom."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy.stats import kendalltau, rankdata

from harness.ranking import holm
from harness.records import RunRecord
from harness.resamples import FILE, Resamples
from harness.statistics import percentile_interval
from leaderboard.card import Card
from leaderboard.case_ranks import case_files
from leaderboard.export import as_csv, as_json
from leaderboard.judging import HalfName
from leaderboard.pages import board_view
from leaderboard.resampled import resample_files
from leaderboard.site import build
from leaderboard.standings import Standings, standings
from leaderboard.terminal import render
from tests.case_rank_fakes import by_case_card
from tests.case_rank_fakes import entries as by_case_entries
from tests.leaderboard_fakes import card, record, with_test
from tests.resample_fakes import RESAMPLES, SIZES, drawn, entries, entry, scores_of, small_card

KEY = "auroc_aneurysm"


def board(runs: Path, records: Sequence[RunRecord], of: Card | None = None) -> Standings:
    """Return the standings of these records, with their files under `runs`."""
    return standings(records, of or small_card(), case_files(runs), resample_files(runs))


def by_name(found: Standings) -> dict[str, object]:
    """Return the place of each ranked row."""
    return {row.record.entry.name: row.place for row in found.ranked}


# --------------------------------------------------------------------- against plain computation
def test_intervals_and_differences_equal_a_plain_loop_over_the_stored_values(tmp_path: Path) -> None:
    """Every resample ranked by scipy, every difference subtracted, from the files alone."""
    records = entries(tmp_path, [1.2, 1.0, 0.9, 0.1])
    found = board(tmp_path, records)
    values = []
    for row in found.ranked:
        held = resample_files(tmp_path)(row.record, "test")
        assert isinstance(held, Resamples)
        values.append(
            [
                tuple(round(float(x), 6) for x in pair)
                for pair in zip(held.values[KEY], held.values["location_accuracy"], strict=True)
            ]
        )
    ranks = np.array(
        [[1 + sum(b > a for b in column) for a in column] for column in zip(*values, strict=True)]
    )
    wanted = np.quantile(ranks, [0.025, 0.975], axis=0, method="inverted_cdf").T.astype(int).tolist()
    places = [row.place for row in found.ranked]
    assert [[place.low, place.high] for place in places if place] == wanted
    assert found.uncertainty is not None
    assert found.uncertainty.resamples == RESAMPLES
    assert found.uncertainty.patients == SIZES["test"]
    for k, row in enumerate(found.ranked):
        shares = [(ranks[:, k] == rank).mean() for rank in range(1, 5)]
        assert found.uncertainty.shares[k].tolist() == pytest.approx(shares)
        assert found.uncertainty.names[k] == row.id
    leader = resample_files(tmp_path)(found.ranked[0].record, "test")
    for row in found.ranked[1:]:
        held = resample_files(tmp_path)(row.record, "test")
        assert row.place is not None
        gap = row.place.difference
        assert gap is not None
        low, high = percentile_interval(held.values[KEY] - leader.values[KEY])
        assert (gap.low, gap.high) == pytest.approx((low, high), abs=1e-12)
    p = [place.p for place in places[1:] if place]
    assert [place.p_holm for place in places[1:] if place] == holm(p).tolist()


def test_the_schemes_and_their_agreement(tmp_path: Path) -> None:
    """Ranks of each case's part averaged, wins counted, and tau against scipy."""
    found = board(tmp_path, entries(tmp_path, [3.0, 1.0, 0.9, 0.1]))
    ranks = {name: [row.place.ranks[name] for row in found.ranked if row.place] for name in
             ("metric-then-rank", "rank-then-aggregate", "test-based")}  # fmt: skip
    assert ranks["metric-then-rank"] == [row.rank for row in found.ranked]
    parts = []
    for row in found.ranked:
        held = resample_files(tmp_path)(row.record, "test")
        assert isinstance(held, Resamples)
        parts.append(held.parts)
    means = rankdata(-np.array(parts), axis=0).mean(axis=1)
    assert ranks["rank-then-aggregate"] == rankdata(means, method="min").tolist()
    assert found.uncertainty is not None
    adjusted = holm(found.uncertainty.pairs[np.triu_indices(4, 1)])
    wins = np.zeros(4)
    np.add.at(wins, np.triu_indices(4, 1)[0][adjusted < 0.05], 1)  # the earlier of a pair is the better
    assert ranks["test-based"] == rankdata(-wins, method="min").tolist()
    assert wins[0] == 3
    for a, b, tau in found.uncertainty.taus:
        assert tau == pytest.approx(kendalltau(ranks[a], ranks[b]).statistic)


def test_a_clear_leader_stands_alone_and_equals_share_a_group(tmp_path: Path) -> None:
    """3.0 is far above; 1.0, 0.95 and 0.9 cannot be told apart on sixty patients."""
    found = board(tmp_path, entries(tmp_path, [3.0, 1.0, 0.95, 0.9]))
    places = [row.place for row in found.ranked if row.place]
    assert [(place.first, place.last, place.group) for place in places] == [(1, 1, 1), *[(2, 4, 2)] * 3]
    assert (places[0].low, places[0].high, places[0].tied, places[1].tied) == (1, 1, False, True)
    assert places[0].difference is None
    assert all(place.p_holm is not None and place.p_holm < 0.05 for place in places[1:])


def test_the_score_over_the_naive_answer(tmp_path: Path) -> None:
    """The constant's AUROC is a half: 0.75 is half the way to 1; without a reference there is no such score."""
    constant = {half: np.full(n, 0.5) for half, n in SIZES.items()}
    records = entries(tmp_path, [1.0])
    assert [row.over_naive for row in board(tmp_path, records).ranked] == [None]
    found = board(tmp_path, [*records, entry(tmp_path, "constant", constant, route="reference")])
    value = float(scores_of("test", drawn(1.0, 0, "test"))[KEY])
    assert found.ranked[0].over_naive == pytest.approx((value - 0.5) / 0.5)


# ------------------------------------------------------------------------------ what is missing
def test_a_record_without_resamples_has_no_interval_says_why_and_keeps_its_place(tmp_path: Path) -> None:
    """Old records stay on the board, and nobody passes them in a resample for their silence."""
    middle = {half: drawn(1.5, 99, half) for half in SIZES}
    records = [*entries(tmp_path, [3.0, 0.1]), entry(tmp_path, "old", middle, stored=False)]
    found = board(tmp_path, records)
    assert [row.record.entry.name for row in found.ranked] == ["e0", "old", "e1"]
    first, old, last = (row.place for row in found.ranked)
    assert old is None
    assert first is not None
    assert last is not None
    assert (first.low, first.high, last.low, last.high) == (1, 1, 3, 3)
    assert (last.first, last.last) == (3, 3)
    assert found.uncertainty is not None
    why = found.uncertainty.missing[found.ranked[1].id]
    assert why.endswith("Type harness score challenge=kium run=run-old data=PATH")
    assert list(first.ranks) == ["metric-then-rank"]
    view = board_view(found)
    assert [row.rank_span for row in view.ranked] == ["1", "", "3"]
    assert view.ranked[1].rank_words == f"No rank interval: {why}."


def test_a_leader_without_resamples_has_nobody_compared_with_it(tmp_path: Path) -> None:
    """No difference to the leader is made up, and the groups begin behind it."""
    best = {half: drawn(4.0, 99, half) for half in SIZES}
    found = board(tmp_path, [*entries(tmp_path, [1.0, 0.9]), entry(tmp_path, "old", best, stored=False)])
    places = [row.place for row in found.ranked]
    assert places[0] is None
    assert [(p.difference, p.p, p.p_holm, p.low >= 2) for p in places[1:] if p] == [
        (None, None, None, True)
    ] * 2


def test_resamples_of_other_patients_are_not_compared(tmp_path: Path) -> None:
    """Cases grouped otherwise, files of another kind, or without what breaks ties: each says so."""
    records = entries(tmp_path, [1.0, 0.9, 0.8])
    shared = entry(tmp_path, "shared", {h: drawn(0.7, 9, h) for h in SIZES}, patients=20)
    broken = entry(tmp_path, "broken", {h: drawn(0.6, 10, h) for h in SIZES})
    (tmp_path / "kium" / broken.run_id / FILE).write_bytes(b"PK no zip")
    found = board(tmp_path, [*records, shared, broken])
    assert found.uncertainty is not None
    why = {row.record.entry.name: found.uncertainty.missing.get(row.id, "") for row in found.ranked}
    assert "other cases" in why["shared"]
    assert "cannot be read" in why["broken"]
    assert [why[f"e{k}"] for k in range(3)] == ["", "", ""]


def test_without_a_reader_or_an_entry_there_is_no_uncertainty(tmp_path: Path) -> None:
    """An empty board, and one whose files nobody reads."""
    assert board(tmp_path, []).uncertainty is None
    records = entries(tmp_path, [1.0])
    found = standings(records, small_card())
    assert (found.uncertainty, found.ranked[0].place) == (None, None)
    assert board_view(found).ranked[0].rank_words == ""


# ------------------------------------------------------------------------------------ properties
def fake(values: Mapping[str, np.ndarray]) -> object:
    """Return a reader that gives these resamples of the ranking metric, by entry."""

    def read(run: RunRecord, half: HalfName) -> Resamples | str:
        column = values[run.entry.name]
        return Resamples("d", 50, {KEY: column, "location_accuracy": np.zeros(len(column))})

    return read


def lower_is_better() -> Card:
    """Return the card with a ranking metric that falls."""
    whole = card()
    turned = dataclasses.replace(whole.ranking, higher_is_better=False)
    return dataclasses.replace(whole, metrics=(turned, *whole.metrics[1:]))


scores = st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=6)


@pytest.mark.parametrize("of", [card(), lower_is_better()], ids=["higher", "lower"])
@settings(max_examples=25, deadline=None)
@given(scores, st.integers(0, 3), st.randoms(use_true_random=False))
def test_no_failure_and_no_undefined_resample_is_ever_above(
    of: Card, points: list[float], bad: int, shuffle: random.Random
) -> None:
    """Failed and undefined entries get no place, whatever their resamples hold; the others' do not move."""
    draw = np.random.default_rng(bad)
    runs = [record(f"e{k}", value) for k, value in enumerate(points)]
    values = {f"e{k}": value + draw.normal(0, 0.05, 60) for k, value in enumerate(points)}
    spoilt = [record("failed", failure=("error", "boom")), with_test(record("nan", 0.5), math.nan)]
    values |= {"failed": np.full(60, 9.0), "nan": np.full(60, -9.0)}
    clean = standings(runs, of, None, fake(values))  # type: ignore[arg-type]
    mixed = [*runs, *spoilt]
    shuffle.shuffle(mixed)
    found = standings(mixed, of, None, fake(values))  # type: ignore[arg-type]
    assert {row.record.entry.name for row in found.unranked} == {"failed", "nan"}
    assert all(row.place is None and row.over_naive is None for row in found.unranked)
    assert by_name(found) == by_name(clean)
    for row in found.ranked:
        assert row.place is not None
        assert 1 <= row.place.low <= row.place.high <= len(points)
        assert row.place.first <= (row.rank or 0) <= row.place.last


@settings(max_examples=25, deadline=None)
@given(scores, st.integers(0, 5), st.integers(0, 3))
def test_an_identical_entry_shares_rank_interval_and_group(points: list[float], pick: int, seed: int) -> None:
    """A copy under another name is tied with its original in everything, and tells no p-value below 1."""
    draw = np.random.default_rng(seed)
    runs = [record(f"e{k}", value) for k, value in enumerate(points)]
    values = {f"e{k}": value + draw.normal(0, 0.05, 60) for k, value in enumerate(points)}
    chosen = runs[pick % len(runs)]
    copy = dataclasses.replace(chosen, entry=dataclasses.replace(chosen.entry, name="copy"))
    values["copy"] = values[chosen.entry.name]
    found = standings([*runs, copy], card(), None, fake(values))  # type: ignore[arg-type]
    rows = {row.record.entry.name: row for row in found.ranked}
    a, b = rows["copy"].place, rows[chosen.entry.name].place
    assert a is not None
    assert b is not None
    assert rows["copy"].rank == rows[chosen.entry.name].rank
    assert (a.low, a.high, a.group, a.first, a.last) == (b.low, b.high, b.group, b.first, b.last)
    assert a.tied
    assert found.uncertainty is not None
    places = [found.uncertainty.names.index(rows[name].id) for name in ("copy", chosen.entry.name)]
    assert found.uncertainty.pairs[places[0], places[1]] == 1


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(5)))
def test_the_order_of_the_records_does_not_matter(order: list[int]) -> None:
    """Equal standings, shares and p-values; two of the five are tied."""
    points = [0.9, 0.7, 0.7, 0.6, 0.2]
    runs = [record(f"e{k}", value) for k, value in enumerate(points)]
    draw = np.random.default_rng(0)
    values = {f"e{k}": value + draw.normal(0, 0.05, 60) for k, value in enumerate(points)}
    plain = standings(runs, card(), None, fake(values))  # type: ignore[arg-type]
    turned = standings([runs[k] for k in order], card(), None, fake(values))  # type: ignore[arg-type]
    assert plain == turned
    assert plain.uncertainty is not None
    assert turned.uncertainty is not None
    assert np.array_equal(plain.uncertainty.shares, turned.uncertainty.shares)
    assert np.array_equal(plain.uncertainty.pairs, turned.uncertainty.pairs)


def test_undefined_resamples_are_left_out_and_too_many_of_them_take_the_interval() -> None:
    """Resamples without both classes are undefined for all; an entry undefined in most has no interval."""
    values = {"e0": np.full(60, 0.9), "e1": np.linspace(0.1, 0.8, 60), "e2": np.full(60, np.nan)}
    for name in ("e0", "e1"):
        values[name][:3] = np.nan
    runs = [record(f"e{k}", 0.9 - k / 10) for k in range(3)]
    found = standings(runs, card(), None, fake(values))  # type: ignore[arg-type]
    assert found.uncertainty is not None
    assert found.uncertainty.resamples == 57
    assert [row.place is None for row in found.ranked] == [False, False, True]
    assert "undefined" in found.uncertainty.missing[found.ranked[2].id]


def test_an_entry_undefined_where_others_are_not_is_last_there() -> None:
    """Four of sixty resamples, in which the better entry has no value, are the worse one's."""
    values = {"e0": np.full(60, 0.9), "e1": np.full(60, 0.5)}
    values["e0"][:4] = np.nan
    found = standings([record("e0", 0.9), record("e1", 0.5)], card(), None, fake(values))  # type: ignore[arg-type]
    assert [(row.place.low, row.place.high) for row in found.ranked if row.place] == [(1, 2), (1, 2)]


# --------------------------------------------------------------------------------------- by case
def test_boards_by_case_have_intervals_without_any_other_file(tmp_path: Path) -> None:
    """From the ranks by case; the leader's group is that of the p-values which the board shows."""
    records = by_case_entries(tmp_path, [0.9, 0.85, 0.86, 0.7])
    found = board(tmp_path, records, by_case_card())
    by_case = found.by_case
    assert by_case is not None
    for row in found.ranked:
        place = row.place
        assert place is not None
        assert place.low <= (row.rank or 0) <= place.high
        assert place.ranks["rank-then-aggregate"] == row.rank
        if place.p_holm is not None:
            assert (place.p, place.p_holm) == by_case.against_leader[row.id]
            assert (place.group == 1) == (place.p_holm >= 0.05)
            score, leader = by_case.scores[row.id].value, by_case.scores[found.ranked[0].id].value
            assert place.difference is not None
            assert place.difference.value == pytest.approx((score or 0) - (leader or 0))
    dice = [row.record.test.metrics["dice"].value for row in found.ranked if row.record.test]
    ranks = [row.place.ranks["metric-then-rank"] for row in found.ranked if row.place]
    assert ranks == rankdata([-(value or 0) for value in dice], method="min").tolist()


def test_the_sums_in_the_resamples_are_what_the_rank_scores_come_from(tmp_path: Path) -> None:
    """Their quantiles are the intervals that the board shows, and a mean of ranks is a whole number first."""
    found = board(tmp_path, by_case_entries(tmp_path, [0.9, 0.85, 0.7]), by_case_card())
    by_case = found.by_case
    assert by_case is not None
    assert (by_case.sums == np.round(by_case.sums)).all()
    for k, row in enumerate(found.ranked):
        score = by_case.scores[row.id]
        ends = percentile_interval(by_case.sums[:, k] / by_case.divisors)
        assert (score.low, score.high) == pytest.approx(ends, abs=1e-12)


# --------------------------------------------------------------------------------------- shown
def test_terminal_site_and_exports_show_the_interval(tmp_path: Path) -> None:
    """Below the rank, in the cell's title, and in every file; nothing by case leaves."""
    runs = tmp_path / "runs"
    records = entries(runs, [3.0, 1.0, 0.95])
    found = board(runs, records)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(found))
    assert "2–3" in console.export_text()
    row = board_view(found).ranked[1]
    assert row.rank_span == "2–3"
    assert (
        row.rank_words == "rank 2 to 3 in 95 % of 400 resamples of the patients; tie group of places 2 to 3"
    )
    page = build(runs, tmp_path / "site", {"kium": small_card()}).parent / "kium" / "data-3f9a1c07be"
    text = (page / "index.html").read_text()
    assert f'data-v="2" title="{row.rank_words}">2<small>2–3</small>' in text
    content = json.loads(as_json(found))["rows"][1]
    assert (content["rank_low"], content["rank_high"], content["tied_from"], content["tied_to"]) == (
        2,
        3,
        2,
        3,
    )
    assert content["to_first"] < 0
    assert content["to_first_p_holm"] < 0.05
    (line,) = (row for row in csv.DictReader(io.StringIO(as_csv(found))) if row["rank"] == "2")
    assert (line["rank_low"], line["rank_high"], line["shift"]) == ("2", "3", "0")
    assert not any(path.name == FILE for path in (tmp_path / "site").rglob("*"))
