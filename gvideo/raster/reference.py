"""The signal model of CODEC §2 in float64 NumPy, written for the eye: the meaning of every other backend.

    F_c(x, t) = sum_i A_ic life_i(t) w_i(x, t),   w = max(exp(-(p² + q²) / 2) - FLOOR, 0)
    life_i(t) = exp(-((t - centre_i) inverse_duration_i)² / 2)

          y ^     v   u            (p, q): a pixel's coordinates in the axes of the Gaussian, in sigmas
            |      \\ /  angle          p = ( cos θ dx + sin θ dy) / sigma_u
            +--> x  o----              q = (-sin θ dx + cos θ dy) / sigma_v

With g_c = dLoss/dF_c and u = life exp(..) sum_c A_c g_c at each pixel, sums over the support give all gradients (FLOOR
does not depend on the shape, so the shape's gradients are those of exp(..) alone):

    dL/dmean          = sum u (p ∇p + q ∇q), ∇ by the pixel's position
    dL/dlog sigma_u   = sum u p²                dL/dlog sigma_v = sum u q²
    dL/dangle         = (sigma_u/sigma_v - sigma_v/sigma_u) sum u p q
    dL/dA_c           = sum life w g_c          dL/d(exponent of life) = sum_c A_c dL/dA_c

The kernels walk along the conic in other coordinates, so a mistake in one of the two forms cannot hide in the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gvideo.raster.interface import (
    FLOOR,
    LARGEST_AMPLITUDE,
    LARGEST_LOG_SCALE,
    LARGEST_POSITION_PX,
    LIFE_EXPONENT,
    SUPPORT_EXPONENT,
    Show,
    SplatGradients,
    Viewport,
    check_loss_shapes,
    check_render_shapes,
)
from gvideo.types import Float32, Float64, Int32, Splats

# Exponents this close to the cut may fall on either side of it in float32.
AMBIGUITY = 1e-3


@dataclass(frozen=True, slots=True)
class Footprint:
    """One Gaussian in one frame. window: rows and columns of the picture; p, q, weight: per pixel of the window,
    weight with life, 0 outside the support; slope: life exp(..) inside the support, by which the weight follows its
    exponent; edge: the slope where only rounding decides about the support, else 0."""

    index: int
    window: tuple[slice, slice]
    p: Float64
    q: Float64
    weight: Float64
    slope: Float64
    edge: Float64
    life: float


def _is_drawable(splats: Splats, n: int) -> bool:
    finite = (splats.angles[n], splats.centres[n], splats.inverse_durations[n])
    return bool(
        np.isfinite(finite).all()
        and (np.abs(splats.log_scales[n]) <= LARGEST_LOG_SCALE).all()
        and (np.abs(splats.amplitudes[n]) <= LARGEST_AMPLITUDE).all()
    )


def footprints(splats: Splats, basis: Float32, time: float, viewport: Viewport) -> Iterator[Footprint]:
    """The Gaussians that show in a frame, in order. basis f32 [K]: this frame's weights of the control points."""
    source_x = (np.arange(viewport.width) + 0.5) / viewport.scale_x - 0.5 + viewport.offset_x
    source_y = (np.arange(viewport.height) + 0.5) / viewport.scale_y - 0.5 + viewport.offset_y
    reach = math.sqrt(2.0 * SUPPORT_EXPONENT) * (1.0 + AMBIGUITY)
    weights = basis.astype(np.float64)
    for n in range(len(splats)):
        if not _is_drawable(splats, n):
            continue
        life_exponent = -0.5 * ((time - float(splats.centres[n])) * float(splats.inverse_durations[n])) ** 2
        mean = splats.means[n].astype(np.float64)
        for k, weight_k in enumerate(weights):
            mean = mean + weight_k * splats.displacements[n, k].astype(np.float64)
        if not (life_exponent >= -LIFE_EXPONENT and (np.abs(mean) <= LARGEST_POSITION_PX).all()):
            continue
        sigma_u, sigma_v = np.exp(splats.log_scales[n].astype(np.float64))
        cosine, sine = math.cos(float(splats.angles[n])), math.sin(float(splats.angles[n]))
        half_width = reach * math.hypot(cosine * sigma_u, sine * sigma_v)
        half_height = reach * math.hypot(sine * sigma_u, cosine * sigma_v)
        columns = _inside(source_x, mean[0], half_width)
        rows = _inside(source_y, mean[1], half_height)
        dx = source_x[columns] - mean[0]
        dy = (source_y[rows] - mean[1])[:, None]
        if dx.size == 0 or dy.size == 0:
            continue
        p = (cosine * dx + sine * dy) / sigma_u
        q = (-sine * dx + cosine * dy) / sigma_v
        exponent = -0.5 * (p * p + q * q)
        life = math.exp(life_exponent)
        slope = np.where(exponent >= -SUPPORT_EXPONENT, life * np.exp(exponent), 0.0)
        weight = np.where(exponent >= -SUPPORT_EXPONENT, slope - life * FLOOR, 0.0)
        edge = np.where(np.abs(exponent + SUPPORT_EXPONENT) < AMBIGUITY, life * np.exp(exponent), 0.0)
        yield Footprint(n, (rows, columns), p, q, weight, slope, edge, life)


def _inside(positions: NDArray[np.floating], centre: float, half: float) -> slice:
    first, last = np.searchsorted(positions, (centre - half, centre + half))
    return slice(int(first), int(last))


def render_frame(splats: Splats, basis: Float32, time: float, viewport: Viewport) -> Float64:
    """One frame f64 [3,H,W]."""
    picture = np.zeros((3, viewport.height, viewport.width))
    for footprint in footprints(splats, basis, time, viewport):
        amplitude = splats.amplitudes[footprint.index].astype(np.float64)
        picture[:, *footprint.window] += amplitude[:, None, None] * footprint.weight
    return picture


def render(splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False) -> Float32:
    """See interface.Backend.render."""
    check_render_shapes(splats, basis, times)
    frames = [render_frame(splats, basis[f], float(times[f]), viewport) for f in range(len(times))]
    pictures = np.array(frames).reshape(-1, 3, viewport.height, viewport.width)
    return pictures[:, : 1 if luma_only else 3].astype(np.float32)


def render_each(splats: Splats, basis: Float32, times: Float32, viewport: Viewport, show: Show) -> None:
    """See interface.Backend.render_each."""
    for f in range(len(times)):
        show(f, render(splats, basis[f : f + 1], times[f : f + 1], viewport)[0])


class Gradients64:
    """Gradients in float64, summed frame by frame; absolute: sums of absolute terms, a scale for rounding errors."""

    def __init__(self, splats: Splats, *, absolute: bool = False) -> None:
        self.splats = splats
        self.absolute = absolute
        self.fields: dict[str, Float64] = {
            name: np.zeros(getattr(splats, name).shape) for name in SplatGradients.__slots__
        }

    def add_frame(self, basis: Float32, time: float, loss_by_picture: Float64, *, only_edge: bool = False) -> None:
        """Add a frame's part, loss_by_picture f64 [3,H,W] being dLoss/dF. only_edge: what the edge pixels weigh."""
        _, height, width = loss_by_picture.shape
        size: Callable[..., Any] = np.abs if self.absolute else np.asarray
        for footprint in footprints(self.splats, basis, time, Viewport(width, height)):
            n = footprint.index
            sigma_u, sigma_v = np.exp(self.splats.log_scales[n].astype(np.float64))
            cosine, sine = math.cos(float(self.splats.angles[n])), math.sin(float(self.splats.angles[n]))
            amplitude = size(self.splats.amplitudes[n].astype(np.float64))
            p, q = size(footprint.p), size(footprint.q)
            loss = loss_by_picture[:, *footprint.window]
            # a weight is a difference, as exact as what is subtracted; at the edge it is nearly 0, only its slope jumps
            weight = footprint.slope if self.absolute else footprint.weight
            by_amplitude = ((AMBIGUITY * footprint.edge if only_edge else weight) * loss).sum(axis=(1, 2))
            by_life = (amplitude * by_amplitude).sum()
            u = (footprint.edge if only_edge else footprint.slope) * np.tensordot(amplitude, loss, 1)
            by_p, by_q = (u * p).sum() / sigma_u, (u * q).sum() / sigma_v
            by_mean = np.array([
                size(cosine) * by_p + size(-sine) * by_q,
                size(sine) * by_p + size(cosine) * by_q,
            ])  # fmt: skip
            from_centre = time - float(self.splats.centres[n])
            inverse = float(self.splats.inverse_durations[n])
            fields = self.fields
            fields["means"][n] += by_mean
            fields["displacements"][n] += size(basis.astype(np.float64))[:, None] * by_mean
            fields["log_scales"][n] += (u * p * p).sum(), (u * q * q).sum()
            fields["angles"][n] += size(sigma_u / sigma_v - sigma_v / sigma_u) * (u * p * q).sum()
            fields["amplitudes"][n] += by_amplitude
            fields["centres"][n] += size(from_centre * inverse * inverse) * by_life
            fields["inverse_durations"][n] += size(-from_centre * from_centre * inverse) * by_life

    def rounded(self) -> SplatGradients:
        return SplatGradients(**{name: values.astype(np.float32) for name, values in self.fields.items()})


def loss_and_gradients(
    splats: Splats,
    basis: Float32,
    times: Float32,
    targets: Float32,
    frame_indices: Int32,
    channel_weights: Float32,
    pixel_weights: Float32 | None = None,
) -> tuple[Float64, SplatGradients]:
    """See interface.Backend.loss_and_gradients."""
    check_loss_shapes(splats, basis, times, targets, frame_indices, channel_weights, pixel_weights)
    viewport = Viewport(targets.shape[3], targets.shape[2])
    squared_errors = np.zeros((len(times), 3))
    gradients = Gradients64(splats)
    weights = channel_weights.astype(np.float64)
    for f in range(len(times)):
        residual = render_frame(splats, basis[f], float(times[f]), viewport) - targets[frame_indices[f]]
        of_pixel = weights_of_frame(pixel_weights, frame_indices[f])
        squared_errors[f] = (of_pixel * residual**2).sum(axis=(1, 2))
        gradients.add_frame(basis[f], float(times[f]), 2.0 * weights[:, None, None] * of_pixel * residual)
    return squared_errors, gradients.rounded()


def weights_of_frame(pixel_weights: Float32 | None, frame: int) -> Float64:
    """Weights f64 [H,W] of one frame's pixels, or 1 in every one."""
    return np.ones((1, 1)) if pixel_weights is None else pixel_weights[frame].astype(np.float64)
