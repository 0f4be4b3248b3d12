"""Sealed test scores: on no page before their date, few looks, all in the ledger; late entries are not ranked."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import catalog
from harness.cards import ChallengeCard
from harness.config import LookConfig
from harness.errors import UserError
from harness.look import look
from harness.records import RunRecord, SeedFacts, SeedScore, dump
from harness.sealing import LEDGER, Look, clock, read_looks, team_key, used
from harness.validated import parse_card
from leaderboard.card import Card
from leaderboard.sealed import looks_of
from leaderboard.site import build
from leaderboard.standings import standings
from leaderboard.wording import moment
from tests.leaderboard_fakes import (
    card,
    challenge_yaml,
    english,
    mixed,
    record,
    references,
    sweep,
    tuned,
    write,
)

UNTIL = datetime.fromisoformat("2026-12-31T23:59+09:00")
BEFORE, AFTER = UNTIL - timedelta(days=1), UNTIL + timedelta(days=1)
CARD = """
title: T
task: t
version: "1"
metrics: [{key: a, metric: auroc, title: A}]
"""


def limited(at: datetime, looks: int = 2, deadline: datetime | None = None) -> Card:
    """Return the card of a challenge that is sealed, as it is at a moment."""
    plain = card()
    return dataclasses.replace(plain, deadline=deadline, sealed_until=UNTIL, looks=looks, sealed=at < UNTIL)


def odd(test: float = 0.7351237, **words: Any) -> RunRecord:
    """Return a record whose test score is found again wherever it is written."""
    return record("secret", test, 0.6, phantom=False, **words)


# ---------------------------------------------------------------------------------------- the card
@pytest.mark.parametrize("value", ["2026-12-31", "2026-12-31T23:59", "tomorrow", "20261231", "[1]"])
def test_a_limit_without_its_zone_is_refused(value: str) -> None:
    """A moment that is another one elsewhere is none."""
    with pytest.raises(UserError, match=r"c\.yaml: deadline: .*its zone, as in 2026-12-31T23:59\+09:00"):
        parse_card(ChallengeCard, f"{CARD}deadline: {value}\n", "c.yaml")


def test_scores_stay_sealed_until_the_deadline() -> None:
    """Who enters last may not know more than who entered first."""
    limits = "deadline: 2026-12-31T23:59+09:00\nsealed: {until: 2026-12-31T23:58+09:00}\n"
    with pytest.raises(UserError, match="before the deadline"):
        parse_card(ChallengeCard, CARD + limits, "c.yaml")
    parsed = parse_card(ChallengeCard, CARD + limits.replace("23:58+09", "16:00+01"), "c.yaml")
    assert parsed.sealed is not None
    assert parsed.sealed.looks == 0


def test_a_card_knows_whether_it_is_sealed_now() -> None:
    """At the very moment the seal is broken."""
    from leaderboard.card import card_of
    from tests.leaderboard_fakes import metric

    content = {**challenge_yaml(), "sealed": {"until": UNTIL, "looks": 3}}
    sealed = [card_of("kium", content, metric, at).sealed for at in (BEFORE, UNTIL, AFTER)]
    assert sealed == [True, False, False]


# --------------------------------------------------------------------------------------- the board
def test_no_file_of_the_site_holds_a_sealed_score(tmp_path: Path) -> None:
    """Neither page, table, script nor download; the CV score is there, and the test score after the date."""
    secret = odd()
    found = sweep(outer=0.7351237)
    seeds = SeedFacts((SeedScore(0, {"auroc_aneurysm": 0.6}, {"auroc_aneurysm": 0.7351237}),), {})
    rows = [dataclasses.replace(secret, seeds=seeds), tuned("searched", found, test=0.7351237)]
    runs = write(tmp_path / "runs", [*rows, *references(), *mixed()])
    build(runs, tmp_path / "before", {"kium": limited(BEFORE)})
    build(runs, tmp_path / "after", {"kium": limited(AFTER)})

    def holders(site: Path) -> list[str]:
        return [
            str(path.relative_to(site))
            for path in site.rglob("*")
            if path.is_file() and b"7351237" in path.read_bytes()
        ]

    assert holders(tmp_path / "before") == []
    assert any(name.endswith("standings.json") for name in holders(tmp_path / "after"))
    (page,) = (tmp_path / "before/kium").glob("data-*/index.html")
    text = english(page.read_text(encoding="utf-8"))
    assert "sealed until 31 Dec 2026, 23:59 UTC+09:00" in text
    assert "because the test scores are sealed" in text
    assert "Nobody has looked yet." in text


def test_while_sealed_cv_ranks_and_a_file_waits() -> None:
    """A prediction file has no other score; it stands apart with the reason."""
    rows = [odd(), record("file", 0.9, None, route="file", phantom=False)]
    sealed = standings(rows, limited(BEFORE))
    opened = standings(rows, limited(AFTER))

    assert (sealed.half, [row.record.entry.name for row in sealed.ranked]) == ("cv", ["secret"])
    assert sealed.unranked[0].reason.startswith("Test scores are sealed until 31 Dec 2026")
    assert (opened.half, [row.record.entry.name for row in opened.ranked]) == ("test", ["file", "secret"])


def test_phantom_boards_have_no_limits() -> None:
    """Their truth is public code."""
    found = standings([record(phantom=True)], limited(BEFORE, deadline=BEFORE - timedelta(days=900)))
    assert found.half == "test"
    assert found.ranked[0].record.test is not None
    assert found.notes == ()


def test_a_late_entry_is_scored_flagged_and_not_ranked() -> None:
    """By when it was handed in, not by when its training ended; and it replaces no entry of before."""
    deadline = datetime.fromisoformat(record().started).replace(tzinfo=UTC) + timedelta(hours=1)
    just = dataclasses.replace(odd(), started=deadline.isoformat(), finished="2027-01-01T00:00:00.000+00:00")
    late = dataclasses.replace(
        record("late", 0.99, 0.99, phantom=False), started=(deadline + timedelta(seconds=1)).isoformat()
    )
    again = dataclasses.replace(
        just, run_id="again", key="again", started=late.started, finished="2027-01-02T00:00:00.000+00:00"
    )
    found = standings([just, late, again], limited(AFTER, deadline=deadline))

    assert [(row.record.run_id, row.rank) for row in found.ranked] == [(just.run_id, 1)]
    assert "is late" in found.ranked[0].note
    (row,) = found.unranked
    assert row.status == "late"
    assert "0.990" in row.reason
    assert str(moment(deadline)) in row.reason
    assert row.record.test is not None


def test_a_start_that_is_no_time_counts_as_late() -> None:
    """Nobody enters by leaving out when."""
    never = dataclasses.replace(odd(), started="yesterday")
    assert standings([never], limited(AFTER, deadline=AFTER)).unranked[0].status == "late"


# -------------------------------------------------------------------------------------- the ledger
@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed challenge with two looks, and runs of two teams."""
    sealed = SimpleNamespace(until=UNTIL, looks=2)
    challenge = SimpleNamespace(name="kium", card=SimpleNamespace(sealed=sealed))
    monkeypatch.setattr(catalog, "challenge", lambda name: challenge)
    mine = [
        dataclasses.replace(odd(team=team), run_id=f"run{k}", key=f"key{k}")
        for k, team in enumerate(["Lab A", "ＬＡＢ  a", "lab a ", "Lab B"])
    ]
    failed = dataclasses.replace(odd(team="Lab A"), run_id="failed", state="failed", test=None)
    anew = dataclasses.replace(mine[0], run_id="anew", origin="run0")
    return write(tmp_path / "runs", [*mine, failed, anew, record("practice", phantom=True, team="Lab A")])


def taken(runs: Path, run: str, at: datetime = BEFORE) -> tuple[int, bool]:
    """Look, and return how many looks are used and whether this one was free."""
    found = look(LookConfig(run=run, challenge="kium", runs=runs), at)
    assert found.record.test is not None
    return found.used, found.again


def test_looks_are_counted_by_team_and_failures_are_not(runs: Path) -> None:
    """Another spelling is no other team; the same predictions scored anew cost nothing; then none is left."""
    with pytest.raises(UserError, match="no test score"):
        taken(runs, "failed")
    assert taken(runs, "run0") == (1, False)
    assert taken(runs, "anew") == (1, True)
    assert taken(runs, "run1") == (2, False)
    ledger = (runs / "kium" / LEDGER).read_bytes()
    with pytest.raises(
        UserError, match=r"'lab a ' has taken 2 of 2 looks.*23:59 UTC\+09:00.*The clock here: "
    ):
        taken(runs, "run2")
    assert (runs / "kium" / LEDGER).read_bytes() == ledger
    assert taken(runs, "run0") == (2, True)
    assert taken(runs, "run3") == (1, False)
    assert [item.run_id for item in read_looks(runs, "kium")] == ["run0", "anew", "run1", "run0", "run3"]
    assert [(item.team, item.used) for item in looks_of(read_looks(runs, "kium"))] == [
        ("Lab A", 2),
        ("Lab B", 1),
    ]


@pytest.mark.parametrize(("run", "at"), [("run0", UNTIL), ("run0", AFTER)])
def test_what_is_not_sealed_needs_no_look(runs: Path, run: str, at: datetime) -> None:
    """The board shows it."""
    with pytest.raises(UserError, match="not sealed"):
        taken(runs, run, at)


def test_a_phantom_run_needs_no_look(runs: Path) -> None:
    """Its truth is public."""
    with pytest.raises(UserError, match="not sealed"):
        taken(runs, record("practice", phantom=True, team="Lab A").run_id)


@pytest.mark.parametrize("line", ["{", "[]", '{"time": 1}', '{"team": "x"}', "null"])
def test_a_broken_ledger_is_refused_by_line_and_no_look_is_free(runs: Path, line: str) -> None:
    """Nobody gets a fresh budget out of a damaged file."""
    taken(runs, "run0")
    with (runs / "kium" / LEDGER).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=r"looks\.jsonl, line 2, is no look"):
        taken(runs, "run1")


def test_the_board_lists_the_looks(runs: Path, tmp_path: Path) -> None:
    """By team, with the limit, whatever a team is called."""
    taken(runs, "run0")
    with (runs / "kium" / LEDGER).open("a") as file:
        hostile = Look("2026-12-01T00:00:00+00:00", "<script>alert(1)</script>", "e", "r", "r")
        file.write(dump(hostile, indent=None) + "\n")
    build(runs, tmp_path / "site", {"kium": limited(BEFORE)})
    (page,) = (tmp_path / "site/kium").glob("data-*/index.html")
    text = english(page.read_text(encoding="utf-8"))
    assert "1 of 2" in text
    assert "<script>alert" not in text


def test_times_name_their_zone() -> None:
    """In the terminal and on the page, in both languages."""
    assert clock(UNTIL) == "2026-12-31 23:59 UTC+09:00"
    assert moment(UNTIL).ko == "2026년 12월 31일 23:59 UTC+09:00"
    assert clock(UNTIL.astimezone(UTC)) == "2026-12-31 14:59 UTC"


def test_team_names_are_equal_whatever_their_case_and_width() -> None:
    """Two spellings would be two budgets."""
    assert team_key(" Lab\u3000Ａ ") == team_key("lab a")
    assert used([Look("t", "A", "e", "r", "r"), Look("t", "a", "e", "s", "s")]) == {
        "a": frozenset({"r", "s"})
    }
