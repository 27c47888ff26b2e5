"""Grain: noise that a stream describes instead of coding it (SYNTAX.md §8.4). Integers, so that all decoders agree.

    hash of a counter ──► white noise ──► 5x5 kernel ──► two tiles of unit strength, 256² and 243², that join at their
                                                         borders all around
    checksum of the segment, number of the frame ──► a place in each tile ──► grain = sum of both

A sum of two tiles whose sides have no common factor repeats only after 62208 px, and has no seams. The filter is
finite, so no coefficients can make it unstable; its result is divided by its own strength, so that any coefficients
give noise of the strengths in the header. The hash is the integer mixer `lowbias32` (C. Wellons, public domain).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gvideo.bitstream.headers import Grain
from gvideo.types import Int64

Int16 = NDArray[np.int16]
UInt32 = NDArray[np.uint32]

#: Sides of the tiles.
SIDES = (256, 243)
#: Standard deviation of the sum of two tiles; of one it is 181/2.
UNIT = 128
_TWICE_TILE_UNIT = 181
_MAX_VALUE = 1023
_FRAME_STEP = 0x9E3779B9
_MASK = 0xFFFFFFFF
#: Of the kernel to either side.
_REACH = 2


@dataclass(frozen=True, slots=True)
class SegmentGrain:
    """The grain of a segment: the sequence's, and the checksum of the segment's unit, u32."""

    grain: Grain
    checksum: int


def mix(value: UInt32) -> UInt32:
    """The hash of u32 values."""
    h = value.astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def frame_offsets(checksum: int, number: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(x, y) within each tile of the top left pixel of a segment's frame. checksum: of the segment's unit."""
    first = int(mix(np.array([checksum + number * _FRAME_STEP & _MASK], np.uint32))[0])
    second = int(mix(np.array([first + 1 & _MASK], np.uint32))[0])
    return (first % 256, (first >> 8) % 256), ((second & 0xFFFF) % 243, (second >> 16) % 243)


@lru_cache(maxsize=8)
def tiles(grain: Grain) -> tuple[Int16, Int16]:
    """Both tiles, i16 [256,256] and [243,243], of standard deviation 90.5. Not to be written to."""
    first, second = (_tile(grain, number) for number in range(2))
    return first, second


def _tile(grain: Grain, number: int) -> Int16:
    side = SIDES[number]
    white = _white(np.arange(side * side, dtype=np.uint32) + np.uint32(grain.seed << 17 | number << 16))
    white = white.reshape(side, side)
    shaped = np.zeros_like(white)
    for dy in range(-_REACH, _REACH + 1):
        for dx in range(-_REACH, _REACH + 1):
            factor = grain.kernel[3 * abs(dy) + abs(dx)]
            if factor:
                shaped += factor * np.roll(white, (-dy, -dx), (0, 1))
    rms = math.isqrt(int(np.square(shaped).sum()) // side**2)
    shaped = (_TWICE_TILE_UNIT * shaped + rms) // (2 * rms) if rms else np.zeros_like(shaped)
    tile = np.clip(shaped, -_MAX_VALUE, _MAX_VALUE).astype(np.int16)
    tile.setflags(write=False)
    return tile


def _white(counter: UInt32) -> Int64:
    """White noise: sums of six uniform values, nearly normal, with mean 0."""
    h = mix(counter).astype(np.int64)
    noise = np.zeros_like(h)
    for k in range(6):
        noise += (h >> 5 * k & 31) * (1 if k < 3 else -1)
    return noise
