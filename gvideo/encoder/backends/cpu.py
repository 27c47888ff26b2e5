"""The backend of the CPU: compiled kernels on NumPy arrays, over all threads that are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from torch import Tensor

from gvideo.encoder.backends import cpu_growth, cpu_kernels
from gvideo.encoder.backends.base import Generation, Target
from gvideo.encoder.backends.cpu_objective import CpuObjective
from gvideo.encoder.backends.cpu_quantise import quantise
from gvideo.encoder.gaussians.parameters import BETA1, BETA2, EPSILON, RATES, Parameters, Values
from gvideo.encoder.gaussians.quantised import MAX_LOG_SCALE, MIN_LOG_SCALE, Geometry, Quantised
from gvideo.encoder.motion.flow import Flow
from gvideo.model.steps import StepRules
from gvideo.raster.threads import for_rows
from gvideo.types import Float32

#: The share of the rate of attributes that all Gaussians train alike.
_WHOLE = np.ones(1, np.float32)


class CpuBackend:
    """See base.Backend."""

    def __init__(self, target: Target, flow: Flow) -> None:
        self.objective = CpuObjective(target)
        self._flow = flow

    def propose(
        self, residual: Float32, count: int, total: int, life: float, theta: Tensor, rng: np.random.Generator
    ) -> Generation:
        """See base.Backend."""
        target = self.objective.target
        return cpu_growth.propose(residual, count, total, life, theta.double().numpy(), self._flow, target, rng)

    def quantise(
        self, p: Parameters, rules: StepRules, g: Geometry, precision_bias: float, permanent_at: float
    ) -> Quantised:
        """See base.Backend."""
        return quantise(p, rules, g, precision_bias, permanent_at)

    def descend(
        self, p: Parameters, values: Values, gradients: Values, rates: dict[str, float], factor: float
    ) -> None:
        """See base.Backend."""
        descend(p, values, gradients, rates, factor)


def descend(p: Parameters, values: Values, gradients: Values, rates: dict[str, float], factor: float = 1.0) -> None:
    """See base.Backend.descend."""
    correction, root = p.corrections()
    shares = p.rate_shares()
    slope = {name: gradient.numpy() for name, gradient in gradients.items()}
    amplitude, inverse = slope["amplitude"], values["inverse_duration"].numpy()
    slope["luma"], slope["chroma"] = np.ascontiguousarray(amplitude[:, :1]), np.ascontiguousarray(amplitude[:, 1:])
    slope["log_duration"] = -slope["inverse_duration"] * inverse
    constants = factor, BETA1, BETA2, root, EPSILON

    def flat(of: Mapping[str, Tensor]) -> tuple[Float32, ...]:
        return tuple(of[name].numpy().reshape(-1) for name in RATES)

    trained = flat(p.values), flat(p.first), flat(p.second), tuple(slope[name].reshape(-1) for name in RATES)
    share = tuple(shares[name].numpy() if name in shares else _WHOLE for name in RATES)
    pace = np.array([rates[name] / correction for name in RATES])
    kernel = cast(Any, cpu_kernels.descend_rows)
    for_rows(len(p), lambda a, b: kernel(*trained, share, pace, len(p), a, b, *constants))
    value, first, second = (a["theta"].numpy().reshape(-1) for a in (p.values, p.first, p.second))
    by_theta = slope["theta"].reshape(-1)
    cpu_kernels.adam(value, first, second, by_theta, _WHOLE, rates["theta"] / correction, *constants)
    log_scale = p.values["log_scale"].numpy()
    np.clip(log_scale, MIN_LOG_SCALE, MAX_LOG_SCALE, out=log_scale)
