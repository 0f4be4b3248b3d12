"""The board as of an earlier moment: the records that were finished until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from harness.errors import UserError
from harness.records import RunRecord
from leaderboard.judging import time_of
from leaderboard.standings import Standings
from leaderboard.wording import date as date_words
from leaderboard.wording import say

__all__ = ["Moment", "as_of", "day_of", "finished_at", "parse_moment", "until"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Until when records count."""

    when: datetime
    """With its zone; nothing that was finished after it counts."""
    folder: str
    """Of its pages, within the site's: at-2026-11-20."""

    @property
    def notice(self) -> str:
        """What every page says of it."""
        clock = date_words(f"{self.when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
        return say("notice.as_of", moment=clock)


def parse_moment(text: str, now: datetime) -> Moment:
    """Return the moment that a word names: a day, which counts to its end in UTC, or a time with its zone.

    Raises:
        UserError: for what is neither, a time without a zone, or a day that has not come.
    """
    try:
        when = datetime.combine(date.fromisoformat(text), time.max, UTC) if len(text) == 10 else _time(text)
    except ValueError:
        raise UserError(
            f"at={text[:40]} is no moment. Type a day, at=2026-11-20, or a time with its zone, "
            "at=2026-11-20T18:00+09:00."
        ) from None
    if (when if len(text) > 10 else datetime.combine(when.date(), time.min, UTC)) > now:
        raise UserError(f"at={text} has not come yet. Leave at= out for the board of now.")
    return Moment(when, f"at-{text}" if len(text) == 10 else f"at-{when.astimezone(UTC):%Y-%m-%dT%H%M%SZ}")


def _time(text: str) -> datetime:
    """Return a time with its zone.

    Raises:
        ValueError: for anything else.
    """
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("a time needs its zone")
    return when


def finished_at(record: RunRecord) -> datetime | None:
    """Return when a record was finished, in UTC; None where it does not say, for a record may be edited."""
    try:
        when = time_of(record.finished)
        return None if when is None else when.astimezone(UTC)
    except OverflowError:
        return None


def day_of(record: RunRecord) -> str:
    """Return the day on which a record was finished, in UTC; "" where it does not say."""
    when = finished_at(record)
    return "" if when is None else when.date().isoformat()


def until(records: Sequence[RunRecord], moment: Moment | None) -> tuple[RunRecord, ...]:
    """Return the records that were finished until then; all without a moment."""
    if moment is None:
        return tuple(records)
    found = ((record, finished_at(record)) for record in records)
    return tuple(record for record, when in found if when is not None and when <= moment.when)


def as_of(standing: Standings, moment: Moment | None) -> Standings:
    """Return standings whose pages say of which moment they are."""
    if moment is None:
        return standing
    return replace(standing, as_of=moment.notice, notes=(moment.notice, *standing.notes))
