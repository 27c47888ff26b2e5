"""Frames and Gaussians at a half, a quarter … of their size, for generations that lose nothing there.

Planes become the means of blocks of B x B px. Means of blocks widen what they are taken of: by (1 - 1/B²) / 12 of a
coarse pixel squared either way, which makes of a Gaussian of sigmas u, v (coarse px) and amplitude A

    u'² = u² + (1 - 1/B²) / 12,   v' alike,   A' = A u v / (u' v')

Without that, Gaussians are fitted too wide, and the finer generations begin from what they got wrong.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from gvideo.encoder.jit import kernel
from gvideo.raster.interface import SplatGradients
from gvideo.raster.threads import for_each
from gvideo.types import Float32, Splats

#: A generation of Gaussians is fitted at a size where its sigma is at least so many px, to frames whose shorter side
#: is at least so many, after at most so many halvings.
COARSE_SIGMA, COARSE_SIDE, MAX_HALVINGS = 1.5, 32, 3
#: What of Gaussians is other at a fraction of the size.
_SHRUNK = ("means", "displacements", "log_scales", "amplitudes")


def halvings_for(sigma: float, size: tuple[int, int]) -> int:
    """How often the size (width, height) may be halved for Gaussians of a sigma in px."""
    by_sigma = int(math.log2(max(sigma / COARSE_SIGMA, 1.0)))
    by_size = int(math.log2(max(min(size) / COARSE_SIDE, 1.0)))
    return min(by_sigma, by_size, MAX_HALVINGS)


def shrink(planes: Float32, halvings: int) -> Float32:
    """Means of blocks of planes f32 [T,C,H,W], of 2^halvings px a side; the border is repeated to whole blocks."""
    if halvings == 0:
        return planes
    block = 1 << halvings
    height, width = planes.shape[2:]
    size = (-(-width // block), -(-height // block))
    shrunk = np.empty((*planes.shape[:2], size[1], size[0]), np.float32)
    extra = (size[1] * block - height, size[0] * block - width)

    def one(frame: int) -> None:
        for plane, out in zip(planes[frame], shrunk[frame], strict=True):
            whole = np.pad(plane, ((0, extra[0]), (0, extra[1])), "edge") if any(extra) else plane
            cv2.resize(whole, size, dst=out, interpolation=cv2.INTER_AREA)

    for_each(len(planes), one)
    return shrunk


@kernel
def shrink_rows(
    halvings: int, means: Float32, displacements: Float32, log_scales: Float32, amplitudes: Float32,
    small_means: Float32, small_displacements: Float32, small_log_scales: Float32, small_amplitudes: Float32,
) -> None:  # fmt: skip
    """Writes Gaussians as they look on shrink()ed planes, lengths in px there."""
    scale = 0.5**halvings
    widening = (1.0 - 0.25**halvings) / 12.0
    for n in range(len(means)):
        gain = 0.0
        for axis in range(2):
            small_means[n, axis] = (np.float64(means[n, axis]) + 0.5) * scale - 0.5
            narrower = np.float64(log_scales[n, axis]) + math.log(scale)
            wider = 0.5 * math.log(math.exp(2.0 * narrower) + widening)
            small_log_scales[n, axis] = wider
            gain += narrower - wider
            for f in range(displacements.shape[1]):
                small_displacements[n, f, axis] = displacements[n, f, axis] * scale
        for c in range(3):
            small_amplitudes[n, c] = amplitudes[n, c] * math.exp(gain)


@kernel
def chain_rows(
    halvings: int, log_scales: Float32, small_log_scales: Float32, small_amplitudes: Float32, by_mean: Float32,
    by_displacement: Float32, by_log_scale: Float32, by_amplitude: Float32,
) -> None:  # fmt: skip
    """The chain rule of shrink_rows(), in place: gradients for the small ones become those for the whole ones."""
    scale = 0.5**halvings
    for n in range(len(by_mean)):
        along, gain = 0.0, 0.0
        for c in range(3):
            along += np.float64(by_amplitude[n, c]) * np.float64(small_amplitudes[n, c])
        for axis in range(2):
            by_mean[n, axis] *= scale
            for f in range(by_displacement.shape[1]):
                by_displacement[n, f, axis] *= scale
            narrowing = np.float64(log_scales[n, axis]) + math.log(scale) - small_log_scales[n, axis]  # nats, below 0
            gain += narrowing
            share = math.exp(2.0 * narrowing)  # of the variance that was the Gaussian's own
            by_log_scale[n, axis] = by_log_scale[n, axis] * share + along * (1.0 - share)
        for c in range(3):
            by_amplitude[n, c] *= math.exp(gain)


def shrink_splats(splats: Splats, halvings: int) -> Splats:
    """shrink_rows() of all Gaussians; the same ones at the whole size."""
    if halvings == 0:
        return splats
    whole = [np.ascontiguousarray(getattr(splats, name)) for name in _SHRUNK]
    small = [np.empty_like(a) for a in whole]
    shrink_rows(halvings, *whole, *small)
    return replace(splats, **dict(zip(_SHRUNK, small, strict=True)))


def chain_to_full_size(gradients: SplatGradients, small: Splats, splats: Splats, halvings: int) -> None:
    """chain_rows() of all Gaussians, in place."""
    if halvings:
        chain_rows(
            halvings, splats.log_scales, small.log_scales, small.amplitudes,
            *(getattr(gradients, name) for name in _SHRUNK),
        )  # fmt: skip
