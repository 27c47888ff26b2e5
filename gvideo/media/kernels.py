"""Sums of planes to codes in one pass each: colour matrices, range, chroma made smaller. Compiled when first called.

Contraction to fused multiply-add is allowed, in the order in which the sums are written. Codes are rounded to nearest,
ties to even, and saturate.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from gvideo.jit import compiler, stamp_of
from gvideo.types import Float32

Function = TypeVar("Function", bound=Callable[..., Any])

_compile = compiler(stamp_of(Path(__file__).parent), error_model="numpy", fastmath={"contract"})


def kernel(function: Function) -> Function:
    """Compiles with contraction; NaN and infinity stay what they are."""
    return cast(Function, _compile(function))


@kernel
def rgb_of(planes: Float32, rows: Float32, out: Any) -> None:
    """R'G'B' u8 [H,W,3] or any view of that shape, of planes f32 [3,H,W] and rows f32 [3,3] of the matrix."""
    _, height, width = planes.shape
    line = np.empty((3, width), np.uint8)  # sums of neighbours go together, their places in `out` need not
    for y in range(height):
        for channel in range(3):
            wy, wb, wr = rows[channel, 0], rows[channel, 1], rows[channel, 2]
            for x in range(width):
                value = planes[0, y, x] * wy + (planes[2, y, x] * wr + planes[1, y, x] * wb)
                line[channel, x] = np.uint8(min(max(np.rint(value), np.float32(0)), np.float32(255)))
        for x in range(width):
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = line[0, x], line[1, x], line[2, x]


@kernel
def codes_of(plane: Float32, scale: np.float32, offset: np.float32, peak: np.float32, out: Any) -> None:
    """Writes scale * plane + offset, from 0 to peak, into out [H,W]."""
    height, width = plane.shape
    for y in range(height):
        for x in range(width):
            value = min(max(np.rint(plane[y, x] * scale + offset), np.float32(0)), peak)
            out[y, x] = np.uint16(value)


@kernel
def halved_rows(chroma: Float32, out: Float32) -> None:
    """Every other row f32 [ceil(H/2),W] of (-1, 3, 3, -1)/4, which lies between two rows; edges are repeated."""
    height, width = chroma.shape
    for y in range(out.shape[0]):
        above, first = max(2 * y - 1, 0), 2 * y
        second, below = min(2 * y + 1, height - 1), min(2 * y + 2, height - 1)
        for x in range(width):
            middle, outer = chroma[first, x] + chroma[second, x], chroma[above, x] + chroma[below, x]
            out[y, x] = middle * np.float32(0.75) + outer * np.float32(-0.25)


@kernel
def halved_columns(chroma: Float32, out: Float32) -> None:
    """Every other column f32 [H,ceil(W/2)] of (-1, 2, 6, 2, -1)/8 around it; edges are repeated."""
    height, width = chroma.shape
    for y in range(height):
        for x in range(out.shape[1]):
            c = 2 * x
            left, right = max(c - 1, 0), min(c + 1, width - 1)
            near = chroma[y, left] + chroma[y, right]
            far = chroma[y, max(c - 2, 0)] + chroma[y, min(c + 2, width - 1)]
            out[y, x] = (chroma[y, c] * np.float32(6) + (near + near) - far) * np.float32(0.125)
