"""Frames by number or by time, with torchcodec's names and guarantees: frame i is always frame i.

Ranges are half-open; an index outside 0 … len-1 is an IndexError, a time outside the stream a ValueError, an order
or a repetition is kept as asked. A frame's data does not depend on what else is asked for, nor on threads.
"""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, overload

import numpy as np

from gvideo.decoder.coded import CodedStream
from gvideo.decoder.frames import OUTPUTS, Frame, FrameBatch, Metadata, converter
from gvideo.decoder.published import open_stream
from gvideo.decoder.source import Source
from gvideo.errors import OptionError
from gvideo.types import Float32, Float64, Int64, UInt8

if TYPE_CHECKING:
    from gvideo.decoder.render import SegmentRenderer
    from gvideo.raster import Viewport

#: Dequantised segments that are kept.
_CACHED_SEGMENTS = 4
#: Bytes of float planes that are rendered in one call at most, and frames.
_BATCH_BYTES, _BATCH_FRAMES = 1 << 26, 16
_MAX_SIDE, _MAX_ZOOM = 16384, 1024
#: Relative error that a time in seconds may have from being computed in floating point.
_TIME_ERROR = 2.0**-48


class VideoDecoder:
    """Decodes a gvideo stream.

    source: path, bytes or binary file object of a .gsv stream; or a published folder, an .m3u8, .mpd or .mp4, each as a
    path or an http(s) URL, of which the best rung is taken and only those segments are fetched that are asked for; or a
    stream that is open already. layers: decode only so many layers of each segment (None: all).
    size: (width, height) of the frames, any; by default the coded size. dimension_order: "NCHW" or "NHWC".
    output: "numpy", or "torch" for tensors; torch must be installed then. device: where frames are drawn, "cpu" or
    "cuda"; they come back to the host's memory. grain: draw the grain of a stream that has some, as players do; measure
    without it, as it is noise of the source's kind and not the source's noise.
    Frames are R'G'B' as coded; `metadata.format.rotation` says how to turn them for display.

    Several threads may use one decoder. It can be pickled (a path is opened again, bytes travel along) and used after
    a fork, as in the workers of a torch DataLoader. A context manager: leaving it closes the file.
    Raises BitstreamError for a stream that breaks the syntax, MediaError for a file that cannot be read, both named,
    OptionError for a device that is not there.
    """

    def __init__(
        self,
        source: Source | CodedStream,
        *,
        layers: int | None = None,
        size: tuple[int, int] | None = None,
        dimension_order: str = "NCHW",
        output: str = "numpy",
        device: str = "cpu",
        grain: bool = True,
    ) -> None:
        if output not in OUTPUTS:
            raise ValueError(f"output is {output!r}, {' or '.join(OUTPUTS)} wanted")
        if dimension_order not in ("NCHW", "NHWC"):
            raise ValueError(f"dimension_order is {dimension_order!r}, NCHW or NHWC wanted")
        if layers is not None and layers < 1:
            raise ValueError(f"layers is {layers}, at least 1 wanted")
        if device != "cpu":
            from gvideo import raster

            raster.get_backend(device)
        self._device = device
        self.stream = source if isinstance(source, CodedStream) else open_stream(source)
        self._layers, self.grain = layers, grain
        self._size = None if size is None else self._checked_size(size)
        self._channels_last = dimension_order == "NHWC"
        self._converted = converter(output)
        self._renderers: OrderedDict[int, SegmentRenderer] = OrderedDict()
        self._first_frames = np.array([s.first_frame for s in self.stream.segments], np.int64)
        self._starts = np.array([s.start for s in self.stream.segments], np.int64)
        self._ticks: tuple[Int64, Int64] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> VideoDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        m = self.metadata
        return f"VideoDecoder({self.stream.source.name!r}: {m.num_frames} frames of {m.width}x{m.height})"

    def __len__(self) -> int:
        return self.stream.num_frames

    @property
    def timescale(self) -> int:
        """Ticks per second of `pts`."""
        return self.stream.header.timescale

    @property
    def pts(self) -> Int64:
        """Start of every frame, exact, i64 [T] ticks."""
        return self._times()[0].copy()

    @property
    def durations(self) -> Int64:
        """How long every frame is shown, exact, i64 [T] ticks."""
        return self._times()[1].copy()

    @property
    def metadata(self) -> Metadata:
        """Size, counts and times of the stream."""
        s, scale = self.stream, self.timescale
        seconds = s.duration / scale
        format_ = s.format
        if self._size is not None:
            width, height = self._size
            # the picture keeps its shape
            aspect = format_.sample_aspect * Fraction(format_.width * height, format_.height * width)
            aspect = aspect if max(aspect.numerator, aspect.denominator) <= 65535 else aspect.limit_denominator(1000)
            format_ = replace(format_, width=width, height=height, sample_aspect=aspect)
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
        batch = self.batch_size
        for start in range(0, len(self), batch):
            yield from self.get_frames_in_range(start, min(start + batch, len(self))).data

    @property
    def batch_size(self) -> int:
        """Frames that fit a few dozen megabytes: a good number to ask for at once."""
        height, width = self._shape()
        return min(max(_BATCH_BYTES // (12 * height * width), 1), _BATCH_FRAMES)

    def get_frame_at(self, index: int) -> Frame:
        """The frame of a number; negative numbers count from the end."""
        return self.get_frames_at([index])[0]

    def get_frames_at(self, indices: Sequence[int] | Int64) -> FrameBatch:
        """Frames of any numbers, in the order asked for. Each segment is decoded once, each frame rendered once."""
        return self._batch([self._number(_integer(i)) for i in indices])

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> FrameBatch:
        """Frames start, start+step, … below stop."""
        start, stop, step = _integer(start), _integer(stop), _integer(step)
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
        ticks = float(stop_seconds) * self.timescale
        last = int(np.searchsorted(self._times()[0], ticks - _grace(ticks), side="left"))
        return self._batch(list(range(first, max(last, first + 1))))

    def planes_at(self, indices: Sequence[int] | Int64) -> Float32:
        """Y'CbCr planes f32 [F,3,H,W] (range removed, not clipped) of frames by number: what evaluation measures, with
        grain=False."""
        numbers = [self._number(_integer(i)) for i in indices]
        planes = np.empty((len(numbers), 3, *self._shape()), np.float32)
        for segment, offsets, places in self._by_segment(numbers):
            part = self._planes(segment, offsets)
            for row, where in enumerate(places):
                planes[where] = part[row]
        return planes

    def planes_at_ticks(self, ticks: Float64) -> Float32:
        """Planes f32 [F,3,H,W] at any moments in ticks, between frames too: splines and lives are continuous."""
        moments = np.asarray(ticks, np.float64)
        if not np.isfinite(moments).all():
            raise ValueError("a moment is not a finite number")
        return self._planes_at_ticks(moments, self._size, None)

    def get_pictures_at_ticks(
        self, ticks: Float64, size: tuple[int, int], region: tuple[float, float, float, float] | None = None
    ) -> UInt8:
        """R'G'B' u8 [F,3,H,W] (or [F,H,W,3]) at any moments in ticks: the part `region` of the picture (x, y, width,
        height in coded pixels, also beyond its borders; None: all of it), rendered at `size` (width, height)."""
        from gvideo.media.colour import planes_to_rgb
        from gvideo.raster import Viewport

        header = self.stream.header
        x, y, width, height = region or (0.0, 0.0, header.width, header.height)
        viewport = Viewport(*size, size[0] / width, size[1] / height, x, y)
        planes = self._planes_at_ticks(np.asarray(ticks, np.float64), size, viewport)
        pictures = planes_to_rgb(planes, self.stream.format.colour, channels_last=self._channels_last)
        converted: UInt8 = self._converted(pictures)
        return converted

    def _planes_at_ticks(self, moments: Float64, size: tuple[int, int] | None, viewport: Viewport | None) -> Float32:
        segments = np.clip(np.searchsorted(self._starts, moments, side="right") - 1, 0, len(self._starts) - 1)
        shape = (size[1], size[0]) if size else self._shape()
        planes = np.empty((len(moments), 3, *shape), np.float32)
        for segment in np.unique(segments):
            renderer = self._renderer(int(segment))
            members = np.flatnonzero(segments == segment)
            for start in range(0, len(members), self.batch_size):
                some = members[start : start + self.batch_size]
                planes[some] = renderer.planes(renderer.times_at(moments[some]), size, viewport)
        return planes

    def close(self) -> None:
        """Closes the source if it was opened here."""
        self.stream.close()

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
        late = ticks + _grace(ticks)
        if not (begin <= late and ticks < end):
            raise ValueError(f"{seconds} s is outside [{begin / self.timescale}, {end / self.timescale}) s")
        segment = int(np.searchsorted(self._starts, late, side="right")) - 1
        inside = self.stream.frame_ticks(max(segment, 0))[:-1]
        offset = int(np.searchsorted(inside, late, side="right")) - 1
        return int(self._first_frames[max(segment, 0)]) + max(offset, 0)

    def _times(self) -> tuple[Int64, Int64]:
        """(pts, durations) of every frame, i64 [T] ticks each."""
        if self._ticks is None:
            ticks = [self.stream.frame_ticks(n) for n in range(len(self.stream.segments))]
            pts = np.concatenate([t[:-1] for t in ticks])
            self._ticks = pts, np.concatenate([np.diff(t) for t in ticks])
        return self._ticks

    def _by_segment(self, numbers: Sequence[int]) -> Iterator[tuple[int, list[int], list[Int64]]]:
        """Different frames in the order of time, a batch of one segment at a time: (segment, offsets within it, for
        each the places in `numbers` that ask for it)."""
        asked = np.asarray(numbers, np.int64)
        order = np.argsort(asked, kind="stable")
        wanted = np.unique(asked)
        places = np.split(order, np.searchsorted(asked[order], wanted[1:]))
        where = np.searchsorted(self._first_frames, wanted, side="right") - 1
        for segment in np.unique(where):
            members = np.flatnonzero(where == segment)
            for start in range(0, len(members), self.batch_size):
                some = members[start : start + self.batch_size]
                offsets = (wanted[some] - self._first_frames[segment]).tolist()
                yield int(segment), offsets, [places[i] for i in some]

    def _planes(self, segment: int, offsets: list[int]) -> Float32:
        renderer = self._renderer(segment)
        return renderer.planes(renderer.times[offsets], self._size)

    def _renderer(self, segment: int) -> SegmentRenderer:
        from gvideo.decoder.render import SegmentRenderer

        with self._lock:
            if segment in self._renderers:
                self._renderers.move_to_end(segment)
                return self._renderers[segment]
            decoded = self.stream.decode_segment(segment, self._layers)
            ticks = self.stream.frame_ticks(segment)
            h = self.stream.header
            grain = decoded.grain if self.grain else None
            renderer = SegmentRenderer(decoded.symbols, decoded.rules, h.width, h.height, ticks, self._device, grain)
            self._renderers[segment] = renderer
            if len(self._renderers) > _CACHED_SEGMENTS:
                self._renderers.popitem(last=False)
            return renderer

    def _batch(self, numbers: list[int]) -> FrameBatch:
        from gvideo.media.colour import planes_to_rgb

        height, width = self._shape()
        shape = (height, width, 3) if self._channels_last else (3, height, width)
        data = np.empty((len(numbers), *shape), np.uint8)
        starts, lengths = np.zeros(len(numbers)), np.zeros(len(numbers))
        colour = self.stream.format.colour
        for segment, offsets, places in self._by_segment(numbers):
            pictures = planes_to_rgb(self._planes(segment, offsets), colour, channels_last=self._channels_last)
            ticks = self.stream.frame_ticks(segment)
            for row, (offset, where) in enumerate(zip(offsets, places, strict=True)):
                data[where] = pictures[row]
                starts[where] = ticks[offset] / self.timescale
                lengths[where] = (ticks[offset + 1] - ticks[offset]) / self.timescale
        return FrameBatch(*(self._converted(a) for a in (data, starts, lengths)))

    def _checked_size(self, size: tuple[int, int]) -> tuple[int, int]:
        width, height = _integer(size[0]), _integer(size[1])
        if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
            raise OptionError(f"size {width}x{height}: sides from 1 to {_MAX_SIDE} wanted")
        for side, own in ((width, self.stream.header.width), (height, self.stream.header.height)):
            if not own <= side * _MAX_ZOOM <= own * _MAX_ZOOM**2:
                raise OptionError(
                    f"size {width}x{height}: from 1/{_MAX_ZOOM} to {_MAX_ZOOM} times the coded size wanted"
                )
        return width, height

    def __getstate__(self) -> dict[str, object]:
        state = {**self.__dict__, "_renderers": OrderedDict()}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def _integer(value: object) -> int:
    """An int of anything that is one: int, NumPy's integers, a tensor of one integer."""
    if not isinstance(value, bool | np.bool_):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"an integer is wanted, not {type(value).__name__}")


def _grace(ticks: float) -> float:
    """How far a time computed from a frame's own pts may lie from it."""
    return max(abs(ticks), 1.0) * _TIME_ERROR
