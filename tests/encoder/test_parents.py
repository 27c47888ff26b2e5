"""Trajectories that are predicted from others: the tree, its price, and what it saves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gvideo.encoder.backends.steps import charge_trajectories
from gvideo.encoder.motion.parents import choose_parents, difference_matrix, step_bits


def test_what_shakes_together_is_said_once():
    rng = np.random.default_rng(0)
    shake = rng.integers(-9, 10, (24, 6)).cumsum(0)
    pan = np.arange(24)[:, None] * np.array([3, 0, 0, 1, 0, 0])
    control = np.stack([shake + pan, pan, shake, np.zeros_like(pan)])
    order, parents = choose_parents(control)
    assert sorted(order.tolist()) == [0, 1, 2, 3]
    place = {int(trajectory): m + 1 for m, trajectory in enumerate(order)}
    parent_of = {int(trajectory): int(parents[m]) for m, trajectory in enumerate(order)}
    assert parent_of[3] == 0  # rest from rest
    assert {parent_of[0], parent_of[2]} & {place[0], place[2]}  # one of the two that shake is said by the other
    assert all(parents[m] <= m for m in range(4))  # only those before it
    steps = np.diff(control[order], axis=1, prepend=0)
    following = np.concatenate([np.zeros_like(steps[:1]), steps])[parents]
    assert step_bits(steps - following).sum() < 0.7 * step_bits(steps).sum()


def test_the_price_of_trajectories_is_the_slope_of_their_bits():
    generator = torch.Generator().manual_seed(1)
    theta = torch.randn((4, 5, 2, 3), generator=generator, dtype=torch.float64)
    theta[0] = 0
    parents = torch.tensor([0, 0, 1, 1])
    gradients = {"theta": torch.zeros_like(theta)}
    differences = torch.from_numpy(difference_matrix(parents.numpy())).double()
    in_time = torch.eye(5, dtype=torch.float64) - torch.diag(torch.ones(4, dtype=torch.float64), -1)
    charge_trajectories(theta, differences, in_time, 2.0, 0.25, gradients)

    def price(values: torch.Tensor) -> float:
        steps = torch.diff(values, dim=1, prepend=torch.zeros_like(values[:, :1]))
        size = (((steps - steps[parents]) / 0.25).square() + 1 / 16).sqrt()
        return float(2.0 * (1 + size[1:]).log().sum() / math.log(2))

    for index in [(1, 0, 0, 0), (1, 2, 1, 2), (2, 4, 0, 1), (3, 3, 1, 0)]:
        moved = theta.clone()
        moved[index] += 1e-6
        assert float(gradients["theta"][index]) == pytest.approx((price(moved) - price(theta)) / 1e-6, rel=1e-3)
    assert not gradients["theta"][0].any()
