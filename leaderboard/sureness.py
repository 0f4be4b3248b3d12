"""The figures of how sure a board's ranks are: what stands in them, for `drawings` to place."""

from __future__ import annotations

from leaderboard.drawings import Matrix, Stability, rank_stability, significance_matrix
from leaderboard.standings import Standings
from leaderboard.text import clean

__all__ = ["MOST_DRAWN", "significance_of", "stability_of"]

MOST_DRAWN, SHORT = 25, 60


def stability_of(standing: Standings) -> Stability | None:
    """Return how often the first entries had each of the first ranks; None without resamples of two."""
    found, names = standing.uncertainty, _names(standing)
    if found is None or len(names) < 2:
        return None
    return rank_stability(found.shares[:MOST_DRAWN, :MOST_DRAWN], [f"{rank}  {name}" for rank, name in names])


def significance_of(standing: Standings) -> Matrix | None:
    """Return the p-values between the first entries; None without resamples of two."""
    found, names = standing.uncertainty, _names(standing)
    if found is None or len(names) < 2:
        return None
    pairs = found.pairs[:MOST_DRAWN, :MOST_DRAWN]
    return significance_matrix(pairs, [name for _, name in names], [rank for rank, _ in names])


def _names(standing: Standings) -> list[tuple[str, str]]:
    """Return rank and team of the first entries that have resamples."""
    if standing.uncertainty is None:
        return []
    rows = {row.id: row for row in standing.ranked}
    shown = [rows[name] for name in standing.uncertainty.names[:MOST_DRAWN]]
    return [(str(row.rank), clean(row.record.entry.team, SHORT)) for row in shown]
