"""Playing on a virtual clock: which segments are fetched when, at what level, and what a viewer gets to see.

    fetch next segment while the buffer is below its target ── else ── improve one that waits ── else wait

Layered: a level costs the bytes above those that are there already. Otherwise a better level is the whole segment
again, and what was there is wasted (replace), or buffered segments stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from player.adaptation.abr import Rule
from player.adaptation.plan import LATENCY_SECONDS, Ladder, Planner, cost
from player.adaptation.traces import Trace

_EPSILON = 1e-9


@dataclass(slots=True)
class SimulationOutcome:
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
        self._ladder, self._trace, self._rule = ladder, trace, rule
        self._planner = Planner(rule, target_seconds, ladder.layered or replace)
        self._ends = np.cumsum(ladder.seconds)
        self._levels: list[int] = []
        self._now = self._position = 0.0
        self._is_stalled = False
        self._out = SimulationOutcome(media_seconds=float(self._ends[-1]))

    def run(self) -> SimulationOutcome:
        """Plays to the end."""
        ladder, out = self._ladder, self._out
        while len(out.shown) < len(ladder.seconds) or self._position < self._ends[-1] - _EPSILON:
            plan = self._planner.plan(
                ladder, dict(enumerate(self._levels)), self._position, self._current(), len(out.shown)
            )
            if plan.number is None:
                self._advance(self._buffer() if plan.seconds is None else plan.seconds)
            elif plan.number < len(self._levels):
                self._improve(plan.number, plan.level)
            else:
                self._transfer(cost(ladder, plan.number, None, plan.level))
                self._levels.append(plan.level)
                if plan.number == 0:
                    out.startup_seconds = self._now
                self._is_stalled = False
                self._show()
        out.total_seconds = self._now
        steps = np.abs(np.diff(out.shown))
        out.num_switches = int((steps > 0).sum())
        out.quality = float((ladder.quality[out.shown] * ladder.seconds).sum() / ladder.seconds.sum())
        return out

    def _current(self) -> int:
        """The segment that is on screen, or the next one where it is over."""
        return int(np.searchsorted(self._ends, self._position + _EPSILON, side="right"))

    def _buffer(self) -> float:
        return float(self._ends[len(self._levels) - 1]) - self._position if self._levels else 0.0

    def _transfer(self, bits: float) -> None:
        end = self._trace.finish(self._now + LATENCY_SECONDS, bits)
        self._rule.transferred(bits, end - self._now)
        self._out.fetched_bits += bits
        self._advance(end - self._now)

    def _improve(self, number: int, level: int) -> None:
        """Brings a segment that waits to a better level, unless it is shown before that is done."""
        ladder, out = self._ladder, self._out
        have = self._levels[number]
        bits = cost(ladder, number, have, level)
        self._transfer(bits)
        if number < len(out.shown):  # it came too late
            out.wasted_bits += bits
        else:
            self._levels[number] = level
            out.num_upgrades += 1
            out.wasted_bits += 0.0 if ladder.layered else float(ladder.bits[number, have])

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
