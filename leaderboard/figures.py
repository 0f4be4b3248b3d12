"""Geometry of the figures: numbers in, coordinates out; the templates draw them as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leaderboard.text import clean, number
from leaderboard.wording import worded

__all__ = [
    "Axis",
    "Chart",
    "Forest",
    "Series",
    "Strip",
    "Whisker",
    "axis_for",
    "chart",
    "forest",
    "strip",
    "whisker",
]

WHISKER_WIDTH, STRIP_WIDTH = 180.0, 120.0
INSET = 6.0
CHART_WIDTH, CHART_HEIGHT = 340.0, 280.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 16.0, 10.0, 44.0
MOST_SERIES, MOST_POINTS = 8, 2000
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int

    def at(self, value: float, start: float, end: float) -> float:
        """Return the coordinate of a value, kept inside the axis, to a tenth of a pixel."""
        share = (value - self.low) / (self.high - self.low)
        return round(start + min(1.0, max(0.0, share)) * (end - start), 1)

    def marks(self, start: float, end: float) -> tuple[tuple[float, str], ...]:
        """Return coordinate and label of each tick."""
        return tuple((self.at(tick, start, end), number(tick, self.decimals)) for tick in self.ticks)


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value and its interval on the board's common axis."""

    dot: float
    line: str
    """SVG path; empty without an interval."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The values of a table's rows with their intervals, drawn on one axis."""

    whiskers: tuple[Whisker | None, ...]
    """One a row; None where the value is undefined."""
    reference: float
    """Coordinate of the value that knows nothing."""
    ends: str
    """The axis in words."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The values of the folds as dots, with their mean."""

    dots: tuple[float, ...]
    mean: float
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of points."""

    name: str
    number: int
    path: str
    dots: tuple[tuple[float, float, float, str], ...]
    """x, y, radius and words of each point; only where counts are given."""
    band: str = ""
    """SVG path of the interval around it; empty without one."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A panel's curve."""

    title: str
    x_label: str
    y_label: str
    x_marks: tuple[tuple[float, str], ...]
    y_marks: tuple[tuple[float, str], ...]
    diagonal: str
    series: tuple[Series, ...]


def axis_for(values: Iterable[float], low: float, high: float, ticks: int = 4) -> Axis:
    """Return an axis that holds the values, inside the metric's bounds, with about so many ticks."""
    known = [value for value in values if math.isfinite(value)]
    start, end = (min(known), max(known)) if known else (_bound(low, 0.0), _bound(high, 1.0))
    if end - start < 1e-9 * max(1.0, abs(end)):
        pad = 0.05 * max(1.0, abs(end))
        start, end = max(low, start - pad), min(high, end + pad)
    step = _step((end - start) / ticks)
    first, last = math.floor(start / step + 1e-9), math.ceil(end / step - 1e-9)
    marks = tuple(round(i * step, 10) for i in range(first, last + 1))
    inside = tuple(mark for mark in marks if low - 1e-9 <= mark <= high + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if _quarter(step) else 0)
    return Axis(max(low, marks[0]), min(high, marks[-1]), inside, decimals)


def _bound(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))


def _quarter(step: float) -> bool:
    """Tell a step of 2.5, which needs one decimal more than its power of ten."""
    return math.isclose(step / 10.0 ** math.floor(math.log10(step) + 1e-9), 2.5)


def whisker(value: float, low: float | None, high: float | None, axis: Axis) -> Whisker:
    """Place a value and its interval."""
    start, end = INSET, WHISKER_WIDTH - INSET
    line = ""
    if low is not None and high is not None:
        line = f"M{axis.at(low, start, end):g} 9H{axis.at(high, start, end):g}"
    return Whisker(axis.at(value, start, end), line)


def forest(panel: Mapping[str, Any]) -> Forest:
    """Place the rows of a table whose `forest` names the columns "value", "low" and "high", and "reference".

    Raises:
        KeyError, TypeError, ValueError: if a name is no column, or a value no number.
    """
    given, columns = panel["forest"], list(panel["columns"])
    places = [columns.index(given[part]) for part in ("value", "low", "high")]
    rows = [[None if row[k] is None else float(row[k]) for k in places] for row in panel["rows"]]
    reference = float(given["reference"])
    known = [number for row in rows for number in row if number is not None]
    axis = axis_for([*known, reference], -math.inf, math.inf)
    drawn = tuple(None if value is None else whisker(value, low, high, axis) for value, low, high in rows)
    middle = axis.at(reference, INSET, WHISKER_WIDTH - INSET)
    ends = (number(end, axis.decimals) for end in (axis.low, axis.high))
    return Forest(drawn, middle, " – ".join(ends))


def strip(values: Iterable[float | None], mean: float, decimals: int) -> Strip | None:
    """Place the folds' values between their lowest and highest; None for fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    wide = high - low if high > low else 1.0
    axis = Axis(low, low + wide, (), decimals)
    start, end = INSET, STRIP_WIDTH - INSET
    dots = tuple(axis.at(value, start, end) for value in known)
    return Strip(dots, axis.at(mean, start, end), number(low, decimals), number(high, decimals))


def chart(panel: Mapping[str, Any]) -> Chart:
    """Place a panel of kind "curve".

    Raises:
        KeyError, TypeError, ValueError: if it is not one.
    """
    lines = [_points(series) for series in panel["series"][:MOST_SERIES]]
    spot = [point for _, points in lines for point in points]
    square = all(0 <= v <= 1 for x, y, _ in spot for v in (x, y))
    low, high = (0.0, 1.0) if square else (-math.inf, math.inf)
    unit = [0.0, 1.0] if square else []
    x_axis = axis_for([x for x, _, _ in spot] + unit, low, high)
    upright = square or (bool(panel.get("y_from_0_to_1")) and all(0 <= y <= 1 for _, y, _ in spot))
    y_axis = axis_for([0.0, 1.0], 0.0, 1.0) if upright else axis_for([y for _, y, _ in spot], low, high)
    right, bottom = CHART_WIDTH - RIGHT, CHART_HEIGHT - BOTTOM
    return Chart(
        title=clean(worded(panel, "title")),
        x_label=clean(worded(panel, "x_label", "x"), 60),
        y_label=clean(worded(panel, "y_label", "y"), 60),
        x_marks=x_axis.marks(LEFT, right),
        y_marks=y_axis.marks(bottom, TOP),
        diagonal=f"M{LEFT:g} {bottom:g}L{right:g} {TOP:g}" if panel.get("diagonal") and square else "",
        series=tuple(
            replace(_series(i, name, points, x_axis, y_axis), band=_band(given, x_axis, y_axis))
            for i, ((name, points), given) in enumerate(zip(lines, panel["series"], strict=False))
        ),
    )


Point = tuple[float, float, float | None]


def _points(series: Mapping[str, Any]) -> tuple[str, list[Point]]:
    """Return a series' name and its points; a point with a missing coordinate is left out."""
    counts = series.get("n") or [None] * len(series["x"])
    rows = list(zip(series["x"], series["y"], counts, strict=True))[:MOST_POINTS]
    known = [
        (float(x), float(y), None if n is None else float(n))
        for x, y, n in rows
        if x is not None and y is not None and math.isfinite(x) and math.isfinite(y)
    ]
    return clean(worded(series, "name")), known


def _band(series: Mapping[str, Any], x_axis: Axis, y_axis: Axis) -> str:
    """Return the path along the upper ends of a series' intervals and back along the lower ones."""
    rows = zip(series["x"], series.get("low") or [], series.get("high") or [], strict=False)
    known = [
        tuple(float(value) for value in row)
        for row in list(rows)[:MOST_POINTS]
        if all(value is not None and math.isfinite(value) for value in row)
    ]
    if len(known) < 2:
        return ""
    right, bottom = CHART_WIDTH - RIGHT, CHART_HEIGHT - BOTTOM
    edge = [(x, high) for x, _, high in known] + [(x, low) for x, low, _ in reversed(known)]
    places = [(x_axis.at(x, LEFT, right), y_axis.at(y, bottom, TOP)) for x, y in edge]
    return "".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(places)) + "Z"


def _series(index: int, name: str, points: Sequence[Point], x_axis: Axis, y_axis: Axis) -> Series:
    right, bottom = CHART_WIDTH - RIGHT, CHART_HEIGHT - BOTTOM
    places = [(x_axis.at(x, LEFT, right), y_axis.at(y, bottom, TOP)) for x, y, _ in points]
    path = "".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(places))
    most = max((n for _, _, n in points if n), default=1.0)
    dots = tuple(
        (
            x,
            y,
            round(1.5 + 5 * math.sqrt(max(n, 0.0) / most), 1),
            f"{number(a, 3)}, {number(b, 3)}: n = {n:g}",
        )
        for (x, y), (a, b, n) in zip(places, points, strict=True)
        if n is not None
    )
    return Series(name, index % MOST_SERIES, path, dots)
