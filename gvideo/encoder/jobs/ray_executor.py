"""Segments on a Ray cluster: one task a segment, few in flight, results as they come.

    jobs ──► ray.put (once each) ──► task "clip.mp4 segment 17" on any machine ──► result
     ▲        as long as there is room          │ shares of it                       │
     │                                          ▼                                    ▼
     └── the next, when one is done          Shares (an actor) ──► progress       the driver

Tasks begin in the order in which they are submitted, that of the video. What was lost with a worker or a machine is
submitted again, by hand rather than by Ray, so that it is counted and comes to an end.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gvideo.encoder.backends.devices import DEVICES, SEGMENTS_PER_GPU, segment_bytes
from gvideo.encoder.jobs.executor import Fit, FittedSegment, Progress
from gvideo.encoder.jobs.ray_connection import check_machines, connect, import_ray
from gvideo.encoder.jobs.ray_worker import MachineError, Shares, described, fit_on_machine, gpu_bytes
from gvideo.encoder.segment import SegmentJob, encode_segment
from gvideo.errors import GVideoError, OptionError

#: Tasks that wait for a place, as a share of those that run, so that none waits for a job; and how many at least.
_AHEAD, _LEAST_AHEAD = 0.25, 2
#: Share of the driver's object store that frames in flight may take; beyond it Ray would write them to disk.
_STORE_SHARE = 0.3
_POLL_SECONDS, _RESIZE_SECONDS = 0.5, 10.0


@dataclass
class _Flight:
    """A job on its way. frames: the reference to it in Ray's object store."""

    number: int
    frames: Any
    num_bytes: int
    options: dict[str, Any]
    retries: int = 0


class RayExecutor:
    """The machines of a Ray cluster.

    Args:
        address: ray://HOST:PORT, HOST:PORT, "auto", or "local" (a Ray of its own on this machine); None: the cluster
            that this process is connected to already, else as "auto".
        workers: segments in flight at most (default: what the cluster has room for, and a quarter more that wait).
        cpus: cores for a segment.
        gpus: share of a GPU for a segment (default: a quarter, or more where its memory is small).
        retries: how often a segment is begun anew after a worker or a machine was lost, before it counts as a failure.
        fit: what fits a segment; benchmarks give a stand-in.

    Raises:
        OptionError: there is no cluster at the address, an option makes no sense, or ray is not installed.
        GVideoError: a machine of the cluster has another version of gvideo or Python.

    Example:
        >>> executor = gvideo.RayExecutor("ray://head:10001")  # doctest: +SKIP
        >>> report = gvideo.encode("clip.mp4", "out.gsv", executor=executor)  # doctest: +SKIP
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        cpus: float = 1.0,
        gpus: float | None = None,
        retries: int = 3,
        fit: Fit = encode_segment,
    ) -> None:
        if workers is not None and workers < 1:
            raise OptionError(f"--workers {workers}: at least 1 wanted")
        if not cpus > 0 or (gpus is not None and not gpus > 0) or retries < 0:
            raise OptionError(f"cpus {cpus:g}, gpus {gpus}, retries {retries}: above 0 wanted, retries at least 0")
        self._workers, self._cpus, self._gpus, self._retries, self._fit = workers, cpus, gpus, retries, fit
        self._ray = import_ray()
        self._owned = address is not None or not self._ray.is_initialized()
        if self._owned:
            connect(address or "auto")
        self._task = self._ray.remote(fit_on_machine)
        self._limits, self._limits_until = (0, 0), 0.0
        try:
            check_machines(self._ray)
        except BaseException:
            self.close()
            raise

    def choose_device(self, wanted: str) -> str:
        """The device that segments are fitted on: for "auto" a GPU if any machine has one.

        Args:
            wanted: "cpu", "cuda" or "auto".

        Returns:
            "cpu" or "cuda".

        Raises:
            OptionError: no machine of the cluster has such a device.

        Example:
            >>> gvideo.RayExecutor("ray://head:10001").choose_device("auto")  # doctest: +SKIP
            'cuda'
        """
        if wanted not in DEVICES:
            raise OptionError(f"--device {wanted}: {', '.join(DEVICES)} wanted")
        there = self._ray.cluster_resources().get("GPU", 0) > 0
        if wanted == "cuda" and not there:
            raise OptionError("--device cuda: no machine of the cluster has a GPU")
        return "cuda" if wanted != "cpu" and there else "cpu"

    def run(
        self, jobs: Iterable[tuple[int, SegmentJob]], progress: Progress, label: str = ""
    ) -> Iterator[FittedSegment]:
        """Fits jobs on the cluster, each as soon as there is room for it.

        Args:
            jobs: (number, job), in the order in which they shall begin.
            progress: called with a number and the share of that segment that is done.
            label: what the jobs are of, which Ray's dashboard shows.

        Returns:
            An iterator over FittedSegments, in the order in which they end.

        Raises:
            GVideoError: a segment was lost again and again, a machine has other versions, or a fit failed.

        Example:
            >>> list(gvideo.RayExecutor("local").run([], print))  # doctest: +SKIP
            []
        """
        shares = self._ray.remote(Shares).options(num_cpus=0, max_restarts=-1, max_task_retries=0).remote()
        poll = _Poll(self._ray, shares, progress)
        waiting: dict[Any, _Flight] = {}

        def submit(flight: _Flight) -> None:
            task = self._task.options(**flight.options)
            threads = max(1, math.floor(self._cpus))
            reference = task.remote([flight.frames], self._fit, flight.number, shares, described(), threads)
            waiting[reference] = flight

        left = iter(jobs)
        more = True
        try:
            while more or waiting:
                while more and self._has_room(waiting.values()):
                    if (found := next(left, None)) is None:
                        more = False
                        break
                    submit(self._flight(*found, label))
                    yield from self._finished(waiting, submit, 0.0)
                if waiting:
                    yield from self._finished(waiting, submit, _POLL_SECONDS)
                poll()
        finally:
            for reference in waiting:  # their results would not be used
                with contextlib.suppress(Exception):
                    self._ray.cancel(reference, force=True)
            with contextlib.suppress(Exception):
                self._ray.kill(shares)

    def close(self) -> None:
        """Ends the connection, unless it was there before.

        Example:
            >>> gvideo.RayExecutor("local").close()  # doctest: +SKIP
        """
        if self._owned:
            self._owned = False
            self._ray.shutdown()

    def _flight(self, number: int, job: SegmentJob, label: str) -> _Flight:
        num_bytes = sum(plane.nbytes for frame in job.frames for plane in frame.planes)
        options = {"name": f"{label} segment {number}".lstrip(), "num_cpus": self._cpus, "max_retries": 0}
        if job.device == "cuda":
            options["num_gpus"] = self._gpu_share(job)
        return _Flight(number, self._ray.put(job), num_bytes, options)

    def _gpu_share(self, job: SegmentJob) -> float:
        """What a segment takes of a GPU: of the first that the cluster gives, the others are thought to be like it."""
        if self._gpus is None:
            task = self._ray.remote(gpu_bytes).options(num_gpus=0.01, num_cpus=0, name="gvideo memory of a GPU")
            needed = segment_bytes(job.format.width, job.format.height, len(job.frames))
            try:
                there = self._ray.get(task.remote())
            except self._ray.exceptions.RayError as error:
                raise GVideoError(f"--device cuda: a GPU of the cluster does not work ({_cause(error)})") from error
            self._gpus = round(1 / max(1, min(SEGMENTS_PER_GPU, there // needed)), 4)
        return self._gpus

    def _has_room(self, flights: Iterable[_Flight]) -> bool:
        """Whether another job may be drawn. Clusters grow and shrink, so theirs is asked for again and again."""
        if time.monotonic() >= self._limits_until:
            self._limits, self._limits_until = self._measure(), time.monotonic() + _RESIZE_SECONDS
        number, num_bytes = self._limits
        under_way = list(flights)
        return len(under_way) < number and sum(f.num_bytes for f in under_way) < num_bytes

    def _measure(self) -> tuple[int, int]:
        """(segments, bytes of frames) in flight at most."""
        resources = self._ray.cluster_resources()
        places = math.floor(resources.get("CPU", 0) / self._cpus)
        if self._gpus is not None:
            places = min(places, math.floor(resources.get("GPU", 0) / self._gpus))
        ahead = max(_LEAST_AHEAD, math.ceil(_AHEAD * places))
        here = self._ray.get_runtime_context().get_node_id()
        stores = [n["Resources"].get("object_store_memory", 0) for n in self._ray.nodes() if n["NodeID"] == here]
        return self._workers or places + ahead, int(_STORE_SHARE * (stores[0] if stores and stores[0] else 1 << 31))

    def _finished(
        self, waiting: dict[Any, _Flight], submit: Callable[[_Flight], None], timeout: float
    ) -> Iterator[FittedSegment]:
        """What is done after that time; what was lost is submitted again."""
        ready, _ = self._ray.wait(list(waiting), num_returns=1, timeout=timeout)
        if ready:  # and all others that happen to be
            ready, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for reference in sorted(ready, key=lambda r: waiting[r].number):
            flight = waiting.pop(reference)
            errors = self._ray.exceptions
            lost = (
                errors.WorkerCrashedError, errors.NodeDiedError, errors.LocalRayletDiedError, errors.ObjectLostError,
                errors.OutOfMemoryError, errors.OutOfDiskError, errors.RaySystemError, MachineError,
            )  # fmt: skip
            try:
                result, seconds = self._ray.get(reference)
            except lost as error:
                flight.retries += 1
                if flight.retries > self._retries:
                    what = f"{flight.options['name']}: lost {flight.retries} times, at last: {_cause(error)}"
                    raise GVideoError(f"{what}{_hint(error, errors)}") from error
                submit(flight)
                continue
            except errors.RayTaskError as error:
                cause = error.cause
                if isinstance(cause, GVideoError):
                    raise type(cause)(f"{flight.options['name']}: {cause}") from error
                raise
            yield FittedSegment(flight.number, result, seconds, flight.retries)


class _Poll:
    """Asks how far segments are, without ever waiting for the answer."""

    def __init__(self, ray: Any, shares: Any, progress: Progress) -> None:
        self._ray, self._shares, self._progress = ray, shares, progress
        self._asked: Any = None
        self._next = 0.0

    def __call__(self) -> None:
        """Hands on what has been told."""
        if self._asked is None:
            if time.monotonic() >= self._next:
                self._asked, self._next = self._shares.take.remote(), time.monotonic() + _POLL_SECONDS
            return
        ready, _ = self._ray.wait([self._asked], timeout=0)
        if ready:
            self._asked = None
            with contextlib.suppress(self._ray.exceptions.RayError):
                for number, share in self._ray.get(ready[0]).items():
                    self._progress(number, share)


def _cause(error: BaseException) -> str:
    """The reason in one sentence: Ray's messages are pages."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def _hint(error: BaseException, errors: Any) -> str:
    if isinstance(error, errors.OutOfMemoryError | errors.WorkerCrashedError):
        return "; give each segment more cores, and so more memory, or use a smaller --size or --segment"
    if isinstance(error, errors.OutOfDiskError | MachineError):
        return "; make room on that machine, or take it out of the cluster"
    return ""
