"""Words to frozen, typed records; an unknown key or a bad value is one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, model_validator

from harness import plain_yaml
from harness.cards import OptionCard
from harness.errors import UserError, did_you_mean, file_in_the_way
from harness.sections import LimitsConfig, LoaderConfig, SweepConfig, TrainerConfig, WandbConfig
from harness.validated import Config, Frozen, shown, validate

__all__ = [
    "BoardConfig",
    "CheckConfig",
    "ExplainConfig",
    "ExportConfig",
    "ImportConfig",
    "LeaderboardConfig",
    "LimitsConfig",
    "LoaderConfig",
    "NewConfig",
    "ReproduceConfig",
    "RescoreConfig",
    "RunConfig",
    "ScoreConfig",
    "SweepConfig",
    "TrainerConfig",
    "parse_words",
]

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
SANDBOXES = Literal["auto", "bubblewrap", "reduced", "off"]


def _may_be_a_folder(path: Path) -> Path:
    if (file := file_in_the_way(str(path))) is not None:
        raise ValueError(f"a folder is needed, but {file} is a file. Name another place, or move the file")
    return path


Folder = Annotated[Path, AfterValidator(_may_be_a_folder)]
"""Where the harness writes: seen to before anything is trained."""


class Place(Frozen):
    """Where things lie; all relative to the working folder."""

    runs: Folder = Path("runs")
    site: Folder = Path("site")
    store: Folder = Path("prepared")


class Patients(Place):
    """Which patients: real ones or phantoms."""

    challenge: str
    options: Mapping[str, str] = Field(default_factory=dict)
    """The challenge's own words, such as `variant=`."""

    data: Path | None = None
    """The organiser's folder; without it, phantom patients."""
    truth: Path | None = None
    """The test truth, if it does not lie in the data folder."""
    phantom: Literal["small", "smoke"] = "small"

    @model_validator(mode="after")
    def _one_source(self) -> Patients:
        if self.data is not None and "phantom" in self.model_fields_set:
            raise ValueError("the words data= and phantom= contradict each other: type one of them")
        return self


class RunConfig(Patients):
    """`harness run`."""

    submission: str = "baseline"
    folds: int | None = Field(default=None, ge=2)
    """The challenge's own number by default; another number is another protocol and shown as such."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    seeds: int = Field(default=1, ge=1, le=20)
    """How many each fold is trained with: `seed`, `seed + 1` ... The first is the entry's; the others say how
    much of its score is luck."""
    sandbox: SANDBOXES = "auto"
    executor: str = "local"
    jobs: int | None = Field(default=None, ge=1, le=4096)
    """Folds at once; by default as many as there are cores, or GPUs."""
    trainer: Mapping[str, Any] = Field(default_factory=dict)
    loader: Mapping[str, Any] = Field(default_factory=dict)
    model: Mapping[str, Any] = Field(default_factory=dict)
    preparation: Mapping[str, Any] = Field(default_factory=dict)
    limits: Mapping[str, Any] = Field(default_factory=dict)
    wandb: WandbConfig = WandbConfig()
    sweep: SweepConfig = SweepConfig()

    @model_validator(mode="after")
    def _one_seed_a_trial(self) -> RunConfig:
        if self.seeds > 1 and self.sweep.wanted:
            raise ValueError(
                f"the trials of a sweep have one seed each, but seeds is {self.seeds}. Leave seeds= out, and "
                "type it again with the hyperparameters that the sweep has found"
            )
        return self


class ScoreConfig(Patients):
    """`harness score`."""

    predictions: Path | None = None
    run: str | None = None
    """A stored run whose test predictions are scored now that the truth is there."""
    team: str = Field(default="", max_length=200)
    name: str | None = None
    title: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _one_thing_to_score(self) -> ScoreConfig:
        if self.predictions is not None and self.run is not None:
            raise ValueError("the words predictions= and run= contradict each other: type one of them")
        return self


class RescoreConfig(Patients):
    """`harness rescore`."""


class ReproduceConfig(Patients):
    """`harness reproduce RUN_ID`."""

    run: str
    fold: int | None = Field(default=None, ge=0)
    """One fold; all by default."""
    submission: str = ""
    """Where the same files lie, if not under the entry's name."""
    sandbox: SANDBOXES = "auto"
    executor: str = "local"
    jobs: int | None = Field(default=None, ge=1, le=4096)


class ExportConfig(Place):
    """`harness export`."""

    challenge: str
    to: Path | None = None
    """The archive; CHALLENGE.zip by default."""
    private: bool = False
    """For another place of the organiser's own: the test half's scores by case go along."""


class LookConfig(Place):
    """`harness look RUN_ID`."""

    run: str
    challenge: str


class ImportConfig(Place):
    """`harness import FILE.zip`."""

    file: Path


class LeaderboardConfig(Place):
    """`harness leaderboard`."""

    challenge: str | None = None
    at: str | None = None
    """The board as of this day, to its end in UTC, or of this time with its zone."""


class BoardConfig(Place):
    """`harness compare A B` and `harness explain-rank NAME`."""

    challenge: str
    board: str | None = None
    """Which of the challenge's boards, where a name stands on several."""


class ExplainConfig(Place):
    """`harness explain`."""

    run: str
    cases: str = "worst:1,best:1"
    """Case ids, or how many of the worst, the median and the best, with commas between."""
    fold: int | None = Field(default=None, ge=0)
    """Only the cases that this fold held out."""
    data: Path | None = None
    """Where the run's data lie now, if they were moved."""


class CheckConfig(Frozen):
    """`harness check`."""

    submission: str
    challenge: str | None = None
    sandbox: SANDBOXES = "auto"
    store: Folder = Path("prepared")


class NewConfig(Frozen):
    """`harness new submission NAME`."""

    challenge: str
    team: str = Field(default="My team", min_length=1, max_length=200)


OPEN_GROUPS = ("model", "preparation")  # their keys are the submission's and the challenge's, checked there
GROUPS: dict[str, type[Frozen]] = {
    "trainer": TrainerConfig,
    "loader": LoaderConfig,
    "limits": LimitsConfig,
    "wandb": WandbConfig,
    "sweep": SweepConfig,
}
SPACE = "space."
"""What begins the fields of `sweep` that are hyperparameters."""


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


def known_words(kind: type[Frozen], own: Iterable[str] = ()) -> list[str]:
    """Return every word that a verb takes, the challenge's own included."""
    words = list(own)
    for name in kind.model_fields:
        if name == "options":
            continue
        fields = GROUPS[name].model_fields if name in GROUPS else None
        words += [f"{name}.{field}" for field in fields] if fields is not None else [name]
    return words


def parse_words(kind: type[Config], words: Iterable[str]) -> Config:
    """Turn `key=value` words into the verb's configuration.

    Raises:
        UserError: for a word without "=", an unknown key, a doubled key or a bad value.
    """
    given = list(words)
    own = _own_words(kind, given)
    known = known_words(kind, own)
    nested: dict[str, Any] = {}
    for word in given:
        key, equals, text = word.partition("=")
        if not equals:
            hint = f"Type {word}=VALUE." if word in known else did_you_mean(word, known)
            raise UserError(f"Words have the form key=value, but got {shown(word)}. {hint}")
        group, dot, field = ("options", ".", key) if key in own else key.partition(".")
        if key not in own and not _is_known(kind, group, field, bool(dot)):
            raise UserError(f"No option {key!r}. {did_you_mean(key, known)}")
        target = nested.setdefault(group, {}) if dot else nested
        name = field if dot else group
        as_text = not dot or key in own or _is_space(group, field)
        if _is_space(group, field):
            target, name = target.setdefault("space", {}), field.removeprefix(SPACE)
        if name in target:
            raise UserError(f"Option {key!r} is given twice. Keep one.")
        try:
            target[name] = text if as_text else value_of(text)
        except plain_yaml.NotPlainError as error:
            raise UserError(f"{key}: {error}, but got {shown(text)}.") from None
    checked = {key: _checked_group(key, value) for key, value in nested.items()}
    return validate(kind, checked, "")


def _own_words(kind: type[Frozen], words: Iterable[str]) -> Mapping[str, OptionCard]:
    """Return the options that the challenge named among the words declares."""
    named = [word.removeprefix("challenge=") for word in words if word.startswith("challenge=")]
    if "options" not in kind.model_fields or not named:
        return {}
    from harness import catalog

    return catalog.challenge(named[0]).card.options if named[0] in catalog.names("challenges") else {}


def chosen(declared: Mapping[str, OptionCard], given: Mapping[str, str]) -> dict[str, str]:
    """Return a value for every option that a challenge declares.

    Raises:
        UserError: for a value that the option does not have.
    """
    for name, value in given.items():
        if value not in declared[name].values:
            near = did_you_mean(value, declared[name].values)
            raise UserError(f"Option {name!r} has no value {shown(value)}. {near}")
    return {name: given.get(name, option.default) for name, option in declared.items()}


def _is_known(kind: type[Frozen], group: str, field: str, dotted: bool) -> bool:
    if group not in kind.model_fields or group == "options":
        return False
    if group in OPEN_GROUPS:
        return dotted and field != ""
    if group in GROUPS:
        return dotted and (field in GROUPS[group].model_fields or _is_space(group, field))
    return not dotted


def _is_space(group: str, field: str) -> bool:
    return group == "sweep" and field.startswith(SPACE) and field != SPACE


def _checked_group(name: str, value: Any) -> Any:  # noqa: ANN401  words are dynamic
    if name in GROUPS and isinstance(value, dict):
        validate(GROUPS[name], value, f"{name}.")
    return value


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
