"""The ranking as columns and rows: one description for the page's own rows and for those a script draws.

`data.js` holds every row of a board, for the script that sorts, searches and leafs through them, and for the
page that compares two entries. It assigns one object to `window.BOARD`, for a page opened from file:// may
read no other data; `<` is an escape in it, and NaN never occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leaderboard.rows import HALVES, RowView
from leaderboard.standings import HalfName
from leaderboard.values import Value
from leaderboard.wording import as_text, both, say, templates

__all__ = ["ROWS_A_PAGE", "Column", "Measure", "Shape", "as_script", "cell_of_row", "embedded", "head_of"]

ROWS_A_PAGE = 100
Kind = Literal["rank", "entry", "value", "plot", "scored", "route"]
WORDS = (
    *("entries", "entries_one", "entries_of", "range", "earlier", "earlier_one"),
    *("not_ranked", "cv_of", "nobody"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the ranking."""

    key: str
    kind: Kind
    title: str
    small: str = ""
    tip: str = ""
    sort: Literal["number", "text", ""] = "number"
    width: str = ""
    """The class of its col element."""
    style: str = ""
    """A class of its cells."""
    more: bool = False
    """Whether it is shown on request only."""
    end: bool = False
    """Whether an unranked row has it too, behind its reason."""
    measure: Measure | None = None
    """What two entries are compared by."""
    half: HalfName = "cv"


@dataclass(frozen=True, slots=True)
class Measure:
    """What ranks, or a metric."""

    title: str
    key: str
    digits: int
    """Of a difference: one more than a score has."""
    higher_is_better: bool
    remark: str = ""
    """Behind the half's name: on how many cases it rests, where that is a part of them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides which columns a board has."""

    main: Measure
    half: HalfName
    other: HalfName
    has_other: bool
    by_case: bool
    definition: str
    test: str
    breakers: tuple[Measure, ...]
    more: tuple[Measure, ...]
    has_tuned: bool
    has_parameters: bool
    has_inference: bool


def head_of(shape: Shape) -> tuple[Column, ...]:
    """Return a board's columns, from left to right."""
    return (*_first(shape), *_middle(shape), *_last(shape))


def _first(shape: Shape) -> Iterable[Column]:
    yield Column("rank", "rank", say("board.rank"), width="c-rank", style="rank")
    yield Column("entry", "entry", say("board.entry"), sort="text", width="c-entry", style="entry")
    yield _measured("main", shape.main, shape.half, "board.ranks", "c-main", "main", shape.definition)
    yield Column("plot", "plot", say("board.interval"), sort="", width="c-plot", style="plot")


def _middle(shape: Shape) -> Iterable[Column]:
    if shape.has_other:
        yield _measured("other", shape.main, shape.other, "board.other_half", "c-main")
        small, tip = say("board.shift_small"), say("board.shift_tip")
        yield Column("shift", "value", say("board.shift"), small, tip, width="c-shift", style="shift")
    if shape.by_case:
        yield Column("versus", "value", say("board.p"), say("board.p_small"), shape.test, width="c-folds")
    else:
        tip = say("board.folds_tip", metric=shape.main.title)
        yield Column("folds", "value", say("board.folds"), say("board.folds_small"), tip, width="c-folds")
    for number, measure in enumerate(shape.breakers):
        yield _measured(f"breaker-{number}", measure, shape.half, "board.breaks_ties", "c-main")
    for key in ("trials", "search", "optimism") if shape.has_tuned else ():
        title, small, tip = (say(f"board.{key}{part}") for part in ("", "_small", "_tip"))
        yield Column(key, "value", title, small, tip, width=f"c-{key}")


def _last(shape: Shape) -> Iterable[Column]:
    yield Column(
        "scored", "scored", say("board.scored"), say("board.scored_small"), width="c-scored", end=True
    )
    yield Column("time", "value", say("board.time"), say("board.time_small"), width="c-time", end=True)
    small = say("board.route_small")
    yield Column("route", "route", say("board.route"), small, "", "text", "c-route", "words", end=True)
    if shape.has_parameters:
        title, small = say("board.parameters"), say("board.parameters_small")
        yield Column("parameters", "value", title, small, style="more", more=True, end=True)
    if shape.has_inference:
        title, small, tip = (say(f"board.inference{part}") for part in ("", "_small", "_tip"))
        yield Column("inference", "value", title, small, tip, style="more", more=True, end=True)
    for number, measure in enumerate(shape.more):
        yield _measured(f"more-{number}", measure, shape.half, "board.other_half", "", "more", more=True)


def _measured(
    key: str,
    measure: Measure,
    half: HalfName,
    words: str,
    width: str,
    style: str = "",
    tip: str = "",
    more: bool = False,
) -> Column:
    small = both((say(words, half=HALVES[half]), measure.remark), ", ")
    return Column(
        key,
        "value",
        measure.title,
        small,
        tip,
        width=width,
        style=style,
        more=more,
        measure=measure,
        half=half,
    )


NOTHING = Value("")
READ: dict[str, Callable[[RowView], Value]] = {
    "main": lambda row: row.main,
    "other": lambda row: row.other,
    "shift": lambda row: row.shift,
    "versus": lambda row: row.versus,
    "folds": lambda row: row.folds,
    "scored": lambda row: row.n,
    "time": lambda row: row.time,
    "parameters": lambda row: row.parameters,
    "inference": lambda row: row.inference,
    "trials": lambda row: row.tuned.trials if row.tuned else NOTHING,
    "search": lambda row: row.tuned.time if row.tuned else NOTHING,
    "optimism": lambda row: row.tuned.optimism if row.tuned else NOTHING,
}


def cell_of_row(row: RowView, column: Column) -> Value:
    """Return what a row shows in a column of numbers."""
    name, _, number = column.key.partition("-")
    if name == "breaker":
        return row.breakers[int(number)]
    if name == "more":
        return row.more[int(number)]
    return READ[name](row)


# ------------------------------------------------------------------------------------- for scripts
def as_script(
    head: Sequence[Column],
    ranked: Sequence[RowView],
    unranked: Sequence[RowView],
    more: Mapping[str, object],
) -> bytes:
    """Return the file that gives a board's rows to scripts; `more` is what else they need of it."""
    content = {
        "rowsAPage": ROWS_A_PAGE,
        "words": templates("board", *WORDS),
        "states": {row.status: row.state for row in (*ranked, *unranked)},
        "routes": {row.route: row.route_words for row in (*ranked, *unranked)},
        "columns": [_column(column) for column in head],
        "ranked": [_row(row, head) for row in ranked],
        "unranked": [_row(row, head) for row in unranked],
        **more,
    }
    return f"window.BOARD = {embedded(content)};\n".encode()


def embedded(content: object) -> str:
    """Return JSON that neither HTML nor a script ends early, in one line; a text is [English, Korean].

    NaN and infinities become null.
    """
    text = as_text(content, lambda text: str.__str__(text) if text.ko == text else [text.en, text.ko])
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _column(column: Column) -> dict[str, Any]:
    found = {
        "key": column.key,
        "kind": column.kind,
        "title": column.title,
        "small": column.small,
        "style": column.style,
        "more": column.more,
        "end": column.end,
    }
    if column.measure is None:
        return found
    return found | {
        "metric": column.measure.key,
        "half": column.half,
        "halfWords": HALVES[column.half],
        "digits": column.measure.digits,
        "higher": column.measure.higher_is_better,
    }


def _row(row: RowView, head: Sequence[Column]) -> dict[str, Any]:
    """Return a row as short as it can be: what is empty is left out."""
    values = [_value(cell_of_row(row, column)) for column in head if column.kind in ("value", "scored")]
    content = {
        "id": row.id,
        "rank": row.rank,
        "span": row.rank_span,
        "group": row.rank_group,
        "unsure": "" if row.rank_span else row.rank_words,
        "team": row.team,
        "title": row.title,
        "tuned": row.tuned.mark if row.tuned else "",
        "reproduced": row.reproduced,
        "words": row.overrides,
        "earlier": row.earlier,
        "note": row.note,
        "route": row.route,
        "isolation": row.isolation,
        "folds": row.folds_differ,
        "state": row.status,
        "reason": row.reason,
        "aside": [row.other.text, row.other.span] if row.reason and row.other.exact else None,
        "plot": [row.plot.dot, row.plot.line] if row.plot else None,
        "places": row.shift_places if row.shift.exact else None,
        "values": values,
    }
    return {name: item for name, item in content.items() if item not in ("", None) and not _zero(name, item)}


def _zero(name: str, item: object) -> bool:
    return name == "earlier" and item == 0


def _value(value: Value) -> list[str]:
    """Return text, interval and all digits; what is empty at the end is left out."""
    parts = [value.text, value.span, value.exact]
    while parts and not parts[-1]:
        parts.pop()
    return parts
