"""Segments in parallel: worker processes, results as they come, progress as shares of segments.

Results depend on the jobs alone, never on how many workers there are or which one is first.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from threadpoolctl import threadpool_limits

from gvideo.encoder.backends.devices import use_gpu_of
from gvideo.encoder.segment import SegmentJob, SegmentResult, encode_segment
from gvideo.errors import GVideoError

#: (segment number, share of it that is done)
Progress = Callable[[int, float], None]
_POLL_SECONDS = 0.2

_messages: Any = None
_running: Any = None


def _start_worker(messages: Any, running: Any, num_cores: int) -> None:
    global _messages, _running
    _messages, _running = messages, running
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    threading.Thread(target=end_with_parent, daemon=True).start()
    # cores that no segment needs any more go to those that are left
    use_threads(lambda: num_cores // max(running.value, 1))


def end_with_parent() -> None:
    """A parent that is killed cannot end its workers, which would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def use_threads(num_threads: int | Callable[[], int]) -> None:
    """Bounds the threads of this process, here and nowhere else: those of the kernels, which do not change a result, to
    num_threads; torch, whose sums depend on its threads, BLAS and OpenCV to one. Threads of theirs would wait for each
    other whenever a core is busy with something else."""
    import cv2
    import torch

    from gvideo import raster

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threadpool_limits(1)
    raster.set_num_threads(num_threads)


def _work(number: int, job: SegmentJob) -> SegmentResult:
    if job.device == "cuda":
        use_gpu_of(number)
    with _running.get_lock():
        _running.value += 1
    try:
        return encode_segment(job, lambda share: _messages.put((number, share)))
    finally:
        with _running.get_lock():
            _running.value -= 1


def encode_all(
    jobs: Iterable[tuple[int, SegmentJob]], num_workers: int, num_threads: int, progress: Progress
) -> Iterator[tuple[int, SegmentResult]]:
    """(number, result) of every job, as each is done, so that an interrupt loses none that is finished.
    num_workers <= 1, or a single job: in this process. num_threads: of each worker, while all are at work. Holds few
    jobs at a time."""
    jobs = iter(jobs)
    first = list(itertools.islice(jobs, 2)) if num_workers > 1 else []
    jobs = itertools.chain(first, jobs)
    if len(first) < 2:
        use_threads(max(num_threads * num_workers, 1))
        for number, job in jobs:
            yield number, encode_segment(job, lambda share, n=number: progress(n, share))  # type: ignore[misc]
        return
    context = multiprocessing.get_context("spawn")
    messages, running = context.Queue(), context.Value("i", 0)
    shared = messages, running, num_threads * num_workers
    pool = ProcessPoolExecutor(num_workers, context, _start_worker, shared)
    waiting: dict[Future[SegmentResult], int] = {}
    try:
        for number, job in jobs:
            waiting[_submit(pool, number, job)] = number
            while len(waiting) > num_workers:
                yield from _finished(waiting, messages, progress)
        while waiting:
            yield from _finished(waiting, messages, progress)
    except BrokenProcessPool as error:
        raise GVideoError("a worker process died, probably for lack of memory: try fewer --workers") from error
    finally:
        for process in list((pool._processes or {}).values()) if waiting else []:
            process.terminate()  # their results would not be used
        pool.shutdown(cancel_futures=True)
        messages.close()


def _submit(pool: ProcessPoolExecutor, number: int, job: SegmentJob) -> Future[SegmentResult]:
    """Hands a job over. A worker that this starts inherits a blocked SIGINT: while it loads it could not ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_work, number, job)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _finished(
    waiting: dict[Future[SegmentResult], int], messages: Any, progress: Progress
) -> Iterator[tuple[int, SegmentResult]]:
    """Waits until at least one result is there; takes all that are."""
    while not (done := wait(waiting, timeout=0, return_when=FIRST_COMPLETED).done):
        with contextlib.suppress(queue.Empty):
            progress(*messages.get(timeout=_POLL_SECONDS))
    for future in sorted(done, key=lambda f: waiting[f]):
        yield waiting.pop(future), future.result()
