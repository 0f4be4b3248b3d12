"""What a board's entries cost and score: the figure with the entries that no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.drawings import Scatter, pareto_front, scatter
from leaderboard.inference import inference_of
from leaderboard.rows import HALVES, Columns, score_of_row
from leaderboard.standings import Row, Standings
from leaderboard.text import clean, count, duration
from leaderboard.values import Value
from leaderboard.wording import say

__all__ = ["CostView", "FrontRow", "cost_view"]

MOST_POINTS, SHORT = 300, 60


@dataclass(frozen=True, slots=True)
class FrontRow:
    """One entry of the front."""

    rank: str
    team: str
    link: str
    score: str
    time: str
    inference: Value


@dataclass(frozen=True, slots=True)
class CostView:
    """The figure and its table."""

    metric: str
    half: str
    drawing: Scatter
    rows: tuple[FrontRow, ...]
    shown: str
    total: str


def cost_view(standing: Standings, columns: Columns, metric: str) -> CostView | None:
    """Return the figure; None for fewer than two ranked entries that were trained here."""
    rows = [row for row in standing.ranked if seconds_of(row) > 0 and _score(row, standing) is not None]
    if len(rows) < 2:
        return None
    higher = standing.card.ranking.higher_is_better and not standing.card.by_case
    found = pareto_front([seconds_of(r) for r in rows], [_score(r, standing) or 0.0 for r in rows], higher)
    on_front = {rows[place].id for place in found}
    kept = [row for place, row in enumerate(rows) if place < MOST_POINTS or row.id in on_front]
    places = {row.id: place for place, row in enumerate(kept)}
    front = [places[rows[place].id] for place in found]
    return CostView(
        metric=metric,
        half=HALVES[standing.half],
        drawing=_drawing(kept, standing, columns, front),
        rows=tuple(_front_row(kept[place], columns) for place in front),
        shown=count(len(kept)),
        total=count(len(rows)),
    )


def seconds_of(row: Row) -> float:
    """Return what training took, the search of a tuned entry too; 0 where nothing was trained here."""
    record = row.record
    if record.entry.route != "code":
        return 0.0
    return record.seconds + (record.sweep.seconds if record.sweep else 0.0)


def _score(row: Row, standing: Standings) -> float | None:
    score = score_of_row(row, standing)
    return None if score is None else score.value


def _drawing(rows: Sequence[Row], standing: Standings, columns: Columns, front: Sequence[int]) -> Scatter:
    bounds = (0.0, 1.0) if standing.card.by_case else (columns.card.ranking.low, columns.card.ranking.high)
    return scatter(
        costs=[seconds_of(row) / 3600 for row in rows],
        scores=[_score(row, standing) or 0.0 for row in rows],
        words=[_words(row, columns) for row in rows],
        names=[str(row.rank) for row in rows],
        links=[f"entries/{row.id}.html" for row in rows],
        front=front,
        bounds=bounds,
    )


def _words(row: Row, columns: Columns) -> str:
    shown = _front_row(row, columns)
    return say("cost.words", team=shown.team, value=shown.score, time=shown.time)


def _front_row(row: Row, columns: Columns) -> FrontRow:
    return FrontRow(
        rank=str(row.rank),
        team=clean(row.record.entry.team, SHORT),
        link=f"entries/{row.id}.html",
        score=columns.value(row, columns.half).text,
        time=duration(seconds_of(row)),
        inference=inference_of(row.record),
    )
