"""A comparison and an explanation as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from harness.comparisons import FoldTest
from leaderboard.comparison import Comparison, HalfComparison, MetricDifference
from leaderboard.explanation import Explanation, Neighbour
from leaderboard.rank_score import TITLE
from leaderboard.rows import HALVES, rank_words
from leaderboard.standings import Row, Standings
from leaderboard.terminal import plain_table
from leaderboard.text import clean, count, number, span
from leaderboard.uncertainty import Place

__all__ = ["p_text", "render_comparison", "render_explanation"]

DIGITS, SHORT = 4, 60
SAME = "the same"


def p_text(p: float | None) -> str:
    """Return a p-value as a reader sees it.

    >>> p_text(0.0004), p_text(0.0312), p_text(None)
    ('< 0.001', '0.031', '–')
    """
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else number(p, 3)


def _named(row: Row) -> str:
    entry = row.record.entry
    words = " ".join((entry.name, *entry.overrides))
    return f"{clean(words, SHORT)} ({clean(entry.team, SHORT)})"


# ------------------------------------------------------------------------------------ comparison
def render_comparison(found: Comparison, standing: Standings) -> RenderableType:
    """Return two entries side by side, on the half that ranks first."""
    parts: list[RenderableType] = [
        Text.assemble(("A ", "bold"), f"{_place(found.first)} {_named(found.first)}"),
        Text.assemble(("B ", "bold"), f"{_place(found.second)} {_named(found.second)}"),
    ]
    for half in found.halves:
        parts.extend(_half(half))
    if found.folds is not None:
        parts.append(Text(f"\n{_folds(found.folds, standing.card.ranking.title)}"))
    parts.extend(_cases(found, standing.card.ranking.title))
    return Group(*parts)


def _place(row: Row) -> str:
    return "not ranked" if row.rank is None else f"rank {row.rank}"


def _half(half: HalfComparison) -> Iterator[RenderableType]:
    title = HALVES[half.half]
    if not half.metrics:
        yield Text(f"\n{title}: {half.reason}.", style="yellow")
        return
    patients = f" of {count(half.patients)} patients" if half.patients is not None else ""
    yield Text(f"\n{title}, {count(half.cases)} cases{patients}", style="bold")
    table = plain_table(
        ("", False), ("A", True), ("B", True), ("A − B", True), ("95 %", True), ("p", True), ("", False)
    )
    table.columns[0].ratio = 1
    for metric in half.metrics:
        table.add_row(*_metric(metric))
    yield table
    if half.reason:
        yield Text(f"No intervals: {half.reason}.", style="yellow")
    else:
        yield Text(
            "A − B with its bootstrap interval over patients, drawn alike for both. p: two-sided, of each "
            "line alone; lines are not corrected for their number.",
            style="dim",
        )


def _metric(metric: MetricDifference) -> tuple[str | Text, ...]:
    gap = metric.difference
    better = {"first": "A better", "second": "B better", "": SAME if gap is not None else ""}[metric.better]
    return (
        Text(metric.title, overflow="fold"),
        number(metric.first, DIGITS),
        number(metric.second, DIGITS),
        number(gap.value, DIGITS) if gap else "–",
        span(gap.low, gap.high, DIGITS) if gap else "",
        p_text(metric.p),
        better,
    )


def _folds(test: FoldTest, title: str) -> str:
    return (
        f"Over the same {test.folds} folds, {title}: A − B {number(test.mean, DIGITS)} "
        f"({span(test.low, test.high, DIGITS)}), p {p_text(test.p)}, by Nadeau and Bengio's corrected "
        "t-test: the folds' models share training cases."
    )


def _cases(found: Comparison, title: str) -> Iterator[RenderableType]:
    yield Text("\nOut-of-fold cases that decide", style="bold")
    if not found.cases:
        yield Text(f"None is shown: {found.cases_reason or 'the two agree on every case'}.", style="dim")
        return
    table = plain_table(("Case", False), ("A", True), ("B", True), ("A − B", True))
    for case in found.cases:
        values = (number(value, DIGITS) for value in (case.first, case.second, case.difference))
        table.add_row(Text(case.case), *values)
    yield table
    yield Text(f"What each case adds to {title}, higher is better.", style="dim")


# ----------------------------------------------------------------------------------- explanation
def render_explanation(found: Explanation, standing: Standings) -> RenderableType:
    """Return why an entry stands where it does."""
    return Group(*(Text(line) for line in _lines(found, standing)), _neighbours(found, standing))


def _lines(found: Explanation, standing: Standings) -> Iterator[str]:
    row, card = found.row, standing.card
    metric = TITLE if card.by_case else card.ranking.title
    yield _named(row)
    if row.rank is None:
        yield f"Not ranked ({row.status}): {clean(row.reason)}"
        return
    if row.record.entry.route == "reference":
        yield f"A reference answer, never ranked: it would stand at rank {row.rank} of {found.ranked + 1}."
    else:
        yield f"Rank {row.rank} of {found.ranked} ranked entries"
    if found.score is not None:
        within = span(found.score.low, found.score.high, DIGITS)
        yield f"{metric} ({HALVES[standing.half]}): {number(found.score.value, DIGITS)}" + (
            f", 95 % interval {within}" if within else ""
        )
    if found.missing:
        yield f"No rank interval: {found.missing}."
    if row.place is not None:
        words = rank_words(row, standing.uncertainty)
        yield f"{words[:1].upper()}{words[1:]}."
        yield from _place_lines(row.place, found)
    yield from _fold_lines(found, card.ranking.title)
    if row.over_naive is not None:
        yield (
            f"{100 * row.over_naive:.0f} % of the way from the best reference answer to the best possible "
            f"{card.ranking.title}."
        )


def _fold_lines(found: Explanation, title: str) -> Iterator[str]:
    if found.folds is not None:
        test = found.folds
        yield (
            f"Mean {title} of {test.folds} folds: {number(test.mean, DIGITS)} "
            f"({span(test.low, test.high, DIGITS)}, Nadeau and Bengio: folds share training cases)."
        )
    if found.variance is not None:
        folds, seeds = (number(v**0.5, DIGITS) for v in (found.variance.folds, found.variance.seeds))
        yield (
            f"Its standard deviation between folds is {folds}; between {found.variance.n_seeds} seeds of one "
            f"fold {seeds}."
        )


def _place_lines(place: Place, found: Explanation) -> Iterator[str]:
    if place.difference is not None:
        gap = place.difference
        within = span(gap.low, gap.high, DIGITS)
        yield (
            f"To the leader: {number(gap.value, DIGITS)}" + (f" ({within})" if within else "") + ", "
            f"p {p_text(place.p)}, {p_text(place.p_holm)} with Holm's correction for all comparisons with it."
        )
    if len(place.ranks) > 1:
        yield "Rank by scheme: " + ", ".join(f"{name} {rank}" for name, rank in place.ranks.items()) + "."
    if found.taus:
        pairs = (f"{a} and {b} {number(tau, 2)}" for a, b, tau in found.taus)
        yield f"Agreement of the schemes on this board (Kendall's tau): {', '.join(pairs)}."


def _neighbours(found: Explanation, standing: Standings) -> RenderableType:
    if not found.neighbours:
        return Text("")
    numbers = [(name, True) for name in ("difference", "95 %", "p")]
    table = plain_table(("", False), ("#", True), ("Entry", False), *numbers, ("", False))
    table.columns[2].ratio = 1
    for neighbour in found.neighbours:
        table.add_row(*_neighbour(neighbour))
    better = standing.card.ranking.higher_is_better and not standing.card.by_case
    return Group(
        Text(""),
        table,
        Text(
            "Difference: this entry minus that one; above 0 is "
            f"{'better' if better else 'worse'}. p: two-sided, of each pair alone.",
            style="dim",
        ),
    )


def _neighbour(neighbour: Neighbour) -> tuple[str | Text, ...]:
    gap = neighbour.difference.difference if neighbour.difference else None
    p = neighbour.difference.p if neighbour.difference else None
    words = {True: "told apart", False: "cannot be told apart", None: "not tested"}[neighbour.told_apart]
    if neighbour.decided_by:
        words = f"equal; decided by {neighbour.decided_by}"
    return (
        neighbour.where,
        str(neighbour.row.rank),
        Text(_named(neighbour.row), overflow="fold"),
        number(gap.value, DIGITS) if gap else "–",
        span(gap.low, gap.high, DIGITS) if gap else "",
        p_text(p),
        words,
    )
