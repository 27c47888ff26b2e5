"""Sound or text beside the picture: segments on the axis of the picture, which grow where the stream is live.

    Rendition ──► SoundReader, Captions        segments keep their numbers, new ones come behind
        ▲
        └── its manifest, read again from the first use on
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from player.source.fetch import Fetcher
from player.source.follow import Follower
from player.source.record import Presentation, Segment, Track, extended


class Rendition:
    """A track of a presentation. shift: from a part's media times to the axis, s; None while it is not known.

    Not all renditions are used, so nothing is read again before `follow`."""

    def __init__(
        self, track: Track, presentation: Presentation, fetcher: Fetcher, shift: Callable[[int], float | None]
    ) -> None:
        self.shift = shift
        self._presentation, self._fetcher = presentation, fetcher
        self._lock = threading.Lock()
        self._follower: Follower | None = None
        self._is_live = presentation.is_live
        self._set(track)

    @property
    def track(self) -> Track:
        """As far as it is known."""
        return self._track

    def follow(self) -> None:
        """From now on what is new comes."""
        if self._is_live and self._follower is None:
            self._follower = Follower([self._track], self._presentation, self._fetcher, self._grow)

    def number_at(self, seconds: float) -> int:
        """The segment that lies there by the lengths that the manifest tells, or the nearest one."""
        with self._lock:
            return max(0, min(bisect_right(self._starts, seconds), len(self._track.segments)) - 1)

    def segment(self, number: int) -> Segment | None:
        """None where there is none (yet)."""
        segments = self._track.segments
        return segments[number] if number < len(segments) else None

    def is_waiting(self) -> bool:
        """Whether more may come. Raises why no more can be had."""
        if self._follower is not None and self._follower.failure is not None:
            raise self._follower.failure
        return self._is_live and self._follower is not None

    def is_passed(self, part: int) -> bool:
        """Whether the picture is beyond a part whose times nobody knows."""
        return any(s.part > part and self.shift(s.part) is not None for s in self._track.segments)

    def close(self) -> None:
        """Nothing is read again."""
        if self._follower is not None:
            self._follower.close()

    def _grow(self, tracks: Sequence[Track], is_live: bool) -> None:
        self._set(extended(self._track, tracks[0]))
        self._is_live = is_live

    def _set(self, track: Track) -> None:
        with self._lock:
            self._track = track
            self._starts = list(accumulate((float(s.seconds) for s in track.segments), initial=0.0))
