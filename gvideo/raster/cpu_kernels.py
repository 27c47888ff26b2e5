"""The tile kernels: one pass over a picture in tiles of 64 x 64 px that never leave the first-level cache.

    for each tile:   tile = -target;  tile += Gaussians;  loss, tile = dLoss/dF;  gradients += Gaussians . tile

A work item is one Gaussian in one block of eight columns, from a first row down a number of rows:

      lanes = columns ->      w   <- w r        the weight exp(e) of the next row without an exponential,
      0 1 2 3 4 5 6 7         r   <- r q        r = w(s+1)/w(s) = 2^(S_FACTOR (2s + 1)),  q = 2^(2 S_FACTOR)
      | | | | | | | |  rows
      v v v v v v v v         the tile is stored as [block][row][channel][lane]: a walk reads one stream

Items are sorted by their number of rows (counting sort), so that the branch at the end of a walk is predictable.

What is drawn is max(w - FLOOR, 0). Backwards the same walk sums that times g_c into t_c, and w sum_c A_c g_c into u,
for the shape moves w alone. With the u after each row, the running sums s1 += u, s2 += s1 hold the first and second
moment in y without a multiplication (summation by parts): for the row after the last, at s = end, and f_j the value of
row j = 0..n-1,  sum f_j (end - s_j) = sum (n-j) f_j = s1  and sum (n-j)² f_j = 2 s2 - s1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gvideo.raster import interface
from gvideo.raster.cpu_items import (
    BLOCK_SHIFT,
    MEMBER_SHIFT,
    ROW_SHIFT,
    ROWS_MASK,
    W_ABOVE,
    W_AMPLITUDE,
    W_LEFT,
    W_RATIO,
    W_RATIO_STEP,
    W_SHEAR,
    W_WEIGHT,
    WALK_FIELDS,
    list_items,
    start_walks,
)
from gvideo.raster.cpu_plan import BLOCK, BLOCKS, LOG2_TILE, LONGEST_WALK, TILE
from gvideo.raster.jit import kernel
from gvideo.raster.simd import (
    add,
    keep_above,
    lane_numbers,
    load,
    maximum,
    multiply,
    multiply_add,
    spread,
    store,
    subtract,
    totals,
)
from gvideo.types import Float32, Int32, Int64

f32 = np.float32

FLOOR = f32(interface.FLOOR)
ROW_STRIDE = 3 * BLOCK
BLOCK_STRIDE = TILE * ROW_STRIDE
TILE_SIZE = BLOCKS * BLOCK_STRIDE
MOMENTS = 8  # sums per Gaussian and frame: max(w - FLOOR, 0) g_c (three channels), then u dx, u s, u dx², u dx s, u s²


@kernel
def _place(item: int) -> tuple[int, int]:
    """Rows of an item, and where its first one begins in the tile."""
    row = (item >> ROW_SHIFT) & (TILE - 1)
    block = (item >> BLOCK_SHIFT) & (BLOCKS - 1)
    return item & ROWS_MASK, block * BLOCK_STRIDE + row * ROW_STRIDE


@kernel
def _start(walks: Float32, start: int) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Of the walk that lies at `start`: weights, ratios, the factor between ratios, and the three amplitudes."""
    return (
        load(walks, start + W_WEIGHT), load(walks, start + W_RATIO), spread(walks[start + W_RATIO_STEP]),
        spread(walks[start + W_AMPLITUDE]), spread(walks[start + W_AMPLITUDE + 1]),
        spread(walks[start + W_AMPLITUDE + 2]),
    )  # fmt: skip


@kernel
def splat_items(items: Int64, count: int, walks: Float32, tile: Float32, luma_only: bool) -> None:
    """Tile += A_c w for every item, whose walks start as start_walks() says."""
    floor = spread(FLOOR)
    zero = spread(f32(0))
    for i in range(count):
        rows, at = _place(items[i])
        start = i * WALK_FIELDS
        w, r, q, a0, a1, a2 = _start(walks, start)
        if luma_only:
            for _ in range(rows):
                store(tile, at, multiply_add(maximum(subtract(w, floor), zero), a0, load(tile, at)))
                w = multiply(w, r)
                r = multiply(r, q)
                at += ROW_STRIDE
        else:
            for _ in range(rows):
                weight = maximum(subtract(w, floor), zero)
                store(tile, at, multiply_add(weight, a0, load(tile, at)))
                store(tile, at + BLOCK, multiply_add(weight, a1, load(tile, at + BLOCK)))
                store(tile, at + 2 * BLOCK, multiply_add(weight, a2, load(tile, at + 2 * BLOCK)))
                w = multiply(w, r)
                r = multiply(r, q)
                at += ROW_STRIDE


@kernel
def gather_items(items: Int64, count: int, walks: Float32, tile: Float32) -> None:
    """The eight sums of every item, with tile holding g_c = dLoss/dF_c, in the place of its first weights."""
    floor = spread(FLOOR)
    zero = spread(f32(0))
    for i in range(count):
        rows, at = _place(items[i])
        start = i * WALK_FIELDS
        w, r, q, a0, a1, a2 = _start(walks, start)
        t0 = zero
        t1 = zero
        t2 = zero
        u = zero
        s1 = zero
        s2 = zero
        for _ in range(rows):
            g0 = load(tile, at)
            g1 = load(tile, at + BLOCK)
            g2 = load(tile, at + 2 * BLOCK)
            weight = maximum(subtract(w, floor), zero)
            t0 = multiply_add(weight, g0, t0)
            t1 = multiply_add(weight, g1, t1)
            t2 = multiply_add(weight, g2, t2)
            slope = multiply_add(a2, g2, multiply_add(a1, g1, multiply(a0, g0)))
            u = multiply_add(keep_above(w, floor), slope, u)
            s1 = add(s1, u)
            s2 = add(s2, s1)
            w = multiply(w, r)
            r = multiply(r, q)
            at += ROW_STRIDE
        dx = add(lane_numbers(), spread(walks[start + W_LEFT]))
        s = multiply_add(spread(walks[start + W_SHEAR]), dx, spread(walks[start + W_ABOVE]))
        end = add(s, spread(f32(rows)))
        first_moment = subtract(multiply(end, u), s1)
        second_moment = multiply_add(end, subtract(first_moment, s1), subtract(add(s2, s2), s1))
        ux = multiply(dx, u)
        sums = totals(t0, t1, t2, ux, first_moment, multiply(dx, ux), multiply(dx, first_moment), second_moment)
        store(walks, start + W_WEIGHT, sums)


@kernel
def add_sums(tile_members: Int32, first: int, items: Int64, count: int, walks: Float32, moments: Float32) -> None:
    """moments[8 m ...] += what gather_items() left, in the order of the items."""
    for i in range(count):
        at = int(tile_members[first + (items[i] >> MEMBER_SHIFT)]) * MOMENTS
        store(moments, at, add(load(moments, at), load(walks, i * WALK_FIELDS + W_WEIGHT)))


@kernel
def load_negative(target: Float32, width: int, height: int, tile_x: int, tile_y: int, rows: int, tile: Float32) -> None:
    """Tile = -target (flat [3 H W]); columns beyond the picture are 0, rows beyond it are not touched. Row by row: the
    lines of memory that it reads are whole."""
    zero = spread(f32(0))
    columns = min(TILE, width - tile_x)
    whole = columns // BLOCK
    for c in range(3):
        for y in range(rows):
            at = y * ROW_STRIDE + c * BLOCK
            source = (c * height + tile_y + y) * width + tile_x
            for block in range(whole):
                store(tile, at + block * BLOCK_STRIDE, subtract(zero, load(target, source + block * BLOCK)))
            if whole * BLOCK < columns:
                at += whole * BLOCK_STRIDE
                store(tile, at, zero)
                for x in range(whole * BLOCK, columns):
                    tile[at + x - whole * BLOCK] = -target[source + x]


@kernel
def write_tile(
    tile: Float32, channels: int, width: int, height: int, tile_x: int, tile_y: int, rows: int, picture: Float32
) -> None:
    """Copy a tile to planes (flat [channels H W]), row by row: the lines of memory that it writes are whole."""
    columns = min(TILE, width - tile_x)
    whole = columns // BLOCK
    for c in range(channels):
        for y in range(rows):
            source = y * ROW_STRIDE + c * BLOCK
            destination = (c * height + tile_y + y) * width + tile_x
            for block in range(whole):
                store(picture, destination + block * BLOCK, load(tile, source + block * BLOCK_STRIDE))
            for x in range(whole * BLOCK, columns):
                picture[destination + x] = tile[source + whole * BLOCK_STRIDE + x - whole * BLOCK]


@kernel
def render_tiles(
    records: Float32,
    tile_starts: Int64,
    tile_members: Int32,
    most_items: int,
    first_tile: int,
    last_tile: int,
    picture: Float32,
) -> None:
    """Draw the tiles first_tile..last_tile - 1 of a planned frame into picture f32 [3 or 1, H, W]."""
    channels, height, width = picture.shape
    tiles_x = (width + TILE - 1) >> LOG2_TILE
    flat = picture.reshape(picture.size)
    tile = np.empty(TILE_SIZE, np.float32)
    unsorted = np.empty(most_items + 1, np.int64)
    items = np.empty(most_items + 1, np.int64)
    walks = np.empty((most_items + 1) * WALK_FIELDS, np.float32)
    histogram = np.empty(LONGEST_WALK + 2, np.int64)
    edges = np.empty(2 * BLOCK, np.float32)
    for t in range(first_tile, last_tile):
        tile_x = t % tiles_x * TILE
        tile_y = t // tiles_x * TILE
        rows = min(TILE, height - tile_y)
        first, last = tile_starts[t], tile_starts[t + 1]
        columns = min(TILE, width - tile_x)
        count = list_items(
            records, tile_members, first, last, tile_x, tile_y, columns, rows, unsorted, items, histogram, edges
        )
        tile[:] = f32(0)
        start_walks(records, tile_members, first, items, count, tile_x, tile_y, walks)
        splat_items(items, count, walks, tile, channels == 1)
        write_tile(tile, channels, width, height, tile_x, tile_y, rows, flat)
