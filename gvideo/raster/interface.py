"""What every rasteriser takes and gives: the output grid, the gradients, and the limits of what is drawn.

Spec: CODEC §2. Pixel centres lie on integers; an output pixel (x, y) of a Viewport shows the source position

    source_x = (x + 0.5) / scale_x - 0.5 + offset_x        (likewise y)

so scale 2 with offset 0 covers the same rectangle of the plane with twice the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gvideo.types import Float32, Float64, Int32, Splats

# The support ends where the exponent falls to -SUPPORT_EXPONENT, and what is left there, FLOOR, is taken off
# everywhere inside, so that a Gaussian ends without a step. Lives end with a step, at exp(-LIFE_EXPONENT).
SUPPORT_EXPONENT = 4.0
FLOOR = math.exp(-SUPPORT_EXPONENT)
LIFE_EXPONENT = 5.0

# A Gaussian outside these limits, or with a parameter that is not finite, is not drawn and has no gradient.
# They are far beyond what the syntax can express; they keep every intermediate of a float32 kernel finite.
LARGEST_LOG_SCALE = 16.0
LARGEST_POSITION_PX = float(2**22)
LARGEST_AMPLITUDE = float(2**16)

#: Takes a frame's number within a call and its picture f32 [3,H,W], which is the taker's to keep and to change.
Show = Callable[[int, Float32], None]

LARGEST_SIDE_PX = 2**16
LARGEST_ZOOM = 1024.0


@dataclass(frozen=True, slots=True)
class Viewport:
    """The output grid over the plane of the picture.

    Args:
        width: pixels of a row, 1 to 65536.
        height: rows, 1 to 65536.
        scale_x: output px a source px, 1/1024 to 1024.
        scale_y: output px a source px, 1/1024 to 1024.
        offset_x: left edge, source px.
        offset_y: upper edge, source px.

    Raises:
        ValueError: sides or scales are out of range, or an offset is not finite.

    Example:
        >>> gvideo.raster.Viewport(320, 180, scale_x=0.5, scale_y=0.5).offset_x
        0.0
    """

    width: int
    height: int
    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0

    def __post_init__(self) -> None:
        if not (1 <= self.width <= LARGEST_SIDE_PX and 1 <= self.height <= LARGEST_SIDE_PX):
            raise ValueError(f"a viewport of {self.width}x{self.height} pixels: sides must be 1 to {LARGEST_SIDE_PX}")
        for scale in (self.scale_x, self.scale_y):
            if not 1.0 / LARGEST_ZOOM <= scale <= LARGEST_ZOOM:
                raise ValueError(f"a viewport scale of {scale}: must be 1/{LARGEST_ZOOM:g} to {LARGEST_ZOOM:g}")
        for offset in (self.offset_x, self.offset_y):
            if not (math.isfinite(offset) and abs(offset) <= LARGEST_POSITION_PX):
                raise ValueError(f"a viewport offset of {offset}: must be finite and at most {LARGEST_POSITION_PX:g}")


@dataclass(frozen=True, slots=True)
class SplatGradients:
    """Derivatives of the loss by each field of Splats: same names, shapes and type (float32).

    Args:
        means: by the positions, f32 [N,2].
        displacements: by the control points of the motion, f32 [N,K,2].
        log_scales: by the logarithms of the scales, f32 [N,2].
        angles: by the angles, f32 [N].
        amplitudes: by the amplitudes, f32 [N,3].
        centres: by the centres of the lives, f32 [N].
        inverse_durations: by the inverse durations, f32 [N].

    Example:
        >>> [field.name for field in dataclasses.fields(gvideo.raster.SplatGradients)][:2]
        ['means', 'displacements']
    """

    means: Float32
    displacements: Float32
    log_scales: Float32
    angles: Float32
    amplitudes: Float32
    centres: Float32
    inverse_durations: Float32


class Rasteriser(Protocol):
    """An implementation of the signal model, module or object. All agree within float32 rounding (see check.py)."""

    def render(
        self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False
    ) -> Float32:
        """Frames f32 [F,3,H,W] ([F,1,H,W] if luma_only), without base colour.

        basis f32 [F,K]: weight of each control point in each frame. times f32 [F]: frames, against Splats.centres.
        """

    def render_each(self, splats: Splats, basis: Float32, times: Float32, viewport: Viewport, show: Show) -> None:
        """render(), frame by frame: `show` is called as soon as a frame is drawn, by the thread that drew it, in any
        order. What is done there is done side by side too, and while the picture is in the cache."""

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
        """Squared error f64 [F,3] per frame and channel, and the gradients of sum_fc weight_c * error_fc.

        targets f32 [T,3,H,W]; row f of basis and times is compared with targets[frame_indices[f]]. channel_weights
        f32 [3] are not in the errors; pixel_weights f32 [T,H,W], of each pixel's squared error in all channels, are.
        """


class Backend(Rasteriser, Protocol):
    """A rasteriser with a name, as get_backend gives it.

    Example:
        >>> gvideo.raster.get_backend("reference").name
        'reference'
    """

    @property
    def name(self) -> str: ...


def blank_pictures(count: int, viewport: Viewport, channels: int = 3) -> Float32:
    """Pictures f32 [count,channels,H,W] for a rasteriser to fill."""
    return np.empty((count, channels, viewport.height, viewport.width), np.float32)


def check_render_shapes(splats: Splats, basis: Float32, times: Float32) -> None:
    """Raise ValueError unless the arrays of a call fit together; kernels rely on it and check nothing."""
    count = len(splats)
    if splats.displacements.ndim != 3:
        raise ValueError(f"displacements have shape {splats.displacements.shape}, not [N,K,2]")
    control_points = splats.displacements.shape[1]
    expected = {
        "means": (count, 2),
        "displacements": (count, control_points, 2),
        "log_scales": (count, 2),
        "angles": (count,),
        "amplitudes": (count, 3),
        "centres": (count,),
        "inverse_durations": (count,),
    }
    for field, shape in expected.items():
        actual = getattr(splats, field).shape
        if actual != shape:
            raise ValueError(f"{field} has shape {actual}, expected {shape}")
    if basis.shape != (len(times), control_points) or times.ndim != 1:
        raise ValueError(f"basis {basis.shape} and times {times.shape} do not fit {control_points} control points")


def check_loss_shapes(
    splats: Splats,
    basis: Float32,
    times: Float32,
    targets: Float32,
    frame_indices: Int32,
    channel_weights: Float32,
    pixel_weights: Float32 | None,
) -> None:
    """Raise ValueError unless the arrays of a call fit together and every frame index names a target."""
    check_render_shapes(splats, basis, times)
    if targets.ndim != 4 or targets.shape[1] != 3:
        raise ValueError(f"targets have shape {targets.shape}, not [T,3,H,W]")
    if frame_indices.shape != times.shape or channel_weights.shape != (3,):
        raise ValueError(f"frame_indices {frame_indices.shape} or channel_weights {channel_weights.shape} do not fit")
    if pixel_weights is not None and pixel_weights.shape != (len(targets), *targets.shape[2:]):
        raise ValueError(f"pixel_weights {pixel_weights.shape} do not fit targets {targets.shape}")
    if len(frame_indices) and not 0 <= frame_indices.min() <= frame_indices.max() < len(targets):
        raise ValueError(f"frame_indices must lie in 0..{len(targets) - 1}")
