"""Encoding while the input is still written: segments in order, one after the other, each as soon as it is fitted.

    frames, once ──cut──► segment ──► rung 1 ──► rung 2 ... each in its size and quality, all with the same cuts

With a rate to meet, each segment's distortion follows from those before it (one_pass.py); an encoder that is too slow
lowers its effort (keep_up.py). No codebooks or start states are shared between segments, as they would have to be known
before the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gvideo.bitstream.headers import SequenceHeader
from gvideo.encoder.jobs.encode import sequence_header, usual_duration
from gvideo.encoder.jobs.executor import SegmentExecutor
from gvideo.encoder.jobs.keep_up import Effort, KeepUp, thinned
from gvideo.encoder.rate.model import RateTarget
from gvideo.encoder.rate.one_pass import OnePass
from gvideo.encoder.scenes.segmenter import segmenter_of
from gvideo.encoder.segment import SegmentJob
from gvideo.encoder.settings import EncodeSettings
from gvideo.media import CodeFrame, VideoSource
from gvideo.media.resize import in_format
from gvideo.model.steps import StepRules
from gvideo.types import VideoFormat


@dataclass(frozen=True, slots=True)
class LiveRung:
    """A size and quality that every segment is fitted in. rate: bits to meet instead of the settings' quality."""

    format: VideoFormat
    settings: EncodeSettings
    rate: RateTarget | None = None


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment of a rung: the header of its stream, ticks of its start and duration, frames, the units of its
    layers."""

    header: SequenceHeader
    start: int
    duration: int
    num_frames: int
    layers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LiveCut:
    """A segment in all rungs. frames: of the source, which is in its own format."""

    frames: tuple[CodeFrame, ...]
    rungs: tuple[LiveSegment, ...]

    @property
    def start(self) -> int:
        """Ticks of the source."""
        return self.frames[0].pts

    @property
    def duration(self) -> int:
        """Ticks."""
        return self.frames[-1].pts + self.frames[-1].duration - self.start


class Waiting(Protocol):
    """A source that may have nothing to read for a while. waited: seconds of that so far; all_read: whether it has
    ended, however much waits to be taken. leave_out: what waits is not wanted any more."""

    @property
    def waited(self) -> float: ...

    @property
    def all_read(self) -> bool: ...

    def leave_out(self) -> None: ...


class _Rung:
    """The segments of one rung, one after the other."""

    def __init__(self, rung: LiveRung, executor: SegmentExecutor, device: str, label: str) -> None:
        self._rung, self._executor, self._device, self._label = rung, executor, device, label
        self._header: SequenceHeader | None = None
        self._control: OnePass | None = None

    def fit(self, number: int, source: list[CodeFrame], own: VideoFormat, effort: Effort) -> LiveSegment:
        """The next segment, of frames in the source's own format."""
        fmt, rate = self._rung.format, self._rung.rate
        settings = replace(self._rung.settings, preset=effort.preset)
        if self._header is None:
            self._header = sequence_header(fmt, usual_duration(source), source[0].pts)
            pixel_rate = fmt.width * fmt.height * fmt.timescale / self._header.frame_duration
            self._control = None if rate is None else OnePass(rate, pixel_rate, settings.distortion)
        frames = tuple(in_format(f, own, fmt) for f in thinned(source, effort.one_of))
        seconds = sum(f.duration for f in frames) / fmt.timescale
        distortion: int | None = settings.distortion if self._control is None else self._control.distortion(seconds)
        assert distortion is not None
        distortion = max(0, distortion - effort.coarser)
        while distortion is not None:
            job = SegmentJob(frames, fmt, settings, self._header.frame_duration, StepRules(distortion), self._device)
            (fitted,) = self._executor.run([(number, job)], lambda *_: None, self._label)
            result = fitted.result
            num_bits = 8 * sum(len(u) for u in result.units())
            distortion = None if self._control is None else self._control.take(num_bits, seconds, distortion)
        return LiveSegment(self._header, frames[0].pts, result.duration, result.num_frames, result.units())


def encode_live(
    video: VideoSource,
    settings: EncodeSettings,
    executor: SegmentExecutor,
    rate: RateTarget | None = None,
    device: str = "cpu",
) -> Iterator[LiveSegment]:
    """The segments of a source that is read once, in its size. executor: is given one at a time, since the next is not
    there yet. device: "cpu" or "cuda", where they are fitted. Raises OptionError if a segment cannot fit the rate's
    buffer."""
    for cut in encode_live_ladder(video, [LiveRung(video.format, settings, rate)], executor, device):
        yield cut.rungs[0]


def encode_live_ladder(
    video: VideoSource,
    rungs: Sequence[LiveRung],
    executor: SegmentExecutor,
    device: str = "cpu",
    *,
    keep_up: KeepUp | None = None,
    waiting: Waiting | None = None,
    say: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[LiveCut]:
    """As encode_live, in several rungs that are cut alike. keep_up: lowers the effort where it must, None: it is never
    lowered. waiting: the source, tells when it has nothing to read; where keep_up is too late, what waits there is left
    out, and the segments end. say: is told a line when the effort changes or something is left out. clock: seconds."""
    fmt = video.format
    segmenter = segmenter_of(max(r.settings.segment_seconds for r in rungs), fmt.timescale)
    fitters = [_Rung(r, executor, device, f"{video.name} live") for r in rungs]
    plain = [Effort(r.settings.preset) for r in rungs]
    came, waited, seconds = clock(), 0.0, 0.0
    for number, frames in enumerate(segmenter.segments(video.code_frames())):
        now, waits = clock(), waiting.waited if waiting else 0.0
        if number and keep_up is not None:
            line = keep_up.took(now - came - (waits - waited), seconds, waits - waited)
            if line is not None:
                say(line)
            if keep_up.is_too_late and waiting is not None and not waiting.all_read:
                say(keep_up.leave_out())
                waiting.leave_out()
                return
        came, waited = now, waits
        seconds = (frames[-1].pts + frames[-1].duration - frames[0].pts) / fmt.timescale
        chosen = plain if keep_up is None else [keep_up.effort] * len(rungs)
        fitted = (f.fit(number, frames, fmt, effort) for f, effort in zip(fitters, chosen, strict=True))
        yield LiveCut(tuple(frames), tuple(fitted))
