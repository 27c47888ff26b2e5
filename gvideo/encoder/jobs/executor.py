"""The seam between an encode and whatever fits its segments: processes of this machine (pool.py) or a Ray cluster
(ray_executor.py).

    jobs in the order of the video ──► SegmentExecutor ──► fitted segments in any order
                                        (few in flight)

A result depends on its job alone (segment.py), so every executor gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gvideo.encoder.segment import Report, SegmentJob, SegmentResult

#: (segment number, share of it that is done)
Progress = Callable[[int, float], None]
#: Fits a job and reports how far it is: encode_segment, or a stand-in of benchmarks.
Fit = Callable[[SegmentJob, Report | None], SegmentResult]


@dataclass(frozen=True, slots=True)
class FittedSegment:
    """A segment that is done. seconds: that the fit took where it ran. retries: how often it was begun anew because a
    worker or its machine was lost."""

    number: int
    result: SegmentResult
    seconds: float
    retries: int = 0


class SegmentExecutor(Protocol):
    """Fits segments somewhere. What `gvideo.encode(..., executor=)` takes.

    Example:
        >>> executor: gvideo.SegmentExecutor = gvideo.ProcessExecutor(workers=1)
    """

    def choose_device(self, wanted: str) -> str:
        """The device that segments are fitted on.

        Args:
            wanted: "cpu", "cuda" or "auto".

        Returns:
            "cpu" or "cuda".

        Raises:
            OptionError: the device is not there, or there is none of that name.

        Example:
            >>> gvideo.ProcessExecutor().choose_device("cpu")
            'cpu'
        """
        ...

    def run(
        self, jobs: Iterable[tuple[int, SegmentJob]], progress: Progress, label: str = ""
    ) -> Iterator[FittedSegment]:
        """Fits jobs, holding few of them at a time, and gives each as soon as it is done.

        Args:
            jobs: (number, job), drawn as there is room, in the order in which they shall begin.
            progress: called with a number and the share of that segment that is done.
            label: what the jobs are of, for those who watch.

        Returns:
            An iterator over FittedSegments, in the order in which they end.

        Raises:
            GVideoError: a segment could not be fitted, for a reason outside this program.

        Example:
            >>> list(gvideo.ProcessExecutor(workers=1).run([], print))
            []
        """
        ...

    def close(self) -> None:
        """Gives up what it holds, such as a connection. May be called twice.

        Example:
            >>> gvideo.ProcessExecutor().close()
        """
        ...
