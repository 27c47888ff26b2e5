"""The objective on a GPU: Triton kernels for the pictures, tensors for the rest. Twin of objective.CpuObjective."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gvideo.encoder.objective import CHROMA_WEIGHT, Target
from gvideo.encoder.parameters import Values
from gvideo.encoder.quantised import Quantised
from gvideo.raster import Viewport, cuda
from gvideo.types import Int32

LN2 = math.log(2)
#: Frames drawn in one launch for a residual.
_FRAMES = 16


class CudaObjective:
    """A segment's frames on the device. See objective.Objective."""

    def __init__(self, target: Target) -> None:
        """Raises OptionError if there is no device to run on."""
        self.device = cuda.device()
        self.target = target
        self.frames = torch.from_numpy(target.frames).to(self.device)
        self.basis = torch.from_numpy(target.basis).to(self.device)
        self.times = torch.from_numpy(target.times).to(self.device)

    def residual(self, values: Values, trajectory: Tensor) -> Tensor:
        """See Objective."""
        left = self.frames.clone()
        width, height = self.target.size
        if len(trajectory):
            motion = self._motion(values, trajectory)
            for start in range(0, len(left), _FRAMES):
                rows = torch.arange(start, min(start + _FRAMES, len(left)), device=self.device)
                left[rows] -= cuda.draw(self._batch(values, motion, rows), Viewport(width, height))
        return left

    def energy(self, residual: Tensor) -> float:
        """See Objective."""
        sums = residual.double().square().sum((0, 2, 3))
        return float(sums[0] + CHROMA_WEIGHT * (sums[1] + sums[2]))

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[Tensor, Values]:
        """See Objective."""
        rows = torch.from_numpy(frames.astype("int64")).to(self.device)
        motion = self._motion(values, trajectory)
        batch = self._batch(values, motion, rows)
        weights = (1.0, CHROMA_WEIGHT, CHROMA_WEIGHT)
        errors, g, _ = cuda.errors_and_gradients(batch, self.frames, rows, weights)
        phi, control, _ = motion
        moved = g["displacements"]
        theta = torch.zeros_like(values["theta"], dtype=torch.float64)
        # one matrix product a trajectory's worth: sums in a fixed order, which index_add_ does not promise
        member = torch.nn.functional.one_hot(trajectory, len(theta)).double()
        outer = (moved[..., None] * phi[:, None, None, :]).double().flatten(1)
        theta += (member.T @ outer).reshape(theta.shape)
        theta[0] = 0
        unit = max(self.target.size) / 4
        gradients = {
            "mean": g["means"] + (control[..., 1:] * moved[..., None]).sum((1, 2)) / unit,
            "residual": moved,
            "log_scale": g["log_scales"],
            "angle": g["angles"],
            "amplitude": g["amplitudes"],
            "centre": g["centres"],
            "inverse_duration": g["inverse_durations"],
            "theta": theta.float(),
        }
        return errors[:, 0].sum() + CHROMA_WEIGHT * errors[:, 1:].sum(), gradients

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """See Objective."""
        step = share * values["log_scale"].min(1)[0].exp()[:, None, None]
        gradients["residual"] += price * _log_slope(values["residual"] / step) / step

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """See Objective."""
        amplitude, motion, existence, chroma, moves = prices
        slope = amplitude * _log_slope(q.levels)
        slope += existence * 2 * q.ratio / (1 + q.ratio.square().sum(1, keepdim=True)).square()
        slope[:, 1:] += chroma * _jump_slope(q.ratio[:, 1:])
        gradients["amplitude"] += slope / q.amplitude_step
        step = q.residual_step[:, None, :]
        gradients["residual"] += (motion * _log_slope(q.residual_levels) + moves * _jump_slope(residual / step)) / step

    def _motion(self, values: Values, trajectory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(features [N,3] of the means, control [N,K,2,3] of their trajectories, displacements [N,K,2])."""
        width, height = self.target.size
        unit = max(width, height) / 4
        mean = values["mean"]
        phi = torch.stack(
            [torch.ones_like(mean[:, 0]), (mean[:, 0] - width / 2) / unit, (mean[:, 1] - height / 2) / unit], 1
        )
        control = values["theta"][trajectory]
        return phi, control, (control * phi[:, None, None, :]).sum(-1) + values["residual"]

    def _batch(self, values: Values, motion: tuple[Tensor, Tensor, Tensor], rows: Tensor) -> cuda.Batch:
        displacement = motion[2]
        starts = torch.tensor([0, len(displacement)], dtype=torch.int32, device=self.device)
        return cuda.Batch(
            values["mean"].contiguous(), displacement.contiguous(), values["log_scale"].contiguous(),
            values["angle"].contiguous(), values["amplitude"].contiguous(), values["centre"].contiguous(),
            values["inverse_duration"].contiguous(), starts, len(displacement), self.basis[rows], self.times[rows],
        )  # fmt: skip


def _log_slope(levels: Tensor) -> Tensor:
    """Derivative of log2(1 + |x|)."""
    return levels.sign() / ((1 + levels.abs()) * LN2)


def _jump_slope(levels: Tensor) -> Tensor:
    """Derivative of x² / (1 + x²), a smooth stand-in for "not zero"."""
    return 2 * levels / (1 + levels.square()).square()
