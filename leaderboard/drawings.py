"""Figures of a whole board, from plain arrays: score against cost, stability of the ranks, significance.

As in `figures`, numbers go in and coordinates come out; drawings.html writes them as inline SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from leaderboard.figures import Axis, axis_for
from leaderboard.text import clean, number
from leaderboard.wording import say

__all__ = [
    "Mark",
    "Matrix",
    "Scatter",
    "Stability",
    "pareto_front",
    "rank_stability",
    "scatter",
    "significance_matrix",
]

WIDTH, HEIGHT = 720.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 18.0, 14.0, 46.0
NAMES, CELL, HEAD = 190.0, 22.0, 26.0
MOST_ENTRIES, MOST_RANKS = 40, 40
SMALLEST_SHARE = 0.005
LEVELS = (0.001, 0.01, 0.05)
"""Of p: below the first a cell has the strongest colour."""

Marks = tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One point, circle or cell with its words."""

    x: float
    y: float
    size: float
    words: str
    style: str = ""
    link: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Score against cost."""

    x_marks: Marks
    y_marks: Marks
    points: tuple[Mark, ...]
    front: tuple[Mark, ...]
    path: str
    """Through the front, as steps: what is the best score at most that cost."""


@dataclass(frozen=True, slots=True)
class Stability:
    """A circle for each entry and rank, its area the share of resamples."""

    names: Marks
    ranks: Marks
    circles: tuple[Mark, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """A cell for each pair of entries."""

    names: Marks
    columns: Marks
    cells: tuple[Mark, ...]
    width: float
    height: float


# ------------------------------------------------------------------------------- score against cost
def pareto_front(costs: ArrayLike, scores: ArrayLike, higher_is_better: bool) -> tuple[int, ...]:
    """Return the places of those that no other beats: cheaper and as good, or better and as cheap.

    `costs` and `scores` are (n,), finite. The order is by cost; of equal ones all are in it.

    >>> pareto_front([1, 2, 3, 2], [0.5, 0.9, 0.8, 0.9], higher_is_better=True)
    (0, 1, 3)
    """
    spent, gained = np.asarray(costs, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    gained = gained if higher_is_better else -gained
    front: list[int] = []
    best = -math.inf
    for cost in np.unique(spent):
        places = np.flatnonzero(spent == cost)
        top = gained[places].max()
        if top > best:
            front += [int(place) for place in places if gained[place] == top]
            best = top
    return tuple(front)


def scatter(
    costs: Sequence[float],
    scores: Sequence[float],
    words: Sequence[str],
    names: Sequence[str],
    links: Sequence[str],
    front: Sequence[int],
    bounds: tuple[float, float],
) -> Scatter:
    """Place points (n,) of positive costs on a logarithmic and of scores on a linear axis."""
    x_axis, x_marks = _log_axis(costs)
    y_axis = axis_for(scores, *bounds, ticks=5)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    on_front = set(front)

    def mark(place: int) -> Mark:
        x = x_axis.at(math.log10(costs[place]), LEFT, right)
        y = y_axis.at(scores[place], bottom, TOP)
        size = 5.0 if place in on_front else 3.0
        return Mark(x, y, size, words[place], link=links[place], name=names[place])

    found = tuple(mark(place) for place in front)
    steps = "".join(f"H{b.x:g}V{b.y:g}" for b in found[1:])
    return Scatter(
        x_marks=x_marks,
        y_marks=y_axis.marks(bottom, TOP),
        points=tuple(mark(place) for place in range(len(costs)) if place not in on_front),
        front=found,
        path=f"M{found[0].x:g} {found[0].y:g}{steps}H{right:g}" if found else "",
    )


def _log_axis(values: Sequence[float]) -> tuple[Axis, Marks]:
    """Return an axis of powers of ten, and its marks at 1, 2 and 5 times them where there is room."""
    low, high = math.log10(min(values)), math.log10(max(values))
    pad = max(0.08, 0.05 * (high - low))
    axis = Axis(low - pad, high + pad, (), 0)
    steps = (1, 2, 5) if high - low < 2.2 else (1,)
    ticks = [
        step * 10.0**power
        for power in range(math.floor(axis.low), math.ceil(axis.high) + 1)
        for step in steps
        if axis.low <= math.log10(step * 10.0**power) <= axis.high
    ]
    return axis, tuple((axis.at(math.log10(t), LEFT, WIDTH - RIGHT), f"{t:g}") for t in ticks)


# ------------------------------------------------------------------------------------ rank stability
def rank_stability(distribution: ArrayLike, names: Sequence[str]) -> Stability:
    """Draw how often each entry had each rank; the first entries and ranks, at most 40.

    `distribution` (entries, ranks) holds the share of the bootstrap samples in which an entry had rank 1,
    2 ...; each row's sum is 1. Shares under half a percent are not drawn.

    Raises:
        ValueError: if there are not as many names as rows, or a share lies outside 0 to 1.
    """
    shares = np.asarray(distribution, dtype=np.float64)
    if shares.ndim != 2 or len(names) != len(shares):
        raise ValueError(f"{len(names)} names for a distribution of shape {shares.shape}")
    if not ((shares >= 0) & (shares <= 1 + 1e-9)).all():
        raise ValueError("a share lies outside 0 to 1")
    shown = [clean(name, 60) for name in names[:MOST_ENTRIES]]
    shares = shares[:MOST_ENTRIES, :MOST_RANKS]
    circles = tuple(
        Mark(
            NAMES + CELL * (rank + 0.5),
            HEAD + CELL * (entry + 0.5),
            round(0.46 * CELL * math.sqrt(share), 1),
            say("stability.cell", name=shown[entry], rank=rank + 1, share=f"{100 * share:.1f}"),
        )
        for entry, row in enumerate(shares.tolist())
        for rank, share in enumerate(row)
        if share >= SMALLEST_SHARE
    )
    return Stability(
        names=_rows(shown),
        ranks=_columns([str(rank + 1) for rank in range(shares.shape[1])]),
        circles=circles,
        width=NAMES + CELL * shares.shape[1] + 4,
        height=HEAD + CELL * len(shown) + 4,
    )


def _rows(names: Sequence[str]) -> Marks:
    return tuple((HEAD + CELL * (k + 0.5) + 3.5, clean(name, 26)) for k, name in enumerate(names))


def _columns(names: Sequence[str]) -> Marks:
    return tuple((NAMES + CELL * (k + 0.5), name) for k, name in enumerate(names))


# ------------------------------------------------------------------------------ significance matrix
def significance_matrix(p: ArrayLike, names: Sequence[str]) -> Matrix:
    """Draw the p-value of each pair, the first 40 entries, best first; NaN is a pair not compared.

    `p` (entries, entries). A cell's colour says below which of 0.001, 0.01 and 0.05 it lies.

    Raises:
        ValueError: if it is not square with as many names, or a value lies outside 0 to 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if values.shape != (len(names), len(names)):
        raise ValueError(f"{len(names)} names for p-values of shape {values.shape}")
    if not (np.isnan(values) | ((values >= 0) & (values <= 1))).all():
        raise ValueError("a p-value lies outside 0 to 1")
    shown = [clean(name, 60) for name in names[:MOST_ENTRIES]]
    cells = tuple(
        Mark(
            NAMES + CELL * column + 1,
            HEAD + CELL * row + 1,
            CELL - 2,
            _pair(shown[row], shown[column], values[row, column]),
            style=_level(values[row, column]),
        )
        for row in range(len(shown))
        for column in range(len(shown))
        if row != column
    )
    return Matrix(
        names=_rows([f"{k + 1}  {name}" for k, name in enumerate(shown)]),
        columns=_columns([str(k + 1) for k in range(len(shown))]),
        cells=cells,
        width=NAMES + CELL * len(shown) + 4,
        height=HEAD + CELL * len(shown) + 4,
    )


def _level(p: float) -> str:
    if math.isnan(p):
        return "unknown"
    return f"p{sum(p >= level for level in LEVELS)}"


def _pair(a: str, b: str, p: float) -> str:
    shown = say("significance.none") if math.isnan(p) else "< 0.001" if p < 0.001 else number(p, 3)
    return say("significance.cell", a=a, b=b, p=shown)
