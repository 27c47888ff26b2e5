"""Video in: any file that FFmpeg's libraries read, as a stream of frames with exact times.

    file --inputs.py--> AVFrame --pixels.py--> integers --resize (if asked)--> CodeFrame --codes.py--> SourceFrame
                                     timing.py repairs times; durations are differences to the following frame

Nothing but the frame in hand and the next one is kept, so the length of the source does not matter. Pipes and objects
of stores are copied first (pipe.py).

Sizes and the rotation: frames are the coded ones, flipped where the source's display matrix mirrors them
(orientation.py); `format.rotation` says how to turn them for display.
A still image is a video of one frame that lasts 1/25 s. Interlaced frames are taken as they are.
Edit lists are applied by the demuxer: what they hide is not delivered, what they delay starts at a positive pts.
What changes midway (size, sampling, depth, matrix, range) is brought to the form of the first frame (conform.py).
What was unusual is said in `notes`, a line each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import av

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodeFrame
from gvideo.media.reading.conform import Conformer
from gvideo.media.reading.inputs import ALPHA_DROPPED, Input, open_input
from gvideo.media.reading.network import is_network_source
from gvideo.media.reading.orientation import flipped, orientation_of
from gvideo.media.reading.pipe import PipeCopy, is_pipe
from gvideo.media.reading.pixels import is_transparent
from gvideo.media.resize import in_format
from gvideo.media.timing import TimestampRepair, nominal_ticks, ticks_of
from gvideo.types import SourceFrame, VideoFormat

MAX_SIDE_PX = 16384


class Closable(Protocol):
    """An open file."""

    def close(self) -> None:
        """Close it."""
        ...


class VideoSource:
    """A video stream of a file. Iterate for SourceFrames, or `code_frames()` for integers; both as often as wanted,
    each pass from the start. When a size or a sampling changes the picture, both kinds of frames are made of the same
    rounded integers.

    Args:
        path: a file, a pattern for numbered pictures, a pipe, "-" for standard input, an object's URL (s3://, gs://,
            az://), or a copy of a pipe.
        size: (width, height) in px of the frames to deliver; sample_aspect follows so that the picture keeps its shape.
        first: number of the first frame to deliver, from 0.
        last: number of the last one, itself included: first=0, last=31 gives 32 frames.
        chroma_format: "420", "422" or "444" to convert the sampling (anchors that know only 4:2:0).
        stream: its number in the file as ffmpeg counts; None for the one that ffmpeg would choose (inputs.py).
        strict: read everything first, and refuse a source of which frames are missing or damaged.

    Raises:
        MediaError: the file cannot be used; the message names it.
        OptionError: a size, a range or a stream makes no sense.

    Example:
        >>> with gvideo.media.VideoSource("clip.mp4", last=3) as source:
        ...     [frame.pts for frame in source]
        [0, 512, 1024, 1536]
    """

    format: VideoFormat
    num_frames: int | None  # that its header promises, or None where only decoding would tell
    start_pts: int  # of the first frame delivered without `first`, in ticks
    average_rate: Fraction | None  # frames per second as the container says, for information and for .y4m
    codec_name: str

    def __init__(
        self,
        path: str | os.PathLike[str] | PipeCopy,
        *,
        size: tuple[int, int] | None = None,
        first: int = 0,
        last: int | None = None,
        chroma_format: str | None = None,
        stream: int | None = None,
        strict: bool = False,
    ) -> None:
        self.name = path.name if isinstance(path, PipeCopy) else os.fspath(path)
        if first < 0 or (last is not None and last < first):
            raise OptionError(f"frames {first} to {last}: first must be at least 0 and last not before first")
        if size is not None and not (1 <= size[0] <= MAX_SIDE_PX and 1 <= size[1] <= MAX_SIDE_PX):
            raise OptionError(f"size {size[0]}x{size[1]}: each side must be from 1 to {MAX_SIDE_PX} pixels")
        if chroma_format not in (None, "420", "422", "444"):
            raise OptionError(f"chroma format {chroma_format}: must be 420, 422 or 444")
        self._first, self._last, self._number = first, last, stream
        self._open: list[Closable] = []
        self._remarks: dict[str, None] = {}
        self._losses: dict[str, None] = {}
        self._reached, self._shortfall = -1, ""
        self._pipe = path if isinstance(path, PipeCopy) else None
        self._owns_pipe = self._pipe is None
        try:
            self._probe(size, chroma_format)
            if strict:
                self._refuse_losses()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes whatever passes are unfinished, and gives up the copy of a pipe.

        Example:
            >>> source = gvideo.media.VideoSource("clip.mp4")
            >>> source.close()
        """
        while self._open:
            self._open.pop().close()
        if self._pipe is not None and self._owns_pipe:
            self._pipe.close()

    @property
    def losses(self) -> tuple[str, ...]:
        """What the passes so far found missing or damaged, a line each."""
        return (*([self._shortfall] if self._shortfall else ()), *self._losses)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the source, as far as the passes so far have found it, a line each: losses, and
        what was changed on the way."""
        return (*self.losses, *self._remarks)

    def __iter__(self) -> Iterator[SourceFrame]:
        for frame in self.code_frames():
            yield frame.to_source_frame(self.format)

    def code_frames(self) -> Iterator[CodeFrame]:
        """The frames as integers in the format's sampling and depth, untouched unless size or sampling change.

        Returns:
            An iterator over CodeFrames in the order of time.

        Raises:
            MediaError: the file cannot be read any more.

        Example:
            >>> source = gvideo.media.VideoSource("clip.mp4", size=(24, 16))
            >>> next(source.code_frames()).y.shape
            (16, 24)
        """
        opened = self._open_input()
        self._open.append(opened)
        try:
            for frame, pts, duration in self._timed(opened, opened.frames()):
                yield self._code_frame(frame, pts, duration)
        finally:
            opened.close()
            if opened in self._open:
                self._open.remove(opened)

    # --- opening

    def _open_input(self) -> Input:
        if self._pipe is None and is_network_source(self.name):
            raise MediaError(f"{self.name}: comes from a network or device, once; give --live and a folder")
        if self._pipe is None and is_pipe(self.name):
            self._pipe = PipeCopy(self.name)
        return open_input(Path(self.name) if self._pipe is None else self._pipe.path, self.name, self._number)

    def _probe(self, size: tuple[int, int] | None, chroma_format: str | None) -> None:
        opened = self._open_input()
        try:
            self._describe(opened, next(opened.frames(), None), size, chroma_format)
            self.num_frames = self._within_range(opened.num_frames)
        finally:
            opened.close()

    def _describe(
        self,
        opened: Input,
        frame: av.VideoFrame | None,
        size: tuple[int, int] | None,
        chroma_format: str | None,
    ) -> None:
        """Sets everything that the first frame and the container tell."""
        if frame is None:
            raise MediaError(f"{self.name}: not one frame could be decoded; the file is empty or damaged")
        if not (0 < frame.width <= MAX_SIDE_PX and 0 < frame.height <= MAX_SIDE_PX):
            raise MediaError(
                f"{self.name}: frames of {frame.width}x{frame.height}; sides from 1 to {MAX_SIDE_PX} are supported"
            )
        self.codec_name, self.average_rate = opened.codec_name, opened.rate
        timescale, factor = ticks_of(opened.time_base)
        self.start_pts = (frame.pts or 0) * factor
        self._orientation = orientation_of(frame)
        self._conformer = Conformer(frame, self.name, opened.codec_name)
        native = self._native = replace(
            self._conformer.native,
            sample_aspect=opened.sample_aspect,
            rotation=self._orientation.rotation,
            timescale=timescale,
        )
        self.format = replace(
            native.resized(*(size or (native.width, native.height))),
            chroma_format=chroma_format or native.chroma_format,
        )

    def _within_range(self, total: int | None) -> int | None:
        if total is None:
            return None
        end = total if self._last is None else min(total, self._last + 1)
        return max(0, end - self._first)

    def _refuse_losses(self) -> None:
        opened = self._open_input()
        try:
            for _ in self._timed(opened, opened.frames()):
                pass
        finally:
            opened.close()
        if self.losses:
            raise MediaError(f"{self.name}: {'; '.join(self.losses)}; refused by --strict")

    # --- frames

    def _timed(self, opened: Input, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, int, int]]:
        """The frames of the range with pts and duration in ticks. Keeps account of what is missing."""
        timescale, factor = ticks_of(opened.time_base)
        usual = nominal_ticks(timescale, self.average_rate)
        repair = TimestampRepair(timescale)
        held: av.VideoFrame | None = None
        held_pts, held_own, spacing = 0, 0, 0
        came, ended, own = 0, False, 0
        try:
            for index, frame in enumerate(frames):
                came += 1
                own = frame.duration * factor if frame.duration else 0
                pts = repair.next(None if frame.pts is None else frame.pts * factor, own or usual)
                if held is not None:
                    spacing = pts - held_pts
                    yield held, held_pts, spacing
                    held = None
                if self._last is not None and index > self._last:
                    return
                if index >= self._first:
                    held, held_pts, held_own = frame, pts, own
            ended = True
            if held is not None:
                yield held, held_pts, held_own or spacing or usual
        finally:
            end = Fraction(repair.previous + (own or usual), timescale)
            self._account(opened, came, end if ended and came else None, Fraction(usual, timescale))

    def _account(self, opened: Input, came: int, end: Fraction | None, usual: Fraction) -> None:
        """Takes over what a pass has found, of the shortfall that of the pass that got furthest. end: where the last
        frame ends, in seconds, of a pass to the end of the file, else None; usual: seconds of a frame."""
        self._remarks.update(dict.fromkeys(opened.remarks))
        self._losses.update(dict.fromkeys(opened.losses))
        if came < self._reached:
            return
        self._reached = came
        parts = []
        if end is not None and opened.num_frames is not None and came < opened.num_frames:
            parts.append(f"{came} of the {opened.num_frames} frames that the header promises came")
        if end is not None and opened.promised_end is not None and end + 2 * usual < opened.promised_end:
            promised = float(opened.promised_end)
            parts.append(f"{came} frames came, to {float(end):.3f} s of the {promised:.3f} s that the header promises")
        if opened.num_damaged:
            parts.append(f"{opened.num_damaged} damaged packet(s) were skipped")
        if opened.num_patched:
            parts.append(f"{opened.num_patched} damaged frame(s) were patched up by the decoder")
        self._shortfall = ", ".join(parts)

    def _code_frame(self, frame: av.VideoFrame, pts: int, duration: int) -> CodeFrame:
        native, wanted = self._native, self.format
        if ALPHA_DROPPED not in self._remarks and is_transparent(frame):
            self._remarks[ALPHA_DROPPED] = None
        planes, remarks = self._conformer.planes(frame, Fraction(pts, native.timescale))
        self._remarks.update(dict.fromkeys(remarks))
        planes = flipped(planes, self._orientation, native)
        return in_format(CodeFrame(*planes, pts, duration, native.bit_depth), native, wanted)
