"""Whether a dataclass that was read from JSON holds what its fields are annotated with."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["require_types"]


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:  # noqa: ANN401  JSON is dynamic
    """Say whether a value read from JSON is of an annotated type; a number is finite, no bool is one."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return type(value) is str and value in inner
    if origin in (Union, types.UnionType):
        return any(_fits(value, item) for item in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, inner[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(_fits(item, inner[1]) for item in value.values())
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is hint


def require_types(part: Any, where: str = "") -> None:  # noqa: ANN401  any dataclass
    """Refuse a dataclass with a field of another type than the one it is annotated with.

    Raises:
        TypeError: naming the field.
    """
    kind: Any = type(part)
    for name, hint in _hints(kind).items():
        value = getattr(part, name)
        if not _fits(value, hint):
            raise TypeError(f"{where}{name} is {value!r:.60}")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        for item in inner:
            if dataclasses.is_dataclass(item):
                require_types(item, f"{where}{name}.")
