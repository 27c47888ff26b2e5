"""A trained set to symbols: canonical axes, the position domain, the order of coding."""

from __future__ import annotations

import numpy as np

from gvideo.encoder.gaussians.quantised import Quantised
from gvideo.encoder.motion.parents import choose_parents
from gvideo.model import motion
from gvideo.model import symbols as sym
from gvideo.model.steps import scale_step
from gvideo.model.symbols import SegmentSymbols, cells
from gvideo.types import Int64

#: Positions further outside the frame than this many cells are drawn in.
MAX_MARGIN = 255


def pack(
    q: Quantised,
    trajectory: Int64,
    base: tuple[int, int, int],
    width: int,
    height: int,
    cell_bits: int,
    layers: Int64 | None = None,
    distortions: tuple[int, ...] = (),
) -> SegmentSymbols:
    """Symbols of a quantised set. layers i64 [N]: the layer of each Gaussian; one layer if None. distortions: of the
    layers above the first."""
    count = len(trajectory)
    layer = np.zeros(count, np.int64) if layers is None else layers
    table = np.zeros((count, sym.NUM_COLUMNS), np.int64)
    precision, scale = q.precision.numpy(), q.scale.numpy()
    steps = np.array([scale_step(p) for p in range(8)], np.int64)[precision]
    table[:, sym.PRECISION] = precision
    table[:, sym.SCALE] = scale.max(1) // steps
    table[:, sym.RATIO] = np.abs(scale[:, 0] - scale[:, 1]) // steps
    bits = q.angle_bits.numpy()
    # the first axis is the longer one: swapping them turns the Gaussian by a quarter
    angle = q.angle_index.numpy() + np.where(scale[:, 0] < scale[:, 1], (1 << bits) >> 1, 0)
    table[:, sym.ANGLE] = angle & ((1 << bits) - 1)
    table[:, sym.DURATION] = q.duration.numpy()
    table[:, sym.CENTRE] = q.centre_index.numpy()
    table[:, sym.LUMA : sym.RED + 1] = q.levels.numpy().astype(np.int64)

    used = np.unique(trajectory[trajectory > 0]) if count else np.zeros(0, np.int64)
    num_path_control = q.control.shape[1]
    followed, parents = choose_parents(q.control.numpy()[used].reshape(len(used), num_path_control, 6))
    used = used[followed]
    renumbered = np.zeros(int(trajectory.max(initial=0)) + 1, np.int64)
    renumbered[used] = np.arange(1, len(used) + 1)
    table[:, sym.TRAJECTORY] = renumbered[trajectory]
    control = q.control.numpy()[used].reshape(len(used), num_path_control, 6).astype(np.int64)

    fixed = np.round((q.mean.numpy().astype(np.float64) + 0.5) * 16 - np.exp2(q.exponent.numpy() + 3))
    fixed = fixed.astype(np.int64)
    margins = _margins(fixed, width, height, cell_bits)
    cells_x, cells_y = cells(width, height, cell_bits, margins)
    table[:, :2] = fixed + (np.array(margins[:2]) << (cell_bits + 4))
    limit = np.array([cells_x, cells_y]) << (cell_bits + 4)
    step = np.int64(1) << (q.exponent.numpy() + 4)
    table[:, :2] = np.clip(table[:, :2], 0, limit - step)

    code = np.array([sym.interleave(x, y) for x, y in table[:, :2] >> (cell_bits + 4)], np.int64)
    order = np.lexsort((code, layer)) if count else np.zeros(0, np.int64)
    residual = q.residual_levels.numpy().astype(np.int64).reshape(count, 2 * q.residual_levels.shape[1])
    if q.residual_levels.shape[1] == 0:
        residual = np.zeros((count, 2 * motion.fewest_control(num_path_control)), np.int64)
    ends = tuple(int(e) for e in np.cumsum(np.bincount(layer, minlength=len(distortions) + 1)))
    return SegmentSymbols(table[order], residual[order], control, ends, base, cell_bits, margins, distortions, parents)


def _margins(fixed: Int64, width: int, height: int, cell_bits: int) -> tuple[int, int, int, int]:
    """Cells left, above, right and below the frame that some position needs. fixed i64 [N,2]: sixteenths of a px."""
    if len(fixed) == 0:
        return 0, 0, 0, 0
    cell = fixed >> (cell_bits + 4)
    frame = np.array([-(-width >> cell_bits), -(-height >> cell_bits)])
    low = np.clip(-cell.min(0), 0, MAX_MARGIN)
    high = np.clip(cell.max(0) - frame + 1, 0, MAX_MARGIN)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
