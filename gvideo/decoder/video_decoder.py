"""Frames by number or by time, with torchcodec's names and guarantees: frame i is always frame i.

Ranges are half-open; an index outside 0 … len-1 is an IndexError, a time outside the stream a ValueError, an order
or a repetition is kept as asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import overload

import numpy as np

from gvideo.decoder.render import SegmentRenderer
from gvideo.decoder.source import Source
from gvideo.decoder.stream import Stream
from gvideo.media.colour import planes_to_rgb
from gvideo.types import Float32, Float64, Int64, UInt8, VideoFormat

#: Dequantised segments that are kept.
_CACHED_SEGMENTS = 4
#: Frames that are rendered in one call at most.
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: data u8 [3,H,W] (R'G'B'; [H,W,3] if asked for), shown from pts_seconds for duration_seconds."""

    data: UInt8
    pts_seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Frames together: data u8 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F]."""

    data: UInt8
    pts_seconds: Float64
    duration_seconds: Float64

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Frame:
        return Frame(self.data[index], float(self.pts_seconds[index]), float(self.duration_seconds[index]))

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a stream without decoding it. bit_rate in bits/s over its duration."""

    width: int
    height: int
    num_frames: int
    begin_stream_seconds: float
    end_stream_seconds: float
    duration_seconds: float
    average_fps: float
    timescale: int
    bit_rate: float
    num_segments: int
    format: VideoFormat


class VideoDecoder:
    """Decodes a .gsv stream.

    source: path, bytes or binary file object. layers: decode only so many layers of each segment (None: all).
    size: (width, height) of the frames, any; by default the coded size. dimension_order: "NCHW" or "NHWC".
    Frames are R'G'B' as coded; `metadata.format.rotation` says how to turn them for display.
    Raises BitstreamError for a stream that breaks the syntax, MediaError for a file that cannot be read.
    """

    def __init__(
        self,
        source: Source,
        *,
        layers: int | None = None,
        size: tuple[int, int] | None = None,
        dimension_order: str = "NCHW",
    ) -> None:
        if dimension_order not in ("NCHW", "NHWC"):
            raise ValueError(f"dimension_order is {dimension_order!r}, NCHW or NHWC wanted")
        if layers is not None and layers < 1:
            raise ValueError(f"layers is {layers}, at least 1 wanted")
        if size is not None and not (1 <= size[0] <= 16384 and 1 <= size[1] <= 16384):
            raise ValueError(f"size is {size}, sides from 1 to 16384 wanted")
        self.stream = Stream(source)
        self._layers = layers
        self._size = size
        self._channels_last = dimension_order == "NHWC"
        self._renderers: OrderedDict[int, SegmentRenderer] = OrderedDict()
        self._first_frames = np.array([s.first_frame for s in self.stream.segments], np.int64)
        self._starts = np.array([s.start for s in self.stream.segments], np.int64)
        self._pts: Int64 | None = None

    def __len__(self) -> int:
        return self.stream.num_frames

    @property
    def timescale(self) -> int:
        """Ticks per second of `pts`."""
        return self.stream.header.timescale

    @property
    def pts(self) -> Int64:
        """Start of every frame, exact, i64 [T] ticks."""
        if self._pts is None:
            ticks = [self.stream.frame_ticks(n)[:-1] for n in range(len(self.stream.segments))]
            self._pts = np.concatenate(ticks)
        return self._pts.copy()

    @property
    def metadata(self) -> Metadata:
        """Size, counts and times of the stream."""
        s, scale = self.stream, self.timescale
        seconds = s.duration / scale
        format_ = s.format if self._size is None else replace(s.format, width=self._size[0], height=self._size[1])
        return Metadata(
            format_.width, format_.height, s.num_frames, s.segments[0].start / scale, s.segments[-1].end / scale,
            seconds, float(Fraction(s.num_frames * scale, s.duration)), scale, 8 * s.source.size / seconds,
            len(s.segments), format_,
        )  # fmt: skip

    @overload
    def __getitem__(self, key: int) -> UInt8: ...

    @overload
    def __getitem__(self, key: slice) -> UInt8: ...

    def __getitem__(self, key: int | slice) -> UInt8:
        """Frame data by number (negative: from the end) or slice."""
        if isinstance(key, slice):
            return self.get_frames_at(range(*key.indices(len(self)))).data
        return self.get_frame_at(_integer(key)).data

    def __iter__(self) -> Iterator[UInt8]:
        for start in range(0, len(self), _BATCH):
            yield from self.get_frames_in_range(start, min(start + _BATCH, len(self))).data

    def get_frame_at(self, index: int) -> Frame:
        """The frame of a number; negative numbers count from the end."""
        return self.get_frames_at([index])[0]

    def get_frames_at(self, indices: Sequence[int] | Int64) -> FrameBatch:
        """Frames of any numbers, in the order asked for."""
        return self._batch([self._number(_integer(i)) for i in indices])

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> FrameBatch:
        """Frames start, start+step, … below stop."""
        if step < 1:
            raise IndexError(f"step is {step}, at least 1 wanted")
        if not 0 <= start < len(self) or not start <= stop <= len(self):
            raise IndexError(f"range {start}:{stop} is outside 0:{len(self)}")
        return self._batch(list(range(start, stop, step)))

    def get_all_frames(self) -> FrameBatch:
        """Every frame."""
        return self._batch(list(range(len(self))))

    def get_frame_played_at(self, seconds: float) -> Frame:
        """The frame on screen at a time; ValueError outside the stream."""
        return self.get_frames_played_at([seconds])[0]

    def get_frames_played_at(self, seconds: Sequence[float] | Float64) -> FrameBatch:
        """The frames on screen at any times, in the order asked for."""
        return self._batch([self._number_at(s) for s in seconds])

    def get_frames_played_in_range(self, start_seconds: float, stop_seconds: float) -> FrameBatch:
        """Every frame that is on screen at some time in [start_seconds, stop_seconds)."""
        if stop_seconds < start_seconds:
            raise ValueError(f"the range {start_seconds}:{stop_seconds} s runs backwards")
        end = self.stream.segments[-1].end / self.timescale
        if stop_seconds > end:
            raise ValueError(f"{stop_seconds} s is behind the end of the stream at {end} s")
        first = self._number_at(start_seconds)
        if stop_seconds == start_seconds:
            return self._batch([])
        pts = self.pts
        last = int(np.searchsorted(pts, stop_seconds * self.timescale, side="left"))
        return self._batch(list(range(first, max(last, first + 1))))

    def planes_at(self, indices: Sequence[int] | Int64) -> Float32:
        """Y'CbCr planes f32 [F,3,H,W] (range removed, not clipped) of frames by number: what evaluation measures."""
        numbers = [self._number(_integer(i)) for i in indices]
        parts = [self._planes(number, offsets) for number, offsets in self._by_segment(numbers)]
        return np.concatenate(parts) if parts else np.zeros((0, 3, *self._shape()), np.float32)

    def planes_at_ticks(self, ticks: Float64) -> Float32:
        """Planes f32 [F,3,H,W] at any moments in ticks, between frames too: splines and lives are continuous."""
        segments = np.clip(np.searchsorted(self._starts, ticks, side="right") - 1, 0, len(self._starts) - 1)
        parts = []
        for segment, members in groupby(range(len(ticks)), key=lambda i: int(segments[i])):
            renderer = self._renderer(segment)
            times = renderer.times_at(np.asarray(ticks, np.float64)[list(members)])
            parts.append(renderer.planes(times, self._size))
        return np.concatenate(parts) if parts else np.zeros((0, 3, *self._shape()), np.float32)

    def close(self) -> None:
        """Closes the source if it was opened here."""
        self.stream.source.close()

    def _shape(self) -> tuple[int, int]:
        width, height = self._size or (self.stream.format.width, self.stream.format.height)
        return height, width

    def _number(self, index: int) -> int:
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"frame {index} is outside 0..{len(self) - 1}")
        return number

    def _number_at(self, seconds: float) -> int:
        begin, end = self.stream.segments[0].start, self.stream.segments[-1].end
        ticks = float(seconds) * self.timescale
        if not begin <= ticks < end:
            raise ValueError(f"{seconds} s is outside [{begin / self.timescale}, {end / self.timescale}) s")
        # half a tick of grace: a time that was computed from a frame's own pts must find that frame
        segment = int(np.searchsorted(self._starts, ticks + 0.5, side="right")) - 1
        inside = self.stream.frame_ticks(max(segment, 0))[:-1]
        offset = int(np.searchsorted(inside, ticks + 0.5, side="right")) - 1
        return int(self._first_frames[max(segment, 0)]) + max(offset, 0)

    def _by_segment(self, numbers: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Runs of frames of one segment, at most _BATCH long: (segment, offsets within it)."""
        where = np.searchsorted(self._first_frames, np.asarray(numbers, np.int64), side="right") - 1
        for segment, members in groupby(range(len(numbers)), key=lambda i: int(where[i])):
            offsets = [numbers[i] - int(self._first_frames[segment]) for i in members]
            for start in range(0, len(offsets), _BATCH):
                yield segment, offsets[start : start + _BATCH]

    def _planes(self, segment: int, offsets: list[int]) -> Float32:
        renderer = self._renderer(segment)
        return renderer.planes(renderer.times[offsets], self._size)

    def _renderer(self, segment: int) -> SegmentRenderer:
        if segment in self._renderers:
            self._renderers.move_to_end(segment)
            return self._renderers[segment]
        decoded = self.stream.decode_segment(segment, self._layers)
        ticks = self.stream.frame_ticks(segment)
        h = self.stream.header
        renderer = SegmentRenderer(decoded.symbols, decoded.rules, h.width, h.height, ticks)
        self._renderers[segment] = renderer
        if len(self._renderers) > _CACHED_SEGMENTS:
            self._renderers.popitem(last=False)
        return renderer

    def _batch(self, numbers: list[int]) -> FrameBatch:
        height, width = self._shape()
        shape = (height, width, 3) if self._channels_last else (3, height, width)
        data = np.empty((len(numbers), *shape), np.uint8)
        starts, lengths = np.zeros(len(numbers)), np.zeros(len(numbers))
        done = 0
        for segment, offsets in self._by_segment(numbers):
            planes = self._planes(segment, offsets)
            colour = self.stream.format.colour
            here = slice(done, done + len(offsets))
            data[here] = planes_to_rgb(planes, colour, channels_last=self._channels_last)
            ticks = self.stream.frame_ticks(segment)
            starts[here] = ticks[offsets] / self.timescale
            lengths[here] = np.diff(ticks)[offsets] / self.timescale
            done += len(offsets)
        return FrameBatch(data, starts, lengths)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_renderers": OrderedDict()}


def _integer(value: object) -> int:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    raise TypeError(f"a frame number is an integer, not {type(value).__name__}")
