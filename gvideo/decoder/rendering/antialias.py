"""Gaussians for a grid that is coarser than the coded one: the coarse pixel's filter as part of each Gaussian.

A coarse pixel is the mean of r coded pixels along each axis. The box of that mean has the variance (r² - 1)/12 beyond
the coded pixel's own, and variances of filters add up, so each Gaussian is widened by it and keeps its volume:

    Σ' = Σ + diag((rx² - 1)/12, (ry² - 1)/12)        A' = A √(det Σ / det Σ')

A Gaussian ends at exponent -E, where the floor F = exp(-E) is taken off, so its variance is less than Σ by the factor
of its second moment, (4 - F (4 + 4 E + 2 E²)) / (4 - 4 F (1 + E)); what is added to Σ is larger by as much.
At the coded size nothing changes, nor above it (r ≤ 1 counts as 1).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gvideo.raster.interface import FLOOR, SUPPORT_EXPONENT
from gvideo.types import Splats

#: Variance of a Gaussian that ends at its support, as a share of Σ.
_VARIANCE = (4.0 - FLOOR * (4.0 + 4.0 * SUPPORT_EXPONENT + 2.0 * SUPPORT_EXPONENT**2)) / (
    4.0 - 4.0 * FLOOR * (1.0 + SUPPORT_EXPONENT)
)


def antialiased(splats: Splats, scale_x: float, scale_y: float) -> Splats:
    """The Gaussians as a grid of scale output px a coded px shows them; the same object where nothing is to be done."""
    widen_x, widen_y = ((max(1.0 / scale, 1.0) ** 2 - 1.0) / (12.0 * _VARIANCE) for scale in (scale_x, scale_y))
    if widen_x == widen_y == 0.0:
        return splats
    log_scales = splats.log_scales.astype(np.float64)
    along, across = np.exp(2.0 * log_scales).T
    cosine, sine = np.cos(splats.angles.astype(np.float64)), np.sin(splats.angles.astype(np.float64))
    xx = cosine**2 * along + sine**2 * across + widen_x
    yy = sine**2 * along + cosine**2 * across + widen_y
    xy = cosine * sine * (along - across)
    half_difference = 0.5 * (xx - yy)
    larger = 0.5 * (xx + yy) + np.hypot(half_difference, xy)
    # det Σ' by its parts, all of them positive: the difference xx yy - xy² would cancel for needles
    determinant = (
        along * across
        + widen_y * (cosine**2 * along + sine**2 * across)
        + widen_x * (sine**2 * along + cosine**2 * across)
        + widen_x * widen_y
    )
    gain = np.sqrt(along * across / determinant)
    return replace(
        splats,
        log_scales=np.stack([0.5 * np.log(larger), 0.5 * np.log(determinant / larger)], axis=1).astype(np.float32),
        angles=(0.5 * np.arctan2(xy, half_difference)).astype(np.float32),
        amplitudes=(splats.amplitudes * gain[:, None]).astype(np.float32),
    )
