"""Records to ranks: pure, and the same for every order of the records.

A board is one challenge on one data set. On it stands, once, every entry that was run or scored:

    ranked      complete, every expected case scored, a finite value of the first metric; where the
                challenge ranks by case, with scores of every case too (`case_ranks`)
    unranked    everything else an entrant sent, last, with the reason, whatever the metric's direction
    references  answers that come with the challenge: never ranked, with the rank they would have
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.records import Interval, RunRecord
from leaderboard.card import Card, Published
from leaderboard.case_ranks import HALVES, ByCase, CaseTables, Field, Reader, against_leader
from leaderboard.judging import (
    HalfName,
    Judged,
    Status,
    age,
    basis_of,
    half_of,
    judge,
    note_of,
    scored,
    standing_of,
    truths_of,
)
from leaderboard.keys import Key, breakers_of, key_of, places
from leaderboard.resampled import ResampleReader, sample_by_case, sample_of
from leaderboard.sealed import TeamLooks, limits_of, shown
from leaderboard.spread import FoldSpread, fold_spread
from leaderboard.uncertainty import Place, Uncertainty, naive_score, over_naive, uncertainty_of

__all__ = [
    "Board",
    "FoldSpread",
    "HalfName",
    "Row",
    "Standings",
    "boards",
    "entry_id",
    "fold_spread",
    "half_of",
    "scored",
    "standings",
]


@dataclass(frozen=True)
class Board:
    """One challenge on one data set; phantom and real scores never meet."""

    challenge: str
    fingerprint: str
    phantom: bool
    records: tuple[RunRecord, ...]
    """Sorted by run id; at least one."""

    @property
    def id(self) -> str:
        """The name of its folder."""
        prefix = "phantom" if self.phantom else "data"
        return f"{prefix}-{_hex(self.fingerprint)}"

    @cached_property
    def newest(self) -> RunRecord:
        """The record that finished last; the data's facts are read from it."""
        return max(self.records, key=age)

    @property
    def options(self) -> str:
        """The challenge's own words that chose the data, as they are typed; empty where it has none."""
        return " ".join(f"{name}={value}" for name, value in self.newest.data.options.items())

    @property
    def scorers(self) -> tuple[str, ...]:
        """The digests of the scorers that made these scores; more than one cannot be compared."""
        return tuple(sorted({record.challenge.digest for record in self.records}))

    @property
    def truths(self) -> tuple[str, ...]:
        """The digests of the known test truths; more than one cannot be compared."""
        return truths_of(self.records)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of the challenge that these records answer."""
        return tuple(sorted({record.challenge.version for record in self.records}))


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as it stands."""

    id: str
    """Safe as a file name: lower-case letters, digits, _ and -."""
    record: RunRecord
    earlier: int
    """Older runs of the same entry."""
    status: Status
    reason: str = ""
    """Why it is not ranked; empty if it is."""
    note: str = ""
    """Says so where a newer run of the entry does not replace this one."""
    rank: int | None = None
    """Ties share a rank (1, 2, 2, 4). Of a reference: where it would stand."""
    cv_rank: int | None = None
    test_rank: int | None = None
    """Both among the ranked entries that have a CV and a test value."""
    reproduced: str = ""
    """The badge that a comparison set; empty without one."""
    place: Place | None = None
    """How sure the rank is; None of what is not ranked, and where no resamples are stored."""
    over_naive: float | None = None
    """The first metric between the best reference answer (0) and the best possible value (1)."""

    @property
    def shift(self) -> int | None:
        """Places won (positive) or lost from CV to test."""
        if self.cv_rank is None or self.test_rank is None:
            return None
        return self.cv_rank - self.test_rank


@dataclass(frozen=True, slots=True)
class Standings:
    """A board, ranked."""

    card: Card
    board: Board | None
    """None: nothing was run yet."""
    half: HalfName
    """The half that ranks."""
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    references: tuple[Row, ...]
    literature: tuple[Published, ...]
    by_case: ByCase | None = None
    """Where the challenge ranks by case."""
    notes: tuple[str, ...] = ()
    """What a reader must know first: an earlier board, sealed scores, a deadline."""
    uncertainty: Uncertainty | None = None
    """How sure the ranks are, where resamples are stored."""
    looks: tuple[TeamLooks, ...] = ()
    """Who has looked at sealed test scores, and how often."""
    as_of: str = ""
    """Says of which earlier moment this is; empty of the board of now."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row that has a page."""
        return self.ranked + self.unranked + self.references


def boards(records: Iterable[RunRecord]) -> tuple[Board, ...]:
    """Group records by challenge and data set; real data first."""
    groups: dict[tuple[str, bool, str], list[RunRecord]] = {}
    for record in records:
        key = (record.challenge.name, record.data.phantom, record.data.fingerprint)
        groups.setdefault(key, []).append(record)
    return tuple(
        Board(name, fingerprint, phantom, tuple(sorted(groups[name, phantom, fingerprint], key=_order)))
        for name, phantom, fingerprint in sorted(groups)
    )


def standings(
    records: Iterable[RunRecord],
    card: Card,
    read: Reader | None = None,
    resampled: ResampleReader | None = None,
) -> Standings:
    """Rank the records of one board; `read` gives the scores by case, where the challenge ranks by them.

    `resampled` gives what ranks in each bootstrap resample; without it the ranks have no intervals.

    Raises:
        ValueError: if the records belong to more than one board, or there is no reader that is needed.
    """
    found = boards(shown(records, card))
    if len(found) > 1:
        raise ValueError(f"records of {len(found)} boards cannot be ranked together")
    board = found[0] if found else None
    runs = board.records if board else ()
    options = runs[0].data.options if runs else {}
    basis = basis_of(runs, card)
    half, judged = basis.half, [judge(run, basis, card) for run in runs]
    tables = _tables(judged, card, read)
    judged = judged if tables is None else [tables.checked(run, half) for run in judged]
    rows = _rows(judged)
    entries = [row for row in rows if row.record.entry.route != "reference"]
    references = [row for row in rows if row.record.entry.route == "reference" and row.status != "outdated"]
    complete = [row for row in entries if row.status == "complete"]
    if tables is None:
        ranked, placed = _by_first_metric(complete, references, card, half)
        by_case = None
    else:
        ranked, placed, by_case = _by_case(complete, references, half, tables)
    found_of = _uncertainty(ranked, card, half, by_case, resampled)
    naive = naive_score(placed, card, half)
    return Standings(
        card=card,
        board=board,
        half=half,
        ranked=tuple(
            replace(
                row,
                place=found_of.places.get(row.id) if found_of else None,
                over_naive=over_naive(row, card, half, naive),
            )
            for row in ranked
        ),
        unranked=tuple(sorted((r for r in entries if r.status != "complete"), key=_unranked_order)),
        references=placed,
        literature=tuple(item for item in card.literature if item.fits(options)),
        by_case=by_case,
        notes=limits_of(board, card),
        uncertainty=found_of,
    )


def _uncertainty(
    ranked: Sequence[Row],
    card: Card,
    half: HalfName,
    by_case: ByCase | None,
    resampled: ResampleReader | None,
) -> Uncertainty | None:
    """Return how sure the ranks are; ranks by case need no other file for it."""
    if by_case is not None:
        sample = sample_by_case(ranked, by_case)
    else:
        sample = sample_of(ranked, card, half, resampled) if resampled else None
    return uncertainty_of(ranked, card, half, sample, by_case)


def _tables(judged: list[Judged], card: Card, read: Reader | None) -> CaseTables | None:
    if not card.by_case or not judged:
        return None
    if read is None:
        raise ValueError(f"{card.name} ranks by case: a reader of the runs' scores by case is needed")
    return CaseTables.of(judged, card, read)


# --------------------------------------------------------------------------- one row per entry
def _rows(runs: Iterable[Judged]) -> list[Row]:
    """Return one row for each entry."""
    groups: dict[tuple[str, ...], list[Judged]] = {}
    for run in runs:
        groups.setdefault(_identity(run.record), []).append(run)
    return [_row(_entry_id(key), group) for key, group in sorted(groups.items())]


def _row(name: str, group: list[Judged]) -> Row:
    stands = standing_of(group)
    newest = max(group, key=lambda item: age(item.record))
    return Row(
        id=name,
        record=stands.record,
        earlier=sum(age(item.record) < age(stands.record) for item in group),
        status=stands.status,
        reason=stands.reason,
        note=note_of(stands, newest) if newest is not stands else "",
    )


def _identity(record: RunRecord) -> tuple[str, ...]:
    """Return what makes two runs the same entry; every prediction file is one of its own."""
    entry = record.entry
    own = entry.digest if entry.route == "file" else ""
    return (entry.route, entry.team, entry.name, own, *entry.overrides)


def entry_id(record: RunRecord) -> str:
    """Return the id of the row of a record's entry."""
    return _entry_id(_identity(record))


def _entry_id(identity: tuple[str, ...]) -> str:
    slug = re.sub(r"[^a-z0-9_]+", "-", identity[2].lower()).strip("-")[:40].strip("-")
    text = "\0".join(identity).encode("utf-8", "surrogatepass")
    return f"{slug or 'entry'}-{hashlib.sha256(text).hexdigest()[:12]}"


# -------------------------------------------------------------------------------------- ranking
def _by_first_metric(
    complete: list[Row], references: list[Row], card: Card, half: HalfName
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the ranked entries, and the references with the rank that their score would have."""

    def keys(rows: Sequence[Row], name: HalfName) -> list[Key]:
        return [key_of(row.record, card, name) for row in rows]

    key = card.ranking.key
    both = [r for r in complete if None not in (scored(r.record.cv, key), scored(r.record.test, key))]
    ranked = _ranked(complete, keys(complete, half))
    ranked = _with_shift(ranked, both, keys(both, "cv"), keys(both, "test"))
    others = keys(ranked, half)
    return ranked, _placed(references, [(own, others) for own in keys(references, half)])


def _by_case(
    complete: list[Row], references: list[Row], half: HalfName, tables: CaseTables
) -> tuple[tuple[Row, ...], tuple[Row, ...], ByCase]:
    """Return the same by ranks per case, and what these come to."""

    def keys(rows: Sequence[Row], sums: Mapping[str, int], name: HalfName) -> list[Key]:
        return [(-sums[row.record.run_id], *breakers_of(row.record, tables.card, name)) for row in rows]

    main, other = tables.field([row.record for row in complete], half), HALVES[half == "cv"]
    both = [row for row in complete if tables.whole(row.record)]
    records = [row.record for row in both]
    fields = {half: main if len(both) == len(complete) else tables.field(records, half)}
    fields[other] = tables.field(records, other)
    ranked = _ranked(complete, keys(complete, main.sums, half))
    ranked = _with_shift(ranked, both, *(keys(both, fields[name].sums, name) for name in HALVES))
    beside = {r.id: main.beside(tables.scores(r.record, half)) for r in references if r.status == "complete"}
    elsewhere = {
        row.id: fields[other].beside(tables.scores(row.record, other)).score
        for row in references
        if both and row.id in beside and tables.whole(row.record)
    }
    contests: list[tuple[Key, list[Key]]] = [((), [])] * len(references)
    for place, row in enumerate(references):
        if met := beside.get(row.id):
            (own,) = keys([row], {row.record.run_id: met.sum}, half)
            contests[place] = (own, keys(ranked, met.others, half))
    order = [row.record for row in ranked]
    cumulative, (sums, divisors) = main.cumulative_of(order), main.resampled(order)
    found = ByCase(
        scores=_named(ranked, main) | {name: met.score for name, met in beside.items()},
        others=_named(both, fields[other]) | elsewhere,
        ranked=tuple(row.id for row in ranked),
        against_leader=against_leader([row.id for row in ranked], cumulative),
        cases=len(main.patients),
        patients=len(set(main.patients)),
        cumulative=cumulative,
        sums=sums,
        divisors=divisors,
    )
    return ranked, _placed(references, contests), found


def _named(rows: Iterable[Row], field: Field) -> dict[str, Interval]:
    """Return the rank scores by row."""
    scores = field.scores()
    return {row.id: scores[row.record.run_id] for row in rows}


def _ranked(rows: list[Row], keys: Sequence[Key]) -> tuple[Row, ...]:
    ranked = [replace(row, rank=place) for row, place in zip(rows, places(keys), strict=True)]
    return tuple(sorted(ranked, key=lambda row: (row.rank or 0, row.record.finished, row.id)))


def _with_shift(
    rows: tuple[Row, ...], both: list[Row], cv: Sequence[Key], test: Sequence[Key]
) -> tuple[Row, ...]:
    """Add the CV and the test rank among the rows that have both values, whose keys these are."""
    found = zip(both, places(cv), places(test), strict=True)
    shifts = {row.id: (a, b) for row, a, b in found}
    return tuple(
        replace(row, cv_rank=shifts[row.id][0], test_rank=shifts[row.id][1]) if row.id in shifts else row
        for row in rows
    )


def _placed(rows: list[Row], contests: Sequence[tuple[Key, Sequence[Key]]]) -> tuple[Row, ...]:
    """Add to each reference the rank that its key would have among those of the entries, best first."""
    placed = [
        replace(row, rank=1 + sum(key > own for key in others) if row.status == "complete" else None)
        for row, (own, others) in zip(rows, contests, strict=True)
    ]
    return tuple(sorted(placed, key=lambda row: (row.rank or math.inf, row.record.entry.name, row.id)))


# -------------------------------------------------------------------------------------- details
def _unranked_order(row: Row) -> tuple[int, str, str]:
    order = ("late", "outdated", "unmatched", "unscored", "undefined", "invalid", "partial", "failed")
    return (order.index(row.status), row.record.entry.team.casefold(), row.id)


def _order(record: RunRecord) -> tuple[str, str, str]:
    return (record.run_id, record.finished, record.key)


def _hex(fingerprint: str) -> str:
    if re.fullmatch(r"[0-9a-f]{10,}", fingerprint):
        return fingerprint[:10]
    return hashlib.sha256(fingerprint.encode("utf-8", "surrogatepass")).hexdigest()[:10]
