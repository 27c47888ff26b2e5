"""The kernels of a step of fitting against their compiled twins, over several blocks of Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fits import random_parameters
from interpreted import interpreted, load_kernels  # noqa: F401 (a fixture)

from gvideo.encoder.backends import cpu_kernels
from gvideo.raster import cuda

load_kernels()
WIDTH, HEIGHT, FRAMES = 48, 36, 20


@pytest.mark.parametrize(("count", "control"), [(300, 4), (1, 1), (0, 3)])
def test_motion_and_its_gradients_are_those_of_the_cpu(count, control):
    from gvideo.encoder.backends import cuda_kernels

    p = random_parameters(count, count, control, WIDTH, HEIGHT, FRAMES)
    p.values["theta"][0] = 0  # at rest
    where, v = cuda.device(), p.values
    there = {name: value.to(where) for name, value in v.items()}
    trajectory = p.trajectory.to(where)
    arrays = {name: value.numpy() for name, value in v.items()}
    wanted = np.empty_like(arrays["residual"])
    cpu_kernels.displace(
        arrays["mean"], arrays["residual"], arrays["theta"], p.trajectory.numpy(), WIDTH, HEIGHT, wanted
    )
    np.testing.assert_allclose(
        cuda_kernels.displace(there, trajectory, WIDTH, HEIGHT).cpu().numpy(), wanted, rtol=1e-5, atol=1e-5
    )
    gradient = np.random.default_rng(0).normal(size=wanted.shape).astype(np.float32)
    by_mean, by_theta = np.ones((count, 2), np.float32), np.zeros(v["theta"].shape)
    got_mean = torch.from_numpy(by_mean.copy()).to(where)
    got = cuda_kernels.spread_gradients(
        there, trajectory, torch.from_numpy(gradient).to(where), got_mean, WIDTH, HEIGHT
    )
    cpu_kernels.spread_gradients(
        arrays["mean"], arrays["theta"], p.trajectory.numpy(), WIDTH, HEIGHT, gradient, by_mean, by_theta
    )
    np.testing.assert_allclose(got_mean.cpu().numpy(), by_mean, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got.cpu().numpy(), by_theta, rtol=1e-4, atol=1e-4)
    assert not got[0].any()
    assert count < 300 or got[1:].any()
