"""Arrays that travel between packages, as frozen dataclasses. Shape letters: N Gaussians, K control points,
T frames of a segment, F frames asked for, M trajectories.

    SegmentSymbols (integers, exact) -> Gaussians + Trajectories (floats) -> Splats (ready to render) -> frames
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ColourDescription:
    """How Y'CbCr code values relate to light: code points of ISO/IEC 23091-2 (2 = unspecified) and the range."""

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder must know to show frames as the source showed them.

    width, height: coded pixels (before rotation and sample aspect). chroma_format: "420", "422" or "444", the
    source's sampling, which outputs use by default (Gaussians themselves have none). bit_depth: 8 to 16 bits.
    rotation: degrees clockwise to turn a decoded frame for display (0, 90, 180, 270).
    """

    width: int
    height: int
    colour: ColourDescription = ColourDescription()
    chroma_format: str = "420"
    bit_depth: int = 8
    sample_aspect: Fraction = Fraction(1)
    rotation: int = 0
    timescale: int = 90000

    def resized(self, width: int, height: int) -> VideoFormat:
        """The same with other coded pixels, in a sample aspect that keeps the shape of the picture."""
        aspect = self.sample_aspect * Fraction(self.width * height, self.height * width)
        aspect = aspect if max(aspect.numerator, aspect.denominator) <= 65535 else aspect.limit_denominator(1000)
        return replace(self, width=width, height=height, sample_aspect=aspect)


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame of a source. planes f32 [3,H,W]: Y' in [0,1], Cb and Cr in [-0.5,0.5] (4:4:4, after removing
    the range's offset and scale; foot- and headroom may exceed these). pts, duration: ticks of the timescale."""

    planes: Float32
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Splats:
    """Gaussians ready to render: motion summed up, everything a float. Pixel centres lie on integers.

    means f32 [N,2] px (x, y) · displacements f32 [N,K,2] px, B-spline control points of the whole motion ·
    log_scales f32 [N,2], natural log of sigma in px along u and v · angles f32 [N] rad, u axis against x ·
    amplitudes f32 [N,3], Y'CbCr · centres f32 [N], frames · inverse_durations f32 [N], 1/frames, 0 = always alive.
    """

    means: Float32
    displacements: Float32
    log_scales: Float32
    angles: Float32
    amplitudes: Float32
    centres: Float32
    inverse_durations: Float32

    def __len__(self) -> int:
        return len(self.means)
