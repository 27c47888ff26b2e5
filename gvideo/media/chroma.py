"""Chroma between the samplings 4:2:0, 4:2:2 and 4:4:4, left-sited (the default of MPEG-2, H.264, HEVC, AV1).

    4:2:0    luma      x x x x       horizontally a chroma sample lies on every even luma column,
             chroma    o   o         vertically half-way between two luma rows.
             luma      x x x x

Up is bilinear: (1, 1)/2 for the odd columns, (1, 3)/4 and (3, 1)/4 for the rows. Down is the low-pass filter that is
the exact left inverse of up: (-1, 2, 6, 2, -1)/8 horizontally and (-1, 3, 3, -1)/4 vertically (the analysis filters of
the biorthogonal wavelets whose synthesis filters are those of up; Cohen, Daubechies, Feauveau 1992). So
down(up(x)) = x, but for the last chroma row where the luma height is odd.

JPEG and MPEG-1 site their chroma in the centre. The format record has no siting, so they are taken as left-sited on
the way in and on the way out: samples keep their place, and colour is half a luma pixel to the left in between.
"""

from __future__ import annotations

import numpy as np

from gvideo.types import Float32

SUBSAMPLING = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}  # divisors of height and width


def chroma_shape(height: int, width: int, chroma_format: str) -> tuple[int, int]:
    """The shape of a chroma plane: halves are rounded up.

    Args:
        height: of the luma, px.
        width: of the luma, px.
        chroma_format: "420", "422" or "444".

    Returns:
        (height, width) in px.

    Raises:
        KeyError: the sampling is none of these.

    Example:
        >>> gvideo.media.chroma_shape(45, 81, "420")
        (23, 41)
    """
    divide_y, divide_x = SUBSAMPLING[chroma_format]
    return -(-height // divide_y), -(-width // divide_x)


def upsample(chroma: Float32, height: int, width: int, chroma_format: str) -> Float32:
    """A chroma plane [h,w] at luma resolution [height,width]."""
    divide_y, divide_x = SUBSAMPLING[chroma_format]
    if divide_y == 2:
        padded = np.pad(chroma, ((1, 1), (0, 0)), mode="edge")
        rows = np.empty((2 * chroma.shape[0], chroma.shape[1]), np.float32)
        rows[0::2] = 0.25 * padded[:-2] + 0.75 * chroma
        rows[1::2] = 0.75 * chroma + 0.25 * padded[2:]
        chroma = rows[:height]
    if divide_x == 2:
        columns = np.empty((chroma.shape[0], 2 * chroma.shape[1]), np.float32)
        columns[:, 0::2] = chroma
        columns[:, 1:-1:2] = 0.5 * (chroma[:, :-1] + chroma[:, 1:])
        columns[:, -1] = chroma[:, -1]
        chroma = columns[:, :width]
    return np.ascontiguousarray(chroma)


def downsample(chroma: Float32, chroma_format: str) -> Float32:
    """A chroma plane [height,width] at luma resolution brought to the sampling's own resolution, low-pass filtered."""
    from gvideo.media import kernels

    height, width = chroma_shape(chroma.shape[0], chroma.shape[1], chroma_format)
    chroma = np.ascontiguousarray(chroma)
    if SUBSAMPLING[chroma_format][0] == 2:
        rows = np.empty((height, chroma.shape[1]), np.float32)
        kernels.halved_rows(chroma, rows)
        chroma = rows
    if SUBSAMPLING[chroma_format][1] == 2:
        columns = np.empty((height, width), np.float32)
        kernels.halved_columns(chroma, columns)
        chroma = columns
    return chroma
