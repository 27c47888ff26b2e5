"""A segment as integers, the hinge of the codec: left of it bits, exact; right of it numbers with a tolerance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gvideo.bitstream.headers import SPLINE_DEGREE
from gvideo.model import steps
from gvideo.model.jit import exact_kernel
from gvideo.types import Int64

# Columns of a segment's symbol table (int64 [N, 12]). X, Y: sixteenths of a pixel from the domain's corner; scales
# and ratio in steps of the precision class; amplitudes LUMA, BLUE (Cb), RED (Cr) in their steps.
X, Y, PRECISION, SCALE, RATIO, ANGLE, DURATION, CENTRE, TRAJECTORY, LUMA, BLUE, RED = range(12)
NUM_COLUMNS = 12
#: The duration that means "always alive".
PERMANENT = steps.NUM_DURATIONS - 1
#: Cells along a side at most: 12 bits of a Morton code.
MAX_CELLS = 4096


@dataclass(frozen=True, slots=True)
class SegmentSymbols:
    """A segment as integers: everything that is entropy-coded, and the parameters that say how.

    table i64 [N,12] (columns of entropy/walk.py) · residual i64 [N,2K], control points x0 y0 x1 y1 … ·
    control i64 [M-1,K',6] · layer_ends: index of the first Gaussian behind each layer · base i64 [3], Y'CbCr in
    1/1023 of full scale (chroma + 512) · margins in cells: left, top, right, bottom of the frame · distortions: of the
    layers above the first, or () if the segment's is that of all · parents i64 [M-1]: what each trajectory is predicted
    from, 0 (rest, all of them by default) or one before it, counted from 1.
    """

    table: Int64
    residual: Int64
    control: Int64
    layer_ends: tuple[int, ...]
    base: tuple[int, int, int]
    cell_bits: int
    margins: tuple[int, int, int, int]
    distortions: tuple[int, ...] = ()
    parents: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if len(self.parents) != len(self.control):
            object.__setattr__(self, "parents", np.zeros(len(self.control), np.int64))

    @property
    def num_control(self) -> int:
        """K, control points of a motion spline."""
        return int(self.residual.shape[1]) // 2

    @property
    def num_path_control(self) -> int:
        """Control points of a trajectory: those of a residual, or with finer knots."""
        return int(self.control.shape[1])

    @property
    def refinement(self) -> int:
        """Spans of a trajectory in one of a residual."""
        if self.num_path_control == self.num_control:
            return 1
        return (self.num_path_control - SPLINE_DEGREE) // (self.num_control - SPLINE_DEGREE)

    @property
    def num_trajectories(self) -> int:
        """M, trajectories including the one that does not move."""
        return len(self.control) + 1

    def layers(self) -> Int64:
        """The layer of each Gaussian, i64 [N]."""
        found: Int64 = np.searchsorted(self.layer_ends, np.arange(len(self.table)), side="right").astype(np.int64)
        return found


def cells(width: int, height: int, cell_bits: int, margins: tuple[int, int, int, int]) -> tuple[int, int]:
    """Size of the position domain in cells."""
    cell = 1 << cell_bits
    return -(-width // cell) + margins[0] + margins[2], -(-height // cell) + margins[1] + margins[3]


#: Places in the array of `parameters_of`; LAYER is the number of the layer that is visited.
CELL_BITS, CELLS_X, CELLS_Y, NUM_FRAMES, NUM_CONTROL, NUM_TRAJECTORIES, LAYER = range(7)


def parameters_of(symbols: SegmentSymbols, width: int, height: int, num_frames: int) -> Int64:
    """The parameters of a visit (entropy/walk.py), i64 [7], without the layer."""
    cells_x, cells_y = cells(width, height, symbols.cell_bits, symbols.margins)
    return np.array(
        [symbols.cell_bits, cells_x, cells_y, num_frames, symbols.num_control, symbols.num_trajectories, 0], np.int64
    )


@exact_kernel
def interleave(x, y):  # type: ignore[no-untyped-def]
    """Morton code of a cell: bits of x on even places, of y on odd ones."""
    code = np.int64(0)
    for i in range(12):
        code |= ((x >> i) & 1) << (2 * i)
        code |= ((y >> i) & 1) << (2 * i + 1)
    return code
