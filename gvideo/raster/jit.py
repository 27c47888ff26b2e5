"""The one place where numba meets typed code: a decorator that compiles a kernel and keeps its Python signature.

Kernels release the interpreter lock, so frames run in plain threads; numba's own threading layers are not used (they
are slow to load and do not survive fork). Compiled code is cached on disk, with two changes to numba's cache:

1. numba looks only at the file that holds a kernel, not at those of the functions it calls. The stamp of all files of
   this room becomes part of the key.
2. Before numba loads a cached kernel it registers every function that it could compile, a quarter of a second in
   which a player shows nothing. Machine code needs none of that, only numba's allocator. If a kernel is not in the
   cache, compiling registers everything as usual. A kernel that calls array methods such as max() brings part of
   the delay back: loading it imports the modules that implement them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.runtime import rtsys  # type: ignore[attr-defined]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile with contraction to fused multiply-add, but with NaN and infinity respected: masks rely on them."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "arcp", "contract", "afn"})(
        function
    )
    _adapt_cache(compiled)
    return cast(Function, compiled)


def _stamp() -> tuple[object, ...]:
    """Changes whenever compiled code might."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return (
        os.environ.get("GVIDEO_BOUNDS"),
        *((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files),
    )


_STAMP = _stamp()


def _adapt_cache(compiled: Any) -> None:
    """The two changes above. A numba whose insides look different keeps its own ways."""
    cache: Any = getattr(compiled, "_cache", None)
    needed = ("load_overload", "_load_overload", "_index_key", "_guard_against_spurious_io_errors")
    if not all(hasattr(cache, name) for name in needed):
        return
    index_key = cache._index_key

    def stamped_index_key(signature: Any, codegen: Any) -> tuple[object, ...]:
        return (*index_key(signature, codegen), _STAMP)

    def load_overload(signature: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, target_context)

    cache._index_key = stamped_index_key
    cache.load_overload = load_overload
