"""Rate control while the input is still written: the distortion of each segment from what those before it came to.

    rate of complexity  c = log2(bits / s of the last segment) - SLOPE distortion / 8      (content goes on as it was)
    wanted              bitrate + what the stream is short of it, made up for over the next seconds
    distortion          8 (log2(wanted / s) - c) / SLOPE, lower where the buffer holds less

A segment that would run the buffer dry is fitted again, coarser, until it does not; so is, once, one that takes half as
much again as it should, which a new scene may do. All others are fitted once.
"""

from __future__ import annotations

import math

from gvideo.encoder.rate.buffer import Buffer
from gvideo.encoder.rate.model import MAX_DISTORTION, SLOPE, RateTarget
from gvideo.encoder.rate.search import first_guess
from gvideo.errors import OptionError

#: Segments over which a surplus or a deficit is made up for; how far one may be off its share for it; and how many
#: shares are remembered, so that a long still passage is not followed by a flood.
_MAKE_UP, _LEAST, _MOST, _MEMORY = 2.0, 0.4, 4.0, 12.0
#: A segment above so many times what it should take is fitted again; how often a buffer that is missed allows it.
_TOO_MUCH, _MAX_FITS = 1.5, 8
#: Share of the buffer that a segment is planned for at most.
_FULL = 0.85
#: A new fit against the buffer goes further down than its slope says, eighths of an octave.
_SAFETY = 3


class OnePass:
    """The rate control of a live stream. start: distortion for as long as nothing is known (None: guessed)."""

    def __init__(self, target: RateTarget, pixels_per_second: float, start: int) -> None:
        self._target, self._start = target, start
        self._pixel_rate = pixels_per_second
        self._buffer = None
        if target.maxrate is not None and target.bufsize is not None:
            self._buffer = Buffer(target.maxrate, target.bufsize)
        self._complexity: float | None = None
        self._ahead_bits = 0.0  # bits above the bitrate so far
        self._fits = 0

    def distortion(self, duration_s: float) -> int:
        """The distortion of the next segment."""
        wanted = self._wanted(duration_s)
        if self._complexity is None:
            if self._target.bitrate is None:
                return self._start
            return first_guess(wanted / duration_s / self._pixel_rate)
        found = MAX_DISTORTION if self._target.bitrate is not None else self._start
        if math.isfinite(wanted):
            found = min(found, round(8 * (math.log2(wanted / duration_s) - self._complexity) / SLOPE))
        return max(found, 0)

    def take(self, num_bits: float, duration_s: float, distortion: int) -> int | None:
        """A segment as fitted: None if it is taken, else the distortion to fit it again at."""
        self._fits += 1
        self._complexity = math.log2(max(num_bits, 1.0) / duration_s) - SLOPE * distortion / 8
        again = self._again(num_bits, duration_s, distortion)
        if again is not None:
            return again
        if self._buffer is not None and not self._buffer.take(num_bits, duration_s):
            raise OptionError("--maxrate, --bufsize: a segment does not fit the buffer even at its coarsest; give more")
        if self._target.bitrate is not None:
            share = self._target.bitrate * duration_s
            self._ahead_bits = max(self._ahead_bits + num_bits - share, -_MEMORY * share)
        self._fits = 0
        return None

    def _again(self, num_bits: float, duration_s: float, distortion: int) -> int | None:
        if distortion == 0 or self._fits >= _MAX_FITS:
            return None
        if self._buffer is not None and num_bits > self._buffer.fullness_bits:
            return max(min(self.distortion(duration_s), distortion) - _SAFETY * self._fits, 0)
        if self._fits == 1 and num_bits > _TOO_MUCH * self._wanted(duration_s):
            return min(self.distortion(duration_s), distortion - 1)
        return None

    def _wanted(self, duration_s: float) -> float:
        """Bits of the next segment."""
        wanted = math.inf
        if self._target.bitrate is not None:
            share = self._target.bitrate * duration_s
            wanted = min(max(share - self._ahead_bits / _MAKE_UP, _LEAST * share), _MOST * share)
        if self._buffer is not None:
            wanted = min(wanted, _FULL * self._buffer.fullness_bits)
        return wanted
