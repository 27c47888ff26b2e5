"""Work items: which rows of which column block a Gaussian touches in a tile, and the state in which a walk starts.

    one Gaussian in one tile,            .--.
    eight blocks of eight columns:   | .'|  |'.|        an item is a block, a first row and a number of rows;
                                     | | |  | |'.       rows below and above the ellipse cost nothing
                                     '.| | .|'  |

Items are integers so that sorting them is cheap:  member | block (3 bits) | first row (6) | rows (6).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gvideo.raster.cpu_plan import (
    BLOCK,
    BLOCKS,
    COLUMN_HEIGHT,
    COLUMN_NARROWING,
    DX_FACTOR,
    HALF_WIDTH,
    LOG2_TILE,
    LONGEST_WALK,
    R_SHAPE,
    R_X,
    R_X_FRACTION,
    R_Y,
    R_Y_FRACTION,
    S_FACTOR,
    SHEAR,
    TILE,
    TOP_DX,
    WALK,
)
from gvideo.raster.jit import kernel
from gvideo.raster.simd import (
    add,
    exp2,
    lane_numbers,
    maximum,
    minimum,
    multiply,
    multiply_add,
    spread,
    square_root,
    store,
    subtract,
)
from gvideo.types import Float32, Int32, Int64

f32 = np.float32

ROWS_MASK = 63
ROW_SHIFT = 6
BLOCK_SHIFT = ROW_SHIFT + LOG2_TILE
MEMBER_SHIFT = BLOCK_SHIFT + 3


@kernel
def list_items(
    records: Float32,
    tile_members: Int32,
    first: int,
    last: int,
    tile_x: int,
    tile_y: int,
    columns: int,
    rows: int,
    unsorted: Int64,
    items: Int64,
    histogram: Int64,
    edges: Float32,
) -> int:
    """Write the work items of a tile, sorted by rows, into items; return their number.

    An item packs member (counted from `first`), block, first row and rows, see above.
    The rows of a block are bounded in closed form: each edge of the ellipse is a concave function of dx, so its
    extreme over a block is at the ellipse's own extreme, clamped to the block.
    """
    count = 0
    for rows_of_item in range(LONGEST_WALK + 2):
        histogram[rows_of_item] = 0
    blocks = (columns + BLOCK - 1) // BLOCK  # items beyond the picture would read what no one has set
    zero = spread(f32(0))
    one = spread(f32(1))
    bottom = spread(f32(rows - 1))
    below = spread(f32(TILE))
    block_starts = multiply(lane_numbers(), spread(f32(BLOCK)))
    for j in range(last - first):
        m = int(tile_members[first + j])
        left = (f32(tile_x) - records[m, R_X]) - records[m, R_X_FRACTION]
        y = (records[m, R_Y] - f32(tile_y)) + records[m, R_Y_FRACTION]
        half_width = records[m, R_SHAPE + HALF_WIDTH]
        top_dx = records[m, R_SHAPE + TOP_DX]
        shear = spread(-records[m, R_SHAPE + SHEAR])
        narrowing = spread(-records[m, R_SHAPE + COLUMN_NARROWING])
        height = spread(records[m, R_SHAPE + COLUMN_HEIGHT])
        walk = int(records[m, R_SHAPE + WALK])
        # Here the lanes are the blocks of the tile.
        start = add(block_starts, spread(left))
        low = maximum(start, spread(-half_width))
        high = minimum(add(start, spread(f32(BLOCK - 1))), spread(half_width))
        down = minimum(maximum(spread(top_dx), low), high)
        up = minimum(maximum(spread(-top_dx), low), high)
        depth = square_root(maximum(multiply_add(multiply(narrowing, down), down, height), zero))
        rise = square_root(maximum(multiply_add(multiply(narrowing, up), up, height), zero))
        y_down = add(multiply_add(shear, down, spread(y + f32(2e-3))), depth)
        y_up = subtract(multiply_add(shear, up, spread(y - f32(2e-3))), rise)
        # Clamped before they become integers: beyond the range of integers the conversion is undefined.
        store(edges, 0, minimum(maximum(y_up, zero), below))
        store(edges, BLOCK, add(maximum(minimum(y_down, bottom), spread(f32(-1))), one))
        first_block = int(min(max((-half_width - left) * f32(1 / BLOCK), f32(0)), f32(BLOCKS)))
        end_block = int(min(max((half_width - left) * f32(1 / BLOCK), f32(-1)), f32(BLOCKS)) + f32(1))
        for block in range(first_block, min(blocks, end_block)):
            row = int(edges[block] + f32(0.9999))
            length = int(edges[BLOCK + block]) - row
            if length > walk:
                while length > 0:
                    part = min(length, walk)
                    unsorted[count] = ((j << MEMBER_SHIFT) | (block << BLOCK_SHIFT) | (row << ROW_SHIFT)) + part
                    histogram[part + 1] += 1
                    count += 1
                    row += part
                    length -= part
            else:  # without a branch: an item of no rows is overwritten by the next
                some = int(length > 0)
                length *= some
                unsorted[count] = ((j << MEMBER_SHIFT) | (block << BLOCK_SHIFT) | (row << ROW_SHIFT)) + length
                histogram[length + 1] += some
                count += some
    for rows_of_item in range(1, LONGEST_WALK + 2):
        histogram[rows_of_item] += histogram[rows_of_item - 1]
    for i in range(count):
        item = unsorted[i]
        rows_of_item = item & ROWS_MASK
        items[histogram[rows_of_item]] = item
        histogram[rows_of_item] += 1
    return count


@kernel
def start_walk(records: Float32, m: int, x: int, y: int) -> tuple[Any, Any, Any, Any]:
    """The weight w of record m at the pixels (x .. x + 7, y), the ratio r to the row below, and their dx and s."""
    dx = add(lane_numbers(), spread((f32(x) - records[m, R_X]) - records[m, R_X_FRACTION]))
    dy = spread((f32(y) - records[m, R_Y]) - records[m, R_Y_FRACTION])
    s = multiply_add(spread(records[m, R_SHAPE + SHEAR]), dx, dy)
    factor = spread(records[m, R_SHAPE + S_FACTOR])
    across = multiply(multiply(spread(records[m, R_SHAPE + DX_FACTOR]), dx), dx)
    w = exp2(multiply_add(multiply(factor, s), s, across))
    r = exp2(multiply(factor, add(add(s, s), spread(f32(1)))))
    return w, r, dx, s
