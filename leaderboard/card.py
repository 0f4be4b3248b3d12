"""What a page needs to know of a challenge: challenge.yaml joined with the metrics' directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.contracts import Metric

__all__ = ["Card", "MetricFacts", "Published", "card_of"]


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
    """The first ranks."""
    decimals: int
    tie_breakers: tuple[str, ...]
    ranking_note: str
    folds: int
    licence: str
    data_access: str
    citation: str
    literature: tuple[Published, ...]

    @property
    def ranking(self) -> MetricFacts:
        """The metric that ranks."""
        return self.metrics[0]

    def metric(self, key: str) -> MetricFacts:
        """Return the metric of that key.

        Raises:
            KeyError: if the challenge has none.
        """
        return {metric.key: metric for metric in self.metrics}[key]


def card_of(name: str, content: Mapping[str, Any], find: Callable[[str], Metric]) -> Card:
    """Return the card of a challenge from the parsed challenge.yaml; `find` loads a metric by name.

    Raises:
        ValueError: if a tie breaker is none of the metrics; and whatever `find` raises.
    """
    ranking = content.get("ranking") or {}
    metrics = tuple(_facts(item, find(item["metric"])) for item in content["metrics"])
    known = {metric.key for metric in metrics}
    breakers = tuple(ranking.get("tie_breakers") or ())
    if unknown := [key for key in breakers if key not in known]:
        raise ValueError(f"{name}: tie_breakers names {unknown[0]!r}, known are {sorted(known)}")
    return Card(
        name=name,
        metrics=metrics,
        decimals=int(ranking.get("decimals", 6)),
        tie_breakers=breakers,
        ranking_note=_text(ranking, "description"),
        folds=int(content.get("folds", 10)),
        literature=_published(content.get("literature") or ()),
        **{key: _text(content, key) for key in _WORDS},
    )


_WORDS = ("title", "task", "version", "description", "licence", "data_access", "citation")


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    return "" if value is None else str(value).strip()


def _facts(item: Mapping[str, Any], metric: Metric) -> MetricFacts:
    return MetricFacts(
        key=item["key"],
        title=item.get("title") or metric.title,
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
