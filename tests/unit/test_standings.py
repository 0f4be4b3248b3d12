"""Ranking: who stands where, and that no failure ever stands above a score."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records import Half, RunRecord
from leaderboard.card import Card, Published, card_of
from leaderboard.standings import Standings, boards, fold_spread, scored, standings
from tests.leaderboard_fakes import (
    card,
    cell,
    challenge_yaml,
    half,
    metric,
    mixed,
    record,
    references,
    with_test,
)

Spoil = Callable[[RunRecord], RunRecord]


def names(rows: Any) -> list[str]:
    """Return the entries' names in order."""
    return [row.record.entry.name for row in rows]


def lower_is_better() -> Card:
    """Return the card with a ranking metric that falls."""
    return card_of("kium", challenge_yaml(), lambda name: metric(name, higher=name != "auroc"))


def partial(run: RunRecord) -> RunRecord:
    """Return the record with a test case unscored."""
    assert run.test is not None
    return dataclasses.replace(run, test=dataclasses.replace(run.test, n_scored=49))


def failed(run: RunRecord) -> RunRecord:
    """Return the record as failed, with its scores left in, as no honest harness would write it."""
    return dataclasses.replace(run, state="failed", failures=("Fold 1 failed (error): boom",))


def one_fold_failed(run: RunRecord) -> RunRecord:
    """Return the record complete by name, with a failed fold."""
    return dataclasses.replace(run, cells=(*run.cells[:-1], cell(9, 0.5, failure=("timeout", "slow"))))


def empty(run: RunRecord) -> RunRecord:
    """Return the record with a test half of no case at all."""
    assert run.test is not None
    return dataclasses.replace(run, test=dataclasses.replace(run.test, n_scored=0, n_expected=0))


SPOILS: dict[str, tuple[Spoil, str]] = {
    "failed": (failed, "failed"),
    "NaN": (lambda run: with_test(run, math.nan), "undefined"),
    "infinite": (lambda run: with_test(run, math.inf), "undefined"),
    "minus infinite": (lambda run: with_test(run, -math.inf), "undefined"),
    "null": (lambda run: with_test(run, None), "undefined"),
    "partial": (partial, "partial"),
    "empty half": (empty, "partial"),
    "failed fold": (one_fold_failed, "partial"),
    "no test score": (lambda run: dataclasses.replace(run, test=None), "unscored"),
    "no metrics": (lambda run: dataclasses.replace(run, test=Half(50, 50, {})), "undefined"),
}

spoilt = st.sampled_from(sorted(SPOILS))
values = st.floats(0, 1)


@pytest.mark.parametrize("make_card", [card, lower_is_better], ids=["higher", "lower"])
@settings(max_examples=40, deadline=None)
@given(good=values, bad=values, how=spoilt)
def test_a_failure_never_outranks_a_score(
    make_card: Callable[[], Card], good: float, bad: float, how: str
) -> None:
    """Whatever its value and the metric's direction, a spoilt entry is unranked, last, with a reason."""
    spoil, status = SPOILS[how]
    found = standings([record("good", good), spoil(record("bad", bad))], make_card())
    assert names(found.ranked) == ["good"]
    assert [row.rank for row in found.unranked] == [None]
    assert found.unranked[0].status == status
    assert found.unranked[0].reason


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(len(mixed()))))
def test_the_order_of_the_records_does_not_matter(order: list[int]) -> None:
    """Any order of the same records gives the same standings."""
    runs = mixed()
    assert standings([runs[i] for i in order], card()) == standings(runs, card())


@settings(max_examples=40, deadline=None)
@given(scores=st.lists(values, min_size=1, max_size=8), pick=st.integers(0, 7))
def test_an_identical_entry_makes_a_tie(scores: list[float], pick: int) -> None:
    """A copy under another name shares its original's rank and moves nobody above it."""
    runs = [record(f"e{i}", value) for i, value in enumerate(scores)]
    chosen = runs[pick % len(runs)]
    copy = dataclasses.replace(chosen, entry=dataclasses.replace(chosen.entry, name="copy"))
    before = {row.record.entry.name: row.rank or 0 for row in standings(runs, card()).ranked}
    after = {row.record.entry.name: row.rank or 0 for row in standings([*runs, copy], card()).ranked}
    rank = before[chosen.entry.name]
    assert after["copy"] == after[chosen.entry.name] == rank
    assert all(after[name] == old + (old > rank) for name, old in before.items())


@settings(max_examples=40, deadline=None)
@given(scores=st.lists(values, min_size=2, max_size=10))
def test_the_lower_is_better_order_is_the_mirror_of_the_other(scores: list[float]) -> None:
    """With the direction turned, strictly better becomes strictly worse."""
    runs = [record(f"e{i}", value) for i, value in enumerate(scores)]
    up = {row.record.entry.name: row.rank or 0 for row in standings(runs, card()).ranked}
    down = {row.record.entry.name: row.rank or 0 for row in standings(runs, lower_is_better()).ranked}
    for a in up:
        for b in up:
            value_a, value_b = (scores[int(name[1:])] for name in (a, b))
            if round(value_a, 6) != round(value_b, 6):
                assert (up[a] < up[b]) == (down[a] > down[b]) == (value_a > value_b)


def test_ties_share_a_rank_and_the_next_rank_is_skipped() -> None:
    """Two equal entries are both second; the next is fourth."""
    found = standings([record(n, v) for n, v in zip("abcd", (0.9, 0.7, 0.7, 0.6), strict=True)], card())
    assert [row.rank for row in found.ranked] == [1, 2, 2, 4]


def test_ranks_compare_at_six_decimals() -> None:
    """The seventh decimal is rounded away; the sixth decides."""
    tied = standings([record("a", 0.70000012), record("b", 0.70000014)], card())
    assert [row.rank for row in tied.ranked] == [1, 1]
    apart = standings([record("a", 0.700001), record("b", 0.700002)], card())
    assert names(apart.ranked) == ["b", "a"]
    assert [row.rank for row in apart.ranked] == [1, 2]


def test_the_tie_breaker_decides_only_between_equals() -> None:
    """Location accuracy orders equal AUROCs and nothing else."""
    runs = [
        record("low", 0.7, accuracy=0.95),
        record("high", 0.7, accuracy=0.97),
        record("top", 0.71, accuracy=0.9),
    ]
    assert names(standings(runs, card()).ranked) == ["top", "high", "low"]


def test_without_a_tie_breaker_value_an_entry_is_behind_its_equals() -> None:
    """A missing tie breaker is the worst, not an error."""
    run = record("none", 0.7)
    assert run.test is not None
    metrics = {"auroc_aneurysm": run.test.metrics["auroc_aneurysm"]}
    bare = dataclasses.replace(run, test=dataclasses.replace(run.test, metrics=metrics))
    found = standings([bare, record("known", 0.7)], card())
    assert [(row.record.entry.name, row.rank) for row in found.ranked] == [("known", 1), ("none", 2)]


def test_the_cv_score_ranks_where_nobody_has_a_test_score() -> None:
    """A board without test scores ranks on the pooled out-of-fold predictions."""
    found = standings([record("a", None, 0.6), record("b", None, 0.7)], card())
    assert (found.half, names(found.ranked)) == ("cv", ["b", "a"])


def test_an_entry_with_only_a_cv_score_is_shown_but_unranked_beside_test_scores() -> None:
    """The two halves never meet in one ranking."""
    found = standings([record("a", 0.6, 0.6), record("b", None, 0.99)], card())
    assert (found.half, names(found.ranked), names(found.unranked)) == ("test", ["a"], ["b"])
    assert found.unranked[0].reason == "No test score: this board ranks on the test set."


def test_the_test_half_of_references_does_not_unrank_entries_that_have_none() -> None:
    """Where only references have a test score, entries are ranked by CV."""
    assert names(standings([record("a", None, 0.6), *references()], card()).ranked) == ["a"]


def test_the_latest_complete_record_of_an_entry_stands_and_earlier_ones_are_counted() -> None:
    """A rerun replaces its entry's row, even if it is worse; a failed one does not, and the row says so."""
    days = [f"2026-11-{day:02d}T00:00:00Z" for day in (1, 2, 3)]
    runs = [record("a", v, finished=day) for v, day in zip((0.9, 0.8, 0.7), days, strict=True)]
    (row,) = standings(runs, card()).ranked
    assert (row.record.finished, row.earlier) == (days[2], 2)
    broken = record("a", failure=("error", "boom"), finished="2026-11-04T00:00:00Z")
    (stays,) = standings([*runs, broken], card()).rows
    assert (stays.record.finished, stays.rank, stays.earlier) == (days[2], 1, 2)
    assert stays.note == "newest run failed; this is the newest complete one"
    assert row.note == ""
    again = record("a", 0.6, finished="2026-11-05T00:00:00Z")
    (fixed,) = standings([*runs, broken, again], card()).ranked
    assert (fixed.record, fixed.earlier, fixed.note) == (again, 4, "")


@settings(max_examples=40, deadline=None)
@given(good=values, bad=values, how=spoilt)
def test_no_spoilt_run_replaces_a_complete_one(good: float, bad: float, how: str) -> None:
    """Whatever went wrong in the newest run of an entry, its newest complete run stands, and says so."""
    newest = SPOILS[how][0](record("a", bad, run_id="newest", finished="2026-12-01T00:00:00Z"))
    found = standings([record("a", good), newest], card())
    assert [(row.rank, row.record.run_id) for row in found.rows] == [(1, "a-2026-11-20")]
    assert found.ranked[0].note.startswith("newest run ")


def test_an_entry_that_never_was_complete_shows_its_newest_run() -> None:
    """Of failed runs the newest one's reason is the one to read."""
    runs = [record("a", failure=("error", w), finished=f"2026-11-0{i}") for i, w in enumerate("xyz", 1)]
    (row,) = standings(runs, card()).rows
    assert (row.rank, row.earlier, row.note) == (None, 2, "")
    assert row.reason.endswith("z")


def test_a_weaker_isolation_never_replaces_a_stronger_one_of_the_same_files() -> None:
    """Bubblewrap stands before reduced, reduced before none; another digest is a new version."""
    order = ("bubblewrap", "reduced", "none")
    runs = [record("a", 0.6 + i / 10, isolation=x, finished=f"2026-11-0{i + 1}") for i, x in enumerate(order)]
    for first in range(3):
        (row,) = standings(runs[first:], card()).ranked
        assert row.record.isolation == order[first]
    assert standings(runs, card()).ranked[0].note == (
        "newest run not shown: same files under a weaker isolation (none instead of bubblewrap)"
    )
    stronger = record("a", 0.5, finished="2026-11-09")
    assert standings([*runs, stronger], card()).ranked[0].record == stronger
    developed = record("a", 0.55, isolation="none", digest="e" * 64, finished="2026-11-10")
    (row,) = standings([*runs, developed], card()).ranked
    assert (row.record, row.note) == (developed, "")


def test_scores_of_an_earlier_scorer_are_not_ranked_with_those_of_the_newest() -> None:
    """Who was not scored again is unranked and told what to type; references of old scorers go."""
    new: dict[str, Any] = {"scorer": "e" * 64, "finished": "2026-12-01"}
    old = [record("stays", 0.9), record("again", 0.8), *references()]
    found = standings(
        [*old, record("again", 0.7, **new), record("constant", 0.5, route="reference", **new)], card()
    )
    assert [(row.record.entry.name, row.rank, row.note) for row in found.ranked] == [("again", 1, "")]
    assert [(row.record.entry.name, row.status, row.reason) for row in found.unranked] == [
        (
            "stays",
            "outdated",
            "scored by an earlier version of the scorer: type the same command again to score it again",
        )
    ]
    assert [(row.record.entry.name, row.record.challenge.digest) for row in found.references] == [
        ("constant", "e" * 64)
    ]


def test_a_failed_run_makes_no_scorer_the_newest() -> None:
    """A run without scores unranks nobody."""
    broken = record("b", failure=("error", "boom"), scorer="e" * 64, finished="2026-12-01")
    assert names(standings([record("a"), broken], card()).ranked) == ["a"]


def test_scores_against_an_older_test_truth_are_not_ranked() -> None:
    """The newest known truth counts; records that name none, and boards that rank on CV, are left alone."""
    runs = [
        record("old", 0.9, truth="1" * 64),
        record("new", 0.7, truth="2" * 64, finished="2026-12-01"),
        record("unknown", 0.8, finished="2026-12-02"),
    ]
    found = standings(runs, card())
    assert names(found.ranked) == ["unknown", "new"]
    assert [(row.record.entry.name, row.reason) for row in found.unranked] == [
        ("old", "scored against an older test truth: score it again")
    ]
    assert found.board is not None
    assert found.board.truths == ("1" * 64, "2" * 64)
    without = [dataclasses.replace(run, test=None) for run in runs]
    assert len(standings(without, card()).ranked) == 3


@pytest.mark.parametrize(
    ("value", "status"), [(1.5, "invalid"), (-0.1, "invalid"), (1.0, "complete"), (0.0, "complete")]
)
def test_a_value_outside_its_metrics_bounds_is_not_ranked(value: float, status: str) -> None:
    """An AUROC of 1.5 is no score, and the reason names the bounds."""
    run = with_test(record("bad"), value)
    found = standings([record("good"), run], card())
    (row,) = (row for row in found.rows if row.record.entry.name == "bad")
    assert row.status == status
    assert (row.rank is None) == (status == "invalid")
    if status == "invalid":
        assert row.reason == f"AUROC (aneurysm) (test) is {value!r}, outside its bounds 0 to 1."


def test_a_tie_breaker_outside_its_bounds_is_not_ranked_either() -> None:
    """Every metric of both halves is held to its bounds."""
    (row,) = standings([record("tie", accuracy=1.002)], card()).unranked
    assert row.reason == "Location accuracy (test) is 1.002, outside its bounds 0 to 1."
    (row,) = standings([record("cv", cv=-0.5)], card()).unranked
    assert row.reason == "AUROC (aneurysm) (CV) is -0.5, outside its bounds 0 to 1."


def test_other_words_teams_or_routes_are_other_entries() -> None:
    """Nobody replaces another team's row by using its folder's name."""
    runs = [
        record("a", 0.6),
        record("a", 0.7, overrides=("seed=1",)),
        record("a", 0.8, team="Others"),
        record("a", 0.9, route="file"),
    ]
    assert len(standings(runs, card()).ranked) == 4


def test_every_prediction_file_of_a_team_is_shown_once() -> None:
    """Two files are two rows; the same file scored twice is one."""
    first, second = (record("out", v, None, route="file", digest=d) for v, d in ((0.6, "a"), (0.7, "b")))
    again = dataclasses.replace(first, run_id="again", finished="2026-12-01T00:00:00Z")
    found = standings([first, second, again], card())
    assert [row.earlier for row in found.ranked] == [0, 1]


def test_references_are_unranked_and_say_where_they_would_stand() -> None:
    """A reference takes nobody's rank."""
    found = standings([record("a", 0.6), record("b", 0.4), *references()], card())
    assert [row.rank for row in found.ranked] == [1, 2]
    assert [(row.record.entry.name, row.rank) for row in found.references] == [
        ("constant", 2),
        ("prevalence", 2),
    ]


def test_the_value_of_an_incomplete_half_is_not_shown() -> None:
    """A metric over some of the cases is no value: not as a rank, not in a cell."""
    run = partial(record("a", 0.9))
    assert run.test is not None
    assert run.test.metrics["auroc_aneurysm"].value == 0.9
    assert scored(run.test, "auroc_aneurysm") is None
    assert scored(record("a", 0.9).test, "auroc_aneurysm") == 0.9


def test_the_shift_compares_ranks_among_entries_that_have_both() -> None:
    """A prediction file without a CV score shifts nobody."""
    runs = [
        record("a", 0.8, 0.6),
        record("b", 0.7, 0.9),
        record("file", 0.75, None, route="file"),
    ]
    found = {row.record.entry.name: row for row in standings(runs, card()).ranked}
    assert {name: row.shift for name, row in found.items()} == {"a": 1, "b": -1, "file": None}
    assert found["b"].rank == 3
    assert found["b"].test_rank == 2


def test_fold_spread_is_the_sample_deviation_over_defined_folds() -> None:
    """Undefined and failed folds are None, never zero; ddof is one."""
    run = record("a")
    known = [
        dataclasses.replace(cell(i, 0.5), metrics={"auroc_aneurysm": value})
        for i, value in enumerate((0.5, 0.7, math.nan, None))
    ]
    broken = cell(4, 0.9, failure=("error", "boom"))
    spread = fold_spread(dataclasses.replace(run, cells=(*known, broken)), "auroc_aneurysm")
    assert spread.values == (0.5, 0.7, None, None, None)
    assert spread.defined == 2
    assert spread.mean == pytest.approx(0.6)
    assert spread.sd == pytest.approx(math.sqrt(0.02))
    single = fold_spread(dataclasses.replace(run, cells=(known[0],)), "auroc_aneurysm")
    assert (single.mean, single.sd) == (0.5, None)


def test_boards_never_mix_phantom_and_real_data() -> None:
    """The same fingerprint, phantom and real, makes two boards with different names."""
    found = boards([record("a"), record("b", phantom=True)])
    assert [board.id for board in found] == ["data-3f9a1c07be", "phantom-3f9a1c07be"]
    with pytest.raises(ValueError, match="2 boards"):
        standings([record("a"), record("b", phantom=True)], card())


def test_a_fingerprint_that_is_no_hex_makes_a_safe_folder_name() -> None:
    """Whatever the record says, the board's folder stays inside the site."""
    run = record("a")
    bad = dataclasses.replace(run, data=dataclasses.replace(run.data, fingerprint="../../etc/passwd"))
    (board,) = boards([bad])
    assert board.id.removeprefix("data-").isalnum()


def test_no_record_is_an_empty_board() -> None:
    """Nothing was run: nothing is ranked, and the literature is still there."""
    found = standings([], card())
    assert (found.board, found.ranked, found.unranked, found.references) == (None, (), (), ())
    assert len(found.literature) == 2


def test_published_results_are_joined_by_title_and_never_ranked() -> None:
    """Two metrics of one reported result are one row, apart from the entries."""
    found: Standings = standings([record("a")], card())
    assert found.literature[0].values == (("auroc_aneurysm", 0.5958), ("location_accuracy", 0.9638))
    assert names(found.rows) == ["a"]


def test_a_card_with_an_unknown_tie_breaker_is_refused() -> None:
    """A misspelt tie breaker is an error, not a silent tie."""
    content = challenge_yaml() | {"ranking": {"tie_breakers": ["location_acuracy"]}}
    with pytest.raises(ValueError, match="location_acuracy"):
        card("kium", content)


def test_half_scores_survive_json() -> None:
    """The fakes hold what a record may hold: no NaN token, no array."""
    json.dumps(dataclasses.asdict(half(0.6)), allow_nan=False)


def test_a_board_takes_its_options_from_the_newest_record() -> None:
    """As they are typed; a record of before options had names changes nothing, and none is no word."""
    old = record("a", finished="2026-11-01")
    new = dataclasses.replace(
        record("b", finished="2026-12-01"),
        data=dataclasses.replace(record("b").data, options={"variant": "mnist28", "view": "frontal"}),
    )
    (board,) = boards([new, old])
    assert board.options == "variant=mnist28 view=frontal"
    assert boards([old])[0].options == ""


def test_a_published_result_stands_on_the_boards_it_compares_with() -> None:
    """One that names an option is shown where the board has that value; one that names none is shown everywhere."""
    everywhere = Published("everywhere", (), "", "", "")
    small = Published("small", (), "", "", "", (("variant", "small"),))
    board = dataclasses.replace(card(), literature=(everywhere, small))
    run = record("a")
    chosen = dataclasses.replace(run, data=dataclasses.replace(run.data, options={"variant": "small"}))

    assert standings([chosen], board).literature == (everywhere, small)
    assert standings([run], board).literature == (everywhere,)
