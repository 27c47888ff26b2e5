"""The inputs of a live encode, one behind the other; a connection that is lost is made again, for a while.

    connected ─► lost ─► tries after 0.5, 1, 2, 4, 8, 8 ... s ─► connected again
                                                              └► given up after --give-up seconds: the input has ended

Each change is said in one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gvideo.errors import MediaError

if TYPE_CHECKING:
    from gvideo.media.reading.growing import LiveSource

_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 8.0


def connections(
    connect: Callable[[], LiveSource],
    give_up_s: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[LiveSource]:
    """The source, and where it is a stream of a network the same one again each time that it is lost. Whoever takes
    them closes each. connect: opens it; say: is told a line. Raises MediaError if the first connection fails."""
    source = connect()
    yield source
    while source.is_network and not (source.is_whole and source.failure is None):
        reason = "it ended" if source.failure is None else str(source.failure).removeprefix(f"{source.name}: ")
        if not give_up_s:
            say(f"{reason}; ended")
            return
        say(f"{reason}; tries again for {give_up_s:g} s")
        lost, pause = clock(), _FIRST_SECONDS
        again: LiveSource | None = None
        while again is None:
            left = give_up_s - (clock() - lost)
            if left <= 0:
                say(f"has been gone for {give_up_s:g} s; ended")
                return
            wait(min(pause, left))
            pause = min(2 * pause, _LONGEST_SECONDS)
            try:
                again = connect()
            except MediaError:
                continue
        say(f"is there again after {clock() - lost:.0f} s; goes on behind a discontinuity")
        source = again
        yield source
