"""What stands under a board: the rule, the metrics, the data, the isolation, what to type."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.card import Card, Published
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
    direction = "higher" if card.ranking.higher_is_better else "lower"
    ties = ", then ".join(card.metric(key).title for key in card.tie_breakers)
    equal = f"Equal entries are ordered by {ties}; what" if ties else "What"
    return (
        f"Entries are ranked by {card.ranking.title} {where}; {direction} is better. Values are compared at "
        f"{card.decimals} decimals, although fewer are shown: no more than the number of cases supports. "
        f"{equal} is still equal shares a rank. An entry that failed, is incomplete or has an undefined "
        "value is never ranked."
    )


def warnings_of(standing: Standings) -> tuple[str, ...]:
    """Return what makes the scores of this board hard to compare."""
    board = standing.board
    if board is None or len(board.scorers) < 2:
        return ()
    return (
        f"The scores on this board were made by {len(board.scorers)} versions of the scorer "
        f"(challenge version {', '.join(clean(v, 20) for v in board.versions)}): compare them with "
        "care until all entries are scored again.",
    )


def metrics_of(card: Card) -> tuple[MetricView, ...]:
    """Return what each metric means and does."""
    roles = {card.ranking.key: "ranks", **dict.fromkeys(card.tie_breakers, "breaks ties")}
    return tuple(
        MetricView(
            title=metric.title,
            description=metric.description,
            direction="higher is better" if metric.higher_is_better else "lower is better",
            role=roles.get(metric.key, ""),
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


def commands_of(card: Card) -> tuple[tuple[str, str], ...]:
    """Return what to type to enter, to score a file and to rebuild these pages."""
    return (
        ("Train and score a model", f"harness run challenge={card.name} submission=NAME"),
        ("Score a prediction file", f"harness score challenge={card.name} predictions=FILE"),
        ("Build these pages again", f"harness leaderboard challenge={card.name}"),
    )
