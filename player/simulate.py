"""Playing on a virtual clock: which segments are fetched when, at what level, and what a viewer gets to see.

    fetch next segment while the buffer is below its target ── else ── improve one that waits ── else wait

Layered: a level costs the bytes above those that are there already. Otherwise a better level is the whole segment
again, and what was there is wasted (replace), or buffered segments stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gvideo.types import Float64
from player.abr import Rule, State
from player.traces import Trace

#: Seconds from a request to its first byte.
LATENCY_SECONDS = 0.05
#: An improvement must be there so long before its segment is due, by the rate that is expected.
_MARGIN_SECONDS = 1.0
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Ladder:
    """bits f64 [segments, levels]: of a segment at a level, rising; seconds f64 [segments]; quality f64 [levels]: what
    a viewer gets from a level. layered: whether a level holds the bits of those below."""

    bits: Float64
    seconds: Float64
    quality: Float64
    layered: bool

    @property
    def rates_bps(self) -> Float64:
        """Mean rate of every level, bits/s."""
        rates: Float64 = self.bits.sum(0) / self.seconds.sum()
        return rates


@dataclass(slots=True)
class Outcome:
    """What came of it.

    startup_seconds, stall_seconds, total_seconds: by the virtual clock. quality: mean of what was shown, weighted by
    time. num_switches: changes of level from one shown segment to the next. wasted_bits: fetched and never shown.
    shown: levels of the segments.
    """

    startup_seconds: float = 0.0
    stall_seconds: float = 0.0
    num_stalls: int = 0
    quality: float = 0.0
    num_switches: int = 0
    num_upgrades: int = 0
    fetched_bits: float = 0.0
    wasted_bits: float = 0.0
    shown: list[int] = field(default_factory=list)
    media_seconds: float = 0.0
    total_seconds: float = 0.0

    @property
    def stall_ratio(self) -> float:
        """Stalls as a share of the time from the first picture on."""
        return self.stall_seconds / (self.stall_seconds + self.media_seconds)


class Simulation:
    """One viewer. replace: fetch better segments anew although they are not layered."""

    def __init__(
        self, ladder: Ladder, trace: Trace, rule: Rule, *, target_seconds: float = 20.0, replace: bool = False
    ) -> None:
        self._ladder, self._trace, self._rule, self._target = ladder, trace, rule, target_seconds
        self._improves = ladder.layered or replace
        self._ends = np.cumsum(ladder.seconds)
        self._levels: list[int] = []
        self._now = self._position = 0.0
        self._is_stalled = False
        self._out = Outcome(media_seconds=float(self._ends[-1]))

    def run(self) -> Outcome:
        """Plays to the end."""
        ladder, out = self._ladder, self._out
        while len(out.shown) < len(ladder.seconds) or self._position < self._ends[-1] - _EPSILON:
            number = len(self._levels)
            has_next = number < len(ladder.seconds)
            if has_next and self._buffer() + ladder.seconds[number] <= max(self._target, ladder.seconds[number]):
                level = self._rule.choose(self._state(number))
                self._transfer(float(ladder.bits[number, level]))
                self._levels.append(level)
                if number == 0:
                    out.startup_seconds = self._now
                self._is_stalled = False
                self._show()
            elif not (self._improves and self._improve()):
                room = self._buffer() + (ladder.seconds[number] if has_next else 0.0) - self._target
                self._advance(max(room, 1e-3) if has_next else self._buffer())
        out.total_seconds = self._now
        steps = np.abs(np.diff(out.shown))
        out.num_switches = int((steps > 0).sum())
        out.quality = float((ladder.quality[out.shown] * ladder.seconds).sum() / ladder.seconds.sum())
        return out

    def _state(self, number: int) -> State:
        ladder = self._ladder
        return State(
            ladder.rates_bps, ladder.bits[number : number + 5], float(ladder.seconds[number]), self._buffer(),
            self._target, self._levels[-1] if self._levels else 0,
        )  # fmt: skip

    def _buffer(self) -> float:
        return float(self._ends[len(self._levels) - 1]) - self._position if self._levels else 0.0

    def _transfer(self, bits: float) -> None:
        end = self._trace.finish(self._now + LATENCY_SECONDS, bits)
        self._rule.transferred(bits, end - self._now)
        self._out.fetched_bits += bits
        self._advance(end - self._now)

    def _improve(self) -> bool:
        """Fetches the next level of the segment that is due first among those that can be improved in time."""
        ladder, out = self._ladder, self._out
        for number in range(len(out.shown), len(self._levels)):
            level = self._levels[number]
            if level + 1 == len(ladder.quality):
                continue
            have = float(ladder.bits[number, level])
            cost = float(ladder.bits[number, level + 1]) - (have if ladder.layered else 0.0)
            due = float(self._ends[number] - ladder.seconds[number]) - self._position
            if LATENCY_SECONDS + cost / self._rule.estimate_bps() + _MARGIN_SECONDS > due:
                continue
            self._transfer(cost)
            if number < len(out.shown):  # it came too late
                out.wasted_bits += cost
            else:
                self._levels[number] = level + 1
                out.num_upgrades += 1
                out.wasted_bits += 0.0 if ladder.layered else have
            return True
        return False

    def _advance(self, seconds: float) -> None:
        """The clock goes on; so does the picture, as far as there are segments."""
        self._now += seconds
        if not self._levels:
            return
        played = min(seconds, self._buffer())
        self._position += played
        self._show()
        if seconds - played > _EPSILON and len(self._levels) < len(self._ladder.seconds):
            self._out.stall_seconds += seconds - played
            self._out.num_stalls += not self._is_stalled
            self._is_stalled = True

    def _show(self) -> None:
        """Segments whose first picture has been shown keep their level from there on."""
        shown = self._out.shown
        while len(shown) < len(self._levels):
            start = float(self._ends[len(shown)] - self._ladder.seconds[len(shown)])
            if start > self._position + _EPSILON:
                break
            shown.append(self._levels[len(shown)])
