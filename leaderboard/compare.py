"""What the page that compares two entries needs: every pair of a board's first entries, as one file.

The numbers are those of `leaderboard.comparison`, which the terminal shows too. Of the sealed test set only
metrics over all cases leave this module; single cases are out-of-fold ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.comparisons import FoldTest, paired_p
from harness.records import Interval, RunRecord
from harness.resamples import Resamples
from leaderboard.card import Card
from leaderboard.case_ranks import HALVES, Found, Reader
from leaderboard.comparison import Comparison, Difference, MetricDifference, compare
from leaderboard.judging import finite, half_of, scored
from leaderboard.resampled import ResampleReader, agreed
from leaderboard.standings import HalfName, Row, Standings
from leaderboard.table import embedded
from leaderboard.text import clean

__all__ = ["MOST_ENTRIES", "as_script", "can_compare", "comparisons", "has_page"]

MOST_ENTRIES = 20


def comparisons(standing: Standings, resampled: ResampleReader, read: Reader) -> tuple[Comparison, ...]:
    """Compare the first ranked entries with each other; pairs without any interval are left out.

    Each file is read once, however many pairs its run is in.
    """
    rows = standing.ranked[:MOST_ENTRIES]
    runs = {row.record.run_id: row.record for row in rows}

    @cache
    def drawn(run_id: str, half: HalfName) -> Resamples | str:
        return resampled(runs[run_id], half)

    @cache
    def table(run_id: str, columns: tuple[str, ...]) -> Found | str:
        return read(runs[run_id], columns)

    def drawn_of(record: RunRecord, half: HalfName) -> Resamples | str:
        return drawn(record.run_id, half)

    def table_of(record: RunRecord, columns: tuple[str, ...]) -> Found | str:
        return table(record.run_id, columns)

    known = {half: _differences(rows, standing.card, half, drawn_of) for half in HALVES}
    found = (compare(a, b, standing, drawn_of, table_of, known) for a, b in combinations(rows, 2))
    return tuple(item for item in found if any(_known(metric) for _, metric in _metrics(item)))


def has_page(standing: Standings) -> bool:
    """Say whether a board has a page that compares two of its entries."""
    return len(standing.ranked) > 1


def can_compare(standing: Standings, resampled: ResampleReader) -> bool:
    """Say whether any two of the first entries have an interval of their difference."""
    rows = standing.ranked[:MOST_ENTRIES]
    if standing.by_case is not None:
        return len(rows) > 1
    return any(len(_alike(rows, half, resampled)) > 1 for half in HALVES)


def _alike(rows: Sequence[Row], half: HalfName, resampled: ResampleReader) -> dict[str, Resamples]:
    """Return the resamples of those rows that can be subtracted from each other, by id."""
    read = {row.id: resampled(row.record, half) for row in rows}
    found = {name: item for name, item in read.items() if isinstance(item, Resamples)}
    shared = agreed([item.identity for item in found.values()])
    return {name: item for name, item in found.items() if item.identity == shared}


def _differences(
    rows: Sequence[Row], card: Card, half: HalfName, resampled: ResampleReader
) -> dict[tuple[str, str, str], Difference]:
    """Return the differences of all pairs at once, by both rows and metric: one by one takes far longer.

    What is undefined in any resample is left to `compare`.
    """
    alike = _alike(rows, half, resampled)
    found: dict[tuple[str, str, str], Difference] = {}
    for key in [metric.key for metric in card.metrics]:
        points = {row.id: scored(half_of(row.record, half), key) for row in rows if row.id in alike}
        drawn = {
            name: values
            for name, point in points.items()
            if point is not None and (values := alike[name].values.get(key)) is not None
            if len(values) and not np.isnan(values).any()
        }
        if len(drawn) > 1:
            patients = alike[next(iter(drawn))].patients
            scores = np.array([points[name] for name in drawn], dtype=np.float64)
            pairs = zip(
                combinations(drawn, 2), _gaps(scores, np.stack([*drawn.values()]), patients), strict=True
            )
            found |= {(first, second, key): gap for (first, second), gap in pairs}
    return found


def _gaps(scores: NDArray[np.float64], resampled: NDArray[np.float64], patients: int) -> Iterator[Difference]:
    """Yield the difference of each pair with its interval and p, as `compare` has them one by one."""
    first, second = np.triu_indices(len(scores), 1)
    points, gaps = scores[first] - scores[second], resampled[first] - resampled[second]
    low, high = np.quantile(gaps, [0.025, 0.975], axis=1)
    p = paired_p(points, gaps.std(axis=1, ddof=1), patients)
    columns = zip(points.tolist(), low.tolist(), high.tolist(), p.tolist(), strict=True)
    yield from ((Interval(*ends), finite(chance)) for *ends, chance in columns)


def _metrics(item: Comparison) -> list[tuple[HalfName, MetricDifference]]:
    return [(half.half, metric) for half in item.halves for metric in half.metrics]


def _known(metric: MetricDifference) -> bool:
    return metric.difference is not None and metric.difference.low is not None


# ------------------------------------------------------------------------------------ for scripts
def as_script(found: Sequence[Comparison], metric: str) -> bytes:
    """Return the file that gives the comparisons to the page, by "first second".

    `metric` is the key of the metric that single cases add to.
    """
    content = {
        "metric": metric,
        "pairs": {f"{item.first.id} {item.second.id}": _pair(item) for item in found},
    }
    return f"window.PAIRS = {embedded(content)};\n".encode()


def _pair(item: Comparison) -> dict[str, Any]:
    return {
        "differences": {
            f"{metric.key} {half}": [_short(v) for v in (gap.value, gap.low, gap.high, metric.p)]
            for half, metric in _metrics(item)
            if (gap := metric.difference) is not None and _known(metric)
        },
        "folds": _folds(item.folds),
        "cases": [[clean(one.case, 60), _short(one.first), _short(one.second)] for one in item.cases],
    }


def _folds(test: FoldTest | None) -> list[float | None] | None:
    """Return mean, interval, p and number of folds; None without a test."""
    if test is None or not math.isfinite(test.p):
        return None
    return [*(_short(v) for v in (test.mean, test.low, test.high, test.p)), test.folds]


def _short(value: float | None) -> float | None:
    """Return a number with six significant digits; None for one that is undefined."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
