"""A segment's Gaussians in numbers that a page can draw: ellipses, lives, paths over the frames, and what each costs.

Bits are those of a count of the same symbols, one Gaussian after the other, scaled attribute by attribute to what the
stream spends (Gaussian by Gaussian, entries of codebooks may differ); cells, which are coded as steps from one to the
next, and what is not coded for one Gaussian, such as the control points of trajectories, are spread evenly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gvideo import raster
from gvideo.decoder.coded import CodedStream, DecodedSegment
from gvideo.decoder.rendering.antialias import antialiased
from gvideo.decoder.rendering.segment import SegmentRenderer
from gvideo.entropy import coder, walk
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.segment import block_map
from gvideo.entropy.sequence import SequenceState
from gvideo.model import motion
from gvideo.model import symbols as sym
from gvideo.types import Float32, Float64, UInt8

#: Attributes whose bits cannot be counted for one Gaussian.
_SHARED = ("cell", "codebook")


@dataclass(frozen=True, slots=True)
class Inspected:
    """A segment. axes f32 [N,2]: sigmas in px · angles f32 [N] rad, clockwise on the screen · centres f32 [N], frames ·
    lives f32 [N]: sigma in frames, 0 for permanent ones · layers u8 [N] · bits f32 [N] · paths f32 [T,N,2] px ·
    colours u8 [N,3]: of the amplitude around middle gray."""

    axes: Float32
    angles: Float32
    centres: Float32
    lives: Float32
    layers: UInt8
    bits: Float32
    paths: Float32
    colours: UInt8
    renderer: SegmentRenderer

    def bits_picture(self, frame: int, width: int, height: int) -> Float32:
        """Where the bits of the Gaussians that are alive in a frame lie: bits a coded px, f32 [height,width]."""
        splats = self.renderer.splats
        volume = 2 * np.pi * np.exp(splats.log_scales.sum(1))
        density = np.repeat((self.bits / volume)[:, None], 3, axis=1).astype(np.float32)
        scale_x, scale_y = width / self.renderer.width, height / self.renderer.height
        seen = antialiased(replace(splats, amplitudes=density), min(scale_x, 1.0), min(scale_y, 1.0))
        times = self.renderer.times[frame : frame + 1]
        basis = motion.basis(times, self.renderer.num_frames, self.renderer.num_control)
        viewport = raster.Viewport(width, height, scale_x, scale_y)
        drawn: Float32 = raster.get_backend("cpu").render(seen, basis, times.astype(np.float32), viewport)[0, 0]
        return drawn


def inspect_segment(stream: CodedStream, number: int) -> Inspected:
    """Everything about one segment. Raises BitstreamError for a damaged one."""
    from gvideo.media import planes_to_rgb

    decoded = stream.decode_segment(number)
    h = stream.header
    renderer = SegmentRenderer(decoded.symbols, decoded.rules, h.width, h.height, stream.frame_ticks(number))
    splats = renderer.splats
    basis = motion.basis(renderer.times, renderer.num_frames, renderer.num_control)
    paths = splats.means[None] + np.einsum("tk,nkc->tnc", basis, splats.displacements)
    ends = np.array(decoded.symbols.layer_ends)
    lives = np.zeros(len(splats), np.float32)
    np.divide(1.0, splats.inverse_durations, out=lives, where=splats.inverse_durations > 0)
    planes = (splats.amplitudes + np.array([0.5, 0, 0], np.float32)).T[None, :, :, None]
    return Inspected(
        np.exp(splats.log_scales), splats.angles, splats.centres, lives,
        np.searchsorted(ends, np.arange(len(splats)), side="right").astype(np.uint8),
        bits_of_gaussians(decoded, stream, number).astype(np.float32), paths.astype(np.float32),
        planes_to_rgb(planes, stream.format.colour)[0, :, 0] if len(splats) else np.zeros((0, 3), np.uint8), renderer,
    )  # fmt: skip


def bits_of_gaussians(decoded: DecodedSegment, stream: CodedStream, number: int) -> Float64:
    """Bits of every Gaussian, f64 [N]; their sum is what the coded data of the segment takes."""
    symbols, header = decoded.symbols, stream.header
    count = len(symbols.table)
    if not count:
        return np.zeros(0)
    sequence = SequenceState.of(header).with_distortion(decoded.header.distortion)
    parameters = sym.parameters_of(symbols, header.width, header.height, decoded.header.num_frames)
    neighbours, states = block_map(parameters), sequence.states()
    found = np.empty(walk.NUM_NEIGHBOURS, np.int64)
    rules, books = sequence.rules.as_array(), sequence.codebooks.as_array()
    table, residual = symbols.table.copy(), symbols.residual.copy()
    choices: NDArray[np.int64] = np.zeros((count, 3), np.int64)
    c = coder.make_coder(coder.COUNT, *states, len(ATTRIBUTES), None, 0, 0)
    spent = np.zeros((count, len(ATTRIBUTES)))
    before = c.cost.copy()
    for row in range(count):
        parameters[sym.LAYER] = np.searchsorted(symbols.layer_ends, row, side="right")
        walk.walk_layer(c, table, residual, choices, row, row + 1, rules, parameters, books, neighbours, found)
        spent[row] = c.cost - before
        before = c.cost.copy()
    shared = np.array([name in _SHARED for name in ATTRIBUTES])
    totals = np.where(shared, 0.0, spent.sum(0))
    countable = totals > 0
    factors = np.divide(decoded.cost, totals, out=np.zeros_like(totals), where=countable)
    return spent @ factors + float(decoded.cost[~countable].sum()) / count
