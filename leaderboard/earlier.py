"""The boards before a change of scorer or test truth: kept, labelled, pure functions of the records."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from harness.records import RunRecord
from leaderboard.card import Card
from leaderboard.case_ranks import Reader
from leaderboard.judging import age
from leaderboard.standings import Board, Standings, standings
from leaderboard.wording import say

__all__ = ["Earlier", "EarlierLink", "earlier_boards", "earlier_standings", "link_of"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The records of one scorer and one test truth, of before the newest."""

    id: str
    """The name of its folder, beside the board's."""
    records: tuple[RunRecord, ...]
    changed: str
    """The day of the first score that was made otherwise."""
    what: str
    """What changed then: "scorer" or "truth"."""


@dataclass(frozen=True, slots=True)
class EarlierLink:
    """A line of the board of today."""

    folder: str
    text: str


def earlier_boards(board: Board) -> tuple[Earlier, ...]:
    """Return the boards before each change, oldest first; none where nothing changed.

    Scores of one scorer against one truth make one board. A record without a truth (no test score, or
    of before truths had digests) stands on every board of its scorer.
    """
    groups = _groups(board)
    found = []
    for (key, records), (after, later) in itertools.pairwise(groups):
        if any(record.entry.route != "reference" for record in records):
            what = "scorer" if key[0] != after[0] else "truth"
            changed = min(record.finished for record in later)[:10]
            name = f"{board.id}-before-{'-'.join(part[:8] for part in key if part)}"
            found.append(Earlier(name, records, changed, what))
    return tuple(found)


def _groups(board: Board) -> list[tuple[tuple[str, str], tuple[RunRecord, ...]]]:
    """Return the records of each pair of scorer and truth; the pair of the newest record comes last."""
    pairs: dict[str, dict[str, None]] = {}
    for record in sorted(board.records, key=age):
        pairs.setdefault(record.challenge.digest, {})[record.data.truth_digest if record.test else ""] = None
    groups = {}
    for scorer, truths in pairs.items():
        for truth in [name for name in truths if name] or [""]:
            groups[scorer, truth] = tuple(
                record
                for record in board.records
                if record.challenge.digest == scorer
                and (record.data.truth_digest if record.test else "") in ("", truth)
            )
    return sorted(groups.items(), key=lambda item: max(map(age, _own(item[1], item[0][1]))))


def _own(records: tuple[RunRecord, ...], truth: str) -> tuple[RunRecord, ...]:
    """Return the records of this very truth, by which a board is dated."""
    return tuple(r for r in records if (r.data.truth_digest if r.test else "") == truth) or records


def earlier_standings(earlier: Earlier, board: Board, card: Card, read: Reader) -> Standings:
    """Rank the records of before a change, with a label that says so."""
    label = say(f"notice.before_{earlier.what}", date=earlier.changed, board=board.id)
    standing = standings(earlier.records, card, read)
    return replace(standing, notes=(label, *standing.notes))


def link_of(earlier: Earlier, standing: Standings) -> EarlierLink:
    """Return how the board of today names an earlier one."""
    n = len(standing.ranked) + len(standing.unranked)
    return EarlierLink(earlier.id, say(f"board.before_{earlier.what}", date=earlier.changed, n=n))
