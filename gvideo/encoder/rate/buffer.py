"""The decoder's buffer that a stream must not run dry: a leaky bucket of whole segments.

    fullness before segment n  f_n = min(size, f_{n-1} - bits_{n-1} + rate (start_n - start_{n-1})),   f_0 = size
    it must hold the segment:  bits_n <= f_n

Filled at `rate` and full when playing begins; a segment leaves it at once, at the start of its first frame, as it is a
unit of decoding. Then no stretch of segments i … j has more than size + rate (start_j - start_i) bits. What stands in
front of the first segment counts as bits of the first segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Buffer:
    """A buffer under way. rate_bps: bits a second that fill it; size_bits: what it holds."""

    rate_bps: float
    size_bits: float
    fullness_bits: float = field(init=False)

    def __post_init__(self) -> None:
        self.fullness_bits = self.size_bits

    def take(self, num_bits: float, duration_s: float) -> bool:
        """Takes a segment out, then lets its duration pass. False if not all of it was there."""
        held = num_bits <= self.fullness_bits
        left = max(self.fullness_bits - num_bits, 0.0)
        self.fullness_bits = min(self.size_bits, left + self.rate_bps * duration_s)
        return held


def first_miss(
    bits: Sequence[float], durations_s: Sequence[float], rate_bps: float, size_bits: float
) -> tuple[int, int] | None:
    """(first segment since the buffer was last full, the first segment that is not there in time), or None."""
    buffer, since = Buffer(rate_bps, size_bits), 0
    for number, (num_bits, duration) in enumerate(zip(bits, durations_s, strict=True)):
        if buffer.fullness_bits >= size_bits:
            since = number
        if not buffer.take(num_bits, duration):
            return since, number
    return None
