"""Ranks by case as a reader sees them: the score and its definition, the p-values and what they compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records import Interval
from leaderboard.card import Card
from leaderboard.case_ranks import PERMUTATIONS, ByCase
from leaderboard.standings import Row, Standings
from leaderboard.text import clean, count, decimals_for, number
from leaderboard.values import Value, shown
from leaderboard.wording import both, say

__all__ = [
    "TITLE",
    "PairsView",
    "definition_of",
    "pairs_view",
    "score_decimals",
    "score_of",
    "test_of",
    "titles_of",
    "versus_of",
]

TITLE = say("board.rank_score")
MOST_DIGITS, MOST_PAIRS, SHORT = 4, 10, 120


@dataclass(frozen=True, slots=True)
class PairsView:
    """The p-values between the first entries."""

    names: tuple[tuple[str, str], ...]
    """Rank and team."""
    rows: tuple[tuple[Value, ...], ...]
    words: str
    whole: bool
    """Whether these are all ranked entries."""


def titles_of(card: Card) -> str:
    """Return the metrics that are ranked by case, in a list of words."""
    titles = [card.metric(key).title for key in card.columns]
    between = "; " if any("," in title for title in titles) else ", "
    if len(titles) == 1:
        return titles[0]
    return say("rule.and", first=both(titles[:-1], between), between=between, last=titles[-1])


def definition_of(card: Card) -> str:
    """Return what the score of this rule is."""
    return say("rule.score", titles=titles_of(card))


def score_decimals(by_case: ByCase) -> int:
    """Return the decimals that the cases support."""
    ends = [(score.low, score.high) for score in by_case.scores.values()]
    widths = [(high - low) / 2 for low, high in ends if low is not None and high is not None]
    return decimals_for(widths, by_case.cases, MOST_DIGITS)


def score_of(score: Interval | None, decimals: int) -> Value:
    """Return a rank score with its interval, or a dash."""
    return Value("–") if score is None else shown(score, decimals)


def versus_of(row: Row, by_case: ByCase | None) -> Value:
    """Return the p-value of the entry against the first, with Holm's correction; a dash without one."""
    if by_case is None or row.id not in by_case.against_leader:
        return Value("–")
    plain, corrected = by_case.against_leader[row.id]
    return Value(_p(corrected), exact=say("rule.p_exact", corrected=repr(corrected), plain=repr(plain)))


def test_of(by_case: ByCase | None) -> str:
    """Return what the p-values compare, in a sentence; "" where there is nothing to compare."""
    if by_case is None or not by_case.against_leader:
        return ""
    others = count(len(by_case.against_leader))
    return say("rule.test", patients=count(by_case.patients), swaps=count(PERMUTATIONS), n=others)


def pairs_view(standing: Standings) -> PairsView | None:
    """Return the p-values between the first entries; None for fewer than two."""
    by_case = standing.by_case
    if by_case is None or len(by_case.ranked) < 2:
        return None
    first = standing.ranked[:MOST_PAIRS]
    return PairsView(
        names=tuple((str(row.rank), clean(row.record.entry.team, SHORT)) for row in first),
        rows=tuple(_row(by_case.pairs[place, : len(first)].tolist(), place) for place in range(len(first))),
        words=say("rule.pairs", swaps=_swaps(by_case)),
        whole=len(first) == len(standing.ranked),
    )


def _swaps(by_case: ByCase) -> str:
    if by_case.swaps == PERMUTATIONS:
        return say("rule.swaps", n=count(PERMUTATIONS))
    return say("rule.swaps_first", n=count(by_case.swaps), first=count(PERMUTATIONS))


def _row(values: Sequence[float], place: int) -> tuple[Value, ...]:
    return tuple(
        Value("") if other == place else Value(_p(p), exact=repr(p)) for other, p in enumerate(values)
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, 3)
