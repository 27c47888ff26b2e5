"""Growth on a GPU: the proposals of grow.py with everything as tensors, so that residuals never leave the device."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from gvideo.encoder.flow import Flow
from gvideo.encoder.grow import SMALLEST_LOG_START, START_AMPLITUDE, START_ELONGATION, START_SIGMA, Generation
from gvideo.encoder.objective import Target
from gvideo.encoder.trajectories import REST_BONUS


class CudaGrowth:
    """A segment's flow on the device, and places for new Gaussians."""

    def __init__(self, flow: Flow, target: Target, device: torch.device) -> None:
        self.device = device
        self.target = target
        self.forward = torch.from_numpy(flow.forward).to(device).permute(0, 3, 1, 2)
        self.backward = torch.from_numpy(flow.backward).to(device).permute(0, 3, 1, 2)
        self.basis = torch.from_numpy(target.basis).to(device)
        self.times = torch.from_numpy(target.times).to(device)

    def propose(
        self, residual: Tensor, count: int, total: int, life: float, theta: Tensor, rng: np.random.Generator
    ) -> Generation:
        """See grow.propose(). residual f32 [T,3,H,W], theta f32 [M,K,2,3], both on the device."""
        width, height = self.target.size
        sigma = math.sqrt(width * height / max(total, 1)) * START_SIGMA
        kernel = int(sigma) // 2 * 2 + 1
        energy = self._energy(residual[:, 0], kernel, max(1, int(life / 2) // 2 * 2 + 1))
        places = self._sample(energy, count, rng)
        frames = places // (width * height)
        y, x = places % (width * height) // width, places % width
        amplitude, angle, coherence = _local(residual, frames, y, x, kernel)
        points = torch.stack([x, y], 1).float()
        tracks = self.track(points, frames)
        weights = self._weights(tracks, frames, life * 0.7)
        errors, means = self.assignment_errors(theta.double(), points, frames, tracks, weights)
        chosen = errors.argmin(0)
        elongation = START_ELONGATION * coherence
        log_scale = math.log(max(sigma, 0.7)) + torch.stack([-elongation, elongation], 1)
        values = {
            "mean": means[chosen, torch.arange(len(chosen), device=self.device)].float(),
            "residual": torch.zeros((count, self.basis.shape[1], 2), device=self.device),
            "log_scale": log_scale.clamp(min=SMALLEST_LOG_START),
            "angle": angle,
            "luma": amplitude[:, :1] * START_AMPLITUDE,
            "chroma": amplitude[:, 1:] * START_AMPLITUDE,
            "centre": self.times[frames],
            "log_duration": torch.full((count,), math.log(life), device=self.device),
        }
        return Generation(values, chosen, sigma)

    def _energy(self, luma: Tensor, space: int, time: int) -> Tensor:
        """Squared residual averaged over a box of space x space px and `time` frames, f32 [T,H,W]."""
        pooled = _box(luma.square()[:, None], space)[:, 0]
        if time == 1:
            return pooled
        sums = F.pad(pooled.double().cumsum(0), (0, 0, 0, 0, 1, 0))
        index = torch.arange(len(luma), device=luma.device)
        low, high = (index - time // 2).clamp(min=0), (index + time // 2 + 1).clamp(max=len(luma))
        return ((sums[high] - sums[low]) / (high - low)[:, None, None]).float()

    def _sample(self, energy: Tensor, count: int, rng: np.random.Generator) -> Tensor:
        """`count` places without repetition, with probability proportional to energy (exponential race)."""
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        race = torch.empty(energy.numel(), dtype=torch.float64, device=self.device).exponential_(generator=generator)
        keys = race / (energy.reshape(-1).double() + 1e-8)
        return keys.topk(min(count, len(keys)), largest=False)[1].sort()[0]

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
        width, height = self.target.size
        size = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=torch.float32, device=self.device)
        grid = (points / size * 2 - 1)[None, None]
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
        width, height = self.target.size
        unit, middle = max(width, height) / 4, torch.tensor([width / 2, height / 2], device=self.device)
        basis = self.basis.double()
        total = weights.double().sum(0).clamp(min=1e-6)
        errors, all_means = [], []
        for one in theta:
            means = points.double()
            for iteration in range(5):
                phi = torch.cat([torch.ones_like(means[:, :1]), (means - middle) / unit], 1)
                control = torch.einsum("kcf,nf->nkc", one, phi)
                if iteration == 4:
                    break
                means = points - torch.einsum("nk,nkc->nc", basis[frames], control)
            path = torch.einsum("tk,nkc->tnc", self.basis, control.float()) + means.float()
            distance = (path - tracks).abs().sum(-1)
            errors.append(((1 + 2 * distance).log2() * weights).double().sum(0) / total)
            all_means.append(means)
        errors[0] = errors[0] - REST_BONUS
        return torch.stack(errors), torch.stack(all_means)


def _box(planes: Tensor, size: int) -> Tensor:
    """Mean of [T,C,H,W] over size x size px, 0 outside the picture."""
    if size == 1:
        return planes
    rows = F.avg_pool2d(planes, (1, size), 1, (0, size // 2))
    return F.avg_pool2d(rows, (size, 1), 1, (size // 2, 0))


def _local(residual: Tensor, frames: Tensor, y: Tensor, x: Tensor, kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """At each place: mean residual f32 [n,3], the angle across the local structure, and its coherence in [0,1]."""
    amplitude = _box(residual, kernel)[frames, :, y, x]
    smooth = _box(residual[:, :1], 3)
    gx, gy = torch.zeros_like(smooth), torch.zeros_like(smooth)
    gx[..., 1:-1] = (smooth[..., 2:] - smooth[..., :-2]) / 2
    gy[..., 1:-1, :] = (smooth[..., 2:, :] - smooth[..., :-2, :]) / 2
    tensor = _box(torch.cat([gx * gx, gx * gy, gy * gy], 1), kernel + 2)[frames, :, y, x]
    xx, xy, yy = tensor.T
    angle = (0.5 * torch.atan2(2 * xy, xx - yy)).remainder(math.pi)
    coherence = ((xx - yy).square() + 4 * xy * xy).sqrt() / (xx + yy + 1e-12)
    return amplitude, angle, coherence
