"""How sure the ranks of a board are: rank intervals, tie groups, differences to the leader, other schemes.

Pure: from what ranks the entries in each bootstrap resample (`leaderboard.resampled`). An entry whose
resamples are not stored has no rank interval, and keeps its place against every other in all resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from harness.comparisons import difference_errors, normalised, pair_errors, paired_p
from harness.ranking import holm
from harness.ranking import ranks as ranks_by_case
from harness.records import Interval
from harness.stability import (
    kendall_tau,
    rank_intervals,
    rank_shares,
    resampled_ranks,
    significant_wins,
    tie_groups,
)
from harness.statistics import MAX_UNDEFINED
from leaderboard.card import Card
from leaderboard.case_ranks import ByCase
from leaderboard.judging import HalfName, half_of, scored
from leaderboard.keys import key_of, places
from leaderboard.resampled import Sample

if TYPE_CHECKING:
    from leaderboard.standings import Row

__all__ = [
    "MOST_SHOWN",
    "SCHEMES",
    "Place",
    "Scheme",
    "Uncertainty",
    "naive_score",
    "over_naive",
    "uncertainty_of",
]

Scheme = Literal["metric-then-rank", "rank-then-aggregate", "test-based"]
SCHEMES: tuple[Scheme, ...] = ("metric-then-rank", "rank-then-aggregate", "test-based")
"""The first metric over all cases, then ranks; ranks of each case, then their mean; significant wins."""
MOST_TESTED = 1000
"""Above so many entries the pairs are not tested one by one."""
MOST_SHOWN = 40
"""Entries of the rank distribution and of the matrix of p-values."""


@dataclass(frozen=True, slots=True)
class Place:
    """How sure one rank is."""

    low: int
    high: int
    """The rank in 95 % of the resamples; both ends are ranks that occurred."""
    group: int
    """Number of the tie group, 1 for the leader's."""
    first: int
    last: int
    """The places that the group holds, as in 1-3."""
    difference: Interval | None = None
    """To the leader, entry minus leader, with its 95 % interval; None of the leader itself."""
    p: float | None = None
    """Two-sided, that the difference to the leader is none."""
    p_holm: float | None = None
    """The same with Holm's correction for all comparisons with the leader."""
    ranks: Mapping[Scheme, int] = field(default_factory=dict)
    """Under each scheme that this board has."""

    @property
    def tied(self) -> bool:
        """Whether others of the group cannot be told from it."""
        return self.first != self.last


@dataclass(frozen=True)
class Uncertainty:
    """What the resamples of a board say of its ranks; rows are named by their ids."""

    places: Mapping[str, Place]
    missing: Mapping[str, str]
    """Why a ranked row has no rank interval."""
    resamples: int
    """In how many the entries were ranked: those in which what ranks is defined at all."""
    patients: int
    taus: tuple[tuple[Scheme, Scheme, float], ...]
    """Kendall's tau-b between the schemes that this board has."""
    names: tuple[str, ...]
    """Of the first `MOST_SHOWN` that have resamples, best first."""
    shares: NDArray[np.float64] = field(repr=False, compare=False)
    """How often each of `names` had each rank, (names, ranked entries); a row's sum is 1."""
    pairs: NDArray[np.float64] = field(repr=False, compare=False)
    """p-value of each pair of `names`, not corrected, (names, names); NaN where there is none."""


def uncertainty_of(
    ranked: Sequence[Row], card: Card, half: HalfName, sample: Sample | None, by_case: ByCase | None
) -> Uncertainty | None:
    """Return how sure the ranks are; None where no entry's resamples are known."""
    if sample is None:
        return None
    defined = ~np.isnan(sample.resampled).all(axis=1)
    if 1 - defined.mean() > MAX_UNDEFINED:
        return None
    ranks = resampled_ranks([key[defined] for key in sample.keys]) + _offsets(ranked, sample)
    tests = _Tests.of(sample, by_case)
    schemes = _schemes(ranked, card, half, sample, tests)
    return Uncertainty(
        places=_places(ranked, sample, ranks, tests, schemes),
        missing=sample.missing,
        resamples=len(ranks),
        patients=sample.patients,
        taus=_taus(ranked, schemes),
        names=tuple(row.id for row in sample.rows[:MOST_SHOWN]),
        shares=rank_shares(ranks, MOST_SHOWN, len(ranked)),
        pairs=tests.pairs(MOST_SHOWN) if by_case is None else by_case.pairs[:MOST_SHOWN, :MOST_SHOWN],
    )


def _offsets(ranked: Sequence[Row], sample: Sample) -> NDArray[np.int32]:
    """Return how many entries without resamples stand before each that has some, (entries,)."""
    absent = sorted(row.rank or 0 for row in ranked if row.id in sample.missing)
    own = [row.rank or 0 for row in sample.rows]
    return np.searchsorted(absent, own).astype(np.int32)


# ---------------------------------------------------------------------------------------- tests
@dataclass(frozen=True)
class _Tests:
    """Paired tests between the entries of a sample, on the resamples where all are defined."""

    sample: Sample
    by_case: ByCase | None
    resampled: NDArray[np.float64] | None
    """None where too few are left."""

    @classmethod
    def of(cls, sample: Sample, by_case: ByCase | None) -> _Tests:
        known = ~np.isnan(sample.resampled).any(axis=1)
        enough = 1 - known.mean() <= MAX_UNDEFINED
        return cls(sample, by_case, sample.resampled[known] if enough else None)

    def against(self, best: int, end: int) -> NDArray[np.float64]:
        """Return the p-values of the entries after `best`, up to `end`, against it."""
        if best == 0 and self.by_case is not None:
            return np.array([self.by_case.against_leader[row.id][0] for row in self.sample.rows[1:end]])
        if self.resampled is None:
            return np.full(end - best - 1, np.nan)
        scores, part = self.sample.scores[best:end], self.resampled[:, best:end]
        return paired_p(scores - scores[0], difference_errors(part, 0), self.sample.patients)[1:]

    def pairs(self, most: int) -> NDArray[np.float64]:
        """Return the p-value of each pair of the first entries, not corrected."""
        scores = self.sample.scores[:most]
        if self.resampled is None:
            return np.full((len(scores), len(scores)), np.nan)
        above = np.triu_indices(len(scores), 1)
        differences, errors = (scores[:, None] - scores)[above], pair_errors(self.resampled[:, :most])[above]
        found = np.ones((len(scores), len(scores)))
        found[above] = paired_p(differences, errors, self.sample.patients)
        return np.minimum(found, found.T)

    def differences(self) -> list[Interval | None]:
        """Return each entry's difference to the first."""
        scores, resampled = self.sample.scores, self.resampled
        if resampled is None:
            return [None] * len(scores)
        gaps = np.ascontiguousarray((resampled - resampled[:, :1]).T)
        low, high = np.quantile(gaps, [0.025, 0.975], axis=1)  # defined in all of these resamples
        columns = ((scores - scores[0]).tolist(), low.tolist(), high.tolist())
        return [Interval(*ends) for ends in zip(*columns, strict=True)]


def _places(
    ranked: Sequence[Row],
    sample: Sample,
    ranks: NDArray[np.int32],
    tests: _Tests,
    schemes: Mapping[Scheme, Mapping[str, int]],
) -> dict[str, Place]:
    low, high = (ends.tolist() for ends in rank_intervals(ranks))
    own = [row.rank or 0 for row in sample.rows]
    groups = tie_groups(own, tests.against)
    spans = _spans(ranked, sample, groups)
    leads = sample.rows[0].id == ranked[0].id
    differences = tests.differences() if leads else [None] * len(own)
    p = tests.against(0, len(own)) if leads else np.full(len(own) - 1, np.nan)
    known = not np.isnan(p).any()
    corrected = holm(p).tolist() if known else []
    found = {}
    for place, row in enumerate(sample.rows):
        compared = place > 0 and leads and known
        found[row.id] = Place(
            low=low[place],
            high=high[place],
            group=groups[place],
            first=spans[groups[place]][0],
            last=spans[groups[place]][1],
            difference=differences[place] if place > 0 else None,
            p=float(p[place - 1]) if compared else None,
            p_holm=corrected[place - 1] if compared else None,
            ranks={name: by_row[row.id] for name, by_row in schemes.items()},
        )
    return found


def _spans(ranked: Sequence[Row], sample: Sample, groups: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return the first and the last place of each group, counted among all ranked entries."""
    position = {row.id: place for place, row in enumerate(ranked, start=1)}
    found: dict[int, tuple[int, int]] = {}
    for row, group in zip(sample.rows, groups, strict=True):
        first = found[group][0] if group in found else row.rank or 0
        found[group] = (first, position[row.id])
    return found


# -------------------------------------------------------------------------------------- schemes
def _schemes(
    ranked: Sequence[Row], card: Card, half: HalfName, sample: Sample, tests: _Tests
) -> dict[Scheme, dict[str, int]]:
    """Return every ranked entry's rank under each scheme; a scheme that cannot rank all is left out."""
    own: Scheme = "rank-then-aggregate" if card.by_case else "metric-then-rank"
    found: dict[Scheme, dict[str, int]] = {own: {row.id: row.rank or 0 for row in ranked}}
    names = [row.id for row in sample.rows]
    if card.by_case:
        keys = [key_of(row.record, card, half) for row in ranked]
        found["metric-then-rank"] = dict(zip([row.id for row in ranked], places(keys), strict=True))
    elif sample.parts is not None and not sample.missing:
        sums = ranks_by_case(sample.parts[:, :, None], [True]).sum(axis=(1, 2))
        found["rank-then-aggregate"] = dict(zip(names, places([(-int(s),) for s in sums]), strict=True))
    if tests.resampled is not None and not sample.missing and len(names) <= MOST_TESTED:
        gaps = sample.scores[:, None] - sample.scores
        wins = significant_wins(gaps > 0 if sample.higher_is_better else gaps < 0, tests.pairs(len(names)))
        found["test-based"] = dict(zip(names, places([(int(won),) for won in wins]), strict=True))
    return {name: found[name] for name in SCHEMES if name in found}


def _taus(
    ranked: Sequence[Row], schemes: Mapping[Scheme, Mapping[str, int]]
) -> tuple[tuple[Scheme, Scheme, float], ...]:
    if len(ranked) < 2:
        return ()
    columns = {name: [by_row[row.id] for row in ranked] for name, by_row in schemes.items()}
    return tuple((a, b, kendall_tau(columns[a], columns[b])) for a, b in combinations(columns, 2))


# --------------------------------------------------------------------------------- naive answer
def naive_score(references: Sequence[Row], card: Card, half: HalfName) -> float | None:
    """Return the best first metric that a reference answer reaches; None where none can be compared."""
    complete = [row for row in references if row.status == "complete"]
    scores = [scored(half_of(row.record, half), card.ranking.key) for row in complete]
    known = [score for score in scores if score is not None]
    if not known or card.by_case:
        return None
    return max(known) if card.ranking.higher_is_better else min(known)


def over_naive(row: Row, card: Card, half: HalfName, naive: float | None) -> float | None:
    """Return a row's first metric between the naive answer (0) and the best possible one (1)."""
    value = scored(half_of(row.record, half), card.ranking.key)
    if naive is None or value is None:
        return None
    return normalised(value, naive, card.ranking.high if card.ranking.higher_is_better else card.ranking.low)
