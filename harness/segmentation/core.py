"""Where the compiled core is kept and whether it is there; `python -m harness.segmentation.core` makes it.

Compiling takes some ten seconds, once for a machine and a version of the sources. Nobody waits for it: as
long as it runs, in a process of its own, `plain` gives the same numbers.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

__all__ = ["CACHE", "is_installed", "is_ready", "make", "make_in_background"]

SOURCES = ("kernels.py", "packed.py", "components.py", "nearest.py", "distant.py")


def cache_folder() -> Path | None:
    """Return the folder of the compiled code, one for each state of the sources; None: none can be had.

    numba looks at one file's age only, while a kernel also holds what it calls in others. NUMBA_CACHE_DIR
    is obeyed; else the user's cache, for an install may be read-only; else a folder in the temporary one.
    The folder must be ours alone, because what lies there is executed.
    """
    leaf = f"{_sources()}-{_machine()}"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    roots = [os.path.join(home, "medal"), os.path.join(tempfile.gettempdir(), f"medal-{os.getuid()}")]
    if os.environ.get("NUMBA_CACHE_DIR"):
        roots.insert(0, os.environ["NUMBA_CACHE_DIR"])
    return next((folder for root in roots if (folder := _ours(Path(root), leaf)) is not None), None)


def _sources() -> str:
    """Return a word for the sources, their place and age: numba forgets what it compiled if one changes."""
    files = [Path(__file__).parent / name for name in SOURCES]
    stamp = b"".join(f"{file} {file.stat().st_mtime_ns}".encode() + file.read_bytes() for file in files)
    return hashlib.sha256(stamp).hexdigest()[:16]


def _ours(root: Path, leaf: str) -> Path | None:
    """Return the folder if it and the root are writable for this user and nobody else."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = root / leaf
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    facts = [path.lstat() for path in (root, folder)]
    mine = all(fact.st_uid == os.getuid() and fact.st_mode & 0o022 == 0 for fact in facts)
    return folder if mine and os.access(folder, os.W_OK) else None


def _machine() -> str:
    """Return a word for what the compiled code depends on besides the sources: numba and the processor."""
    try:
        numba = version("numba")
    except PackageNotFoundError:
        numba = "none"
    facts = Path("/proc/cpuinfo")
    flags = facts.read_text().partition("flags")[2].partition("\n")[0] if facts.is_file() else ""
    processor = f"{platform.platform()} {sys.version_info[:2]} {flags}"
    return f"numba{numba}-{hashlib.sha256(processor.encode()).hexdigest()[:8]}"


CACHE = cache_folder()


@cache
def is_installed() -> bool:
    """Return whether numba is there."""
    try:
        version("numba")
    except PackageNotFoundError:
        return False
    return True


def is_ready() -> bool:
    """Return whether the core is compiled for this machine."""
    return CACHE is not None and (CACHE / "ready").exists()


def make() -> None:
    """Compile every kernel by scoring a small pair by each rule, unless another process does."""
    if CACHE is None or is_ready():
        return
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        _score_a_pair()
        (CACHE / "ready").touch()


def _score_a_pair() -> None:
    from harness.segmentation import compiled
    from harness.segmentation.editions import EDITIONS

    truth = np.zeros((45, 20, 20), dtype=np.uint8)
    truth[2:8, 2:8, 2:8], truth[30:36, 4:12, 4:12] = 1, 2
    prediction = np.roll(truth, 1, axis=0)
    prediction[42, 17:19, 17:19] = 2
    for name in ("2020", "2023", "2026"):
        for spacing in ((1.0, 1.0, 1.0), (0.8, 0.8, 1.5)):
            compiled.measure(truth, prediction, spacing, EDITIONS[name])


@cache
def make_in_background() -> subprocess.Popen[bytes]:
    """Start, once, a process of low priority that compiles the core."""
    words = [sys.executable, "-m", "harness.segmentation.core"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 our own words


if __name__ == "__main__":
    os.nice(5)
    make()
