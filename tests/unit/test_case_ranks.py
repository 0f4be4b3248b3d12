"""Ranks by case: the numbers against scipy and by hand, who takes part, and what stays private."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from rich.console import Console
from scipy.stats import rankdata

from harness.cards import ChallengeCard
from harness.records import Half, RunRecord
from leaderboard.case_ranks import case_files
from leaderboard.export import as_csv, as_json, as_pairs
from leaderboard.pages import board_view
from leaderboard.site import build
from leaderboard.standings import Standings, standings
from leaderboard.terminal import render
from tests.case_rank_fakes import (
    COLUMNS,
    SIZES,
    by_case_card,
    by_case_record,
    by_case_yaml,
    drawn,
    entries,
    frame,
    write_run,
)
from tests.leaderboard_fakes import HOSTILE, card, english, mixed, record, write

ROOT = Path(__file__).resolve().parents[2]
HIGHER = np.array([True, True, True, False, False, False])

Change = Callable[[pd.DataFrame], pd.DataFrame]


def ranked(runs: Path, records: Sequence[RunRecord], **ranking: Any) -> Standings:
    """Return the standings of these records, with their files under `runs`."""
    return standings(records, by_case_card(**ranking), case_files(runs))


def scores(found: Standings) -> dict[str, float]:
    """Return the rank score of each row, by the entry's name."""
    assert found.by_case is not None
    names = {row.id: row.record.entry.name for row in found.rows}
    return {names[key]: score.value or 0.0 for key, score in found.by_case.scores.items()}


def places(found: Standings) -> dict[str, int | None]:
    """Return the rank of each row, by the entry's name."""
    return {row.record.entry.name: row.rank for row in found.rows}


def add(runs: Path, name: str, tables: dict[str, Any], **words: Any) -> RunRecord:
    """Write a run of these scores by half and return its record."""
    values = {half: np.asarray(table, dtype=np.float64) for half, table in tables.items()}
    run = by_case_record(name, values, **words)
    write_run(runs, run, frame(values))
    return run


def alone(**columns: Sequence[float]) -> np.ndarray:
    """Return scores by case in which only these columns differ between cases."""
    n = len(next(iter(columns.values())))
    table = np.tile([0.5, 0.5, 0.5, 9.0, 9.0, 9.0], (n, 1))
    for name, values in columns.items():
        table[:, COLUMNS.index(name)] = values
    return table


# -------------------------------------------------------------------------------------- the numbers
def test_the_score_of_a_small_board_is_the_one_computed_by_hand(tmp_path: Path) -> None:
    """Three entries, two cases, two columns, with a tie: ranks 1 2.5 2.5, 2 2 2, 1 3 2 and 3 2 1."""
    tables = {
        "a": alone(dice_wt=[0.9, 0.5], hd95_wt=[1.0, 9.0]),
        "b": alone(dice_wt=[0.8, 0.5], hd95_wt=[3.0, 8.0]),
        "c": alone(dice_wt=[0.8, 0.5], hd95_wt=[2.0, 7.0]),
    }
    runs = [add(tmp_path, name, {"test": table}) for name, table in tables.items()]
    found = ranked(tmp_path, runs, columns=["dice_wt", "hd95_wt"])
    assert scores(found) == {"a": 7 / 12, "b": 9.5 / 12, "c": 7.5 / 12}
    assert places(found) == {"a": 1, "c": 2, "b": 3}


def test_the_score_is_the_mean_of_scipys_ranks_divided_by_the_entries(tmp_path: Path) -> None:
    """Ties share the mean of their ranks; NaN is the worst in either direction."""
    draw = np.random.default_rng(4)
    values = draw.integers(1, 5, size=(7, SIZES["test"], 6)) / 5
    values[2, :4, 1], values[3, 2:6, 4] = np.nan, np.nan
    runs = [add(tmp_path, f"e{i}", {"test": table}) for i, table in enumerate(values)]
    costs = np.where(np.isnan(values), np.inf, np.where(HIGHER, -values, values))
    wanted = rankdata(costs, method="average", axis=0).mean(axis=(1, 2)) / 7
    found = scores(ranked(tmp_path, runs))
    assert [found[f"e{i}"] for i in range(7)] == pytest.approx(wanted.tolist(), abs=1e-15)


def test_the_order_of_records_rows_and_folders_does_not_matter(tmp_path: Path) -> None:
    """Rows are matched by case id: files in any order, records in any order, the same standings."""
    runs = entries(tmp_path, [0.9, 0.88, 0.86, 0.85])
    found = ranked(tmp_path, runs)
    for order in itertools.islice(itertools.permutations(runs), 6):
        for run in order:
            path = tmp_path / "brats" / run.run_id / "cases.parquet"
            pd.read_parquet(path).sample(frac=1, random_state=random.randrange(99)).to_parquet(path)
        assert ranked(tmp_path, order) == found


def test_equal_sums_share_a_rank_until_a_tie_breaker_parts_them(tmp_path: Path) -> None:
    """A beats B in one case by as much as B beats A in another; their mean Dice differs."""
    runs = [
        add(tmp_path, "a", {"test": alone(dice_wt=[0.9, 0.3])}),
        add(tmp_path, "b", {"test": alone(dice_wt=[0.8, 0.6])}),
    ]
    assert set(scores(ranked(tmp_path, runs)).values()) == {0.75}
    assert places(ranked(tmp_path, runs, tie_breakers=[])) == {"a": 1, "b": 1}
    assert places(ranked(tmp_path, runs, tie_breakers=["dice"])) == {"b": 1, "a": 2}


def test_sums_that_differ_by_one_half_rank_are_no_tie(tmp_path: Path) -> None:
    """Sums are compared as whole numbers, whatever the decimals of the card."""
    runs = [
        add(tmp_path, "a", {"test": alone(dice_wt=[0.9, 0.5])}),
        add(tmp_path, "b", {"test": alone(dice_wt=[0.8, 0.5])}),
    ]
    assert places(ranked(tmp_path, runs, decimals=0, tie_breakers=[])) == {"a": 1, "b": 2}


def test_one_entry_has_the_score_one_and_nobody_to_be_compared_with(tmp_path: Path) -> None:
    """Alone it is first everywhere; without an entry there is nothing to rank, and no file to read."""
    found = ranked(tmp_path, entries(tmp_path, [0.9]))
    assert (scores(found), places(found)) == ({"entry_0": 1.0}, {"entry_0": 1})
    assert found.by_case is not None
    assert dict(found.by_case.against_leader) == {}
    assert board_view(found).pairs is None
    assert "permutation" not in board_view(found).test
    assert standings([], by_case_card()).by_case is None


def test_the_interval_is_that_of_a_plain_bootstrap_over_patients(tmp_path: Path) -> None:
    """Patients with several cases come along whole, and the mean is over the cases that were drawn."""
    runs = []
    for place in range(4):
        values = drawn(place, 0.85)
        runs.append(by_case_record(f"e{place}", values))
        write_run(tmp_path, runs[-1], frame(values, patients=5))
    found = ranked(tmp_path, runs)
    values = np.array([drawn(place, 0.85)["test"] for place in range(4)])
    mean = rankdata(np.where(HIGHER, -values, values), axis=0).mean(axis=2) / 4
    owner = np.arange(SIZES["test"]) % 5
    draw = np.random.default_rng(0)
    resampled = []
    for _ in range(1000):
        chosen = np.concatenate([np.flatnonzero(owner == patient) for patient in draw.integers(0, 5, 5)])
        resampled.append(mean[:, chosen].mean(axis=1))
    assert found.by_case is not None
    for row in found.ranked:
        score = found.by_case.scores[row.id]
        place = int(row.record.entry.name[1:])
        low, high = np.quantile(np.array(resampled)[:, place], [0.025, 0.975])
        assert score.value == pytest.approx(mean[place].mean())
        assert (score.low, score.high) == pytest.approx((low, high), abs=1e-12)


# -------------------------------------------------------------------------------- who takes part
def test_references_say_where_they_would_stand_and_change_nobody(tmp_path: Path) -> None:
    """The would-be score and rank are those of a ranking in which the answer takes part, alone."""
    runs = entries(tmp_path, [0.9, 0.8, 0.7])
    before = scores(ranked(tmp_path, runs))
    answers = [
        add(tmp_path, name, drawn(seed, skill), route="reference", team="MEDAL")
        for name, seed, skill in (("good", 90, 0.76), ("poor", 91, 0.3))
    ]
    found = ranked(tmp_path, [*runs, *answers])
    assert {name: score for name, score in scores(found).items() if name in before} == before
    for answer in answers:
        entry = dataclasses.replace(answer, entry=dataclasses.replace(answer.entry, route="code"))
        together = ranked(tmp_path, [*runs, entry])
        name = answer.entry.name
        assert scores(found)[name] == scores(together)[name]
        assert places(found)[name] == places(together)[name]
    assert [row.record.entry.name for row in found.references] == ["good", "poor"]


def test_a_board_of_references_alone_ranks_nobody(tmp_path: Path) -> None:
    """The only answer would be first, with the score of one entry alone."""
    found = ranked(tmp_path, [add(tmp_path, "empty", drawn(1, 0.5), route="reference")])
    assert (found.ranked, places(found), scores(found)) == ((), {"empty": 1}, {"empty": 1.0})
    board_view(found)


def spoilt(name: str) -> Change:
    """Return how a table of scores by case is spoilt."""
    test = {"half": "test", "case": "test_004", "patient": "test_004"}
    return {
        "a case is missing": lambda t: t[t["case"] != "test_004"],
        "a case too many": lambda t: pd.concat([t, t[t["case"] == "cv_001"].assign(**test | {"case": "x"})]),
        "another case": lambda t: t.replace({"case": {"test_004": "test_999"}}),
        "a case twice": lambda t: t.replace({"case": {"test_004": "test_005"}}),
        "another patient": lambda t: t.replace({"patient": {"test_004": "somebody"}}),
        "no such half": lambda t: t[t["half"] == "cv"],
        "no column": lambda t: t.drop(columns="hd95_tc"),
        "no id": lambda t: t.assign(case=[None, *t["case"][1:]]),
        "text": lambda t: t.assign(dice_wt="much"),
        "above its bounds": lambda t: t.assign(dice_wt=1.5),
        "below its bounds": lambda t: t.assign(hd95_et=-float("inf")),
        "empty": lambda t: t[:0],
    }[name]


REASONS = {
    "a case is missing": ("unmatched", "hold 8 test cases instead of 9"),
    "a case too many": ("unmatched", "hold 10 test cases instead of 9"),
    "another case": ("unmatched", "hold 8 of this board's 9 test cases"),
    "a case twice": ("unmatched", "name one test case twice"),
    "another patient": ("unmatched", "hold 8 of this board's 9 test cases"),
    "no such half": ("unmatched", "are missing"),
    "no column": ("unmatched", "have no column 'hd95_tc'"),
    "no id": ("unmatched", "cannot be read"),
    "text": ("unmatched", "cannot be read"),
    "above its bounds": ("invalid", "Dice (WT) of a test case lies outside its bounds"),
    "below its bounds": ("invalid", "HD95 (ET), mm of a test case lies outside its bounds"),
    "empty": ("unmatched", "are missing"),
}


@pytest.mark.parametrize("how", REASONS)
def test_an_entry_without_the_boards_cases_is_unranked_with_a_reason(tmp_path: Path, how: str) -> None:
    """It changes nobody's score, and its reason names no case and no value of the sealed set."""
    runs = entries(tmp_path, [0.9, 0.8, 0.7])
    before = scores(ranked(tmp_path, runs))
    values = drawn(50, 0.99)
    bad = by_case_record("bad", values, finished="2026-12-09T00:00:00Z")
    write_run(tmp_path, bad, spoilt(how)(frame(values)))
    found = ranked(tmp_path, [*runs, bad])
    (row,) = found.unranked
    status, words = REASONS[how]
    assert scores(found) == before
    assert (row.record.entry.name, row.status, row.rank) == ("bad", status, None)
    assert words in row.reason
    assert not re.search(r"test_\d|1\.5|somebody", row.reason)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 no table at all PAR1", "folder"])
def test_a_file_that_is_not_there_or_no_table_is_a_reason(
    tmp_path: Path, content: bytes | str | None
) -> None:
    """Whatever lies there instead, the board is built and the others are ranked."""
    runs = entries(tmp_path, [0.9, 0.8])
    bad = by_case_record("bad", drawn(50, 0.99))
    path = write_run(tmp_path, bad, None) / "cases.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    (row,) = ranked(tmp_path, [*runs, bad]).unranked
    assert ("are missing" if content is None else "cannot be read") in row.reason


def test_a_run_id_that_leads_elsewhere_reads_nothing(tmp_path: Path) -> None:
    """A record cannot make the board read another folder's file."""
    (run,) = entries(tmp_path, [0.9])
    astray = dataclasses.replace(run, run_id=f"../brats/{run.run_id}")
    (row,) = ranked(tmp_path, [astray]).unranked
    assert (row.status, row.rank) == ("unmatched", None)


def test_most_whole_files_say_what_the_boards_cases_are(tmp_path: Path) -> None:
    """Two truncated files do not outvote a whole one."""
    runs = entries(tmp_path, [0.9, 0.8, 0.7])
    for run in runs[1:]:
        path = tmp_path / "brats" / run.run_id / "cases.parquet"
        frame_ = pd.read_parquet(path)
        frame_[frame_["case"] != "test_002"].to_parquet(path)
    assert [row.record.entry.name for row in ranked(tmp_path, runs).ranked] == ["entry_0"]


def test_failed_and_outdated_entries_change_nobody(tmp_path: Path) -> None:
    """Only complete runs of the newest scorer are read."""
    new: dict[str, Any] = {"scorer": "e" * 64, "finished": "2026-12-01T00:00:00Z"}
    runs = entries(tmp_path, [0.9, 0.8], **new)
    before = scores(ranked(tmp_path, runs))
    old = add(tmp_path, "old", drawn(60, 0.95))
    failed = dataclasses.replace(add(tmp_path, "failed", drawn(61, 0.95), **new), state="failed")
    found = ranked(tmp_path, [*runs, old, failed])
    assert scores(found) == before
    assert {row.record.entry.name: row.status for row in found.unranked} == {
        "old": "outdated",
        "failed": "failed",
    }


def test_a_newer_run_without_its_cases_does_not_replace_a_whole_one(tmp_path: Path) -> None:
    """The newest run that can be ranked stands, and says that there is a newer one."""
    runs = entries(tmp_path, [0.9, 0.8])
    newer = dataclasses.replace(runs[0], run_id="newer", finished="2026-12-01T00:00:00Z")
    write_run(tmp_path, newer, None)
    row = next(row for row in ranked(tmp_path, [*runs, newer]).ranked if row.record.entry.name == "entry_0")
    assert row.record.run_id == runs[0].run_id
    assert row.note == (
        "newest run has no scores by case that fit this board; this is the newest complete one"
    )


def test_the_out_of_fold_half_ranks_where_nobody_has_a_test_score(tmp_path: Path) -> None:
    """Without test truth the scores by case of the development set are ranked."""
    runs = [add(tmp_path, f"e{i}", {"cv": drawn(i, skill)["cv"]}) for i, skill in enumerate((0.7, 0.9, 0.8))]
    found = ranked(tmp_path, runs)
    assert (found.half, places(found)) == ("cv", {"e1": 1, "e2": 2, "e0": 3})
    assert found.by_case is not None
    assert (found.by_case.cases, dict(found.by_case.others)) == (SIZES["cv"], {})


def test_the_shift_ranks_again_among_the_entries_that_have_both_halves(tmp_path: Path) -> None:
    """A prediction file has no out-of-fold score: it shifts nobody, and its other score is a dash."""
    first, second = drawn(1, 0.9), drawn(2, 0.8)
    runs = [
        add(tmp_path, "a", {"cv": first["cv"], "test": second["test"]}),
        add(tmp_path, "b", {"cv": second["cv"], "test": first["test"]}),
        add(tmp_path, "file", {"test": drawn(3, 0.85)["test"]}, route="file"),
    ]
    found = ranked(tmp_path, runs)
    rows = {row.record.entry.name: row for row in found.ranked}
    assert {name: row.shift for name, row in rows.items()} == {"b": 1, "a": -1, "file": None}
    assert found.by_case is not None
    assert set(found.by_case.others) == {rows["a"].id, rows["b"].id}


# ------------------------------------------------------------------------------------- the tests
def test_p_values_are_those_of_all_swaps_of_whole_patients(tmp_path: Path) -> None:
    """Nine cases of five patients have 32 swaps, not 512; Holm's correction is for the others' number."""
    runs, skills = [], (0.9, 0.88, 0.86, 0.7)
    for place, skill in enumerate(skills):
        values = drawn(place + 20, skill)
        runs.append(by_case_record(f"e{place}", values))
        write_run(tmp_path, runs[-1], frame(values, patients=5))
    found = ranked(tmp_path, runs)
    by_case = found.by_case
    assert by_case is not None
    order = [int(row.record.entry.name[1:]) for row in found.ranked]
    values = np.array([drawn(place + 20, skills[place])["test"] for place in order])
    by_patient = np.zeros((4, 5))
    np.add.at(
        by_patient.T,
        np.arange(9) % 5,
        rankdata(np.where(HIGHER, -values, values), axis=0).sum(axis=2).T,
    )
    signs = np.array(list(itertools.product([-1, 1], repeat=5)))
    plain = []
    for other in range(1, 4):
        difference = by_patient[0] - by_patient[other]
        exact = (np.abs(signs @ difference) >= abs(difference.sum()) - 1e-9).mean()
        plain.append(by_case.against_leader[by_case.ranked[other]][0])
        assert plain[-1] == pytest.approx(exact, abs=0.012)
    steps = [p * (3 - k) for k, p in enumerate(sorted(plain))]
    wanted = dict(zip(sorted(plain), np.minimum(np.maximum.accumulate(steps), 1), strict=True))
    for name in by_case.ranked[1:]:
        p, corrected = by_case.against_leader[name]
        assert corrected == pytest.approx(wanted[p])


def test_the_test_against_the_first_is_the_first_row_of_all_pairs(tmp_path: Path) -> None:
    """The matrix is symmetric, 1 on its diagonal, and says nothing else than the column."""
    found = ranked(tmp_path, entries(tmp_path, [0.9, 0.88, 0.88, 0.8, 0.5]))
    by_case = found.by_case
    assert by_case is not None
    assert by_case.pairs[0, 1:].tolist() == [by_case.against_leader[name][0] for name in by_case.ranked[1:]]
    assert np.array_equal(by_case.pairs, by_case.pairs.T)
    rows = list(csv.reader(io.StringIO(as_pairs(found))))
    assert [row[2] for row in rows[1:]] == rows[0][3:] == list(by_case.ranked)
    assert [[float(p) for p in row[3:]] for row in rows[1:]] == pytest.approx(by_case.pairs, rel=1e-5)


def test_the_work_on_a_large_board_is_bounded(tmp_path: Path) -> None:
    """A thousand entries get a thousand swaps a pair, the leader's row more."""
    found = ranked(tmp_path, entries(tmp_path, [0.9, 0.8]))
    assert found.by_case is not None
    names = tuple(f"e{i}" for i in range(1000))
    large = dataclasses.replace(found.by_case, ranked=names)
    assert found.by_case.swaps == 20_000
    assert large.swaps == 1001


# -------------------------------------------------------------------------------------- the pages
def site(tmp_path: Path, runs: Path, name: str = "site") -> Path:
    """Build the site of the runs and return the board's folder."""
    build(runs, tmp_path / name, {"brats": by_case_card()})
    (board,) = (tmp_path / name / "brats").glob("data-*")
    return board


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_site_publishes_no_score_and_no_id_of_a_case(tmp_path: Path) -> None:
    """Only sums over all cases leave cases.parquet, and what is built twice has the same bytes."""
    runs = tmp_path / "runs"
    marked = drawn(1, 0.9)
    marked["test"][3] = [0.123457, 0.234561, 0.345617, 11.234567, 12.345671, 13.456789]
    entries(runs, [0.9, 0.8])
    add(runs, "marked", marked, team="Marked")
    first = contents(site(tmp_path, runs))
    assert first == contents(site(tmp_path, runs, "again"))
    everything = b"".join(first.values())
    for secret in ("test_003", "cv_003", "0.123457", "0.345617", "11.2345", "12.3456", "13.4567"):
        assert secret.encode() not in everything, secret
    assert not list(tmp_path.glob("site/**/*.parquet"))


def test_the_board_shows_the_score_its_definition_and_the_test(tmp_path: Path) -> None:
    """Column, rule, metrics, p-values between entries, and the file of all of them."""
    runs = tmp_path / "runs"
    entries(runs, [0.9, 0.8, 0.7])
    add(runs, "empty", drawn(90, 0.1), route="reference", title="No tumour anywhere")
    page = english((site(tmp_path, runs) / "index.html").read_text(encoding="utf-8"))
    for words in (
        "Rank score<small>test, ranks</small>",
        "divided by the number of ranked entries: 1 is the worst. Lower is better.",
        "equal ones share the mean of their ranks, and a value that is not defined is the worst",
        "Dice (WT); Dice (TC); Dice (ET); HD95 (WT), mm; HD95 (TC), mm; and HD95 (ET), mm",
        '<span class="tag">ranked by case</span>',
        "20,000 times at random, with Holm&#39;s correction for 2 comparisons",
        '<a href="pvalues.csv">pvalues.csv</a>',
        "The rank score is what each would have as one more entry, alone",
    ):
        assert words in page, words
    assert "sample standard deviation" not in page


def test_the_index_the_files_and_the_terminal_show_the_score(tmp_path: Path) -> None:
    """The leader's rank score stands wherever a board is shown."""
    runs = tmp_path / "runs"
    records = entries(runs, [0.95, 0.8, 0.7])
    board = site(tmp_path, runs)
    index = english((board.parent / "index.html").read_text(encoding="utf-8"))
    assert '<th scope="col" class="num">Rank score</th>' in index
    found = ranked(runs, records)
    first = found.ranked[0]
    assert found.by_case is not None
    exact = found.by_case.scores[first.id].value
    content = json.loads(as_json(found))
    assert content["ranking"]["rule"] == "case_ranks"
    assert (content["ranking"]["metric"], content["ranking"]["higher_is_better"]) == ("rank_score", False)
    assert content["rows"][0]["test_rank_score"] == exact
    assert content["rows"][1]["p_against_first_holm"] == found.by_case.against_leader[found.ranked[1].id][1]
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert float(lines[0]["test_rank_score"]) == exact
    assert (lines[0]["p_against_first"], lines[0]["id"]) == ("", first.id)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(found))
    assert "Ranked by Rank score on test, lower is better" in console.export_text()


def test_hostile_names_are_text_in_the_table_of_pairs(tmp_path: Path) -> None:
    """No markup and no formula comes from a team's name."""
    runs = tmp_path / "runs"
    for place, text in enumerate(HOSTILE):
        add(runs, f"e{place}", drawn(place, 0.9 - place / 50), team=text, title=text)
    board = site(tmp_path, runs)
    page = (board / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "onmouseover='" not in page
    teams = [row[1] for row in csv.reader(io.StringIO((board / "pvalues.csv").read_text(encoding="utf-8")))]
    assert len(teams) == len(HOSTILE) + 1
    assert not any(team.startswith(("=", "+", "-", "@")) for team in teams)
    assert all(re.fullmatch(r"[a-z0-9_.\-]+", path.name) for path in board.rglob("*"))


# ----------------------------------------------------------------------------------------- the rule
def test_boards_of_the_first_metric_read_no_scores_by_case(tmp_path: Path) -> None:
    """The reader is not asked, and a build of their pages loads no pyarrow."""

    def never(*_: object) -> Any:
        raise AssertionError("read")

    assert len(standings(mixed(), card(), never).ranked) == 10
    runs = write(tmp_path / "runs", [record("a"), record("b", 0.7)])
    program = (
        "import sys; from pathlib import Path; from harness import catalog;"
        "from leaderboard.card import card_of; from leaderboard.site import build;"
        "card = card_of('kium', catalog.challenge('kium').card.model_dump(), catalog.metric);"
        "print(build(Path(sys.argv[1]), Path(sys.argv[1]).parent / 'site', {'kium': card}).name);"
        "print([name for name in ('pyarrow', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(runs)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["index.html", "[]"]


def test_a_board_by_case_needs_a_reader(tmp_path: Path) -> None:
    """Forgetting the files is an error of the caller, not a board without entries."""
    with pytest.raises(ValueError, match="reader"):
        standings(entries(tmp_path, [0.9]), by_case_card())


@pytest.mark.parametrize(
    ("ranking", "words"),
    [
        ({"rule": "case_ranks"}, "case_ranks needs the metric keys"),
        ({"columns": ["dice_wt"]}, "first_metric takes none"),
        ({"rule": "case_ranks", "columns": ["dice_wt", "dice_wt"]}, "ranked twice"),
        ({"rule": "case_ranks", "columns": ["dice_tw"]}, "no metric has the key 'dice_tw'. Did you mean"),
        ({"rule": "case_rank", "columns": ["dice_wt"]}, "case_ranks"),
    ],
)
def test_a_rule_that_does_not_fit_its_columns_is_refused(ranking: dict[str, Any], words: str) -> None:
    """challenge.yaml is refused with what is wrong; a card made past it is refused too."""
    with pytest.raises(ValidationError, match=re.escape(words)):
        ChallengeCard.model_validate(by_case_yaml() | {"ranking": ranking})
    if "twice" not in words:
        with pytest.raises(ValueError, match="brats: "):
            by_case_card(**({"rule": "first_metric", "columns": []} | ranking))


def test_a_challenge_yaml_of_this_rule_makes_a_card_of_it() -> None:
    """Columns and rule go through the typed card unchanged; the default ranks by the first metric."""
    content = ChallengeCard.model_validate(by_case_yaml()).model_dump()
    assert (content["ranking"]["rule"], content["ranking"]["columns"]) == ("case_ranks", COLUMNS)
    plain = ChallengeCard.model_validate(by_case_yaml() | {"ranking": {}})
    assert (plain.ranking.rule, plain.ranking.columns) == ("first_metric", ())
    assert by_case_card().role("dice") == "ties"
    assert by_case_card().role("dice_wt") == "by_case"


def test_an_undefined_first_metric_is_not_ranked_by_case_either(tmp_path: Path) -> None:
    """Sweeps and tie breakers need it: NaN is a state with a reason here too."""
    runs = entries(tmp_path, [0.9, 0.8])
    assert runs[0].test is not None
    without = {key: value for key, value in runs[0].test.metrics.items() if key != "dice"}
    bare = dataclasses.replace(runs[0], test=Half(9, 9, without))
    assert [row.status for row in ranked(tmp_path, [bare, runs[1]]).unranked] == ["undefined"]
