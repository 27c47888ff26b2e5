"""What is trained: one tensor per attribute, and its moments for Adam (Kingma and Ba, 2015)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

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
#: Places move at their whole rate where the smaller sigma is at least so many px, and life centres where a life's sigma
#: is so many frames: smaller ones in proportion, within these shares. One rate for all makes the small ones, which hold
#: most of the detail, jump by a good part of their own size at every step.
WHOLE_RATE_SIGMA, SIGMA_SHARES = 2.0, (0.15, 1.0)
WHOLE_RATE_LIFE, LIFE_SHARES = 6.0, (0.2, 2.0)
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

    def corrections(self) -> tuple[float, float]:
        """Counts one more step of Adam; what the first and the root of the second moments are divided by there."""
        self.num_steps += 1
        return 1 - BETA1**self.num_steps, math.sqrt(1 - BETA2**self.num_steps)

    def rate_shares(self) -> Values:
        """Shares f32 [N] of the learning rate that every Gaussian has, of the attributes where they differ."""
        sigma = self.values["log_scale"].amin(1).exp_().div_(WHOLE_RATE_SIGMA).clamp_(*SIGMA_SHARES)
        life = self.values["log_duration"].exp().div_(WHOLE_RATE_LIFE).clamp_(*LIFE_SHARES)
        return {"mean": sigma, "centre": life}

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


def empty(num_control: int, theta: Tensor) -> Parameters:
    """No Gaussians yet, trajectories theta [M,K,2,3]."""
    device = theta.device
    shapes = {"mean": (2,), "residual": (num_control, 2), "log_scale": (2,), "chroma": (2,), "luma": (1,)}
    values = {name: torch.zeros((0, *shapes.get(name, ())), device=device) for name in RATES}
    values["theta"] = theta.clone()
    return Parameters(values, torch.zeros(0, dtype=torch.long, device=device))
