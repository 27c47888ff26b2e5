"""Segments in parallel: worker processes of one thread each, results in order, progress as shares of segments.

Results depend on the jobs alone, never on how many workers there are or which one is first.
"""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from gvideo.encoder.segment import SegmentJob, SegmentResult, encode_segment
from gvideo.errors import GVideoError

#: (segment number, share of it that is done)
Progress = Callable[[int, float], None]
_POLL_SECONDS = 0.2

_messages: Any = None


def _start_worker(messages: Any, num_threads: int) -> None:
    global _messages
    _messages = messages
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    use_threads(num_threads)


def use_threads(num_threads: int) -> None:
    """Threads of the kernels; torch stays at one, whose sums do not depend on a thread count."""
    import torch

    from gvideo import raster

    torch.set_num_threads(1)
    raster.set_num_threads(num_threads)


def _work(number: int, job: SegmentJob) -> SegmentResult:
    return encode_segment(job, lambda share: _messages.put((number, share)))


def encode_all(
    jobs: Iterable[tuple[int, SegmentJob]], num_workers: int, num_threads: int, progress: Progress
) -> Iterator[tuple[int, SegmentResult]]:
    """(number, result) of every job, in order. num_workers <= 1: in this process. Holds few jobs at a time."""
    if num_workers <= 1:
        use_threads(num_threads)
        for number, job in jobs:
            yield number, encode_segment(job, lambda share, n=number: progress(n, share))  # type: ignore[misc]
        return
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    pool = ProcessPoolExecutor(num_workers, context, _start_worker, (messages, num_threads))
    waiting: deque[tuple[int, Future[SegmentResult]]] = deque()
    try:
        for number, job in jobs:
            waiting.append((number, pool.submit(_work, number, job)))
            while len(waiting) > num_workers:
                yield _next(waiting, messages, progress)
        while waiting:
            yield _next(waiting, messages, progress)
    except BrokenProcessPool as error:
        raise GVideoError("a worker process died, probably for lack of memory: try fewer --workers") from error
    finally:
        for process in list((pool._processes or {}).values()) if waiting else []:
            process.terminate()  # their results would not be used
        pool.shutdown(cancel_futures=True)
        messages.close()


def _next(
    waiting: deque[tuple[int, Future[SegmentResult]]], messages: Any, progress: Progress
) -> tuple[int, SegmentResult]:
    number, future = waiting[0]
    while not future.done():
        try:
            progress(*messages.get(timeout=_POLL_SECONDS))
        except queue.Empty:
            continue
    waiting.popleft()
    return number, future.result()
