"""Why an entry has its rank: its score, who stands around it, and what another scheme would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.comparisons import FoldTest, VarianceParts
from harness.records import Interval
from harness.stability import ALPHA
from leaderboard.comparison import MetricDifference, ranking_difference
from leaderboard.judging import half_of, scored
from leaderboard.resampled import ResampleReader
from leaderboard.spread import fold_interval, variance_of
from leaderboard.standings import Row, Standings

__all__ = ["Explanation", "Neighbour", "explain"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry just above or below, or the leader, and whether the two can be told apart."""

    row: Row
    where: str
    """leader, above, same rank, below."""
    difference: MetricDifference | None
    """The explained entry minus this one, in what ranks."""
    told_apart: bool | None
    """By a test of this pair alone; None where it could not be tested."""
    decided_by: str
    """The tie breaker that puts one before the other where what ranks is equal; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one entry stands where it does."""

    row: Row
    ranked: int
    """How many entries are ranked."""
    score: Interval | None
    """Of what ranks, on the half that ranks."""
    neighbours: tuple[Neighbour, ...]
    taus: tuple[tuple[str, str, float], ...]
    """Kendall's tau between the board's schemes."""
    missing: str
    """Why there is no rank interval; empty if there is one, or no rank."""
    folds: FoldTest | None
    """The first metric's mean over the folds, with Nadeau and Bengio's interval."""
    variance: VarianceParts | None
    """Its variance between folds apart from that between seeds, where folds were repeated."""


def explain(row: Row, standing: Standings, resampled: ResampleReader) -> Explanation:
    """Return what a row's rank rests on."""
    found = standing.uncertainty
    ranked = any(other.id == row.id for other in standing.ranked)
    missing = found.missing.get(row.id, "") if found else "no entry's resamples are stored beside its record"
    return Explanation(
        row=row,
        ranked=len(standing.ranked),
        score=_score(row, standing),
        neighbours=_neighbours(row, standing, resampled) if ranked else (),
        taus=found.taus if found else (),
        missing=missing if ranked and row.place is None else "",
        folds=fold_interval(row.record, standing.card.ranking.key),
        variance=variance_of(row.record, standing.card.ranking.key),
    )


def _score(row: Row, standing: Standings) -> Interval | None:
    if standing.by_case is not None:
        return standing.by_case.of(row.id)
    half, key = half_of(row.record, standing.half), standing.card.ranking.key
    return half.metrics[key] if half is not None and scored(half, key) is not None else None


def _neighbours(row: Row, standing: Standings, resampled: ResampleReader) -> tuple[Neighbour, ...]:
    """Return the leader, who stands just above, who shares the rank, and who stands just below."""
    ranked = standing.ranked
    place = next(k for k, other in enumerate(ranked) if other.id == row.id)
    same = [k for k in range(len(ranked)) if ranked[k].rank == row.rank]
    around = {0: "leader", same[0] - 1: "above", same[-1] + 1: "below"}
    around |= {k: "same rank" for k in (place - 1, place + 1) if k in same}
    if same[0] - 1 == 0:
        around[0] = "leader"
    chosen = sorted(k for k in around if 0 <= k < len(ranked) and k != place)
    return tuple(_neighbour(row, ranked[k], around[k], standing, resampled) for k in chosen)


def _neighbour(row: Row, other: Row, where: str, standing: Standings, resampled: ResampleReader) -> Neighbour:
    difference = ranking_difference(row, other, standing, resampled)
    p = difference.p if difference else None
    return Neighbour(
        row=other,
        where=where,
        difference=difference,
        told_apart=None if p is None else p < ALPHA,
        decided_by="" if other.rank == row.rank else _breaker(row, other, standing),
    )


def _breaker(row: Row, other: Row, standing: Standings) -> str:
    """Return the title of the metric that orders two entries which are equal in what ranks."""
    card = standing.card
    if standing.by_case is not None:
        pair = [standing.by_case.scores[item.id].value for item in (row, other)]
        if pair[0] != pair[1]:
            return ""
    elif not _equal(row, other, card.ranking.key, standing):
        return ""
    keys: Sequence[str] = card.tie_breakers
    return next((card.metric(key).title for key in keys if not _equal(row, other, key, standing)), "")


def _equal(row: Row, other: Row, key: str, standing: Standings) -> bool:
    """Say whether two rows have the same value at the decimals that the board compares."""
    a, b = (scored(half_of(item.record, standing.half), key) for item in (row, other))
    if a is None or b is None:
        return a is b
    return round(a, standing.card.decimals) == round(b, standing.card.decimals)
