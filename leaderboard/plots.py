"""Optuna's figures of a search, as Plotly draws them: read as data, with nothing in them that a page obeys.

Plotly reads a small HTML in every text (<b>, <a href>, <br>) and %{templates} in hover texts. The harness
writes an entrant's words into the figures as character references, which Plotly reads last, as text; here
every string is cleaned, and markup that is not Optuna's own becomes references too. Only known kinds of
trace and parts of a layout are kept, and so nothing that names another file.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records import RunRecord, dump
from leaderboard.text import clean, clean_block
from leaderboard.wording import both, say

__all__ = ["NO_PLOTLY", "Bundle", "Plot", "Plots", "bundle", "plots_of"]

FILE, PLOTLY = "sweep_figures.json", "package_data/plotly.min.js"
LONGEST = 400
TRACES = ("scatter", "bar")
LAYOUT = re.compile(r"[xy]axis\d*|annotations|barmode|hovermode|legend|shapes|showlegend")
KEY = re.compile(r"[a-z][A-Za-z0-9_]*")
OWN_HOVER = re.compile(r"(<br>|<extra></extra>|%\{(?:x|y|marker\.color|customdata\[\d\])\})")
PART = re.compile(r"\((\d+ best|\d+ of \d+) trials\)$")
STYLES = re.compile(rb'document\.getElementById\("([0-9a-f]{64})"\)')
RENAMED = {"Best Value": "Best so far", "Step": "Fold", "Feasible Trial": "Trial"}
OBJECTIVE = ("Objective Value", "Intermediate Value")
UNREADABLE, NO_PLOTLY = say("plots.unreadable"), say("plots.no_plotly")
WORDS = {
    **{name: name for name in ("history", "folds", "importances", "slices")},
    "parallel_coordinates": "parallel",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure."""

    name: str
    title: str
    caption: str
    content: str
    """JSON that may stand in a script element."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The browser's part of Plotly."""

    content: bytes
    styles: tuple[str, ...]
    """Ids of the style elements that it adds unless they are there; the pages' policy refuses them."""


@dataclass(frozen=True, slots=True)
class Plots:
    """An entry's figures, or why it has none."""

    plots: tuple[Plot, ...] = ()
    note: str = ""
    styles: tuple[str, ...] = ()
    """Of the bundle that draws them."""


def bundle() -> Bundle | None:
    """Read the browser's part of the installed Plotly, which is found without being imported."""
    found = importlib.util.find_spec("plotly")
    folders = (found.submodule_search_locations if found else None) or ()
    path = next((path for folder in folders if (path := Path(folder) / PLOTLY).is_file()), None)
    if path is None:
        return None
    content = path.read_bytes()
    return Bundle(content, tuple(sorted({name.decode() for name in STYLES.findall(content)})))


def plots_of(runs: Path, record: RunRecord, metric: str) -> Plots:
    """Return the figures in a tuned run's folder; `metric` names what its trials are judged by."""
    if record.sweep is None or not re.fullmatch(r"\w[\w.\-]*", record.run_id):
        return Plots()
    path = runs / record.challenge.name / record.run_id / FILE
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        return Plots(tuple(_plot(name, figure, metric) for name, figure in figures.items()))
    except FileNotFoundError:
        return Plots()
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return Plots(note=UNREADABLE)


def _plot(name: str, figure: Mapping[str, Any], metric: str) -> Plot:
    traces = [_trace(trace, metric) for trace in figure["data"]]
    layout = {key: _inert(item, metric) for key, item in figure["layout"].items() if LAYOUT.fullmatch(key)}
    key = WORDS.get(name)
    title = say(f"plots.{key}") if key else clean(name, 80).replace("_", " ").capitalize()
    words = say(f"plots.{key}_words", metric=metric) if key else ""
    caption = both((words, _left_out(figure["layout"])))
    content = dump({"data": traces, "layout": layout}, indent=None)
    return Plot(name if name in WORDS else "other", title, caption, _embedded(content))


def _left_out(layout: Mapping[str, Any]) -> str:
    """Say so where a figure shows a part of the trials."""
    title = layout.get("title") or {}
    found = PART.search(str(title.get("text", "")))
    return say("plots.drawn", part=found[1]) if found else ""


def _trace(trace: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """Return a trace of a known kind.

    Raises:
        ValueError: for another kind, some of which fetch maps.
    """
    if trace["type"] not in TRACES:
        raise ValueError(f"a trace of type {trace['type']!r:.60}")
    return {
        key: _hover(item) if key == "hovertemplate" else _inert(item, metric)
        for key, item in trace.items()
        if KEY.fullmatch(key)
    }


def _hover(value: Any) -> Any:  # noqa: ANN401  JSON is dynamic
    """Return a hover text, or a list of them, with the markup and the templates that Optuna gives it."""
    if isinstance(value, list):
        return [_hover(item) for item in value]
    parts = OWN_HOVER.split(str(value))
    return "".join(part if k % 2 else _text(part).replace("%", "&#37;") for k, part in enumerate(parts))


def _inert(value: Any, metric: str) -> Any:  # noqa: ANN401  JSON is dynamic
    """Return JSON whose strings are text for Plotly too."""
    if isinstance(value, dict):
        return {key: _inert(item, metric) for key, item in value.items() if KEY.fullmatch(key)}
    if isinstance(value, list):
        return [_inert(item, metric) for item in value]
    if not isinstance(value, str):
        return value
    return _text(metric if value in OBJECTIVE else RENAMED.get(value, value))


def _text(text: str) -> str:
    """Return a string in one line, without markup and hidden characters; spaces around it stay."""
    line = clean_block(text, LONGEST).replace("\n", " ")
    return line.replace("<", "&lt;").replace(">", "&gt;")


def _embedded(content: str) -> str:
    """Return JSON that no HTML parser ends early, and that is one line in every language."""
    return content.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})
