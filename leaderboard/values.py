"""A score as a reader sees it: as many decimals as its cases support, with all of them at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from harness.records import Half, Interval
from leaderboard.card import MetricFacts
from leaderboard.standings import HalfName, Row, half_of, scored
from leaderboard.text import decimals_for, number, span
from leaderboard.wording import tip

__all__ = ["Value", "decimals_of", "number_cell", "shown", "value_of"]


@dataclass(frozen=True, slots=True)
class Value:
    """A number with as many decimals as its cases support; `exact` has them all."""

    text: str
    span: str = ""
    exact: str = ""


def decimals_of(rows: Iterable[Row], metric: MetricFacts, half: HalfName) -> int:
    """Return the decimals of a column: what its intervals or its cases support."""
    halves = [scores for row in rows if (scores := half_of(row.record, half)) is not None]
    widths = [
        (interval.high - interval.low) / 2
        for scores in halves
        if (interval := scores.metrics.get(metric.key)) is not None
        and interval.low is not None
        and interval.high is not None
    ]
    return decimals_for(widths, max((scores.n_scored for scores in halves), default=1), metric.digits)


def value_of(half: Half | None, key: str, decimals: int) -> Value:
    """Return a metric of a completely scored half, or a dash."""
    value = scored(half, key)
    if value is None or half is None:
        return Value("–")
    return shown(half.metrics[key], decimals)


def shown(interval: Interval, decimals: int) -> Value:
    """Return a value with its interval."""
    words = span(interval.low, interval.high, decimals)
    return Value(number(interval.value, decimals), words, _exact(interval))


def _exact(interval: Interval) -> str:
    """Return every digit of a value and, in brackets, six of its interval's ends."""
    if interval.low is None or interval.high is None:
        return repr(interval.value)
    return f"{interval.value!r} [{interval.low:.6g}, {interval.high:.6g}]"


def number_cell(value: Value, style: str = "") -> Markup:
    """Return a table cell with a value; a function, for of the hundreds of a page macros take much longer."""
    css = f"num {style}" if style else "num"
    small = f"<small>{escape(value.span)}</small>" if value.span else ""
    html = f'<td class="{css}"{tip(value.exact)}>{escape(value.text)}{small}</td>'
    return Markup(html)  # noqa: S704  every part is escaped
