"""From Gaussians to what the tile kernels read: the conic of each shape; per frame the visible ones, sorted into tiles.

The exponent is kept as a product of the conditional and the marginal distribution, not as an expanded conic:

    e = -(dx² / Sxx + s² / Vyy) / 2      s = dy + shear dx,   shear = -Sxy / Sxx,   Vyy = su² sv² / Sxx

         y ^    . ridge s = 0            Both terms are positive and each is computed without cancellation, so a
           |  .'                         needle of 0.4 x 40 px keeps its accuracy; and down a column of pixels only
           +-'----> x                    s changes, by one per row, which is the direction the kernels walk.

A record is what a tile kernel needs of one visible Gaussian, 16 float32, one cache line. Means are split in integer
and fraction so that the distance to a pixel is rounded once, however large the picture.
"""

from __future__ import annotations

import math

import numpy as np

from gvideo.raster.interface import (
    LARGEST_AMPLITUDE,
    LARGEST_LOG_SCALE,
    LARGEST_POSITION_PX,
    LIFE_EXPONENT,
    SUPPORT_EXPONENT,
)
from gvideo.raster.jit import kernel
from gvideo.types import Bool, Float32, Float64, Int32, Int64

TILE = 64  # px; three channels of a tile are 48 KiB and stay in the first-level cache while a tile is worked on
LOG2_TILE = 6
BLOCK = 8  # columns that the lanes of a vector cover
BLOCKS = TILE // BLOCK

# The recurrence down a column multiplies rounding errors by the square of its length: 32²/2 * 2^-24 = 3e-5.
LONGEST_WALK = 32
# The walk covers at most so many standard deviations of s, or a lane could start below 2^-126 and be lost:
# a lane that enters the support (3.2 deviations) after a walk of 9.9 started at exp(-13.1²/2) = 2^-123.
LONGEST_WALK_DEVIATIONS = 9.9

# Fields of a shape (static) ...
DX_FACTOR, SHEAR, S_FACTOR, RATIO_STEP, HALF_WIDTH, TOP_DX, COLUMN_NARROWING, COLUMN_HEIGHT, WALK, HALF_HEIGHT = range(
    10
)
SHAPE_FIELDS = 10
# ... and of a record (one frame).
R_X, R_X_FRACTION, R_Y, R_Y_FRACTION, R_AMPLITUDE, R_SHAPE = 0, 1, 2, 3, 4, 7
RECORD_FIELDS = 16

_HALF_LOG2_E = 0.5 * math.log2(math.e)


@kernel
def _describe(
    log_scale: Float32, angle_of: float, scale_x: float, scale_y: float, shape: Float32, axis: Float64
) -> None:
    """One row of describe_shapes(): f32 [10] and f64 [4]."""
    axis[0] = 0.0
    shape[HALF_WIDTH] = np.float32(-1.0)
    log_u = np.float64(log_scale[0])
    log_v = np.float64(log_scale[1])
    angle = np.float64(angle_of)
    if not (abs(log_u) <= LARGEST_LOG_SCALE and abs(log_v) <= LARGEST_LOG_SCALE and math.isfinite(angle)):
        return
    sigma_u = math.exp(log_u)
    sigma_v = math.exp(log_v)
    cosine = math.cos(angle)
    sine = math.sin(angle)
    axis[0] = sigma_u
    axis[1] = sigma_v
    axis[2] = cosine
    axis[3] = sine
    uu = sigma_u * sigma_u
    vv = sigma_v * sigma_v
    xx = scale_x * scale_x * (cosine * cosine * uu + sine * sine * vv)
    yy = scale_y * scale_y * (sine * sine * uu + cosine * cosine * vv)
    xy = scale_x * scale_y * cosine * sine * (uu - vv)
    conditional = scale_x * scale_x * scale_y * scale_y * uu * vv / xx
    s_factor = np.float32(-_HALF_LOG2_E / conditional)
    shape[DX_FACTOR] = -_HALF_LOG2_E / xx
    shape[SHEAR] = -xy / xx
    shape[S_FACTOR] = s_factor
    shape[RATIO_STEP] = math.exp(2.0 * math.log(2.0) * np.float64(s_factor))
    # Edges are widened by more than float32 can err; the mask of the kernels decides in the end.
    shape[HALF_WIDTH] = math.sqrt(2.0 * SUPPORT_EXPONENT * xx) * 1.00001 + 1e-3
    shape[HALF_HEIGHT] = math.sqrt(2.0 * SUPPORT_EXPONENT * yy) * 1.00001 + 1e-3
    shape[TOP_DX] = xy * math.sqrt(2.0 * SUPPORT_EXPONENT / yy)
    shape[COLUMN_NARROWING] = conditional / xx
    shape[COLUMN_HEIGHT] = 2.0 * SUPPORT_EXPONENT * conditional * 1.00002
    shape[WALK] = min(max(LONGEST_WALK_DEVIATIONS * math.sqrt(conditional), 1.0), float(LONGEST_WALK))


@kernel
def describe_shapes(
    log_scales: Float32, angles: Float32, scale_x: float, scale_y: float, shapes: Float32, axes: Float64
) -> None:
    """Writes shapes f32 [N,10], lengths in output px: factors of dx² and s² (base 2), shear, 2^(2 S_FACTOR), half width
    of the support, dx where its lower edge is lowest, narrowing and height of a column's support, rows per walk, half
    height.

    The support in the column at dx is |s| <= sqrt(COLUMN_HEIGHT - COLUMN_NARROWING dx²). HALF_WIDTH < 0: not drawn.
    Axes f64 [N,4] for the chain rule: sigma_u, sigma_v (source px), cosine, sine; sigma_u = 0: not drawn.
    """
    for n in range(len(angles)):
        _describe(log_scales[n], angles[n], scale_x, scale_y, shapes[n], axes[n])


@kernel
def describe_on_grids(
    log_scales: Float32,
    angles: Float32,
    wide: Bool,
    scale: float,
    shapes: Float32,
    coarse_shapes: Float32,
    axes: Float64,
) -> None:
    """describe_shapes() of a picture of two grids: shapes of the Gaussians that are not wide, coarse_shapes on a grid
    of `scale` output px a source px of those that are; each of the two says of the others that they are not drawn."""
    for n in range(len(angles)):
        if wide[n]:
            _describe(log_scales[n], angles[n], scale, scale, coarse_shapes[n], axes[n])
            shapes[n, HALF_WIDTH] = np.float32(-1.0)
        else:
            _describe(log_scales[n], angles[n], 1.0, 1.0, shapes[n], axes[n])
            coarse_shapes[n, HALF_WIDTH] = np.float32(-1.0)


@kernel
def plan_frame(
    shapes: Float32,
    means: Float32,
    displacements: Float32,
    amplitudes: Float32,
    centres: Float32,
    inverse_durations: Float32,
    basis: Float32,
    time: float,
    width: int,
    height: int,
    scale_x: float,
    scale_y: float,
    offset_x: float,
    offset_y: float,
) -> tuple[Float32, Int32, Float32, Int64, Int32, int]:
    """The visible Gaussians of one frame: records f32 [M,16], members i32 [M] (their indices), lives f32 [M],
    tile_starts i64 [tiles + 1] into tile_members i32 (indices of records, ascending in each tile; tiles row by row),
    and the most work items that a tile can have.

    Two passes: the first counts what the second writes, so that nothing can overflow.
    """
    count = len(means)
    tiles_x = (width + TILE - 1) >> LOG2_TILE
    tiles_y = (height + TILE - 1) >> LOG2_TILE
    records = np.empty((count, RECORD_FIELDS), np.float32)
    members = np.empty(count, np.int32)
    lives = np.empty(count, np.float32)
    spans = np.empty((count, 4), np.int32)
    tile_starts = np.zeros(tiles_x * tiles_y + 1, np.int64)
    item_bounds = np.zeros(tiles_x * tiles_y, np.int64)
    first_control, end_control = 0, len(basis)  # of the few whose weights are not zero
    while first_control < end_control and basis[first_control] == 0.0:
        first_control += 1
    while end_control > first_control and basis[end_control - 1] == 0.0:
        end_control -= 1
    visible = 0
    for n in range(count):
        half_width = np.float64(shapes[n, HALF_WIDTH])
        life_argument = (time - np.float64(centres[n])) * np.float64(inverse_durations[n])
        life_exponent = -0.5 * life_argument * life_argument
        # "not (a >= b)" instead of "a < b" also turns NaN away.
        if half_width < 0.0 or not (life_exponent >= -LIFE_EXPONENT):
            continue
        mean_x = np.float64(means[n, 0])
        mean_y = np.float64(means[n, 1])
        for k in range(first_control, end_control):
            mean_x += np.float64(basis[k]) * np.float64(displacements[n, k, 0])
            mean_y += np.float64(basis[k]) * np.float64(displacements[n, k, 1])
        if not (abs(mean_x) <= LARGEST_POSITION_PX and abs(mean_y) <= LARGEST_POSITION_PX):
            continue
        x = (mean_x + 0.5 - offset_x) * scale_x - 0.5
        y = (mean_y + 0.5 - offset_y) * scale_y - 0.5
        half_height = np.float64(shapes[n, HALF_HEIGHT])
        if not (x + half_width >= 0.0 and x - half_width <= width - 1.0):
            continue
        if not (y + half_height >= 0.0 and y - half_height <= height - 1.0):
            continue
        life = math.exp(life_exponent)
        drawable = True
        for c in range(3):
            drawable = drawable and abs(amplitudes[n, c]) <= LARGEST_AMPLITUDE
            records[visible, R_AMPLITUDE + c] = np.float64(amplitudes[n, c]) * life
        if not drawable:
            continue
        whole_x = math.floor(x)
        whole_y = math.floor(y)
        records[visible, R_X] = whole_x
        records[visible, R_X_FRACTION] = x - whole_x
        records[visible, R_Y] = whole_y
        records[visible, R_Y_FRACTION] = y - whole_y
        for field in range(9):
            records[visible, R_SHAPE + field] = shapes[n, field]
        members[visible] = n
        lives[visible] = life
        left = int(max(0.0, x - half_width)) >> LOG2_TILE
        right = int(min(width - 1.0, x + half_width)) >> LOG2_TILE
        top = int(max(0.0, y - half_height)) >> LOG2_TILE
        bottom = int(min(height - 1.0, y + half_height)) >> LOG2_TILE
        spans[visible, 0] = left
        spans[visible, 1] = right
        spans[visible, 2] = top
        spans[visible, 3] = bottom
        visible += 1
        walk = int(shapes[n, WALK])
        items = BLOCKS * ((TILE + walk - 1) // walk)
        for tile_y in range(top, bottom + 1):
            for tile_x in range(left, right + 1):
                tile_starts[tile_y * tiles_x + tile_x + 1] += 1
                item_bounds[tile_y * tiles_x + tile_x] += items
    most_items = 0
    for tile in range(tiles_x * tiles_y):
        tile_starts[tile + 1] += tile_starts[tile]
        most_items = max(most_items, item_bounds[tile])
    tile_members = np.empty(tile_starts[-1], np.int32)
    ends = tile_starts[:-1].copy()
    for m in range(visible):
        for tile_y in range(spans[m, 2], spans[m, 3] + 1):
            for tile_x in range(spans[m, 0], spans[m, 1] + 1):
                tile = tile_y * tiles_x + tile_x
                tile_members[ends[tile]] = m
                ends[tile] += 1
    return records[:visible], members[:visible], lives[:visible], tile_starts, tile_members, most_items
