"""What to fetch next, for the simulation and for real playing alike: the next segment while the buffer is below its
target, else a better level of a segment that waits, else nothing.

    levels of what is there, position ──► FetchPlan: fetch segment n at level l | wait
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gvideo.types import Float64
from player.adaptation.abr import Rule, State

#: Seconds from a request to its first byte.
LATENCY_SECONDS = 0.05
#: An improvement must be there so long before its segment is due, by the rate that is expected.
MARGIN_SECONDS = 1.0
_SHORTEST_WAIT_SECONDS = 1e-3


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


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """Fetch segment `number` so that it is at `level`; where number is None, wait for `seconds` (None: for good)."""

    number: int | None
    level: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    """A rule and a buffer. improves: whether segments that wait are brought to better levels."""

    rule: Rule
    target_seconds: float
    improves: bool

    def plan(
        self,
        ladder: Ladder,
        levels: Mapping[int, int],
        position: float,
        current: int,
        waiting: int,
        *,
        stands: bool = False,
    ) -> FetchPlan:
        """The next step. levels: of segments that are there, by number. position: s from the first segment's start,
        within segment `current`. waiting: the first segment of which nothing has been shown. stands: the picture does
        not move, so that its own segment is worth improving before all others."""
        if stands and self.improves and levels.get(current, len(ladder.quality)) + 1 < len(ladder.quality):
            return FetchPlan(current, levels[current] + 1)
        ends = np.cumsum(ladder.seconds)
        number = current
        while number in levels:
            number += 1
        buffer = float(ends[number - 1]) - position if number > current else 0.0
        has_next = number < len(ladder.seconds)
        seconds = float(ladder.seconds[number]) if has_next else 0.0
        if has_next and buffer + seconds <= max(self.target_seconds, seconds):
            state = State(
                ladder.rates_bps, ladder.bits[number : number + 5], seconds, buffer, self.target_seconds,
                levels.get(number - 1, 0),
            )  # fmt: skip
            return FetchPlan(number, self.rule.choose(state))
        for n in range(waiting, number) if self.improves else ():
            if self._is_in_time(ladder, n, levels[n], float(ends[n] - ladder.seconds[n]) - position):
                return FetchPlan(n, levels[n] + 1)
        if not has_next:
            return FetchPlan(None)
        return FetchPlan(None, seconds=max(buffer + seconds - self.target_seconds, _SHORTEST_WAIT_SECONDS))

    def _is_in_time(self, ladder: Ladder, number: int, level: int, due: float) -> bool:
        """Whether the next level of a segment that is due in so many seconds would come before it."""
        if level + 1 >= len(ladder.quality):
            return False
        bits = cost(ladder, number, level, level + 1)
        return LATENCY_SECONDS + bits / self.rule.estimate_bps() + MARGIN_SECONDS <= due


def cost(ladder: Ladder, number: int, have: int | None, level: int) -> float:
    """Bits to fetch for a level of a segment that is there at another one, or not at all (None)."""
    known = float(ladder.bits[number, have]) if have is not None and ladder.layered else 0.0
    return float(ladder.bits[number, level]) - known
