"""Video that is still being written: a pipe, standard input, or a file that grows. Read once, from start to end.

The end is the end of the pipe, or that a file has not grown for some seconds. Formats that can be read without jumping
about work: MPEG-TS, Matroska, NUT, fragmented MP4; an ordinary MP4 has its index at the end and does not.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import av.error
import av.video.frame
import av.video.stream

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodeFrame
from gvideo.media.pixels import layout_of
from gvideo.media.source import VideoSource, kept_aspect, reason_of
from gvideo.media.timing import ticks_of

_POLL_SECONDS = 0.1


class GrowingFile:
    """Reads a file to its end, then waits for more; `idle` seconds without any are the end. A pipe ends by itself."""

    def __init__(self, file: BinaryIO, idle: float, wait: Callable[[float], None] = time.sleep) -> None:
        self._file, self._idle, self._wait = file, idle, wait
        self._is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)

    def read(self, size: int) -> bytes:
        """At least a byte and at most `size`; none at the end."""
        waited = 0.0
        while True:
            data = os.read(self._file.fileno(), size)
            if data or not self._is_file or waited >= self._idle:
                return data
            self._wait(_POLL_SECONDS)
            waited += _POLL_SECONDS

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class LiveSource(VideoSource):
    """As VideoSource, but `code_frames()` may be called once, and path may be "-" for standard input or name a pipe.

    idle: seconds after which a file that does not grow is at its end.
    """

    def __init__(self, path: str | os.PathLike[str], *, size: tuple[int, int] | None = None, idle: float = 3.0) -> None:
        self._idle = idle
        self._started = False
        super().__init__(path, size=size)

    def code_frames(self) -> Iterator[CodeFrame]:
        """The frames, once."""
        if self._started:
            raise OptionError(f"{self.path}: is read while it is written, and only once")
        self._started = True
        try:
            yield from self._timed(self._container, self._stream)
        finally:
            self.close()

    def close(self) -> None:
        """Close the input."""
        super().close()
        self._file.close()

    def _probe(self, size: tuple[int, int] | None, chroma_format: str | None) -> None:
        self._file = self._open_input()
        try:
            self._container = av.open(self._file, "r", metadata_errors="ignore", options={"probesize": "200000"})
            self._open.append(self._container)
            if not self._container.streams.video:
                raise MediaError(f"{self.path}: holds no video stream")
            self._stream = self._container.streams.video[0]
            self._frames = super()._decoded(self._container, self._stream)
            frame = next(self._frames, None)
            if frame is None:
                raise MediaError(f"{self.path}: not one frame could be decoded; the input is empty or damaged")
        except (av.error.FFmpegError, OSError) as error:
            self.close()
            raise MediaError(f"{self.path}: cannot be read as video ({reason_of(error)})") from error
        except MediaError:
            self.close()
            raise
        self._check_size(frame.width, frame.height)
        self._layout = layout_of(frame.format.name)
        self._native = self._native_format(self._stream, frame)
        self.codec_name = self._stream.codec_context.name
        self.average_rate = self._stream.guessed_rate or self._stream.average_rate
        self.num_frames = None
        self.start_pts = (frame.pts or 0) * ticks_of(self._stream.time_base)[1]
        width, height = size or (self._native.width, self._native.height)
        aspect = kept_aspect(self._native, width, height)
        self.format = replace(self._native, width=width, height=height, sample_aspect=aspect)
        self._frames = itertools.chain([frame], self._frames)

    def _open_input(self) -> GrowingFile:
        if os.fspath(self.path) == "-":
            return GrowingFile(os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0), self._idle)
        try:
            return GrowingFile(Path(self.path).open("rb", buffering=0), self._idle)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def _decoded(
        self, container: av.container.InputContainer, stream: av.video.stream.VideoStream
    ) -> Iterator[av.VideoFrame]:
        yield from self._frames
