"""Squared error of a set of values against a segment's frames, and its gradients for every attribute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gvideo import raster
from gvideo.encoder.parameters import Values
from gvideo.types import Float32, Int32, Splats

#: Weight of a squared error in Cb and Cr against one in Y'.
CHROMA_WEIGHT = 0.5


@dataclass(frozen=True)
class Target:
    """Frames to fit, f32 [T,3,H,W] less the base colour, with the motion basis f32 [T,K] and times f32 [T]."""

    frames: Float32
    basis: Float32
    times: Float32

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.frames.shape[3], self.frames.shape[2]


def features(mean: Tensor, width: int, height: int) -> Tensor:
    """[1, mx, my] f32 [N,3]; the tensor twin of model.motion.normalised."""
    unit = max(width, height) / 4
    return torch.stack(
        [torch.ones_like(mean[:, 0]), (mean[:, 0] - width / 2) / unit, (mean[:, 1] - height / 2) / unit], 1
    )


def splats_of(values: Values, trajectory: Tensor, width: int, height: int) -> tuple[Splats, Tensor, Tensor]:
    """(render-ready Gaussians, features [N,3], their trajectories' control [N,K,2,3])."""
    phi = features(values["mean"], width, height)
    control = values["theta"][trajectory]
    displacement = (control @ phi[:, None, :, None]).squeeze(-1) + values["residual"]
    arrays = (
        values["mean"], displacement, values["log_scale"], values["angle"], values["amplitude"],
        values["centre"], values["inverse_duration"],
    )  # fmt: skip
    return Splats(*(np.ascontiguousarray(a.numpy(), np.float32) for a in arrays)), phi, control


def render(values: Values, trajectory: Tensor, target: Target) -> Float32:
    """All frames f32 [T,3,H,W] of a set of values."""
    width, height = target.size
    splats, _, _ = splats_of(values, trajectory, width, height)
    return raster.get_backend("cpu").render(splats, target.basis, target.times, raster.Viewport(width, height))


def error_and_gradients(
    values: Values, trajectory: Tensor, target: Target, frame_indices: Int32
) -> tuple[float, Values]:
    """(weighted squared error over the chosen frames, its gradients for mean, residual, log_scale, angle, luma,
    chroma, centre, inverse_duration and theta). frame_indices i32 [F]."""
    width, height = target.size
    splats, phi, control = splats_of(values, trajectory, width, height)
    weights = np.array([1.0, CHROMA_WEIGHT, CHROMA_WEIGHT], np.float32)
    sse, g = raster.get_backend("cpu").loss_and_gradients(
        splats, target.basis[frame_indices], target.times[frame_indices], target.frames, frame_indices, weights
    )
    moved = torch.from_numpy(g.displacements)
    theta = torch.zeros_like(values["theta"])
    outer = moved[..., None] * phi[:, None, None, :]
    theta.index_add_(0, trajectory, outer)
    theta[0] = 0
    unit = max(width, height) / 4
    mean = torch.from_numpy(g.means) + (control[..., 1:] * moved[..., None]).sum((1, 2)) / unit
    amplitude = torch.from_numpy(g.amplitudes)
    gradients = {
        "mean": mean,
        "residual": moved,
        "log_scale": torch.from_numpy(g.log_scales),
        "angle": torch.from_numpy(g.angles),
        "luma": amplitude[:, :1],
        "chroma": amplitude[:, 1:],
        "centre": torch.from_numpy(g.centres),
        "inverse_duration": torch.from_numpy(g.inverse_durations),
        "theta": theta,
    }
    return float((sse * weights).sum()), gradients
