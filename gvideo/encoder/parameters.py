"""What is trained: one tensor per attribute, their moments, and the Adam step that moves them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gvideo.encoder import cpu_step
from gvideo.raster.threads import for_each

#: Per-Gaussian attributes (shape behind N) and their learning rates while growing: px, nats, radians, full scale.
RATES = {
    "mean": 0.3,
    "residual": 0.15,
    "log_scale": 0.03,
    "angle": 0.03,
    "luma": 0.01,
    "chroma": 0.006,
    "centre": 0.3,
    "log_duration": 0.03,
}
#: The trajectories' learning rate, px.
THETA_RATE = 0.02
BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-10

Values = dict[str, Tensor]


def on_host(tensor: Tensor) -> bool:
    """Whether steps are compiled kernels on NumPy arrays (cpu_step), not operations on tensors of a device."""
    return tensor.device.type == "cpu"


@dataclass
class Parameters:
    """values: attribute -> f32 [N, …], and "theta" f32 [M,K,2,3] (row 0 at rest). trajectory: i64 [N].

    Moments travel with their Gaussians through growth and pruning, so that no step starts cold.
    """

    values: Values
    trajectory: Tensor
    first: Values = field(default_factory=dict)
    second: Values = field(default_factory=dict)
    num_steps: int = 0

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            self.first.setdefault(name, torch.zeros_like(value))
            self.second.setdefault(name, torch.zeros_like(value))

    def __len__(self) -> int:
        return len(self.trajectory)

    def copy(self) -> Parameters:
        """An independent copy."""

        def clone(d: Values) -> Values:
            return {k: v.clone() for k, v in d.items()}

        return Parameters(
            clone(self.values), self.trajectory.clone(), clone(self.first), clone(self.second), self.num_steps
        )

    def append(self, values: Values, trajectory: Tensor) -> None:
        """Adds Gaussians with cold moments."""
        for name, value in values.items():
            self.values[name] = torch.cat([self.values[name], value])
            self.first[name] = torch.cat([self.first[name], torch.zeros_like(value)])
            self.second[name] = torch.cat([self.second[name], torch.zeros_like(value)])
        self.trajectory = torch.cat([self.trajectory, trajectory])

    def restore(self, saved: Parameters) -> None:
        """Becomes a copy of what copy() gave."""
        again = saved.copy()
        self.values, self.trajectory = again.values, again.trajectory
        self.first, self.second, self.num_steps = again.first, again.second, again.num_steps

    def keep(self, mask: Tensor) -> bool:
        """Drops the Gaussians outside a bool mask [N]; whether there were any. Waits for the device once."""
        rows = mask.nonzero()[:, 0]
        if len(rows) == len(mask):
            return False
        for name in RATES:
            self.values[name] = self.values[name][rows]
            self.first[name] = self.first[name][rows]
            self.second[name] = self.second[name][rows]
        self.trajectory = self.trajectory[rows]
        return True

    def adam(self, gradients: Values, rates: dict[str, float], factor: float = 1.0) -> None:
        """One Adam step (Kingma and Ba, 2015) with a rate per attribute, on `factor` times the gradients."""
        self.num_steps += 1
        correction1 = 1 - BETA1**self.num_steps
        correction2 = math.sqrt(1 - BETA2**self.num_steps)
        if not on_host(self.trajectory):
            self._adam_tensors(gradients, [-rates[name] / correction1 for name in gradients], correction2, factor)
            return
        names = list(gradients)

        def step(number: int) -> None:
            name = names[number]
            v, m, s, g = (a[name].numpy().reshape(-1) for a in (self.values, self.first, self.second, gradients))
            cpu_step.adam(v, m, s, g, factor, BETA1, BETA2, rates[name] / correction1, correction2, EPSILON)

        for_each(len(names), step)

    def _adam_tensors(self, gradients: Values, steps: list[float], correction2: float, factor: float) -> None:
        """adam() on any device: a launch for an operation on all attributes, not for each of them."""
        values, first, second = ([a[name] for name in gradients] for a in (self.values, self.first, self.second))
        scaled = torch._foreach_mul(list(gradients.values()), factor)
        torch._foreach_lerp_(first, scaled, 1 - BETA1)
        torch._foreach_mul_(second, BETA2)
        torch._foreach_addcmul_(second, scaled, scaled, 1 - BETA2)
        denominators = torch._foreach_sqrt(second)
        torch._foreach_div_(denominators, correction2)
        torch._foreach_add_(denominators, EPSILON)
        torch._foreach_addcdiv_(values, first, denominators, steps)


def empty(num_control: int, theta: Tensor) -> Parameters:
    """No Gaussians yet, trajectories theta [M,K,2,3]."""
    device = theta.device
    shapes = {"mean": (2,), "residual": (num_control, 2), "log_scale": (2,), "chroma": (2,), "luma": (1,)}
    values = {name: torch.zeros((0, *shapes.get(name, ())), device=device) for name in RATES}
    values["theta"] = theta.clone()
    return Parameters(values, torch.zeros(0, dtype=torch.long, device=device))
