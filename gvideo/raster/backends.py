"""Doors to the backends: each imports its machinery when it is first called, not before."""

from __future__ import annotations

from collections.abc import Callable

from gvideo.extras import explained
from gvideo.raster.interface import Rasteriser, Show, SplatGradients, Viewport
from gvideo.types import Float32, Float64, Int32, Splats


def _cpu() -> Rasteriser:
    from gvideo.raster import cpu

    return cpu


def _cuda() -> Rasteriser:
    with explained("backend 'cuda'", "cuda"):
        from gvideo.raster import cuda

    return cuda


def _reference() -> Rasteriser:
    from gvideo.raster import reference

    return reference


def require_cuda() -> None:
    """Raises OptionError where the Triton kernels cannot run."""
    with explained("backend 'cuda'", "cuda"):
        from gvideo.raster import cuda

    cuda.device()


#: cpu: numba kernels on plain threads; cuda: Triton kernels; reference: float64 NumPy, slow, and right by definition.
RASTERISERS: dict[str, Callable[[], Rasteriser]] = {"cpu": _cpu, "cuda": _cuda, "reference": _reference}


class LazyBackend:
    """The rasteriser of a name in RASTERISERS, imported when it is first asked for something."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._load = RASTERISERS[name]

    def render(
        self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False
    ) -> Float32:
        return self._load().render(splats, basis, times, viewport, luma_only=luma_only)

    def render_each(self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, show: Show) -> None:
        self._load().render_each(splats, basis, times, viewport, show)

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
        return self._load().loss_and_gradients(
            splats, basis, times, targets, frame_indices, channel_weights, pixel_weights
        )
