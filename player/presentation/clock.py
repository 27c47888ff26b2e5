"""The time of the picture: runs with the wall clock at any speed, stands still, follows the sound if there is any."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A difference from the sound that is larger is jumped over; a smaller one is made up for bit by bit.
_JUMP_SECONDS = 0.15
_SHARE = 0.1


class Clock:
    """now: s, any monotonic clock. position: s on the axis of the stream."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._position, self._since = 0.0, now()
        self._is_running, self._speed = False, 1.0

    @property
    def position(self) -> float:
        """Where the picture should be."""
        if not self._is_running:
            return self._position
        return self._position + (self._now() - self._since) * self._speed

    @property
    def is_running(self) -> bool:
        """Whether time goes on."""
        return self._is_running

    @property
    def speed(self) -> float:
        """Seconds of the stream in one second."""
        return self._speed

    def run(self, running: bool = True) -> None:
        """Goes on, or stands still."""
        self._settle(self.position)
        self._is_running = running

    def seek(self, position: float) -> None:
        """Goes on from another position."""
        self._settle(position)

    def set_speed(self, speed: float) -> None:
        """Changes the speed from here on."""
        self._settle(self.position)
        self._speed = speed

    def follow(self, position: float) -> float:
        """The sound is heard at a position: comes nearer to it. Returns how far the clock was ahead of it, s."""
        here = self.position
        ahead = here - position
        self._settle(position if abs(ahead) > _JUMP_SECONDS else here - _SHARE * ahead)
        return ahead

    def _settle(self, position: float) -> None:
        self._position, self._since = position, self._now()
