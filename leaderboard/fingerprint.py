"""What makes two computations the same: digests of the code, and of everything that a page says."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import harness
from leaderboard.wording import Text

__all__ = ["code_digest", "digest_of"]

LIBRARIES = ("jinja2", "markupsafe", "numpy", "plotly", "pyarrow", "pyyaml", "scipy")
FOLDERS = (Path(__file__).parent, Path(harness.__file__).parent)
CODE = {".py", ".html", ".yaml", ".css", ".js"}


@cache
def code_digest() -> str:
    """Return the digest of all that turns records into pages: code, templates, sentences, libraries."""
    found = hashlib.sha256(f"{platform.python_version()} {_versions()}".encode())
    for folder in FOLDERS:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in CODE):
            found.update(f"\n{path.relative_to(folder)}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def _versions() -> list[str]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("")
    return found


def digest_of(*parts: object) -> str:
    """Return the digest of frozen views, texts in both languages, numbers, and what holds them."""
    text = json.dumps([_plain(part) for part in parts], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401  any view
    """Return the value as JSON in which different values stay different."""
    if isinstance(value, Text):
        return {"en": value.en, "ko": value.ko}
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, Mapping):
        return {"map": [[_plain(key), _plain(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return [type(value).__name__, *(_plain(getattr(value, field.name)) for field in fields(value))]
    raise TypeError(f"{type(value).__name__} has no digest")
