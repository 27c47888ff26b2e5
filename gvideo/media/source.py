"""Video in: any file that FFmpeg's libraries read, as a stream of frames with exact times.

    file --demux, decode--> AVFrame --pixels.py--> integers --resize (if asked)--> CodeFrame --codes.py--> SourceFrame
                                       timing.py repairs times; durations are differences to the following frame

Nothing but the frame in hand and the next one is kept, so the length of the source does not matter.

Sizes and the rotation: frames are the coded ones; `format.rotation` says how to turn them for display (the display
matrix counts counter-clockwise, VideoFormat clockwise). Mirrored display matrices lose their mirroring.
A still image is a video of one frame that lasts 1/25 s. Interlaced frames are taken as they are.
Edit lists are applied by the demuxer: what they hide is not delivered, what they delay starts at a positive pts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.container
import av.error
import av.video.frame
import av.video.stream

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodeFrame, planes_to_code_values, rgb_to_code_values
from gvideo.media.colour import resolve_colour
from gvideo.media.pixels import PixelLayout, layout_of, read_planes
from gvideo.media.resize import resize_codes, resize_planes
from gvideo.media.timing import TimestampRepair, nominal_ticks, ticks_of
from gvideo.types import ColourDescription, SourceFrame, VideoFormat

MAX_SIDE_PX = 16384
_PROTOCOLS = "file,crypto,data"  # a playlist or an SDP file must not make us open network addresses
_TEXT_FORMATS = {"tty", "hls", "concat", "ffmetadata", "sdp", "srt", "webvtt", "ass", "lrc"}
_LIMITED_GRAY_CODECS = {"h264", "hevc"}  # their syntax infers limited range where nothing is said


class VideoSource:
    """The first video stream of a file. Iterate for SourceFrames, or `code_frames()` for integers; both as often as
    wanted, each pass from the start. `last` is inclusive: first=0, last=31 gives 32 frames.

    size: (width, height) of the coded frames to deliver; sample_aspect follows so that the picture keeps its shape.
    chroma_format: "420", "422" or "444" to convert the sampling (anchors that know only 4:2:0).
    When either changes the picture, both kinds of frames are made of the same rounded integers.

    Raises MediaError for a file that cannot be used, OptionError for a size or a range that makes no sense.
    """

    format: VideoFormat
    num_frames: int | None  # exact, or None where only decoding would tell
    start_pts: int  # of the first frame delivered without `first`, in ticks
    average_rate: Fraction | None  # frames per second as the container says, for information and for .y4m
    codec_name: str
    num_damaged: int  # packets of the latest pass that could not be decoded and were skipped

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = None,
        first: int = 0,
        last: int | None = None,
        chroma_format: str | None = None,
    ) -> None:
        self.path = Path(path)
        if first < 0 or (last is not None and last < first):
            raise OptionError(f"frames {first} to {last}: first must be at least 0 and last not before first")
        if size is not None and not (1 <= size[0] <= MAX_SIDE_PX and 1 <= size[1] <= MAX_SIDE_PX):
            raise OptionError(f"size {size[0]}x{size[1]}: each side must be from 1 to {MAX_SIDE_PX} pixels")
        if chroma_format not in (None, "420", "422", "444"):
            raise OptionError(f"chroma format {chroma_format}: must be 420, 422 or 444")
        self._first, self._last = first, last
        self._open: list[av.container.InputContainer] = []
        self.num_damaged = 0
        self._probe(size, chroma_format)

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close whatever passes are unfinished."""
        while self._open:
            self._open.pop().close()

    def __iter__(self) -> Iterator[SourceFrame]:
        for frame in self.code_frames():
            yield frame.to_source_frame(self.format)

    def code_frames(self) -> Iterator[CodeFrame]:
        """The frames as integers in the format's sampling and depth, untouched unless size or sampling change."""
        container, stream = self._open_stream()
        self._open.append(container)
        try:
            yield from self._timed(container, stream)
        finally:
            container.close()
            if container in self._open:
                self._open.remove(container)

    # --- opening

    def _open_stream(self) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
        name = os.fspath(self.path)
        if self.path.is_dir():
            raise MediaError(f"{name}: is a folder; give a video file or a pattern such as {name}/%05d.png")
        if not self.path.exists() and "%" not in name:
            raise MediaError(f"{name}: no such file")
        try:
            # An absolute name holds no "protocol:" at its start, whatever the file is called.
            container = av.open(
                os.path.abspath(name), options={"protocol_whitelist": _PROTOCOLS}, metadata_errors="ignore"
            )
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{name}: cannot be read as video ({reason_of(error)}); is it a video file?") from error
        try:
            if container.format.name in _TEXT_FORMATS:
                raise MediaError(f"{name}: is text or a list, not a video file")
            pictures = av.stream.Disposition.attached_pic
            streams = [s for s in container.streams.video if not s.disposition & pictures]
            if not streams:
                kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
                raise MediaError(f"{name}: holds no video stream (only {kinds}); give a file with pictures")
            stream = streams[0]
            if stream.codec_context is None:
                raise MediaError(f"{name}: no decoder for its video; convert it to another codec first")
            self._check_size(stream.codec_context.width, stream.codec_context.height)
        except MediaError:
            container.close()
            raise
        stream.thread_type = "AUTO"
        return container, stream

    def _check_size(self, width: int, height: int) -> None:
        if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
            raise MediaError(f"{self.path}: frames of {width}x{height}; sides from 1 to {MAX_SIDE_PX} are supported")

    def _probe(self, size: tuple[int, int] | None, chroma_format: str | None) -> None:
        container, stream = self._open_stream()
        try:
            frame = next(self._decoded(container, stream), None)
            if frame is None:
                raise MediaError(f"{self.path}: not one frame could be decoded; the file is empty or damaged")
            self._check_size(frame.width, frame.height)
            self._layout = layout_of(frame.format.name)
            self._native = self._native_format(stream, frame)
            self.codec_name = stream.codec_context.name
            self.average_rate = stream.guessed_rate or stream.average_rate
            self.num_frames = self._count(container, stream)
            _, factor = ticks_of(stream.time_base)
            self.start_pts = (frame.pts or 0) * factor
        finally:
            container.close()
        width, height = size or (self._native.width, self._native.height)
        self.format = replace(
            self._native,
            width=width,
            height=height,
            chroma_format=chroma_format or self._native.chroma_format,
            sample_aspect=kept_aspect(self._native, width, height),
        )

    def _native_format(self, stream: av.video.stream.VideoStream, frame: av.VideoFrame) -> VideoFormat:
        try:
            colour = _colour_of(frame, self._layout, stream.codec_context.name)
        except MediaError as error:
            raise MediaError(f"{self.path}: {error}") from error
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        return VideoFormat(
            width=frame.width,
            height=frame.height,
            colour=colour,
            chroma_format=self._layout.chroma_format,
            bit_depth=self._layout.bit_depth,
            sample_aspect=Fraction(aspect) if aspect and aspect > 0 else Fraction(1),
            rotation=round(-frame.rotation / 90) * 90 % 360,
            timescale=ticks_of(stream.time_base)[0],
        )

    def _count(self, container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> int | None:
        """Frames to deliver. MP4's index lists every frame, those that an edit list hides with a mark."""
        if _is_still(stream.codec_context.name, container.format.name, self.path):
            total = 1
        elif "mp4" in container.format.name.split(",") and stream.frames:
            total = sum(not entry.is_discard for entry in stream.index_entries)
        else:
            return None
        end = total if self._last is None else min(total, self._last + 1)
        return max(0, end - self._first)

    # --- frames

    def _decoded(
        self, container: av.container.InputContainer, stream: av.video.stream.VideoStream
    ) -> Iterator[av.VideoFrame]:
        """Decoded frames. Damaged packets are counted and skipped, as players do."""
        self.num_damaged = 0
        try:
            for packet in container.demux(stream):
                try:
                    yield from packet.decode()
                except av.error.InvalidDataError:
                    self.num_damaged += 1
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{self.path}: reading stopped ({reason_of(error)})") from error

    def _timed(
        self, container: av.container.InputContainer, stream: av.video.stream.VideoStream
    ) -> Iterator[CodeFrame]:
        timescale, factor = ticks_of(stream.time_base)
        usual = nominal_ticks(timescale, self.average_rate)
        repair = TimestampRepair(timescale)
        held: av.VideoFrame | None = None
        held_pts, held_own, spacing = 0, 0, 0
        for index, frame in enumerate(self._decoded(container, stream)):
            own = frame.duration * factor if frame.duration else 0
            pts = repair.next(None if frame.pts is None else frame.pts * factor, own or usual)
            if held is not None:
                spacing = pts - held_pts
                yield self._code_frame(held, held_pts, spacing)
                held = None
            if self._last is not None and index > self._last:
                return
            if index >= self._first:
                held, held_pts, held_own = frame, pts, own
        if held is not None:
            yield self._code_frame(held, held_pts, held_own or spacing or usual)

    def _code_frame(self, frame: av.VideoFrame, pts: int, duration: int) -> CodeFrame:
        native, wanted = self._native, self.format
        planes = read_planes(frame, self._layout)
        if (frame.width, frame.height) != (native.width, native.height):
            planes = resize_codes(planes, native)  # a source that changes its size midway keeps that of its start
        if self._layout.family == "rgb":
            planes = rgb_to_code_values(*planes, native)
        code_frame = CodeFrame(*planes, pts, duration, native.bit_depth)
        if (wanted.width, wanted.height, wanted.chroma_format) == (native.width, native.height, native.chroma_format):
            return code_frame
        resized = resize_planes(code_frame.to_source_frame(native).planes, wanted.width, wanted.height)
        return CodeFrame(*planes_to_code_values(resized, wanted), pts, duration, wanted.bit_depth)


def reason_of(error: Exception) -> str:
    """What an error of FFmpeg or the system says."""
    return getattr(error, "strerror", None) or str(error)


def _is_still(codec: str, container: str, path: Path) -> bool:
    return container.endswith("_pipe") or (container == "image2" and "%" not in path.name and codec != "gif")


def kept_aspect(native: VideoFormat, width: int, height: int) -> Fraction:
    """Sample aspect that shows width x height samples in the shape of the native frame."""
    aspect = native.sample_aspect * Fraction(native.width * height, native.height * width)
    return aspect if max(aspect.numerator, aspect.denominator) <= 65535 else aspect.limit_denominator(1000)


def _colour_of(frame: av.VideoFrame, layout: PixelLayout, codec: str) -> ColourDescription:
    """The source's colour description with what it leaves out decided; see colour.py."""
    if layout.family == "rgb":
        still = codec in {"png", "webp", "bmp", "tiff", "gif", "apng"}
        return ColourDescription(primaries=1, transfer=13 if still else 1, matrix=1, full_range=still)
    full_range = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    if layout.family == "gray" and frame.color_range == 0:
        full_range = codec not in _LIMITED_GRAY_CODECS
    return resolve_colour(
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
        matrix=frame.colorspace,
        full_range=full_range,
        width=frame.width,
        height=frame.height,
    )
