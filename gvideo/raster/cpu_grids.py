"""Two grids for one picture: wide Gaussians are drawn on a grid of a quarter of the size and enlarged (fitting only).

    cells of 4 x 4 px, one more on      each px is the sum of three cells along x and of three along y:
    every side:
      +---+---+---+---+                   px of a cell     cell before   cell   cell after
      |   | . | . |   |                   first            6/16          10/16
      +---+---+---+---+                   second           3/16          12/16  1/16
      |   | . | . |   |                   third            1/16          12/16  3/16
      +---+---+---+---+                   fourth                         10/16  6/16

which is what halving the cells twice makes with weights 3/4 and 1/4. That blurs by VARIANCE px² along either axis, so
Gaussians are drawn narrower by as much and keep their volume; the gradient of what is drawn goes back by the same
weights, and then by the chain rule of the narrowing. A Gaussian of half the picture costs as much as one of an eighth.
"""

from __future__ import annotations

import math

import numpy as np

from gvideo.raster.cpu_kernels import BLOCK_STRIDE, ROW_STRIDE
from gvideo.raster.cpu_plan import BLOCK, TILE
from gvideo.raster.interface import FLOOR, SUPPORT_EXPONENT
from gvideo.raster.jit import kernel
from gvideo.raster.simd import add, load, multiply, multiply_add, spread, store, totals
from gvideo.types import Bool, Float32

f32 = np.float32

CELL = 4  # px
#: Cells of a tile.
CELLS = TILE // CELL
#: A Gaussian is wide if its smaller sigma is at least so many px.
WIDE_SIGMA = 5.0
#: Variance of the weights, px² …
VARIANCE = 3.75
#: … and what it is of a Gaussian's covariance, which is more than its variance since its support ends: as a share of
#: Σ the variance is the second moment of exp(-r²/2) less the floor.
_NARROWING = VARIANCE * (4.0 - 4.0 * FLOOR * (1.0 + SUPPORT_EXPONENT)) / (
    4.0 - FLOOR * (4.0 + 4.0 * SUPPORT_EXPONENT + 2.0 * SUPPORT_EXPONENT**2)
)  # fmt: skip
_LOG_WIDE = math.log(WIDE_SIGMA)

# What the four cells around a block of eight px give to each of them, the first one being the cell before it.
_SHARES = np.array(
    [
        [6, 3, 1, 0, 0, 0, 0, 0],
        [10, 12, 12, 10, 6, 3, 1, 0],
        [0, 1, 3, 6, 10, 12, 12, 10],
        [0, 0, 0, 0, 0, 1, 3, 6],
    ],
    np.float32,
).ravel() / f32(16)
_FAR, _HALF, _NEAR, _MOST, _LEAST = f32(6 / 16), f32(10 / 16), f32(3 / 16), f32(12 / 16), f32(1 / 16)


@kernel
def grid_size(width: int, height: int) -> tuple[int, int]:
    """Columns and rows of the coarse grid of a picture: whole blocks, and a cell on every side."""
    return 2 * -(-width // BLOCK) + 2, -(-height // CELL) + 2


@kernel
def narrow(log_scales: Float32, amplitudes: Float32, wide: Bool, narrowed: Float32, raised: Float32) -> int:
    """How many Gaussians are wide; which ones, and log scales f32 [N,2] and amplitudes f32 [N,3] that all of them are
    drawn with, each on its grid. Lengths are of px."""
    count = 0
    for n in range(len(wide)):
        u, v = log_scales[n, 0], log_scales[n, 1]
        wide[n] = min(u, v) >= _LOG_WIDE  # not for what is not a number
        gain = 0.0
        if wide[n]:
            count += 1
            before = np.float64(u) + np.float64(v)
            u = f32(0.5 * math.log(math.exp(2.0 * np.float64(u)) - _NARROWING))
            v = f32(0.5 * math.log(math.exp(2.0 * np.float64(v)) - _NARROWING))
            gain = before - np.float64(u) - np.float64(v)
        narrowed[n, 0], narrowed[n, 1] = u, v
        factor = f32(math.exp(gain))
        for c in range(3):
            raised[n, c] = amplitudes[n, c] * factor
    return count


@kernel
def chain_to_wide(
    log_scales: Float32, narrowed: Float32, raised: Float32, wide: Bool, by_log_scale: Float32, by_amplitude: Float32
) -> None:
    """The chain rule of narrow(), in place."""
    for n in range(len(wide)):
        if not wide[n]:
            continue
        along = 0.0
        for c in range(3):
            along += np.float64(by_amplitude[n, c]) * np.float64(raised[n, c])
        gain = 0.0
        for axis in range(2):
            narrowing = np.float64(log_scales[n, axis]) - np.float64(narrowed[n, axis])
            gain += narrowing
            share = math.exp(2.0 * narrowing)  # of the variance there was in what is left
            by_log_scale[n, axis] = by_log_scale[n, axis] * share + along * (1.0 - share)
        for c in range(3):
            by_amplitude[n, c] *= f32(math.exp(gain))


@kernel
def _across(coarse: Float32, at: int) -> object:
    """The eight px of a block in one row of cells, the cell before the block lying at `at`."""
    left = multiply_add(spread(coarse[at + 1]), load(_SHARES, BLOCK), multiply(spread(coarse[at]), load(_SHARES, 0)))
    right = multiply(spread(coarse[at + 3]), load(_SHARES, 3 * BLOCK))
    return add(left, multiply_add(spread(coarse[at + 2]), load(_SHARES, 2 * BLOCK), right))


@kernel
def enlarge(
    coarse: Float32, grid_width: int, grid_height: int, tile_x: int, tile_y: int, columns: int, rows: int, tile: Float32
) -> None:
    """Tile += the picture of a coarse grid (flat [3 grid_height grid_width]), in whole cells."""
    far, half, near, most, least = spread(_FAR), spread(_HALF), spread(_NEAR), spread(_MOST), spread(_LEAST)
    for block in range((columns + BLOCK - 1) // BLOCK):
        for c in range(3):
            cell = (c * grid_height + tile_y // CELL) * grid_width + tile_x // CELL + 2 * block
            before, here = _across(coarse, cell), _across(coarse, cell + grid_width)
            cell += 2 * grid_width
            at = block * BLOCK_STRIDE + c * BLOCK
            for _ in range(-(-rows // CELL)):
                after = _across(coarse, cell)
                cell += grid_width
                store(tile, at, add(load(tile, at), multiply_add(far, before, multiply(half, here))))
                middle = multiply(most, here)
                next_row, third, last = at + ROW_STRIDE, at + 2 * ROW_STRIDE, at + 3 * ROW_STRIDE
                second = multiply_add(near, before, multiply_add(least, after, middle))
                store(tile, next_row, add(load(tile, next_row), second))
                second = multiply_add(near, after, multiply_add(least, before, middle))
                store(tile, third, add(load(tile, third), second))
                store(tile, last, add(load(tile, last), multiply_add(far, after, multiply(half, here))))
                before, here = here, after
                at += CELL * ROW_STRIDE


@kernel
def _take(first: object, second: object, coarse: Float32, at: int, grid_width: int, sums: Float32) -> None:
    """Coarse -= what two rows of cells get of a block, the first of them at `at`."""
    k0, k1, k2, k3 = load(_SHARES, 0), load(_SHARES, BLOCK), load(_SHARES, 2 * BLOCK), load(_SHARES, 3 * BLOCK)
    store(sums, 0, totals(
        multiply(first, k0), multiply(first, k1), multiply(first, k2), multiply(first, k3),
        multiply(second, k0), multiply(second, k1), multiply(second, k2), multiply(second, k3),
    ))  # fmt: skip
    for k in range(4):
        coarse[at + k] -= sums[k]
        coarse[at + grid_width + k] -= sums[4 + k]


@kernel
def reduce(
    tile: Float32, grid_width: int, grid_height: int, tile_x: int, tile_y: int, columns: int, rows: int,
    coarse: Float32, sums: Float32,
) -> None:  # fmt: skip
    """Coarse -= what enlarge() says of the gradients that a tile holds. sums f32 [8]: for its use."""
    far, half, near, most, least = spread(_FAR), spread(_HALF), spread(_NEAR), spread(_MOST), spread(_LEAST)
    zero = spread(f32(0))
    for block in range((columns + BLOCK - 1) // BLOCK):
        for c in range(3):
            cell = (c * grid_height + tile_y // CELL) * grid_width + tile_x // CELL + 2 * block
            before, here = zero, zero
            at = block * BLOCK_STRIDE + c * BLOCK
            for y in range(rows, -(-rows // CELL) * CELL):  # below the picture
                store(tile, at + y * ROW_STRIDE, zero)
            waiting, waits = zero, False
            for _ in range(-(-rows // CELL)):
                g0, g1 = load(tile, at), load(tile, at + ROW_STRIDE)
                g2, g3 = load(tile, at + 2 * ROW_STRIDE), load(tile, at + 3 * ROW_STRIDE)
                before = multiply_add(far, g0, multiply_add(near, g1, multiply_add(least, g2, before)))
                here = multiply_add(half, add(g0, g3), multiply_add(most, add(g1, g2), here))
                after = multiply_add(far, g3, multiply_add(near, g2, multiply(least, g1)))
                if waits:
                    _take(waiting, before, coarse, cell, grid_width, sums)
                    cell += 2 * grid_width
                waiting, waits = before, not waits
                before, here = here, after
                at += CELL * ROW_STRIDE
            if waits:
                _take(waiting, before, coarse, cell, grid_width, sums)
                cell += 2 * grid_width
                _take(here, zero, coarse, cell, 0, sums)
            else:
                _take(before, here, coarse, cell, grid_width, sums)
