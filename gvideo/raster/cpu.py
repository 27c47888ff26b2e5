"""The fast CPU backend: prepares arrays, hands frames to threads, adds up gradients. The work is in cpu_kernels.py.

    shapes (once) -> per frame, one thread: plan -> tiles -> moments [N,8] -> sums over frames -> chain rule

Frames are summed in blocks whose size depends on N alone, so memory stays bounded and results are the same for any
number of threads, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gvideo.raster import threads
from gvideo.raster.cpu_fit import fit_frame
from gvideo.raster.cpu_gradients import apply_chain_rule, sum_frames
from gvideo.raster.cpu_grids import CELL, chain_to_wide, narrow
from gvideo.raster.cpu_kernels import MOMENTS, render_tiles
from gvideo.raster.cpu_plan import SHAPE_FIELDS, describe_on_grids, describe_shapes, plan_frame
from gvideo.raster.interface import (
    Show,
    SplatGradients,
    Viewport,
    blank_pictures,
    check_loss_shapes,
    check_render_shapes,
)
from gvideo.types import Float32, Float64, Int32, Splats

# Moments that may be held at once, in bytes, and the fewest frames of a block (they are the parallel work).
_MOMENT_BYTES = 2**26
_FEWEST_FRAMES = 16
# Tiles of a band when one frame is drawn by several threads.
_BAND = 8


def _as_kernel_array(array: Float32) -> Float32:
    """C order, float32 and writeable, which is what the kernels are compiled for; copies only if it must."""
    flags = array.flags
    if array.dtype == np.float32 and flags.c_contiguous and flags.writeable:
        return array
    return np.require(array, np.float32, ("C", "W"))


def _arrays(splats: Splats) -> tuple[Float32, Float32, Float32, Float32, Float32]:
    return (
        _as_kernel_array(splats.means),
        _as_kernel_array(splats.displacements),
        _as_kernel_array(splats.amplitudes),
        _as_kernel_array(splats.centres),
        _as_kernel_array(splats.inverse_durations),
    )


def _shapes(splats: Splats, scale_x: float, scale_y: float) -> tuple[Float32, Float64]:
    """Shapes and axes of describe_shapes(), with the Gaussians on several threads."""
    scales, angles = _as_kernel_array(splats.log_scales), _as_kernel_array(splats.angles)
    shapes, axes = np.empty((len(angles), SHAPE_FIELDS), np.float32), np.empty((len(angles), 4), np.float64)
    threads.for_rows(
        len(angles), lambda a, b: describe_shapes(scales[a:b], angles[a:b], scale_x, scale_y, shapes[a:b], axes[a:b])
    )
    return shapes, axes


def render(splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False) -> Float32:
    """See interface.Backend.render."""
    pictures = blank_pictures(len(times), viewport, 1 if luma_only else 3)
    _render(splats, basis, times, viewport, lambda frame: pictures[frame], None)
    return pictures


def render_each(splats: Splats, basis: Float32, times: Float32, viewport: Viewport, show: Show) -> None:
    """See interface.Backend.render_each."""
    _render(splats, basis, times, viewport, lambda _: blank_pictures(1, viewport)[0], show)


def _render(
    splats: Splats,
    basis: Float32,
    times: Float32,
    viewport: Viewport,
    picture_of: Callable[[int], Float32],
    show: Show | None,
) -> None:
    """Draws each frame into the picture that is there for it. Parallel over frames, and over bands of tiles if there
    are too few frames."""
    check_render_shapes(splats, basis, times)
    arrays = _arrays(splats)
    basis = _as_kernel_array(basis)
    scale_x, scale_y = float(viewport.scale_x), float(viewport.scale_y)
    offset_x, offset_y = float(viewport.offset_x), float(viewport.offset_y)
    shapes, _ = _shapes(splats, scale_x, scale_y)
    by_band = 1 < threads.num_threads() > len(times)

    def draw(frame: int) -> None:
        records, _, _, tile_starts, tile_members, most_items = plan_frame(
            shapes, *arrays, basis[frame], float(times[frame]),
            viewport.width, viewport.height, scale_x, scale_y, offset_x, offset_y,
        )  # fmt: skip
        tiles = len(tile_starts) - 1
        picture = picture_of(frame)

        def draw_band(band: int) -> None:
            end = min(tiles, (band + 1) * _BAND)
            render_tiles(records, tile_starts, tile_members, most_items, band * _BAND, end, picture)

        if by_band:
            threads.for_each(-(-tiles // _BAND), draw_band)
        else:
            render_tiles(records, tile_starts, tile_members, most_items, 0, tiles, picture)
        if show is not None:
            show(frame, picture)

    if by_band:
        for frame in range(len(times)):
            draw(frame)
    else:
        threads.for_each(len(times), draw)


def loss_and_gradients(
    splats: Splats,
    basis: Float32,
    times: Float32,
    targets: Float32,
    frame_indices: Int32,
    channel_weights: Float32,
    pixel_weights: Float32 | None = None,
) -> tuple[Float64, SplatGradients]:
    """See interface.Backend.loss_and_gradients. Parallel over frames."""
    check_loss_shapes(splats, basis, times, targets, frame_indices, channel_weights, pixel_weights)
    shapes, axes = _shapes(splats, 1.0, 1.0)
    on_grids = shapes, np.empty((0, SHAPE_FIELDS), np.float32), axes
    return _fit(splats, on_grids, basis, times, targets, frame_indices, channel_weights, pixel_weights)


def loss_and_gradients_on_grids(
    splats: Splats,
    basis: Float32,
    times: Float32,
    targets: Float32,
    frame_indices: Int32,
    channel_weights: Float32,
    pixel_weights: Float32 | None = None,
) -> tuple[Float64, SplatGradients]:
    """loss_and_gradients() of pictures whose wide Gaussians are drawn on a grid of a quarter of the size and enlarged
    (cpu_grids.py): near what is drawn, in less time. The gradients are those of these pictures."""
    check_loss_shapes(splats, basis, times, targets, frame_indices, channel_weights, pixel_weights)
    count, scales = len(splats), _as_kernel_array(splats.log_scales)
    wide = np.empty(count, np.bool_)
    drawn = replace(splats, log_scales=np.empty((count, 2), np.float32), amplitudes=np.empty((count, 3), np.float32))
    if not narrow(scales, _as_kernel_array(splats.amplitudes), wide, drawn.log_scales, drawn.amplitudes):
        return loss_and_gradients(splats, basis, times, targets, frame_indices, channel_weights, pixel_weights)
    angles = _as_kernel_array(splats.angles)
    shapes, coarse_shapes = (np.empty((count, SHAPE_FIELDS), np.float32) for _ in range(2))
    axes = np.empty((count, 4), np.float64)
    threads.for_rows(
        count,
        lambda a, b: describe_on_grids(
            drawn.log_scales[a:b], angles[a:b], wide[a:b], 1.0 / CELL, shapes[a:b], coarse_shapes[a:b], axes[a:b]
        ),
    )
    on_grids = shapes, coarse_shapes, axes
    squared_errors, g = _fit(drawn, on_grids, basis, times, targets, frame_indices, channel_weights, pixel_weights)
    chain_to_wide(scales, drawn.log_scales, drawn.amplitudes, wide, g.log_scales, g.amplitudes)
    return squared_errors, g


def _fit(
    splats: Splats,
    on_grids: tuple[Float32, Float32, Float64],
    basis: Float32,
    times: Float32,
    targets: Float32,
    frame_indices: Int32,
    channel_weights: Float32,
    pixel_weights: Float32 | None,
) -> tuple[Float64, SplatGradients]:
    """on_grids: shapes, those on the coarse grid, and axes, see describe_on_grids()."""
    shapes, coarse_shapes, axes = on_grids
    arrays = _arrays(splats)
    basis, times = _as_kernel_array(basis), _as_kernel_array(times)
    weights = _as_kernel_array(channel_weights)
    count = len(splats)
    nothing = np.empty((0, 0), np.float32)
    squared_errors = np.empty((len(times), 3), np.float64)
    sums = np.zeros((count, 10 + 2 * basis.shape[1]), np.float64)
    block = max(_FEWEST_FRAMES, _MOMENT_BYTES // (4 * MOMENTS * max(1, count)))
    for start in range(0, len(times), block):
        end = min(len(times), start + block)
        moments = np.empty((end - start, count, MOMENTS), np.float32)

        def fit(frame: int, start: int = start, moments: Float32 = moments) -> None:
            row = start + frame
            target = _as_kernel_array(targets[frame_indices[row]])
            of_pixel = nothing if pixel_weights is None else _as_kernel_array(pixel_weights[frame_indices[row]])
            fit_frame(
                shapes, coarse_shapes, *arrays, basis[row], float(times[row]), target, 0, weights, of_pixel,
                squared_errors[row], moments[frame],
            )  # fmt: skip

        threads.for_each(end - start, fit)

        def add(first: int, stop: int, start: int = start, end: int = end, moments: Float32 = moments) -> None:
            sum_frames(moments, basis[start:end], times[start:end], *arrays[2:], first, stop, sums)

        threads.for_rows(count, add)
    gradients = SplatGradients(*(np.zeros_like(_as_kernel_array(getattr(splats, name))) for name in _FIELDS))
    apply_chain_rule(sums, axes, *(getattr(gradients, name) for name in _FIELDS))
    return squared_errors, gradients


_FIELDS = ("means", "displacements", "log_scales", "angles", "amplitudes", "centres", "inverse_durations")
