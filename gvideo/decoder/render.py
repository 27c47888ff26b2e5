"""A segment's symbols to planes: at the times of its frames or between them, at its own size or any other."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from gvideo import raster
from gvideo.decoder.antialias import antialiased
from gvideo.model import motion, quantize
from gvideo.model.grain import SegmentGrain
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols
from gvideo.types import Float32, Float64, Int64, Splats


def frame_times(ticks: Int64) -> Float64:
    """Model times f64 [T] of a segment's frames: 0 for the first, T-1 for the last, in proportion to their ticks.

    ticks i64 [T+1]: starts of the frames and the end of the last.
    """
    num = len(ticks) - 1
    if num < 2:
        return np.zeros(num)
    times: Float64 = (ticks[:-1] - ticks[0]) * ((num - 1) / (ticks[-2] - ticks[0]))
    return times


class SegmentRenderer:
    """A dequantised segment. width, height: the size it was coded at. backend: of raster.get_backend(). grain: to draw
    over the luma."""

    def __init__(
        self,
        symbols: SegmentSymbols,
        rules: StepRules,
        width: int,
        height: int,
        ticks: Int64,
        backend: str = "auto",
        grain: SegmentGrain | None = None,
    ) -> None:
        self.backend, self.grain = backend, grain
        self.width, self.height, self.ticks = width, height, ticks
        self.num_frames = len(ticks) - 1
        self.times = frame_times(ticks)
        self.num_control = symbols.num_path_control
        self.splats = quantize.dequantise(symbols, rules, width, height, self.times)
        self._rows: dict[float, int] = {}
        self._filtered: tuple[tuple[float, float], Splats] | None = None
        self.base = quantize.base_planes(symbols.base).astype(np.float32)

    def planes(
        self, times: Float64, size: tuple[int, int] | None = None, viewport: raster.Viewport | None = None
    ) -> Float32:
        """Planes f32 [F,3,H,W] (Y', Cb, Cr without range) at model times f64 [F]; size: (width, height)."""
        if viewport is None:
            width, height = size or (self.width, self.height)
            viewport = raster.Viewport(width, height, width / self.width, height / self.height)
        basis = self._basis_at(times)
        backend = raster.get_backend(self.backend)
        planes = backend.render(self._seen_at(viewport), basis, np.asarray(times, np.float32), viewport)
        planes += self.base[:, None, None]
        if self.grain is not None:
            from gvideo.decoder.grain import draw, frames_at

            draw(planes, self.grain, frames_at(self.times, times), viewport)
        return planes

    def _basis_at(self, times: Float64) -> Float32:
        """Weights f32 [F,K] of the control points; those of frames are kept."""
        if not self._rows:
            self._basis = motion.basis(self.times, self.num_frames, self.num_control)
            self._rows = {time: row for row, time in enumerate(self.times.tolist())}
        rows = [self._rows.get(time, -1) for time in np.asarray(times).tolist()]
        return motion.basis(times, self.num_frames, self.num_control) if -1 in rows else self._basis[rows]

    @property
    def num_bytes(self) -> int:
        """Memory that its Gaussians take, about."""
        return sum(getattr(self.splats, field.name).nbytes for field in fields(self.splats))

    def _seen_at(self, viewport: raster.Viewport) -> Splats:
        """The Gaussians with the pixel filter of a grid; those of the last coarse grid are kept."""
        grid = min(viewport.scale_x, 1.0), min(viewport.scale_y, 1.0)
        if grid == (1.0, 1.0):
            return self.splats
        filtered = self._filtered
        if filtered is None or filtered[0] != grid:
            self._filtered = filtered = grid, antialiased(self.splats, *grid)
        return filtered[1]

    def times_at(self, ticks: Float64) -> Float64:
        """Model times f64 [F] of moments in ticks, for frames between frames."""
        if self.num_frames < 2:
            return np.zeros(len(ticks))
        span = float(self.ticks[-2] - self.ticks[0])
        return np.clip((ticks - float(self.ticks[0])) / span, 0.0, 1.0) * (self.num_frames - 1)
