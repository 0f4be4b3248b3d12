"""Rows of the standings to the lines of a board: typed, frozen, all text cleaned."""

from __future__ import annotations

from dataclasses import dataclass

from harness.records import Half, Interval, RunRecord
from leaderboard.about import NAME
from leaderboard.card import Card, MetricFacts
from leaderboard.case_ranks import ByCase
from leaderboard.figures import Axis, Whisker, axis_for, whisker
from leaderboard.rank_score import score_decimals, score_of, versus_of
from leaderboard.standings import FoldSpread, HalfName, Row, Standings, fold_spread, half_of, scored
from leaderboard.text import clean, duration, number, spread_text
from leaderboard.tuned import Tuned, tuned_of
from leaderboard.values import Value, decimals_of, value_of

__all__ = ["BOTH", "HALVES", "ROUTES", "Columns", "RowView", "columns_of", "row_view", "score_of_row"]

SHORT, LONG = NAME, 400
ROUTES = {"code": "trained here", "file": "prediction file", "reference": "reference"}
HALVES = {"test": "test", "cv": "CV"}
BOTH: tuple[HalfName, ...] = ("cv", "test")


@dataclass(frozen=True, slots=True)
class RowView:
    """One line of a board."""

    id: str
    rank: str
    team: str
    title: str
    name: str
    overrides: str
    earlier: int
    route: str
    route_words: str
    isolation: str
    status: str
    reason: str
    note: str
    """Says so where a newer run does not replace the one that is shown."""
    main: Value
    """What ranks, on the half that ranks."""
    other: Value
    """The same on the other half."""
    plot: Whisker | None
    shift: Value
    shift_places: int
    folds: Value
    folds_sd: str
    versus: Value
    """Where cases rank: the p-value against the first entry."""
    breakers: tuple[Value, ...]
    more: tuple[Value, ...]
    """The other metrics, on the half that ranks."""
    tuned: Tuned | None
    """Of an entry whose hyperparameters a search chose."""
    n: Value
    time: Value
    folds_differ: str
    """Says so where the entry was run with another number of folds than the challenge's."""
    reproduced: str = ""
    """The badge of an entry that was trained again with the same predictions."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What all rows of a board share."""

    card: Card
    half: HalfName
    other: HalfName
    axis: Axis
    decimals: dict[tuple[str, HalfName], int]
    """Of each metric and half."""
    by_case: ByCase | None
    score_decimals: int

    @property
    def more(self) -> tuple[MetricFacts, ...]:
        """The metrics without a column of their own."""
        others = self.card.metrics if self.card.by_case else self.card.metrics[1:]
        return tuple(m for m in others if m.key not in self.card.tie_breakers)

    def value(self, row: Row, half: HalfName) -> Value:
        """Return what ranks, of a row and half."""
        key, by_case = self.card.ranking.key, self.by_case
        if by_case is None:
            return value_of(half_of(row.record, half), key, self.decimals[key, half])
        return score_of(by_case.of(row.id, main=half == self.half), self.score_decimals)


def columns_of(standing: Standings) -> Columns:
    """Return what the rows of a board share."""
    card, half = standing.card, standing.half
    rows = standing.ranked + standing.references
    decimals = {
        (metric.key, name): decimals_of(standing.rows, metric, name)
        for metric in card.metrics
        for name in BOTH
    }
    low, high = (0.0, 1.0) if card.by_case else (card.ranking.low, card.ranking.high)
    ends = [v for row in rows if (x := score_of_row(row, standing)) for v in (x.value, x.low, x.high)]
    axis = axis_for([v for v in ends if v is not None], low, high)
    digits = score_decimals(standing.by_case) if standing.by_case else 0
    return Columns(card, half, "cv" if half == "test" else "test", axis, decimals, standing.by_case, digits)


def score_of_row(row: Row, standing: Standings) -> Interval | None:
    """Return what ranks a row, on the half that ranks; None of a row that may not be compared."""
    if standing.by_case is not None:
        return standing.by_case.of(row.id)
    scores, key = half_of(row.record, standing.half), standing.card.ranking.key
    if row.status != "complete" or scores is None or scored(scores, key) is None:
        return None
    return scores.metrics[key]


def row_view(row: Row, standing: Standings, columns: Columns) -> RowView:
    """Return a row as a line of its board."""
    record, key = row.record, columns.card.ranking.key
    entry, main = record.entry, half_of(record, columns.half)
    spread = fold_spread(record, key)
    return RowView(
        id=row.id,
        rank="–" if row.rank is None else str(row.rank),
        team=clean(entry.team, SHORT),
        title=clean(entry.title, SHORT),
        name=clean(entry.name, SHORT),
        overrides=clean(" ".join(entry.overrides), SHORT) if entry.overrides else "",
        earlier=row.earlier,
        route=entry.route,
        route_words=ROUTES[entry.route],
        isolation=clean(record.isolation, 20) if entry.route == "code" else "",
        status=row.status,
        reason=clean(row.reason, LONG) if row.reason else "",
        note=row.note,
        main=columns.value(row, columns.half),
        other=columns.value(row, columns.other),
        plot=_plot(score_of_row(row, standing), columns.axis),
        shift=_shift(row),
        shift_places=row.shift or 0,
        folds=_folds(spread, columns.decimals[key, "cv"]),
        folds_sd=number(spread.sd, columns.decimals[key, "cv"]),
        versus=versus_of(row, standing.by_case),
        breakers=tuple(
            value_of(main, other, columns.decimals[other, columns.half])
            for other in columns.card.tie_breakers
        ),
        more=tuple(
            value_of(main, metric.key, columns.decimals[metric.key, columns.half]) for metric in columns.more
        ),
        tuned=tuned_of(record.sweep, {name: columns.decimals[key, name] for name in BOTH}),
        n=_n(main),
        time=_time(record),
        folds_differ=_folds_differ(record, columns.card),
        reproduced=row.reproduced,
    )


def _plot(score: Interval | None, axis: Axis) -> Whisker | None:
    if score is None or score.value is None:
        return None
    return whisker(score.value, score.low, score.high, axis)


def _shift(row: Row) -> Value:
    """Return "▲ 2" for two places won from CV to test."""
    if row.shift is None:
        return Value("–")
    words = f"rank {row.cv_rank} on CV, rank {row.test_rank} on test"
    if row.shift == 0:
        return Value("=", exact=words)
    return Value(f"{'▲' if row.shift > 0 else '▼'} {abs(row.shift)}", exact=words)


def _folds(spread: FoldSpread, decimals: int) -> Value:
    if spread.mean is None:
        return Value("–")
    words = f"{spread.mean!r} mean, {spread.sd!r} sample sd, {spread.defined} of {len(spread.values)} folds"
    return Value(spread_text(spread.mean, spread.sd, decimals), exact=words)


def _n(half: Half | None) -> Value:
    if half is None:
        return Value("–")
    return Value(f"{half.n_scored}/{half.n_expected}", exact=f"{half.n_scored} of {half.n_expected} cases")


def _time(record: RunRecord) -> Value:
    if record.entry.route != "code" or record.seconds <= 0:
        return Value("–")
    return Value(duration(record.seconds), exact=f"{record.seconds:.0f} s over all folds")


def _folds_differ(record: RunRecord, card: Card) -> str:
    if record.entry.route != "code" or record.n_folds == card.folds:
        return ""
    return f"{record.n_folds} folds instead of {card.folds}"
