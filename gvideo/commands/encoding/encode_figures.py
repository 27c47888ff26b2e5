"""What an encode does, for Prometheus: segments, frames, bytes, seconds and retries, wherever they are fitted.

encode ──► MeasuredExecutor ──► processes or a cluster         GET IP:PORT/metrics -> the sums so far
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Counter, Gauge, Histogram

from gvideo.encoder.jobs.executor import FittedSegment, Progress, SegmentExecutor
from gvideo.encoder.segment import SegmentJob

_SECONDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)

SEGMENTS = Counter("gvideo_encode_segments", "Segments fitted, those of every pass.")
FRAMES = Counter("gvideo_encode_frames", "Frames of them.")
BYTES = Counter("gvideo_encode_bytes", "Bytes that they were coded in.", unit="bytes")
RETRIES = Counter("gvideo_encode_retries", "Segments begun anew because a worker or a machine was lost.")
SECONDS = Histogram("gvideo_encode_segment_seconds", "From begin to end of a fit, where it ran.", buckets=_SECONDS)
OPEN = Gauge("gvideo_encode_segments_open", "Segments handed over and not done.")


class MeasuredExecutor:
    """An executor that counts what another does."""

    def __init__(self, executor: SegmentExecutor) -> None:
        self._executor = executor

    def choose_device(self, wanted: str) -> str:
        """That of the other."""
        return self._executor.choose_device(wanted)

    def run(
        self, jobs: Iterable[tuple[int, SegmentJob]], progress: Progress, label: str = ""
    ) -> Iterator[FittedSegment]:
        """What the other gives, counted."""
        try:
            for fitted in self._executor.run(_counted(jobs), progress, label):
                SEGMENTS.inc()
                FRAMES.inc(fitted.result.num_frames)
                BYTES.inc(sum(len(unit) for unit in fitted.result.units()))
                RETRIES.inc(fitted.retries)
                SECONDS.observe(fitted.seconds)
                OPEN.dec()
                yield fitted
        finally:
            OPEN.set(0)

    def close(self) -> None:
        """Closes the other."""
        self._executor.close()


def _counted(jobs: Iterable[tuple[int, SegmentJob]]) -> Iterator[tuple[int, SegmentJob]]:
    for job in jobs:
        OPEN.inc()
        yield job
