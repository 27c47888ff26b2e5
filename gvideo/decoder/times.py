"""Seconds to frames, exactly: times are compared as integers of ticks, or as rational numbers between them.

    seconds ── the tick, if it is the double nearest to one; else the rational that it is ──► ticks ──► frame

So the seconds that a decoder gives out for a frame, or for the end, are that very tick again, whatever the timescale.
A time that was computed, such as 7 * 0.04, may miss its tick by a few units in the last place, so a frame counts as
begun up to 2^-48 of its time ahead; the stream itself begins and ends where it does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from gvideo.decoder import arguments
from gvideo.decoder.coded import CodedStream
from gvideo.errors import OptionError, OutsideError
from gvideo.types import Float64, Int64

#: Relative error that a time in seconds may have from being computed in floating point.
_ERROR = Fraction(1, 1 << 48)
#: Frames that a resampled range may have.
_MOST_FRAMES = 1 << 24


def ticks_of(value: Fraction | float, timescale: int) -> Fraction | float:
    """A time in ticks, exact; infinities and NaN stay what they are."""
    if isinstance(value, Fraction):
        return value * timescale
    if not math.isfinite(value):
        return value
    exact = Fraction(value) * timescale
    near = round(exact)
    return Fraction(near) if near / timescale == value else exact


class FrameTimes:
    """The times of a stream's frames. Only the headers of segments that are asked about are read."""

    def __init__(self, stream: CodedStream) -> None:
        self._stream = stream
        self.timescale = stream.header.timescale
        self.begin, self.end = stream.segments[0].start, stream.segments[-1].end
        self.starts = np.array([s.start for s in stream.segments], np.int64)
        self.first_frames = np.array([s.first_frame for s in stream.segments], np.int64)
        self._all: tuple[Int64, Int64] | None = None

    @property
    def begin_seconds(self) -> float:
        """Start of the first frame."""
        return self.begin / self.timescale

    @property
    def end_seconds(self) -> float:
        """End of the last frame."""
        return self.end / self.timescale

    def all(self) -> tuple[Int64, Int64]:
        """(pts, durations) of every frame, i64 [T] ticks each."""
        if self._all is None:
            ticks = [self._stream.frame_ticks(n) for n in range(len(self._stream.segments))]
            pts = np.concatenate([t[:-1] for t in ticks])
            self._all = pts, np.concatenate([np.diff(t) for t in ticks])
        return self._all

    def of(self, numbers: Sequence[int] | Int64) -> tuple[Float64, Float64]:
        """Starts and durations of frames, f64 [F] s each."""
        asked = np.asarray(numbers, np.int64)
        starts, lengths = np.zeros(len(asked)), np.zeros(len(asked))
        segments = np.searchsorted(self.first_frames, asked, side="right") - 1
        for segment in np.unique(segments):
            ticks = self._stream.frame_ticks(int(segment))
            members = segments == segment
            offsets = asked[members] - self.first_frames[segment]
            starts[members] = ticks[offsets] / self.timescale
            lengths[members] = np.diff(ticks)[offsets] / self.timescale
        return starts, lengths

    def number_at(self, time: object) -> int:
        """The frame on screen at a time in seconds; OutsideError before the first and from the end of the last on."""
        value = arguments.seconds(time)
        ticks = ticks_of(value, self.timescale)
        if not self.begin <= ticks < self.end:
            raise OutsideError(f"{value} s is outside the stream, [{self.begin_seconds}, {self.end_seconds}) s")
        return self._shown_at(Fraction(ticks))

    def numbers_in(self, start: object, stop: object) -> range:
        """The frames on screen at some time in [start, stop) seconds. Raises ValueError for a range that runs backwards
        or leaves the stream."""
        first, last = self._checked_range(start, stop)
        if first == last:
            return range(0)
        begun = math.ceil(last - abs(last) * _ERROR)
        segment = max(int(np.searchsorted(self.starts, begun, side="left")) - 1, 0)
        inside = self._stream.frame_ticks(segment)[:-1]
        end = int(self.first_frames[segment]) + int(np.searchsorted(inside, begun, side="left"))
        number = self._shown_at(first)
        return range(number, max(end, number + 1))

    def numbers_every(self, start: object, stop: object, fps: object) -> tuple[Int64, Float64, float]:
        """A range at another rate: frames i64 [F] on screen at start + k/fps, these times f64 [F] s, and 1/fps."""
        rate = float(arguments.seconds(fps))
        if not (rate > 0 and math.isfinite(rate)):
            raise OptionError(f"fps is {fps}: a number above 0 wanted")
        first, last = self._checked_range(start, stop)
        begin = float(arguments.seconds(start))
        count = (float(arguments.seconds(stop)) - begin) * rate + 0.5
        if count >= _MOST_FRAMES + 1:
            raise OptionError(f"fps is {fps}: {count:.3g} frames; ask for at most {_MOST_FRAMES} at once")
        moments = begin + np.arange(int(count)) / rate
        number, stop_number = self._shown_at(first), self._shown_at(last)
        pts, _ = self.of(range(number, stop_number + 1))
        inside = np.searchsorted(pts - np.abs(pts) * float(_ERROR), moments, side="right") - 1
        return number + np.maximum(inside, 0).astype(np.int64), moments, 1 / rate

    def _checked_range(self, start: object, stop: object) -> tuple[Fraction, Fraction]:
        begin, end = arguments.seconds(start), arguments.seconds(stop)
        if not begin <= end:
            raise ValueError(f"the range {begin}:{end} s runs backwards or is none")
        first, last = ticks_of(begin, self.timescale), ticks_of(end, self.timescale)
        if not self.begin <= first < self.end:
            raise ValueError(f"start {begin} s is outside the stream, [{self.begin_seconds}, {self.end_seconds}) s")
        if not last <= self.end:
            raise ValueError(f"stop {end} s is behind the end of the stream at {self.end_seconds} s")
        return Fraction(first), Fraction(last)

    def _shown_at(self, ticks: Fraction) -> int:
        """The frame on screen at a tick, the last one from the end on."""
        late = math.floor(ticks + abs(ticks) * _ERROR)
        segment = max(int(np.searchsorted(self.starts, late, side="right")) - 1, 0)
        inside = self._stream.frame_ticks(segment)[:-1]
        return int(self.first_frames[segment]) + max(int(np.searchsorted(inside, late, side="right")) - 1, 0)
