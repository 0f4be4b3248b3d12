"""The cards: challenge.yaml and submission.yaml as frozen, typed records.

A text that a board shows may have a Korean twin, `<name>_ko`; without one both languages show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, model_validator

from harness.errors import did_you_mean
from harness.validated import Frozen

__all__ = [
    "ChallengeCard",
    "LiteratureRow",
    "MetricCard",
    "OptionCard",
    "OptionValueCard",
    "SealedCard",
    "SubmissionCard",
]


def _moment(value: object) -> datetime:
    """Return a moment that is the same everywhere: its zone must be written."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"type a day, a time and its zone, as in 2026-12-31T23:59+09:00, not {value!r}")
    return found


Moment = Annotated[datetime, PlainValidator(_moment)]


class MetricCard(Frozen):
    """One column of a challenge."""

    key: str
    metric: str
    title: str
    description: str = ""
    title_ko: str = ""
    description_ko: str = ""


class RankingCard(Frozen):
    """How entries are ranked."""

    rule: Literal["first_metric", "case_ranks"] = "first_metric"
    """first_metric: by the value of the first metric. case_ranks: entries are ranked for each case and
    each of `columns`, and by the mean of these ranks (BraTS 2017-2020)."""
    columns: tuple[str, ...] = ()
    """Metric keys that the runs' per-case scores (cases.parquet) hold; of the rule case_ranks only."""
    decimals: int = Field(default=6, ge=0, le=15)
    """At which values are compared; sums of ranks are whole numbers and compared exactly."""
    tie_breakers: tuple[str, ...] = ()
    description: str = ""
    description_ko: str = ""

    @model_validator(mode="after")
    def _columns_fit_the_rule(self) -> RankingCard:
        if (self.rule == "case_ranks") != bool(self.columns):
            raise ValueError(
                f"rule {self.rule!r} with {len(self.columns)} columns: case_ranks needs the metric keys "
                "that are ranked case by case, first_metric takes none"
            )
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"a column is ranked twice, among {list(self.columns)}")
        return self


class LiteratureRow(Frozen):
    """A result reported elsewhere: shown apart, never ranked."""

    title: str
    title_ko: str = ""
    metric: str
    value: float
    computed_on: str = ""
    computed_on_ko: str = ""
    note: str = ""
    note_ko: str = ""
    source: str = ""
    options: Mapping[str, str] = Field(default_factory=dict)
    """The boards that it is comparable with, where the challenge has options; all by default."""


class OptionValueCard(Frozen):
    """One value of a challenge's option."""

    description: str = ""
    preparation: Mapping[str, Any] = Field(default_factory=dict)
    """What differs in the preparation of its cases."""


class OptionCard(Frozen):
    """A word of the challenge's own, such as `variant=`: another value is another board."""

    description: str = ""
    values: Mapping[str, OptionValueCard] = Field(min_length=1)
    """The first is the default."""

    @property
    def default(self) -> str:
        """The value where none is given."""
        return next(iter(self.values))


class PhantomCard(Frozen):
    """What differs on synthetic patients."""

    preparation: Mapping[str, Any] = Field(default_factory=dict)


class SealedCard(Frozen):
    """Test scores that nobody sees before a date, but for a few looks of each team at its own."""

    until: Moment
    looks: int = Field(default=0, ge=0)
    """How many of its runs a team may look at before; a run without a test score is none."""


class ChallengeCard(Frozen):
    """challenge.yaml."""

    title: str
    title_ko: str = ""
    task: str
    task_ko: str = ""
    version: str
    description: str = ""
    description_ko: str = ""
    metrics: tuple[MetricCard, ...] = Field(min_length=1)
    ranking: RankingCard = RankingCard()
    folds: int = Field(default=10, ge=2)
    preparation: Mapping[str, Any] = Field(default_factory=dict)
    phantom: PhantomCard = PhantomCard()
    options: Mapping[str, OptionCard] = Field(default_factory=dict)
    limits: Mapping[str, Any] = Field(default_factory=dict)
    licence: str = ""
    licence_ko: str = ""
    data_access: str = ""
    data_access_ko: str = ""
    data_folder: str = "the_data"
    """What the organiser's folder is called, for the hint on `data=`."""
    citation: str = ""
    literature: tuple[LiteratureRow, ...] = ()
    deadline: Moment | None = None
    """Entries that were handed in later are scored, flagged and not ranked."""
    sealed: SealedCard | None = None

    @model_validator(mode="after")
    def _sealed_until_the_deadline(self) -> ChallengeCard:
        if self.sealed is not None and self.deadline is not None and self.sealed.until < self.deadline:
            raise ValueError(
                f"sealed.until {self.sealed.until.isoformat()} is before the deadline "
                f"{self.deadline.isoformat()}: who enters last would know the test scores"
            )
        return self

    @model_validator(mode="after")
    def _columns_exist(self) -> ChallengeCard:
        keys = [metric.key for metric in self.metrics]
        if len(set(keys)) < len(keys):
            raise ValueError(f"two metrics have one key, among {keys}")
        ranking = (*self.ranking.columns, *self.ranking.tie_breakers)
        for key in (*ranking, *(row.metric for row in self.literature)):
            if key not in keys:
                raise ValueError(f"no metric has the key {key!r}. {did_you_mean(key, keys)[:-1]}")
        return self


class SubmissionCard(Frozen):
    """submission.yaml."""

    challenge: str
    team: str = Field(min_length=1, max_length=200)
    title: str = Field(min_length=1, max_length=200)
    description: str = ""
    licence: str = "not stated"
    hyperparameters: Mapping[str, Any] = Field(default_factory=dict)
    trainer: Mapping[str, Any] = Field(default_factory=dict)
    loader: Mapping[str, Any] = Field(default_factory=dict)
    preparation: Mapping[str, Any] = Field(default_factory=dict)
    space: Mapping[str, Any] = Field(default_factory=dict)
    check: Mapping[str, Any] = Field(default_factory=dict)
    """Hyperparameters for `harness check`, where the real ones take too long."""
