"""Components of a segment: what is drawn by itself and summed. There is one kind, moving Gaussians.

    symbols -> component: planes f32 [3,H,W] at any times, at any grid -> the sum of all

How to add a kind stands in docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Protocol

import numpy as np

from gvideo import raster
from gvideo.decoder.rendering.antialias import antialiased
from gvideo.model import motion, quantize
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols
from gvideo.raster.interface import Show
from gvideo.types import Float32, Float64, Splats


class Component(Protocol):
    """What a segment's picture is a sum of."""

    def draw(self, times: Float64, viewport: raster.Viewport, show: Show) -> None:
        """Hands out its share f32 [3,H,W] of Y', Cb, Cr at each of the model times f64 [F] (see Show): by several
        threads, in any order."""

    @property
    def num_bytes(self) -> int:
        """Memory that it takes, about."""


class GaussianComponent:
    """A segment's Gaussians, dequantised. times f64 [T]: of its frames. backend: of raster.get_backend()."""

    def __init__(
        self, symbols: SegmentSymbols, rules: StepRules, width: int, height: int, times: Float64, backend: str
    ) -> None:
        self._backend, self._times = backend, times
        self._num_control = symbols.num_path_control
        self.splats = quantize.dequantise(symbols, rules, width, height, times)
        self._rows: dict[float, int] = {}
        self._filtered: tuple[tuple[float, float], Splats] | None = None

    def draw(self, times: Float64, viewport: raster.Viewport, show: Show) -> None:
        """The sum of all Gaussians (Component.draw)."""
        backend, moments = raster.get_backend(self._backend), np.asarray(times, np.float32)
        backend.render_each(self._seen_at(viewport), self._basis_at(times), moments, viewport, show)

    @property
    def num_bytes(self) -> int:
        """Memory that its arrays take."""
        return sum(getattr(self.splats, field.name).nbytes for field in fields(self.splats))

    def _basis_at(self, times: Float64) -> Float32:
        """Weights f32 [F,K] of the control points; those of frames are kept."""
        num_frames = len(self._times)
        if not self._rows:
            self._basis = motion.basis(self._times, num_frames, self._num_control)
            self._rows = {time: row for row, time in enumerate(self._times.tolist())}
        rows = [self._rows.get(time, -1) for time in np.asarray(times).tolist()]
        return motion.basis(times, num_frames, self._num_control) if -1 in rows else self._basis[rows]

    def _seen_at(self, viewport: raster.Viewport) -> Splats:
        """The Gaussians with the pixel filter of a grid; those of the last coarse grid are kept."""
        grid = min(viewport.scale_x, 1.0), min(viewport.scale_y, 1.0)
        if grid == (1.0, 1.0):
            return self.splats
        filtered = self._filtered
        if filtered is None or filtered[0] != grid:
            self._filtered = filtered = grid, antialiased(self.splats, *grid)
        return filtered[1]
