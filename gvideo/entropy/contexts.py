"""The adaptive contexts of a segment: one table of named blocks, their sizes, and their start states.

The table's order is normative (SYNTAX.md §6.4): priors and golden streams refer to contexts by their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gvideo.entropy.coder import PROBABILITY_ONE

_BLOCKS: dict[str, int] = {
    "cell_exponent": 4 * 31,
    "cell_mantissa": 25,
    "precision": 10 * 7,
    "scale_octave": 8 * 15,
    "scale_fraction": 5 * 15,
    "ratio": 8 * 8 * (24 + 8),
    "angle": 3 * 9 * 7,
    "permanent": 8 * 4,
    "duration": 4 * 4 * 31,
    "centre": 3 * 4 * 15,
    "trajectory_same": 7 * 4,
    "trajectory_second": 7 * 4,
    "trajectory": 63,
    "residual_flag": 4 * 4,
    "residual_zero": 5 * 9,
    "residual": 8 + 8,
    "luma": 8 * (14 + 8),
    "luma_sign": 3,
    "blue_zero": 8 * 3,
    "blue": 8 * 6 * (14 + 8),
    "red_zero": 8 * 3,
    "red": 8 * 3 * (14 + 8),
    "chroma_sign": 6,
    "control": 3 * 3 * 3 * (8 + 8),
    "vector_index": 3 * 4 * 63,
    "vector_refined": 3 * 4,
    "vector_residual": 3 * 3 * (6 + 8),
}


def _layout() -> dict[str, int]:
    start, offsets = 0, {}
    for name, size in _BLOCKS.items():
        offsets[name] = start
        start += size
    offsets["end"] = start
    return offsets


OFFSETS = _layout()
NUM_CONTEXTS = OFFSETS["end"]

CELL_EXPONENT = OFFSETS["cell_exponent"]
CELL_MANTISSA = OFFSETS["cell_mantissa"]
PRECISION = OFFSETS["precision"]
SCALE_OCTAVE = OFFSETS["scale_octave"]
SCALE_FRACTION = OFFSETS["scale_fraction"]
RATIO = OFFSETS["ratio"]
ANGLE = OFFSETS["angle"]
PERMANENT = OFFSETS["permanent"]
DURATION = OFFSETS["duration"]
CENTRE = OFFSETS["centre"]
TRAJECTORY_SAME = OFFSETS["trajectory_same"]
TRAJECTORY_SECOND = OFFSETS["trajectory_second"]
TRAJECTORY = OFFSETS["trajectory"]
RESIDUAL_FLAG = OFFSETS["residual_flag"]
RESIDUAL_ZERO = OFFSETS["residual_zero"]
RESIDUAL = OFFSETS["residual"]
LUMA = OFFSETS["luma"]
LUMA_SIGN = OFFSETS["luma_sign"]
BLUE_ZERO = OFFSETS["blue_zero"]
BLUE = OFFSETS["blue"]
RED_ZERO = OFFSETS["red_zero"]
RED = OFFSETS["red"]
CHROMA_SIGN = OFFSETS["chroma_sign"]
CONTROL = OFFSETS["control"]
VECTOR_INDEX = OFFSETS["vector_index"]
VECTOR_REFINED = OFFSETS["vector_refined"]
VECTOR_RESIDUAL = OFFSETS["vector_residual"]


def flat_states() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """(probability, seen) of contexts that know nothing."""
    return np.full(NUM_CONTEXTS, PROBABILITY_ONE // 2, np.uint16), np.zeros(NUM_CONTEXTS, np.uint8)
