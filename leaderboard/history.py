"""Who was first when: every day on which the first place changed, from the records alone."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from harness.records import RunRecord
from leaderboard.about import NAME
from leaderboard.card import Card
from leaderboard.judging import STRENGTH, HalfName, age, basis_of, half_of, judge
from leaderboard.keys import key_of
from leaderboard.moments import day_of
from leaderboard.standings import Standings, entry_id
from leaderboard.text import clean
from leaderboard.values import Value, value_of

__all__ = ["HistoryRow", "HistoryView", "Lead", "history_view", "leads_of"]

MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Lead:
    """The first place at the end of a day on which it changed."""

    day: str
    entry: str
    """Id of its row."""
    record: RunRecord


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change of the first place."""

    day: str
    team: str
    title: str
    link: str
    score: Value


@dataclass(frozen=True, slots=True)
class HistoryView:
    """The changes of the first place, the newest first."""

    rows: tuple[HistoryRow, ...]
    hidden: int
    """Older changes than those shown."""


def history_view(standing: Standings, decimals: int) -> HistoryView | None:
    """Return the changes of the first place; None where cases rank, or nobody was ever first.

    A rank score depends on who takes part: every new entry changes those of all, so that each day's first
    place would need all cases ranked again, and the score of a day means nothing on another.
    """
    if standing.board is None or standing.card.by_case:
        return None
    found = leads_of(standing.board.records, standing.card)
    rows = [_row(lead, standing, decimals) for lead in reversed(found[-MOST_ROWS:])]
    return HistoryView(tuple(rows), len(found) - len(rows)) if rows else None


def _row(lead: Lead, standing: Standings, decimals: int) -> HistoryRow:
    record = lead.record
    return HistoryRow(
        day=lead.day,
        team=clean(record.entry.team, NAME),
        title=clean(record.entry.title, NAME),
        link=f"entries/{lead.entry}.html",
        score=value_of(half_of(record, standing.half), standing.card.ranking.key, decimals),
    )


def leads_of(records: Iterable[RunRecord], card: Card) -> tuple[Lead, ...]:
    """Return the first place at the end of each day on which it changed, oldest first.

    Counted are the runs that today's scorer, truth and half may rank, each from the day it was finished;
    which run stands for its entry is decided as on the board. n log n for n records: the best is kept on a
    heap, from which what has been replaced is taken as it comes to the top.
    """
    runs = sorted(records, key=age)
    basis = basis_of(runs, card)
    ranked = [r for r in runs if r.entry.route != "reference" and judge(r, basis, card).status == "complete"]
    stands = _Stands(card, basis.half)
    by_day: dict[str, Lead] = {}
    for run in ranked:
        entry, first = stands.after(run)
        if day := day_of(run):
            by_day[day] = Lead(day, entry, first)
    leads: list[Lead] = []
    for lead in by_day.values():
        if not leads or leads[-1].entry != lead.entry:
            leads.append(lead)
    return tuple(leads)


class _Stands:
    """Which run stands for each entry so far, and the best of them."""

    def __init__(self, card: Card, half: HalfName) -> None:
        self._card, self._half = card, half
        self._strongest: dict[tuple[str, str], RunRecord] = {}
        self._now: dict[str, RunRecord] = {}
        self._heap: list[tuple[tuple[float, ...], str, str, str]] = []

    def after(self, run: RunRecord) -> tuple[str, RunRecord]:
        """Return the first place once this run, the newest so far, is there too."""
        name = entry_id(run)
        files = (name, run.entry.digest)
        before = self._strongest.get(files)
        if before is None or _strength(run) >= _strength(before):
            self._strongest[files] = run
        self._now[name] = stands = self._strongest[files]
        worst_first = key_of(stands, self._card, self._half)
        order = tuple(-part for part in worst_first)
        heapq.heappush(self._heap, (order, stands.finished, name, stands.run_id))
        while self._now[self._heap[0][2]].run_id != self._heap[0][3]:
            heapq.heappop(self._heap)
        first = self._heap[0][2]
        return first, self._now[first]


def _strength(run: RunRecord) -> int:
    return STRENGTH.get(run.isolation, -1)
