"""A segment's symbols to planes: at the times of its frames or between them, at its own size or any other.

components, summed ─► stages, in order ─► planes
"""

from __future__ import annotations

import numpy as np

from gvideo import raster
from gvideo.decoder.rendering.components import Component, GaussianComponent
from gvideo.decoder.rendering.stages import BaseColourStage, GrainStage, Stage
from gvideo.model.grain import SegmentGrain
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols
from gvideo.raster.interface import Show, blank_pictures
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
        self.width, self.height, self.ticks = width, height, ticks
        self.num_frames = len(ticks) - 1
        self.times = frame_times(ticks)
        self.num_control = symbols.num_path_control
        self._gaussians = GaussianComponent(symbols, rules, width, height, self.times, backend)
        self._components: tuple[Component, ...] = (self._gaussians,)
        self._stages: tuple[Stage, ...] = (BaseColourStage(symbols.base),)
        if grain is not None:
            self._stages += (GrainStage(grain, self.times),)

    @property
    def splats(self) -> Splats:
        """The Gaussians ready to render."""
        return self._gaussians.splats

    def planes(self, times: Float64, viewport: raster.Viewport | None = None) -> Float32:
        """Planes f32 [F,3,H,W] (Y', Cb, Cr without range) at model times f64 [F], by default at the coded size."""
        viewport = viewport or self._viewport((self.width, self.height))
        planes = blank_pictures(len(times), viewport)
        self.draw(times, viewport, planes.__setitem__)
        return planes

    def draw(self, times: Float64, viewport: raster.Viewport | tuple[int, int], show: Show) -> None:
        """planes(), frame by frame, each handed to `show` by the thread that drew it. viewport: or (width, height)."""
        seen = self._viewport(viewport) if isinstance(viewport, tuple) else viewport
        first, *others = self._components
        shares: list[Float32] = []
        for component in others:
            share = blank_pictures(len(times), seen)
            component.draw(times, seen, share.__setitem__)
            shares.append(share)

        def finish(frame: int, planes: Float32) -> None:
            for share in shares:
                planes += share[frame]
            for stage in self._stages:
                stage.apply(planes, float(times[frame]), seen)
            show(frame, planes)

        first.draw(times, seen, finish)

    def _viewport(self, size: tuple[int, int]) -> raster.Viewport:
        width, height = size
        return raster.Viewport(width, height, width / self.width, height / self.height)

    @property
    def num_bytes(self) -> int:
        """Memory that its components take, about."""
        return sum(component.num_bytes for component in self._components)

    def times_at(self, ticks: Float64) -> Float64:
        """Model times f64 [F] of moments in ticks, for frames between frames."""
        if self.num_frames < 2:
            return np.zeros(len(ticks))
        span = float(self.ticks[-2] - self.ticks[0])
        return np.clip((ticks - float(self.ticks[0])) / span, 0.0, 1.0) * (self.num_frames - 1)
