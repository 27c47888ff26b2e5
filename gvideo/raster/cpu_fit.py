"""Fitting one frame: every tile drawn, compared with what it should be, and differentiated; wide Gaussians on a grid of
their own where there are any (cpu_grids.py).

    coarse picture <- wide Gaussians
    for each tile:   tile = -target + coarse picture + Gaussians;  loss, tile = dLoss/dF;  gradients += Gaussians . tile
                     coarse gradient += tile
    gradients += wide Gaussians . coarse gradient
"""

from __future__ import annotations

import numpy as np

from gvideo.raster.cpu_grids import CELL, enlarge, grid_size, reduce
from gvideo.raster.cpu_items import WALK_FIELDS, list_items, start_walks
from gvideo.raster.cpu_kernels import (
    BLOCK_STRIDE,
    MOMENTS,
    ROW_STRIDE,
    TILE_SIZE,
    add_sums,
    gather_items,
    load_negative,
    render_tiles,
    splat_items,
)
from gvideo.raster.cpu_plan import BLOCK, BLOCKS, LOG2_TILE, LONGEST_WALK, TILE, plan_frame
from gvideo.raster.jit import kernel
from gvideo.raster.simd import load, multiply, multiply_add, spread, store, total
from gvideo.types import Float32, Float64, Int32, Int64

f32 = np.float32


@kernel
def weigh_residual(
    width: int, tile_x: int, rows: int, weights: Float32, tile: Float32, squared_errors: Float64
) -> None:
    """squared_errors[c] += sum of residual², then tile = dLoss/dF = 2 weight_c residual."""
    for block in range(BLOCKS):
        inside = width - tile_x - block * BLOCK
        if inside <= 0:
            return
        if inside < BLOCK:
            for y in range(rows):
                for c in range(3):
                    for lane in range(inside, BLOCK):
                        tile[block * BLOCK_STRIDE + y * ROW_STRIDE + c * BLOCK + lane] = f32(0)
        for c in range(3):
            twice_weight = spread(f32(2) * weights[c])
            squares = spread(f32(0))
            at = block * BLOCK_STRIDE + c * BLOCK
            for _ in range(rows):
                residual = load(tile, at)
                squares = multiply_add(residual, residual, squares)
                store(tile, at, multiply(twice_weight, residual))
                at += ROW_STRIDE
            squared_errors[c] += np.float64(total(squares))


@kernel
def weigh_pixels(
    pixel_weights: Float32,
    width: int,
    tile_x: int,
    tile_y: int,
    rows: int,
    channel_weights: Float32,
    tile: Float32,
    squared_errors: Float64,
) -> None:
    """weigh_residual with weights of pixels (flat [H W]), which are in the squared errors too."""
    for block in range(BLOCKS):
        inside = min(width - tile_x - block * BLOCK, BLOCK)
        if inside <= 0:
            return
        for c in range(3):
            twice_weight = f32(2) * channel_weights[c]
            total_squares = f32(0)
            for y in range(rows):
                at = block * BLOCK_STRIDE + y * ROW_STRIDE + c * BLOCK
                source = (tile_y + y) * width + tile_x + block * BLOCK
                for lane in range(inside):
                    residual = tile[at + lane]
                    weighted = pixel_weights[source + lane] * residual
                    total_squares += weighted * residual
                    tile[at + lane] = twice_weight * weighted
                for lane in range(inside, BLOCK):
                    tile[at + lane] = f32(0)
            squared_errors[c] += np.float64(total_squares)


@kernel
def _gather_coarse(
    gradient: Float32, records: Float32, tile_starts: Int64, tile_members: Int32, most_items: int, moments: Float32
) -> None:
    """moments[8 m ...] of the wide Gaussians of a planned frame, from the negative of the gradient f32 [3,H,W]."""
    _, height, width = gradient.shape
    tiles_x = (width + TILE - 1) >> LOG2_TILE
    flat = gradient.reshape(gradient.size)
    tile = np.empty(TILE_SIZE, np.float32)
    unsorted = np.empty(most_items + 1, np.int64)
    items = np.empty(most_items + 1, np.int64)
    walks = np.empty((most_items + 1) * WALK_FIELDS, np.float32)
    histogram = np.empty(LONGEST_WALK + 2, np.int64)
    edges = np.empty(2 * BLOCK, np.float32)
    for t in range(len(tile_starts) - 1):
        tile_x = t % tiles_x * TILE
        tile_y = t // tiles_x * TILE
        rows = min(TILE, height - tile_y)
        first, last = tile_starts[t], tile_starts[t + 1]
        columns = min(TILE, width - tile_x)
        count = list_items(
            records, tile_members, first, last, tile_x, tile_y, columns, rows, unsorted, items, histogram, edges
        )
        load_negative(flat, width, height, tile_x, tile_y, rows, tile)
        start_walks(records, tile_members, first, items, count, tile_x, tile_y, walks)
        gather_items(items, count, walks, tile)
        add_sums(tile_members, first, items, count, walks, moments)


@kernel
def _write_moments(members: Int32, lives: Float32, moments: Float32, pixel: float, frame_moments: Float32) -> None:
    """Rows of frame_moments f32 [N,8] of the members, from moments in pixels of `pixel` px."""
    first, second = f32(pixel), f32(pixel * pixel)
    for m in range(len(members)):
        n = members[m]
        for c in range(3):
            frame_moments[n, c] = moments[m * MOMENTS + c] * lives[m]
        for k in range(3, MOMENTS):
            frame_moments[n, k] = moments[m * MOMENTS + k] * (first if k < 5 else second)


@kernel
def fit_frame(
    shapes: Float32,
    coarse_shapes: Float32,
    means: Float32,
    displacements: Float32,
    amplitudes: Float32,
    centres: Float32,
    inverse_durations: Float32,
    basis: Float32,
    time: float,
    target: Float32,
    top: int,
    weights: Float32,
    pixel_weights: Float32,
    squared_errors: Float64,
    frame_moments: Float32,
) -> None:
    """Render, compare with target f32 [3,H,W] and back-propagate one frame, or what of it lies from row `top` on, a
    multiple of TILE: a band of a frame is a picture of its own, with the same cells.

    coarse_shapes: of the Gaussians on the coarse grid, [0,10] if there are none. The others are as narrow() has them.
    pixel_weights f32 [H,W], or [0,0] for none. squared_errors f64 [3] and frame_moments f32 [N,8] are overwritten; the
    latter with dLoss/dA_c and the sums of u dx, u s, u dx², u dx s, u s². A frame is one thread's work, so the order of
    all sums is fixed.
    """
    _, height, width = target.shape
    tiles_x = (width + TILE - 1) >> LOG2_TILE
    flat = target.reshape(target.size)
    flat_weights = pixel_weights.reshape(pixel_weights.size)
    records, members, lives, tile_starts, tile_members, most_items = plan_frame(
        shapes, means, displacements, amplitudes, centres, inverse_durations, basis, time,
        width, height, 1.0, 1.0, 0.0, float(top),
    )  # fmt: skip
    moments = np.zeros(len(members) * MOMENTS, np.float32)
    two_grids = len(coarse_shapes) > 0
    grid_width, grid_height = grid_size(width, height) if two_grids else (1, 1)
    coarse = np.zeros((3, grid_height, grid_width), np.float32)
    flat_coarse = coarse.reshape(coarse.size)
    gradient = np.zeros((3, grid_height, grid_width), np.float32)
    flat_gradient = gradient.reshape(gradient.size)
    n, cell = len(coarse_shapes), float(CELL)
    wide_records, wide_members, wide_lives, wide_starts, wide_in_tile, most_wide = plan_frame(
        coarse_shapes, means[:n], displacements[:n], amplitudes[:n], centres[:n], inverse_durations[:n], basis, time,
        grid_width, grid_height, 1.0 / cell, 1.0 / cell, -cell, float(top) - cell,
    )  # fmt: skip
    if two_grids:
        render_tiles(wide_records, wide_starts, wide_in_tile, most_wide, 0, len(wide_starts) - 1, coarse)
    tile = np.empty(TILE_SIZE, np.float32)
    unsorted = np.empty(most_items + 1, np.int64)
    items = np.empty(most_items + 1, np.int64)
    walks = np.empty((most_items + 1) * WALK_FIELDS, np.float32)
    histogram = np.empty(LONGEST_WALK + 2, np.int64)
    edges = np.empty(2 * BLOCK, np.float32)
    squared_errors[:] = 0.0
    for t in range(len(tile_starts) - 1):
        tile_x = t % tiles_x * TILE
        tile_y = t // tiles_x * TILE
        rows = min(TILE, height - tile_y)
        first, last = tile_starts[t], tile_starts[t + 1]
        columns = min(TILE, width - tile_x)
        count = list_items(
            records, tile_members, first, last, tile_x, tile_y, columns, rows, unsorted, items, histogram, edges
        )
        load_negative(flat, width, height, tile_x, tile_y, rows, tile)
        if two_grids:
            enlarge(flat_coarse, grid_width, grid_height, tile_x, tile_y, columns, rows, tile)
        start_walks(records, tile_members, first, items, count, tile_x, tile_y, walks)
        splat_items(items, count, walks, tile, False)
        if pixel_weights.size:
            weigh_pixels(flat_weights, width, tile_x, tile_y, rows, weights, tile, squared_errors)
        else:
            weigh_residual(width, tile_x, rows, weights, tile, squared_errors)
        if two_grids:
            reduce(tile, grid_width, grid_height, tile_x, tile_y, columns, rows, flat_gradient, edges)
        gather_items(items, count, walks, tile)
        add_sums(tile_members, first, items, count, walks, moments)
    frame_moments[:] = f32(0)
    _write_moments(members, lives, moments, 1.0, frame_moments)
    if two_grids:
        wide_moments = np.zeros(len(wide_members) * MOMENTS, np.float32)
        _gather_coarse(gradient, wide_records, wide_starts, wide_in_tile, most_wide, wide_moments)
        _write_moments(wide_members, wide_lives, wide_moments, cell, frame_moments)
