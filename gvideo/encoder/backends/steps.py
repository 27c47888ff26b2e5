"""Steps of fitting as a fit asks for them, and how a backend goes through them one operation after the other.

    parameters -> (quantised) -> errors and gradients -> + slope of the prices -> Adam -> parameters

The CPU does the same in one compiled call (cpu_steps.py), and tests hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gvideo.encoder.gaussians.parameters import Parameters, Values
from gvideo.encoder.gaussians.quantised import (
    MAX_LOG_SCALE,
    MIN_LOG_SCALE,
    Geometry,
    Quantised,
    unquantised,
)
from gvideo.model.steps import StepRules
from gvideo.types import Int32

if TYPE_CHECKING:
    from gvideo.encoder.backends.base import FitBackend

#: Prices of bits in squared error over a step's frames: of log2(1 + |level|) of an amplitude and of a residual; of
#: existence, of a chroma amplitude and of a residual that are not zero; of a trajectory's log2(1 + |level|).
BitPrices = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class GrowthSteps:
    """Steps without quantisation. frames i32 [S,F]: of each step. rates: of each attribute and "theta", by step.
    factor: frames of the segment over those of a step. motion_price: squared error over a step's frames of
    log2(1 + |residual|), residual motion being counted in `motion_step` times the smaller sigma."""

    frames: Int32
    rates: Sequence[Mapping[str, float]]
    factor: float
    motion_step: float
    motion_price: float


@dataclass(frozen=True)
class TrainingSteps:
    """Steps against the quantiser. frames, rates, factor: as in GrowthSteps. prices: by step. precision_bias and
    permanent_at: see FitBackend.quantise(). differences f32 [M,M] and in_time f32 [K,K]: what makes of trajectories
    what is coded of them, the differences to their parents and those in time."""

    frames: Int32
    rates: Sequence[Mapping[str, float]]
    factor: float
    prices: Sequence[BitPrices]
    rules: StepRules
    geometry: Geometry
    precision_bias: float
    permanent_at: float
    differences: Tensor
    in_time: Tensor


Steps = GrowthSteps | TrainingSteps


def run_one_by_one(backend: FitBackend, p: Parameters, steps: Steps) -> list[float | Tensor]:
    """See FitBackend.run_steps()."""
    objective, errors = backend.objective, []
    for k, rates in enumerate(steps.rates):
        if isinstance(steps, GrowthSteps):
            values = unquantised(p)
            error, gradients = objective.error_and_gradients(values, p.trajectory, steps.frames[k])
            objective.charge_motion(values, steps.motion_step, steps.motion_price, gradients)
        else:
            q = backend.quantise(p, steps.rules, steps.geometry, steps.precision_bias, steps.permanent_at)
            values = values_of(q)
            error, gradients = objective.error_and_gradients(values, p.trajectory, steps.frames[k])
            *prices, trajectory_price = steps.prices[k]
            objective.charge_bits(q, p.values["residual"], tuple(prices), gradients)
            if trajectory_price:
                charge_trajectories(
                    p.values["theta"], steps.differences, steps.in_time, trajectory_price, 2.0**steps.rules.trajectory,
                    gradients,
                )  # fmt: skip
        errors.append(error)
        backend.adam(p, _by_parameter(gradients, values), dict(rates), steps.factor)
        p.values["log_scale"].clamp_(MIN_LOG_SCALE, MAX_LOG_SCALE)
    return errors


def values_of(q: Quantised) -> Values:
    """The fields of a quantised set that rendering needs."""
    names = ("mean", "residual", "log_scale", "angle", "amplitude", "centre", "inverse_duration", "theta")
    return {name: getattr(q, name) for name in names}


def _by_parameter(gradients: Values, values: Values) -> Values:
    """Gradients of what is rendered, as those of what is trained."""
    amplitude = gradients.pop("amplitude")
    gradients["luma"], gradients["chroma"] = amplitude[:, :1].contiguous(), amplitude[:, 1:].contiguous()
    gradients["log_duration"] = -gradients.pop("inverse_duration") * values["inverse_duration"]
    return gradients


def charge_trajectories(
    theta: Tensor, differences: Tensor, in_time: Tensor, price: float, step: float, gradients: Values
) -> None:
    """Adds the slope of price log2(1 + |level|), levels being what is coded of trajectories f32 [M,K,2,3]: their
    differences f32 [M,M] to parents, and then those in time, f32 [K,K]."""
    size = (*theta.shape[:2], 6)
    levels = torch.matmul(in_time, torch.matmul(differences, theta.flatten(1)).view(size)).mul_(1 / step)
    smooth = levels.square().add_(1 / 16).sqrt_()  # without a corner at zero
    slope = levels.div_(smooth).div_(smooth.add_(1)).mul_(price / (step * math.log(2)))
    slope = torch.matmul(differences.T, torch.matmul(in_time.T, slope).flatten(1))
    gradients["theta"].add_(slope.view_as(theta))
