"""Which distortion each segment gets, so that a stream meets a rate and a buffer: the model of rates and the plan.

    measured sizes ─► log2 bits over distortion, one line of pieces a segment ─► plan: one distortion for all segments,
                                                                                 lower where the buffer would run dry

A lower squared error per bit is nowhere to be had than with one distortion for the whole stream (equal slopes); so a
rate is met by one number, and only the buffer makes segments differ. Distortions here are those of headers, eighths of
an octave of 1/D: higher is better and takes more bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gvideo.encoder.rate.buffer import first_miss
from gvideo.errors import OptionError
from gvideo.types import Float64, Int64

#: Octaves of bits for an octave of 1/D: usual, and the range that two measurements may suggest.
SLOPE, SLOPES = 0.67, (0.25, 1.2)
#: Measurements closer than this, eighths of an octave, say more about chance than about the slope.
_FAR = 3
#: The highest distortion that is tried: about crf 0.
MAX_DISTORTION = 245
#: Room that a size which is only predicted leaves in the buffer.
_BUFFER_MARGIN = 1.08


@dataclass(frozen=True, slots=True)
class RateTarget:
    """What a stream must meet, in bits and seconds. bitrate: of the whole file, or None for constant quality; maxrate
    and bufsize: see encoder/rate/buffer.py; None: no buffer."""

    bitrate: float | None = None
    maxrate: float | None = None
    bufsize: float | None = None

    @classmethod
    def of(
        cls,
        bitrate: float | None,
        maxrate: float | None,
        bufsize: float | None,
        segment_seconds: float,
        crf: float | None = None,
    ) -> RateTarget | None:
        """The target of options, in bits a second and bits; None if there is none. crf: excludes a bitrate. maxrate
        without bufsize: two longest segments' worth. bufsize without maxrate: filled at the bitrate. Raises
        OptionError."""
        if crf is not None and bitrate is not None:
            raise OptionError("--crf, --bitrate: one of the two decides the quality; leave the other out")
        for name, value in (("bitrate", bitrate), ("maxrate", maxrate), ("bufsize", bufsize)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise OptionError(f"--{name} {value:g}: above 0 wanted")
        if bufsize is not None and maxrate is None:
            if bitrate is None:
                raise OptionError("--bufsize: only with --maxrate or --bitrate, which say how fast the buffer fills")
            maxrate = bitrate
        if bitrate is not None and maxrate is not None and maxrate < bitrate:
            raise OptionError(f"--maxrate {maxrate:g}: below --bitrate {bitrate:g}")
        if maxrate is not None and bufsize is None:
            bufsize = 2 * segment_seconds * maxrate
        return None if bitrate is None and maxrate is None else cls(bitrate, maxrate, bufsize)


@dataclass
class SegmentRate:
    """What is known of a segment's bits. measured: at distortions, as they will be; probed: of a faster fit."""

    duration_s: float
    measured: dict[int, float] = field(default_factory=dict)
    probed: dict[int, float] = field(default_factory=dict)


def curve(points: dict[int, float]) -> Float64:
    """Bits f64 [MAX_DISTORTION + 1] at every distortion, from measurements at some: straight in logarithms between
    them, beyond them with the slope of the nearest that lie far enough apart."""
    known = sorted(points)
    logs = np.maximum.accumulate(np.log2([max(points[d], 1.0) for d in known]))
    at = np.arange(MAX_DISTORTION + 1, dtype=np.float64)
    out = np.interp(at, known, logs)
    below, above = at < known[0], at > known[-1]
    out[below] = logs[0] + _slope(known, logs, 0) * (at[below] - known[0]) / 8
    out[above] = logs[-1] + _slope(known, logs, -1) * (at[above] - known[-1]) / 8
    found: Float64 = np.exp2(out)
    return found


def _slope(known: list[int], logs: Float64, end: int) -> float:
    far = [k for k in range(len(known)) if abs(known[k] - known[end]) >= _FAR]
    if not far:
        return SLOPE
    other = far[0] if end == 0 else far[-1]
    return float(np.clip(8 * (logs[end] - logs[other]) / (known[end] - known[other]), *SLOPES))


def curves(segments: Sequence[SegmentRate]) -> Float64:
    """Bits f64 [segments, MAX_DISTORTION + 1]. Segments that were only probed are brought to the scale of the measured
    ones by the median ratio of those that were both."""
    ratios = [
        math.log2(bits / curve(s.probed)[d]) for s in segments if s.probed for d, bits in s.measured.items() if bits > 0
    ]
    factor = 2 ** float(np.median(ratios)) if ratios else 1.0
    return np.stack([curve(s.measured) if s.measured else factor * curve(s.probed) for s in segments])


def plan(segments: Sequence[SegmentRate], target: RateTarget, overhead_bits: float, start: int) -> list[int]:
    """The distortion of every segment. overhead_bits: of what stands in front of them. start: the distortion without a
    bitrate. Raises OptionError if the buffer cannot hold whatever is done."""
    table = curves(segments)
    durations = [s.duration_s for s in segments]
    caps = np.full(len(segments), MAX_DISTORTION if target.bitrate is not None else start)
    while True:
        if target.bitrate is None:
            chosen = caps.copy()
        else:
            chosen = _meet(table, caps, target.bitrate * sum(durations) - overhead_bits)
        if target.maxrate is None or target.bufsize is None:
            return [int(d) for d in chosen]
        margins = [1.0 if d in s.measured else _BUFFER_MARGIN for s, d in zip(segments, chosen, strict=True)]
        bits = table[np.arange(len(segments)), chosen] * margins
        bits[0] += overhead_bits
        missed = first_miss(bits.tolist(), durations, target.maxrate, target.bufsize)
        if missed is None:
            return [int(d) for d in chosen]
        window = slice(missed[0], missed[1] + 1)
        if not chosen[window].any():
            raise OptionError(
                f"--maxrate, --bufsize: segment {missed[1]} does not fit the buffer even at its coarsest; "
                "give more of one, or shorter segments"
            )
        caps[window] = np.maximum(chosen[window] - 1, 0)


def _meet(table: Float64, caps: Int64, wanted_bits: float) -> Int64:
    """Distortions, one for all but for what the caps take, whose bits come closest to those wanted. A step of one
    changes them by about 6 %, so a share of the segments, evenly spread by their bits, takes the step."""
    rows = np.arange(len(table))

    def total(d: int) -> float:
        return float(table[rows, np.minimum(d, caps)].sum())

    low, high = 0, MAX_DISTORTION
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if total(middle) <= wanted_bits else (low, middle - 1)
    lower, upper = np.minimum(low, caps), np.minimum(low + 1, caps)
    gains = table[rows, np.minimum(upper, MAX_DISTORTION)] - table[rows, lower]
    share = (wanted_bits - total(low)) / gains.sum() if gains.sum() > 0 else 0.0
    # error diffusion: each segment takes the step where the running sum is nearer with it
    chosen: Int64 = lower.copy()
    owed = 0.0
    for k in range(len(table)):
        owed += min(max(share, 0.0), 1.0) * gains[k]
        if upper[k] > lower[k] and gains[k] <= 2 * owed:
            chosen[k], owed = upper[k], owed - gains[k]
    return chosen
