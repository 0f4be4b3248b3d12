"""How the core is compiled: one decorator, and the counting of bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.extending import intrinsic

from harness.segmentation.core import CACHE

__all__ = ["clz", "ctz", "kernel", "popcount"]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function on its first call, or load it; it lets go of the interpreter's lock.

    Comparisons may assume that there is no NaN; sums keep their order.
    """
    elsewhere = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(CACHE or "")  # type: ignore[attr-defined]
    try:
        compiled = numba.njit(
            cache=CACHE is not None, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"}
        )(function)
    finally:
        numba.config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]
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
