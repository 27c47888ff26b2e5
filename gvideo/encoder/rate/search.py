"""Two passes to a rate and a buffer: which segments to fit at which distortion, round by round, until both are met.

    pass 1   every segment by the fastest preset  ─► how bits divide over the segments
    pass 2   some segments by the preset asked for ─► how its bits compare with those of pass 1
             all others at the distortion planned from both
             those whose change brings the whole to its target, again, until it is there

With the fastest preset pass 1 is the first round of pass 2. The same frames and options give the same rounds, so that
an interrupted encode finds everything that it had finished.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gvideo.encoder.rate.buffer import first_miss
from gvideo.encoder.rate.model import MAX_DISTORTION, SLOPE, RateTarget, SegmentRate, curves, plan
from gvideo.errors import OptionError

#: log2 bits a pixel of usual content at distortion 0, from which the very first distortion is guessed.
_LOG_BITS_PER_PIXEL = -11.4
#: The whole counts as met this close to its rate; corrections aim closer, as codebooks and priors still take a little.
TOLERANCE, _AIM = 0.03, 0.012
#: A segment this far from its plan, eighths of an octave, is fitted again even where the rate is met: half a decibel.
_UNEVEN = 3
#: Probes further than this from what is planned, eighths of an octave, are made once more.
_FAR_PROBE, _MAX_PROBES = 10, 3
#: Rounds of corrections at most.
_MAX_ROUNDS = 10
#: Share of the segments that tells how the presets compare.
_SAMPLE = 4


@dataclass(frozen=True, slots=True)
class Size:
    """What a fit of a segment came to."""

    num_bits: int
    duration_s: float


#: (distortion of a segment by its number, or None to leave it out; whether to fit fast; what to call it) -> sizes
Encode = Callable[[Callable[[int], int | None], bool, str], Mapping[int, Size]]


class RateSearch:
    """A search under way. encode: fits segments and says how large they are. probing: whether there is a faster preset.
    overhead_bits: of what a stream of so many segments has beside them. start: distortion of the first round."""

    def __init__(
        self, encode: Encode, target: RateTarget, start: int, overhead_bits: Callable[[int], float], probing: bool
    ) -> None:
        self._encode, self._target, self._start, self._probing = encode, target, start, probing
        self._overhead_of = overhead_bits
        self._segments: list[SegmentRate] = []
        self._scale = 1.0  # of the rate aimed at over the one asked for

    def run(self) -> list[int]:
        """The distortion of every segment, each of them fitted. Raises OptionError where the target is out of reach."""
        probing = self._probing and self._target.bitrate is not None
        self._round(lambda _: self._start, probing, "pass 1" if self._target.bitrate is not None else "")
        if not self._segments:
            return []
        self._overhead = self._overhead_of(len(self._segments))
        if probing:
            self._probe()
            wanted, count = self._plan(), len(self._segments)
            sample = {k: wanted[k] for k in range(count // 2 % _SAMPLE, count, _SAMPLE)} or {0: wanted[0]}
            self._round(sample.get, False, "pass 2")
            wanted = self._plan()
            rest = {k: d for k, d in enumerate(wanted) if not self._segments[k].measured}
            if rest:
                self._round(rest.get, False, "pass 2")
        return self._correct()

    def moved(self, factor: float) -> list[int]:
        """The distortions for that times the bits, after `run`."""
        target = self._target
        assert target.bitrate is not None
        self._target = replace(target, bitrate=target.bitrate * factor)
        self._scale *= factor
        return self._correct()

    def miss_of(self, num_bits: float) -> float:
        """How far above (or below) the rate asked for a whole stream of so many bits is, as a share; 0 without one."""
        return self._off(num_bits * self._scale)

    def holds(self, bits: list[float], overhead_bits: float) -> bool:
        """Whether segments of such sizes keep the buffer, with what stands in front of them."""
        t = self._target
        if t.maxrate is None or t.bufsize is None:
            return True
        durations = [s.duration_s for s in self._segments]
        return first_miss([bits[0] + overhead_bits, *bits[1:]], durations, t.maxrate, t.bufsize) is None

    def _round(self, wish: Callable[[int], int | None], probing: bool, stage: str) -> None:
        for number, size in sorted(self._encode(wish, probing, stage).items()):
            if number == len(self._segments):
                self._segments.append(SegmentRate(size.duration_s))
            segment, distortion = self._segments[number], wish(number)
            assert distortion is not None
            (segment.probed if probing else segment.measured)[distortion] = float(size.num_bits)

    def _plan(self, target: RateTarget | None = None) -> list[int]:
        return plan(self._segments, target or self._target, self._overhead, self._start)

    def _probe(self) -> None:
        """Moves the probes to where the plan is."""
        for _ in range(_MAX_PROBES):
            far = {
                k: d
                for k, (d, s) in enumerate(zip(self._plan(), self._segments, strict=True))
                if min(abs(d - p) for p in s.probed) > _FAR_PROBE
            }
            if not far:
                break
            self._round(far.get, True, "pass 1")

    def _correct(self) -> list[int]:
        """Rounds of corrections. The buffer is a promise, the rate has a tolerance: of what was fitted, the best that
        keeps the buffer is taken."""
        aim, best, best_miss = self._target, None, math.inf
        for _ in range(_MAX_ROUNDS):
            wanted = self._plan(aim)
            chosen = self._nearest(wanted)
            miss = self._miss(chosen)
            if self._holds(chosen) and abs(miss) < best_miss:
                best, best_miss = chosen, abs(miss)
            again = self._corrections(wanted, chosen)
            uneven = any(abs(d - chosen[k]) > _UNEVEN for k, d in again.items())
            if best_miss <= TOLERANCE and not uneven:
                break
            if again:
                self._round(again.get, False, "pass 2, corrections")
            elif miss < 0 and all(d >= MAX_DISTORTION for d in chosen):
                break  # no quality is left to spend the bits on
            elif miss > 0 and not any(chosen):
                assert self._target.bitrate is not None
                least = self._target.bitrate * (1 + miss)
                raise OptionError(f"--bitrate {self._target.bitrate:g}: takes {least:.0f} even at the coarsest")
            else:
                aim = _moved(aim, miss, self._holds(chosen))
        if best is None:
            raise OptionError("--maxrate, --bufsize: not met; give more of one, or shorter segments")
        return best

    def _off(self, num_bits: float) -> float:
        """How far above (or below) the rate aimed at so many bits are, as a share; 0 without one."""
        if self._target.bitrate is None:
            return 0.0
        return num_bits / (self._target.bitrate * sum(s.duration_s for s in self._segments)) - 1

    def _bits(self, distortions: list[int]) -> list[float]:
        return [s.measured[d] for s, d in zip(self._segments, distortions, strict=True)]

    def _miss(self, distortions: list[int]) -> float:
        """How far above (or below) the rate a choice is, as a share; 0 without one."""
        return self._off(sum(self._bits(distortions)) + self._overhead)

    def _holds(self, distortions: list[int], bits: list[float] | None = None) -> bool:
        """Whether a choice keeps the buffer."""
        return self.holds(self._bits(distortions) if bits is None else bits, self._overhead)

    def _nearest(self, wanted: list[int]) -> list[int]:
        """What was measured nearest to what is wanted; the smaller of two alike."""
        return [min(s.measured, key=lambda d: (abs(d - w), d)) for s, w in zip(self._segments, wanted, strict=True)]

    def _corrections(self, wanted: list[int], chosen: list[int]) -> dict[int, int]:
        """Segments to fit again: those whose quality would stand out, then by how much they bring, as few as do."""
        table = curves(self._segments)
        change = {
            k: float(table[k, w] - table[k, c]) for k, (w, c) in enumerate(zip(wanted, chosen, strict=True)) if w != c
        }
        bits, again = self._bits(chosen), {}
        for k in sorted(change, key=lambda k: (abs(wanted[k] - chosen[k]) <= _UNEVEN, -abs(change[k]), k)):
            near = abs(wanted[k] - chosen[k]) <= _UNEVEN
            if near and abs(self._off(sum(bits) + self._overhead)) <= _AIM and self._holds(chosen, bits):
                continue
            bits[k] += change[k]
            again[k] = wanted[k]
        return again


def _moved(target: RateTarget, miss: float, holds: bool) -> RateTarget:
    """Where to aim after all that was planned is there and something is still missed."""
    bitrate = None if target.bitrate is None else target.bitrate / (1 + miss)
    tighter = 1.0 if holds or target.bufsize is None else 0.97
    bufsize = None if target.bufsize is None else target.bufsize * tighter
    return RateTarget(bitrate, target.maxrate, bufsize)


def first_guess(bits_per_pixel: float) -> int:
    """A distortion at which usual content takes about so many bits."""
    octaves = (math.log2(max(bits_per_pixel, 1e-9)) - _LOG_BITS_PER_PIXEL) / SLOPE
    return round(min(max(8 * octaves, 0), MAX_DISTORTION))
