"""An encoder that is slower than its source goes on with less effort, and takes it back when there is room.

    the preset asked for ─► faster presets ─► veryfast, coarser ─► and fewer frames ─► one frame a segment

How far behind it is (lag) follows from what each segment took:

    lag = max(0, lag + busy - duration - waited)       busy: s from its arrival to the next's, less `waited`, the s in
                                                       which the source had nothing to read

so a source that is slower than real time, or stalls, is not the encoder's fault, and one that comes at once (a file) is
held to real time, which is what viewers need. Going down is quick, a step for every factor of two. Going up takes some
segments in a row with room for a step, and twice as many after each time that a step up did not hold.

An encoder that got no processor for a while would show the past from then on: one that is too far behind leaves out
what waits, and goes on with what comes (leave_out).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gvideo.media import CodeFrame

#: Presets from the slowest to the fastest.
_ORDER = ("slow", "medium", "fast", "veryfast")
#: Eighths of an octave of 1/D that the quality is lowered by, when no preset is faster; and frames kept, one of so many
#: (0: one a segment).
_COARSER, _FEWER, _NOTHING = (8, 16, 24), (2, 4, 8, 0), 255
#: Lag that is borne, in segments and in seconds at least; share of real time from which on it does not shrink.
_BORNE, _BORNE_SECONDS, _FULL = 0.5, 1.0, 0.9
#: Share of real time below which a step up may fit; segments in a row that show it, at first and at most.
_ROOM, _PATIENCE, _MOST_PATIENCE = 0.4, 4, 64


@dataclass(frozen=True, slots=True)
class Effort:
    """How segments are fitted. coarser: eighths of an octave that the distortion is lowered by. one_of: frames kept,
    one of so many, 0: one a segment."""

    preset: str
    coarser: int = 0
    one_of: int = 1

    def __str__(self) -> str:
        words = [f"--preset {self.preset}"]
        if self.coarser:
            words.append(f"{self.coarser / 8:g} octave(s) coarser")
        if self.one_of != 1:
            words.append(f"one frame of {self.one_of}" if self.one_of else "one frame a segment")
        return ", ".join(words)


def efforts(preset: str) -> list[Effort]:
    """From the preset down to next to nothing."""
    found = [Effort(p) for p in _ORDER[_ORDER.index(preset) :]]
    found += [Effort(_ORDER[-1], c) for c in _COARSER]
    found += [Effort(_ORDER[-1], _COARSER[-1], n) for n in _FEWER]
    return [*found, Effort(_ORDER[-1], _NOTHING, 0)]


class KeepUp:
    """The effort of the next segment. longest: seconds of the longest segment. most_lag: seconds behind from which on
    what waits is left out."""

    def __init__(self, preset: str, longest: float, most_lag: float = math.inf) -> None:
        self._most_lag = most_lag
        self._efforts, self._borne = efforts(preset), max(_BORNE * longest, _BORNE_SECONDS)
        self._level = self._calm = self._segments = 0
        self._patience, self._risen_at = _PATIENCE, -_MOST_PATIENCE
        self.lag_s = 0.0

    @property
    def effort(self) -> Effort:
        """Of the next segment."""
        return self._efforts[self._level]

    @property
    def is_too_late(self) -> bool:
        """Whether what waits should be left out."""
        return self.lag_s > self._most_lag

    def leave_out(self) -> str:
        """What waited is left out. Returns a line."""
        line = f"{self.lag_s:.0f} s behind; leaves out what waits, goes on behind a discontinuity"
        self.lag_s, self._calm = 0.0, 0
        return line

    def took(self, busy_s: float, duration_s: float, waited_s: float) -> str | None:
        """A segment as it went: see above. Returns a line if the effort changes. The first one, in which kernels are
        compiled and packages loaded, tells nothing."""
        self._segments += 1
        if self._segments == 1:
            return None
        self.lag_s = max(0.0, self.lag_s + busy_s - duration_s - waited_s)
        load = busy_s / duration_s
        if self.lag_s > self._borne and load > _FULL:
            return self._down(load)
        self._calm = self._calm + 1 if self.lag_s == 0 and load < _ROOM else 0
        return self._up() if self._level and self._calm >= self._patience else None

    def _down(self, load: float) -> str | None:
        self._calm = 0
        level = min(self._level + max(1, round(math.log2(load))), len(self._efforts) - 1)
        if level == self._level:
            return None
        if self._segments - self._risen_at <= self._patience:
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self._level = level
        return f"slower than its source, {self.lag_s:.1f} s behind; goes on with {self.effort}"

    def _up(self) -> str:
        self._level, self._calm, self._risen_at = self._level - 1, 0, self._segments
        return f"has time again; goes on with {self.effort}"


def thinned(frames: Sequence[CodeFrame], one_of: int) -> tuple[CodeFrame, ...]:
    """One frame of so many (0: of all), each as long as those that it stands for."""
    if one_of == 1:
        return tuple(frames)
    end = frames[-1].pts + frames[-1].duration
    kept = frames[:: one_of or len(frames)]
    ends = [*(f.pts for f in kept[1:]), end]
    return tuple(replace(f, duration=e - f.pts) for f, e in zip(kept, ends, strict=True))
