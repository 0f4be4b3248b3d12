"""Words and cards to frozen, typed records; an unknown key or a bad value is one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness import plain_yaml
from harness.errors import UserError, did_you_mean

__all__ = [
    "ChallengeCard",
    "CheckConfig",
    "LeaderboardConfig",
    "LimitsConfig",
    "LoaderConfig",
    "NewConfig",
    "RunConfig",
    "ScoreConfig",
    "SubmissionCard",
    "TrainerConfig",
    "parse_words",
    "read_card",
]

LARGEST_CARD = 1 << 17
LONGEST_SHOWN = 100
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
SANDBOXES = Literal["auto", "bubblewrap", "reduced", "off"]


class Frozen(BaseModel):
    """Immutable, and strict about the names of its fields; no number is infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# ------------------------------------------------------------------------------------- cards
class MetricCard(Frozen):
    """One column of a challenge."""

    key: str
    metric: str
    title: str
    description: str = ""


class RankingCard(Frozen):
    """How the first metric ranks."""

    decimals: int = Field(default=6, ge=0, le=15)
    tie_breakers: tuple[str, ...] = ()
    description: str = ""


class LiteratureRow(Frozen):
    """A result reported elsewhere: shown apart, never ranked."""

    title: str
    metric: str
    value: float
    computed_on: str = ""
    note: str = ""
    source: str = ""


class PhantomCard(Frozen):
    """What differs on synthetic patients."""

    preparation: Mapping[str, Any] = Field(default_factory=dict)


class ChallengeCard(Frozen):
    """challenge.yaml."""

    title: str
    task: str
    version: str
    description: str = ""
    metrics: tuple[MetricCard, ...] = Field(min_length=1)
    ranking: RankingCard = RankingCard()
    folds: int = Field(default=10, ge=2)
    preparation: Mapping[str, Any] = Field(default_factory=dict)
    phantom: PhantomCard = PhantomCard()
    limits: Mapping[str, Any] = Field(default_factory=dict)
    licence: str = ""
    data_access: str = ""
    data_folder: str = "the_data"
    """What the organiser's folder is called, for the hint on `data=`."""
    citation: str = ""
    literature: tuple[LiteratureRow, ...] = ()


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


# ------------------------------------------------------------------------------------ settings
class TrainerConfig(Frozen):
    """What reaches `pytorch_lightning.Trainer`."""

    max_epochs: int = Field(default=10, ge=1, le=10**9)
    max_steps: int = Field(default=-1, ge=-1, le=10**12)
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    gradient_clip_val: float | None = Field(default=None, gt=0)
    accumulate_grad_batches: int = Field(default=1, ge=1, le=10**6)


class LoaderConfig(Frozen):
    """How the harness feeds the model."""

    batch_size: int = Field(default=16, ge=1, le=10**6)
    validation: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the training patients kept for the entrant's own validation."""
    workers: int = Field(default=0, ge=0, le=1024)


class LimitsConfig(Frozen):
    """Of one fold."""

    hours: float = Field(default=6.0, gt=0, le=8760)
    memory_gb: float = Field(default=16.0, gt=0, le=65536)
    processes: int = Field(default=64, ge=1, le=2**22)
    disk_gb: float = Field(default=1.0, gt=0, le=65536)
    output_mb: float = Field(default=16.0, gt=0, le=65536)


class WandbConfig(Frozen):
    """Weights & Biases, from the parent only."""

    mode: Literal["disabled", "offline", "online"] = "disabled"
    project: str = "medal"


class Place(Frozen):
    """Where things lie; all relative to the working folder."""

    runs: Path = Path("runs")
    site: Path = Path("site")
    store: Path = Path("prepared")


class RunConfig(Place):
    """`harness run`."""

    challenge: str
    submission: str = "baseline"
    data: Path | None = None
    """The organiser's folder; without it, phantom patients."""
    truth: Path | None = None
    """The test truth, if it does not lie in the data folder."""
    folds: int | None = Field(default=None, ge=2)
    """The challenge's own number by default; another number is another protocol and shown as such."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    sandbox: SANDBOXES = "auto"
    executor: str = "local"
    jobs: int | None = Field(default=None, ge=1, le=4096)
    """Folds at once; by default as many as there are cores, or GPUs."""
    phantom: Literal["small", "smoke"] = "small"
    trainer: Mapping[str, Any] = Field(default_factory=dict)
    loader: Mapping[str, Any] = Field(default_factory=dict)
    model: Mapping[str, Any] = Field(default_factory=dict)
    preparation: Mapping[str, Any] = Field(default_factory=dict)
    limits: Mapping[str, Any] = Field(default_factory=dict)
    wandb: WandbConfig = WandbConfig()


class ScoreConfig(Place):
    """`harness score`."""

    challenge: str
    predictions: Path | None = None
    run: str | None = None
    """A stored run whose test predictions are scored now that the truth is there."""
    data: Path | None = None
    truth: Path | None = None
    team: str = Field(default="", max_length=200)
    name: str | None = None
    title: str = Field(default="", max_length=200)
    phantom: Literal["small", "smoke"] = "small"


class LeaderboardConfig(Place):
    """`harness leaderboard`."""

    challenge: str | None = None


class CheckConfig(Frozen):
    """`harness check`."""

    submission: str
    challenge: str | None = None
    sandbox: SANDBOXES = "auto"
    store: Path = Path("prepared")


class NewConfig(Frozen):
    """`harness new submission NAME`."""

    challenge: str
    team: str = "My team"


OPEN_GROUPS = ("model", "preparation")  # their keys are the submission's and the challenge's, checked there
GROUPS: dict[str, type[Frozen]] = {
    "trainer": TrainerConfig,
    "loader": LoaderConfig,
    "limits": LimitsConfig,
    "wandb": WandbConfig,
}

Config = TypeVar("Config", bound=Frozen)


def value_of(text: str) -> Any:  # noqa: ANN401  a word's value is dynamic
    """Return a word's value as YAML reads it, with 1e-3 a number as everywhere else.

    Raises:
        plain_yaml.NotPlainError: for YAML that is not plain JSON.
    """
    if NUMBER.fullmatch(text) and not text.lstrip("+-").isdigit():
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise plain_yaml.NotPlainError("the number is too large")
        return number
    try:
        return plain_yaml.load(text)
    except plain_yaml.NotPlainError:
        raise
    except yaml.YAMLError:
        return text


def shown(value: Any) -> str:  # noqa: ANN401  a wrong value is anything
    """Return a value for a sentence, a long one shortened."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def known_words(kind: type[Frozen]) -> list[str]:
    """Return every word that a verb takes."""
    words = []
    for name in kind.model_fields:
        fields = GROUPS[name].model_fields if name in GROUPS else None
        words += [f"{name}.{field}" for field in fields] if fields is not None else [name]
    return words


def parse_words(kind: type[Config], words: Iterable[str]) -> Config:
    """Turn `key=value` words into the verb's configuration.

    Raises:
        UserError: for a word without "=", an unknown key, a doubled key or a bad value.
    """
    nested: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise UserError(
                f"Words have the form key=value, but got {word!r}. {did_you_mean(word, known_words(kind))}"
            )
        group, dot, field = key.partition(".")
        if not _is_known(kind, group, field, bool(dot)):
            raise UserError(f"No option {key!r}. {did_you_mean(key, known_words(kind))}")
        target = nested.setdefault(group, {}) if dot else nested
        name = field if dot else group
        if name in target:
            raise UserError(f"Option {key!r} is given twice. Keep one.")
        try:
            target[name] = value_of(text) if dot else text
        except plain_yaml.NotPlainError as error:
            raise UserError(f"{key}: {error}, but got {shown(text)}.") from None
    checked = {key: _checked_group(key, value) for key, value in nested.items()}
    return validate(kind, checked, "")


def _is_known(kind: type[Frozen], group: str, field: str, dotted: bool) -> bool:
    if group not in kind.model_fields:
        return False
    if group in OPEN_GROUPS:
        return dotted and field != ""
    if group in GROUPS:
        return dotted and field in GROUPS[group].model_fields
    return not dotted


def _checked_group(name: str, value: Any) -> Any:  # noqa: ANN401  words are dynamic
    if name in GROUPS and isinstance(value, dict):
        validate(GROUPS[name], value, f"{name}.")
    return value


def validate(kind: type[Config], values: Mapping[str, Any], prefix: str) -> Config:
    """Return the typed record.

    Raises:
        UserError: that names the first wrong key, its value and what is allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(_sentence(kind, error, prefix)) from None


def _sentence(kind: type[Frozen], error: ValidationError, prefix: str) -> str:
    first = error.errors()[0]
    key = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"No option {key!r}. {did_you_mean(key, [prefix + f for f in kind.model_fields])}"
    if first["type"] == "missing":
        return f"Option {key!r} is missing. Type {key}=VALUE."
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, but got {shown(first['input'])}."


def merged(kind: type[Config], card: Mapping[str, Any], words: Mapping[str, Any], where: str) -> Config:
    """Return the card's section with the words over it."""
    return validate(kind, {**card, **words}, f"{where}.")


def open_section(card: Mapping[str, Any], words: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return an open section with the words over it; a word may only change a key that the card has."""
    for key in words:
        if key not in card:
            raise UserError(
                f"No option '{where}.{key}'. {did_you_mean(f'{where}.{key}', [f'{where}.{k}' for k in card])}"
            )
    return {**card, **words}


def read_card(kind: type[Config], path: Path) -> Config:
    """Read a YAML card.

    Raises:
        UserError: by file name, for what is missing, unknown or malformed.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST_CARD + 1)
        if len(text) > LARGEST_CARD:
            raise UserError(f"{path} is longer than {LARGEST_CARD} characters.")
        content = plain_yaml.load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).replace("\n", " ")
        raise UserError(f"{path} cannot be read: {reason}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold key: value lines, but got {type(content).__name__}.")
    return validate(kind, content, f"{path}: ")
