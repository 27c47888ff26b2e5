"""Draws grain over the luma of rendered frames: exact at the coded size, at others as the same field resampled.

    Y' += strength(Y') · grain / 2^19        strength: linear between eight levels of Y', in 1/4096 of its range

At another size the grain of the coded size is interpolated at the source position that an output pixel shows; where a
pixel covers more than two source pixels it is made weaker, as their mean is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gvideo.bitstream.headers import STRENGTH_STEPS
from gvideo.model.grain import SIDES, UNIT, Int16, SegmentGrain, frame_offsets, tiles
from gvideo.raster import Viewport
from gvideo.raster.jit import kernel
from gvideo.types import Float32, Float64, Int64

f32 = np.float32

#: A frame whose model time is at most this far ahead is taken to have begun.
_TIME_ERROR = 2.0**-10


def frames_at(times: Float64, moments: Float64) -> Int64:
    """Numbers i64 [F] of the frames on screen at model times, of a segment whose frames begin at times f64 [T]."""
    numbers = np.searchsorted(times, np.asarray(moments) + _TIME_ERROR, side="right") - 1
    return np.maximum(numbers, 0)


def draw(planes: Float32, segment: SegmentGrain, numbers: Int64, viewport: Viewport) -> None:
    """Adds the grain of frames, by their numbers within the segment, to the luma of planes f32 [F,3,H,W]; the viewport
    is the one that they were rendered with."""
    v = viewport
    gain = math.sqrt(min(1.0, 2 * v.scale_x) * min(1.0, 2 * v.scale_y)) / (UNIT * STRENGTH_STEPS)
    strengths = np.array(segment.grain.strengths, np.float32) * f32(gain)
    first, second = tiles(segment.grain)
    x, column = _positions(v.width, v.scale_x, v.offset_x)
    y, row = _positions(v.height, v.scale_y, v.offset_y)
    exact = not (column.any() or row.any())
    for frame, number in zip(planes, numbers, strict=True):
        places = np.array(frame_offsets(segment.checksum, int(number)))
        columns, rows = _neighbours(x, places[:, 0]), _neighbours(y, places[:, 1])
        _add(frame[0], strengths, first, second, columns, rows, column, row, exact)


def _positions(count: int, scale: float, offset: float) -> tuple[Int64, Float32]:
    """For each output pixel along an axis the source pixel before its position, and how far that is behind it."""
    position = (np.arange(count) + 0.5) / scale - 0.5 + offset
    whole = np.floor(position)
    return whole.astype(np.int64), (position - whole).astype(np.float32)


def _neighbours(positions: Int64, shifts: Int64) -> Int64:
    """Places i64 [2,2,n] in each tile of the source pixel before a position and of the one behind it."""
    both = positions + np.arange(2)[:, None]
    return np.stack([(both + shift) % side for side, shift in zip(SIDES, shifts, strict=True)])


@kernel
def _between(tile: Int16, x0: int, x1: int, x: Any, y0: int, y1: int, y: Any) -> Any:
    """Bilinear interpolation between four values of a tile."""
    top = (f32(1.0) - x) * f32(tile[y0, x0]) + x * f32(tile[y0, x1])
    below = (f32(1.0) - x) * f32(tile[y1, x0]) + x * f32(tile[y1, x1])
    return top + y * (below - top)


@kernel
def _add(
    luma: Float32,
    strengths: Float32,
    first: Int16,
    second: Int16,
    columns: Int64,
    rows: Int64,
    column: Float32,
    row: Float32,
    exact: bool,
) -> None:
    height, width = luma.shape
    last = len(strengths) - 2
    for y in range(height):
        ay0, ay1, by0, by1 = rows[0, 0, y], rows[0, 1, y], rows[1, 0, y], rows[1, 1, y]
        for x in range(width):
            value = luma[y, x]
            place = min(max(f32(8.0) * value - f32(0.5), f32(0.0)), f32(last + 1))
            low = min(int(place), last)
            strength = strengths[low] + (place - f32(low)) * (strengths[low + 1] - strengths[low])
            if exact:
                grain = f32(first[ay0, columns[0, 0, x]]) + f32(second[by0, columns[1, 0, x]])
            else:
                grain = _between(first, columns[0, 0, x], columns[0, 1, x], column[x], ay0, ay1, row[y])
                grain += _between(second, columns[1, 0, x], columns[1, 1, x], column[x], by0, by1, row[y])
            luma[y, x] = value + strength * grain
