"""The board before a change of scorer or truth stays, labelled, and ranks as it did."""

from __future__ import annotations

from pathlib import Path

from harness.records import RunRecord
from leaderboard.earlier import earlier_boards
from leaderboard.site import build
from leaderboard.standings import boards, standings
from tests.leaderboard_fakes import card, record, references, write

OLD, NEW = "a" * 64, "b" * 64


def before_and_after() -> list[RunRecord]:
    """Return two entries scored twice; the new scorer turns their order round."""
    days = ("2026-11-20T09:00:00Z", "2026-11-28T09:00:00Z")
    return [
        record("one", 0.7, scorer=OLD, run_id="one-old", finished=days[0]),
        record("two", 0.6, scorer=OLD, run_id="two-old", finished=days[0]),
        record("one", 0.5, scorer=NEW, run_id="one-new", finished=days[1]),
        record("two", 0.8, scorer=NEW, run_id="two-new", finished=days[1]),
    ]


def names(records: list[RunRecord] | tuple[RunRecord, ...]) -> list[str]:
    """Return the ranked entries' names, best first."""
    return [row.record.entry.name for row in standings(records, card()).ranked]


def test_without_a_change_there_is_no_earlier_board() -> None:
    """One scorer, one truth: nothing to keep apart."""
    (board,) = boards([record("one"), *references()])
    assert earlier_boards(board) == ()


def test_the_old_order_stays_on_its_own_board() -> None:
    """Today two leads; before the change of the 28th, one did."""
    runs = before_and_after()
    (board,) = boards(runs)
    (earlier,) = earlier_boards(board)

    assert names(runs) == ["two", "one"]
    assert names(earlier.records) == ["one", "two"]
    assert (earlier.changed, earlier.what) == ("2026-11-28", "scorer")


def test_a_new_test_truth_makes_an_earlier_board_and_its_arrival_none() -> None:
    """CV-only records name no truth and stand on both; a truth that arrives changes nothing."""
    old = record("one", 0.7, truth="t1", run_id="x1", finished="2026-11-20T09:00:00Z")
    cv = record("cv", None, 0.7, run_id="x2", finished="2026-11-21T09:00:00Z")
    new = record("one", 0.6, truth="t2", run_id="x3", finished="2026-11-28T09:00:00Z")
    (board,) = boards([old, cv, new])
    (earlier,) = earlier_boards(board)
    (arrived,) = boards([cv, old])

    assert {run.run_id for run in earlier.records} == {"x1", "x2"}
    assert earlier.what == "truth"
    assert earlier_boards(arrived) == ()


def test_references_alone_make_no_earlier_board() -> None:
    """They are computed with every scorer."""
    runs = [
        record("constant", 0.5, route="reference", scorer=OLD, finished="2026-11-01T00:00:00Z"),
        record("one", 0.7, scorer=NEW),
    ]
    (board,) = boards(runs)
    assert earlier_boards(board) == ()


def test_the_site_links_the_earlier_board_and_says_what_it_is(tmp_path: Path) -> None:
    """From today's board to the old one, with its own pages, numbers and label."""
    runs = write(tmp_path / "runs", before_and_after())
    site = build(runs, tmp_path / "site", {"kium": card()}).parent
    (old,) = site.glob("kium/*-before-*")
    today = site / "kium" / old.name.partition("-before-")[0] / "index.html"
    page = (old / "index.html").read_text()

    assert (
        f'href="../{old.name}/index.html"><span lang="en">before the change of 2026-11-28'
        in today.read_text()
    )
    assert "This is the board before the change of 2026-11-28" in page
    assert "0.7" in (old / "standings.csv").read_text()
    assert len(list((old / "entries").glob("*.html"))) == 2
