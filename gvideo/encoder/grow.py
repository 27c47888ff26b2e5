"""Residual-driven growth: new Gaussians where the locally averaged squared residual is large (CODEC.md §7, §13)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from gvideo.encoder import trajectories
from gvideo.encoder.flow import Flow
from gvideo.encoder.objective import Target
from gvideo.encoder.parameters import Values
from gvideo.types import Float32, Float64, Int64

#: Sigma of a new Gaussian over the mean distance of its generation.
START_SIGMA = 0.6
#: Share of the local residual that a new Gaussian takes at once.
START_AMPLITUDE = 0.5
#: Elongation along the structure tensor, nats either way at full coherence.
START_ELONGATION = 0.4
SMALLEST_LOG_START = -0.35


@dataclass(frozen=True)
class Generation:
    """New Gaussians: values per attribute, their trajectories, and their sigma in px before elongation."""

    values: Values
    trajectory: Tensor
    sigma: float


def propose(
    residual: Float32,
    count: int,
    total: int,
    life: float,
    theta: Float64,
    flow: Flow,
    target: Target,
    rng: np.random.Generator,
) -> Generation:
    """`count` new Gaussians against a residual f32 [T,3,H,W] (source less picture). total: Gaussians there will be.
    life: sigma of a new life, frames. theta f64 [M,K,2,3]."""
    _, _, height, width = residual.shape
    sigma = math.sqrt(width * height / max(total, 1)) * START_SIGMA
    kernel = int(sigma) // 2 * 2 + 1
    energy = _energy(residual[:, 0], target.weights, kernel, max(1, int(life / 2) // 2 * 2 + 1))
    places = _sample(energy, count, rng)
    frames, rest = np.divmod(places, width * height)
    y, x = np.divmod(rest, width)
    points = np.stack([x, y], 1).astype(np.float32)
    amplitude, angle, coherence = _local(residual, frames, x, y, kernel)

    tracks = flow.track(points, frames)
    weights = trajectories.track_weights(tracks, frames, life * 0.7, width, height)
    seen = trajectories.Tracks(points, frames, tracks, weights, width, height)
    errors, means = trajectories.assignment_errors(theta, target.basis, seen)
    chosen = errors.argmin(0)
    elongation = START_ELONGATION * coherence
    log_scale = math.log(max(sigma, 0.7)) + np.stack([-elongation, elongation], 1)
    values = {
        "mean": means[chosen, np.arange(count)],
        "residual": np.zeros((count, target.basis.shape[1], 2)),
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
    squares = (f * f if weights is None else f * f * weights[k] for k, f in enumerate(luma))
    pooled = np.stack([cv2.blur(s, (space, space), borderType=cv2.BORDER_CONSTANT) for s in squares])
    if time == 1:
        return pooled
    sums = np.concatenate([np.zeros_like(pooled[:1]), np.cumsum(pooled, 0, dtype=np.float64)])
    index = np.arange(len(luma))
    low, high = np.maximum(index - time // 2, 0), np.minimum(index + time // 2 + 1, len(luma))
    mean: Float32 = ((sums[high] - sums[low]) / (high - low)[:, None, None]).astype(np.float32)
    return mean


def _sample(energy: Float32, count: int, rng: np.random.Generator) -> Int64:
    """`count` places without repetition, with probability proportional to energy (exponential race)."""
    flat = energy.reshape(-1).astype(np.float64) + 1e-8
    keys = rng.standard_exponential(len(flat)) / flat
    return np.sort(np.argpartition(keys, min(count, len(flat) - 1))[:count]).astype(np.int64)


def _local(residual: Float32, frames: Int64, x: Int64, y: Int64, kernel: int) -> tuple[Float32, Float32, Float32]:
    """At each place: mean residual f32 [n,3], the angle across the local structure, and its coherence in [0,1]."""
    amplitude = np.zeros((len(frames), 3), np.float32)
    tensor = np.zeros((len(frames), 3), np.float32)
    for frame in np.unique(frames):
        members = np.flatnonzero(frames == frame)
        rows, columns = y[members], x[members]
        for channel in range(3):
            mean = cv2.blur(residual[frame, channel], (kernel, kernel), borderType=cv2.BORDER_CONSTANT)
            amplitude[members, channel] = mean[rows, columns]
        smooth = cv2.blur(residual[frame, 0], (3, 3), borderType=cv2.BORDER_CONSTANT)
        gx, gy = np.zeros_like(smooth), np.zeros_like(smooth)
        gx[:, 1:-1] = (smooth[:, 2:] - smooth[:, :-2]) / 2
        gy[1:-1] = (smooth[2:] - smooth[:-2]) / 2
        for k, product in enumerate((gx * gx, gx * gy, gy * gy)):
            box = cv2.blur(product, (kernel + 2, kernel + 2), borderType=cv2.BORDER_CONSTANT)
            tensor[members, k] = box[rows, columns]
    xx, xy, yy = tensor.T
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) % math.pi
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + 1e-12)
    return amplitude, angle.astype(np.float32), coherence.astype(np.float32)
