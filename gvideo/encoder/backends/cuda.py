"""The backend of a GPU: Triton kernels for pictures and rows of Gaussians, tensors on the device for the rest."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder.backends.base import Generation, Residual, Target
from gvideo.encoder.backends.cuda_growth import CudaGrowth
from gvideo.encoder.backends.cuda_objective import CudaObjective
from gvideo.encoder.backends.steps import Steps, run_one_by_one
from gvideo.encoder.gaussians.parameters import BETA1, BETA2, EPSILON, Parameters, Values
from gvideo.encoder.gaussians.quantised import Geometry, Quantised
from gvideo.encoder.motion.flow import Flow
from gvideo.model.steps import StepRules


class CudaBackend:
    """See base.Backend."""

    def __init__(self, target: Target, flow: Flow) -> None:
        """Raises OptionError if there is no device to run on."""
        self.objective = CudaObjective(target)
        from gvideo.encoder.backends.cuda_quantise import (
            quantise_kernel,  # needs triton, which the objective looked for
        )

        self._quantise = quantise_kernel
        self._growth = CudaGrowth(flow, target, self.objective.device, self.objective.pixel_weights)

    def propose(
        self, residual: Residual, count: int, total: int, life: float, theta: Tensor, rng: np.random.Generator
    ) -> Generation:
        """See base.Backend."""
        return self._growth.propose(residual, count, total, life, theta, rng)

    @torch.no_grad()
    def quantise(
        self, p: Parameters, rules: StepRules, g: Geometry, precision_bias: float, permanent_at: float
    ) -> Quantised:
        """See base.Backend. Does not wait for the device."""
        return self._quantise(p, rules, g, precision_bias, permanent_at)

    def adam(self, p: Parameters, gradients: Values, rates: dict[str, float], factor: float) -> None:
        """See base.Backend."""
        adam(p, gradients, rates, factor)

    def run_steps(self, p: Parameters, steps: Steps) -> list[float | Tensor]:
        """See base.FitBackend. The host asks for one operation after the other and does not wait for any."""
        return run_one_by_one(self, p, steps)


def adam(p: Parameters, gradients: Values, rates: dict[str, float], factor: float = 1.0) -> None:
    """See base.Backend.adam: a launch for an operation on all attributes, not for each of them."""
    correction, root = p.corrections()
    steps = [-rates[name] / correction for name in gradients]
    values, first, second = ([a[name] for name in gradients] for a in (p.values, p.first, p.second))
    scaled = torch._foreach_mul(list(gradients.values()), factor)
    torch._foreach_lerp_(first, scaled, 1 - BETA1)
    torch._foreach_mul_(second, BETA2)
    torch._foreach_addcmul_(second, scaled, scaled, 1 - BETA2)
    denominators = torch._foreach_sqrt(second)
    torch._foreach_div_(denominators, root)
    torch._foreach_add_(denominators, EPSILON)
    shares = p.rate_shares()
    numerators = [
        moment * shares[name].view(-1, *[1] * (moment.dim() - 1)) if name in shares else moment
        for name, moment in zip(gradients, first, strict=True)
    ]
    torch._foreach_addcdiv_(values, numerators, denominators, steps)
