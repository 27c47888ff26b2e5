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

from gvideo.decoder import arguments
from gvideo.decoder.coded import CodedStream
from gvideo.decoder.frames import OUTPUTS, Frame, FrameBatch, Pixels
from gvideo.decoder.metadata import Metadata, metadata_of
from gvideo.decoder.notebook import card, thumbnail_shape
from gvideo.decoder.published import open_stream
from gvideo.decoder.rendering import pictures
from gvideo.decoder.rendering.drawing import Crop, Drawing, Shape
from gvideo.decoder.source import Source
from gvideo.decoder.times import FrameTimes
from gvideo.errors import OptionError, OutsideError
from gvideo.types import Float32, Float64, Int64


class VideoDecoder:
    """Decodes a gvideo stream: any frame at once, at any size.

    Several threads may use one decoder. It can be pickled (a path is opened again, bytes travel along) and used after
    a fork, as in the workers of a torch DataLoader. A context manager: leaving it closes the file. As a sequence it has
    `len(video)`, `video[i]` and `video[a:b:c]` (data alone), and can be iterated over. Frames are R'G'B' as coded;
    `metadata.rotation` says how to turn them for display. docs/decoding.md lists what differs from torchcodec.

    Args:
        source: path, bytes, an array or tensor of bytes, or a binary file object of a .gsv stream; or a published
            folder, an .m3u8, .mpd or .mp4, each as a path or an http(s) URL, of which the best rung is taken and only
            what is asked for is fetched; or a stream that is open already.
        stream_index: 0 or None; there is one stream.
        layers: decode only so many layers of each segment (None: all).
        size: (width, height) of the frames in px, any; by default the coded size.
        transforms: Resize, CenterCrop, RandomCrop of gvideo.transforms or of torchcodec, in order; what they leave is
            all that is drawn.
        dimension_order: "NCHW" or "NHWC".
        output: "numpy", or "torch" for tensors; torch must be installed then.
        output_dtype: "uint8", 0..255, or "float32", 0..1 and not rounded to codes, also as a type of NumPy's or
            torch's; "auto" is float32 for a source of more than 8 bits.
        device: where frames are drawn, "cpu" (also None) or "cuda", or a torch.device; they come back to the host's
            memory.
        grain: draw the grain of a stream that has some, as players do; measure without it, as it is noise of the
            source's kind and not the source's noise.

    Raises:
        BitstreamError: the stream breaks the syntax; the message names it.
        MediaError: the file cannot be read; the message names it.
        OptionError: the device is not there, or torch is asked for and not installed.
        ValueError: an option makes no sense.
        TypeError: an argument has a wrong type.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> len(video), video[7].shape
        (40, (3, 48, 64))
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
        self._times = FrameTimes(self.stream)
        self._drawing = Drawing(
            self.stream, pictures.PictureCache(self.stream, self._times, layers, device, grain), size=size,
            transforms=transforms, dimension_order=dimension_order, output=output, output_dtype=output_dtype,
        )  # fmt: skip

    def __enter__(self) -> VideoDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        m = self.metadata
        return f"VideoDecoder({self.stream.source.name!r}: {m.num_frames} frames of {m.width}x{m.height})"

    def _repr_html_(self) -> str:
        m = self.metadata
        width, height = self._drawing.frame.size
        rows = [("source", self.stream.source.name), ("frames", f"{m.num_frames}, {m.average_fps:.6g} a second"),
                ("size", f"{width}x{height}"), ("duration", f"{m.duration_seconds:.3f} s"),
                ("bit rate", f"{m.bit_rate / 1000:.4g} kbit/s in {m.num_segments} segment(s)")]  # fmt: skip
        return card(self.get_frame_at(0, shape=thumbnail_shape(width, height)).data, rows)

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
        return metadata_of(self.stream, self._drawing.asked_size)

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
        return pictures.batch_size(self._drawing.frame.size)

    def get_frame_at(self, index: int, *, shape: Shape | None = None, crop: Crop | None = None) -> Frame:
        """The frame of a number.

        Args:
            index: the frame's number from 0; negative numbers count from the end.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A Frame: data u8 or f32 [3,H,W] (or [H,W,3]), pts_seconds, duration_seconds.

        Raises:
            OutsideError: there is no such frame.
            OptionError: shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_frame_at(-1, crop=(0, 0, 32, 32)).data.shape
            (3, 32, 32)
        """
        return self._frame(self._number(arguments.integer(index)), shape, crop)

    def get_frames_at(
        self, indices: Sequence[int] | Int64, *, shape: Shape | None = None, crop: Crop | None = None
    ) -> FrameBatch:
        """Frames of any numbers, in the order asked for. Each segment is decoded once, each frame rendered once.

        Args:
            indices: numbers of frames from 0; negative ones count from the end. A list, an array or a tensor.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A FrameBatch: data u8 or f32 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F].

        Raises:
            OutsideError: there is no such frame.
            OptionError: shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_frames_at([39, 0, 39], shape=(24, 32)).data.shape
            (3, 3, 24, 32)
        """
        return self._batch([self._number(i) for i in arguments.integers(indices)], shape, crop)

    def get_frames_in_range(
        self,
        start: int | None,
        stop: int | None,
        step: int | None = 1,
        *,
        shape: Shape | None = None,
        crop: Crop | None = None,
    ) -> FrameBatch:
        """Frames start, start+step, … below stop, as in a slice.

        Args:
            start: the first frame's number; None and negative numbers count from the ends.
            stop: the number behind the last one's; what lies outside the stream is cut off.
            step: from one frame to the next, at least 1.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A FrameBatch: data u8 or f32 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F].

        Raises:
            OptionError: step is below 1, or shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_frames_in_range(30, None, 2).pts_seconds
            array([1.2 , 1.28, 1.36, 1.44, 1.52])
        """
        bounds = [None if v is None else arguments.integer(v) for v in (start, stop, step)]
        if bounds[2] is not None and bounds[2] < 1:
            raise OptionError(f"step is {step}, at least 1 wanted")
        return self._batch(range(*slice(*bounds).indices(len(self))), shape, crop)

    def get_all_frames(
        self, fps: float | None = None, *, shape: Shape | None = None, crop: Crop | None = None
    ) -> FrameBatch:
        """Every frame.

        Args:
            fps: frames a second to deliver instead, as in get_frames_played_in_range.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A FrameBatch: data u8 or f32 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F].

        Raises:
            OptionError: fps is no rate, or shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> len(video.get_all_frames()), len(video.get_all_frames(fps=10))
            (40, 16)
        """
        if fps is None:
            return self._batch(range(len(self)), shape, crop)
        begin, end = (Fraction(t, self.timescale) for t in (self._times.begin, self._times.end))
        return self._resampled(begin, end, fps, shape, crop)

    def get_frame_played_at(self, seconds: float, *, shape: Shape | None = None, crop: Crop | None = None) -> Frame:
        """The frame that is on screen at a time.

        Args:
            seconds: the time in s, in the stream's own time.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A Frame: data u8 or f32 [3,H,W] (or [H,W,3]), pts_seconds, duration_seconds.

        Raises:
            OutsideError: the stream has not begun, or is over, as at its end_stream_seconds.
            OptionError: shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_frame_played_at(0.5).pts_seconds
            0.48
        """
        return self._frame(self._times.number_at(seconds), shape, crop)

    def get_frames_played_at(
        self, seconds: Sequence[float] | Float64, *, shape: Shape | None = None, crop: Crop | None = None
    ) -> FrameBatch:
        """The frames that are on screen at any times, in the order asked for.

        Args:
            seconds: times in s. A list, an array or a tensor.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A FrameBatch: data u8 or f32 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F].

        Raises:
            OutsideError: a time is outside the stream.
            OptionError: shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_frames_played_at([1.5, 0.03]).pts_seconds
            array([1.48, 0.  ])
        """
        return self._batch([self._times.number_at(s) for s in arguments.times(seconds)], shape, crop)

    def get_frames_played_in_range(
        self,
        start_seconds: float,
        stop_seconds: float,
        fps: float | None = None,
        *,
        shape: Shape | None = None,
        crop: Crop | None = None,
    ) -> FrameBatch:
        """Every frame that is on screen at some time in [start_seconds, stop_seconds).

        Args:
            start_seconds: the first moment in s, within the stream.
            stop_seconds: where the range ends in s, itself not in it; at most the end of the stream.
            fps: frames a second to deliver instead, dropping and repeating frames: those on screen at start + k/fps,
                with these times and the duration 1/fps, round((stop - start) fps) of them. get_pictures_at_ticks draws
                between frames.
            shape: (height, width) in px to draw at instead of the frame's own, antialiased.
            crop: (top, left, height, width) in px of the frame: nothing else is drawn.

        Returns:
            A FrameBatch: data u8 or f32 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F].

        Raises:
            ValueError: the range runs backwards or leaves the stream.
            OptionError: fps is no rate, or shape or crop make no sense.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_frames_played_in_range(0.5, 0.6).pts_seconds
            array([0.48, 0.52, 0.56])
        """
        if fps is not None:
            return self._resampled(start_seconds, stop_seconds, fps, shape, crop)
        return self._batch(self._times.numbers_in(start_seconds, stop_seconds), shape, crop)

    def planes_at(self, indices: Sequence[int] | Int64) -> Float32:
        """Y'CbCr planes of frames by number: what evaluation measures, with grain=False.

        Args:
            indices: numbers of frames from 0; negative ones count from the end.

        Returns:
            Planes f32 [F,3,H,W]: Y' in 0..1, Cb and Cr in -0.5..0.5, range removed, not clipped.

        Raises:
            OutsideError: there is no such frame.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv", grain=False)
            >>> video.planes_at([0, 5]).shape
            (2, 3, 48, 64)
        """
        return self._drawing.planes([self._number(i) for i in arguments.integers(indices)])

    def planes_at_ticks(self, ticks: Float64) -> Float32:
        """Y'CbCr planes at any moments, between frames too: splines and lives are continuous.

        Args:
            ticks: moments f64 [F] in ticks of 1/timescale s; what is outside the stream shows its nearest frame.

        Returns:
            Planes f32 [F,3,H,W]: Y' in 0..1, Cb and Cr in -0.5..0.5, range removed, not clipped.

        Raises:
            ValueError: a moment is not a finite number.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.planes_at_ticks(video.pts[3:5].mean(keepdims=True)).shape
            (1, 3, 48, 64)
        """
        return self._drawing.planes_between(ticks)

    def get_pictures_at_ticks(
        self, ticks: Float64, size: tuple[int, int], region: tuple[float, float, float, float] | None = None
    ) -> Pixels:
        """R'G'B' of any part of the picture at any moments and any size: slow motion, zoom.

        Args:
            ticks: moments f64 [F] in ticks of 1/timescale s.
            size: (width, height) of the pictures in px.
            region: (x, y, width, height) of the part to draw in coded px, also beyond the borders; None: all of it.

        Returns:
            Pictures u8 or f32 [F,3,H,W] (or [F,H,W,3]).

        Raises:
            ValueError: sides or zoom are beyond what can be drawn.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.get_pictures_at_ticks([20.5], (640, 480), (8.0, 8.0, 16.0, 12.0)).shape
            (1, 3, 480, 640)
        """
        return self._drawing.between(ticks, size, region)

    def close(self) -> None:
        """Closes the source if it was opened here.

        Example:
            >>> video = gvideo.VideoDecoder("clip.gsv")
            >>> video.close()
        """
        self.stream.close()

    def _number(self, index: int) -> int:
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise OutsideError(f"frame {index} is outside 0..{len(self) - 1}")
        return number

    def _frame(self, number: int, shape: Shape | None, crop: Crop | None) -> Frame:
        batch = self._batch([number], shape, crop)
        return Frame(batch.data[0], float(batch.pts_seconds[0]), float(batch.duration_seconds[0]))

    def _batch(
        self, numbers: Sequence[int] | Int64, shape: Shape | None = None, crop: Crop | None = None
    ) -> FrameBatch:
        data = self._drawing.frames(numbers, self._drawing.framing(shape, crop))
        return FrameBatch(*(self._drawing.converted(a) for a in (data, *self._times.of(numbers))))

    def _resampled(
        self, start: object, stop: object, fps: object, shape: Shape | None, crop: Crop | None
    ) -> FrameBatch:
        numbers, starts, length = self._times.numbers_every(start, stop, fps)
        data = self._drawing.frames(numbers, self._drawing.framing(shape, crop))
        return FrameBatch(*(self._drawing.converted(a) for a in (data, starts, np.full(len(starts), length))))
