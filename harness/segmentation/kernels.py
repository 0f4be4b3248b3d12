"""How the core is compiled: one decorator, a cache that works from any install, and bit counting."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.extending import intrinsic

__all__ = ["CACHE", "clz", "ctz", "kernel", "popcount"]

Function = TypeVar("Function", bound=Callable[..., Any])

SOURCES = ("kernels.py", "packed.py", "components.py", "nearest.py", "distant.py")


def cache_folder() -> Path | None:
    """Return the folder of the compiled code, one for each state of the sources; None: none can be had.

    numba looks at one file's age only, while a kernel also holds what it calls in others. NUMBA_CACHE_DIR
    is obeyed; else the user's cache, for an install may be read-only; else a folder in the temporary one,
    if it is ours alone, because what lies there is executed.
    """
    code = b"".join((Path(__file__).parent / name).read_bytes() for name in SOURCES)
    leaf = f"{hashlib.sha256(code).hexdigest()[:16]}-numba{numba.__version__}"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    roots = [os.path.join(home, "medal"), os.path.join(tempfile.gettempdir(), f"medal-{os.getuid()}")]
    if os.environ.get("NUMBA_CACHE_DIR"):
        roots.insert(0, os.environ["NUMBA_CACHE_DIR"])
    return next((folder for root in roots if (folder := _ours(Path(root), leaf)) is not None), None)


def _ours(root: Path, leaf: str) -> Path | None:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = root / leaf
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    mine = folder.stat().st_uid == os.getuid() and folder.stat().st_mode & 0o022 == 0
    return folder if mine and os.access(folder, os.W_OK) else None


CACHE = cache_folder()


def kernel(function: Function) -> Function:
    """Compile a function on its first call, or load it; it lets go of the interpreter's lock.

    Comparisons may assume that there is no NaN; sums keep their order.
    """
    numba.config.CACHE_DIR = str(CACHE or "")  # type: ignore[attr-defined]
    compiled = numba.njit(cache=CACHE is not None, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})(
        function
    )
    return cast(Function, compiled)


def _word_intrinsic(name: str, *extra: int) -> Any:  # noqa: ANN401 numba has no types
    def build(typing_context: object, word: object) -> Any:  # noqa: ANN401
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
            bits = [context.get_constant(numba.types.boolean, value) for value in extra]
            return getattr(builder, name)(arguments[0], *bits)

        return numba.int64(numba.uint64), code

    build.__name__ = name
    return intrinsic(build)


ctz = _word_intrinsic("cttz", 0)
"""Trailing zeros of a uint64."""
clz = _word_intrinsic("ctlz", 0)
"""Leading zeros of a uint64."""
popcount = _word_intrinsic("ctpop")
"""Ones of a uint64."""
