"""The rule of BraTS 2017-2020: entries are ranked for each case and column, then by the mean of these ranks.

The scores by case lie in each run's cases.parquet, which is private: of the sealed test set they would
spell out labels. What leaves this module are sums over all cases, intervals and p-values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.ranking import as_one_more, case_ranks, first_against_all, holm, permutation_test, ranks
from harness.records import Interval, RunRecord
from harness.statistics import bootstrap_counts, percentile_interval
from leaderboard.card import Card
from leaderboard.judging import ROUNDING, HalfName, Judged, age, half_of, scored
from leaderboard.wording import say

__all__ = [
    "HALVES",
    "PERMUTATIONS",
    "ByCase",
    "CaseScores",
    "CaseTables",
    "Field",
    "Reader",
    "against_leader",
    "case_files",
]

FILE = "cases.parquet"
RESAMPLES = 1000
PERMUTATIONS = 20_000
MOST_COMPARISONS = 500_000_000
"""Pairs times swaps: a thousand entries are compared in about a second, with a thousand swaps a pair."""
MOST_PAIRED = 1000

HALVES: tuple[HalfName, HalfName] = ("cv", "test")
WORDS = {"cv": say("cases.half_cv"), "test": say("cases.half_test")}
AGAIN = say("cases.again")
MISSING = say("cases.missing", file=FILE, again=AGAIN)
UNREADABLE = say("cases.unreadable", file=FILE, again=AGAIN)

Cases = tuple[tuple[str, str], ...]
"""Case and patient, sorted."""


@dataclass(frozen=True, slots=True)
class CaseScores:
    """The scores of one run on one half, by case."""

    cases: Cases
    values: NDArray[np.float64]
    """(cases, columns)."""


Found = Mapping[HalfName, CaseScores | str]
"""By half, what a run's file holds, or a sentence on what is wrong with it."""
Reader = Callable[[RunRecord, tuple[str, ...]], Found | str]
"""Record and columns to what the run's file holds, or a sentence on why it cannot be read."""


# -------------------------------------------------------------------------------------- reading
def case_files(runs: Path) -> Reader:
    """Return a reader of the runs' cases.parquet."""

    def read(record: RunRecord, columns: tuple[str, ...]) -> Found | str:
        if not re.fullmatch(r"\w[\w.\-]*", record.run_id):
            return MISSING
        return _read(runs / record.challenge.name / record.run_id / FILE, columns)

    return read


def _read(path: Path, columns: tuple[str, ...]) -> Found | str:
    """Read the columns of a file; pyarrow is loaded here, for boards of this rule alone."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:  # small: no thread is worth its start
            names = ("case", "patient", "half", *columns)
            if absent := [name for name in names if name not in file.schema_arrow.names]:
                return say("cases.no_column", file=FILE, column=repr(absent[0]), again=AGAIN)
            table = file.read(columns=list(names), use_threads=False)
        if any(table[name].null_count for name in names[:3]):
            return UNREADABLE
        words = [np.array(table[name].cast(pa.string()).to_pylist(), dtype=np.str_) for name in names[:3]]
        values = np.empty((table.num_rows, len(columns)))
        for place, name in enumerate(columns):
            values[:, place] = table[name].cast(pa.float64()).to_numpy()
    except FileNotFoundError:
        return MISSING
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return UNREADABLE
    return _by_half(words, values)


def _by_half(words: Sequence[NDArray[np.str_]], values: NDArray[np.float64]) -> Found:
    """Return the rows of each half, sorted by case."""
    case, patient, halves = words
    found: dict[HalfName, CaseScores | str] = {}
    for half in HALVES:
        rows = np.flatnonzero(halves == half)
        rows = rows[np.argsort(case[rows])]
        if (case[rows[1:]] == case[rows[:-1]]).any():
            found[half] = say("cases.twice", file=FILE, half=WORDS[half], again=AGAIN)
        elif len(rows):
            cases = zip(case[rows].tolist(), patient[rows].tolist(), strict=True)
            found[half] = CaseScores(tuple(cases), values[rows])
    return found


# -------------------------------------------------------------------------------------- judging
@dataclass(frozen=True, slots=True)
class CaseTables:
    """The scores by case of a board's complete runs."""

    card: Card
    found: Mapping[str, Found | str]
    """By run id."""
    cases: Mapping[HalfName, Cases]
    """Of the board: those that most of its complete runs hold whole; of as many, those of the newest."""

    @classmethod
    def of(cls, runs: Iterable[Judged], card: Card, read: Reader) -> CaseTables:
        """Read the files of the runs that are complete so far."""
        records = sorted((run.record for run in runs if run.status == "complete"), key=age)
        found = {record.run_id: read(record, card.columns) for record in records}
        cases = {half: _agreed([_cases(r, found[r.run_id], half) for r in records]) for half in HALVES}
        return cls(card, found, cases)

    def checked(self, run: Judged, half: HalfName) -> Judged:
        """Return a complete run as it is, or with what is wrong with its scores by case on that half."""
        if run.status != "complete":
            return run
        if wrong := self._unmatched(run.record, half):
            return replace(run, status="unmatched", reason=wrong)
        wrong = self._outside(run.record, half)
        return replace(run, status="invalid", reason=wrong) if wrong else run

    def whole(self, record: RunRecord) -> bool:
        """Say whether a run can be ranked on both halves."""
        key = self.card.ranking.key
        return all(
            scored(half_of(record, half), key) is not None
            and not (self._unmatched(record, half) or self._outside(record, half))
            for half in HALVES
        )

    def _unmatched(self, record: RunRecord, half: HalfName) -> str:
        """Return a sentence on why a half's scores by case cannot be compared; "" if they can."""
        found = self.found.get(record.run_id, MISSING)
        scores = found if isinstance(found, str) else found.get(half, MISSING)
        if isinstance(scores, str):
            return scores
        cases, expected = self.cases[half], _expected(record, half)
        if scores.cases == cases and expected == len(cases):
            return ""
        shared: dict[str, object] = {"file": FILE, "half": WORDS[half], "again": AGAIN}
        if len(scores.cases) != expected:
            return say("cases.other_number", held=len(scores.cases), expected=expected, **shared)
        held = len(set(cases) & set(scores.cases))
        return say("cases.other_cases", held=held, expected=len(cases), **shared)

    def _outside(self, record: RunRecord, half: HalfName) -> str:
        """Return a sentence on the first column with a value that its metric cannot have; "" if none has.

        It names no case and no value: of the sealed test set neither is for the board.
        """
        for column, values in zip(self.card.columns, self.scores(record, half).T, strict=True):
            metric = self.card.metric(column)
            inside = (values >= metric.low - ROUNDING) & (values <= metric.high + ROUNDING)
            if not (inside | np.isnan(values)).all():
                return say("cases.outside", metric=metric.title, half=WORDS[half])
        return ""

    def scores(self, record: RunRecord, half: HalfName) -> NDArray[np.float64]:
        """Return the scores by case of a run that nothing is wrong with, (cases, columns)."""
        found = self.found[record.run_id]
        scores = found if isinstance(found, str) else found[half]
        if isinstance(scores, str):
            raise ValueError(scores)
        return scores.values

    def field(self, records: Sequence[RunRecord], half: HalfName) -> Field:
        """Rank runs that nothing is wrong with against each other."""
        cases = self.cases[half]
        shape = (len(records), len(cases), len(self.card.columns))
        values = np.array([self.scores(record, half) for record in records]).reshape(shape)
        higher = tuple(self.card.metric(column).higher_is_better for column in self.card.columns)
        names = tuple(record.run_id for record in records)
        return Field(names, values, higher, tuple(patient for _, patient in cases))


def _expected(record: RunRecord, half: HalfName) -> int:
    part = half_of(record, half)
    return 0 if part is None else part.n_expected


def _cases(record: RunRecord, found: Found | str, half: HalfName) -> Cases:
    """Return the cases that a run's file holds of a half; none if they are not all."""
    scores = found if isinstance(found, str) else found.get(half, "")
    if isinstance(scores, str) or len(scores.cases) != _expected(record, half):
        return ()
    return scores.cases


def _agreed(held: Sequence[Cases]) -> Cases:
    """Return the cases that most runs hold; of as many, those of the last."""
    known: list[Cases] = []
    votes: list[tuple[int, int]] = []
    for place, cases in enumerate(held):
        if cases and cases not in known:
            known.append(cases)
            votes.append((0, 0))
        if cases:
            votes[known.index(cases)] = (votes[known.index(cases)][0] + 1, place)
    return max(zip(votes, known, strict=True), default=((0, 0), ()))[1]


# -------------------------------------------------------------------------------------- ranking
@dataclass(frozen=True, slots=True)
class Beside:
    """One more run beside those of a field."""

    sum: int
    """Its ranks, summed and doubled."""
    others: Mapping[str, int]
    """Those of the field's runs, which rank behind it or not."""
    score: Interval


@dataclass(frozen=True)
class Field:
    """Runs that are ranked against each other on one half."""

    names: tuple[str, ...]
    """Run ids."""
    values: NDArray[np.float64]
    """(runs, cases, columns)."""
    higher: tuple[bool, ...]
    """Of each column, whether more is better."""
    patients: tuple[str, ...]
    """Of each case."""

    @cached_property
    def cumulative(self) -> NDArray[np.int64]:
        """Each run's ranks of each patient, summed over cases and columns, doubled, (runs, patients)."""
        return self._by_patient(case_ranks(ranks(self.values, self.higher)))

    @cached_property
    def sums(self) -> Mapping[str, int]:
        """Each run's ranks, summed and doubled: a whole number, so that equal is equal. Less is better."""
        return dict(zip(self.names, self.cumulative.sum(axis=1).tolist(), strict=True))

    def scores(self) -> dict[str, Interval]:
        """Return each run's final rank score with its 95 % bootstrap interval over patients."""
        found = self._intervals(self.cumulative, len(self.names))
        return dict(zip(self.names, found, strict=True))

    def cumulative_of(self, records: Iterable[RunRecord]) -> NDArray[np.int64]:
        """Return the rows of `cumulative` in the order of the records."""
        places = {name: place for place, name in enumerate(self.names)}
        return self.cumulative[[places[record.run_id] for record in records]]

    def resampled(self, records: Iterable[RunRecord]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the runs' ranks sum up to in each resample, and what divides them into scores.

        (resamples, runs) whole numbers, doubled, and (resamples,).
        """
        worst = 2 * len(self.names) * len(self.higher)
        drawn = worst * (np.bincount(self._patient) @ self._drawn)
        return np.asarray((self.cumulative_of(records) @ self._drawn).T), np.asarray(drawn)

    def beside(self, values: NDArray[np.float64]) -> Beside:
        """Return what one more run would have, alone."""
        own, added = as_one_more(self.values, values, self.higher)
        others = {name: self.sums[name] + int(more) for name, more in zip(self.names, added, strict=True)}
        cumulative = self._by_patient(own[None])
        (score,) = self._intervals(cumulative, len(self.names) + 1)
        return Beside(int(own.sum()), others, score)

    @cached_property
    def _patient(self) -> NDArray[np.intp]:
        return np.unique(np.asarray(self.patients, dtype=np.str_), return_inverse=True)[1]

    def _by_patient(self, by_case: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.zeros((len(set(self.patients)), len(by_case)), dtype=np.int64)
        np.add.at(found, self._patient, by_case.T)
        return np.ascontiguousarray(found.T)

    @cached_property
    def _drawn(self) -> NDArray[np.float64]:
        """How often each patient occurs in each resample, (patients, resamples)."""
        patients = sorted(set(self.patients))
        return bootstrap_counts(patients, RESAMPLES).T.astype(np.float64)

    def _intervals(self, cumulative: NDArray[np.int64], runs: int) -> list[Interval]:
        sizes = np.bincount(self._patient)
        worst = 2 * runs * len(self.higher)
        values = cumulative.sum(axis=1) / (worst * len(self.patients))
        resampled = (cumulative @ self._drawn) / (worst * (sizes @ self._drawn))
        ends = (percentile_interval(row) for row in resampled)
        return [Interval(float(v), *end) for v, end in zip(values, ends, strict=True)]


# --------------------------------------------------------------------------------- significance
@dataclass(frozen=True)
class ByCase:
    """What the ranks by case of a board come to; rows are named by their ids."""

    scores: Mapping[str, Interval]
    """The final rank score on the half that ranks; of a reference: what it would have as one more entry."""
    others: Mapping[str, Interval]
    """The same on the other half, among the entries that have both."""
    ranked: tuple[str, ...]
    """Best first."""
    against_leader: Mapping[str, tuple[float, float]]
    """p-value of every ranked entry but the first, as it is and with Holm's correction."""
    cases: int
    patients: int
    cumulative: NDArray[np.int64] = field(repr=False, compare=False)
    """Of the ranked, (entries, patients): for sums alone, never shown."""
    sums: NDArray[np.float64] = field(repr=False, compare=False)
    """Of the ranked, their rank sums in each resample, (resamples, entries)."""
    divisors: NDArray[np.float64] = field(repr=False, compare=False)
    """What makes them scores, (resamples,)."""

    def of(self, name: str, *, main: bool = True) -> Interval | None:
        """Return a row's score on the half that ranks, or on the other; None if it has none."""
        return (self.scores if main else self.others).get(name)

    @cached_property
    def pairs(self) -> NDArray[np.float64]:
        """The p-value of each pair of the first `MOST_PAIRED`, not corrected, (entries, entries)."""
        found = permutation_test(self.cumulative[:MOST_PAIRED], self.swaps)
        for place, name in enumerate(self.ranked[1:MOST_PAIRED], start=1):
            found[0, place] = found[place, 0] = self.against_leader[name][0]
        return found

    @property
    def swaps(self) -> int:
        """How many random swaps a pair gets; a pair with the leader always gets `PERMUTATIONS`."""
        entries = min(len(self.ranked), MOST_PAIRED)
        return min(PERMUTATIONS, MOST_COMPARISONS // max(1, entries * (entries - 1) // 2))


def against_leader(names: Sequence[str], cumulative: NDArray[np.int64]) -> dict[str, tuple[float, float]]:
    """Return the p-value of each but the first against the first, as it is and with Holm's correction."""
    p = first_against_all(cumulative, PERMUTATIONS)[1:] if len(names) > 1 else np.empty(0)
    pairs = zip(p.tolist(), holm(p).tolist(), strict=True)
    return dict(zip(names[1:], pairs, strict=True))
