"""Work items: which rows of which column block a Gaussian touches in a tile, and what its walk down them starts from.

    one Gaussian in one tile,            .--.
    eight blocks of eight columns:   | .'|  |'.|        an item is a block, a first row and a number of rows;
                                     | | |  | |'.       rows below and above the ellipse cost nothing
                                     '.| | .|'  |

Items are integers so that sorting them is cheap:  member | block (3 bits) | first row (6) | rows (6).
"""

from __future__ import annotations

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
    R_AMPLITUDE,
    R_SHAPE,
    R_X,
    R_X_FRACTION,
    R_Y,
    R_Y_FRACTION,
    RATIO_STEP,
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

# Fields of a walk's start: the weights w of the first row, the ratios r to the row below (eight lanes each), the factor
# between ratios, the amplitudes, dx of the first lane, dy of the first row, and the shear.
W_WEIGHT, W_RATIO, W_RATIO_STEP, W_AMPLITUDE, W_LEFT, W_ABOVE, W_SHEAR = 0, 8, 16, 17, 20, 21, 22
WALK_FIELDS = 24

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
def start_walks(
    records: Float32,
    tile_members: Int32,
    first: int,
    items: Int64,
    count: int,
    tile_x: int,
    tile_y: int,
    walks: Float32,
) -> None:
    """What the walk of every item starts from, in the order of the items (flat f32, WALK_FIELDS each).

    Walks are latency: exponentials, and records that lie anywhere. Made ahead, for all items in a row, they overlap,
    and drawing and gradients share them.
    """
    for i in range(count):
        item = items[i]
        row = (item >> ROW_SHIFT) & (TILE - 1)
        block = (item >> BLOCK_SHIFT) & (BLOCKS - 1)
        m = int(tile_members[first + (item >> MEMBER_SHIFT)])
        left = (f32(tile_x + block * BLOCK) - records[m, R_X]) - records[m, R_X_FRACTION]
        above = (f32(tile_y + row) - records[m, R_Y]) - records[m, R_Y_FRACTION]
        shear = records[m, R_SHAPE + SHEAR]
        dx = add(lane_numbers(), spread(left))
        s = multiply_add(spread(shear), dx, spread(above))
        factor = spread(records[m, R_SHAPE + S_FACTOR])
        across = multiply(multiply(spread(records[m, R_SHAPE + DX_FACTOR]), dx), dx)
        at = i * WALK_FIELDS
        store(walks, at + W_WEIGHT, exp2(multiply_add(multiply(factor, s), s, across)))
        store(walks, at + W_RATIO, exp2(multiply(factor, add(add(s, s), spread(f32(1))))))
        walks[at + W_RATIO_STEP] = records[m, R_SHAPE + RATIO_STEP]
        for c in range(3):
            walks[at + W_AMPLITUDE + c] = records[m, R_AMPLITUDE + c]
        walks[at + W_LEFT] = left
        walks[at + W_ABOVE] = above
        walks[at + W_SHEAR] = shear
