"""Doors to the backends: each imports its machinery when it is first called, not before."""

from __future__ import annotations

from gvideo.raster.interface import SplatGradients, Viewport
from gvideo.types import Float32, Float64, Int32, Splats


class CudaBackend:
    """Triton kernels (cuda.py). Raises OptionError where they cannot run."""

    name = "cuda"

    def __init__(self) -> None:
        from gvideo.raster import cuda

        cuda.device()

    def render(
        self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False
    ) -> Float32:
        from gvideo.raster import cuda

        return cuda.render(splats, basis, times, viewport, luma_only=luma_only)

    def loss_and_gradients(
        self,
        splats: Splats,
        basis: Float32,
        times: Float32,
        targets: Float32,
        frame_indices: Int32,
        channel_weights: Float32,
    ) -> tuple[Float64, SplatGradients]:
        from gvideo.raster import cuda

        return cuda.loss_and_gradients(splats, basis, times, targets, frame_indices, channel_weights)


class CpuBackend:
    """numba kernels on plain threads (cpu.py)."""

    name = "cpu"

    def render(
        self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False
    ) -> Float32:
        from gvideo.raster import cpu

        return cpu.render(splats, basis, times, viewport, luma_only=luma_only)

    def loss_and_gradients(
        self,
        splats: Splats,
        basis: Float32,
        times: Float32,
        targets: Float32,
        frame_indices: Int32,
        channel_weights: Float32,
    ) -> tuple[Float64, SplatGradients]:
        from gvideo.raster import cpu

        return cpu.loss_and_gradients(splats, basis, times, targets, frame_indices, channel_weights)


class ReferenceBackend:
    """float64 NumPy (reference.py): slow, and right by definition."""

    name = "reference"

    def render(
        self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False
    ) -> Float32:
        from gvideo.raster import reference

        return reference.render(splats, basis, times, viewport, luma_only=luma_only)

    def loss_and_gradients(
        self,
        splats: Splats,
        basis: Float32,
        times: Float32,
        targets: Float32,
        frame_indices: Int32,
        channel_weights: Float32,
    ) -> tuple[Float64, SplatGradients]:
        from gvideo.raster import reference

        return reference.loss_and_gradients(splats, basis, times, targets, frame_indices, channel_weights)
