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

TITLE = "Rank score"
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
    return titles[0] if len(titles) == 1 else f"{between.join(titles[:-1])}{between}and {titles[-1]}"


def definition_of(card: Card) -> str:
    """Return what the score of this rule is."""
    return (
        f"The entry's mean rank among the ranked entries over all cases and {titles_of(card)}, divided by "
        "the number of ranked entries: 1 is the worst. Lower is better."
    )


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
    return Value(_p(corrected), exact=f"{corrected!r} with Holm's correction, {plain!r} without")


def test_of(by_case: ByCase | None) -> str:
    """Return what the p-values compare, in a sentence; "" where there is nothing to compare."""
    if by_case is None or not by_case.against_leader:
        return ""
    others = len(by_case.against_leader)
    tests = f"{count(others)} comparison{'s' if others > 1 else ''}"
    return (
        f"p: permutation test against the first entry, two-sided, on the ranks of {count(by_case.patients)} "
        f"patients swapped {count(PERMUTATIONS)} times at random, with Holm's correction for {tests}."
    )


def pairs_view(standing: Standings) -> PairsView | None:
    """Return the p-values between the first entries; None for fewer than two."""
    by_case = standing.by_case
    if by_case is None or len(by_case.ranked) < 2:
        return None
    first = standing.ranked[:MOST_PAIRS]
    return PairsView(
        names=tuple((str(row.rank), clean(row.record.entry.team, SHORT)) for row in first),
        rows=tuple(_row(by_case.pairs[place, : len(first)].tolist(), place) for place in range(len(first))),
        words=(
            "The share of random swaps of two entries' ranks, patient by patient, that give a difference as "
            f"large as the one seen (two-sided permutation test, {_swaps(by_case)}). Not corrected for the "
            "number of pairs."
        ),
        whole=len(first) == len(standing.ranked),
    )


def _swaps(by_case: ByCase) -> str:
    if by_case.swaps == PERMUTATIONS:
        return f"{count(PERMUTATIONS)} swaps"
    return f"{count(by_case.swaps)} swaps, {count(PERMUTATIONS)} against the first entry"


def _row(values: Sequence[float], place: int) -> tuple[Value, ...]:
    return tuple(
        Value("") if other == place else Value(_p(p), exact=repr(p)) for other, p in enumerate(values)
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, 3)
