"""Rows of the standings to the lines of a board: typed, frozen, all text cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.records import Half, Interval, RunRecord
from leaderboard.about import NAME
from leaderboard.card import Card, MetricFacts
from leaderboard.case_ranks import ByCase
from leaderboard.figures import Axis, Whisker, axis_for, whisker
from leaderboard.inference import inference_of
from leaderboard.rank_score import score_decimals, score_of, versus_of
from leaderboard.standings import FoldSpread, HalfName, Row, Standings, fold_spread, half_of, scored
from leaderboard.text import clean, count, duration, number, spread_text
from leaderboard.tuned import Tuned, tuned_of
from leaderboard.uncertainty import Place, Uncertainty
from leaderboard.values import Value, decimals_of, value_of
from leaderboard.wording import say

__all__ = [
    "BOTH",
    "HALVES",
    "ROUTES",
    "Columns",
    "Decimals",
    "RowView",
    "columns_of",
    "rank_span",
    "rank_words",
    "row_view",
    "score_of_row",
    "shared_decimals",
    "size_words",
]

SHORT, LONG = NAME, 400
ROUTES = {name: say(f"route.{name}") for name in ("code", "file", "reference")}
HALVES = {"test": say("board.test_half"), "cv": say("board.cv")}
BOTH: tuple[HalfName, ...] = ("cv", "test")
Decimals = Mapping[tuple[str, HalfName], int]


@dataclass(frozen=True, slots=True)
class RowView:
    """One line of a board."""

    id: str
    rank: str
    rank_span: str
    """The rank interval, as in 1–3; "" without one."""
    rank_group: str
    """The places of its tie group, as in 1–3; "" without one, or alone in it."""
    rank_words: str
    """What the interval and the tie group are, in a sentence, or why there are none."""
    team: str
    title: str
    name: str
    overrides: str
    earlier: int
    route: str
    route_words: str
    isolation: str
    status: str
    state: str
    """The status in words."""
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
    parameters: Value
    inference: Value
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
    decimals: Decimals
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


def size_words(halves: Iterable[Half | None], key: str) -> str:
    """Return on how many cases a metric rests where that is a part of them, as n = 12 or n = 10–12; else "".

    Entries may differ: a region that the truth and one of them lack has no value for that one.
    """
    found = {half.sizes[key] for half in halves if half is not None and key in half.sizes}
    if not found:
        return ""
    low, high = min(found), max(found)
    return f"n = {count(low)}" if low == high else f"n = {count(low)}–{count(high)}"


def shared_decimals(standing: Standings) -> Decimals:
    """Return the decimals of each metric and half, the same on all pages of a board."""
    rows, metrics = standing.rows, standing.card.metrics
    return {(metric.key, half): decimals_of(rows, metric, half) for metric in metrics for half in BOTH}


def columns_of(standing: Standings, decimals: Decimals | None = None) -> Columns:
    """Return what the rows of a board share; `decimals` are those of `shared_decimals`, if known already."""
    card, half = standing.card, standing.half
    rows = standing.ranked + standing.references
    low, high = (0.0, 1.0) if card.by_case else (card.ranking.low, card.ranking.high)
    ends = [v for row in rows if (x := score_of_row(row, standing)) for v in (x.value, x.low, x.high)]
    axis = axis_for([v for v in ends if v is not None], low, high)
    digits = score_decimals(standing.by_case) if standing.by_case else 0
    other: HalfName = "cv" if half == "test" else "test"
    return Columns(card, half, other, axis, decimals or shared_decimals(standing), standing.by_case, digits)


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
        rank_span=rank_span(row.place),
        rank_group=_group(row.place),
        rank_words=rank_words(row, standing.uncertainty),
        team=clean(entry.team, SHORT),
        title=clean(entry.title, SHORT),
        name=clean(entry.name, SHORT),
        overrides=clean(" ".join(entry.overrides), SHORT) if entry.overrides else "",
        earlier=row.earlier,
        route=entry.route,
        route_words=ROUTES[entry.route],
        isolation=clean(record.isolation, 20) if entry.route == "code" else "",
        status=row.status,
        state=say(f"status.{row.status}"),
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
        parameters=_parameters(record),
        inference=inference_of(record),
        folds_differ=_folds_differ(record, columns.card),
        reproduced=row.reproduced,
    )


def rank_span(place: Place | None) -> str:
    """Return a rank interval, as in 1–3, or the rank alone where it never changed; "" without one."""
    if place is None:
        return ""
    return str(place.low) if place.low == place.high else f"{place.low}–{place.high}"


def rank_words(row: Row, uncertainty: Uncertainty | None) -> str:
    """Return what a row's rank interval and tie group are; or why it has none."""
    if uncertainty is None or row.rank is None:
        return ""
    if row.place is None:
        why = uncertainty.missing.get(row.id) or say("uncertain.not_stored")
        return say("uncertain.missing", why=why)
    span, group, resamples = rank_span(row.place), _group(row.place), count(uncertainty.resamples)
    if not group:
        return say("uncertain.alone", span=span, resamples=resamples)
    return say("uncertain.tied", span=span, group=group, resamples=resamples)


def _group(place: Place | None) -> str:
    return f"{place.first}–{place.last}" if place is not None and place.tied else ""


def _plot(score: Interval | None, axis: Axis) -> Whisker | None:
    if score is None or score.value is None:
        return None
    return whisker(score.value, score.low, score.high, axis)


def _shift(row: Row) -> Value:
    """Return "▲ 2" for two places won from CV to test."""
    if row.shift is None:
        return Value("–")
    words = f"{row.cv_rank} → {row.test_rank}"
    if row.shift == 0:
        return Value("=", exact=words)
    return Value(f"{'▲' if row.shift > 0 else '▼'} {abs(row.shift)}", exact=words)


def _folds(spread: FoldSpread, decimals: int) -> Value:
    if spread.mean is None:
        return Value("–")
    sd = "" if spread.sd is None else f" ± {spread.sd:.6g}"
    words = f"{spread.mean!r}{sd} ({spread.defined}/{len(spread.values)})"
    return Value(spread_text(spread.mean, spread.sd, decimals), exact=words)


def _n(half: Half | None) -> Value:
    if half is None:
        return Value("–")
    return Value(f"{half.n_scored}/{half.n_expected}")


def _time(record: RunRecord) -> Value:
    if record.entry.route != "code" or record.seconds <= 0:
        return Value("–")
    return Value(duration(record.seconds), exact=f"{record.seconds:.0f} s")


def _parameters(record: RunRecord) -> Value:
    n = record.entry.parameters
    if not n:
        return Value("–")
    return Value(f"{n / 1e6:.3g} M" if n >= 100_000 else count(n), exact=str(n))


def _folds_differ(record: RunRecord, card: Card) -> str:
    if record.entry.route != "code" or record.n_folds == card.folds:
        return ""
    return say("board.folds_differ", n=record.n_folds, usual=card.folds)
