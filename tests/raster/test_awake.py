"""Threads that go through phases of tasks together."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from gvideo.raster import awake, threads
from gvideo.raster.jit import kernel

PHASES, TASKS = 40, 6


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    threads.set_num_threads(None)


@kernel
def _add_neighbours(is_main, counters, rows):
    """Row p+1 of i64 [PHASES + 1, TASKS]: each the sum of two of row p, which others may have made."""
    for phase in range(len(rows) - 1):
        if not awake.begin(counters, phase, is_main):
            return
        count = rows.shape[1]
        task = awake.take(counters, phase)
        while task < count:
            rows[phase + 1, task] = (rows[phase, task] + rows[phase, (task + 1) % count]) % 1000003
            awake.done(counters, phase)
            task = awake.take(counters, phase)
        if not awake.end(counters, phase, is_main, count):
            return


def _rows() -> np.ndarray:
    rows = np.zeros((PHASES + 1, TASKS), np.int64)
    rows[0] = np.arange(TASKS)
    return rows


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_phase_sees_all_of_the_one_before(count):
    wanted = _rows()
    for phase in range(PHASES):
        wanted[phase + 1] = (wanted[phase] + np.roll(wanted[phase], -1)) % 1000003
    threads.set_num_threads(count)
    for _ in range(50):
        rows = _rows()
        awake.run(lambda is_main, counters, rows=rows: _add_neighbours(is_main, counters, rows), PHASES)
        np.testing.assert_array_equal(rows, wanted)


@pytest.mark.parametrize("failing", ["main thread", "helper"])
def test_the_others_stop_if_one_fails(failing):
    """Nobody waits for tasks of a thread that is gone, and its error is what is raised."""
    threads.set_num_threads(2)
    both = threading.Barrier(2, timeout=20)

    def work(is_main, counters):
        both.wait()
        if is_main == (failing == "main thread"):
            awake.take(counters, 0)
            raise MemoryError(failing)
        _add_neighbours(is_main, counters, _rows())

    started = time.monotonic()
    with pytest.raises(MemoryError, match=failing):
        awake.run(work, PHASES)
    assert time.monotonic() - started < 20


def test_helpers_that_never_begin_are_not_waited_for(monkeypatch):
    """As where all threads of the pool are busy with other work."""
    threads.set_num_threads(2)
    busy = threading.Event()
    pool = threads._get_pool()
    blocked = [pool.submit(busy.wait) for _ in range(pool._max_workers)]
    try:
        rows = _rows()
        awake.run(lambda is_main, counters: _add_neighbours(is_main, counters, rows), PHASES)
        assert rows[-1].any()
    finally:
        busy.set()
        for other in blocked:
            other.result()
