"""The verbs compare and explain-rank: what they say, by hand and against scipy, and what they never say."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console, RenderableType
from scipy.stats import ttest_rel
from typer.testing import CliRunner

from harness.cli import app
from harness.comparisons import corrected_fold_test
from harness.errors import UserError
from harness.records import RunRecord
from harness.resamples import Resamples
from harness.statistics import percentile_interval
from leaderboard.case_ranks import case_files
from leaderboard.comparison import Comparison, compare
from leaderboard.explanation import explain
from leaderboard.finding import board_of, row_of
from leaderboard.resampled import resample_files
from leaderboard.spread import fold_interval, variance_of
from leaderboard.standings import Row, Standings, standings
from leaderboard.verdicts import render_comparison, render_explanation
from tests.case_rank_fakes import by_case_card
from tests.case_rank_fakes import entries as by_case_entries
from tests.leaderboard_fakes import HOSTILE, card, record
from tests.resample_fakes import SIZES, drawn, entries, entry, scores_of, small_card, truth_of

KEY = "auroc_aneurysm"


def board(runs: Path, records: Sequence[RunRecord]) -> Standings:
    """Return the standings of these records."""
    return standings(records, small_card(), case_files(runs), resample_files(runs))


def compared(runs: Path, found: Standings, first: str, second: str) -> Comparison:
    """Return the comparison of two entries by name."""
    rows = row_of(found, first), row_of(found, second)
    return compare(*rows, found, resample_files(runs), case_files(runs))


def printed(view: RenderableType) -> str:
    """Return what a terminal of 100 columns shows."""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(view)
    return console.export_text()


# ------------------------------------------------------------------------------------- compare
def test_every_metric_on_both_halves_is_subtracted_draw_by_draw(tmp_path: Path) -> None:
    """The value, the interval of the stored differences, and who is better in the metric's direction."""
    found = board(tmp_path, entries(tmp_path, [3.0, 0.5]))
    result = compared(tmp_path, found, "e1", "e0")
    assert [half.half for half in result.halves] == ["test", "cv"]
    for half in result.halves:
        assert (half.cases, half.patients, half.reason) == (SIZES[half.half], SIZES[half.half], "")
        a, b = (scores_of(half.half, drawn(skill, k, half.half)) for k, skill in ((1, 0.5), (0, 3.0)))
        held = [resample_files(tmp_path)(row.record, half.half) for row in (result.first, result.second)]
        for metric in half.metrics:
            assert metric.difference is not None
            assert metric.difference.value == pytest.approx(float(a[metric.key] - b[metric.key]))
            gaps = [item.values[metric.key] for item in held if isinstance(item, Resamples)]
            ends = percentile_interval(gaps[0] - gaps[1])
            assert (metric.difference.low, metric.difference.high) == ends
            assert metric.better == "second"
            assert metric.p is not None
            assert metric.p < 0.05


def test_the_p_value_of_a_mean_metric_is_that_of_the_paired_t_test(tmp_path: Path) -> None:
    """The Brier score is a mean of squared errors: 400 resamples give the t-test within their noise."""
    found = board(tmp_path, entries(tmp_path, [1.0, 0.8]))
    (half, _) = compared(tmp_path, found, "e0", "e1").halves
    p = next(metric.p for metric in half.metrics if metric.key == "brier_aneurysm")
    errors = [(drawn(skill, k, "test") - truth_of("test")) ** 2 for k, skill in ((0, 1.0), (1, 0.8))]
    assert p == pytest.approx(ttest_rel(*errors).pvalue, abs=0.06)


def test_the_deciding_cases_are_the_largest_out_of_fold_differences(tmp_path: Path) -> None:
    """Five for each, from the largest on, by id; no test case is named."""
    found = board(tmp_path, entries(tmp_path, [1.0, 0.9]))
    result = compared(tmp_path, found, "e0", "e1")
    held = [resample_files(tmp_path)(row.record, "cv") for row in (result.first, result.second)]
    parts = [item.parts for item in held if isinstance(item, Resamples)]
    assert parts[0] is not None
    gaps = np.sort(parts[0] - parts[1])
    shown = [case.difference for case in result.cases]
    assert shown == pytest.approx([*gaps[::-1][:5], *gaps[:5]])
    for case in result.cases:
        k = int(case.case.removeprefix("cv"))
        assert (case.first, case.second) == (parts[0][k], parts[1][k])
    text = printed(render_comparison(result, found))
    assert result.cases[0].case in text
    assert "test0" not in text


def test_folds_are_compared_with_the_correction(tmp_path: Path) -> None:
    """The mean difference over the same ten folds, for models that share training cases."""
    found = board(tmp_path, entries(tmp_path, [1.0, 0.9]))
    result = compared(tmp_path, found, "e0", "e1")
    cells = zip(result.first.record.cells, result.second.record.cells, strict=True)
    values = [(a.metrics[KEY] or 0) - (b.metrics[KEY] or 0) for a, b in cells]
    assert result.folds == corrected_fold_test(values, 990, 110)
    other = dataclasses.replace(result.second.record, n_folds=5, cells=result.second.record.cells[:5])
    fewer = compare(
        result.first, dataclasses.replace(result.second, record=other), found, resample_files(tmp_path)
    )
    assert fewer.folds is None


def test_an_entry_and_its_copy_differ_in_nothing(tmp_path: Path) -> None:
    """Zero, from zero to zero, p 1, and no case decides."""
    same = {half: drawn(1.0, 0, half) for half in SIZES}
    found = board(tmp_path, [entry(tmp_path, "a", same), entry(tmp_path, "b", same)])
    result = compared(tmp_path, found, "a", "b")
    for half in result.halves:
        for metric in half.metrics:
            assert metric.difference is not None
            assert (metric.difference.value, metric.difference.low, metric.difference.high) == (0, 0, 0)
            assert (metric.p, metric.better) == (1, "")
    assert result.cases == ()
    assert "the two agree on every case" in printed(render_comparison(result, found))


@pytest.mark.parametrize("words", [{"scorer": "e" * 64}, {"truth": "b" * 64}])
def test_scores_that_were_made_otherwise_are_not_subtracted(tmp_path: Path, words: dict[str, str]) -> None:
    """Another version of the scorer, or another test truth, on the half that it concerns."""
    old = {"truth": "a" * 64} if "truth" in words else {}
    a = entry(tmp_path, "a", {half: drawn(1.0, 0, half) for half in SIZES}, **old)
    newest = {"finished": "2026-12-01T00:00:00Z", **words}
    b = entry(tmp_path, "b", {half: drawn(0.9, 1, half) for half in SIZES}, **newest)
    found = board(tmp_path, [a, b])
    test, cv = compared(tmp_path, found, "a", "b").halves
    assert test.metrics == ()
    assert "two" in test.reason
    assert (cv.metrics == ()) == ("scorer" in words)


def test_without_resamples_values_are_shown_and_the_reason_said(tmp_path: Path) -> None:
    """An old record has differences but no interval, no p and no cases."""
    old = entry(tmp_path, "old", {half: drawn(1.0, 5, half) for half in SIZES}, stored=False)
    found = board(tmp_path, [*entries(tmp_path, [1.0]), old])
    result = compared(tmp_path, found, "e0", "old")
    (half, _) = result.halves
    assert half.reason.startswith("old: no resamples are stored beside it")
    assert all(m.difference is not None and m.difference.low is None and m.p is None for m in half.metrics)
    assert result.cases == ()
    text = printed(render_comparison(result, found))
    assert "No intervals: old: no resamples" in text
    assert "harness score challenge=kium run=run-old data=PATH" in text.replace("\n", " ")


def test_a_failed_entry_has_nothing_to_compare(tmp_path: Path) -> None:
    """And says so, on both halves."""
    failed = record("broken", failure=("memory", "used 16 GB"), run_id="run-broken")
    found = board(tmp_path, [*entries(tmp_path, [1.0]), failed])
    result = compared(tmp_path, found, "broken", "e0")
    assert [half.metrics for half in result.halves] == [(), ()]
    assert result.folds is None
    assert "not both have scores" in printed(render_comparison(result, found))


def test_boards_by_case_compare_rank_scores_first(tmp_path: Path) -> None:
    """The rank score with the swaps of these two patients by patient, on the half that ranks."""
    runs = by_case_entries(tmp_path, [0.9, 0.7])
    found = standings(runs, by_case_card(), case_files(tmp_path), resample_files(tmp_path))
    result = compare(*found.ranked, found, resample_files(tmp_path), case_files(tmp_path))
    test, cv = result.halves
    assert (test.metrics[0].key, test.metrics[0].better) == ("rank_score", "first")
    assert found.by_case is not None
    assert test.metrics[0].p == pytest.approx(found.by_case.against_leader[found.ranked[1].id][0], abs=0.003)
    assert "rank_score" not in {metric.key for metric in cv.metrics}


# ------------------------------------------------------------------------------------- explain
def told(runs: Path, found: Standings, name: str) -> str:
    """Return the explanation as a terminal shows it, on one line."""
    view = render_explanation(explain(row_of(found, name), found, resample_files(runs)), found)
    return " ".join(printed(view).split())


def test_a_rank_is_explained_with_its_neighbours(tmp_path: Path) -> None:
    """Score, interval, group, leader, neighbours with their test, schemes with their agreement."""
    found = board(tmp_path, entries(tmp_path, [3.0, 1.0, 0.95, 0.0]))
    names = [row.record.entry.name for row in found.ranked]
    text = told(tmp_path, found, names[1])
    assert "Rank 2 of 4 ranked entries" in text
    assert "Rank 2–3 in 95 % of 400 resamples of the patients" in text
    assert "with Holm's correction" in text
    assert "Rank by scheme: metric-then-rank 2, rank-then-aggregate" in text
    assert "Kendall's tau" in text
    view = explain(found.ranked[1], found, resample_files(tmp_path))
    assert [(n.where, n.row.record.entry.name, n.told_apart) for n in view.neighbours] == [
        ("leader", names[0], True),
        ("below", names[2], False),
    ]
    first = explain(found.ranked[0], found, resample_files(tmp_path))
    assert [n.where for n in first.neighbours] == ["below"]


def test_folds_and_seeds_are_told_apart(tmp_path: Path) -> None:
    """The mean over ten folds with its interval; with two seeds a fold, both standard deviations."""
    (run,) = entries(tmp_path, [1.0])
    values = [cell.metrics[KEY] or 0 for cell in run.cells]
    assert fold_interval(run, KEY) == corrected_fold_test(values, 990, 110)
    assert variance_of(run, KEY) is None
    again = tuple(
        dataclasses.replace(cell, seed=1, metrics={KEY: (cell.metrics[KEY] or 0) + 0.02})
        for cell in run.cells
    )
    both = dataclasses.replace(run, cells=(*run.cells, *again))
    found = fold_interval(both, KEY)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(values))  # of the first seed, as every other entry's
    variance = variance_of(both, KEY)
    assert variance is not None
    assert variance.seeds == pytest.approx(0.0002)
    assert variance.folds == pytest.approx(np.var(values, ddof=1) - 0.0001)
    text = told(tmp_path, board(tmp_path, [both]), "e0")
    assert "between 2 seeds of one fold 0.0141" in text
    assert "Mean AUROC (aneurysm) of 10 folds" in text
    failed = dataclasses.replace(run, cells=run.cells[1:])
    assert fold_interval(failed, KEY) is None


def test_a_tie_breaker_that_decides_is_named(tmp_path: Path) -> None:
    """Equal AUROCs in another order of decisions: the location accuracy puts one first."""
    scores = {half: drawn(1.0, 0, half) for half in SIZES}
    shifted = {half: values * 0.5 for half, values in scores.items()}  # the same order, other decisions
    found = board(tmp_path, [entry(tmp_path, "a", scores), entry(tmp_path, "b", shifted)])
    assert [row.rank for row in found.ranked] == [1, 2]
    (neighbour,) = explain(found.ranked[1], found, resample_files(tmp_path)).neighbours
    assert neighbour.decided_by == "Location accuracy"
    assert "equal; decided by Location accuracy" in told(tmp_path, found, found.ranked[1].record.entry.name)


def test_equal_entries_name_each_other(tmp_path: Path) -> None:
    """Two that share rank 1 have no leader above them."""
    same = {half: drawn(1.0, 0, half) for half in SIZES}
    found = board(tmp_path, [entry(tmp_path, "a", same), entry(tmp_path, "b", same)])
    for row in found.ranked:
        view = explain(row, found, resample_files(tmp_path))
        assert [n.told_apart for n in view.neighbours] == [False]
        assert view.neighbours[0].decided_by == ""


def test_what_is_not_ranked_is_explained_too(tmp_path: Path) -> None:
    """A failure by its reason, a reference by where it would stand, an old record by what is missing."""
    constant = {half: np.full(n, 0.5) for half, n in SIZES.items()}
    found = board(tmp_path, [
        *entries(tmp_path, [1.0]),
        record("broken", failure=("memory", "used 16 GB"), run_id="run-broken"),
        entry(tmp_path, "constant", constant, route="reference"),
        entry(tmp_path, "old", {half: drawn(0.9, 3, half) for half in SIZES}, stored=False),
    ])  # fmt: skip
    assert "Not ranked (failed): Fold 3 failed (memory): used 16 GB" in told(tmp_path, found, "broken")
    assert "never ranked: it would stand at rank 3 of 3" in told(tmp_path, found, "constant")
    assert "No rank interval: no resamples are stored beside it" in told(tmp_path, found, "old")
    assert "of the way from the best reference answer" in told(tmp_path, found, "e0")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Whatever a team calls itself, neither terminal codes nor markup reach the reader."""
    runs = [
        entry(tmp_path, f"e{k}", {"test": drawn(1.0, k, "test")}, team=name, title=name)
        for k, name in enumerate(HOSTILE)
    ]
    found = board(tmp_path, runs)
    for row in found.ranked[:-1]:
        result = compare(row, found.ranked[-1], found, resample_files(tmp_path))
        text = printed(render_comparison(result, found)) + told(tmp_path, found, row.id)
        assert not set(text) & {"\x1b", "\x07", "\x00", "\u202e", "\u200b"}


# ------------------------------------------------------------------------------- words and verbs
def test_a_row_is_found_by_run_id_row_id_name_or_team(tmp_path: Path) -> None:
    """In that order; a name of several is refused with their ids."""
    found = board(tmp_path, entries(tmp_path, [1.0, 0.9]))
    for word in ("run-e1", found.ranked[1].id, found.ranked[1].record.entry.name):
        assert isinstance(row_of(found, word), Row)
    assert row_of(found, "Team e1").record.entry.name == "e1"
    twins = [record("twin", 0.6 + k / 10, team=f"t{k}", run_id=f"r{k}") for k in range(2)]
    with pytest.raises(UserError, match=r"2 entries are named 'twin'. Type the id of one: twin-\w+ \(t1\), "):
        row_of(standings(twins, card()), "twin")
    written, changed = record("a", run_id="r0"), record("a", overrides=("model.lr=1",), run_id="r1")
    assert row_of(standings([changed, written], card()), "a").record.run_id == "r0"
    assert row_of(standings([changed], card()), "a").record.run_id == "r1"


def test_a_word_that_names_nothing_is_one_sentence() -> None:
    """With the nearest name; so are names on different boards, several boards, and none."""
    real, phantom = (
        standings([record("a"), record("b")], card()),
        standings([record("c", phantom=True)], card()),
    )
    with pytest.raises(UserError, match="No entry 'aa' on this board"):
        board_of([real], ("aa", "b"), None)
    with pytest.raises(UserError, match="'a' and 'c' stand on different boards"):
        board_of([real, phantom], ("a", "c"), None)
    with pytest.raises(UserError, match="Nothing was run or scored yet"):
        board_of([], ("a",), None)
    both = [real, standings([record("a", phantom=True)], card())]
    with pytest.raises(UserError, match=r"stand on 2 boards. Type one of board=data-\w+, board=phantom-"):
        board_of(both, ("a",), None)
    assert real.board is not None
    assert board_of(both, ("a",), real.board.id) is real
    with pytest.raises(UserError, match="No board 'data'"):
        board_of(both, ("a",), "data")


def lasting(root: Path) -> dict[Path, bytes]:
    """Return every file but those that are kept to read the runs faster."""
    files = [path for path in root.rglob("*") if path.is_file() and ".board" not in path.parts]
    return {path: path.read_bytes() for path in files}


def test_the_verbs_in_the_terminal(tmp_path: Path) -> None:
    """Both print and change nothing that stands; the same entry twice and an unknown word are one sentence."""
    runs = tmp_path / "runs"
    entries(runs, [3.0, 0.5])
    words = ["challenge=kium", f"runs={runs}"]
    before = lasting(tmp_path)
    done = CliRunner().invoke(app, ["compare", "e0", "e1", *words])
    assert done.exit_code == 0, done.output
    assert "A better" in done.output
    assert "Out-of-fold cases that decide" in done.output
    done = CliRunner().invoke(app, ["explain-rank", "e1", *words])
    assert done.exit_code == 0, done.output
    assert "Rank 2 of 2 ranked entries" in done.output
    assert lasting(tmp_path) == before
    for wrong in (
        ["compare", "e0", "run-e0", *words],
        ["compare", "e0", "e9", *words],
        ["explain-rank", "e0"],
    ):
        assert CliRunner().invoke(app, wrong).exit_code == 2
