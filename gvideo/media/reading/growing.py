"""Video that is still being written: a pipe, standard input, a file that grows, a stream of a network. Read once, from
start to end, by a thread of its own (packets.py).

    source ──► packets ──► frames ──► a part │ nothing for some seconds │ the next part ...       until its end

Its sound and text come from the same reader (beside.py). The end is the end of the pipe or the connection, that a file
has not grown for some seconds, or that a pipe has been silent for long. Formats that can be read without jumping about
work: MPEG-TS, Matroska, NUT, fragmented MP4; an ordinary MP4 has its index at the end and does not.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO

import av

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodeFrame
from gvideo.media.reading.beside import Beside
from gvideo.media.reading.inputs import LibavInput, open_stream, with_all
from gvideo.media.reading.network import is_device, is_network_source, open_network, shown_name
from gvideo.media.reading.packets import PacketReader, Stalled
from gvideo.media.reading.source import VideoSource
from gvideo.stores import is_store_url

_POLL_SECONDS = 0.1
#: Seconds without a packet that end a part.
STALL_SECONDS = 5.0
#: Pictures that are on their way through demultiplexer and decoder when nothing comes any more.
_MOST_HELD = 3


class GrowingFile:
    """Reads a file to its end, then waits for more; `idle` seconds without any are the end. A pipe ends by itself, or
    when it has been silent for `silence` seconds."""

    def __init__(
        self, file: BinaryIO, idle: float, wait: Callable[[float], None] = time.sleep, silence: float = 60.0
    ) -> None:
        self._file, self._idle, self._silence, self._wait = file, idle, silence, wait
        self._is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        self._closed = False

    def read(self, size: int) -> bytes:
        """At least a byte and at most `size`; none at the end."""
        return self._read_file(size) if self._is_file else self._read_pipe(size)

    def _read_file(self, size: int) -> bytes:
        waited = 0.0
        while True:
            data = os.read(self._file.fileno(), size)
            if data or waited >= self._idle or self._closed:
                return data
            self._wait(_POLL_SECONDS)
            waited += _POLL_SECONDS

    def _read_pipe(self, size: int) -> bytes:
        until = time.monotonic() + self._silence
        while not self._closed:
            if select.select([self._file.fileno()], [], [], _POLL_SECONDS)[0]:
                return os.read(self._file.fileno(), size)
            self._closed = self._closed or time.monotonic() > until
        return b""

    def stop(self) -> None:
        """Whoever is waiting for more finds the end."""
        self._closed = True

    def close(self) -> None:
        """Closes the file."""
        self._closed = True
        self._file.close()


class _LiveFrames:
    """Frames of an input, of which some may be read before they are asked for. Ends at the input's end, where it stalls
    or its times jump ahead (is_stalled; then go_on), and where it fails (failure). skip leaves out what waits."""

    def __init__(self, opened: LibavInput, stall_s: float) -> None:
        self._input, self._stall = opened, stall_s
        self._packets = PacketReader(opened.packets())
        self._decoded: deque[av.VideoFrame] = deque()  # as they come out of the decoder
        self._ahead: deque[av.VideoFrame] = deque()  # read before they were asked for
        self._before: int | None = None  # pts of the frame delivered last
        self.is_stalled, self.has_ended = False, False
        self.failure: MediaError | None = None

    @property
    def waited(self) -> float:
        return self._packets.waited

    def __iter__(self) -> Iterator[av.VideoFrame]:
        return self

    def __next__(self) -> av.VideoFrame:
        if not self._ahead and self.read() is None:
            raise StopIteration
        frame = self._ahead[0]
        if self._jumps(self._before, frame.pts):
            self.is_stalled = True
            raise StopIteration
        self._before = frame.pts
        return self._ahead.popleft()

    def read(self, *, patiently: bool = False) -> av.VideoFrame | None:
        """Reads one more, and keeps it; None at the end and at a stall. patiently: over stalls."""
        while not self._decoded:
            if self.has_ended or (self.is_stalled and not patiently):
                return None
            try:
                packet = self._packets.get(None if patiently else self._stall)
                if packet is not None:
                    self._decoded += self._input.decoded(packet)
                self.has_ended = packet is None
            except Stalled:
                self.is_stalled = True
            except MediaError as error:
                self.failure, self.has_ended = error, True
        self._ahead.append(self._decoded.popleft())
        return self._ahead[-1]

    def go_on(self) -> bool:
        """Waits for what comes behind a stall. False if nothing does. Pictures that demultiplexer and decoder held when
        nothing came any more would stand alone there, and are dropped."""
        self._before = None
        while len(self._ahead) <= _MOST_HELD and self.read(patiently=True) is not None:
            pass
        self.is_stalled = False
        if len(self._ahead) <= _MOST_HELD:
            self._ahead.clear()
        times = [frame.pts for frame in self._ahead]
        jumps = [n for n in range(1, len(times)) if self._jumps(times[n - 1], times[n])]
        for _ in range(jumps[-1] if jumps else 0):
            self._ahead.popleft()
        return bool(self._ahead)

    def skip(self) -> bool:
        """Leaves out all that has come so far. False if nothing follows."""
        self._before, self.is_stalled = None, False
        self._decoded.clear()
        self._ahead.clear()
        try:
            self._input.leave_out(self._packets.take_waiting())
        except MediaError as error:
            self.failure, self.has_ended = error, True
        return self.read(patiently=True) is not None

    @property
    def all_read(self) -> bool:
        return self._packets.all_read

    def _jumps(self, before: int | None, now: int | None) -> bool:
        return before is not None and now is not None and (now - before) * self._input.time_base > self._stall

    def close(self) -> None:
        if self._packets.close():
            self._input.close()


class LiveSource(VideoSource):
    """As VideoSource, but `code_frames()` may be called once, and the source is read while it is written.

    path: a file, a pipe, "-", the URL of a stream or a device (network.py). idle: seconds after which a file that does
    not grow is at its end; silence: seconds of silence after which a pipe is, and a connection is lost. beside: its
    sound and text.
    """

    beside: Beside

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = None,
        idle: float = 3.0,
        silence: float = 60.0,
        stream: int | None = None,
    ) -> None:
        self._idle, self._silence = idle, silence
        self._url = os.fspath(path)
        self._started = False
        self.leaves_out = False
        self._file: GrowingFile | None = None
        super().__init__(shown_name(self._url), size=size, stream=stream)

    @property
    def is_network(self) -> bool:
        """Whether it may be connected to again."""
        return is_network_source(self._url)

    @property
    def is_stalled(self) -> bool:
        """Whether the frames ended because nothing came for a while; after go_on() there may be more."""
        return self._frames.is_stalled

    @property
    def failure(self) -> MediaError | None:
        """Why the frames ended before the source did, None if they did not."""
        return self._frames.failure

    def code_frames(self) -> Iterator[CodeFrame]:
        """The frames, once; after go_on() those behind. Closes the source at its end."""
        if self._started:
            raise OptionError(f"{self.name}: is read while it is written, and only once")
        self._started = True
        for frame, pts, duration in self._timed(self._input, self._frames):
            yield self._code_frame(frame, pts, duration)
        if not self.is_stalled:
            self.close()

    def go_on(self) -> bool:
        """Waits for what comes after a stall, or behind what is left out. False if nothing does."""
        is_more = self._frames.skip() if self.leaves_out else self._frames.go_on()
        self._started, self.leaves_out = not is_more, False
        if self._started:
            self.close()
        return is_more

    def leave_out(self) -> None:
        """go_on() will leave out all that has come and was not taken; no frames may be asked for before."""
        self.leaves_out = True

    @property
    def all_read(self) -> bool:
        """Whether whoever writes it has come to the end, however much waits to be taken."""
        return self._frames.all_read

    @property
    def waited(self) -> float:
        """Seconds that the source had nothing to read, so far."""
        return self._frames.waited

    def read_ahead(self) -> bool:
        """Reads one picture more, for the sound on the way to it. False at the end of the source."""
        return bool(self._open) and self._frames.read() is not None

    def close(self) -> None:
        """Closes the source; a reader that waits for it ends."""
        if self._file is not None:
            self._file.stop()
        super().close()

    def _probe(self, size: tuple[int, int] | None, chroma_format: str | None) -> None:
        if self.is_network:
            container = open_network(self._url, self._silence)
            self.is_whole = is_device(self._url) or (self._url.startswith("http") and container.size > 0)
            self._input = with_all(container, self.name, self._number)
        else:
            self._file, self.is_whole = self._open_file(), True
            self._open.append(self._file)
            self._input = open_stream(self._file, self.name, self._number)
        assert self._input.beside is not None
        self.beside = self._input.beside
        self._frames = _LiveFrames(self._input, STALL_SECONDS)
        self._open.append(self._frames)  # closed from the last to the first
        first = self._frames.read(patiently=True)
        if self.failure is not None and first is None:
            raise self.failure
        self._describe(self._input, first, size, chroma_format)
        self.num_frames = None
        self._remarks.update(dict.fromkeys(self._input.remarks))

    def _open_file(self) -> GrowingFile:
        if is_store_url(self.name):
            raise OptionError(f"{self.name}: an object of a store is whole, and grows no more; leave out --live")
        if self.name == "-":
            if sys.stdin is None:
                raise MediaError("-: standard input is closed; pipe a video into it")
            return GrowingFile(
                os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0), self._idle, silence=self._silence
            )
        try:
            return GrowingFile(open(self.name, "rb", buffering=0), self._idle, silence=self._silence)
        except OSError as error:
            raise MediaError(f"{self.name}: cannot be read ({error.strerror or error})") from error
