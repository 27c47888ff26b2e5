"""How long a process has said nothing, without the time in which it wanted a processor and a busy machine gave it none.

    ├ runs ┤├ is ready, waits for a processor ┤├ runs ┤├ waits for something else ┤
    └ counts                                  └ counts └ counts

Linux tells the second kind (/proc/PID/schedstat); where nothing does, all of it counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

#: Between two looks, s.
_LOOK_SECONDS = 1.0


class Silence:
    """Of the main thread of a process, from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began, self._starved = time.monotonic(), starved_seconds(pid)

    def seconds(self) -> float:
        """Seconds that it has worked or waited for anything but a processor."""
        return time.monotonic() - self._began - max(0.0, starved_seconds(self._pid) - self._starved)


def starved_seconds(pid: int) -> float:
    """Seconds in which a process was ready and had no processor; 0 where the system does not tell, or it has ended."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def speaks(pid: int, listen: Callable[[float], object], most_seconds: float) -> bool:
    """Whether a process says something, or ends, before it has been silent for so long.

    Args:
        pid: the process.
        listen: waits for so many seconds at most, and tells whether there is something to read.
        most_seconds: of silence.
    """
    silence = Silence(pid)
    while not listen(min(_LOOK_SECONDS, most_seconds)):
        if silence.seconds() > most_seconds:
            return bool(listen(0))
    return True
