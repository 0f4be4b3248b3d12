"""What stands under a board: the rule, the metrics, the data, the isolation, what to type."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from leaderboard.card import Card, Published
from leaderboard.judging import OLD_SCORER
from leaderboard.rank_score import TITLE, definition_of, titles_of
from leaderboard.standings import Standings
from leaderboard.text import clean, count

__all__ = [
    "Fact",
    "MetricView",
    "PublishedView",
    "challenge_facts",
    "commands_of",
    "facts_of",
    "isolation_of",
    "metrics_of",
    "published_of",
    "rule_of",
    "warnings_of",
]

ISOLATION = {
    "bubblewrap": "Each fold ran in its own sandbox (bubblewrap): no network, no labels, no other fold, with "
    "limits of time, memory, processes and disk.",
    "reduced": "Landlock and a seccomp filter only: files and network are closed, but folds share the "
    "machine's process table.",
    "none": "Not isolated: an entry that ships with the project, or one its own team ran.",
}
PHANTOM = (
    "The patients of this board are synthetic. Its scores show that entries and the harness work; they say "
    "nothing about real patients and never meet real scores. The phantom patients are made by public code, "
    "so nothing here is sealed: a rank shows that the machine works, not who is better."
)
NAME, MOST_WARNINGS = 120, 5
NO_CODE = "No code of the entry ran."


@dataclass(frozen=True, slots=True)
class PublishedView:
    """A reported result."""

    title: str
    values: tuple[tuple[str, str], ...]
    computed_on: str
    note: str
    source: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and what it is here."""

    term: str
    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class MetricView:
    """What a metric means."""

    title: str
    description: str
    direction: str
    role: str


def rule_of(standing: Standings) -> str:
    """Return the ranking rule as sentences."""
    card = standing.card
    where = (
        "on the test set"
        if standing.half == "test"
        else "on the pooled out-of-fold predictions of the development set (CV), because this board has no "
        "test scores"
    )
    if card.by_case:
        return _rule_by_case(standing, where)
    direction = "higher" if card.ranking.higher_is_better else "lower"
    return (
        f"Entries are ranked by {card.ranking.title} {where}; {direction} is better. Values are compared at "
        f"{card.decimals} decimals, although fewer are shown: no more than the number of cases supports. "
        f"{_equal(card)} is still equal shares a rank. An entry that failed, is incomplete or has an "
        "undefined value is never ranked."
    )


def _rule_by_case(standing: Standings, where: str) -> str:
    """Return the rule of BraTS 2017-2020, and what follows from it."""
    card = standing.card
    at = f", at {card.decimals} decimals" if card.tie_breakers else ""
    return (
        f"For each case and each of {titles_of(card)}, the {count(len(standing.ranked))} ranked entries are "
        f"ranked {where}; equal ones share the mean of their ranks, and a value that is not defined is the "
        "worst. The mean of an entry's ranks divided by the number of ranked entries is its rank score; "
        "lower is better. It depends on who takes part: a new entry changes the scores of all, and those of "
        "two boards cannot be compared. Sums of ranks are whole numbers and compared exactly. "
        f"{_equal(card, at)} is still equal shares a rank. An entry that failed, is incomplete or whose "
        "scores do not cover every case is never ranked and changes nobody's score; neither does a reference "
        "answer, whose score is the one it would have as one more entry, alone."
    )


def _equal(card: Card, how: str = "") -> str:
    ties = ", then ".join(card.metric(key).title for key in card.tie_breakers)
    return f"Equal entries are ordered by {ties}{how}; what" if ties else "What"


def warnings_of(standing: Standings) -> tuple[str, ...]:
    """Return what makes the scores of this board hard to compare."""
    board = standing.board
    if board is None:
        return ()
    found = list(standing.notes)
    if (old := sum(row.reason == OLD_SCORER for row in standing.rows)) > 0:
        found.append(
            f"The scores on this board were made by {len(board.scorers)} versions of the scorer (challenge "
            f"version {', '.join(clean(v, 20) for v in board.versions)}), which cannot be compared: only "
            f"those of the newest are ranked, and {old} {'entry is' if old == 1 else 'entries are'} not."
        )
    if len(board.truths) > 1:
        found.append(
            f"The test scores on this board were made against {len(board.truths)} different test truths: "
            "only those against the newest record's truth are ranked."
        )
    return (*found, *_look_alikes(standing))


def _look_alikes(standing: Standings) -> tuple[str, ...]:
    """Return a warning for each name that readers cannot tell from another team's."""
    teams = {row.record.entry.team for row in standing.rows}
    groups: dict[str, list[str]] = {}
    for team in sorted(teams):
        groups.setdefault(unicodedata.normalize("NFKC", clean(team, NAME)).casefold(), []).append(team)
    alike = [group for group in groups.values() if len(group) > 1]
    return tuple(
        f"{len(group)} different teams have names that look alike: {_spelt(group)}. Their entries are kept "
        "apart, and the link of each leads to its own page."
        for group in alike[:MOST_WARNINGS]
    )


def _spelt(names: list[str]) -> str:
    """Return each name with its invisible and unusual characters spelt out."""
    return ", ".join(clean(ascii(name), NAME) for name in names[:MOST_WARNINGS])


def metrics_of(card: Card) -> tuple[MetricView, ...]:
    """Return what each metric means and does."""
    score = (MetricView(TITLE, definition_of(card), "lower is better", "ranks"),) if card.by_case else ()
    return score + tuple(
        MetricView(
            title=metric.title,
            description=metric.description,
            direction="higher is better" if metric.higher_is_better else "lower is better",
            role=card.role(metric.key),
        )
        for metric in card.metrics
    )


def facts_of(standing: Standings) -> tuple[Fact, ...]:
    """Return the data's facts, then the challenge's."""
    board, card = standing.board, standing.card
    if board is None:
        return challenge_facts(card)
    data = board.newest.data
    kind = "phantom: synthetic patients, made by the harness" if data.phantom else "real patients"
    return (
        Fact("Data", kind),
        *((Fact("Options", clean(board.options), code=True),) if board.options else ()),
        Fact("Development set", f"{count(data.n_development)} cases"),
        Fact("Test set", f"{count(data.n_test)} cases"),
        Fact("Cross-validation", f"{card.folds} folds, grouped by patient, set by the challenge"),
        Fact("Fingerprint", board.fingerprint, code=True),
        Fact("Challenge version", ", ".join(clean(version, 20) for version in board.versions)),
        *challenge_facts(card),
    )


def challenge_facts(card: Card) -> tuple[Fact, ...]:
    """Return where the data come from, for those fields that are filled."""
    pairs = (("Data access", card.data_access), ("Licence", card.licence), ("Citation", card.citation))
    return tuple(Fact(term, text) for term, text in pairs if text)


def isolation_of(standing: Standings) -> tuple[tuple[str, str], ...]:
    """Return the explanation of every isolation that the board shows."""
    shown = {row.record.isolation for row in standing.rows if row.record.entry.route == "code"}
    words = [(name, text) for name, text in ISOLATION.items() if name in shown]
    return (*words, ("file or reference", NO_CODE))


def published_of(item: Published, card: Card) -> PublishedView:
    """Return a reported result with its metrics named."""
    titles = {metric.key: metric.title for metric in card.metrics}
    values = tuple((titles.get(key, key), f"{value:g}") for key, value in item.values)
    return PublishedView(item.title, values, item.computed_on, item.note, item.source)


def commands_of(card: Card, options: str = "") -> tuple[tuple[str, str], ...]:
    """Return what to type to enter the board of these options, to score a file and to rebuild these pages."""
    asked = f"challenge={card.name}" + (f" {clean(options)}" if options else "")
    return (
        ("Train and score a model", f"harness run {asked} submission=NAME"),
        ("Score a prediction file", f"harness score {asked} predictions=FILE"),
        ("Build these pages again", f"harness leaderboard challenge={card.name}"),
    )
