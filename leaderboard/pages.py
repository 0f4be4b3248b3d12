"""Standings to what the index and board templates print: typed, frozen, all text cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
from leaderboard.compare import MOST_ENTRIES
from leaderboard.cost import CostView, cost_view
from leaderboard.drawings import Matrix, Stability
from leaderboard.earlier import EarlierLink
from leaderboard.history import HistoryView, history_view
from leaderboard.inference import seconds_per_case
from leaderboard.rank_score import TITLE, PairsView, definition_of, pairs_view, test_of
from leaderboard.rows import (
    HALVES,
    Columns,
    Decimals,
    RowView,
    columns_of,
    row_view,
    score_of_row,
    size_words,
)
from leaderboard.standings import Row, Standings, half_of
from leaderboard.sureness import significance_of, stability_of
from leaderboard.table import ROWS_A_PAGE, Column, Measure, Shape, cell_of_row, head_of
from leaderboard.text import clean, count
from leaderboard.values import Value
from leaderboard.wording import both, date, say, templates

__all__ = [
    "BoardView",
    "ChallengeView",
    "CompareView",
    "IndexView",
    "Line",
    "board_view",
    "challenge_view",
    "compare_view",
    "for_scripts",
]


@dataclass(frozen=True, slots=True)
class Line:
    """A reference's value as a line through the plots."""

    x: float
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class LookView:
    """How often a team has looked at sealed test scores."""

    team: str
    used: str
    last: str


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
    """What ranks."""
    better: str
    by_case: bool
    """Whether entries are ranked case by case: then p-values stand where the folds' spread is elsewhere."""
    definition: str
    """Of the rank score; empty where a metric ranks."""
    test: str
    """What the p-values against the first entry are."""
    pairs: PairsView | None
    breakers: tuple[str, ...]
    more: tuple[str, ...]
    """The other metrics, whose columns a reader may ask for."""
    marks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    head: tuple[Column, ...]
    resamples: str
    """In how many the entries were ranked; empty where none are stored."""
    stability: Stability | None
    significance: Matrix | None
    cost: CostView | None
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
    earlier: tuple[EarlierLink, ...] = ()
    """The boards before a change of scorer or truth."""
    looks: tuple[LookView, ...] = ()
    """The ledger of a sealed challenge, by team."""
    sealed: bool = False
    """Whether this is or was a sealed challenge."""
    history: HistoryView | None = None
    """Who was first when; None where cases rank."""
    as_of: str = ""
    """Says of which earlier moment this is."""

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
        return sum(not column.more for column in self.head)

    @property
    def hidden(self) -> int:
        """How many columns are shown on request only."""
        return len(self.head) - self.columns

    @property
    def reason_width(self) -> int:
        """Over how many columns the reason of an unranked row goes."""
        return sum(not (column.more or column.end) for column in self.head) - 2

    @property
    def rows_a_page(self) -> int:
        """How many rows the page brings; a script draws the others."""
        return ROWS_A_PAGE

    @property
    def unranked_at_first(self) -> tuple[RowView, ...]:
        """The unranked entries for which there is room behind the ranked ones."""
        return self.unranked[: max(0, ROWS_A_PAGE - len(self.ranked))]

    @staticmethod
    def cell(row: RowView, column: Column) -> Value:
        """Return what a row shows in a column of numbers."""
        return cell_of_row(row, column)

    @property
    def has_tuned(self) -> bool:
        """Whether an entry of this board was tuned."""
        return any(column.key == "trials" for column in self.head)

    @property
    def fits(self) -> bool:
        """Whether the ranking fits a desktop without scrolling."""
        return self.columns <= 11 + 3 * self.has_tuned


@dataclass(frozen=True, slots=True)
class IndexView:
    """All challenges, or the page of a single one."""

    challenges: tuple[ChallengeView, ...]
    single: bool
    as_of: str = ""
    """Says of which earlier moment the boards are."""


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


@dataclass(frozen=True, slots=True)
class CompareView:
    """The page that compares two entries of a board."""

    challenge: str
    title: str
    board_id: str
    options: str
    phantom: bool
    notice: str
    by_case: bool
    paired: bool
    """Whether any two entries have a paired interval."""
    entries: int
    """Among how many of the first entries it is made."""
    as_of: str = ""


# --------------------------------------------------------------------------------------- boards
def board_view(
    standing: Standings,
    *,
    paired: bool = True,
    earlier: tuple[EarlierLink, ...] = (),
    decimals: Decimals | None = None,
) -> BoardView:
    """Return what a board's page shows, with or without the p-values between its entries.

    `decimals` are those of `shared_decimals`, if known already.

    Raises:
        ValueError: if nothing was run yet, for there is no data set to name.
    """
    if standing.board is None:
        raise ValueError("a board without a record has no page")
    card, board, columns = standing.card, standing.board, columns_of(standing, decimals)
    shape = _shape(standing, columns)
    higher = card.ranking.higher_is_better and not card.by_case
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
        has_other=shape.has_other,
        metric=TITLE if card.by_case else card.ranking.title,
        better=say("board.higher" if higher else "board.lower"),
        by_case=card.by_case,
        definition=definition_of(card) if card.by_case else "",
        test=test_of(standing.by_case),
        pairs=pairs_view(standing) if paired else None,
        breakers=tuple(card.metric(key).title for key in card.tie_breakers),
        more=tuple(metric.title for metric in columns.more),
        marks=columns.axis.marks(6.0, 174.0),
        lines=_lines(standing, columns),
        head=head_of(shape),
        resamples=count(standing.uncertainty.resamples) if standing.uncertainty else "",
        stability=stability_of(standing) if paired else None,
        significance=significance_of(standing) if paired else None,
        cost=cost_view(standing, columns, shape.main.title) if paired else None,
        ranked=tuple(row_view(row, standing, columns) for row in standing.ranked),
        unranked=tuple(row_view(row, standing, columns) for row in standing.unranked),
        references=tuple(row_view(row, standing, columns) for row in standing.references),
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
        earlier=earlier,
        looks=tuple(
            LookView(clean(item.team, NAME), _of_limit(item.used, card.looks), date(item.last))
            for item in standing.looks
        ),
        sealed=card.sealed_until is not None and not board.phantom,
        history=history_view(standing, columns.decimals[card.ranking.key, standing.half]) if paired else None,
        as_of=standing.as_of,
    )


def _of_limit(used: int, limit: int) -> str:
    return say("looks.of", used=used, limit=limit)


def _shape(standing: Standings, columns: Columns) -> Shape:
    card, rows = standing.card, standing.ranked + standing.unranked
    ranks = Measure(TITLE, "rank_score", columns.score_decimals + 1, higher_is_better=False)
    return Shape(
        main=ranks if card.by_case else _measure(card.ranking, columns),
        half=columns.half,
        other=columns.other,
        has_other=any(half_of(row.record, columns.other) is not None for row in standing.rows),
        by_case=card.by_case,
        definition=definition_of(card) if card.by_case else "",
        test=test_of(standing.by_case),
        breakers=tuple(_measure(card.metric(key), columns, rows) for key in card.tie_breakers),
        more=tuple(_measure(metric, columns, rows) for metric in columns.more),
        has_tuned=any(row.record.sweep is not None for row in rows),
        has_parameters=any(row.record.entry.parameters for row in rows),
        has_inference=any(seconds_per_case(row.record) is not None for row in rows),
    )


def _measure(metric: MetricFacts, columns: Columns, rows: Sequence[Row] = ()) -> Measure:
    digits = columns.decimals[metric.key, columns.half] + 1
    remark = size_words((half_of(row.record, columns.half) for row in rows), metric.key)
    return Measure(metric.title, metric.key, digits, metric.higher_is_better, remark)


def _lines(standing: Standings, columns: Columns) -> tuple[Line, ...]:
    """Return one line for each distinct value among the references, at most three."""
    found = dict[float, list[Row]]()
    for row in standing.references:
        if (score := score_of_row(row, standing)) is not None and score.value is not None:
            found.setdefault(score.value, []).append(row)
    return tuple(
        Line(
            columns.axis.at(value, 6.0, 174.0),
            columns.value(found[value][0], columns.half).text,
            both((clean(row.record.entry.title, 60) for row in found[value]), " · "),
        )
        for value in sorted(found)[:3]
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


def compare_view(view: BoardView, paired: bool) -> CompareView:
    """Return what the page that compares two entries says before any is chosen."""
    return CompareView(
        challenge=view.challenge,
        title=view.title,
        board_id=view.board_id,
        options=view.options,
        phantom=view.phantom,
        notice=view.notice,
        by_case=view.by_case,
        paired=paired,
        entries=min(MOST_ENTRIES, len(view.ranked)),
        as_of=view.as_of,
    )


def for_scripts(view: BoardView) -> dict[str, Any]:
    """Return what scripts need of a board besides its columns and rows."""
    metrics = {
        column.measure.key: {"title": column.measure.title, "higher": column.measure.higher_is_better}
        for column in view.head
        if column.measure is not None
    }
    return {
        "places": {"resamples": view.resamples, **templates("uncertain", "alone", "tied")},
        "aside": say("board.cv_of", metric=view.metric, half=view.other_half),
        "compare": {"metrics": metrics, "words": templates("compare", "deciding_lead", "by_folds")},
    }
