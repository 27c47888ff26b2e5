"""Presentation times: exact integers that strictly increase, whatever the source says.

    decoder's pts (may be missing, equal, or jump back) --repair--> pts --difference to the next--> durations

Ticks are those of the stream's time base num/den; the timescale is den and ticks are multiplied by num, which is exact.
Frames keep their order and their number whatever their times are. Repairs, in this order, with "nominal" the frame's
own duration, else the average frame rate's, else 1/25 s:
- no pts: the previous one + nominal (the first: 0);
- at most a second back, or equal: half a nominal duration (at least a tick) after the previous one, so that the next
  frame, whose time is good again, keeps it; one that is not later either is moved by the same rule;
- more than a second back (a clock that restarts): the rest of the stream is moved to go on at previous + nominal.

    two frames in one millisecond, 25 frames/s:   0  40  40  80  120   ->   0  40  60  80  120

Where programmes are joined, packets are put right before they are decoded (JointFinder), so that frames which the
decoder still holds keep the times of the first programme.
"""

from __future__ import annotations

from fractions import Fraction

#: A step between decoding times beyond this is a joint, as ffmpeg takes it.
_LONGEST_STEP_SECONDS = 10


def ticks_of(time_base: Fraction | None) -> tuple[int, int]:
    """Timescale (ticks per second) of a time base and the factor from its units to ticks."""
    base = time_base or Fraction(1, 90000)
    return base.denominator, base.numerator


def nominal_ticks(timescale: int, rate: Fraction | None) -> int:
    """Duration in ticks of a frame at a rate in frames per second, 1/25 s where it is unknown; at least one tick."""
    return max(1, round(timescale / rate)) if rate else max(1, round(Fraction(timescale, 25)))


class TimestampRepair:
    """Turns the decoder's times into strictly increasing ones. One object per pass over a stream."""

    def __init__(self, timescale: int) -> None:
        self._timescale = timescale
        self._shift = 0
        self._previous: int | None = None
        self.num_repaired = 0

    @property
    def previous(self) -> int:
        """The time of the frame before, 0 where there is none."""
        return self._previous or 0

    def next(self, pts: int | None, nominal: int) -> int:
        """The time of the next frame in presentation order, in ticks."""
        previous = self._previous
        if pts is None:
            self.num_repaired += 1
            repaired = 0 if previous is None else previous + nominal
        else:
            repaired = pts + self._shift
            if previous is not None and repaired <= previous:
                self.num_repaired += 1
                if previous - repaired > self._timescale:
                    self._shift += previous + nominal - repaired
                    repaired = previous + nominal
                else:
                    repaired = previous + max(1, nominal // 2)
        self._previous = repaired
        return repaired


class JointFinder:
    """Finds where a stream's clock starts anew, from packet to packet in decoding order, and says how to move what
    follows so that it begins where the frames before it end. Times in units of the time base. One object per pass."""

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self._usual = max(1, round(1 / (time_base * (rate or 25))))
        self._limit = round(_LONGEST_STEP_SECONDS / time_base)
        self._shift = 0
        self._previous: int | None = None
        self.end = 0  # where the frames seen so far end

    def shift_of(self, dts: int, pts: int, duration: int) -> tuple[int, bool]:
        """(what to add to the packet's times, whether a joint lies before it). duration: 0 where it is not known."""
        length = duration or self._usual
        step = 0 if self._previous is None else dts - self._previous
        joint = step <= -length or step > self._limit
        if joint:
            self._shift = self.end - pts
        end = pts + self._shift + length
        self.end = end if self._previous is None else max(self.end, end)
        self._previous = dts
        return self._shift, joint


_COMMON_RATES = tuple(
    Fraction(rate * thousand, base)
    for rate in (24, 25, 30, 50, 60, 10, 12, 15, 20, 48, 100, 120, 240)
    for thousand, base in ((1, 1), (1000, 1001))
)


def frame_rate_of(num_frames: int, span_ticks: int, timescale: int) -> Fraction:
    """Average frame rate of num_frames frames that last span_ticks: a common rate if it fits within rounding of the
    first and last time to whole ticks, else the exact quotient."""
    exact = Fraction(num_frames * timescale, max(1, span_ticks))
    if num_frames > 1:
        nearest = min(_COMMON_RATES, key=lambda rate: abs(num_frames * timescale / rate - span_ticks))
        if abs(num_frames * timescale / nearest - span_ticks) <= 1:
            return nearest
    return exact
