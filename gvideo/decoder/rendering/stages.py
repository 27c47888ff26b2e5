"""Stages of drawing: what is done to the sum of a segment's components, in order, before colour is converted."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gvideo import raster
from gvideo.model import quantize
from gvideo.model.grain import SegmentGrain
from gvideo.types import Float32, Float64


class Stage(Protocol):
    """A step over planes that are drawn."""

    def apply(self, planes: Float32, time: float, viewport: raster.Viewport) -> None:
        """Changes planes f32 [3,H,W] at a model time in place. Several threads may call it, for different planes."""


class BaseColourStage:
    """Adds the segment's base colour: symbols i64 [3] (SegmentSymbols.base)."""

    def __init__(self, base: tuple[int, int, int]) -> None:
        self._base = quantize.base_planes(base).astype("f4")

    def apply(self, planes: Float32, time: float, viewport: raster.Viewport) -> None:
        """Adds it everywhere (Stage.apply)."""
        for plane, value in zip(planes, self._base, strict=True):
            plane += value


class GrainStage:
    """Draws grain over the luma. times f64 [T]: model times of the segment's frames, each of which has its own."""

    def __init__(self, grain: SegmentGrain, times: Float64) -> None:
        self._grain, self._times = grain, times

    def apply(self, planes: Float32, time: float, viewport: raster.Viewport) -> None:
        """Adds the grain of the frame on screen (Stage.apply)."""
        from gvideo.decoder.rendering.grain import draw, frames_at

        draw(planes[None], self._grain, frames_at(self._times, np.array([time])), viewport)
