"""A challenge's boards, and the row that a word names: a run id, the id of a row, or an entry's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import UserError, did_you_mean
from leaderboard.card import Card
from leaderboard.case_ranks import case_files
from leaderboard.kept import KeptResamples, load_kept
from leaderboard.moments import Moment, as_of, until
from leaderboard.standings import Row, Standings, boards, standings
from leaderboard.text import clean

__all__ = ["board_of", "boards_of", "row_of"]

MOST = 8


def boards_of(
    runs: Path, card: Card, fingerprint: str | None = None, moment: Moment | None = None
) -> list[Standings]:
    """Return a challenge's boards, or the one of this data, ranked, as of now or of a moment."""
    found = []
    for board in boards(until(load_kept(runs, card), moment)):
        if fingerprint in (None, board.fingerprint):
            resampled = KeptResamples(runs, card, board.id)
            found.append(as_of(standings(board.records, card, case_files(runs), resampled), moment))
            resampled.keep()
    return found


def board_of(found: Sequence[Standings], words: Sequence[str], board: str | None) -> Standings:
    """Return the board on which every word names a row.

    Raises:
        UserError: if there is no such board, or more than one.
    """
    asked = [standing for standing in found if board is None or _id(standing) == board]
    if not asked:
        known = [_id(standing) for standing in found]
        raise UserError(
            f"No board {board!r}. {did_you_mean(board, known)}"
            if board is not None and known
            else "Nothing was run or scored yet. Type harness run challenge=NAME first."
        )
    fitting = [standing for standing in asked if all(_named(standing, word) for word in words)]
    if not fitting:
        word = next((w for w in words if not any(_named(standing, w) for standing in asked)), None)
        if word is None:
            raise UserError(f"{' and '.join(map(repr, words))} stand on different boards.")
        raise UserError(f"No entry {word!r} on this board. {did_you_mean(word, _names(asked))}")
    if len(fitting) > 1:
        places = ", ".join(f"board={_id(standing)}" for standing in fitting)
        raise UserError(
            f"{' and '.join(map(repr, words))} stand on {len(fitting)} boards. Type one of {places}."
        )
    return fitting[0]


def row_of(standing: Standings, word: str) -> Row:
    """Return the row of a board that a word names.

    Raises:
        UserError: if the name is that of several entries, with their ids.
    """
    rows = _named(standing, word)
    if len(rows) > 1:
        names = ", ".join(_told_apart(row) for row in rows[:MOST])
        raise UserError(f"{len(rows)} entries are named {word!r}. Type the id of one: {names}.")
    return rows[0]


def _named(standing: Standings, word: str) -> list[Row]:
    """Return the rows that a word names: ids first, then the entry of that name without other words."""
    for exact in (
        [row for row in standing.rows if word in (row.record.run_id, row.id)],
        [row for row in standing.rows if row.record.entry.name == word and not row.record.entry.overrides],
        [row for row in standing.rows if row.record.entry.name == word],
        [row for row in standing.rows if row.record.entry.team == word],
    ):
        if exact:
            return exact
    return []


def _told_apart(row: Row) -> str:
    """Return a row's id, with the words or the team that tell it from others of its name."""
    entry = row.record.entry
    return f"{row.id} ({clean(' '.join(entry.overrides) or entry.team, 60)})"


def _names(found: Sequence[Standings]) -> list[str]:
    return sorted({clean(row.record.entry.name, 80) for standing in found for row in standing.rows})


def _id(standing: Standings) -> str:
    return standing.board.id if standing.board else ""
