"""What stands under a board: the rule, the metrics, the data, the isolation, what to type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from harness.sealing import team_key
from leaderboard.card import Card, Published
from leaderboard.judging import OLD_SCORER
from leaderboard.rank_score import TITLE, definition_of, titles_of
from leaderboard.standings import Standings
from leaderboard.text import clean, count
from leaderboard.wording import say

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
    "role_of",
    "rule_of",
    "warnings_of",
]

ISOLATION = {name: say(f"isolation.{name}") for name in ("bubblewrap", "reduced", "none")}
PHANTOM = say("notice.phantom")
NAME, MOST_WARNINGS = 120, 5
NO_CODE = say("isolation.no_code")


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
    sealed = card.sealed and standing.board is not None and not standing.board.phantom
    on_cv = "rule.on_cv_sealed" if sealed else "rule.on_cv"
    where = say("rule.on_test" if standing.half == "test" else on_cv)
    if card.by_case:
        return _rule_by_case(standing, where)
    return say(
        "rule.first_higher" if card.ranking.higher_is_better else "rule.first_lower",
        metric=card.ranking.title,
        where=where,
        decimals=card.decimals,
        equal=_equal(card),
    )


def _rule_by_case(standing: Standings, where: str) -> str:
    """Return the rule of BraTS 2017-2020, and what follows from it."""
    card = standing.card
    return say(
        "rule.by_case",
        titles=titles_of(card),
        n=count(len(standing.ranked)),
        where=where,
        equal=_equal(card, "rule.equal_ties_at"),
    )


def _equal(card: Card, how: str = "rule.equal_ties") -> str:
    titles = [card.metric(key).title for key in card.tie_breakers]
    if not titles:
        return say("rule.equal")
    ties = reduce(lambda first, second: say("rule.then", first=first, second=second), titles)
    return say(how, ties=ties, decimals=card.decimals)


def warnings_of(standing: Standings) -> tuple[str, ...]:
    """Return what makes the scores of this board hard to compare."""
    board = standing.board
    if board is None:
        return ()
    found: list[str] = list(standing.notes)
    if (old := sum(row.reason == OLD_SCORER for row in standing.rows)) > 0:
        found.append(
            say(
                "notice.scorers",
                scorers=len(board.scorers),
                versions=", ".join(clean(v, 20) for v in board.versions),
                n=old,
            )
        )
    if len(board.truths) > 1:
        found.append(say("notice.truths", n=len(board.truths)))
    return (*found, *_look_alikes(standing))


def _look_alikes(standing: Standings) -> tuple[str, ...]:
    """Return a warning for each name that readers cannot tell from another team's."""
    teams = {row.record.entry.team for row in standing.rows}
    groups: dict[str, list[str]] = {}
    for team in sorted(teams):
        groups.setdefault(team_key(clean(team, NAME)), []).append(team)
    alike = [group for group in groups.values() if len(group) > 1]
    return tuple(say("notice.alike", n=len(group), names=_spelt(group)) for group in alike[:MOST_WARNINGS])


def _spelt(names: list[str]) -> str:
    """Return each name with its invisible and unusual characters spelt out."""
    return ", ".join(clean(ascii(name), NAME) for name in names[:MOST_WARNINGS])


def metrics_of(card: Card) -> tuple[MetricView, ...]:
    """Return what each metric means and does."""
    score = (
        (MetricView(TITLE, definition_of(card), say("board.lower_sentence"), say("role.ranks")),)
        if card.by_case
        else ()
    )
    return score + tuple(
        MetricView(
            title=metric.title,
            description=metric.description,
            direction=say("board.higher_sentence" if metric.higher_is_better else "board.lower_sentence"),
            role=role_of(card, metric.key),
        )
        for metric in card.metrics
    )


def role_of(card: Card, key: str) -> str:
    """Return what a metric does for the ranking, in words; "" for one that is only shown."""
    role = card.role(key)
    return say(f"role.{role}") if role else ""


def facts_of(standing: Standings) -> tuple[Fact, ...]:
    """Return the data's facts, then the challenge's."""
    board, card = standing.board, standing.card
    if board is None:
        return challenge_facts(card)
    data = board.newest.data
    return (
        Fact(say("facts.data"), say("facts.phantom" if data.phantom else "facts.real")),
        *((Fact(say("facts.options"), clean(board.options), code=True),) if board.options else ()),
        Fact(say("facts.development"), say("facts.cases", n=count(data.n_development))),
        Fact(say("facts.test"), say("facts.cases", n=count(data.n_test))),
        Fact(say("facts.cv"), say("facts.cv_text", n=card.folds)),
        Fact(say("facts.fingerprint"), board.fingerprint, code=True),
        Fact(say("facts.version"), ", ".join(clean(version, 20) for version in board.versions)),
        *challenge_facts(card),
    )


def challenge_facts(card: Card) -> tuple[Fact, ...]:
    """Return where the data come from, for those fields that are filled."""
    pairs = (("access", card.data_access), ("licence", card.licence), ("citation", card.citation))
    return tuple(Fact(say(f"facts.{term}"), text) for term, text in pairs if text)


def isolation_of(standing: Standings) -> tuple[tuple[str, str], ...]:
    """Return the explanation of every isolation that the board shows."""
    shown = {row.record.isolation for row in standing.rows if row.record.entry.route == "code"}
    words = [(name, text) for name, text in ISOLATION.items() if name in shown]
    return (*words, (say("isolation.file_or_reference"), NO_CODE))


def published_of(item: Published, card: Card) -> PublishedView:
    """Return a reported result with its metrics named."""
    titles = {metric.key: metric.title for metric in card.metrics}
    values = tuple((titles.get(key, key), f"{value:g}") for key, value in item.values)
    return PublishedView(item.title, values, item.computed_on, item.note, item.source)


def commands_of(card: Card, options: str = "") -> tuple[tuple[str, str], ...]:
    """Return what to type to enter the board of these options, to score a file and to rebuild these pages."""
    asked = f"challenge={card.name}" + (f" {clean(options)}" if options else "")
    return (
        (say("command.run"), f"harness run {asked} submission=NAME"),
        (say("command.score"), f"harness score {asked} predictions=FILE"),
        (say("command.build"), f"harness leaderboard challenge={card.name}"),
    )
