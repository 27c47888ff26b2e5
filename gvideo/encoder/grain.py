"""Measures the noise that coded pictures lack, and puts it into the few numbers of a grain block (SYNTAX.md §8.4).

    source: frame k, k+1 ─┐  blocks of 16x16
                          ├─ differences along the motion ──► autocovariances ──► summed by [level of luma, variance]
    coded:  frame k, k+1 ─┘

What the codec has smoothed away is lost texture as well as noise. Texture moves with the picture, noise does not: the
difference of two frames along the optical flow, in whole pixels so that nothing is filtered, holds twice the variance
of the noise and little else. Motion between pixels leaves some texture, so of each level of luma only the blocks of
least variance count. What the coded picture's own difference holds there, coded noise and flicker, is there already:
grain fills its power spectrum up to that of the source. The sums of all segments are joined before the strengths are
chosen, so few flat places suffice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gvideo.bitstream.headers import MAX_KERNEL, NUM_STRENGTHS, STRENGTH_STEPS, Grain
from gvideo.decoder.rendering.segment import SegmentRenderer
from gvideo.encoder.motion.flow import Flow
from gvideo.media import CodeFrame
from gvideo.types import Float32, Float64, Int64, VideoFormat

#: Pixels of a block's side, and pairs of frames that are looked at in a segment.
_BLOCK, _MAX_PAIRS = 16, 8
#: Autocovariances along x and y up to lag NUM_LAGS - 1.
NUM_LAGS = 5
#: Blocks are counted by variance in half octaves, from 2^-26 (of luma in 0…1) on.
NUM_BINS, _FIRST_BIN, _BINS_AN_OCTAVE = 40, -26, 2
#: Share of a level's blocks, those of least variance, that are taken to hold nothing but noise.
_NOISE_SHARE = 0.1
#: A level with fewer blocks, or a smaller share of them, gets its strength from its neighbours.
_MIN_BLOCKS, _MIN_SHARE = 24, 0.05
#: No level is stronger than so many times the weakest: where all is texture, noise cannot be told from it.
_LARGEST_RATIO = 1.6
#: Weights of autocovariances, so that where they end leaves no ripples in the spectrum.
_TAPER = np.array([1.0, 1.0, 1.0, 0.67, 0.33])
#: Frequencies along x and y of a spectrum.
_SPECTRUM = 32


@dataclass(frozen=True, slots=True)
class GrainStatistics:
    """Blocks by level of luma and by variance in the source. counts i64 [8,NUM_BINS]; source and coded, f32
    [8,NUM_BINS,NUM_LAGS,NUM_LAGS]: sums of autocovariances (luma in 0…1) at distances y, x."""

    counts: Int64
    source: Float32
    coded: Float32

    def __add__(self, other: GrainStatistics) -> GrainStatistics:
        return GrainStatistics(self.counts + other.counts, self.source + other.source, self.coded + other.coded)


def no_statistics() -> GrainStatistics:
    """Statistics of no blocks."""
    lags = np.zeros((NUM_STRENGTHS, NUM_BINS, NUM_LAGS, NUM_LAGS), np.float32)
    return GrainStatistics(np.zeros((NUM_STRENGTHS, NUM_BINS), np.int64), lags, lags.copy())


def measure_grain(
    renderer: SegmentRenderer, frames: Sequence[CodeFrame], fmt: VideoFormat, flow: Flow
) -> GrainStatistics:
    """Statistics of a segment: of frames, what the renderer shows of them, and the flow between them."""
    found = no_statistics()
    pairs = len(frames) - 1
    for k in np.unique(np.linspace(0, pairs - 1, min(pairs, _MAX_PAIRS)).round().astype(int)) if pairs else ():
        source = np.stack([f.to_source_frame(fmt).planes[0] for f in frames[k : k + 2]])
        coded = renderer.planes(renderer.times[k : k + 2])[:, 0]
        found += pair_statistics(source, coded, flow.forward[k])
    return found


def pair_statistics(source: Float32, coded: Float32, flow: Float32) -> GrainStatistics:
    """Statistics of two frames: luma in 0…1, f32 [2,H,W], flow f32 [H,W,2] px from the first to the second."""
    found = no_statistics()
    height, width = source.shape[1] // _BLOCK * _BLOCK, source.shape[2] // _BLOCK * _BLOCK
    if not height or not width:
        return found
    to_x, to_y = (
        np.round(_blocks(flow[:height, :width, axis]).mean((1, 2))).astype(np.int64).reshape(-1, 1, 1)
        for axis in range(2)
    )
    y, x = (a.reshape(-1, 1, 1) for a in np.mgrid[0:height:_BLOCK, 0:width:_BLOCK])
    rows, columns = np.arange(_BLOCK).reshape(1, -1, 1), np.arange(_BLOCK).reshape(1, 1, -1)
    inside = (y + to_y >= 0) & (y + to_y + _BLOCK <= source.shape[1])
    inside &= (x + to_x >= 0) & (x + to_x + _BLOCK <= source.shape[2])
    y, x, to_y, to_x = (a[inside[:, 0, 0]] for a in (y, x, to_y, to_x))
    here, there = (0, y + rows, x + columns), (1, y + to_y + rows, x + to_x + columns)
    one, other = source[here], source[there]
    # noise that is cut off at black or white, or frozen by an earlier codec, is none to measure
    both = np.stack([one, other])
    good = (both.min((0, 2, 3)) > 0) & (both.max((0, 2, 3)) < 1) & (one != other).any((1, 2))
    lags = _autocovariances((one - other)[good])
    level = np.clip(coded[here][good].mean((1, 2)) * NUM_STRENGTHS, 0, NUM_STRENGTHS - 1).astype(np.int64)
    octaves = np.log2(np.maximum(lags[:, 0, 0], 2.0**_FIRST_BIN)) - _FIRST_BIN
    place = level, np.minimum((octaves * _BINS_AN_OCTAVE).astype(np.int64), NUM_BINS - 1)
    np.add.at(found.counts, place, 1)
    np.add.at(found.source, place, lags)
    np.add.at(found.coded, place, _autocovariances((coded[here] - coded[there])[good]))
    return found


def grain_of(statistics: Iterable[GrainStatistics], seed: int = 0) -> Grain | None:
    """The grain block of a stream from the statistics of its segments; None if there is no noise to speak of."""
    joined = sum(statistics, no_statistics())
    lags = np.zeros((2, NUM_STRENGTHS, NUM_LAGS, NUM_LAGS))  # of the noise in the source, and in the coded picture
    weights = np.zeros(NUM_STRENGTHS)
    for level, counts in enumerate(joined.counts):
        total = int(counts.sum())
        if total < max(_MIN_BLOCKS, _MIN_SHARE * joined.counts.sum()):
            continue
        last = int(np.searchsorted(np.cumsum(counts), _NOISE_SHARE * total)) + 1
        taken = int(counts[:last].sum())
        for k, sums in enumerate((joined.source, joined.coded)):
            lags[k, level] = sums[level, :last].sum(0, np.float64) / taken
        lags[0, level] /= _mean_of_lowest(taken / total, lags[0, level])
        weights[level] = total
    known = np.flatnonzero(weights)
    if not len(known):
        return None
    variances = np.maximum(lags[0, known, 0, 0], 2.0**_FIRST_BIN)
    limit = _LARGEST_RATIO**2 * variances.min()
    lags[0, known] *= np.minimum(1, limit / variances)[:, None, None]
    weights[known] *= variances <= limit
    lacking = np.maximum(_spectra(lags[0]) - _spectra(lags[1]), 0)
    deviations = np.sqrt(np.interp(np.arange(NUM_STRENGTHS), known, lacking[known].mean((1, 2))))
    strengths = tuple(min(round(float(d) * STRENGTH_STEPS), 255) for d in deviations)
    spectrum = np.tensordot(weights / weights.sum(), lacking, 1)
    if not any(strengths) or not spectrum.any():
        return None
    return Grain(seed & 255, strengths, _kernel(spectrum))


def _blocks(plane: Float32) -> Float32:
    """Blocks [n,16,16] of a plane whose sides they divide, row by row."""
    height, width = plane.shape
    parts = plane.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    return parts.transpose(0, 2, 1, 3).reshape(-1, _BLOCK, _BLOCK)


def _autocovariances(differences: Float32) -> Float64:
    """[n,NUM_LAGS,NUM_LAGS] at distances y, x of either of two frames, from differences [n,16,16] of both, if they have
    nothing in common but their means; both diagonals together."""
    blocks = differences.astype(np.float64) / math.sqrt(2)
    blocks -= blocks.mean((1, 2), keepdims=True)
    found = np.zeros((len(blocks), NUM_LAGS, NUM_LAGS))
    for dy in range(NUM_LAGS):
        for dx in range(NUM_LAGS):
            top, below = blocks[:, : _BLOCK - dy], blocks[:, dy:]
            falling = (top[:, :, : _BLOCK - dx] * below[:, :, dx:]).mean((1, 2))
            rising = (top[:, :, dx:] * below[:, :, : _BLOCK - dx]).mean((1, 2))
            found[:, dy, dx] = (falling + rising) / 2
    return found


def _mean_of_lowest(share: float, lags: Float64) -> float:
    """What the mean variance of that share of the blocks, those of least variance, is of the mean of all, if all hold
    the same normal noise: a block's variance is nearly normal, and spreads the more the stronger neighbours agree."""
    from scipy.special import ndtri

    if share >= 1:
        return 1.0
    squares = np.square(lags / max(float(lags[0, 0]), 2.0**_FIRST_BIN))
    squares[1:] *= 2
    squares[:, 1:] *= 2
    spread = math.sqrt(2 * float(squares.sum())) / _BLOCK
    height = math.exp(-0.5 * float(ndtri(share)) ** 2) / math.sqrt(2 * math.pi)
    return max(1 - spread * height / share, 0.5)


def _spectra(lags: Float64) -> Float64:
    """Power spectra [n,32,32], their mean the variance, of autocovariances [n,NUM_LAGS,NUM_LAGS]."""
    around = np.zeros((len(lags), _SPECTRUM, _SPECTRUM))
    tapered = lags * np.outer(_TAPER, _TAPER)
    for dy in range(NUM_LAGS):
        for dx in range(NUM_LAGS):
            around[:, [dy, dy, -dy, -dy], [dx, -dx, dx, -dx]] = tapered[:, dy, dx, None]
    spectra: Float64 = np.fft.fft2(around).real
    return spectra


def _kernel(spectrum: Float64) -> tuple[int, ...]:
    """The quarter of the symmetric filter that gives white noise a power spectrum: its response is the root of it."""
    quarter = np.fft.ifft2(np.sqrt(spectrum)).real[:3, :3]
    scaled = np.round(quarter * (MAX_KERNEL / np.abs(quarter).max()))
    return tuple(int(k) for k in scaled.ravel())
