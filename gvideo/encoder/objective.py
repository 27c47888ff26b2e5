"""Squared error of a set of values against a segment's frames, its gradients for every attribute, and the bits' part.

What a fit asks of a machine is an Objective: CpuObjective here, CudaObjective in cuda_objective.py. They differ in
rounding alone. Residuals stay where they were made; only numbers and Gaussians leave an objective.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gvideo import raster
from gvideo.encoder import cpu_step
from gvideo.encoder.parameters import Values
from gvideo.encoder.quantised import Quantised
from gvideo.types import Float32, Int32, Splats

#: Weight of a squared error in Cb and Cr against one in Y'.
CHROMA_WEIGHT = 0.5
CHANNEL_WEIGHTS = np.array([1.0, CHROMA_WEIGHT, CHROMA_WEIGHT], np.float32)


@dataclass(frozen=True)
class Target:
    """Frames to fit, f32 [T,3,H,W] less the base colour, with the motion basis f32 [T,K] and times f32 [T]. weights
    f32 [T,H,W]: of each pixel's squared error, or None for 1 everywhere."""

    frames: Float32
    basis: Float32
    times: Float32
    weights: Float32 | None = None

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.frames.shape[3], self.frames.shape[2]


class Objective(Protocol):
    """Frames to fit, on a device. values: as quantised.unquantised() gives them; trajectory i64 [N]."""

    @property
    def device(self) -> torch.device:
        """Where values and gradients lie."""

    @property
    def window(self) -> int:
        """Most steps of an attempt()."""

    def attempt(self, steps: Callable[[], None]) -> bool:
        """Runs steps that ask for gradients; whether all of these were right. If not, the caller puts back what the
        steps have changed and tries again, which ends: there is more room at every try."""

    def residual(self, values: Values, trajectory: Tensor) -> Any:
        """Frames less picture, [T,3,H,W], of any number of Gaussians."""

    def energy(self, residual: Any) -> float:
        """Squared error weighted by channel and pixel."""

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[float | Tensor, Values]:
        """(squared error, weighted by channel and pixel, over the chosen frames, its gradients for mean, residual,
        log_scale, angle, amplitude, centre, inverse_duration and theta). frames i32 [F]."""

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """Adds the slope of price log2(1 + |residual| / step) while growing; step: `share` of the smaller sigma."""

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """Adds the slope of the bits in quantised training. residual f32 [N,K,2] before rounding. prices, in squared
        error: of log2(1 + |level|) of an amplitude and of a residual; of existence, of a chroma amplitude and of a
        residual that are not zero."""


class CpuObjective:
    """Compiled kernels on NumPy arrays."""

    device = torch.device("cpu")
    #: One attempt, which never fails, for however many steps.
    window = sys.maxsize

    def __init__(self, target: Target) -> None:
        self.target = target

    def attempt(self, steps: Callable[[], None]) -> bool:
        """See Objective."""
        steps()
        return True

    def residual(self, values: Values, trajectory: Tensor) -> Float32:
        """See Objective."""
        if len(trajectory) == 0:
            return self.target.frames
        return self.target.frames - render(values, trajectory, self.target)

    def energy(self, residual: Float32) -> float:
        """See Objective."""
        weights = self.target.weights
        channels = (residual[:, k] for k in range(3))
        sums = [float(np.vdot(c, c if weights is None else weights * c)) for c in channels]
        return sums[0] + CHROMA_WEIGHT * (sums[1] + sums[2])

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[float, Values]:
        """See Objective."""
        width, height = self.target.size
        splats = splats_of(values, trajectory, width, height)
        sse, g = raster.get_backend("cpu").loss_and_gradients(
            splats, self.target.basis[frames], self.target.times[frames], self.target.frames, frames, CHANNEL_WEIGHTS,
            self.target.weights,
        )  # fmt: skip
        theta = values["theta"].numpy()
        theta_gradient = np.zeros(theta.shape, np.float64)
        cpu_step.spread_gradients(
            splats.means, theta, trajectory.numpy(), width, height, g.displacements, g.means, theta_gradient
        )
        gradients = {
            "mean": g.means,
            "residual": g.displacements,
            "log_scale": g.log_scales,
            "angle": g.angles,
            "amplitude": g.amplitudes,
            "centre": g.centres,
            "inverse_duration": g.inverse_durations,
            "theta": theta_gradient.astype(np.float32),
        }
        return float((sse * CHANNEL_WEIGHTS).sum()), {name: torch.from_numpy(a) for name, a in gradients.items()}

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """See Objective."""
        cpu_step.charge_motion(
            values["residual"].numpy(), values["log_scale"].numpy(), share, price, gradients["residual"].numpy()
        )

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """See Objective."""
        cpu_step.charge_bits(
            q.levels.numpy(), q.ratio.numpy(), q.amplitude_step.numpy(), residual.numpy(), q.residual_levels.numpy(),
            q.residual_step.numpy(), np.array(prices), gradients["amplitude"].numpy(), gradients["residual"].numpy(),
        )  # fmt: skip


def splats_of(values: Values, trajectory: Tensor, width: int, height: int) -> Splats:
    """Gaussians ready to render."""
    v = {name: value.numpy() for name, value in values.items()}
    displacement = np.empty_like(v["residual"])
    cpu_step.displace(v["mean"], v["residual"], v["theta"], trajectory.numpy(), width, height, displacement)
    return Splats(
        v["mean"], displacement, v["log_scale"], v["angle"], v["amplitude"], v["centre"], v["inverse_duration"]
    )


def render(values: Values, trajectory: Tensor, target: Target) -> Float32:
    """All frames f32 [T,3,H,W] of a set of values."""
    width, height = target.size
    splats = splats_of(values, trajectory, width, height)
    return raster.get_backend("cpu").render(splats, target.basis, target.times, raster.Viewport(width, height))
