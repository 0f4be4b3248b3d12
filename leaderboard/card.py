"""What a page needs to know of a challenge: challenge.yaml joined with the metrics' directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from harness.contracts import Metric
from leaderboard.wording import twin

__all__ = ["Card", "MetricFacts", "Published", "Rule", "card_of"]

Rule = Literal["first_metric", "case_ranks"]


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """One column: the challenge's words and the metric's direction and bounds."""

    key: str
    title: str
    description: str
    higher_is_better: bool
    low: float
    high: float
    digits: int


@dataclass(frozen=True, slots=True)
class Published:
    """A result reported elsewhere: shown apart, never ranked."""

    title: str
    values: tuple[tuple[str, float], ...]
    """Metric key and the value as reported."""
    computed_on: str
    note: str
    source: str
    options: tuple[tuple[str, str], ...] = ()
    """The boards that it is comparable with; all if empty."""

    def fits(self, options: Mapping[str, str]) -> bool:
        """Say whether it is comparable with a board of these options."""
        return all(options.get(name) == value for name, value in self.options)


@dataclass(frozen=True, slots=True)
class Card:
    """One challenge, as its pages show it."""

    name: str
    title: str
    task: str
    version: str
    description: str
    metrics: tuple[MetricFacts, ...]
    """The first ranks, unless cases do."""
    decimals: int
    tie_breakers: tuple[str, ...]
    ranking_note: str
    folds: int
    licence: str
    data_access: str
    citation: str
    literature: tuple[Published, ...]
    rule: Rule = "first_metric"
    columns: tuple[str, ...] = ()
    """Of the rule case_ranks: the metrics by which entries are ranked case by case."""
    deadline: datetime | None = None
    """Real entries that were handed in later are not ranked."""
    sealed_until: datetime | None = None
    looks: int = 0
    """How many of its sealed test scores a team may look at."""
    sealed: bool = False
    """Whether the test scores are hidden now, which is when this card was made."""

    @property
    def by_case(self) -> bool:
        """Whether entries are ranked case by case."""
        return self.rule == "case_ranks"

    @property
    def ranking(self) -> MetricFacts:
        """The first metric: it ranks, unless cases do, and it is what a search looks for."""
        return self.metrics[0]

    def role(self, key: str) -> str:
        """Return what a metric does for the ranking: ranks, by_case, ties; "" for one that is only shown."""
        if self.by_case and key in self.columns:
            return "by_case"
        if not self.by_case and key == self.ranking.key:
            return "ranks"
        return "ties" if key in self.tie_breakers else ""

    def metric(self, key: str) -> MetricFacts:
        """Return the metric of that key.

        Raises:
            KeyError: if the challenge has none.
        """
        return {metric.key: metric for metric in self.metrics}[key]


def card_of(
    name: str, content: Mapping[str, Any], find: Callable[[str], Metric], moment: datetime | None = None
) -> Card:
    """Return the card of a challenge from the parsed challenge.yaml; `find` loads a metric by name.

    `moment` decides whether test scores are still sealed: now, by default.

    Raises:
        ValueError: if a tie breaker or column is none of the metrics, or the columns do not fit the
            rule; and whatever `find` raises.
    """
    ranking = content.get("ranking") or {}
    metrics = tuple(_facts(item, find(item["metric"])) for item in content["metrics"])
    known = {metric.key for metric in metrics}
    breakers = tuple(ranking.get("tie_breakers") or ())
    columns = tuple(ranking.get("columns") or ())
    for field, keys in (("tie_breakers", breakers), ("columns", columns)):
        if unknown := [key for key in keys if key not in known]:
            raise ValueError(f"{name}: {field} names {unknown[0]!r}, known are {sorted(known)}")
    rule = ranking.get("rule", "first_metric")
    if rule not in get_args(Rule) or (rule == "case_ranks") != bool(columns):
        raise ValueError(f"{name}: ranking rule {rule!r} with {len(columns)} columns")
    sealed = content.get("sealed") or {}
    until = sealed.get("until")
    return Card(
        name=name,
        metrics=metrics,
        decimals=int(ranking.get("decimals", 6)),
        tie_breakers=breakers,
        ranking_note=_text(ranking, "description"),
        rule=rule,
        columns=columns,
        deadline=content.get("deadline"),
        sealed_until=until,
        looks=int(sealed.get("looks", 0)),
        sealed=until is not None and (moment or datetime.now(UTC)) < until,
        folds=int(content.get("folds", 10)),
        literature=_published(content.get("literature") or ()),
        **{key: _text(content, key) for key in _WORDS},
    )


_WORDS = ("title", "task", "version", "description", "licence", "data_access", "citation")


def _text(content: Mapping[str, Any], key: str) -> str:
    """Return a text with its Korean twin, "<key>_ko", if the challenge gives one."""
    values = (content.get(name) for name in (key, f"{key}_ko"))
    return twin(*("" if value is None else str(value).strip() for value in values))


def _facts(item: Mapping[str, Any], metric: Metric) -> MetricFacts:
    return MetricFacts(
        key=item["key"],
        title=_text(item, "title") or metric.title,
        description=_text(item, "description"),
        higher_is_better=metric.higher_is_better,
        low=metric.low,
        high=metric.high,
        digits=metric.digits,
    )


def _published(rows: Any) -> tuple[Published, ...]:  # noqa: ANN401  YAML is dynamic
    """Join the rows that differ only in their metric, in the order of the file."""
    joined: dict[tuple[Any, ...], list[tuple[str, float]]] = {}
    for row in rows:
        about = (_text(row, key) for key in ("title", "computed_on", "note", "source"))
        options = tuple(sorted((row.get("options") or {}).items()))
        joined.setdefault((*about, options), []).append((str(row["metric"]), float(row["value"])))
    return tuple(
        Published(title, tuple(values), computed_on, note, source, options)
        for (title, computed_on, note, source, options), values in joined.items()
    )
