"""Residual-driven growth: new Gaussians where the locally averaged squared residual is large (CODEC.md §7, §13)."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from gvideo.encoder.backends import cpu_growth_kernels
from gvideo.encoder.backends.base import (
    SMALLEST_LOG_START,
    START_AMPLITUDE,
    START_ELONGATION,
    START_SIGMA,
    Generation,
    Residual,
    Target,
)
from gvideo.encoder.motion import trajectories
from gvideo.encoder.motion.flow import Flow
from gvideo.raster.threads import for_each, for_rows
from gvideo.types import Float32, Float64, Int64


def propose(
    residual: Residual,
    count: int,
    total: int,
    life: float,
    theta: Float64,
    flow: Flow,
    target: Target,
    rng: np.random.Generator,
) -> Generation:
    """At most `count` new Gaussians against a residual. total: Gaussians there will be. life: sigma of a new life,
    frames. theta f64 [M,K,2,3]."""
    width, height = target.size
    weights = None if target.weights is None else target.weights[residual.frames]
    interval = target.num_frames / len(residual.frames)
    sigma = math.sqrt(width * height / max(total, 1)) * START_SIGMA
    kernel = int(sigma) // 2 * 2 + 1
    energy = _energy(residual.values[:, 0], weights, kernel, max(1, int(life / interval / 2) // 2 * 2 + 1))
    places = _sample(energy, count, rng)
    count = len(places)
    rows, rest = np.divmod(places, width * height)
    y, x = np.divmod(rest, width)
    points = np.stack([x, y], 1).astype(np.float32)
    amplitude, angle, coherence = _local(residual.values, rows, x, y, kernel)

    frames = residual.frames[rows].astype(np.int64)
    tracks = flow.track(points, frames)
    shares = trajectories.track_weights(tracks, frames, life * 0.7, width, height)
    seen = trajectories.Tracks(points, frames, tracks, shares, width, height)
    errors, means = trajectories.assignment_errors(theta, target.basis, seen)
    chosen = errors.argmin(0)
    elongation = START_ELONGATION * coherence
    log_scale = math.log(max(sigma, 0.7)) + np.stack([-elongation, elongation], 1)
    values = {
        "mean": means[chosen, np.arange(count)],
        "residual": np.zeros((count, target.num_control, 2)),
        "log_scale": np.maximum(log_scale, SMALLEST_LOG_START),
        "angle": angle,
        "luma": amplitude[:, :1] * START_AMPLITUDE,
        "chroma": amplitude[:, 1:] * START_AMPLITUDE,
        "centre": target.times[frames],
        "log_duration": np.full(count, math.log(life)),
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a, np.float32)) for name, a in values.items()}
    return Generation(tensors, torch.from_numpy(chosen), sigma)


def _energy(luma: Float32, weights: Float32 | None, space: int, time: int) -> Float32:
    """Weighted squared residual averaged over a box of space x space px and `time` frames, f32 [T,H,W]."""
    pooled = np.empty(luma.shape, np.float32)

    def pool(k: int) -> None:
        squares = luma[k] * luma[k] if weights is None else luma[k] * luma[k] * weights[k]
        cv2.blur(squares, (space, space), dst=pooled[k], borderType=cv2.BORDER_CONSTANT)

    for_each(len(luma), pool)
    if time == 1:
        return pooled
    mean = np.empty_like(pooled)
    for_rows(luma.shape[1], lambda a, b: cpu_growth_kernels.average_in_time(pooled, time // 2, a, b, mean), least=16)
    return mean


def _sample(energy: Float32, count: int, rng: np.random.Generator) -> Int64:
    """At most `count` places without repetition, in ascending order, with chances in proportion to energy."""
    places = np.empty(count, np.int64)
    found = cpu_growth_kernels.sample_places(energy.reshape(-1), rng.random(count), places)
    return places[:found]


def _local(residual: Float32, frames: Int64, x: Int64, y: Int64, kernel: int) -> tuple[Float32, Float32, Float32]:
    """At each place: mean residual f32 [n,3], the angle across the local structure, and its coherence in [0,1]."""
    amplitude = np.empty((len(frames), 3), np.float32)
    tensor = np.empty((len(frames), 3), np.float32)
    for_rows(
        len(frames),
        lambda a, b: cpu_growth_kernels.describe_places(
            residual, frames[a:b], x[a:b], y[a:b], kernel, amplitude[a:b], tensor[a:b]
        ),
        least=256,
    )
    xx, xy, yy = tensor.T
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) % math.pi
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + 1e-12)
    return amplitude, angle.astype(np.float32), coherence.astype(np.float32)
