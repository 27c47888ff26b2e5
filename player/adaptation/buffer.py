"""Segments ahead of what is shown: a thread fetches what the planner says, and improves those that wait.

    planner ──► fetch(number, level, what is there) ──► bytes ──► take(number), when it is decoded

A level of a layered segment is fetched behind the bytes of the poorer one. A segment that was taken keeps its level.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate

from gvideo.errors import GVideoError
from player.adaptation.plan import Ladder, Planner

#: What fetches a segment at a level: bytes that are there already go in, all of its bytes come out.
Fetch = Callable[[int, int, bytes], bytes]
#: Bytes of segments behind the one on screen that are kept for going back.
_KEPT_BYTES = 1 << 26
_LONGEST_WAIT_SECONDS = 0.5
_LEAVE_SECONDS = 2.0


@dataclass(slots=True)
class Traffic:
    """What was fetched. num_wasted_bytes: of improvements that came too late, and of segments dropped before their
    turn."""

    num_bytes: int = 0
    num_upgrades: int = 0
    num_wasted_bytes: int = 0
    rate_bps: float = 0.0


class SegmentBuffer:
    """ladder: all segments that are known, with every level's bits. start: the first segment that is wanted. max_level:
    none better is fetched."""

    def __init__(
        self, fetch: Fetch, planner: Planner, ladder: Ladder, *, start: int = 0, max_level: int | None = None
    ) -> None:
        self._fetch, self._planner, self._ladder = fetch, planner, ladder
        self._starts = _starts(ladder)
        self._data: dict[int, bytes] = {}
        self._levels: dict[int, int] = {}
        self._taken: set[int] = set()
        self._errors: dict[int, GVideoError] = {}
        self._finished: set[int] = set()  # nothing better of these can be had
        self._current, self._position = start, self._starts[start]
        self._max_level = len(ladder.quality) - 1 if max_level is None else max_level
        self._is_open, self._stands = True, False
        self._changed = threading.Condition()
        self.traffic = Traffic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self, number: int) -> tuple[int, bytes]:
        """(level, bytes) of a segment, once they are there. Raises what fetching it raised."""
        with self._changed:
            while number not in self._data:
                if number in self._errors:
                    raise self._errors.pop(number)
                if not self._is_open:
                    raise GVideoError("the stream was closed")
                self._changed.wait(_LONGEST_WAIT_SECONDS)
            self._taken.add(number)
            return self._levels[number], self._data[number]

    def move(self, position: float) -> None:
        """The picture is at a time, s from the first segment's start."""
        with self._changed:
            number = min(max(bisect_right(self._starts, position) - 1, 0), len(self._ladder.seconds) - 1)
            is_jump = number not in (self._current, self._current + 1)
            self._current, self._position = number, position
            if is_jump:
                self._errors.clear()
                self._changed.notify_all()
            self._drop_behind()

    def grow(self, ladder: Ladder) -> None:
        """More segments are known."""
        with self._changed:
            self._ladder, self._starts = ladder, _starts(ladder)
            self._changed.notify_all()

    def limit(self, max_level: int, *, forget: bool) -> None:
        """Fetches no better level from now on. forget: what waits at another level is fetched anew."""
        with self._changed:
            self._max_level = max_level
            for number in [n for n in self._data if n > self._current] if forget else ():
                if number not in self._taken:
                    self.traffic.num_wasted_bytes += len(self._data[number])
                self._discard(number)
            self._finished.clear()
            self._taken = {n for n in self._taken if n <= self._current}  # what comes next may be better now
            self._changed.notify_all()

    def stand(self, stands: bool) -> None:
        """The picture does not move: its segment is brought to the best level. Or it moves again."""
        with self._changed:
            if stands != self._stands:
                self._stands = stands
                self._changed.notify_all()

    @property
    def ahead_seconds(self) -> float:
        """How long playing can go on with what is there."""
        with self._changed:
            number = self._current
            while number in self._data:
                number += 1
            return max(0.0, self._starts[number] - self._position) if number > self._current else 0.0

    @property
    def levels(self) -> dict[int, int]:
        """Levels of the segments that are there."""
        with self._changed:
            return dict(self._levels)

    def close(self) -> None:
        """Ends the thread; it may be waiting for a server for a while yet."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._is_open:
                    return
                number, level = self._next()
                if number is None:
                    continue
                have = self._data.get(number, b"")
            began = time.monotonic()
            try:
                data = self._fetch(number, level, have)
            except GVideoError as error:
                self._failed(number, error)
                continue
            except BaseException as error:
                self._failed(number, GVideoError(f"segment {number}: {type(error).__name__}: {error}"))
                raise
            self._came(number, level, have, data, time.monotonic() - began)

    def _next(self) -> tuple[int | None, int]:
        """What to fetch, after waiting a little where there is nothing."""
        if self._current in self._errors or any(self._current <= n for n in self._errors):
            self._changed.wait(_LONGEST_WAIT_SECONDS)  # until it is taken note of
            return None, 0
        ladder, best = self._ladder, self._max_level + 1
        ladder = replace(ladder, bits=ladder.bits[:, :best], quality=ladder.quality[:best])
        waiting = self._current + 1
        while waiting in self._taken:
            waiting += 1
        levels = {n: best - 1 if n in self._finished else min(k, best - 1) for n, k in self._levels.items()}
        plan = self._planner.plan(
            ladder, levels, self._position, self._current, waiting, stands=self._stands and self._current in levels
        )
        if plan.number is None:
            longest = _LONGEST_WAIT_SECONDS
            self._changed.wait(longest if plan.seconds is None else min(plan.seconds, longest))
        return plan.number, plan.level

    def _came(self, number: int, level: int, have: bytes, data: bytes, seconds: float) -> None:
        fetched = len(data) - len(have)
        with self._changed:
            self._planner.rule.transferred(8.0 * fetched, seconds)
            self.traffic.num_bytes += fetched
            self.traffic.rate_bps = self._planner.rule.estimate_bps()
            if have and number in self._taken and not (self._stands and number == self._current):  # it is on screen
                self.traffic.num_wasted_bytes += fetched
            else:
                self.traffic.num_upgrades += bool(have)
                self._data[number], self._levels[number] = data, level
            self._changed.notify_all()

    def _failed(self, number: int, error: GVideoError) -> None:
        with self._changed:
            if number in self._data:  # it is shown as it is
                self._finished.add(number)
            else:
                self._errors[number] = error
            self._changed.notify_all()

    def _drop_behind(self) -> None:
        behind = sorted(n for n in self._data if n < self._current - 1)
        size = sum(len(self._data[n]) for n in behind)
        for number in behind:
            if size <= _KEPT_BYTES:
                break
            size -= len(self._data[number])
            self._discard(number)

    def _discard(self, number: int) -> None:
        del self._data[number], self._levels[number]
        self._taken.discard(number)


def _starts(ladder: Ladder) -> list[float]:
    return [0.0, *accumulate(float(s) for s in ladder.seconds)]
