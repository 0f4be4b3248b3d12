"""What the page that compares two entries needs: every pair of a board's first entries, as one file.

The numbers are those of `leaderboard.comparison`, which the terminal shows too. Of the sealed test set only
metrics over all cases leave this module; single cases are out-of-fold ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Any

from harness.comparisons import FoldTest
from harness.records import RunRecord
from harness.resamples import Resamples
from leaderboard.case_ranks import Found, Reader
from leaderboard.comparison import Comparison, MetricDifference, compare
from leaderboard.resampled import ResampleReader
from leaderboard.standings import HalfName, Standings
from leaderboard.table import embedded
from leaderboard.text import clean

__all__ = ["MOST_ENTRIES", "as_script", "comparisons"]

MOST_ENTRIES = 20


def comparisons(standing: Standings, resampled: ResampleReader, read: Reader) -> tuple[Comparison, ...]:
    """Compare the first ranked entries with each other; pairs without any interval are left out.

    Each file is read once, however many pairs its run is in.
    """
    runs = {row.record.run_id: row.record for row in standing.ranked[:MOST_ENTRIES]}

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

    pairs = combinations(standing.ranked[:MOST_ENTRIES], 2)
    found = (compare(a, b, standing, drawn_of, table_of) for a, b in pairs)
    return tuple(item for item in found if any(_known(metric) for _, metric in _metrics(item)))


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
