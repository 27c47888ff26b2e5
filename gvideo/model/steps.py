"""Quantiser steps, derived in integers from symbols that are already known (SYNTAX.md §7).

A Gaussian whose amplitude is 2^c quantiser steps deserves parameters about 2^c times as exact as one of amplitude 1:
then every parameter adds the same squared error D. Its *precision class* c is coded first; scale, angle, life and
position follow from it, in logarithms of sixteenths of an octave, so that no float decides how many bits are read.

    precision c -> scale step 2^-c octaves -> (sigma_v, ratio) -> position step, angle levels -> (life) -> centre step
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gvideo.bitstream.headers import Rules
from gvideo.model.jit import exact_kernel

#: Scales are counted in sixteenths of an octave from the smallest sigma, 2^(-21/16) = 0.403 px.
SCALE_ORIGIN = -21
SCALE_LIMIT = 16 * 16
MAX_PRECISION = 7
MAX_SCALE_BITS = 4
MAX_ANGLE_BITS = 9
MAX_CENTRE_BITS = 12
MIN_POSITION_EXPONENT = -4
NUM_DURATIONS = 32

#: round(16 log2(r - 1/r)) for r = 2^(i/16), i = 1..80; above, r - 1/r = r to within half a sixteenth.
ANISOTROPY = np.array(
    [0] + [round(16 * float(np.log2(2 ** (i / 16) - 2 ** (-i / 16)))) for i in range(1, 81)], np.int64
)


#: Directions that a position's steps know, over [0, pi).
NUM_DIRECTIONS = 32
#: How much wider than sigma_v a Gaussian is along x, in sixteenths of an octave:
#: round(-8 log2(cos²(a) / r² + sin²(a))) for r = 2^(i/4), i = 0..20, and directions a = pi j / 32 of its longer axis.
WIDENING = np.array(
    [
        [
            round(-8 * float(np.log2(np.cos(np.pi * j / 32) ** 2 * 2 ** (-i / 2) + np.sin(np.pi * j / 32) ** 2)))
            for j in range(32)
        ]
        for i in range(21)
    ],
    np.int64,
)


#: What a header that says nothing of rules means.
_USUAL = Rules()


@dataclass(frozen=True, slots=True)
class StepRules:
    """Constants of a sequence that shape all steps; offsets in sixteenths of an octave.

    distortion: D = 2^(4 - distortion/8) is the squared error that a parameter may add (units: full scale squared,
    summed over pixels and frames). chroma: chroma step over luma step, in sixteenths. residual: octaves by which
    the step of residual motion exceeds that of the position. trajectory: the step of trajectories is 2^trajectory px.
    """

    distortion: int
    position: int = _USUAL.position
    angle: int = _USUAL.angle
    centre: int = _USUAL.centre
    chroma: int = _USUAL.chroma
    residual: int = _USUAL.residual
    trajectory: int = _USUAL.trajectory

    @property
    def allowed_error(self) -> float:
        """D, the squared error per parameter."""
        return float(2.0 ** (4 - self.distortion / 8))

    def with_distortion(self, distortion: int) -> StepRules:
        """The same rules at another quality."""
        return replace(self, distortion=distortion)

    def as_array(self) -> NDArray[np.int64]:
        """The integers that derivations need: [position, angle, centre, residual]."""
        return np.array([self.position, self.angle, self.centre, self.residual], np.int64)


@exact_kernel
def scale_step(precision):  # type: ignore[no-untyped-def]
    """Step of log2 sigma in sixteenths of an octave: 16, 8, 4, 2, 1, 1, …"""
    return 16 >> min(precision, MAX_SCALE_BITS)


@exact_kernel
def angle_bits(rules, precision, ratio):  # type: ignore[no-untyped-def]
    """log2 of the number of angles in [0, pi); 0 for a round Gaussian. ratio: 16 log2(sigma_u / sigma_v)."""
    if ratio == 0:
        return 0
    anisotropy = ANISOTROPY[ratio] if ratio <= 80 else ratio
    return min(max((16 * precision + anisotropy + rules[1]) >> 4, 1), MAX_ANGLE_BITS)


@exact_kernel
def widening(ratio, angle, bits, axis):  # type: ignore[no-untyped-def]
    """How much wider than sigma_v a Gaussian is along x (axis 0) or y (1), sixteenths of an octave. ratio: 16
    log2(sigma_u / sigma_v); angle: of 2^bits, of the longer axis."""
    if bits == 0:
        return 0
    direction = angle << (5 - bits) if bits <= 5 else angle >> (bits - 5)
    if axis == 1:
        direction += NUM_DIRECTIONS // 2
    return WIDENING[min(ratio >> 2, 20), direction & (NUM_DIRECTIONS - 1)]


@exact_kernel
def position_exponent(rules, precision, scale_v, wider, cell_bits):  # type: ignore[no-untyped-def]
    """A coordinate's step is 2^this px; never more than a cell. scale_v: sixteenths above SCALE_ORIGIN. wider:
    widening() of the coordinate."""
    exponent = ((scale_v + wider + SCALE_ORIGIN + rules[0]) >> 4) - precision
    return min(max(exponent, MIN_POSITION_EXPONENT), cell_bits)


@exact_kernel
def log2_sixteenths(n):  # type: ignore[no-untyped-def]
    """16 log2(n) for an integer n >= 1, linear between powers of two, exact in integers."""
    whole = 0
    while (n >> (whole + 1)) > 0:
        whole += 1
    return 16 * whole + ((n << 4) >> whole) - 16


@exact_kernel
def centre_bits(rules, precision, duration, num_frames):  # type: ignore[no-untyped-def]
    """log2 of the number of life centres in [-T/2, 3T/2). duration: the life's sigma is 2^(duration/2 - 1) frames."""
    span = log2_sixteenths(2 * num_frames)
    bits = (span - (8 * duration - 16) + 16 * min(precision, 2) + rules[2]) >> 4
    return min(max(bits, 0), MAX_CENTRE_BITS)
