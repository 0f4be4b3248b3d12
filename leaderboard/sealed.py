"""What a sealed challenge shows: no test score before its date, its limits, and who has looked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records import RunRecord
from harness.sealing import Look, read_looks, team_key, without_test
from leaderboard.card import Card
from leaderboard.wording import moment, say

if TYPE_CHECKING:
    from leaderboard.standings import Board, Standings

__all__ = ["TeamLooks", "limits_of", "looks_of", "shown", "with_looks"]


@dataclass(frozen=True, slots=True)
class TeamLooks:
    """What the ledger says of one team."""

    team: str
    used: int
    """Distinct predictions; to look at the same ones again tells nothing more."""
    last: str
    """When, UTC, ISO 8601."""


def shown(records: Iterable[RunRecord], card: Card) -> list[RunRecord]:
    """Return the records as everybody may see them: while sealed, real ones without their test half."""
    if not card.sealed:
        return list(records)
    return [record if record.data.phantom else without_test(record) for record in records]


def limits_of(board: Board | None, card: Card) -> tuple[str, ...]:
    """Return the deadline and the sealing of a board as sentences, with the zone of each."""
    if board is None or board.phantom:
        return ()
    found = []
    if card.deadline is not None:
        found.append(say("notice.deadline", deadline=moment(card.deadline)))
    if card.sealed_until is not None:
        key = "notice.sealed" if card.sealed else "notice.unsealed"
        found.append(say(key, until=moment(card.sealed_until), n=card.looks))
    return tuple(found)


def looks_of(ledger: Iterable[Look]) -> tuple[TeamLooks, ...]:
    """Return each team's looks, who looked most first."""
    groups: dict[str, list[Look]] = {}
    for item in ledger:
        groups.setdefault(team_key(item.team), []).append(item)
    found = [
        TeamLooks(group[-1].team, len({item.predictions for item in group}), max(item.time for item in group))
        for group in groups.values()
    ]
    return tuple(sorted(found, key=lambda item: (-item.used, team_key(item.team))))


def with_looks(standing: Standings, runs: Path) -> Standings:
    """Add the ledger of a challenge that is or was sealed to a board of real data."""
    board = standing.board
    if board is None or board.phantom or standing.card.sealed_until is None:
        return standing
    return replace(standing, looks=looks_of(read_looks(runs, standing.card.name)))
