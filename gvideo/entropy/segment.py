"""A segment's symbols to bytes and back (SYNTAX.md §5, §6).

base payload  = segment header | layer header | coded trajectories and Gaussians of layer 0
layer payload = layer header | coded Gaussians of one more layer
Each layer is a codeword of its own; the adaptive states and the neighbours carry over from layer to layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gvideo.bitstream import headers
from gvideo.bitstream.fields import Reader, Writer
from gvideo.bitstream.headers import LayerHeader, SegmentHeader
from gvideo.entropy import coder, priors, walk
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.sequence import SequenceState
from gvideo.errors import InvalidError
from gvideo.model import symbols as sym
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols
from gvideo.types import Float64, Int64

#: Room of a write buffer beyond the counted bits: the count rounds probabilities, the coder rounds its range. The
#: kernels do not check; a byte for every Gaussian is far more than both can add up to.
_SLACK_BYTES, _SLACK_SHARE, _SLACK_PER_GAUSSIAN = 64, 1.05, 1


def block_map(parameters: NDArray[np.int64]) -> NDArray[np.int64]:
    """An empty neighbour map of the position domain."""
    wide = ((int(parameters[sym.CELLS_X]) - 1) >> walk.BLOCK_BITS) + 1
    high = ((int(parameters[sym.CELLS_Y]) - 1) >> walk.BLOCK_BITS) + 1
    return np.full(wide * high + 1, -1, np.int64)


def visit(
    mode: int,
    symbols: SegmentSymbols,
    sequence: SequenceState,
    width: int,
    height: int,
    num_frames: int,
    buffers: Sequence[NDArray[np.uint8]] | None = None,
    *,
    choices: Int64 | None = None,
    states: priors.States | None = None,
) -> tuple[list[coder.Coder], Float64]:
    """One visit of all layers in any mode of the coder; READ fills `symbols`' arrays and `choices`. sequence: with the
    segment's distortion. choices i64 [N,3]: index into the codebook of each group, 0 (or None) for scalar coding; an
    entry without a residual must fit exactly. states: to start from; by default the sequence's.
    Returns (a coder for each layer, bits f64 [attributes] spent in all). Raises InvalidError on a bad symbol."""
    parameters = sym.parameters_of(symbols, width, height, num_frames)
    neighbours = block_map(parameters)
    contexts = sequence.states() if states is None else coder.begin(*states)
    choices = np.zeros((len(symbols.table), 3), np.int64) if choices is None else choices
    rules, books = sequence.rules.as_array(), sequence.codebooks.as_array()
    cost = np.zeros(len(ATTRIBUTES))
    found = np.empty(walk.NUM_NEIGHBOURS, np.int64)
    steps = np.empty((symbols.control.shape[1], 6), np.int64)
    coders, start = [], 0
    for layer, end in enumerate(symbols.layer_ends):
        buffer = buffers[layer] if buffers is not None else None
        size = len(buffer) if buffer is not None else 0
        c = coder.make_coder(mode, *contexts, len(ATTRIBUTES), buffer, 0, size)
        if layer == 0 and walk.walk_trajectories(c, symbols.control, symbols.parents, steps) != walk.OK:
            raise InvalidError("segment.trajectories: a control point out of range")
        parameters[sym.LAYER] = layer
        problem = walk.walk_layer(
            c, symbols.table, symbols.residual, choices, start, end, rules, parameters, books, neighbours, found
        )
        if problem != walk.OK:
            raise InvalidError(f"segment.{walk.PROBLEMS[problem]}: a symbol out of range in layer {layer}")
        cost += c.cost
        coders.append(c)
        start = end
    return coders, cost


def count_bits(
    symbols: SegmentSymbols,
    sequence: SequenceState,
    width: int,
    height: int,
    num_frames: int,
    choices: Int64 | None = None,
) -> Float64:
    """Bits f64 [attributes] that a segment's symbols take."""
    return visit(coder.COUNT, symbols, sequence, width, height, num_frames, choices=choices)[1]


def encode_segment(
    symbols: SegmentSymbols,
    header: SegmentHeader,
    sequence: SequenceState,
    width: int,
    height: int,
    choices: Int64 | None = None,
) -> list[bytes]:
    """Payloads of a segment: the base unit's, then one a layer. choices: as in `visit`."""
    counted, _ = visit(coder.COUNT, symbols, sequence, width, height, header.num_frames, choices=choices)
    slack = _SLACK_BYTES + _SLACK_PER_GAUSSIAN * len(symbols.table)
    buffers = [np.zeros(int(c.cost.sum() / 8 * _SLACK_SHARE) + slack, np.uint8) for c in counted]
    coders, _ = visit(coder.WRITE, symbols, sequence, width, height, header.num_frames, buffers, choices=choices)
    payloads, start = [], 0
    for layer, (c, end) in enumerate(zip(coders, symbols.layer_ends, strict=True)):
        writer = Writer()
        if layer == 0:
            headers.visit_segment(writer, header)
        coded = c.buffer[: coder.finish(c)].tobytes()
        headers.visit_layer(writer, LayerHeader(end - start, len(coded)))
        payloads.append(writer.getvalue() + coded)
        start = end
    return payloads


def decode_segment(
    payloads: Sequence[bytes], sequence: SequenceState, width: int, height: int
) -> tuple[SegmentHeader, SegmentSymbols, StepRules, Float64]:
    """(header, symbols, the segment's step rules, bits per attribute) of a base payload and any number of layer
    payloads that follow it."""
    readers = [Reader(p) for p in payloads]
    header = headers.visit_segment(readers[0])
    if len(payloads) > header.num_layers:
        raise InvalidError(f"layer: {len(payloads)} layers, the segment has {header.num_layers}")
    layers = [headers.visit_layer(r) for r in readers]
    buffers = [
        np.frombuffer(r.take("layer.bytes", layer.num_bytes), np.uint8).copy()
        for r, layer in zip(readers, layers, strict=True)
    ]
    for r in readers:
        if r.position != r.end:
            raise InvalidError(f"layer.bytes: {r.end - r.position} byte(s) too many")
    count = sum(layer.num_gaussians for layer in layers)
    if count > headers.MAX_GAUSSIANS:
        raise InvalidError(f"layer.num_gaussians: {count} in all layers, at most {headers.MAX_GAUSSIANS}")
    if count * header.num_path_control > headers.MAX_RESIDUALS:
        raise InvalidError(
            f"layer.num_gaussians: {count} with {header.num_path_control} control points each, at most "
            f"{headers.MAX_RESIDUALS} in all"
        )
    symbols = SegmentSymbols(
        np.zeros((count, sym.NUM_COLUMNS), np.int64),
        np.zeros((count, 2 * header.num_control), np.int64),
        np.zeros((header.num_trajectories - 1, header.num_path_control, 6), np.int64),
        tuple(int(e) for e in np.cumsum([layer.num_gaussians for layer in layers])),
        header.base,
        header.cell_bits,
        header.margins,
        header.distortions,
    )
    cells_x, cells_y = sym.cells(width, height, header.cell_bits, header.margins)
    if max(cells_x, cells_y) > sym.MAX_CELLS:
        raise InvalidError(f"segment.shape: {cells_x}x{cells_y} cells, at most {sym.MAX_CELLS} a side")
    own = sequence.with_distortion(header.distortion)
    _, cost = visit(coder.READ, symbols, own, width, height, header.num_frames, buffers)
    return header, symbols, own.rules, cost
