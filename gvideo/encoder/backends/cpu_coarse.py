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

from gvideo.raster.interface import SplatGradients
from gvideo.raster.threads import for_each
from gvideo.types import Float32, Splats

#: A generation of Gaussians is fitted at a size where its sigma is at least so many px, to frames whose shorter side
#: is at least so many, after at most so many halvings.
COARSE_SIGMA, COARSE_SIDE, MAX_HALVINGS = 1.5, 32, 3


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


def shrink_splats(splats: Splats, halvings: int) -> Splats:
    """Gaussians as they look on shrink()ed planes, lengths in px there."""
    if halvings == 0:
        return splats
    scale = np.float32(0.5**halvings)
    narrow = splats.log_scales + np.log(scale)
    wide = np.float32(0.5) * np.log(np.exp(2 * narrow) + np.float32((1 - 0.25**halvings) / 12))
    return replace(
        splats, means=(splats.means + np.float32(0.5)) * scale - np.float32(0.5),
        displacements=splats.displacements * scale, log_scales=wide,
        amplitudes=splats.amplitudes * np.exp((narrow - wide).sum(1, keepdims=True)),
    )  # fmt: skip


def chain_to_full_size(gradients: SplatGradients, small: Splats, splats: Splats, halvings: int) -> None:
    """The chain rule of shrink_splats(), in place: gradients for `small` become those for `splats`."""
    if halvings == 0:
        return
    scale = np.float32(0.5**halvings)
    narrowing = splats.log_scales + np.log(scale) - small.log_scales  # nats, below 0
    share = np.exp(2 * narrowing)  # of the variance that was the Gaussian's own
    by_amplitude = (gradients.amplitudes * small.amplitudes).sum(1, keepdims=True)
    gradients.means[:] *= scale
    gradients.displacements[:] *= scale
    gradients.log_scales[:] = gradients.log_scales * share + by_amplitude * (1 - share)
    gradients.amplitudes[:] *= np.exp(narrowing.sum(1, keepdims=True))
