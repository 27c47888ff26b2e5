"""What is trained: one tensor per attribute, their moments, and the Adam step that moves them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gvideo.encoder import cpu_step

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

    def keep(self, mask: Tensor) -> None:
        """Drops the Gaussians outside a bool mask [N]."""
        for name in RATES:
            self.values[name] = self.values[name][mask]
            self.first[name] = self.first[name][mask]
            self.second[name] = self.second[name][mask]
        self.trajectory = self.trajectory[mask]

    def adam(self, gradients: Values, rates: dict[str, float], factor: float = 1.0) -> None:
        """One Adam step (Kingma and Ba, 2015) with a rate per attribute, on `factor` times the gradients."""
        self.num_steps += 1
        correction1 = 1 - BETA1**self.num_steps
        correction2 = math.sqrt(1 - BETA2**self.num_steps)
        for name, gradient in gradients.items():
            value, first, second = self.values[name], self.first[name], self.second[name]
            if gradient.device.type == "cpu":
                v, m, s, g = (a.numpy().reshape(-1) for a in (value, first, second, gradient))
                cpu_step.adam(v, m, s, g, factor, BETA1, BETA2, rates[name] / correction1, correction2, EPSILON)
                continue
            gradient = gradient * factor
            first.lerp_(gradient, 1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            denominator = second.sqrt().div_(correction2).add_(EPSILON)
            value.addcdiv_(first, denominator, value=-rates[name] / correction1)


def empty(num_control: int, theta: Tensor) -> Parameters:
    """No Gaussians yet, trajectories theta [M,K,2,3]."""
    device = theta.device
    shapes = {"mean": (2,), "residual": (num_control, 2), "log_scale": (2,), "chroma": (2,), "luma": (1,)}
    values = {name: torch.zeros((0, *shapes.get(name, ())), device=device) for name in RATES}
    values["theta"] = theta.clone()
    return Parameters(values, torch.zeros(0, dtype=torch.long, device=device))
