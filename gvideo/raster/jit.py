"""The one place where numba meets typed code: a decorator that compiles a kernel and keeps its Python signature.

Kernels release the interpreter lock, so frames run in plain threads; numba's own threading layers are not used (they
are slow to load and do not survive fork). Compiled code is cached on disk. The cache looks only at the file that
holds the kernel: after a change to simd.py, touch cpu_kernels.py.

Before numba loads a cached kernel it registers every function that it could compile, a quarter of a second in which
a player shows nothing. Machine code needs none of that, only numba's allocator, so _load_fast leaves it out; if a
kernel is not in the cache, compiling registers everything as usual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped]
from numba.core.runtime import rtsys  # type: ignore[import-untyped]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile with contraction to fused multiply-add, but with NaN and infinity respected: masks rely on them."""
    compiled = numba.njit(
        cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "arcp", "contract", "afn"}
    )(function)
    _load_fast(compiled)
    return cast(Function, compiled)


def _load_fast(compiled: Any) -> None:
    """Replace the loader of a kernel's cache. A numba whose insides look different keeps its own, slower one."""
    cache = getattr(compiled, "_cache", None)
    load = getattr(cache, "_load_overload", None)
    guard = getattr(cache, "_guard_against_spurious_io_errors", None)
    if cache is None or load is None or guard is None:
        return

    def load_overload(signature: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        with guard():
            return load(signature, target_context)

    cache.load_overload = load_overload
