"""The standings as tables for a terminal, readable at 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from leaderboard.pages import BoardView, board_view
from leaderboard.rows import RowView
from leaderboard.standings import Standings
from leaderboard.text import clean

__all__ = ["plain_table", "render"]

HIDDEN = 1_000_000


def render(standing: Standings, most: int = HIDDEN) -> RenderableType:
    """Return the ranking (its first `most` rows), then what is not ranked, references and literature."""
    if standing.board is None:
        return Text(f"{standing.card.title}: no entry yet.")
    view = board_view(standing, paired=False)
    kind = "phantom data: synthetic patients" if view.phantom else "real data"
    chosen = f", {view.options}" if view.options else ""
    head = Text.assemble(
        (view.title, "bold"), f"\n{kind}{chosen}, board {view.board_id}\n", (f"{_caption(view)}\n", "dim")
    )
    parts: list[RenderableType] = [head, _ranking(view, most)]
    if len(view.ranked) > most:
        parts.append(Text(f"and {len(view.ranked) - most} more ranked entries", style="dim"))
    parts += [Text(words, style="yellow") for words in (view.notice, *view.warnings) if words]
    if view.unranked:
        parts += [Text("\nNot ranked", style="bold"), _unranked(view)]
    if view.references:
        parts += [Text("\nReference answers (# is where they would stand)", style="bold"), _references(view)]
    if view.literature:
        parts += [Text("\nReported in the literature (never ranked)", style="bold"), _literature(view)]
    return Group(*parts)


def _caption(view: BoardView) -> str:
    return f"Ranked by {view.metric} on {view.half}, {view.better}"


def plain_table(*columns: tuple[str, bool]) -> Table:
    """Return a table without lines between rows; True marks a column of numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric, vertical="top")
    return table


def _entry(row: RowView) -> Text:
    mark = f"[{row.tuned.mark}] " if row.tuned else ""
    words = f"{mark}{row.name} {row.overrides}".strip()
    lines = Text(no_wrap=True, overflow="ellipsis")
    lines.append(row.team)
    lines.append(f"\n{words}", style="dim")
    if row.note:
        lines.append(f"\n{row.note}", style="red")
    return lines


def _rank(row: RowView) -> Text:
    """Return the rank, with its interval below it."""
    return Text.assemble(row.rank, (f"\n{row.rank_span}" if row.rank_span else "", "dim"))


def _ranking(view: BoardView, most: int) -> Table:
    other = [(view.other_half, True)] if view.has_other else []
    breakers = [(title, True) for title in view.breakers]
    table = plain_table(
        ("#", True), ("Entry", False), (view.half, True), ("95 %", True), *other,
        ("p (Holm)" if view.by_case else "± folds", True), *breakers, ("n", True), ("time", True),
    )  # fmt: skip
    table.columns[1].ratio = 1
    for column in table.columns[-2 - len(breakers) : -2]:
        column.header, column.max_width = str(column.header).replace(" ", "\n"), 10
    for row in view.ranked[:most]:
        table.add_row(
            _rank(row), _entry(row), Text(row.main.text, style="bold"), row.main.span,
            *([row.other.text] if view.has_other else []),
            row.versus.text if view.by_case else row.folds_sd,
            *(value.text for value in row.breakers), row.n.text, row.time.text,
        )  # fmt: skip
    if not view.ranked:
        table.add_row("–", Text("no entry is ranked yet", style="dim"))
    return table


def _unranked(view: BoardView) -> Table:
    table = plain_table(("Entry", False), ("State", False), ("Reason", False))
    table.columns[0].ratio, table.columns[2].ratio = 2, 3
    for row in view.unranked:
        table.add_row(_entry(row), Text(row.status, style="red"), Text(row.reason, overflow="fold"))
    return table


def _references(view: BoardView) -> Table:
    breakers = [(f"{title} ({view.half})", True) for title in view.breakers]
    other = [(view.other_half, True)] if view.has_other else []
    table = plain_table(("#", True), ("Answer", False), (view.half, True), *other, *breakers)
    for row in view.references:
        shown = [row.main.text, *([row.other.text] if view.has_other else [])]
        table.add_row(row.rank, Text(row.title), *shown, *(value.text for value in row.breakers))
    return table


def _literature(view: BoardView) -> Table:
    table = plain_table(("Result", False), ("Metric", False), ("Value", True), ("Computed on", False))
    for item in view.literature:
        for metric, value in item.values:
            words = (item.title, metric, value, item.computed_on)
            table.add_row(*(Text(clean(word)) if word else Text("") for word in words))
    return table
