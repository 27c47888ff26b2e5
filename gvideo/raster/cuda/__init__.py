"""The Triton backend: tensors on a GPU, or on the CPU when TRITON_INTERPRET=1 has kernels run in Triton's interpreter.

    project -> list_pairs: slots, each of a tile and an instance -> sorted by tile -> prepare: members of tiles
                                                                 collect <- moments in slots <- fit_tiles <-┘

A batch is S segments of F frames each, of one picture size; their Gaussians lie one segment behind the other in the
same arrays. The one thing that the host must know of a step is how many pairs there are; with `capacity` it need not
wait for that, and compares later (what comes back says how many there were).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gvideo.errors import OptionError
from gvideo.extras import load
from gvideo.raster.interface import (
    Show,
    SplatGradients,
    Viewport,
    blank_pictures,
    check_loss_shapes,
    check_render_shapes,
)
from gvideo.types import Float32, Float64, Int32, Splats

#: Gaussians of a program that projects.
_BLOCK = 128
#: Pairs of a program that lists or prepares them.
_PAIR_BLOCK = 256
#: Gaussians of a program that collects, and moments that it reads at once for each: all that fits into registers.
_COLLECT_BLOCK, _LANES = 32, 8
#: Warps of a program: a tile of 256 pixels is one warp's work, so that its sums need no barrier.
_TILE_WARPS = 1
#: Pixels and frames of one launch when many frames are drawn: enough to fill a GPU, little against a segment.
_LAUNCH_PIXELS, _LAUNCH_FRAMES = 1 << 23, 32

# Products and sums are fused, as in the CPU kernels; newer versions of Triton ask for that to be said.
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

_FIELDS = ("means", "displacements", "log_scales", "angles", "amplitudes", "centres", "inverse_durations")


def is_interpreted() -> bool:
    """Whether Triton was told to run kernels on the CPU."""
    return os.environ.get("TRITON_INTERPRET", "0") not in ("", "0")


def device() -> torch.device:
    """Where tensors have to lie. Raises OptionError if kernels can run nowhere."""
    load("triton", "backend 'cuda'")
    if is_interpreted():
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    raise OptionError("backend 'cuda': torch finds no CUDA device; use 'cpu'")


@dataclass(frozen=True, slots=True)
class Batch:
    """Gaussians of S segments on the device: fields of types.Splats as tensors, f32 [N,…]; starts i32 [S+1], and the
    most Gaussians of a segment. basis f32 [S F,K] and times f32 [S F]: row s F + f is frame f of segment s."""

    means: Tensor
    displacements: Tensor
    log_scales: Tensor
    angles: Tensor
    amplitudes: Tensor
    centres: Tensor
    inverse_durations: Tensor
    starts: Tensor
    rows: int
    basis: Tensor
    times: Tensor

    @property
    def num_segments(self) -> int:
        """S."""
        return len(self.starts) - 1

    @property
    def num_frames(self) -> int:
        """F."""
        return len(self.times) // self.num_segments


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who touches which tile. members f32 [pairs, 12] by tile; slots i64: their places in order of instances;
    tile_starts i32 [frames tiles + 1]; ends i64 [instances], whose last is the number of pairs there are, also where
    that is more than the capacity."""

    places: Tensor
    boxes: Tensor
    ends: Tensor
    members: Tensor
    slots: Tensor
    tile_starts: Tensor
    tiles: int
    tiles_x: int


def frames_a_launch(viewport: Viewport) -> int:
    """How many frames to draw at once, at least 1, so that memory for it does not grow with a segment."""
    return min(max(_LAUNCH_PIXELS // (viewport.width * viewport.height), 1), _LAUNCH_FRAMES)


@functools.lru_cache(maxsize=64)
def _view(viewport: Viewport, where: torch.device) -> Tensor:
    """A viewport for `project`, f64 [4]; kept, since handing it over has the host wait for the device."""
    fields = [viewport.scale_x, viewport.offset_x, viewport.scale_y, viewport.offset_y]
    return torch.tensor(fields, dtype=torch.float64, device=where)


@functools.lru_cache(maxsize=64)
def _numbers(count: int, dtype: torch.dtype, where: torch.device) -> Tensor:
    """0 … count-1; kept."""
    return torch.arange(count, dtype=dtype, device=where)


def _plan(batch: Batch, viewport: Viewport, capacity: int | None) -> _Plan:
    from gvideo.raster.cuda import kernels

    side = kernels.TILE
    tiles_x, tiles_y = -(-viewport.width // side), -(-viewport.height // side)
    tiles = tiles_x * tiles_y
    frames, rows = len(batch.times), max(batch.rows, 1)
    where = batch.means.device
    instances = frames * rows
    places = torch.empty((kernels.PLACE_FIELDS, instances), dtype=torch.float64, device=where)
    strengths = torch.empty((kernels.STRENGTH_FIELDS, instances), device=where)
    boxes = torch.empty((3, instances), dtype=torch.int32, device=where)
    kernels.project[(frames, -(-rows // _BLOCK))](
        batch.means, batch.displacements, batch.log_scales, batch.angles, batch.amplitudes, batch.centres,
        batch.inverse_durations, batch.basis, batch.times, batch.starts, places, strengths, boxes, rows,
        batch.num_frames, batch.basis.shape[1], viewport.width, viewport.height, _view(viewport, where),
        BLOCK=_BLOCK,
    )  # fmt: skip
    ends = boxes[2].cumsum(0, dtype=torch.int64)
    pairs = int(ends[-1]) if capacity is None else capacity
    no_tile = frames * tiles
    # a sort by radix takes half the time for half the bits
    keys = torch.empty(pairs, dtype=torch.int16 if no_tile < 1 << 15 else torch.int32, device=where)
    owners = torch.empty(pairs, dtype=torch.int32, device=where)
    grid = (max(-(-pairs // _PAIR_BLOCK), 1),)
    kernels.list_pairs[grid](
        ends, boxes, keys, owners, pairs, instances, rows, tiles, tiles_x, no_tile, instances.bit_length(),
        BLOCK=_PAIR_BLOCK,
    )  # fmt: skip
    keys, slots = torch.sort(keys, stable=True)
    tile_starts = torch.searchsorted(keys, _numbers(no_tile + 1, keys.dtype, where), out_int32=True)
    members = torch.empty((pairs, kernels.MEMBER_FIELDS), device=where)
    kernels.prepare[grid](
        places, strengths, keys, slots, owners, members, pairs, instances, tiles, tiles_x, no_tile, BLOCK=_PAIR_BLOCK
    )
    return _Plan(places, boxes, ends, members, slots, tile_starts, tiles, tiles_x)


def draw(batch: Batch, viewport: Viewport, *, luma_only: bool = False) -> Tensor:
    """Pictures f32 [S F, 3 or 1, H, W] on the device, without base colour."""
    from gvideo.raster.cuda import kernels

    channels = 1 if luma_only else 3
    shape = (len(batch.times), channels, viewport.height, viewport.width)
    pictures = torch.empty(shape, device=batch.means.device)
    plan = _plan(batch, viewport, None)
    kernels.draw[(len(batch.times) * plan.tiles,)](
        plan.members, plan.tile_starts, pictures, plan.tiles, plan.tiles_x, viewport.width, viewport.height,
        viewport.width * viewport.height, CHANNELS=channels, num_warps=_TILE_WARPS,
    )  # fmt: skip
    return pictures


def errors_and_gradients(
    batch: Batch,
    targets: Tensor,
    frame_rows: Tensor,
    weights: tuple[float, float, float],
    capacity: int | None = None,
    pixel_weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """(squared errors f64 [S F,3], gradients by field of Batch, pairs of a Gaussian and a tile i64 [], a tensor).

    targets f32 [T,3,H,W], frame_rows i64 [S F]: the target of each frame. weights: of the channels' errors.
    pixel_weights f32 [T,H,W]: of the pixels' errors, see interface.Backend.loss_and_gradients.
    capacity: pairs that memory is kept for; None waits for the device to say how many there are. Errors and gradients
    do not depend on a capacity of at least the pairs; with less they are wrong, and the caller has to compare.
    """
    import triton

    from gvideo.raster.cuda import kernels

    height, width = targets.shape[2:]
    plan = _plan(batch, Viewport(width, height), capacity)
    where = targets.device
    frames = len(batch.times)
    errors = torch.empty((frames * plan.tiles, 3), device=where)
    pairs = max(len(plan.slots), 1)
    moments = torch.empty((pairs, kernels.MOMENTS), device=where)
    kernels.fit_tiles[(frames * plan.tiles,)](
        plan.members, plan.slots, plan.tile_starts, targets, targets if pixel_weights is None else pixel_weights,
        frame_rows, errors, moments, plan.tiles, plan.tiles_x, width, height, width * height, *weights,
        WEIGHTED=pixel_weights is not None, num_warps=_TILE_WARPS,
    )  # fmt: skip
    gradients = {name: torch.empty_like(getattr(batch, name)) for name in _FIELDS}
    kernels.collect[(batch.num_segments, -(-max(batch.rows, 1) // _COLLECT_BLOCK))](
        moments, plan.places, plan.boxes, plan.ends, batch.log_scales, batch.amplitudes, batch.centres,
        batch.inverse_durations, batch.basis, batch.times, batch.starts,
        *(gradients[name] for name in ("means", "displacements", "log_scales", "angles", "amplitudes", "centres")),
        gradients["inverse_durations"], max(batch.rows, 1), batch.num_frames, batch.basis.shape[1], pairs,
        BLOCK=_COLLECT_BLOCK, LANES=_LANES, CONTROL=triton.next_power_of_2(batch.basis.shape[1]),
    )  # fmt: skip
    return errors.reshape(frames, plan.tiles, 3).sum(1, dtype=torch.float64), gradients, plan.ends[-1]


def _on_device(array: Float32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device())


def _batch(splats: Splats, basis: Float32, times: Float32) -> Batch:
    """One segment, from arrays."""
    starts = torch.tensor([0, len(splats)], dtype=torch.int32, device=device())
    fields = {name: _on_device(getattr(splats, name)) for name in _FIELDS}
    return Batch(**fields, starts=starts, rows=len(splats), basis=_on_device(basis), times=_on_device(times))


def render(splats: Splats, basis: Float32, times: Float32, viewport: Viewport, *, luma_only: bool = False) -> Float32:
    """See interface.Backend.render."""
    pictures = blank_pictures(len(times), viewport, 1 if luma_only else 3)
    for start, drawn in _launches(splats, basis, times, viewport, luma_only):
        pictures[start : start + len(drawn)] = drawn
    return pictures


def render_each(splats: Splats, basis: Float32, times: Float32, viewport: Viewport, show: Show) -> None:
    """See interface.Backend.render_each."""
    for start, drawn in _launches(splats, basis, times, viewport, luma_only=False):
        for number, picture in enumerate(drawn, start):
            show(number, picture)


def _launches(
    splats: Splats, basis: Float32, times: Float32, viewport: Viewport, luma_only: bool
) -> Iterator[tuple[int, Float32]]:
    """The first frame and the pictures f32 [B,C,H,W] of each launch. The Gaussians go to the device once."""
    check_render_shapes(splats, basis, times)
    batch = _batch(splats, basis, times) if len(splats) else None
    step = frames_a_launch(viewport)
    for start in range(0, len(times), step):
        part = slice(start, start + step)
        if batch is None:
            yield start, np.zeros_like(blank_pictures(len(times[part]), viewport, 1 if luma_only else 3))
        else:
            some = replace(batch, basis=batch.basis[part], times=batch.times[part])
            yield start, draw(some, viewport, luma_only=luma_only).cpu().numpy()


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
    if not len(splats) or not len(times):
        squares = np.square(targets[frame_indices].astype(np.float64))
        if pixel_weights is not None:
            squares *= pixel_weights[frame_indices][:, None]
        nothing = {name: np.zeros_like(getattr(splats, name), np.float32) for name in _FIELDS}
        return squares.sum((2, 3)), SplatGradients(**nothing)
    weights = (float(channel_weights[0]), float(channel_weights[1]), float(channel_weights[2]))
    errors, gradients, _ = errors_and_gradients(
        _batch(splats, basis, times), _on_device(targets),
        torch.from_numpy(frame_indices.astype(np.int64)).to(device()), weights,
        pixel_weights=None if pixel_weights is None else _on_device(pixel_weights),
    )  # fmt: skip
    return errors.cpu().numpy(), SplatGradients(**{name: g.cpu().numpy() for name, g in gradients.items()})
