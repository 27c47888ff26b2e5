"""Colour: which Y'CbCr matrix and range code values have, and the way to R'G'B' and back.

    code values  --range-->  Y' in [0,1], Cb and Cr in [-0.5,0.5]  --matrix-->  R'G'B' in [0,1]

Sources: ISO/IEC 23091-2 (code points, equations 38 to 40 and its range equations), ITU-R BT.601, BT.709, BT.2020.
Transfer characteristics are carried along and never applied: planes are gamma-coded on both sides.

Decisions where a source says nothing (code point 2):
- matrix: BT.709 when the source is at least 1280 wide or 720 high, else BT.601 (code point 6), as players do;
- primaries and transfer: those that belong to the matrix; sRGB transfer (13) for still R'G'B' pictures;
- range: limited, except yuvj* formats, JPEG, and gray from codecs other than H.264 and HEVC, which are full.
"""

from __future__ import annotations

import functools

import numpy as np

from gvideo.errors import MediaError
from gvideo.types import ColourDescription, Float32, Float64, UInt8

UNSPECIFIED = 2
YCGCO = 8

_LUMA_WEIGHTS = {  # code point of the matrix: weights of R' and B' in Y'
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # constant luminance, shown with the matrix of the non-constant form as players do
}
_COMPANIONS = {1: (1, 1), 4: (4, 4), 5: (5, 6), 6: (6, 6), 7: (7, 7), 8: (1, 1), 9: (9, 14), 10: (9, 14)}


def resolve_colour(
    *, primaries: int, transfer: int, matrix: int, full_range: bool, width: int, height: int
) -> ColourDescription:
    """Replace unspecified code points by the decisions above. Raises MediaError for a matrix without equations here."""
    if matrix in (0, UNSPECIFIED, 3):
        matrix = 1 if width >= 1280 or height >= 720 else 6
    if matrix not in _COMPANIONS:
        raise MediaError(f"colour matrix {matrix} (ISO/IEC 23091-2) is not supported; convert the source to BT.709")
    default_primaries, default_transfer = _COMPANIONS[matrix]
    return ColourDescription(
        primaries=default_primaries if primaries in (0, UNSPECIFIED, 3) else primaries,
        transfer=default_transfer if transfer in (0, UNSPECIFIED, 3) else transfer,
        matrix=matrix,
        full_range=full_range,
    )


def ycbcr_from_rgb_matrix(matrix: int) -> Float64:
    """The 3x3 matrix from R'G'B' in [0,1] to Y' in [0,1], Cb, Cr in [-0.5,0.5], for a code point of the matrix."""
    if matrix == YCGCO:
        return np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0.0, -0.5]])
    if matrix not in _LUMA_WEIGHTS:
        raise MediaError(f"colour matrix {matrix} (ISO/IEC 23091-2) has no conversion to RGB")
    red, blue = _LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack(
        [
            luma,
            (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - blue)),
            (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - red)),
        ]
    )


def code_scale(bit_depth: int, full_range: bool) -> tuple[int, int, int, int]:
    """Scale and offset of luma, scale and offset of chroma: code = scale * value + offset.

    Limited: 219 and 224 steps above 16 and around 128, times 2^(depth-8). Full: 2^depth - 1 steps for both.
    """
    step = 1 << (bit_depth - 8)
    if full_range:
        peak = (1 << bit_depth) - 1
        return peak, 0, peak, 128 * step
    return 219 * step, 16 * step, 224 * step, 128 * step


def planes_to_rgb(planes: Float32, colour: ColourDescription, *, channels_last: bool = True) -> UInt8:
    """R'G'B' of planes, rounded to nearest (ties to even) and clipped to 0..255.

    Args:
        planes: f32 [...,3,H,W], Y', Cb and Cr without range.
        colour: whose matrix counts.
        channels_last: [...,H,W,3] instead of [...,3,H,W].

    Returns:
        u8 [...,H,W,3] or [...,3,H,W].

    Raises:
        MediaError: the matrix has no equations.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> gvideo.media.planes_to_rgb(video.planes_at([0]), video.metadata.format.colour).shape
        (1, 48, 64, 3)
    """
    from gvideo.media import kernels

    rows = _code_matrix(colour.matrix)
    lead, (height, width) = planes.shape[:-3], planes.shape[-2:]
    frames = np.ascontiguousarray(planes, dtype=np.float32).reshape(-1, 3, height, width)
    shape = (len(frames), height, width, 3) if channels_last else (len(frames), 3, height, width)
    rgb = np.empty(shape, np.uint8)
    for frame, out in zip(frames, rgb, strict=True):
        kernels.rgb_of(frame, rows, out if channels_last else out.transpose(1, 2, 0))
    return rgb.reshape(lead + shape[1:])


@functools.cache
def _code_matrix(matrix: int) -> Float32:
    """From Y', Cb, Cr to R'G'B' in 0..255; what inversion leaves of zeros is zero."""
    rows = 255.0 * np.linalg.inv(ycbcr_from_rgb_matrix(matrix))
    return np.where(np.abs(rows) > 1e-9, rows, 0.0).astype(np.float32)
