"""Any two entries of a board side by side, and what decides between them, for the page that compares them.

Two entries answer the same cases, so their difference is taken case by case. That is possible for a metric
that is a mean over cases: one whose value in every run's record is the mean of a column of its scores by
case. Of the sealed test set only sums over all cases leave this module; single cases are out-of-fold ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.statistics import bootstrap_counts
from leaderboard.case_ranks import FILE, HALVES
from leaderboard.standings import HalfName, Row, Standings, half_of, scored
from leaderboard.table import embedded
from leaderboard.text import clean

__all__ = ["Comparison", "DecidingCase", "Difference", "as_script", "comparisons", "paired_difference"]

MOST_ENTRIES, MOST_METRICS, MOST_CASES = 20, 12, 5
RESAMPLES, SWAPS, SEED = 1000, 2000, 0
SAME = 1e-9
"""How far the mean of a column may lie from a record's value, which was summed in another order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """First entry minus second, in one metric on one half."""

    key: str
    half: HalfName
    value: float
    low: float
    high: float
    """95 % percentile bootstrap interval over patients."""
    p: float
    """Two-sided permutation test over patients."""


@dataclass(frozen=True, slots=True)
class DecidingCase:
    """One out-of-fold case and both scores."""

    case: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two entries."""

    first: str
    second: str
    """Ids of their rows."""
    differences: tuple[Difference, ...]
    metric: str
    """The metric that the cases are chosen by; "" without any."""
    cases: tuple[DecidingCase, ...]
    """The largest differences for the first entry, then those for the second."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One metric on one half, by entry and case."""

    key: str
    half: HalfName
    higher_is_better: bool
    cases: tuple[str, ...]
    patients: tuple[str, ...]
    values: NDArray[np.float64]
    """(entries, cases)."""


def comparisons(standing: Standings, runs: Path) -> tuple[Comparison, ...]:
    """Compare the first ranked entries with each other, those whose scores by case lie in their folders."""
    tables = {row.id: table for row in standing.ranked[:MOST_ENTRIES] if (table := _read(runs, row))}
    rows = [row for row in standing.ranked[:MOST_ENTRIES] if row.id in tables]
    scores = tuple(_mean_metrics(standing, rows, tables))[: 2 * MOST_METRICS]
    pairs = list(combinations(range(len(rows)), 2))
    if not pairs or not scores:
        return ()
    found = [paired_difference(item, pairs) for item in scores]
    shown = next((item for item in scores if item.half == "cv"), None)
    return tuple(
        Comparison(
            rows[a].id,
            rows[b].id,
            tuple(differences[place] for differences in found),
            shown.key if shown else "",
            _deciding(shown, a, b) if shown else (),
        )
        for place, (a, b) in enumerate(pairs)
    )


def paired_difference(scores: Scores, pairs: Sequence[tuple[int, int]]) -> tuple[Difference, ...]:
    """Return the difference of each pair of rows, on the cases where both have a value.

    The interval resamples patients; p is the share of random swaps of the two entries, patient by patient,
    with a difference as large as the one seen, itself counted.
    """
    first, second = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    gap = scores.values[first] - scores.values[second]  # (pairs, cases)
    known = np.isfinite(gap)
    gap, weight = np.where(known, gap, 0.0), known.astype(np.float64)
    counts = bootstrap_counts(scores.patients, RESAMPLES, SEED).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = gap.sum(axis=1) / weight.sum(axis=1)
        resampled = (counts @ gap.T) / (counts @ weight.T)
    low, high = np.nanquantile(resampled, [0.025, 0.975], axis=0)
    p = _swapped(gap, scores.patients)
    rows = zip(value.tolist(), low.tolist(), high.tolist(), p.tolist(), strict=True)
    return tuple(Difference(scores.key, scores.half, *row) for row in rows)


def _swapped(gap: NDArray[np.float64], patients: Sequence[str]) -> NDArray[np.float64]:
    """Return the two-sided p-value of each row's sum under random signs of whole patients."""
    names, patient = np.unique(np.asarray(patients, dtype=np.str_), return_inverse=True)
    sums = np.zeros((len(gap), len(names)))
    np.add.at(sums.T, patient, gap.T)
    seen = np.abs(sums.sum(axis=1))
    signs = 2.0 * np.random.default_rng(SEED).integers(0, 2, size=(SWAPS, len(names))) - 1.0
    at_least = (np.abs(signs @ sums.T) >= seen * (1 - SAME) - SAME).sum(axis=0)
    return np.asarray((1 + at_least) / (1 + SWAPS))


def _deciding(scores: Scores, a: int, b: int) -> tuple[DecidingCase, ...]:
    """Return the cases with the largest differences in favour of each."""
    gap = scores.values[a] - scores.values[b]
    better = np.where(np.isfinite(gap), gap if scores.higher_is_better else -gap, 0.0)
    order = np.argsort(-better, kind="stable")
    chosen = [k for k in order[:MOST_CASES] if better[k] > 0]
    chosen += [k for k in order[::-1][:MOST_CASES] if better[k] < 0]
    return tuple(
        DecidingCase(scores.cases[k], float(scores.values[a, k]), float(scores.values[b, k])) for k in chosen
    )


# ------------------------------------------------------------------------------- scores by case
Table = Mapping[str, Sequence[Any]]


def _read(runs: Path, row: Row) -> Table | None:
    """Return a run's scores by case, column by column; None where there are none to read."""
    if not re.fullmatch(r"\w[\w.\-]*", row.record.run_id):
        return None
    path = runs / row.record.challenge.name / row.record.run_id / FILE
    if not path.is_file():
        return None
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, use_threads=False)
    except (OSError, pa.ArrowException):
        return None
    if not {"case", "patient", "half"} <= set(table.column_names):
        return None
    return {name: table[name].to_pylist() for name in table.column_names}


def _mean_metrics(standing: Standings, rows: Sequence[Row], tables: Mapping[str, Table]) -> Iterator[Scores]:
    """Yield every metric and half for which all these entries have scores by case of the same cases."""
    if len(rows) < 2:
        return
    for half in HALVES:
        found = [_half(tables[row.id], half) for row in rows]
        cases, patients, _ = found[0]
        if not cases or any(other[:2] != (cases, patients) for other in found):
            continue
        for metric in standing.card.metrics:
            wanted = [scored(half_of(row.record, half), metric.key) for row in rows]
            values = _column(metric.key, wanted, [columns for _, _, columns in found])
            if values is not None:
                yield Scores(metric.key, half, metric.higher_is_better, cases, patients, values)


def _half(table: Table, half: HalfName) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    """Return cases, patients and the numbers of a half, sorted by case."""
    rows = sorted(
        (k for k, name in enumerate(table["half"]) if name == half), key=lambda k: str(table["case"][k])
    )
    columns = {}
    for name, values in table.items():
        if name in ("case", "patient", "half", "fold"):
            continue
        chosen = [values[k] for k in rows]
        if all(value is None or isinstance(value, bool | int | float) for value in chosen):
            columns[name] = np.array([np.nan if v is None else v for v in chosen], dtype=np.float64)
    return tuple(str(table["case"][k]) for k in rows), tuple(str(table["patient"][k]) for k in rows), columns


def _column(
    key: str, wanted: Sequence[float | None], columns: Sequence[Mapping[str, NDArray[np.float64]]]
) -> NDArray[np.float64] | None:
    """Return the column whose mean is the metric's value in every run; of several the one of its name."""
    if any(value is None for value in wanted):
        return None
    names = sorted(set.intersection(*(set(found) for found in columns)), key=lambda name: (name != key, name))
    for name in names:
        values = np.stack([found[name] for found in columns])
        known = np.isfinite(values)
        means = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        if np.allclose(means, np.array(wanted, dtype=np.float64), rtol=SAME, atol=SAME):
            return values
    return None


# ------------------------------------------------------------------------------------ for scripts
def as_script(found: Sequence[Comparison]) -> bytes:
    """Return the file that gives the comparisons to the page, by "first second"."""
    content = {
        "swaps": SWAPS,
        "entries": len({name for item in found for name in (item.first, item.second)}),
        "pairs": {f"{item.first} {item.second}": _pair(item) for item in found},
    }
    return f"window.PAIRS = {embedded(content)};\n".encode()


def _pair(item: Comparison) -> dict[str, Any]:
    return {
        "differences": {
            f"{one.key} {one.half}": [_short(v) for v in (one.value, one.low, one.high, one.p)]
            for one in item.differences
        },
        "metric": item.metric,
        "cases": [[clean(one.case, 60), _short(one.first), _short(one.second)] for one in item.cases],
    }


def _short(value: float) -> float | None:
    """Return a number with six significant digits; None for one that is undefined."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
