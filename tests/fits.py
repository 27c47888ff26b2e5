"""States of fitting for tests."""

from __future__ import annotations

import math

import torch

from gvideo.encoder.gaussians.parameters import Parameters


def random_parameters(seed: int, count: int, num_control: int, width: int, height: int, num_frames: int) -> Parameters:
    """Parameters of all sizes, some beyond what can be coded."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int, spread: float = 1.0) -> torch.Tensor:
        return torch.randn(shape, generator=g) * spread

    uniform = torch.rand((count, 2), generator=g)
    values = {
        "mean": uniform * torch.tensor([width + 20.0, height + 20.0]) - 10,
        "residual": normal(count, num_control, 2, spread=2.0),
        "log_scale": normal(count, 2, spread=1.5) + 1,
        "angle": normal(count, spread=4.0),
        "luma": normal(count, 1, spread=0.4),
        "chroma": normal(count, 2, spread=0.1),
        "centre": torch.rand(count, generator=g) * 3 * num_frames - num_frames,
        "log_duration": normal(count, spread=1.5) + math.log(max(num_frames / 3, 1)),
        "theta": normal(4, num_control, 2, 3, spread=3.0),
    }
    return Parameters(values, torch.randint(0, 4, (count,), generator=g))
