"""YAML that is plain JSON: what a card or a word may hold, and nothing that YAML adds to it."""

from __future__ import annotations

import math
from typing import Any

import yaml

__all__ = ["NotPlainError", "load"]

DEEPEST = 32
NOT_TEXT = ("timestamp", "value", "merge")
"""Implicit types that JSON lacks: a date stays the text that was written."""


class NotPlainError(yaml.YAMLError):
    """YAML that is well formed and not plain: the message goes on after the key or the file."""


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases (a few lines of them can name a billion nodes) and without tags."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML reads the attribute of the class
        first: [(tag, pattern) for tag, pattern in found if tag.rpartition(":")[2] not in NOT_TEXT]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias or a tag, compose anything else."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise NotPlainError("aliases (*name) are not allowed; put quotes around text")
        if getattr(event, "tag", None) is not None:
            name = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise NotPlainError(f"the tag {name} is not allowed; put quotes around text")
        return super().compose_node(parent, index)


def load(text: str) -> Any:  # noqa: ANN401  YAML is dynamic
    """Return what YAML text says, as JSON could hold it.

    Raises:
        NotPlainError: for tags, aliases, keys that are not text, numbers beyond 64 bits, depth over 32.
        yaml.YAMLError: for what is no YAML.
    """
    try:
        value = yaml.load(text, _PlainLoader)  # noqa: S506  a SafeLoader
    except RecursionError:
        raise NotPlainError(f"more than {DEEPEST} levels are not allowed") from None
    except ValueError as error:  # such as 0b_, which YAML's pattern takes for a number
        raise NotPlainError(f"a number cannot be read ({error})") from None
    _require_plain(value, 1)
    return value


def _require_plain(value: Any, depth: int) -> None:  # noqa: ANN401  YAML is dynamic
    if depth > DEEPEST:
        raise NotPlainError(f"more than {DEEPEST} levels are not allowed")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise NotPlainError(f"the key {key!r} is not text; put quotes around it")
        inner = [*value, *value.values()]
    elif isinstance(value, list):
        inner = value
    else:
        _require_plain_scalar(value)
        return
    for item in inner:
        _require_plain(item, depth + 1)


def _require_plain_scalar(value: Any) -> None:  # noqa: ANN401  YAML is dynamic
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise NotPlainError("text holds half a character (a lone surrogate)")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotPlainError(f"{value} is not a number that can be stored")
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise NotPlainError("a whole number needs more than 64 bits")
    elif value is not None:
        raise NotPlainError(f"a value of type {type(value).__name__} is not allowed")
