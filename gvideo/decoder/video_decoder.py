"""Frames by number or by time, with torchcodec's names and guarantees: frame i is always frame i.

Ranges are half-open; what the stream does not have is an OutsideError, which is an IndexError; an order or a repetition
is kept as asked. A frame's data does not depend on what else is asked for, nor on threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any

import numpy as np

from gvideo.decoder import arguments, pictures
from gvideo.decoder.coded import CodedStream
from gvideo.decoder.frames import OUTPUTS, Frame, FrameBatch, Pixels, converter
from gvideo.decoder.metadata import Metadata, metadata_of
from gvideo.decoder.published import open_stream
from gvideo.decoder.source import Source
from gvideo.decoder.times import FrameTimes
from gvideo.decoder.transforms import Framing, framing
from gvideo.errors import OptionError, OutsideError
from gvideo.types import Float32, Float64, Int64

_MAX_SIDE, _MAX_ZOOM = 16384, 1024


class VideoDecoder:
    """Decodes a gvideo stream.

    source: path, bytes, an array or tensor of bytes, or a binary file object of a .gsv stream; or a published folder,
    an .m3u8, .mpd or .mp4, each as a path or an http(s) URL, of which the best rung is taken and only what is asked for
    is fetched; or a stream that is open already. stream_index: 0 or None; there is one stream.
    layers: decode only so many layers of each segment (None: all).
    size: (width, height) of the frames, any; by default the coded size. transforms: Resize, CenterCrop, RandomCrop of
    gvideo.decoder.transforms or of torchcodec, in order; what they leave is all that is drawn. dimension_order: "NCHW"
    or "NHWC". output_dtype: "uint8", 0..255, or "float32", 0..1 and not rounded to codes, also as a type of NumPy's or
    torch's; "auto" is float32 for a source of more than 8 bits.
    output: "numpy", or "torch" for tensors; torch must be installed then. device: where frames are drawn, "cpu" (also
    None) or "cuda", or a torch.device; they come back to the host's memory. grain: draw the grain of a stream that has
    some, as players do; measure without it, as it is noise of the source's kind and not the source's noise.
    Frames are R'G'B' as coded; `metadata.format.rotation` says how to turn them for display.

    Several threads may use one decoder. It can be pickled (a path is opened again, bytes travel along) and used after
    a fork, as in the workers of a torch DataLoader. A context manager: leaving it closes the file.
    Raises BitstreamError for a stream that breaks the syntax, MediaError for a file that cannot be read, both named,
    OptionError for a device that is not there, ValueError for options that make no sense, TypeError for arguments of a
    wrong type. docs/decoding.md lists what differs from torchcodec.
    """

    def __init__(
        self,
        source: Source | CodedStream,
        *,
        stream_index: int | None = None,
        layers: int | None = None,
        size: tuple[int, int] | None = None,
        transforms: Iterable[Any] | None = None,
        dimension_order: str = "NCHW",
        output: str = "numpy",
        output_dtype: Any = "uint8",
        device: Any = "cpu",
        grain: bool = True,
    ) -> None:
        if output not in OUTPUTS:
            raise ValueError(f"output is {output!r}, {' or '.join(OUTPUTS)} wanted")
        if dimension_order not in ("NCHW", "NHWC"):
            raise ValueError(f"dimension_order is {dimension_order!r}, NCHW or NHWC wanted")
        if layers is not None and arguments.integer(layers, "layers") < 1:
            raise ValueError(f"layers is {layers}, at least 1 wanted")
        if stream_index is not None and arguments.integer(stream_index, "stream_index") != 0:
            raise ValueError(f"stream_index is {stream_index}: there is one stream, 0")
        arguments.dtype_name(output_dtype, 8)
        device = arguments.device_name(device)
        if device != "cpu":
            from gvideo import raster

            raster.get_backend(device)
        self.stream_index = 0
        self.stream = source if isinstance(source, CodedStream) else open_stream(source)
        self.grain = grain
        self._dtype = arguments.dtype_name(output_dtype, self.stream.format.bit_depth)
        self._channels_last = dimension_order == "NHWC"
        self._converted = converter(output)
        self._times = FrameTimes(self.stream)
        self._pictures = pictures.Pictures(self.stream, self._times, layers, device, grain)
        coded = self.stream.format.width, self.stream.format.height
        self._asked_size = None if size is None else self._checked_size(size)
        self._size = self._asked_size or coded
        self._viewport = None
        if transforms is not None:
            frame = framing(transforms, *self._size, coded)
            self._size, self._viewport = frame.size, frame.viewport()

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
        return self._times.all()[0].copy()

    @property
    def durations(self) -> Int64:
        """How long every frame is shown, exact, i64 [T] ticks."""
        return self._times.all()[1].copy()

    @property
    def metadata(self) -> Metadata:
        """Size, counts and times of the stream."""
        return metadata_of(self.stream, self._asked_size)

    def __getitem__(self, key: int | slice) -> Pixels:
        """Frame data by number (negative: from the end) or slice."""
        if isinstance(key, slice):
            return self._batch(range(*key.indices(len(self)))).data
        return self.get_frame_at(key).data

    def __iter__(self) -> Iterator[Pixels]:
        batch = self.batch_size
        for start in range(0, len(self), batch):
            yield from self._batch(range(start, min(start + batch, len(self)))).data

    @property
    def batch_size(self) -> int:
        """Frames that fit a few dozen megabytes: a good number to ask for at once."""
        return pictures.batch_size(self._size)

    def get_frame_at(self, index: int) -> Frame:
        """The frame of a number; negative numbers count from the end."""
        return self._frame(self._number(arguments.integer(index)))

    def get_frames_at(self, indices: Sequence[int] | Int64) -> FrameBatch:
        """Frames of any numbers, in the order asked for. Each segment is decoded once, each frame rendered once."""
        return self._batch([self._number(i) for i in arguments.integers(indices)])

    def get_frames_in_range(self, start: int | None, stop: int | None, step: int | None = 1) -> FrameBatch:
        """Frames start, start+step, … below stop, as in a slice: None and negative numbers count from the ends, what
        lies outside is cut off. OptionError for a step below 1."""
        bounds = [None if v is None else arguments.integer(v) for v in (start, stop, step)]
        if bounds[2] is not None and bounds[2] < 1:
            raise OptionError(f"step is {step}, at least 1 wanted")
        return self._batch(range(*slice(*bounds).indices(len(self))))

    def get_all_frames(self, fps: float | None = None) -> FrameBatch:
        """Every frame; with `fps` as in get_frames_played_in_range."""
        if fps is None:
            return self._batch(range(len(self)))
        begin, end = (Fraction(t, self.timescale) for t in (self._times.begin, self._times.end))
        return self._resampled(begin, end, fps)

    def get_frame_played_at(self, seconds: float) -> Frame:
        """The frame on screen at a time; OutsideError outside the stream, which ends before its end_stream_seconds."""
        return self._frame(self._times.number_at(seconds))

    def get_frames_played_at(self, seconds: Sequence[float] | Float64) -> FrameBatch:
        """The frames on screen at any times, in the order asked for."""
        return self._batch([self._times.number_at(s) for s in arguments.times(seconds)])

    def get_frames_played_in_range(
        self, start_seconds: float, stop_seconds: float, fps: float | None = None
    ) -> FrameBatch:
        """Every frame that is on screen at some time in [start_seconds, stop_seconds). ValueError for a range that runs
        backwards or leaves the stream.

        fps: at this rate instead, dropping and repeating frames: those on screen at start + k/fps, with these times and
        the duration 1/fps, round((stop - start) fps) of them. get_pictures_at_ticks draws between frames.
        """
        if fps is not None:
            return self._resampled(start_seconds, stop_seconds, fps)
        return self._batch(self._times.numbers_in(start_seconds, stop_seconds))

    def planes_at(self, indices: Sequence[int] | Int64) -> Float32:
        """Y'CbCr planes f32 [F,3,H,W] (range removed, not clipped) of frames by number: what evaluation measures, with
        grain=False."""
        numbers = [self._number(i) for i in arguments.integers(indices)]
        planes = np.empty((len(numbers), 3, *self._size[::-1]), np.float32)
        for part, places in self._pictures.planes_of(numbers, self._size, self._viewport):
            for row, where in enumerate(places):
                planes[where] = part[row]
        return planes

    def planes_at_ticks(self, ticks: Float64) -> Float32:
        """Planes f32 [F,3,H,W] at any moments in ticks, between frames too: splines and lives are continuous."""
        moments = np.asarray(ticks, np.float64)
        if not np.isfinite(moments).all():
            raise ValueError("a moment is not a finite number")
        return self._pictures.planes_at_ticks(moments, self._size, self._viewport)

    def get_pictures_at_ticks(
        self, ticks: Float64, size: tuple[int, int], region: tuple[float, float, float, float] | None = None
    ) -> Pixels:
        """R'G'B' [F,3,H,W] (or [F,H,W,3]) at any moments in ticks: the part `region` of the picture (x, y, width,
        height in coded pixels, also beyond its borders; None: all of it), rendered at `size` (width, height)."""
        header = self.stream.header
        viewport = Framing(size, region or (0.0, 0.0, header.width, header.height)).viewport()
        planes = self._pictures.planes_at_ticks(np.asarray(ticks, np.float64), size, viewport)
        converted: Pixels = self._converted(self._rgb(planes))
        return converted

    def close(self) -> None:
        """Closes the source if it was opened here."""
        self.stream.close()

    def _number(self, index: int) -> int:
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise OutsideError(f"frame {index} is outside 0..{len(self) - 1}")
        return number

    def _frame(self, number: int) -> Frame:
        batch = self._batch([number])
        return Frame(batch.data[0], float(batch.pts_seconds[0]), float(batch.duration_seconds[0]))

    def _batch(self, numbers: Sequence[int] | Int64) -> FrameBatch:
        return FrameBatch(*(self._converted(a) for a in (self._data(numbers), *self._times.of(numbers))))

    def _resampled(self, start: object, stop: object, fps: object) -> FrameBatch:
        numbers, starts, length = self._times.numbers_every(start, stop, fps)
        lengths = np.full(len(starts), length)
        return FrameBatch(*(self._converted(a) for a in (self._data(numbers), starts, lengths)))

    def _data(self, numbers: Sequence[int] | Int64) -> Pixels:
        width, height = self._size
        shape = (height, width, 3) if self._channels_last else (3, height, width)
        data = np.empty((len(numbers), *shape), self._dtype)
        for planes, places in self._pictures.planes_of(numbers, self._size, self._viewport):
            drawn = self._rgb(planes)
            for row, where in enumerate(places):
                data[where] = drawn[row]
        return data

    def _rgb(self, planes: Float32) -> Pixels:
        colour = self.stream.format.colour
        return pictures.to_rgb(planes, colour, channels_last=self._channels_last, dtype=self._dtype)

    def _checked_size(self, size: tuple[int, int]) -> tuple[int, int]:
        width, height = (arguments.integer(side, "size") for side in size)
        if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
            raise OptionError(f"size {width}x{height}: sides from 1 to {_MAX_SIDE} wanted")
        for side, own in ((width, self.stream.header.width), (height, self.stream.header.height)):
            if not own <= side * _MAX_ZOOM <= own * _MAX_ZOOM**2:
                raise OptionError(
                    f"size {width}x{height}: from 1/{_MAX_ZOOM} to {_MAX_ZOOM} times the coded size wanted"
                )
        return width, height
