"""Segments in parallel on this machine: worker processes, results as they come, progress as shares of segments.

Results depend on the jobs alone, never on how many workers there are or which one is first.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from threadpoolctl import threadpool_limits

from gvideo.encoder.backends.devices import choose_device, default_workers, use_gpu_of
from gvideo.encoder.jobs.executor import Fit, FittedSegment, Progress
from gvideo.encoder.segment import SegmentJob, SegmentResult, encode_segment
from gvideo.errors import GVideoError, OptionError
from gvideo.processors import num_processors

#: Cores that share one segment at most; more threads than frames in a step have nothing to do.
_MAX_THREADS = 4
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


def _work(number: int, job: SegmentJob, fit: Fit | None) -> tuple[SegmentResult, float]:
    """(the result, seconds that it took)"""
    if job.device == "cuda":
        use_gpu_of(number)
    with _running.get_lock():
        _running.value += 1
    began = time.monotonic()
    try:
        return (fit or encode_segment)(job, lambda share: _messages.put((number, share))), time.monotonic() - began
    finally:
        with _running.get_lock():
            _running.value -= 1


class ProcessExecutor:
    """Processes of this machine; with one worker, or for a single segment, this process itself.

    Args:
        workers: processes (default: one a core, or up to four a GPU).
        fit: what fits a segment instead of the encoder; benchmarks give a stand-in.

    Raises:
        OptionError: workers is below 1.

    Example:
        >>> executor = gvideo.ProcessExecutor(workers=1)
        >>> report = gvideo.encode("clip.mp4", "out.gsv", crf=50, preset="veryfast", last=3, executor=executor)
        >>> report.num_frames
        4
    """

    def __init__(self, workers: int | None = None, *, fit: Fit | None = None) -> None:
        if workers is not None and workers < 1:
            raise OptionError(f"--workers {workers}: at least 1 wanted")
        self._workers, self._fit = workers, fit

    def choose_device(self, wanted: str) -> str:
        """The device, "cpu" or "cuda", for what a user asks for; "auto" takes a GPU if there is one.

        Args:
            wanted: "cpu", "cuda" or "auto".

        Returns:
            "cpu" or "cuda".

        Raises:
            OptionError: there is no such device here.

        Example:
            >>> gvideo.ProcessExecutor().choose_device("cpu")
            'cpu'
        """
        return choose_device(wanted)

    def run(
        self, jobs: Iterable[tuple[int, SegmentJob]], progress: Progress, label: str = ""
    ) -> Iterator[FittedSegment]:
        """Every segment as it is done, so that an interrupt loses none that is finished.

        Args:
            jobs: (number, job); few more are drawn than there are workers.
            progress: called with a number and the share of that segment that is done.
            label: not used; processes have no names.

        Returns:
            An iterator over FittedSegments, in the order in which they end.

        Raises:
            GVideoError: a worker died, or the GPU's memory is too small.

        Example:
            >>> list(gvideo.ProcessExecutor(workers=1).run([], print))
            []
        """
        jobs = iter(jobs)
        first = list(itertools.islice(jobs, 1))
        if not first:
            return
        workers = self._workers or _workers_for(first[0][1])
        threads = min(max(1, num_processors() // workers), _MAX_THREADS)
        if workers > 1:
            first += itertools.islice(jobs, 1)
        jobs = itertools.chain(first, jobs)
        if len(first) > 1:
            yield from _in_processes(jobs, workers, threads, progress, self._fit)
            return
        use_threads(max(threads * workers, 1))
        for number, job in jobs:
            began = time.monotonic()
            result = (self._fit or encode_segment)(job, lambda share, n=number: progress(n, share))  # type: ignore[misc]
            yield FittedSegment(number, result, time.monotonic() - began)

    def close(self) -> None:
        """Nothing is held between runs.

        Example:
            >>> gvideo.ProcessExecutor().close()
        """


def _workers_for(job: SegmentJob) -> int:
    """Processes for segments like this one, at their longest."""
    longest = math.ceil(job.settings.segment_seconds * job.format.timescale / job.frame_duration)
    return default_workers(job.device, job.format.width, job.format.height, longest)


def _in_processes(
    jobs: Iterable[tuple[int, SegmentJob]], num_workers: int, num_threads: int, progress: Progress, fit: Fit | None
) -> Iterator[FittedSegment]:
    """num_threads: of each worker, while all are at work."""
    context = multiprocessing.get_context("spawn")
    messages, running = context.Queue(), context.Value("i", 0)
    shared = messages, running, num_threads * num_workers
    pool = ProcessPoolExecutor(num_workers, context, _start_worker, shared)
    waiting: dict[Future[tuple[SegmentResult, float]], int] = {}
    try:
        for number, job in jobs:
            waiting[_submit(pool, number, job, fit)] = number
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


def _submit(
    pool: ProcessPoolExecutor, number: int, job: SegmentJob, fit: Fit | None
) -> Future[tuple[SegmentResult, float]]:
    """Hands a job over. A worker that this starts inherits a blocked SIGINT: while it loads it could not ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_work, number, job, fit)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _finished(
    waiting: dict[Future[tuple[SegmentResult, float]], int], messages: Any, progress: Progress
) -> Iterator[FittedSegment]:
    """Waits until at least one result is there; takes all that are."""
    while not (done := wait(waiting, timeout=0, return_when=FIRST_COMPLETED).done):
        with contextlib.suppress(queue.Empty):
            progress(*messages.get(timeout=_POLL_SECONDS))
    for future in sorted(done, key=lambda f: waiting[f]):
        number = waiting.pop(future)
        yield FittedSegment(number, *future.result())
