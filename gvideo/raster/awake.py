"""Threads that stay awake: a kernel goes through many short phases of tasks without going back to Python between them.

    main thread:   open phase ─ take tasks … ─ wait until all are done ─ open the next one …
    helpers:       wait for the phase ─ take tasks …                  ─ wait for the next one …

Waking a sleeping thread takes some 50 to 100 µs, as long as the work of a phase. Helpers that begin late, or never, do
no harm: a phase is done when its tasks are, whoever did them. The counters are int64 in one array:

    [phases opened, whether a thread failed, tickets of phase 0, tasks done of phase 0, tickets of phase 1, …]
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from gvideo.raster import threads
from gvideo.raster.jit import kernel
from gvideo.raster.simd import cgutils, element_address, intrinsic
from gvideo.types import Int64

_OPENED, _FAILED, _FIRST = 0, 1, 2
#: Looks at a counter before a waiting thread lets others have its processor, about 20 µs.
_LOOKS = 5000


@intrinsic  # type: ignore[untyped-decorator]
def _add(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Adds to a counter; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = element_address(context, builder, array, *arguments[:2])
        return builder.atomic_rmw("add", address, arguments[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _look(typing: Any, array: Any, index: Any) -> Any:
    """What a counter is now."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(element_address(context, builder, array, *arguments), "seq_cst", 8)

    return types.int64(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def _let_others(typing: Any) -> Any:
    """Lets other threads have the processor."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = "SwitchToThread" if os.name == "nt" else "sched_yield"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), name)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@kernel
def _wait(counters: Int64, index: int, value: int) -> bool:
    """Waits until a counter is at least so much; False if a thread failed."""
    looks = 0
    while _look(counters, index) < value:
        if _look(counters, _FAILED) != 0:
            return False
        looks += 1
        if looks > _LOOKS:
            _let_others()
    return True


@kernel
def begin(counters: Int64, phase: int, is_main: bool) -> bool:
    """Opens a phase, or waits until it is open; False if a thread failed and there is no more to do."""
    if is_main:
        _add(counters, _OPENED, 1)
        return True
    return _wait(counters, _OPENED, phase + 1)


@kernel
def take(counters: Int64, phase: int) -> int:
    """The number of the next task of a phase; from the phase's number of tasks on there is none left."""
    ticket: int = _add(counters, _FIRST + 2 * phase, 1)
    return ticket


@kernel
def done(counters: Int64, phase: int) -> None:
    """Says that one task of the phase is done."""
    _add(counters, _FIRST + 2 * phase + 1, 1)


@kernel
def end(counters: Int64, phase: int, is_main: bool, count: int) -> bool:
    """The main thread waits until all tasks of the phase are done; False if a thread failed."""
    return not is_main or _wait(counters, _FIRST + 2 * phase + 1, count)


def run(work: Callable[[bool, Int64], None], num_phases: int) -> None:
    """work(is_main, counters) on as many threads as are allowed, one of which is the main one; raises the first error
    of any. A compiled `work` goes through all phases in order, with begin(), take(), done() and end()."""
    counters = np.zeros(_FIRST + 2 * num_phases, np.int64)

    def part(index: int) -> None:
        try:
            work(index == 0, counters)
        except BaseException:
            counters[_FAILED] = 1
            raise
        finally:
            if index == 0:  # helpers that have not begun find nothing to do
                counters[_OPENED] = num_phases

    threads.for_each(threads.num_threads(), part)
