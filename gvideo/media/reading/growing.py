"""Video that is still being written: a pipe, standard input, or a file that grows. Read once, from start to end.

Its sound and text come from the same reader (beside.py). The end is the end of the pipe, or that a file has not grown
for some seconds. Formats that can be read without jumping about work: MPEG-TS, Matroska, NUT, fragmented MP4; an
ordinary MP4 has its index at the end and does not.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import av

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodeFrame
from gvideo.media.reading.beside import Beside
from gvideo.media.reading.inputs import open_stream
from gvideo.media.reading.source import VideoSource
from gvideo.stores import is_store_url

_POLL_SECONDS = 0.1


class GrowingFile:
    """Reads a file to its end, then waits for more; `idle` seconds without any are the end. A pipe ends by itself.
    waited: seconds that nothing was there to read, so far."""

    def __init__(self, file: BinaryIO, idle: float, wait: Callable[[float], None] = time.sleep) -> None:
        self.waited = 0.0
        self._file, self._idle, self._wait = file, idle, wait
        self._is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)

    def read(self, size: int) -> bytes:
        """At least a byte and at most `size`; none at the end."""
        waited = 0.0
        while True:
            began = time.monotonic()
            data = os.read(self._file.fileno(), size)
            self.waited += time.monotonic() - began
            if data or not self._is_file or waited >= self._idle:
                return data
            self._wait(_POLL_SECONDS)
            waited += _POLL_SECONDS
            self.waited += _POLL_SECONDS

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class _Ahead:
    """Frames of which some may be read before they are asked for."""

    def __init__(self, frames: Iterator[av.VideoFrame]) -> None:
        self._frames = frames
        self._read: deque[av.VideoFrame] = deque()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        return self

    def __next__(self) -> av.VideoFrame:
        return self._read.popleft() if self._read else next(self._frames)

    def read(self) -> av.VideoFrame | None:
        """Reads one more, and keeps it; None at the end."""
        frame = next(self._frames, None)
        if frame is not None:
            self._read.append(frame)
        return frame


class LiveSource(VideoSource):
    """As VideoSource, but `code_frames()` may be called once, and the source is read while it is written.

    idle: seconds after which a file that does not grow is at its end. beside: its sound and text.
    """

    beside: Beside

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = None,
        idle: float = 3.0,
        stream: int | None = None,
    ) -> None:
        self._idle = idle
        self._started = False
        super().__init__(path, size=size, stream=stream)

    def code_frames(self) -> Iterator[CodeFrame]:
        """The frames, once."""
        if self._started:
            raise OptionError(f"{self.name}: is read while it is written, and only once")
        self._started = True
        try:
            for frame, pts, duration in self._timed(self._input, self._frames):
                yield self._code_frame(frame, pts, duration)
        finally:
            self.close()

    @property
    def waited(self) -> float:
        """Seconds that the source had nothing to read, so far."""
        return self._file.waited

    def read_ahead(self) -> bool:
        """Reads one picture more, for the sound on the way to it. False at the end of the source."""
        return bool(self._open) and self._frames.read() is not None

    def _probe(self, size: tuple[int, int] | None, chroma_format: str | None) -> None:
        file = self._open_file()
        try:
            self._input = open_stream(file, self.name, self._number)
        except BaseException:
            file.close()
            raise
        self._open += [file, self._input]  # closed from the last to the first
        assert self._input.beside is not None
        self._file, self.beside = file, self._input.beside
        self._frames = _Ahead(self._input.frames())
        first = self._frames.read()
        self._describe(self._input, first, size, chroma_format)
        self.num_frames = None
        self._remarks.update(dict.fromkeys(self._input.remarks))

    def _open_file(self) -> GrowingFile:
        if is_store_url(self.name):
            raise OptionError(f"{self.name}: an object of a store is whole, and grows no more; leave out --live")
        if self.name == "-":
            return GrowingFile(os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0), self._idle)
        try:
            return GrowingFile(Path(self.name).open("rb", buffering=0), self._idle)
        except OSError as error:
            raise MediaError(f"{self.name}: cannot be read ({error.strerror or error})") from error
