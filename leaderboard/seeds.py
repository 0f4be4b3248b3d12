"""How much of an entry's score is luck of the seed: the table of its page, where folds had more than one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import RunRecord, SeedFacts, SeedVariance
from leaderboard.card import Card
from leaderboard.judging import HalfName, finite
from leaderboard.rows import BOTH, HALVES
from leaderboard.standings import half_of
from leaderboard.text import number
from leaderboard.values import Value

__all__ = ["SeedRow", "SeedsView", "seeds_view"]

NOTHING = Value("–")


@dataclass(frozen=True, slots=True)
class SeedRow:
    """One metric on one half."""

    metric: str
    half: str
    values: tuple[Value, ...]
    """Pooled over the folds, by seed."""
    sd: Value
    """Sample standard deviation of these; a dash with fewer than two."""
    fold_seeds: Value
    """Of the folds' own scores: between the seeds of one fold."""
    fold_folds: Value
    """Between folds, beyond what seeds alone would make."""


@dataclass(frozen=True, slots=True)
class SeedsView:
    """The table, one column a seed."""

    seeds: tuple[int, ...]
    rows: tuple[SeedRow, ...]


def seeds_view(
    record: RunRecord, card: Card, decimals: Mapping[tuple[str, HalfName], int]
) -> SeedsView | None:
    """Return the table; None of an entry with one seed. Of a half without scores there is no row."""
    facts = record.seeds
    if facts is None:
        return None
    keys = [metric.key for metric in card.metrics if metric.key in facts.scores[0].cv]
    shown = [
        (key, half) for key in keys for half in BOTH if (found := half_of(record, half)) and found.metrics
    ]
    rows = tuple(_row(facts, card.metric(key).title, key, half, decimals[key, half]) for key, half in shown)
    return SeedsView(tuple(score.seed for score in facts.scores), rows) if rows else None


def _row(facts: SeedFacts, title: str, key: str, half: HalfName, digits: int) -> SeedRow:
    values = [(score.test if half == "test" else score.cv).get(key) for score in facts.scores]
    parts = facts.variance.get(key) if half == "cv" else None
    return SeedRow(
        metric=title,
        half=HALVES[half],
        values=tuple(_value(value, digits) for value in values),
        sd=_value(_sd([value for value in values if value is not None]), digits + 1),
        fold_seeds=_root(parts, "seeds", digits + 1),
        fold_folds=_root(parts, "folds", digits + 1),
    )


def _sd(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation (n - 1); None with fewer than two values."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _root(parts: SeedVariance | None, name: str, digits: int) -> Value:
    return NOTHING if parts is None else _value(math.sqrt(max(0.0, getattr(parts, name))), digits)


def _value(value: float | None, digits: int) -> Value:
    value = finite(value)
    return NOTHING if value is None else Value(number(value, digits), exact=repr(value))
