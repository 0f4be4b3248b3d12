"""What puts one entry before another: keys that are larger for the better one, and the places they give."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.records import RunRecord
from leaderboard.card import Card, MetricFacts
from leaderboard.judging import HalfName, half_of, scored

__all__ = ["Key", "breakers_of", "key_of", "places"]

Key = tuple[float, ...]


def key_of(record: RunRecord, card: Card, half: HalfName) -> Key:
    """Return a key that is larger for the better entry: the first metric, then the tie breakers."""
    return (_signed(record, card.ranking, card.decimals, half), *breakers_of(record, card, half))


def breakers_of(record: RunRecord, card: Card, half: HalfName) -> Key:
    """Return the part of the key that orders equal entries."""
    return tuple(_signed(record, card.metric(key), card.decimals, half) for key in card.tie_breakers)


def _signed(record: RunRecord, metric: MetricFacts, decimals: int, half: HalfName) -> float:
    value = scored(half_of(record, half), metric.key)
    if value is None:
        return -math.inf
    return round(value if metric.higher_is_better else -value, decimals)


def places(keys: Sequence[Key]) -> list[int]:
    """Return each key's rank: one more than the number of strictly better keys.

    >>> places([(0.7,), (0.9,), (0.7,), (0.6,)])
    [2, 1, 2, 4]
    """
    first: dict[Key, int] = {}
    for place, key in enumerate(sorted(keys, reverse=True), start=1):
        first.setdefault(key, place)
    return [first[key] for key in keys]
