"""What a fit asks of a device, and what it hands over: the seam between fitting and the CPU or a GPU.

    SegmentFit ── FitBackend ── objective: errors, gradients, prices      cpu.py: compiled kernels on NumPy arrays
                          ├─ propose: new Gaussians                    cuda.py: Triton kernels, tensors on the device
                          ├─ quantise: values as decoded
                          ├─ adam: a step of every parameter
                          └─ run_steps: many steps of all that

Backends differ in rounding alone. Residuals stay where they were made; only numbers and Gaussians leave a backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder.backends.steps import Steps
from gvideo.encoder.gaussians.parameters import Parameters, Values
from gvideo.encoder.gaussians.quantised import Geometry, Quantised
from gvideo.encoder.motion.flow import Flow
from gvideo.model.steps import StepRules
from gvideo.types import Float32, Int32

#: Weight of a squared error in Cb and Cr against one in Y'.
CHROMA_WEIGHT = 0.5
CHANNEL_WEIGHTS = np.array([1.0, CHROMA_WEIGHT, CHROMA_WEIGHT], np.float32)
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


@dataclass(frozen=True)
class Residual:
    """Some frames less their pictures, f32 [F,3,H,W] where the backend has them. frames i32 [F]: which, ascending."""

    values: Any
    frames: Int32


@dataclass(frozen=True)
class Target:
    """Frames to fit, f32 [T,3,H,W] less the base colour, with the motion basis f32 [T,K] and times f32 [T]. weights
    f32 [T,H,W]: of each pixel's squared error, or None for 1 everywhere. refinement f32 [K,J]: what makes K control
    points of the J of a Gaussian's residual motion (motion.refinement_matrix), J = 0 where there is none; without it,
    J = K."""

    frames: Float32
    basis: Float32
    times: Float32
    weights: Float32 | None = None
    refinement: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        if self.refinement.shape[0] == 0:
            object.__setattr__(self, "refinement", np.eye(self.basis.shape[1], dtype=np.float32))

    @property
    def num_control(self) -> int:
        """Control points of a Gaussian's residual motion."""
        return int(self.refinement.shape[1])

    @cached_property
    def residual_basis(self) -> Float32:
        """Weights f32 [T,J] of the control points of residual motion in every frame."""
        return np.ascontiguousarray(self.basis @ self.refinement)

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

    def residual(self, values: Values, trajectory: Tensor, frames: Int32) -> Residual:
        """Frames less picture of any number of Gaussians. frames i32 [F], ascending."""

    def energy(self, residual: Residual) -> float:
        """Squared error of the residual's frames, weighted by channel and pixel."""

    def coarsen(self, sigma: float) -> None:
        """From now on errors and gradients may be those of frames of a half, a quarter … of the size, on which
        Gaussians of that sigma in px lose nothing that can be seen; 0: of the whole size. Units stay the same."""

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[float | Tensor, Values]:
        """(squared error, weighted by channel and pixel, over the chosen frames, its gradients for mean, residual,
        log_scale, angle, amplitude, centre, inverse_duration and theta). frames i32 [F]."""

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """Adds the slope of price log2(1 + |residual| / step) while growing; step: `share` of the smaller sigma."""

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """Adds the slope of the bits in quantised training. residual f32 [N,K,2] before rounding. prices, in squared
        error: of log2(1 + |level|) of an amplitude and of a residual; of existence, of a chroma amplitude and of a
        residual that are not zero."""


class FitBackend(Protocol):
    """One fit's share of a device."""

    @property
    def objective(self) -> Objective:
        """The frames to fit."""

    def propose(
        self, residual: Residual, count: int, total: int, life: float, theta: Tensor, rng: np.random.Generator
    ) -> Generation:
        """At most `count` new Gaussians against a residual of the objective, in whose frames their lives have their
        centres. total: Gaussians there will be. life: sigma of a new life, frames. theta f32 [M,K,2,3]: the
        trajectories they may follow."""

    def quantise(
        self, p: Parameters, rules: StepRules, g: Geometry, precision_bias: float, permanent_at: float
    ) -> Quantised:
        """Quantises everything. precision_bias: octaves added to an amplitude before it chooses its class.
        permanent_at: lives longer than this many segments become permanent."""

    def adam(self, p: Parameters, gradients: Values, rates: dict[str, float], factor: float) -> None:
        """One Adam step (Kingma and Ba, 2015) with a rate per attribute, of which every Gaussian has its share
        (Parameters.rate_shares), on `factor` times the gradients."""

    def run_steps(self, p: Parameters, steps: Steps) -> list[float | Tensor]:
        """Goes through steps of fitting; the squared error of each, as error_and_gradients() has it."""


def open_backend(name: str, target: Target, flow: Flow) -> FitBackend:
    """The backend "cpu" or "cuda" for a segment's frames. Raises OptionError if the device is not there."""
    if name == "cpu":
        from gvideo.encoder.backends.cpu import CpuBackend

        return CpuBackend(target, flow)
    from gvideo.encoder.backends.cuda import CudaBackend

    return CudaBackend(target, flow)
