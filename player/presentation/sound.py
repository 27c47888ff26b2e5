"""Sound for a device that asks for blocks: read ahead in a thread, and a clock that tells what is heard now.

reader ──(thread)──► blocks ahead ──► fill(block), called by the device ──► position(): media time that is heard

A device asks in time with its own crystal, with jitter, sometimes for several blocks at once. So the position is the
wall clock plus an offset that every block corrects a little.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from gvideo.errors import GVideoError
from gvideo.types import Float32
from player.presentation.sound_reader import RATE, SoundReader

#: Samples that a device asks for at once.
BLOCK = 1024
#: Seconds that are decoded ahead.
_AHEAD_SECONDS = 2.0
#: A block that is asked for begins to sound when the one before is over: half a block later, give or take the driver.
_LATENCY_SECONDS = 0.5 * BLOCK / RATE
_SHARE, _JUMP_SECONDS = 0.05, 0.1
_LEAVE_SECONDS = 2.0


class Sound:
    """failure: why there is no more sound, "" while there is. volume: 0 … 1."""

    def __init__(self, reader: SoundReader, now: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._now = reader, now
        self.volume = 1.0
        self.failure = ""
        self._blocks: deque[tuple[float, Float32]] = deque()
        self._num_ahead = 0
        self._is_running = self._has_ended = False
        self._offset: float | None = None  # media time minus wall clock
        self._last = 0.0  # end of what was handed out
        self._changed = threading.Condition()
        self._round = 0
        self._thread: threading.Thread | None = None

    def start(self, seconds: float) -> None:
        """Begins anew at a time."""
        with self._changed:
            self._round += 1
            self._blocks.clear()
            self._num_ahead, self._offset, self._last, self._has_ended = 0, None, seconds, False
            self._changed.notify_all()
        self._thread = threading.Thread(target=self._read, args=(self._round, seconds), daemon=True)
        self._thread.start()

    def run(self, running: bool) -> None:
        """Lets sound out, or holds it."""
        with self._changed:
            if running != self._is_running:
                self._is_running, self._offset = running, None

    def position(self) -> float | None:
        """What is heard now, s; None while there is no sound or it has just begun."""
        with self._changed:
            if self._offset is None or not self._is_running:
                return None
            return min(self._now() + self._offset, self._last)

    def fill(self, out: Float32) -> None:
        """Writes the next samples f32 [n,2], silence where there are none."""
        out[:] = 0.0
        with self._changed:
            if not self._is_running:
                return
            done = 0
            while done < len(out) and self._blocks:
                at, block = self._blocks[0]
                gap = round((at - self._last) * RATE) if done or self._offset is not None else 0
                if gap > 0:  # nothing sounds here
                    count = min(gap, len(out) - done)
                    self._last += count / RATE
                    done += count
                    continue
                if done == 0:
                    self._heard(at)
                count = min(len(block), len(out) - done)
                out[done : done + count] = self.volume * block[:count]
                done += count
                self._num_ahead -= count
                self._last = at + count / RATE
                if count == len(block):
                    self._blocks.popleft()
                else:
                    self._blocks[0] = (self._last, block[count:])
            if done < len(out):
                self._starved(len(out) - done)
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the thread; it may be waiting for a server for a while yet."""
        with self._changed:
            self._round += 1
            self._is_running = False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_LEAVE_SECONDS)
        self._reader.close()

    def _heard(self, at: float) -> None:
        offset = at - self._now() - _LATENCY_SECONDS
        if self._offset is None or abs(offset - self._offset) > _JUMP_SECONDS:
            self._offset = offset
        else:
            self._offset += _SHARE * (offset - self._offset)

    def _starved(self, missing: int) -> None:
        """Where sound is over the picture goes on by itself; where it is late the picture waits for it."""
        if self._has_ended or self.failure:
            self._offset = None
        elif self._offset is not None:
            self._offset -= missing / RATE

    def _read(self, own: int, seconds: float) -> None:
        def is_over() -> bool:
            with self._changed:
                while self._round == own and self._num_ahead > _AHEAD_SECONDS * RATE:
                    self._changed.wait(0.2)
                return self._round != own

        try:
            for at, block in self._reader.samples(seconds, is_over):
                with self._changed:
                    if self._round != own:
                        return
                    self._blocks.append((at, np.ascontiguousarray(block)))
                    self._num_ahead += len(block)
        except GVideoError as error:
            with self._changed:
                if self._round == own:
                    self.failure = str(error)
        with self._changed:
            self._has_ended = self._round == own or self._has_ended
