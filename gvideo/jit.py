"""The one place where numba meets typed code: compiles a kernel, keeps its Python signature, caches it on disk.

Kernels release the interpreter lock, so they run in plain threads; numba's own threading layers are not used (they are
slow to load and do not survive fork). Three changes to numba's cache:

1. numba looks only at the file that holds a kernel, not at those of the functions and constants it uses. A stamp of
   all files that it may draw on becomes part of the key.
2. Before numba loads a cached kernel it registers every function that it could compile, a quarter of a second in
   which a player shows nothing. Machine code needs none of that, only numba's allocator. If a kernel is not in the
   cache, compiling registers everything as usual. A kernel that calls array methods such as max() brings part of
   the delay back: loading it imports the modules that implement them.
3. A cache's index names the classes of named tuples that its kernels take. Where one was another version's and is gone,
   numba fails; here the index is made anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.runtime import rtsys  # type: ignore[attr-defined]

Stamp = tuple[object, ...]


def stamp_of(*folders: Path) -> Stamp:
    """Changes whenever code compiled from the files of these folders might."""
    files = sorted(file for folder in folders for file in folder.glob("*.py"))
    return (
        os.environ.get("GVIDEO_BOUNDS"),
        *((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files),
    )


def compiler(stamp: Stamp, **options: Any) -> Callable[[Any], Any]:
    """A decorator that compiles with numba's options and caches under the stamp."""

    def compiled(function: Any) -> Any:
        dispatcher = numba.njit(cache=True, nogil=True, **options)(function)
        _adapt_cache(dispatcher, stamp)
        return dispatcher

    return compiled


def _adapt_cache(dispatcher: Any, stamp: Stamp) -> None:
    """The three changes above. A numba whose insides look different keeps its own ways."""
    cache: Any = getattr(dispatcher, "_cache", None)
    needed = ("load_overload", "_load_overload", "_index_key", "_guard_against_spurious_io_errors")
    if not all(hasattr(cache, name) for name in needed):
        return
    index_key = cache._index_key

    def stamped_index_key(signature: Any, codegen: Any) -> Stamp:
        return (*index_key(signature, codegen), stamp)

    def load_overload(signature: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, target_context)

    file: Any = getattr(cache, "_cache_file", None)
    load_index = getattr(file, "_load_index", None)
    if load_index is not None:

        def load_index_if_it_can_be_read() -> Any:
            try:
                return load_index()
            except (ImportError, AttributeError):
                return {}

        file._load_index = load_index_if_it_can_be_read
    cache._index_key = stamped_index_key
    cache.load_overload = load_overload
