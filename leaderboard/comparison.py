"""Two entries of one board, and what their difference is worth: metric by metric, fold by fold, case by case.

Both were resampled with the same draws, so the difference in each resample needs neither predictions nor
truth. Single cases are out-of-fold ones only: of the sealed test set they would spell out labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.comparisons import FoldTest, corrected_fold_test, difference_errors, paired_p
from harness.ranking import first_against_all
from harness.records import Interval, RunRecord
from harness.resamples import Resamples
from harness.statistics import percentile_interval
from leaderboard.case_ranks import PERMUTATIONS, ByCase, Reader
from leaderboard.judging import HalfName, finite, half_of, scored
from leaderboard.resampled import ResampleReader
from leaderboard.spread import by_fold, sizes_of
from leaderboard.standings import Row, Standings
from leaderboard.text import clean

__all__ = [
    "Comparison",
    "DecidingCase",
    "Difference",
    "HalfComparison",
    "KnownDifferences",
    "MetricDifference",
    "compare",
    "rank_score_difference",
    "ranking_difference",
]

MOST_CASES = 5
RANK_SCORE = "rank_score"


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """One metric of two entries on the same cases."""

    key: str
    title: str
    higher_is_better: bool
    first: float | None
    second: float | None
    difference: Interval | None
    """First minus second, with its 95 % interval over resampled patients; None where one has no value."""
    p: float | None
    """Two-sided, of this comparison alone; None without resamples of both."""

    @property
    def better(self) -> str:
        """Which entry has the better value: "first", "second", or "" where they are equal or unknown."""
        gap = self.difference.value if self.difference else None
        if not gap:
            return ""
        return "first" if (gap > 0) == self.higher_is_better else "second"


@dataclass(frozen=True, slots=True)
class HalfComparison:
    """All metrics on one half."""

    half: HalfName
    cases: int
    patients: int | None
    metrics: tuple[MetricDifference, ...]
    """What ranks is the first. Empty where the two cannot be compared."""
    reason: str
    """Why there are no intervals, or no comparison at all; empty if there are."""


@dataclass(frozen=True, slots=True)
class DecidingCase:
    """An out-of-fold case on which the two entries differ most."""

    case: str
    first: float
    second: float
    """What the case adds to the metric that ranks, higher is better."""

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.first - self.second


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two entries of one board."""

    first: Row
    second: Row
    halves: tuple[HalfComparison, ...]
    """The half that ranks first."""
    folds: FoldTest | None
    """Of the ranking metric's differences, first minus second, on the same folds, with Nadeau and Bengio's
    correction; None where the two did not train on the same folds."""
    cases: tuple[DecidingCase, ...]
    """Best for the first entry, then best for the second, each from the largest difference on."""
    cases_reason: str
    """Why there are none; empty if there are."""


Difference = tuple[Interval | None, float | None]
"""Of a metric, with its interval and p."""
KnownDifferences = Mapping[HalfName, Mapping[tuple[str, str, str], Difference]]
"""By half, then by the ids of both rows and the metric."""


def compare(
    first: Row,
    second: Row,
    standing: Standings,
    resampled: ResampleReader,
    read: Reader | None = None,
    known: KnownDifferences | None = None,
) -> Comparison:
    """Return the differences of two rows of a board; `read` gives the cases' ids.

    `known` are differences that were computed before, for all pairs of a board at once.
    """
    other: HalfName = "cv" if standing.half == "test" else "test"
    cases, reason = _deciding(first.record, second.record, resampled, read)
    halves = (standing.half, other)
    return Comparison(
        first=first,
        second=second,
        halves=tuple(
            _half(first, second, standing, half, resampled, (known or {}).get(half, {})) for half in halves
        ),
        folds=_folds(first.record, second.record, standing.card.ranking.key),
        cases=cases,
        cases_reason=reason,
    )


# ----------------------------------------------------------------------------------- by metric
def _half(
    first: Row,
    second: Row,
    standing: Standings,
    half: HalfName,
    resampled: ResampleReader,
    before: Mapping[tuple[str, str, str], Difference],
) -> HalfComparison:
    a, b = half_of(first.record, half), half_of(second.record, half)
    if a is None or b is None or a.n_expected != b.n_expected:
        return HalfComparison(half, 0, None, (), "not both have scores of the same cases")
    if differ := _incomparable(first.record, second.record, half):
        return HalfComparison(half, a.n_expected, None, (), differ)
    drawn = _pair(first.record, second.record, half, resampled)
    known = None if isinstance(drawn, str) else drawn
    ranked = rank_score_difference(first, second, standing) if half == standing.half else None
    metrics = tuple(_metrics(first, second, standing, half, known, before))
    return HalfComparison(
        half=half,
        cases=a.n_expected,
        patients=known[0].patients if known else None,
        metrics=(ranked, *metrics) if ranked else metrics,
        reason=drawn if isinstance(drawn, str) else "",
    )


def _incomparable(first: RunRecord, second: RunRecord, half: HalfName) -> str:
    """Return why numbers of two records cannot be subtracted; "" if they can."""
    if first.challenge.digest != second.challenge.digest:
        return "they were scored by two versions of the scorer"
    if half == "test" and first.data.truth_digest != second.data.truth_digest:
        return "they were scored against two test truths"
    return ""


def _pair(
    first: RunRecord, second: RunRecord, half: HalfName, resampled: ResampleReader
) -> tuple[Resamples, Resamples] | str:
    a, b = resampled(first, half), resampled(second, half)
    for record, found in ((first, a), (second, b)):
        if isinstance(found, str):
            return f"{clean(record.entry.name, 60)}: {found}"
    if isinstance(a, str) or isinstance(b, str) or a.identity != b.identity:
        return "their resamples were drawn from different cases"
    return a, b


def _metrics(
    first: Row,
    second: Row,
    standing: Standings,
    half: HalfName,
    drawn: tuple[Resamples, Resamples] | None,
    before: Mapping[tuple[str, str, str], Difference],
) -> Iterator[MetricDifference]:
    """Yield the metrics that at least one of the entries has."""
    for metric in standing.card.metrics:
        a, b = (scored(half_of(row.record, half), metric.key) for row in (first, second))
        if a is None and b is None:
            continue
        known = before.get((first.id, second.id, metric.key)) if drawn is not None else None
        difference, p = known or _difference(a, b, metric.key, drawn)
        yield MetricDifference(metric.key, metric.title, metric.higher_is_better, a, b, difference, p)


def _difference(
    a: float | None, b: float | None, key: str, drawn: tuple[Resamples, Resamples] | None
) -> Difference:
    if a is None or b is None:
        return None, None
    if drawn is None or not all(key in half.values for half in drawn):
        return Interval(a - b, None, None), None
    resampled = np.stack([drawn[0].values[key], drawn[1].values[key]], axis=1)
    low, high = percentile_interval(resampled[:, 0] - resampled[:, 1])
    if math.isnan(low):
        return Interval(a - b, None, None), None
    errors = difference_errors(resampled[~np.isnan(resampled).any(axis=1)], 1)
    p = paired_p(a - b, errors[0], drawn[0].patients)
    return Interval(a - b, low, high), finite(float(p))


def rank_score_difference(first: Row, second: Row, standing: Standings) -> MetricDifference | None:
    """Return the difference of two ranked entries' rank scores; None on a board of another rule."""
    by_case = standing.by_case
    if by_case is None or not {first.id, second.id} <= set(by_case.ranked):
        return None
    a, b = (by_case.ranked.index(row.id) for row in (first, second))
    gaps = (by_case.sums[:, a] - by_case.sums[:, b]) / by_case.divisors
    scores = [by_case.scores[row.id].value or 0.0 for row in (first, second)]
    p = _swapped(by_case, a, b)
    difference = Interval(scores[0] - scores[1], *percentile_interval(gaps))
    return MetricDifference(RANK_SCORE, "Rank score", False, scores[0], scores[1], difference, p)


def _swapped(by_case: ByCase, a: int, b: int) -> float:
    """Return the p-value of two places: the one that the board shows, if it shows it."""
    if a == b:
        return 1.0
    if max(a, b) < len(by_case.pairs):
        return float(by_case.pairs[a, b])
    return float(first_against_all(by_case.cumulative[[a, b]], PERMUTATIONS)[1])


def ranking_difference(
    first: Row, second: Row, standing: Standings, resampled: ResampleReader
) -> MetricDifference | None:
    """Return the difference in what ranks, on the half that ranks; None where there is none."""
    if standing.card.by_case:
        return rank_score_difference(first, second, standing)
    found = _half(first, second, standing, standing.half, resampled, {}).metrics
    return next((metric for metric in found if metric.key == standing.card.ranking.key), None)


# ------------------------------------------------------------------------------------- by fold
def _folds(first: RunRecord, second: RunRecord, key: str) -> FoldTest | None:
    """Test the mean difference over folds, which the challenge makes: as many folds are the same folds."""
    if first.n_folds != second.n_folds or first.challenge.digest != second.challenge.digest:
        return None
    a, b = by_fold(first, key), by_fold(second, key)
    if a is None or b is None or sorted(a) != sorted(b):
        return None
    return corrected_fold_test([a[fold] - b[fold] for fold in sorted(a)], *sizes_of(first))


# ------------------------------------------------------------------------------------- by case
def _deciding(
    first: RunRecord, second: RunRecord, resampled: ResampleReader, read: Reader | None
) -> tuple[tuple[DecidingCase, ...], str]:
    """Return the out-of-fold cases with the largest differences; or none, and why."""
    if first.cv is None or second.cv is None:
        return (), "not both have out-of-fold predictions"
    if differ := _incomparable(first, second, "cv"):
        return (), differ
    drawn = _pair(first, second, "cv", resampled)
    if isinstance(drawn, str):
        return (), drawn
    a, b = (half.parts for half in drawn)
    names = _cases(first, read)
    if a is None or b is None:
        return (), "the challenge cannot say what a case adds to the score"
    if names is None or not len(names) == len(a) == len(b):
        return (), "the scores by case (cases.parquet) are missing"
    gaps = np.nan_to_num(a - b)
    order = np.argsort(-gaps, kind="stable").tolist()
    chosen = [k for k in order[:MOST_CASES] if gaps[k] > 0]
    chosen += [k for k in order[::-1][:MOST_CASES] if gaps[k] < 0]
    return tuple(DecidingCase(names[k], float(a[k]), float(b[k])) for k in chosen), ""


def _cases(record: RunRecord, read: Reader | None) -> tuple[str, ...] | None:
    """Return the ids of a run's out-of-fold cases, sorted."""
    found = read(record, ()) if read else "no reader"
    half = found if isinstance(found, str) else found.get("cv", "")
    return None if isinstance(half, str) else tuple(clean(case, 80) for case, _ in half.cases)
