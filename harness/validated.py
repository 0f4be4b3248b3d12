"""Mappings and card files to frozen, typed records; what is wrong is one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from harness import plain_yaml
from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Config", "Frozen", "parse_card", "read_card", "shown", "validate"]

LARGEST_CARD = 1 << 17
LONGEST_SHOWN = 100


class Frozen(BaseModel):
    """Immutable, and strict about the names of its fields; no number is infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Config = TypeVar("Config", bound=Frozen)


def read_card(kind: type[Config], path: Path) -> Config:
    """Read a YAML card.

    Raises:
        UserError: by file name, for what is missing, unknown or malformed.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST_CARD + 1)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
    return parse_card(kind, text, str(path))


def parse_card(kind: type[Config], text: str, name: str) -> Config:
    """Return the card that this text is.

    Raises:
        UserError: by the card's name, for what is missing, unknown or malformed.
    """
    if len(text) > LARGEST_CARD:
        raise UserError(f"{name} is longer than {LARGEST_CARD} characters.")
    try:
        content = plain_yaml.load(text)
    except yaml.YAMLError as error:
        reason = str(error).replace("\n", " ")
        raise UserError(f"{name} cannot be read: {reason}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{name} must hold key: value lines, but got {type(content).__name__}.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UserError(_of_card(kind, error.errors()[0], name)) from None


def validate(kind: type[Config], values: Mapping[str, Any], prefix: str) -> Config:
    """Return the typed record of words; `prefix` is their group, such as "trainer.".

    Raises:
        UserError: that names the first wrong key, its value and what is allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(_of_words(kind, error.errors()[0], prefix)) from None


def _of_words(kind: type[Frozen], found: ErrorDetails, prefix: str) -> str:
    key = prefix + ".".join(map(str, found["loc"]))
    if found["type"] == "extra_forbidden":
        known = [prefix + name for name in _fields(kind, found["loc"][:-1])]
        return f"No option {key!r}. {did_you_mean(key, known)}"
    if found["type"] == "missing":
        return f"Option {key!r} is missing. Type {key}=VALUE."
    return _of_value(found, key)


def _of_card(kind: type[Frozen], found: ErrorDetails, name: str) -> str:
    *groups, last = map(str, found["loc"]) if found["loc"] else [""]
    place = f" under {'.'.join(groups)!r}" if groups else ""
    if found["type"] == "extra_forbidden":
        known = did_you_mean(last, _fields(kind, found["loc"][:-1]))
        return f"{name} has an unknown key {last!r}{place}. {known}"
    if found["type"] == "missing":
        return f"{name} lacks the key {last!r}{place}. Add a line {last}: VALUE."
    return _of_value(found, ": ".join(part for part in (name, ".".join([*groups, last])) if part))


def _of_value(found: ErrorDetails, where: str) -> str:
    message = found["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if found["type"] == "value_error":  # ours, on the record as a whole
        place = where.rstrip(".")
        return f"{place}: {message}." if place else f"{message[0].upper()}{message[1:]}."
    return f"{where}: {message}, but got {shown(found['input'])}."


def shown(value: Any) -> str:  # noqa: ANN401  a wrong value is anything
    """Return a value for a sentence, a long one shortened."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _fields(kind: type[BaseModel], groups: Sequence[str | int]) -> list[str]:
    """Return the keys of the record that lies at that place of another."""
    for group in groups:
        if isinstance(group, str) and group in kind.model_fields:
            kind = _record_of(kind.model_fields[group].annotation) or kind
    return list(kind.model_fields)


def _record_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  annotations are dynamic
    """Return the record type in an annotation such as `tuple[MetricCard, ...]`."""
    if get_origin(annotation) is None and isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in get_args(annotation) if (found := _record_of(part)) is not None), None)
