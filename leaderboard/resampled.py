"""What ranks the entries of a board, in each bootstrap resample of its patients.

By the first metric: from each run's resamples.npz, which is private. By case: from the ranks by case, which
resampling does not change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.records import RunRecord
from harness.resamples import FILE, Resamples, from_file
from harness.statistics import MAX_UNDEFINED, undefined_share
from leaderboard.card import Card, MetricFacts
from leaderboard.case_ranks import ByCase
from leaderboard.judging import HalfName, half_of, scored
from leaderboard.text import clean
from leaderboard.wording import say

if TYPE_CHECKING:
    from leaderboard.standings import Row

__all__ = ["ResampleReader", "Sample", "agreed", "resample_files", "sample_by_case", "sample_of"]

ResampleReader = Callable[[RunRecord, HalfName], "Resamples | str"]
"""Record and half to what the run's file holds, or why there is nothing."""
OTHER_CASES = say("uncertain.other_cases")


@dataclass(frozen=True)
class Sample:
    """Entries that can be compared resample by resample, in the order of the ranking."""

    rows: tuple[Row, ...]
    scores: NDArray[np.float64]
    """Of what ranks, as it is compared, (entries,)."""
    resampled: NDArray[np.float64]
    """The same in each resample, (resamples, entries)."""
    keys: tuple[NDArray[np.floating], ...]
    """What orders the entries in a resample, larger is better: what ranks, then what breaks its ties."""
    higher_is_better: bool
    patients: int
    parts: NDArray[np.float64] | None = None
    """What each case adds, (entries, cases), higher is better; None unless every entry has it."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why other ranked rows cannot be compared, by id."""


def resample_files(runs: Path) -> ResampleReader:
    """Return a reader of the runs' resamples.npz."""

    def read(record: RunRecord, half: HalfName) -> Resamples | str:
        if not re.fullmatch(r"\w[\w.\-]*", record.run_id):
            return say("uncertain.no_file", file=FILE)
        try:
            found = from_file(runs / record.challenge.name / record.run_id / FILE, half)
        except FileNotFoundError:
            found = None
        except ValueError:
            return say("uncertain.unreadable", file=FILE, again=_again(record))
        if found is None:
            return say("uncertain.older", file=FILE, again=_again(record))
        return found

    return read


def _again(record: RunRecord) -> str:
    """Return what to type for a file that is not there."""
    name = clean(record.challenge.name, 60)
    if record.entry.route == "code":
        data = "" if record.data.phantom else " data=PATH"
        return say("uncertain.score", command=f"harness score challenge={name} run={record.run_id}{data}")
    return say("uncertain.again")


# --------------------------------------------------------------------------------- by first metric
def sample_of(ranked: Sequence[Row], card: Card, half: HalfName, read: ResampleReader) -> Sample | None:
    """Return the ranked entries' first metric in each resample; None if none can be compared."""
    keys = (card.ranking.key, *card.tie_breakers)
    missing: dict[str, str] = {}
    found: dict[str, Resamples] = {}
    for row in ranked:
        resamples = read(row.record, half)
        if isinstance(resamples, str):
            missing[row.id] = resamples
        elif absent := [key for key in keys if key not in resamples.values]:
            missing[row.id] = say(
                "uncertain.no_metric", metric=card.metric(absent[0]).title, again=_again(row.record)
            )
        else:
            found[row.id] = resamples
    shared = agreed([resamples.identity for resamples in found.values()])
    for name in [name for name, resamples in found.items() if resamples.identity != shared]:
        missing[name] = OTHER_CASES
        del found[name]
    for name in [name for name in found if undefined_share(found[name].values[keys[0]]) > MAX_UNDEFINED]:
        missing[name] = say("uncertain.undefined", metric=card.ranking.title)
        del found[name]
    rows = tuple(row for row in ranked if row.id in found)
    if not rows:
        return None
    return _sample(rows, [found[row.id] for row in rows], card, half, missing)


def _sample(
    rows: tuple[Row, ...], found: list[Resamples], card: Card, half: HalfName, missing: dict[str, str]
) -> Sample:
    columns = [card.ranking, *(card.metric(key) for key in card.tie_breakers)]
    values = [np.stack([item.values[metric.key] for item in found], axis=1) for metric in columns]
    points = [scored(half_of(row.record, half), card.ranking.key) for row in rows]
    parts = [item.parts for item in found]
    whole = [part for part in parts if part is not None and not np.isnan(part).all()]
    return Sample(
        rows=rows,
        scores=np.array([np.nan if v is None else round(v, card.decimals) for v in points]),
        resampled=values[0],
        keys=tuple(_key(v, m, card.decimals) for v, m in zip(values, columns, strict=True)),
        higher_is_better=card.ranking.higher_is_better,
        patients=found[0].patients,
        parts=np.stack(whole) if len(whole) == len(parts) else None,
        missing=missing,
    )


def _key(values: NDArray[np.float64], metric: MetricFacts, decimals: int) -> NDArray[np.float64]:
    """Return values as the board compares them: rounded, larger is better."""
    return np.round(values if metric.higher_is_better else -values, decimals)


def agreed(draws: Sequence[tuple[str, int, int]]) -> tuple[str, int, int] | None:
    """Return the draws that most entries have; of as many the first in the alphabet."""
    votes = Counter(draws)
    return min(votes, key=lambda identity: (-votes[identity], identity), default=None)


# --------------------------------------------------------------------------------------- by case
def sample_by_case(ranked: Sequence[Row], by_case: ByCase) -> Sample | None:
    """Return the ranked entries' rank scores in each resample; None without an entry."""
    if not ranked:
        return None
    scores = [by_case.scores[row.id].value for row in ranked]
    exact = np.abs(by_case.sums).max(initial=0) < 2**24  # then single precision holds every sum
    return Sample(
        rows=tuple(ranked),
        scores=np.array([np.nan if value is None else value for value in scores]),
        resampled=by_case.sums / by_case.divisors[:, None],
        keys=((-by_case.sums).astype(np.float32 if exact else np.float64),),
        higher_is_better=False,
        patients=by_case.patients,
    )
