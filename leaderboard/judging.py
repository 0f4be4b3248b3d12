"""What a record's score is worth: may it be ranked, why not, and which run stands for its entry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from harness.records import Half, RunRecord
from leaderboard.card import Card
from leaderboard.text import number
from leaderboard.wording import both, moment, say

__all__ = [
    "OLD_SCORER",
    "OLD_TRUTH",
    "ROUNDING",
    "Basis",
    "HalfName",
    "Judged",
    "Status",
    "age",
    "basis_of",
    "finite",
    "half_of",
    "is_late",
    "judge",
    "note_of",
    "scored",
    "standing_of",
    "time_of",
    "truths_of",
]

HalfName = Literal["cv", "test"]
Status = Literal[
    "complete", "outdated", "late", "failed", "partial", "undefined", "invalid", "unscored", "unmatched"
]

STRENGTH = {"bubblewrap": 2, "reduced": 1, "none": 0}
ROUNDING = 1e-9
OLD_SCORER, OLD_TRUTH = say("reason.old_scorer"), say("reason.old_truth")
HALF_WORDS = {"cv": say("reason.half_cv"), "test": say("reason.half_test")}


@dataclass(frozen=True, slots=True)
class Basis:
    """What the scores of a board must share to be compared."""

    half: HalfName
    """The half that ranks."""
    scorer: str
    """Digest of the newest scorer."""
    truth: str
    """Digest of the newest test truth; empty if no record names one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run and what its score is worth."""

    record: RunRecord
    status: Status
    reason: str
    """Why it may not be ranked; empty if it may."""


def scored(half: Half | None, key: str) -> float | None:
    """Return the metric's value on a half whose cases are all scored; None otherwise, never NaN."""
    if half is None or half.n_scored != half.n_expected or half.n_expected < 1:
        return None
    interval = half.metrics.get(key)
    if interval is None or interval.value is None or not math.isfinite(interval.value):
        return None
    return interval.value


def half_of(record: RunRecord, name: HalfName) -> Half | None:
    """Return the record's CV or test half."""
    return record.test if name == "test" else record.cv


def age(record: RunRecord) -> tuple[str, str, str]:
    """Return a key that is larger for the record that finished later."""
    return (record.finished, record.run_id, record.key)


def finite(value: float | None) -> float | None:
    """Return the value, or None where it is NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


# ------------------------------------------------------------------------------ what is compared
def truths_of(records: Iterable[RunRecord]) -> tuple[str, ...]:
    """Return the digests of the known test truths; the newest record's is the last."""
    tested = sorted((r for r in records if r.test is not None and r.data.truth_digest), key=age, reverse=True)
    return tuple(dict.fromkeys(record.data.truth_digest for record in tested))[::-1]


def basis_of(records: Sequence[RunRecord], card: Card) -> Basis:
    """Return what the newest scores of a board were made with, and the half that ranks."""
    newest = max((r for r in records if r.cv or r.test), key=age, default=None)
    return Basis(
        half=_ranking_half(records, card),
        scorer=newest.challenge.digest if newest else "",
        truth=next(reversed(truths_of(records)), ""),
    )


def _ranking_half(records: Sequence[RunRecord], card: Card) -> HalfName:
    """Return "test" where an entry has a test score, else "cv"; references decide if nobody entered."""
    entries = [record for record in records if record.entry.route != "reference"]
    order: tuple[HalfName, HalfName] = ("test", "cv")
    for group in (entries, records):
        for half in order:
            if any(_status(record, card, half) == "complete" for record in group):
                return half
    return "test" if any(record.data.test_truth for record in records) else "cv"


# --------------------------------------------------------------------------------- the verdict
def judge(record: RunRecord, basis: Basis, card: Card) -> Judged:
    """Return whether the record may be ranked, and if not, why."""
    status = _status(record, card, basis.half)
    if status != "complete":
        return Judged(record, status, _reason(record, card, basis.half, status))
    if record.challenge.digest != basis.scorer:
        return Judged(record, "outdated", OLD_SCORER)
    # A record of before truths had digests does not say what it was scored against: it stays.
    if basis.half == "test" and record.data.truth_digest not in ("", basis.truth):
        return Judged(record, "outdated", OLD_TRUTH)
    if is_late(record, card):
        return Judged(record, "late", _late(record, card, basis.half))
    return Judged(record, status, "")


def is_late(record: RunRecord, card: Card) -> bool:
    """Say whether an entry was handed in after the deadline; the training may end later."""
    if card.deadline is None or record.data.phantom or record.entry.route == "reference":
        return False
    return _handed_in(record) > card.deadline


def _handed_in(record: RunRecord) -> datetime:
    """Return when the first of the record's folds began, or the file was scored."""
    return time_of(record.started) or datetime.max.replace(tzinfo=UTC)


def time_of(text: str) -> datetime | None:
    """Return a record's time, in UTC where it has no zone; None for what is no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _late(record: RunRecord, card: Card, half: HalfName) -> str:
    value = scored(half_of(record, half), card.ranking.key)
    return say(
        "reason.late",
        metric=card.ranking.title,
        half=HALF_WORDS[half],
        value=number(value, card.ranking.digits),
        time=moment(_handed_in(record)),
        deadline=moment(card.deadline) if card.deadline else "",
    )


def _status(record: RunRecord, card: Card, half: HalfName) -> Status:
    """Return "complete" only for a record whose value may be ranked."""
    scores = half_of(record, half)
    if record.state != "complete":
        return "failed"
    if any(cell.state != "done" for cell in record.first_cells):
        return "partial"
    if scores is None:
        return "unscored"
    if scores.n_expected < 1 or scores.n_scored != scores.n_expected:
        return "partial"
    if scored(scores, card.ranking.key) is None:
        return "undefined"
    return "invalid" if _outside(record, card) else "complete"


def _outside(record: RunRecord, card: Card) -> str:
    """Return a sentence on the first value that its metric cannot have; "" if there is none."""
    for metric in card.metrics:
        for name, half in (("test_half", record.test), ("cv", record.cv)):
            value = scored(half, metric.key)
            if value is not None and not metric.low - ROUNDING <= value <= metric.high + ROUNDING:
                low, high, where = f"{metric.low:g}", f"{metric.high:g}", say(f"board.{name}")
                return say(
                    "reason.outside", metric=metric.title, half=where, value=repr(value), low=low, high=high
                )
    return ""


def _reason(record: RunRecord, card: Card, half: HalfName, status: Status) -> str:
    scores = half_of(record, half)
    failed = [cell for cell in record.first_cells if cell.state != "done"]
    if status in ("failed", "partial") and record.failures:
        more, first = len(record.failures) - 1, record.failures[0]
        return say("reason.failures_more", reason=first, n=more) if more else first
    if failed:
        kinds = both(sorted({cell.failure_kind or say("reason.no_kind") for cell in failed}), ", ")
        return say("reason.folds", failed=len(failed), n=len(record.first_cells), kinds=kinds)
    if status == "partial" and scores is not None:
        where = say(f"reason.half_{half}")
        return say("reason.partial", n=scores.n_scored, expected=scores.n_expected, half=where)
    if status == "unscored" and card.sealed and record.data.test_truth and not record.data.phantom:
        return say("reason.sealed", until=moment(card.sealed_until) if card.sealed_until else "")
    if status == "unscored" and half == "test":
        return say("reason.unscored_test")
    if status == "invalid":
        return _outside(record, card)
    if status == "undefined":
        return say("reason.undefined", metric=card.ranking.title, half=HALF_WORDS[half])
    return say("reason.unscored" if status == "unscored" else "reason.failed")


# ------------------------------------------------------------------ one run stands for an entry
def standing_of(group: list[Judged]) -> Judged:
    """Return the run that stands for its entry: the newest of those that say most.

    A complete run is replaced by a complete one only, and by none of the same files under a weaker
    isolation.
    """
    best = max(_worth(item) for item in group)
    worthy = [item for item in group if _worth(item) == best]
    newest = max(worthy, key=lambda item: age(item.record))
    if not best:
        return newest
    same = [item for item in worthy if item.record.entry.digest == newest.record.entry.digest]
    return max(same, key=lambda item: (STRENGTH.get(item.record.isolation, -1), age(item.record)))


def _worth(item: Judged) -> int:
    return {"complete": 2, "outdated": 1, "late": 1}.get(item.status, 0)


def note_of(stands: Judged, newest: Judged) -> str:
    """Say in words why the newest run of an entry is not the one that stands."""
    if newest.status == stands.status:
        return say("reason.weaker", newest=newest.record.isolation, shown=stands.record.isolation)
    return say("reason.newest", state=say(f"reason.is_{newest.status}"))
