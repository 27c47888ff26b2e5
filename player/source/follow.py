"""Live manifests read again while they grow (RFC 8216 §6.3.4, ISO/IEC 23009-1 §5.4): a target duration after the last
look, or minimumUpdatePeriod; half of it where nothing was new. A playlist that offers parts is asked for the next one
at once where its server holds the answer until that is there, else after the length of a part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from gvideo.errors import GVideoError, MediaError
from player.source import dash, hls
from player.source.fetch import Fetcher
from player.source.record import Presentation, Track, newer

#: Looks that may fail one after the other, each after the attempts of the fetcher.
_MAX_FAILURES = 3
#: A stream that is live but has not grown for so long, and for so many target durations, has died.
_DEAD_SECONDS, _DEAD_TARGETS = 30.0, 10.0
#: Manifests are read again no more often than this, and no less.
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.2, 60.0
_LEAVE_SECONDS = 2.0


def reload_track(track: Track, fetcher: Fetcher) -> tuple[Track, bool]:
    """A track as its manifest names it now, and whether more may follow."""
    is_hls = track.levels[-1].url.partition("?")[0].lower().endswith(".m3u8")
    return hls.reload_track(track, fetcher) if is_hls else dash.reload_track(track, fetcher)


class Follower:
    """Reads the manifests of tracks again in a thread. grown: is told tracks and whether more may follow. failure: why
    it gave up, None while it has not."""

    def __init__(
        self,
        tracks: Sequence[Track],
        presentation: Presentation,
        fetcher: Fetcher,
        grown: Callable[[Sequence[Track], bool], None],
    ) -> None:
        self._tracks, self._fetcher, self._grown = list(tracks), fetcher, grown
        self._url = presentation.url
        self._update = min(max(float(presentation.update_seconds), _SHORTEST_SECONDS), _LONGEST_SECONDS)
        self._dead = max(_DEAD_SECONDS, _DEAD_TARGETS * float(presentation.target_seconds))
        self.failure: GVideoError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; it may be waiting for a server for a while yet."""
        self._stop.set()
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        wait, failures = 0.0 if self._is_held() else self._update, 0
        grew = time.monotonic()
        while not self._stop.wait(wait):
            try:
                found = [reload_track(t, self._fetcher) for t in self._tracks]
            except GVideoError as error:
                failures += 1
                if failures == _MAX_FAILURES:
                    self.failure = error
                    return
                wait = self._update
                self._tracks = [replace(t, edge=None) for t in self._tracks]  # it may not like what it was asked for
                continue
            failures = 0
            tracks = [t for t, _ in found]
            has_new = any(newer(old.segments, new.segments) for old, new in zip(self._tracks, tracks, strict=True))
            is_live = all(live for _, live in found)
            grew = time.monotonic() if has_new else grew
            self._tracks = [t if t.segments else old for old, t in zip(self._tracks, tracks, strict=True)]
            self._grown(tracks, is_live)
            if not is_live:
                return
            if (idle := time.monotonic() - grew) > self._dead:
                self.failure = MediaError(f"{self._url}: is live, but has not grown for {idle:.0f} s")
                return
            if has_new:
                wait = 0.0 if self._is_held() else self._update
            else:
                wait = min(self._update, max(self._update / 2, _SHORTEST_SECONDS))

    def _is_held(self) -> bool:
        """Whether answers come when there is something new."""
        return any(t.edge is not None and t.edge.following for t in self._tracks)
