"""Plain threads for kernels that release the interpreter lock.

Which thread does which piece of work never changes a result: every piece writes its own part of the output.
The pool is made on first use and again in a forked child, where the parent's threads do not exist.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gvideo.processors import num_processors

_pool: ThreadPoolExecutor | None = None
_num_threads: int | Callable[[], int] | None = None


def num_threads() -> int:
    """The bound in force: set_num_threads, else GVIDEO_THREADS, else the processors this process may use.

    Returns:
        How many threads a call of a kernel may use.

    Example:
        >>> gvideo.raster.num_threads() >= 1
        True
    """
    if _num_threads is not None:
        return _num_threads if isinstance(_num_threads, int) else max(1, _num_threads())
    variable = os.environ.get("GVIDEO_THREADS", "")
    if variable.isdecimal() and int(variable) > 0:
        return int(variable)
    return num_processors()


def set_num_threads(count: int | Callable[[], int] | None) -> None:
    """Bounds the threads of every call of a kernel from now on; results do not depend on it.

    Args:
        count: how many, or a function that is asked at every call; None: back to the default.

    Raises:
        ValueError: the count is below 1.

    Example:
        >>> gvideo.raster.set_num_threads(1)
        >>> gvideo.raster.set_num_threads(None)
    """
    global _num_threads
    if isinstance(count, int) and count < 1:
        raise ValueError(f"{count} threads: must be at least 1")
    _num_threads = count
    _forget_pool()


def for_each(count: int, task: Callable[[int], None]) -> None:
    """Call task(0) ... task(count - 1), on several threads if allowed; raises the first error of any."""
    workers = min(num_threads(), count)
    if workers <= 1:
        for index in range(count):
            task(index)
        return
    tickets = itertools.count()  # next() is atomic under the interpreter lock: work goes to whoever is free

    def work() -> None:
        while (index := next(tickets)) < count:
            task(index)

    pool = _get_pool()
    others = [pool.submit(work) for _ in range(workers - 1)]
    try:
        work()
    finally:
        for other in others:
            if not other.cancel():
                other.result()


def for_rows(count: int, task: Callable[[int, int], None], least: int = 4096) -> None:
    """Call task(start, stop) for ranges that cover 0 ... count - 1, one for each thread, of at least
    `least` rows: fewer are done before another thread has begun."""
    parts = max(1, min(num_threads(), count // least))
    bounds = [count * part // parts for part in range(parts + 1)]
    for_each(parts, lambda part: task(bounds[part], bounds[part + 1]))


def _get_pool() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max_workers=max(num_threads(), num_processors()), thread_name_prefix="gvideo-raster")
    return _pool


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
