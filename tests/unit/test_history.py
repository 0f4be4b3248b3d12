"""The board at an earlier moment, and the days on which its first place changed."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.records import RunRecord
from leaderboard.history import history_view, leads_of
from leaderboard.moments import finished_at, parse_moment, until
from leaderboard.pages import board_view
from leaderboard.site import build
from leaderboard.standings import standings
from tests.case_rank_fakes import by_case_card
from tests.leaderboard_fakes import card, mixed, record, references, write

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def days(n: int, seed: int) -> list[RunRecord]:
    """Return n runs of few entries over twenty days: better, worse, failed, isolated more and less."""
    draw = random.Random(seed)
    runs = []
    for number in range(n):
        day = draw.randint(1, 20)
        runs.append(
            record(
                f"entry_{draw.randrange(5)}",
                round(draw.random(), 2),
                run_id=f"run-{number:05d}",
                finished=f"2026-11-{day:02d}T{draw.randrange(24):02d}:{draw.randrange(60):02d}:00Z",
                digest=draw.choice("ab") * 64,
                isolation=draw.choice(["bubblewrap", "reduced", "none"]),
                failure=("memory", "used all") if draw.random() < 0.2 else None,
            )
        )
    return runs


def first_of(runs: list[RunRecord], day: str) -> str | None:
    """Return who the board itself puts first at the end of a day."""
    found = standings(until(runs, parse_moment(day, NOW)), card()).ranked
    return found[0].id if found else None


@pytest.mark.parametrize("seed", range(4))
def test_the_history_is_what_the_board_said_day_by_day(seed: int) -> None:
    """Ranked anew at the end of each of the twenty days, in any order of the records."""
    runs = [*days(30, seed), *references()]
    names = [(day, first_of(runs, day)) for day in (f"2026-11-{k:02d}" for k in range(1, 21))]
    wanted = [
        (day, name)
        for before, (day, name) in zip([None, *(name for _, name in names)], names, strict=False)
        if name is not None and name != before
    ]
    assert [(lead.day, lead.entry) for lead in leads_of(runs, card())] == wanted
    random.Random(seed).shuffle(runs)
    assert [(lead.day, lead.entry) for lead in leads_of(runs, card())] == wanted
    assert len(wanted) > 1


def test_only_scores_of_todays_scorer_are_history() -> None:
    """What an earlier scorer ranked first stands on the earlier board."""
    old = record("old", 0.9, scorer="a" * 64, finished="2026-11-01T00:00:00Z")
    new = record("new", 0.6, scorer="b" * 64, finished="2026-11-02T00:00:00Z")
    assert [lead.record.entry.name for lead in leads_of([old, new], card())] == ["new"]


def test_at_most_twenty_changes_are_shown_the_newest_first() -> None:
    """The others are counted; the score is the leader's own."""
    runs = [
        record(f"e{day}", 0.5 + day / 100, finished=f"2026-11-{day:02d}T08:00:00Z", run_id=f"r{day:02d}")
        for day in range(1, 26)
    ]
    view = history_view(standings(runs, card()), 2)
    assert view is not None
    assert (len(view.rows), view.hidden) == (20, 5)
    assert (view.rows[0].day, view.rows[0].score.text) == ("2026-11-25", "0.75")
    assert view.rows[-1].day == "2026-11-06"


def test_a_board_that_ranks_by_case_has_no_history() -> None:
    """Nor has one on which nobody is ranked, nor a terminal's."""
    assert history_view(standings([], by_case_card()), 2) is None
    assert history_view(dataclasses.replace(standings(mixed(), card()), card=by_case_card()), 2) is None
    assert history_view(standings(references(), card()), 2) is None
    assert board_view(standings(mixed(), card()), paired=False).history is None


# ------------------------------------------------------------------------------------- moments
@pytest.mark.parametrize(
    ("text", "folder", "when"),
    [
        ("2026-11-20", "at-2026-11-20", "2026-11-20T23:59:59.999999+00:00"),
        ("2026-11-28", "at-2026-11-28", "2026-11-28T23:59:59.999999+00:00"),
        ("2026-11-20T18:00+09:00", "at-2026-11-20T090000Z", "2026-11-20T09:00:00+00:00"),
        ("2026-11-20T09:00:00Z", "at-2026-11-20T090000Z", "2026-11-20T09:00:00+00:00"),
    ],
)
def test_a_day_ends_in_utc_and_a_time_has_its_zone(text: str, folder: str, when: str) -> None:
    """Today counts to its end; two spellings of a moment are one folder."""
    moment = parse_moment(text, NOW)
    assert (moment.folder, moment.when.astimezone(UTC).isoformat()) == (folder, when)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-31", "2026-11-20T18:00", "20261120", "../../etc/x"]
)
def test_what_is_no_moment_is_one_sentence(text: str) -> None:
    """A time without a zone is none."""
    with pytest.raises(UserError, match=r"is no moment\. Type a day"):
        parse_moment(text, NOW)


@pytest.mark.parametrize("text", ["2026-11-29", "2026-11-28T12:01+00:00"])
def test_what_has_not_come_is_refused(text: str) -> None:
    """There is no board of tomorrow."""
    with pytest.raises(UserError, match="has not come yet"):
        parse_moment(text, NOW)


@pytest.mark.parametrize("text", ["soon", "2026-99-01", "9999-12-31T23:59:59-23:59", ""])
def test_a_record_that_does_not_say_when_is_of_no_earlier_board(text: str) -> None:
    """An edited time is no error; without a zone it is read as UTC."""
    run = dataclasses.replace(record(), finished=text)
    assert finished_at(run) is None
    assert until([run], parse_moment("2026-11-27", NOW)) == ()
    assert until([run], None) == (run,)
    assert finished_at(dataclasses.replace(run, finished="2026-11-20T09:00:00")) == datetime(
        2026, 11, 20, 9, tzinfo=UTC
    )


def test_the_site_of_a_moment_lies_beside_todays_and_says_so_everywhere(tmp_path: Path) -> None:
    """Two entries then, three now; every page names the moment; today's pages stay as they are."""
    runs = write(
        tmp_path / "runs",
        [
            record("one", 0.7, finished="2026-11-18T09:00:00Z"),
            record("two", 0.6, finished="2026-11-19T09:00:00Z"),
            record("three", 0.8, finished="2026-11-21T09:00:00Z"),
        ],
    )
    site = build(runs, tmp_path / "site", {"kium": card()}).parent
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    then = build(runs, site, {"kium": card()}, moment=parse_moment("2026-11-20", NOW)).parent

    assert then == site / "at-2026-11-20"
    assert {path: path.read_bytes() for path in before} == before
    pages = {path: path.read_text() for path in then.rglob("*.html")}
    assert len(pages) == 3 + 2 + 1  # index, challenge and board, two entries, one comparison
    for path, text in pages.items():
        assert "as of 20 Nov 2026, 23:59 UTC" in text, path
        assert "2026년 11월 20일 23:59 UTC 시점" in text, path
        assert "three" not in text, path
    ranks = "".join(path.read_text() for path in then.glob("kium/*/entries/standing-*.js"))
    assert "board as of 20 Nov 2026, 23:59 UTC" in ranks
    assert "Rank 1 of 2 on test" in ranks
    board = next(site.glob("kium/*/index.html")).read_text()
    assert 'id="history"' in board
    assert "2026-11-21" in board.partition('id="history"')[2].partition("</table>")[0]
    build(runs, site, {"kium": card()})
    assert pages == {path: path.read_text() for path in then.rglob("*.html")}
