"""Where each entry stands, in a sentence, in scripts beside the entries' pages: standing-<x>.js.

A new entry moves many others, whose pages stay as they are. Entries are shared out by the last letter of
their ids, so that a page loads a sixteenth of a board.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from leaderboard.files import File, ready
from leaderboard.rows import HALVES
from leaderboard.standings import Row, Standings
from leaderboard.table import embedded
from leaderboard.text import clean, count
from leaderboard.wording import both, say

__all__ = ["place_scripts", "script_of", "without_script"]


def place_scripts(folder: str, standing: Standings) -> Iterator[File]:
    """Yield the scripts of a board's entries; those that are not ranked say why on their own page."""
    found: dict[str, dict[str, str]] = {}
    for row in standing.rows:
        if row.status == "complete":
            found.setdefault(script_of(row.id), {})[row.id] = both((standing.as_of, _place(row, standing)))
    for name, places in sorted(found.items()):
        yield ready(f"{folder}/entries/{name}", f"window.PLACES = {embedded(places)};\n".encode())


def script_of(entry: str) -> str:
    """Return the name of the script that says where an entry stands."""
    return f"standing-{entry[-1]}.js"


def without_script(row: Row, standing: Standings) -> str:
    """Return why a row has no rank, or where its rank stands; and of which moment, if not of now."""
    if row.status == "complete":
        return both((standing.as_of, say("entry.standing_elsewhere")))
    return both((standing.as_of, say("entry.standing_not_ranked", reason=clean(row.reason, 400))))


def _place(row: Row, standing: Standings) -> str:
    half = HALVES[standing.half]
    if row.record.entry.route == "reference":
        return say("entry.standing_reference", half=half, rank=row.rank)
    first = bisect_left(standing.ranked, row.rank or 0, key=_rank)
    shared = bisect_right(standing.ranked, row.rank or 0, lo=first, key=_rank) - first - 1
    key = "entry.standing_shared" if shared else "entry.standing"
    place = say(key, rank=row.rank, total=count(len(standing.ranked)), half=half, n=shared)
    if row.shift is None:
        return place
    return both((place, say("entry.standing_shift", cv=row.cv_rank, test=row.test_rank)))


def _rank(row: Row) -> int:
    return row.rank or 0
