"""The backend of the CPU: compiled kernels on NumPy arrays, over all threads that are allowed."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from torch import Tensor

from gvideo.encoder.backends import cpu_growth, cpu_kernels, cpu_steps
from gvideo.encoder.backends.base import Generation, Residual, Target
from gvideo.encoder.backends.cpu_objective import CpuObjective
from gvideo.encoder.backends.cpu_quantise import quantise
from gvideo.encoder.backends.steps import Steps
from gvideo.encoder.gaussians.parameters import BETA1, BETA2, EPSILON, Parameters, Values
from gvideo.encoder.gaussians.quantised import Geometry, Quantised
from gvideo.encoder.motion.flow import Flow
from gvideo.model.steps import StepRules
from gvideo.raster.threads import for_rows
from gvideo.types import Float32


class CpuBackend:
    """See base.Backend."""

    def __init__(self, target: Target, flow: Flow) -> None:
        self.objective = CpuObjective(target)
        self._flow = flow

    def propose(
        self, residual: Residual, count: int, total: int, life: float, theta: Tensor, rng: np.random.Generator
    ) -> Generation:
        """See base.Backend."""
        target = self.objective.target
        return cpu_growth.propose(residual, count, total, life, theta.double().numpy(), self._flow, target, rng)

    def quantise(
        self, p: Parameters, rules: StepRules, g: Geometry, precision_bias: float, permanent_at: float
    ) -> Quantised:
        """See base.Backend."""
        return quantise(p, rules, g, precision_bias, permanent_at)

    def adam(self, p: Parameters, gradients: Values, rates: dict[str, float], factor: float) -> None:
        """See base.Backend."""
        adam(p, gradients, rates, factor)

    def run_steps(self, p: Parameters, steps: Steps) -> list[float | Tensor]:
        """See base.FitBackend. In compiled calls of some steps each."""
        return cpu_steps.run(self.objective.target, self.objective.shrunk, p, steps)


def adam(p: Parameters, gradients: Values, rates: dict[str, float], factor: float = 1.0) -> None:
    """See base.Backend.adam."""
    correction, root = p.corrections()
    shares = p.rate_shares()
    constants = np.array([factor, BETA1, BETA2, root, EPSILON])

    def flat(names: list[str]) -> list[tuple[Float32, ...]]:
        return [tuple(a[n].numpy().reshape(-1) for n in names) for a in (p.values, p.first, p.second, gradients)]

    names = [name for name in gradients if name != "theta"]
    attributes = flat(names)
    share = tuple(shares[name].numpy() if name in shares else cpu_kernels.WHOLE for name in names)
    pace = np.array([rates[name] / correction for name in names])
    rows = cast(Any, cpu_kernels.adam_rows)
    for_rows(len(p), lambda a, b: rows(*attributes, share, pace, constants, len(p), a, b))
    if "theta" in gradients:  # rows of which are trajectories
        (value,), (first,), (second,), (gradient,) = flat(["theta"])
        cpu_kernels.adam(value, first, second, gradient, cpu_kernels.WHOLE, rates["theta"] / correction, constants)
