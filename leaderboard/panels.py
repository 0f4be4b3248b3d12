"""A scorer's panel to tables, curves and notes, by the kind that each part names.

{"kind": "table", "title", "columns": [...], "rows": [[...], ...],
"forest": {"value": column, "low": column, "high": column, "reference": number}?}
{"kind": "curve", "title", "x_label", "y_label", "diagonal": bool,
"y_from_0_to_1": bool?,
"series": [{"name", "x": [...], "y": [...], "n": [...]?, "low": [...]?, "high": [...]?}]}
{"kind": "note", "title"?, "text"}

Titles, labels, heads, names of series and texts may have Korean twins: "title_ko", "columns_ko" and so on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.records import Half, plain
from leaderboard.figures import Chart, Forest, chart, forest
from leaderboard.text import clean, clean_block, number
from leaderboard.wording import Text, say, worded

__all__ = ["Cell", "PanelView", "cell_of", "panel_views"]

MOST_ROWS, MOST_COLUMNS = 500, 40
HALF_WIDTH = 7


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    numeric: bool
    exact: str = ""


@dataclass(frozen=True, slots=True)
class PanelView:
    """One table, curve, note, or JSON text."""

    kind: Literal["table", "curve", "note", "json"]
    title: str
    columns: tuple[str, ...] = ()
    numeric: tuple[bool, ...] = ()
    """Whether a column holds numbers only."""
    rows: tuple[tuple[Cell, ...], ...] = ()
    chart: Chart | None = None
    forest: Forest | None = None
    """The intervals in a table's rows, drawn."""
    text: str = ""

    @property
    def broad(self) -> bool:
        """Whether it takes the whole width, because in one half of it it would be cut."""
        return len(self.columns) > HALF_WIDTH or self.forest is not None


def panel_views(half: Half | None) -> tuple[PanelView, ...]:
    """Return the panels of a half, in the scorer's order."""
    gathered = {} if half is None else _gathered(half.panel)
    return tuple(_view(name, panel) for name, panel in gathered.items())


def cell_of(value: object) -> Cell:
    """Return a value as a table shows it: numbers to three decimals, a dash for what is undefined."""
    if value is None:
        return Cell("–", numeric=True)
    if isinstance(value, bool):
        return Cell(say("site.yes" if value else "site.no"), numeric=False)
    if isinstance(value, int):
        return Cell(number(value, 0), numeric=True)
    if isinstance(value, float):
        shown = _float(value)
        return Cell(shown, numeric=True, exact=repr(value) if shown != repr(value) else "")
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return Cell(clean(text, 300) if text.strip() else "", numeric=False)


def _float(value: float) -> str:
    if math.isfinite(value) and value != 0 and not 5e-4 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return number(value, 3)


def _view(name: str, panel: object) -> PanelView:
    """Return the panel's view; a malformed one is shown as it is, never hidden."""
    try:
        view = _known(name, panel)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        view = None
    if view is not None:
        return view
    text = json.dumps(plain(panel), indent=2, ensure_ascii=False)
    return PanelView("json", _title(name), text=clean_block(text))


def _gathered(panel: Mapping[str, Any]) -> dict[str, Any]:
    """Return the panel with its single numbers and words in one table, which comes first."""
    single = [(name, value) for name, value in panel.items() if isinstance(value, int | float | str | None)]
    rest = {name: value for name, value in panel.items() if (name, value) not in single and value != []}
    if not single:
        return rest
    rows = [[clean(name, 80).replace("_", " "), value] for name, value in single]
    return {
        "in numbers": {
            "title": say("entry.in_numbers"),
            "kind": "table",
            "columns": ["", say("site.unnamed_value")],
            "rows": rows,
        },
        **rest,
    }


def _shaped(name: str, panel: Sequence[Any]) -> PanelView | None:
    """Return a list of records as a table and a list of sentences as a note."""
    if all(isinstance(item, str) for item in panel):
        return PanelView("note", _title(name), text=clean(" ".join(panel)))
    if all(isinstance(item, Mapping) for item in panel):
        fields = list(dict.fromkeys(field for item in panel for field in item))
        rows = [[item.get(field, "") for field in fields] for item in panel]
        return _table(_title(name), [field.replace("_", " ") for field in fields], rows)
    return None


def _known(name: str, panel: Any) -> PanelView | None:  # noqa: ANN401  a panel is dynamic
    if isinstance(panel, list) and panel:
        return _shaped(name, panel)
    kind = panel.get("kind") if isinstance(panel, Mapping) else None
    if kind == "table":
        table = _table(_title(worded(panel, "title", name)), _heads(panel), panel["rows"])
        return replace(table, forest=forest(panel)) if panel.get("forest") else table
    if kind == "curve":
        return PanelView("curve", _title(worded(panel, "title", name)), chart=chart(panel))
    if kind == "note" and "text" in panel:
        return PanelView("note", _title(worded(panel, "title", name)), text=clean(worded(panel, "text")))
    return None


def _heads(panel: Mapping[str, Any]) -> Sequence[object]:
    """Return a table's heads, with their Korean twins where each has one."""
    heads, twins = panel["columns"], panel.get("columns_ko")
    if not isinstance(twins, list) or len(twins) != len(heads):
        return list(heads)
    return [worded({"": head, "_ko": korean}, "") for head, korean in zip(heads, twins, strict=True)]


def _title(name: object) -> str:
    text = clean(name, 100)
    if isinstance(text, Text):
        return text
    return text[:1].upper() + text[1:].replace("_", " ")


def _table(title: str, columns: Sequence[object], rows: Sequence[Sequence[object]]) -> PanelView:
    width = min(len(columns), MOST_COLUMNS)
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row of another length than the header")
    cells = tuple(tuple(cell_of(value) for value in row[:width]) for row in rows[:MOST_ROWS])
    numeric = tuple(bool(cells) and all(row[k].numeric for row in cells) for k in range(width))
    names = tuple(clean(column, 80) if str(column).strip() else "" for column in columns[:width])
    hidden = len(rows) - len(cells)
    return PanelView(
        "table", title, names, numeric, cells, text=say("entry.more_rows", n=hidden) if hidden else ""
    )
