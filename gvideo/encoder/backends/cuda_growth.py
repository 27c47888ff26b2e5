"""Growth on a GPU: the proposals of cpu_growth.py with everything as tensors, so that residuals never leave the device.

    residual ── frame by frame ──► energy ──► race: the `count` best places so far ──► places, by frame
                                                                                          │
         values ◄── trajectory of the least error ◄── tracks of some thousand places ◄────┴── colour, structure
                                                      at a time                               of a frame at a time

Nothing is as large as the clip but the clip, its flow and the residual.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from gvideo.encoder.backends.base import (
    SMALLEST_LOG_START,
    START_AMPLITUDE,
    START_ELONGATION,
    START_SIGMA,
    Generation,
    Residual,
    Target,
)
from gvideo.encoder.motion.flow import Flow
from gvideo.encoder.motion.track_kernels import MEAN_ITERATIONS
from gvideo.encoder.motion.trajectories import REST_BONUS

#: Points of tracks, frames times Gaussians, that are held at a time.
_TRACK_POINTS = 1 << 20


class CudaGrowth:
    """A segment's flow on the device, and places for new Gaussians.

    Bytes for T frames of W x H px: 16 (T-1) W H for the flow, for as long as this lives. A proposal of n Gaussians with
    K control points among M trajectories adds at most about

        40 W H + (50 T + 60 K + 24 M + 150) min(n, _TRACK_POINTS / T) + (100 + 8 K) n

    for the frame at work, the tracks at work and what is proposed, without what torch's operations need for themselves.
    """

    def __init__(self, flow: Flow, target: Target, device: torch.device, pixel_weights: Tensor | None = None) -> None:
        """pixel_weights: those of the target, on the device already."""
        self.device = device
        self.pixel_weights = pixel_weights
        self.target = target
        self.forward = torch.from_numpy(flow.forward).to(device).permute(0, 3, 1, 2)
        self.backward = torch.from_numpy(flow.backward).to(device).permute(0, 3, 1, 2)
        self.basis = torch.from_numpy(target.basis).to(device)
        self.times = torch.from_numpy(target.times).to(device)
        self._size = torch.tensor([float(side) for side in target.size], device=device)

    def propose(
        self, residual: Residual, count: int, total: int, life: float, theta: Tensor, rng: np.random.Generator
    ) -> Generation:
        """See cpu_growth.propose(). The residual and theta f32 [M,K,2,3] are on the device."""
        width, height = self.target.size
        sigma = math.sqrt(width * height / max(total, 1)) * START_SIGMA
        kernel = int(sigma) // 2 * 2 + 1
        interval = self.target.num_frames / len(residual.frames)
        numbers = torch.from_numpy(residual.frames.astype("int64")).to(self.device)
        whole = self.pixel_weights  # planes of which are looked at, not copied
        weights = None if whole is None else [whole[k] for k in residual.frames.tolist()]
        energies = _energies(residual.values[:, 0], weights, kernel, max(1, int(life / interval / 2) // 2 * 2 + 1))
        places = self._sample(energies, count, rng)
        rows = places // (width * height)
        frames = numbers[rows]
        y, x = places % (width * height) // width, places % width
        amplitude, angle, coherence = _local(residual.values, rows, y, x, kernel)
        points = torch.stack([x, y], 1).float()
        chosen, means = self._follow(theta.double(), points, frames, life * 0.7)
        elongation = START_ELONGATION * coherence
        log_scale = math.log(max(sigma, 0.7)) + torch.stack([-elongation, elongation], 1)
        values = {
            "mean": means,
            "residual": torch.zeros((count, self.target.num_control, 2), device=self.device),
            "log_scale": log_scale.clamp(min=SMALLEST_LOG_START),
            "angle": angle,
            "luma": amplitude[:, :1] * START_AMPLITUDE,
            "chroma": amplitude[:, 1:] * START_AMPLITUDE,
            "centre": self.times[frames],
            "log_duration": torch.full((count,), math.log(life), device=self.device),
        }
        return Generation(values, chosen, sigma)

    def _sample(self, energies: Iterable[Tensor], count: int, rng: np.random.Generator) -> Tensor:
        """`count` places without repetition, in ascending order, with probability proportional to energy (exponential
        race). energies: f32 [H,W], frame by frame; of each no more than `count` places stay in the race."""
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        keys = torch.empty(0, dtype=torch.float64, device=self.device)
        places = torch.empty(0, dtype=torch.int64, device=self.device)
        first = 0
        for energy in energies:
            # in float32 the race's first, of some hundred million, would be ties
            race = torch.empty(energy.numel(), dtype=torch.float64, device=self.device)
            race.exponential_(generator=generator).div_(energy.reshape(-1).double() + 1e-8)
            best, at = race.topk(min(count, len(race)), largest=False)
            keys, places = torch.cat([keys, best]), torch.cat([places, at + first])
            if len(keys) > count:
                keys, at = keys.topk(count, largest=False)
                places = places[at]
            first += energy.numel()
        return places.sort()[0]

    def _follow(self, theta: Tensor, points: Tensor, frames: Tensor, spread: float) -> tuple[Tensor, Tensor]:
        """(trajectory of the least error i64 [n], means f32 [n,2] that follow it) of points f32 [n,2] in their frames.
        spread: sigma of the frames that count, around each point's own."""
        chosen = torch.empty(len(points), dtype=torch.int64, device=self.device)
        means = torch.empty_like(points)
        step = max(_TRACK_POINTS // self.target.num_frames, 1)
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            tracks = self.track(points[part], frames[part])
            weights = self._weights(tracks, frames[part], spread)
            errors, candidates = self.assignment_errors(theta, points[part], frames[part], tracks, weights)
            best = errors.argmin(0)
            chosen[part] = best
            means[part] = candidates[best, torch.arange(len(best), device=self.device)].float()
        return chosen, means

    def track(self, points: Tensor, frames: Tensor) -> Tensor:
        """See Flow.track: positions f32 [T,n,2] of points f32 [n,2] seen in their frames [n]."""
        num_frames = self.target.num_frames
        tracks = torch.zeros((num_frames, len(points), 2), device=self.device)
        tracks[frames, torch.arange(len(points), device=self.device)] = points
        for k in range(num_frames - 1):
            moved = tracks[k] + self._flow_at(self.forward[k], tracks[k])
            tracks[k + 1] = torch.where((frames <= k)[:, None], moved, tracks[k + 1])
        for k in range(num_frames - 2, -1, -1):
            moved = tracks[k + 1] + self._flow_at(self.backward[k], tracks[k + 1])
            tracks[k] = torch.where((frames > k)[:, None], moved, tracks[k])
        return tracks

    def _flow_at(self, field: Tensor, points: Tensor) -> Tensor:
        grid = (points / (self._size - 1).clamp(min=1) * 2 - 1)[None, None]
        return F.grid_sample(field[None], grid, padding_mode="border", align_corners=True)[0, :, 0].T

    def _weights(self, tracks: Tensor, frames: Tensor, spread: float) -> Tensor:
        """See trajectories.track_weights."""
        width, height = self.target.size
        time = torch.arange(len(tracks), device=self.device)[:, None]
        weight = (-0.5 * ((time - frames) / spread).square()).exp()
        x, y = tracks[..., 0], tracks[..., 1]
        return torch.where((x >= 0) & (x < width) & (y >= 0) & (y < height), weight, 0.0)

    def assignment_errors(
        self, theta: Tensor, points: Tensor, frames: Tensor, tracks: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See trajectories.assignment_errors: (errors f64 [M,n], means f64 [M,n,2])."""
        unit, middle = max(self.target.size) / 4, self._size / 2
        basis = self.basis.double()
        total = weights.double().sum(0).clamp(min=1e-6)
        errors, all_means = [], []
        for one in theta:
            means = points.double()
            for iteration in range(MEAN_ITERATIONS + 1):
                phi = torch.cat([torch.ones_like(means[:, :1]), (means - middle) / unit], 1)
                control = torch.einsum("kcf,nf->nkc", one, phi)
                if iteration == MEAN_ITERATIONS:
                    break
                means = points - torch.einsum("nk,nkc->nc", basis[frames], control)
            path = torch.einsum("tk,nkc->tnc", self.basis, control.float()) + means.float()
            distance = (path - tracks).abs().sum(-1)
            errors.append(((1 + 2 * distance).log2() * weights).double().sum(0) / total)
            all_means.append(means)
        errors[0] = errors[0] - REST_BONUS
        return torch.stack(errors), torch.stack(all_means)


def _energies(luma: Tensor, weights: Sequence[Tensor] | Tensor | None, space: int, time: int) -> Iterator[Tensor]:
    """Squared residual, weighted, averaged over a box of space x space px and `time` frames, of luma f32 [T,H,W]: frame
    by frame f32 [H,W], by a running sum over the window. What leaves the window is blurred again rather than kept."""

    def pooled(k: int) -> Tensor:
        squares = luma[k].square() if weights is None else luma[k].square() * weights[k]
        return _box(squares[None, None], space)[0, 0]

    if time == 1:
        yield from map(pooled, range(len(luma)))
        return
    total = torch.zeros(luma.shape[1:], dtype=torch.float64, device=luma.device)
    begin = end = 0
    for k in range(len(luma)):
        while end < min(k + time // 2 + 1, len(luma)):
            total += pooled(end)
            end += 1
        while begin < k - time // 2:
            total -= pooled(begin)
            begin += 1
        yield (total / (end - begin)).float()


def _box(planes: Tensor, size: int) -> Tensor:
    """Mean of [T,C,H,W] over size x size px, 0 outside the picture."""
    if size == 1:
        return planes
    rows = F.avg_pool2d(planes, (1, size), 1, (0, size // 2))
    return F.avg_pool2d(rows, (size, 1), 1, (size // 2, 0))


def _local(residual: Tensor, frames: Tensor, y: Tensor, x: Tensor, kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """At each place: mean residual f32 [n,3], the angle across the local structure, and its coherence in [0,1].
    frames i64 [n] must ascend."""
    amplitude, tensor = residual.new_empty((len(frames), 3)), residual.new_empty((len(frames), 3))
    numbers = torch.arange(len(residual) + 1, device=frames.device)
    ends = torch.searchsorted(frames, numbers).tolist()
    for k, (start, end) in enumerate(itertools.pairwise(ends)):
        if end > start:
            rows, columns = y[start:end], x[start:end]
            amplitude[start:end] = _box(residual[k : k + 1], kernel)[0][:, rows, columns].T
            tensor[start:end] = _box(_structure(residual[k, 0]), kernel + 2)[0][:, rows, columns].T
    xx, xy, yy = tensor.T
    angle = (0.5 * torch.atan2(2 * xy, xx - yy)).remainder(math.pi)
    coherence = ((xx - yy).square() + 4 * xy * xy).sqrt() / (xx + yy + 1e-12)
    return amplitude, angle, coherence


def _structure(luma: Tensor) -> Tensor:
    """Products f32 [1,3,H,W] of the slopes of a plane [H,W]: x x, x y, y y."""
    smooth = _box(luma[None, None], 3)
    gx, gy = torch.zeros_like(smooth), torch.zeros_like(smooth)
    gx[..., 1:-1] = (smooth[..., 2:] - smooth[..., :-2]) / 2
    gy[..., 1:-1, :] = (smooth[..., 2:, :] - smooth[..., :-2, :]) / 2
    return torch.cat([gx * gx, gx * gy, gy * gy], 1)
