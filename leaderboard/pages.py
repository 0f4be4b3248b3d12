"""Standings to what the index and board templates print: typed, frozen, all text cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records import Half, RunRecord
from leaderboard.about import (
    NAME,
    PHANTOM,
    Fact,
    MetricView,
    PublishedView,
    challenge_facts,
    commands_of,
    facts_of,
    isolation_of,
    metrics_of,
    published_of,
    rule_of,
    warnings_of,
)
from leaderboard.card import Card, MetricFacts
from leaderboard.figures import Axis, Whisker, axis_for, whisker
from leaderboard.standings import FoldSpread, HalfName, Row, Standings, fold_spread, half_of, scored
from leaderboard.text import clean, count, duration, number, spread_text
from leaderboard.tuned import Tuned, tuned_of
from leaderboard.values import Value, decimals_of, value_of

__all__ = [
    "BoardView",
    "ChallengeView",
    "IndexView",
    "Line",
    "RowView",
    "board_view",
    "challenge_view",
]

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
    """The ranking metric on the half that ranks."""
    other: Value
    """The ranking metric on the other half."""
    plot: Whisker | None
    shift: Value
    shift_places: int
    folds: Value
    folds_sd: str
    breakers: tuple[Value, ...]
    more: tuple[Value, ...]
    """The other metrics, on the half that ranks."""
    tuned: Tuned | None
    """Of an entry whose hyperparameters a search chose."""
    n: Value
    time: Value
    folds_differ: str
    """Says so where the entry was run with another number of folds than the challenge's."""


@dataclass(frozen=True, slots=True)
class Line:
    """A reference's value as a line through the plots."""

    x: float
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class BoardView:
    """A board's page, and its line on the index."""

    challenge: str
    title: str
    question: str
    board_id: str
    options: str
    """The challenge's own words that chose the data, such as variant=mnist28."""
    phantom: bool
    half: str
    half_name: Literal["test", "cv"]
    other_half: str
    has_other: bool
    metric: str
    better: str
    breakers: tuple[str, ...]
    more: tuple[str, ...]
    """The other metrics, whose columns a reader may ask for."""
    marks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    ranked: tuple[RowView, ...]
    unranked: tuple[RowView, ...]
    references: tuple[RowView, ...]
    literature: tuple[PublishedView, ...]
    rule: str
    ranking_note: str
    n_development: str
    n_test: str
    notice: str
    """What a reader of phantom scores must know; empty on real data."""
    warnings: tuple[str, ...]
    metrics: tuple[MetricView, ...]
    facts: tuple[Fact, ...]
    isolation: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str], ...]

    @property
    def entries(self) -> int:
        """How many entries stand here, ranked or not."""
        return len(self.ranked) + len(self.unranked)

    @property
    def leaders(self) -> int:
        """How many entries share the first rank."""
        return sum(row.rank == "1" for row in self.ranked)

    @property
    def columns(self) -> int:
        """How many columns the ranking has at first."""
        return 8 + 2 * self.has_other + len(self.breakers) + 3 * self.has_tuned

    @property
    def has_tuned(self) -> bool:
        """Whether an entry of this board was tuned."""
        return any(row.tuned is not None for row in (*self.ranked, *self.unranked))

    @property
    def fits(self) -> bool:
        """Whether the ranking fits a desktop without scrolling."""
        return self.columns <= 11 + 3 * self.has_tuned


@dataclass(frozen=True, slots=True)
class IndexView:
    """All challenges, or the page of a single one."""

    challenges: tuple[ChallengeView, ...]
    single: bool


@dataclass(frozen=True, slots=True)
class ChallengeView:
    """A challenge and its boards."""

    name: str
    title: str
    task: str
    description: str
    boards: tuple[BoardView, ...]
    facts: tuple[Fact, ...]
    metrics: tuple[MetricView, ...]
    literature: tuple[PublishedView, ...]
    commands: tuple[tuple[str, str], ...]


# ---------------------------------------------------------------------------------------- rows
@dataclass(frozen=True, slots=True)
class _Columns:
    """What all rows of a board share."""

    card: Card
    half: HalfName
    other: HalfName
    axis: Axis
    decimals: dict[tuple[str, HalfName], int]
    """Of each metric and half."""

    @property
    def more(self) -> tuple[MetricFacts, ...]:
        """The metrics that neither rank nor break ties."""
        return tuple(m for m in self.card.metrics[1:] if m.key not in self.card.tie_breakers)


def _columns(standing: Standings) -> _Columns:
    card, half = standing.card, standing.half
    rows = standing.ranked + standing.references
    decimals = {
        (metric.key, name): decimals_of(standing.rows, metric, name)
        for metric in card.metrics
        for name in BOTH
    }
    axis = axis_for(_ends(rows, card.ranking, half), card.ranking.low, card.ranking.high)
    return _Columns(card, half, "cv" if half == "test" else "test", axis, decimals)


def _ends(rows: Sequence[Row], metric: MetricFacts, half: HalfName) -> list[float]:
    """Return every value and interval end that the common axis must hold."""
    found: list[float] = []
    for row in rows:
        scores = half_of(row.record, half)
        if row.status == "complete" and scores is not None and scored(scores, metric.key) is not None:
            interval = scores.metrics[metric.key]
            found += [v for v in (interval.value, interval.low, interval.high) if v is not None]
    return found


def _row(row: Row, columns: _Columns) -> RowView:
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
        main=value_of(main, key, columns.decimals[key, columns.half]),
        other=value_of(half_of(record, columns.other), key, columns.decimals[key, columns.other]),
        plot=_plot(main, key, columns.axis) if row.status == "complete" else None,
        shift=_shift(row),
        shift_places=row.shift or 0,
        folds=_folds(spread, columns.decimals[key, "cv"]),
        folds_sd=number(spread.sd, columns.decimals[key, "cv"]),
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
    )


def _plot(half: Half | None, key: str, axis: Axis) -> Whisker | None:
    value = scored(half, key)
    if value is None or half is None:
        return None
    return whisker(value, half.metrics[key].low, half.metrics[key].high, axis)


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


# --------------------------------------------------------------------------------------- boards
def board_view(standing: Standings) -> BoardView:
    """Return what a board's page shows.

    Raises:
        ValueError: if nothing was run yet, for there is no data set to name.
    """
    if standing.board is None:
        raise ValueError("a board without a record has no page")
    card, board, columns = standing.card, standing.board, _columns(standing)
    return BoardView(
        challenge=board.challenge,
        title=card.title,
        question=card.description or card.task,
        board_id=board.id,
        options=clean(words) if (words := board.options) else "",
        phantom=board.phantom,
        half=HALVES[standing.half],
        half_name=standing.half,
        other_half=HALVES[columns.other],
        has_other=any(half_of(row.record, columns.other) is not None for row in standing.rows),
        metric=card.ranking.title,
        better="higher is better" if card.ranking.higher_is_better else "lower is better",
        breakers=tuple(card.metric(key).title for key in card.tie_breakers),
        more=tuple(metric.title for metric in columns.more),
        marks=columns.axis.marks(6.0, 174.0),
        lines=_lines(standing, columns),
        ranked=tuple(_row(row, columns) for row in standing.ranked),
        unranked=tuple(_row(row, columns) for row in standing.unranked),
        references=tuple(_row(row, columns) for row in standing.references),
        literature=tuple(published_of(item, card) for item in standing.literature),
        rule=rule_of(standing),
        ranking_note=card.ranking_note,
        n_development=count(board.newest.data.n_development),
        n_test=count(board.newest.data.n_test),
        notice=PHANTOM if board.phantom else "",
        warnings=warnings_of(standing),
        metrics=metrics_of(card),
        facts=facts_of(standing),
        isolation=isolation_of(standing),
        commands=commands_of(card, board.options),
    )


def _lines(standing: Standings, columns: _Columns) -> tuple[Line, ...]:
    """Return one line for each distinct value among the references, at most three."""
    key, names = standing.card.ranking.key, dict[float, list[str]]()
    for row in standing.references:
        value = scored(half_of(row.record, standing.half), key)
        if value is not None and row.status == "complete":
            names.setdefault(value, []).append(clean(row.record.entry.title, 60))
    decimals = columns.decimals[key, standing.half]
    return tuple(
        Line(columns.axis.at(value, 6.0, 174.0), number(value, decimals), " · ".join(names[value]))
        for value in sorted(names)[:3]
    )


def challenge_view(card: Card, boards: Sequence[BoardView]) -> ChallengeView:
    """Return a challenge and its boards, real data first."""
    return ChallengeView(
        name=card.name,
        title=card.title,
        task=card.task,
        description=card.description,
        boards=tuple(boards),
        facts=challenge_facts(card),
        metrics=metrics_of(card),
        literature=tuple(published_of(item, card) for item in card.literature),
        commands=commands_of(card),
    )
