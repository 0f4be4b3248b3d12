"""What a number was made with: code, versions, machine."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__
from harness.catalog import PACKAGE_ROOT

__all__ = ["environment", "gpu_count", "provenance"]

SHOWN = (
    "torch",
    "pytorch-lightning",
    "timm",
    "monai",
    "numpy",
    "scikit-learn",
    "pandas",
    "opencv-python-headless",
)


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            ["git", "-C", str(PACKAGE_ROOT), *words],  # noqa: S607  git is found on PATH
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _git_state() -> dict[str, Any] | None:
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "modified": bool(_git("status", "--porcelain"))}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def gpu_count() -> int:
    """Return the number of NVIDIA devices, without asking CUDA."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


@functools.cache
def environment() -> Mapping[str, str]:
    """Return every installed distribution with its version, sorted; read once a process."""
    found = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def provenance(seeds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record's provenance."""
    installed = environment()
    return {
        "harness": __version__,
        "git": _git_state(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "versions": {name: installed[name] for name in SHOWN if name in installed},
        "hardware": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "gpus": gpu_count(),
        },
        "seeds": dict(seeds),
    }
