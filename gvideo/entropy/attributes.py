"""The one table of attributes: what a segment's bits say, in which symbols, through which contexts.

    attribute  a group of symbols whose bits are counted together (`gvideo info`, prices, the inspection page)
    columns    those of SegmentSymbols.table that it is coded from; the arrays `residual` and `control` stand apart
    contexts   its blocks of adaptive contexts (contexts.py); what has none is coded at even odds

Tests hold the contexts, the symbols, the tables of SYNTAX.md and those of the page to it.
"""

from __future__ import annotations

from typing import NamedTuple

from gvideo.model import symbols as sym


class Attribute(NamedTuple):
    """A row of the table. side_information: of the segment, not of a Gaussian."""

    name: str
    meaning: str
    columns: tuple[int, ...]
    contexts: tuple[str, ...]
    side_information: bool = False


TABLE = (
    Attribute("cell", "the cell of the position, in Morton order", (), ("cell_exponent", "cell_mantissa")),
    Attribute("precision", "the class of precision", (sym.PRECISION,), ("precision",)),
    Attribute("scale", "log2 of the larger sigma", (sym.SCALE,), ("scale_octave", "scale_fraction")),
    Attribute("ratio", "log2 of the ratio of the sigmas", (sym.RATIO,), ("ratio",)),
    Attribute("angle", "the angle of the larger axis", (sym.ANGLE,), ("angle",)),
    Attribute("life", "always alive, or log2 of the sigma in time", (sym.DURATION,), ("permanent", "duration")),
    Attribute("centre", "the middle of a life", (sym.CENTRE,), ("centre",)),
    Attribute("trajectory", "which trajectory is followed", (sym.TRAJECTORY,),
              ("trajectory_same", "trajectory_second", "trajectory")),
    Attribute("residual", "motion added to the trajectory", (), ("residual_flag", "residual_zero", "residual")),
    Attribute("luma", "the amplitude of Y'", (sym.LUMA,), ("luma", "luma_sign")),
    Attribute("chroma", "the amplitudes of Cb and Cr", (sym.BLUE, sym.RED),
              ("blue_zero", "blue", "red_zero", "red", "chroma_sign")),
    Attribute("position", "the position within the cell", (sym.X, sym.Y), ()),
    Attribute("codebook", "the trajectories' control points", (), ("control",), side_information=True),
)  # fmt: skip
#: Blocks of contexts that several attributes share: entries of codebooks, whichever group they are of.
SHARED_CONTEXTS = ("vector_index", "vector_refined", "vector_residual")

#: Names in the order of `Coder.cost`.
ATTRIBUTES = tuple(row.name for row in TABLE)

# Numbers of the attributes, for `Coder.registers[ATTRIBUTE]`.
(
    CELL, PRECISION, SCALE, RATIO, ANGLE, LIFE, CENTRE, TRAJECTORY, RESIDUAL, LUMA, CHROMA, POSITION, CODEBOOK,
) = range(len(TABLE))  # fmt: skip
