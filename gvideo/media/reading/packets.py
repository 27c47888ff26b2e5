"""Packets of a live source, read by a thread of its own, so that a busy encoder does not hold up who writes them.

    source ──demultiplexer──► queue, at most so many bytes ──► whoever decodes

A queue that is full holds the source up after all: a pipe then waits, a datagram is lost. Decoding stays with the one
who asks; FFmpeg's demultiplexers and decoders may work on different threads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

#: Bytes that are kept for a reader that is slow: ten seconds and more of any usual stream.
_MOST_BYTES = 64 << 20
#: The thread may be waiting for a source that says nothing.
_LEAVE_SECONDS = 1.0


class Stalled(Exception):  # noqa: N818  # nothing is wrong yet
    """Nothing came for a while; asking again goes on."""


class PacketReader:
    """Reads packets ahead. waited: seconds that somebody waited for one, so far."""

    def __init__(self, packets: Iterable[Any], most_bytes: int = _MOST_BYTES) -> None:
        self.waited = 0.0
        self._packets, self._most = packets, most_bytes
        self._queue: deque[Any] = deque()
        self._num_bytes = 0
        self._error: Exception | None = None
        self._ended = self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="gvideo-packets", daemon=True)
        self._thread.start()

    def get(self, patience_s: float | None = None) -> Any:
        """The next packet, None at the end. Raises Stalled after patience_s seconds, and whatever the source raised,
        behind its last packet."""
        with self._changed:
            began = time.monotonic()
            there = self._changed.wait_for(lambda: self._queue or self._ended, patience_s)
            self.waited += time.monotonic() - began
            if self._queue:
                packet = self._queue.popleft()
                self._num_bytes -= packet.size
                self._changed.notify_all()
                return packet
            if not there:
                raise Stalled
            if self._error is not None:
                raise self._error
            return None

    @property
    def all_read(self) -> bool:
        """Whether the source has ended: what waits is all that comes."""
        return self._ended

    def take_waiting(self) -> list[Any]:
        """Whatever has been read ahead, at once."""
        with self._changed:
            found = list(self._queue)
            self._queue.clear()
            self._num_bytes = 0
            self._changed.notify_all()
        return found

    def close(self) -> bool:
        """Stops reading. False if the source is being waited for, and must be left open."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            self._changed.notify_all()
        self._thread.join(_LEAVE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            for packet in self._packets:
                with self._changed:
                    self._changed.wait_for(lambda: self._num_bytes < self._most or self._stopped)
                    if self._stopped:
                        return
                    self._queue.append(packet)
                    self._num_bytes += packet.size
                    self._changed.notify_all()
        except Exception as raised:  # told to the one who asks
            error = raised
        finally:
            with self._changed:
                self._error, self._ended = error, True
                self._changed.notify_all()
