"""Where the real data for tests lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
NAMED = "HARNESS_REAL_DATA"


def real_data(name: str) -> Path:
    """Return a folder of real data; skip without it, with the reason, but fail in CI, where it must be there."""
    folder = Path(os.environ.get(NAMED, PROJECT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        reason = f"{folder} is not there; name the folder of the real data in {NAMED}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
