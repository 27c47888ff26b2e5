"""Check mode: run the reference beside a kernel on real data and raise where they differ by more than rounding can.

Every bound follows from the arithmetic of the kernels, per pixel and per gradient:

    |kernel - reference| <= TOLERANCE * (sum of absolute terms)  +  (weight of the pixels at the edge of a support)

A walk of 32 rows multiplies the rounding 2^-24 of a weight by up to 32²/2 = 2^9: 2^-15; its start, the amplitude and
the sum may add as much. At the edge, where the exponent is within 1e-3 of the cut, float32 may decide either way.
"""

from __future__ import annotations

import numpy as np

from gvideo.raster import reference
from gvideo.raster.interface import Backend, Show, SplatGradients, Viewport
from gvideo.types import Float32, Float64, Int32, Splats

TOLERANCE = 2.0**-14
# Smallest difference worth a word: an 1/256 of a code value at 16 bits.
_NEGLIGIBLE = 2.0**-24


class MismatchError(AssertionError):
    """A kernel disagrees with the reference: a bug of ours. Raised in check mode alone."""


def frame_bounds(splats: Splats, basis: Float32, time: float, viewport: Viewport) -> tuple[Float64, Float64, Float64]:
    """One frame f64 [3,H,W]: the reference picture, the sum of absolute terms, and what the edge pixels weigh."""
    picture, magnitude, edge = np.zeros((3, 3, viewport.height, viewport.width))
    for footprint in reference.footprints(splats, basis, time, viewport):
        amplitude = splats.amplitudes[footprint.index].astype(np.float64)[:, None, None]
        picture[:, *footprint.window] += amplitude * footprint.weight
        magnitude[:, *footprint.window] += np.abs(amplitude) * footprint.slope
        edge[:, *footprint.window] += reference.AMBIGUITY * np.abs(amplitude) * footprint.edge
    return picture, magnitude, edge


def _compare(what: str, error: Float64, bound: Float64) -> None:
    excess = error - bound
    # "not (<=)": a NaN is a difference.
    if not (excess <= 0.0).all():
        where = np.unravel_index(int(np.argmax(np.nan_to_num(excess, nan=np.inf))), error.shape)
        place = tuple(int(index) for index in where)
        raise MismatchError(f"{what} differs from the reference at {place}: {error[where]:g}, bound {bound[where]:g}")


def check_render(pictures: Float32, splats: Splats, basis: Float32, times: Float32, viewport: Viewport) -> None:
    """Raise MismatchError unless pictures f32 [F,C,H,W] are what these Gaussians look like."""
    for f, shown in enumerate(pictures):
        expected, magnitude, edge = frame_bounds(splats, basis[f], float(times[f]), viewport)
        bound = (TOLERANCE * magnitude + edge + _NEGLIGIBLE)[: len(shown)]
        _compare(f"frame {f}", np.abs(shown - expected[: len(shown)]), bound)


def check_gradients(
    squared_errors: Float64,
    gradients: SplatGradients,
    splats: Splats,
    basis: Float32,
    times: Float32,
    targets: Float32,
    frame_indices: Int32,
    channel_weights: Float32,
    pixel_weights: Float32 | None = None,
) -> None:
    """Raise MismatchError unless errors and gradients are those of these Gaussians against these targets."""
    viewport = Viewport(targets.shape[3], targets.shape[2])
    of_channel = channel_weights.astype(np.float64)[:, None, None]
    exact = reference.Gradients64(splats)
    bound = reference.Gradients64(splats, absolute=True)
    for f in range(len(times)):
        time = float(times[f])
        picture, magnitude, edge = frame_bounds(splats, basis[f], time, viewport)
        residual = picture - targets[frame_indices[f]]
        error = TOLERANCE * (magnitude + np.abs(targets[frame_indices[f]])) + edge + _NEGLIGIBLE
        of_pixel = reference.weights_of_frame(pixel_weights, frame_indices[f])
        weights = 2.0 * of_channel * of_pixel
        expected = (of_pixel * residual**2).sum(axis=(1, 2))
        allowed = (of_pixel * (2.0 * np.abs(residual) * error + error**2)).sum(axis=(1, 2)) + TOLERANCE * expected
        _compare(f"squared error of frame {f}", np.abs(squared_errors[f] - expected), allowed)
        exact.add_frame(basis[f], time, weights * residual)
        # A product of two rounded factors, and pixels at the edge whose whole term may be there or not.
        size = np.abs(weights) * (np.abs(residual) + error)
        bound.add_frame(basis[f], time, np.abs(weights) * error + TOLERANCE * size)
        bound.add_frame(basis[f], time, size, only_edge=True)
    for name, values in exact.fields.items():
        allowed = bound.fields[name] + TOLERANCE * np.abs(values) + _NEGLIGIBLE
        _compare(f"gradient of {name}", np.abs(getattr(gradients, name) - values), allowed)


class CheckedBackend:
    """A backend whose every result is compared with the reference before it is handed on."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def name(self) -> str:
        return f"{self._backend.name}, checked"

    def render(
        self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False
    ) -> Float32:
        pictures = self._backend.render(splats, basis, times, viewport, luma_only=luma_only)
        check_render(pictures, splats, basis, times, viewport)
        return pictures

    def render_each(self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, show: Show) -> None:
        def checked(frame: int, picture: Float32) -> None:
            of_frame = slice(frame, frame + 1)
            check_render(picture[None], splats, basis[of_frame], times[of_frame], viewport)
            show(frame, picture)

        self._backend.render_each(splats, basis, times, viewport, checked)

    def loss_and_gradients(
        self,
        splats: Splats,
        basis: Float32,
        times: Float32,
        targets: Float32,
        frame_indices: Int32,
        channel_weights: Float32,
        pixel_weights: Float32 | None = None,
    ) -> tuple[Float64, SplatGradients]:
        arguments = (splats, basis, times, targets, frame_indices, channel_weights, pixel_weights)
        squared_errors, gradients = self._backend.loss_and_gradients(*arguments)
        check_gradients(squared_errors, gradients, *arguments)
        return squared_errors, gradients
