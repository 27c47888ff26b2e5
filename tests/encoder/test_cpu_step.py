"""The compiled parts of a step of fitting against tensors, autograd and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fits import random_parameters

from gvideo import raster
from gvideo.encoder.backends import cpu_kernels, cpu_objective
from gvideo.encoder.backends.base import CHANNEL_WEIGHTS, Target
from gvideo.encoder.backends.cpu import adam as compiled_adam
from gvideo.encoder.fitting import fit
from gvideo.encoder.gaussians.parameters import BETA1, BETA2, EPSILON, Parameters
from gvideo.model import motion

WIDTH, HEIGHT, FRAMES, CONTROL, TRAJECTORIES = 48, 36, 20, 4, 4


def parameters(seed: int, count: int) -> Parameters:
    """Random ones, trajectory 0 at rest."""
    p = random_parameters(seed, count, CONTROL, WIDTH, HEIGHT, FRAMES)
    p.values["theta"][0] = 0
    return p


def test_displacements_and_their_gradients_are_those_of_autograd():
    p = parameters(1, 60)
    mean, residual, theta = (p.values[n].double().requires_grad_() for n in ("mean", "residual", "theta"))
    unit = max(WIDTH, HEIGHT) / 4
    phi = torch.stack([torch.ones(60), (mean[:, 0] - WIDTH / 2) / unit, (mean[:, 1] - HEIGHT / 2) / unit], 1)
    wanted = (theta[p.trajectory] * phi[:, None, None, :]).sum(-1) + residual
    weights = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(2))
    (wanted * weights).sum().backward()

    arrays = {name: value.numpy() for name, value in p.values.items()}
    out = np.empty((60, CONTROL, 2), np.float32)
    trajectory = p.trajectory.numpy()
    cpu_kernels.displace(arrays["mean"], arrays["residual"], arrays["theta"], trajectory, WIDTH, HEIGHT, out)
    np.testing.assert_allclose(out, wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
    by_mean, by_theta = np.zeros((60, 2), np.float32), np.zeros((TRAJECTORIES, CONTROL, 2, 3))
    cpu_kernels.spread_gradients(
        arrays["mean"], arrays["theta"], trajectory, WIDTH, HEIGHT, weights.numpy(), by_mean, by_theta
    )
    np.testing.assert_allclose(by_mean, mean.grad.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_theta[1:], theta.grad.numpy()[1:], rtol=1e-4, atol=1e-5)
    assert not by_theta[0].any()  # the first trajectory is at rest


def test_gradients_of_the_error_are_those_of_autograd():
    """The signal model written down once more, every Gaussian at every pixel, in float64."""
    p = parameters(3, 12)
    times = np.arange(FRAMES, dtype=np.float32)
    rng = np.random.default_rng(0)
    basis = motion.basis(times, FRAMES, CONTROL)
    target = Target(rng.normal(0, 0.2, (FRAMES, 3, HEIGHT, WIDTH)).astype(np.float32), basis, times)
    frames = np.array([2, 9, 17], np.int32)
    values = fit.unquantised(p)
    error, gradients = cpu_objective.CpuObjective(target).error_and_gradients(values, p.trajectory, frames)

    v = {name: value.double().requires_grad_() for name, value in values.items()}
    unit = max(WIDTH, HEIGHT) / 4
    phi = torch.stack([torch.ones(12), *((v["mean"] - torch.tensor([WIDTH, HEIGHT]) / 2) / unit).T], 1)
    control = (v["theta"][p.trajectory] * phi[:, None, None, :]).sum(-1) + v["residual"]
    path = v["mean"] + torch.einsum("fk,nkc->fnc", torch.from_numpy(basis[frames]).double(), control)
    life = -0.5 * ((torch.from_numpy(times[frames])[:, None] - v["centre"]) * v["inverse_duration"]) ** 2
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    dx, dy = x - path[..., 0, None, None], y - path[..., 1, None, None]
    cosine, sine = v["angle"].cos()[:, None, None], v["angle"].sin()[:, None, None]
    sigma = v["log_scale"].exp()[:, :, None, None]
    exponent = -0.5 * (((cosine * dx + sine * dy) / sigma[:, 0]) ** 2 + ((cosine * dy - sine * dx) / sigma[:, 1]) ** 2)
    weight = (exponent.exp() - math.exp(-4)).clamp(min=0) * torch.where(life >= -5, life.exp(), 0.0)[..., None, None]
    picture = torch.einsum("fnyx,nc->fcyx", weight, v["amplitude"])
    squares = (picture - torch.from_numpy(target.frames[frames])).square().sum((0, 2, 3))
    wanted = (squares * torch.from_numpy(CHANNEL_WEIGHTS)).sum()
    wanted.backward()
    assert error == pytest.approx(float(wanted.detach()), rel=1e-5)
    v["theta"].grad[0] = 0
    for name, gradient in gradients.items():
        size = float(v[name].grad.abs().max())
        torch.testing.assert_close(gradient.double(), v[name].grad, rtol=1e-3, atol=1e-3 * size, msg=name)


def test_the_price_of_bits_is_the_slope_of_the_bits():
    """Where levels are counted unrounded, the slopes are derivatives of the documented price."""
    rng = np.random.default_rng(4)
    ratio = rng.normal(0, 2, (40, 3)).astype(np.float32)
    residual = rng.normal(0, 2, (40, CONTROL, 2)).astype(np.float32)
    step = rng.uniform(0.5, 2, (40, 3)).astype(np.float32)
    residual_step = rng.uniform(0.5, 2, (40, 2)).astype(np.float32)
    prices = np.array([1.1, 0.7, 5.0, 2.0, 3.0])
    a, r = np.zeros((40, 3), np.float32), np.zeros((40, CONTROL, 2), np.float32)
    levels = residual / residual_step[:, None]
    cpu_kernels.charge_bits(ratio, ratio, step, residual, levels, residual_step, prices, a, r)

    x = torch.tensor(ratio * step, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(residual, dtype=torch.float64, requires_grad=True)
    q, d = x / torch.from_numpy(step), y / torch.from_numpy(residual_step)[:, None]
    energy = q.square().sum(1)
    jump = q[:, 1:].square()
    moves = d.square()
    bits = prices[0] * torch.log2(1 + q.abs()).sum() + prices[1] * torch.log2(1 + d.abs()).sum()
    bits = bits + prices[2] * (energy / (1 + energy)).sum() + prices[3] * (jump / (1 + jump)).sum()
    (bits + prices[4] * (moves / (1 + moves)).sum()).backward()
    np.testing.assert_allclose(a, x.grad.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(r, y.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_motion_is_charged_while_growing():
    residual = np.random.default_rng(5).normal(0, 2, (9, CONTROL, 2)).astype(np.float32)
    log_scale = np.full((9, 2), 0.7, np.float32)
    log_scale[:, 1] = 0.2
    out = np.zeros_like(residual)
    cpu_kernels.charge_motion(residual, log_scale, 0.35, 2.5, out)
    y = torch.tensor(residual, dtype=torch.float64, requires_grad=True)
    (2.5 * torch.log2(1 + y.abs() / (0.35 * math.exp(0.2)))).sum().backward()
    np.testing.assert_allclose(out, y.grad.numpy(), rtol=1e-4)


def test_small_gaussians_and_short_lives_move_in_proportion():
    p = parameters(7, 4)
    p.values["log_scale"] = torch.tensor([[9.0, 0.01], [3.0, 1.0], [0.5, 8.0], [2.0, 6.0]]).log()
    p.values["log_duration"] = torch.tensor([0.6, 3.0, 6.0, 60.0]).log()
    before = p.copy()
    ones = {"mean": torch.ones(4, 2), "centre": torch.ones(4), "angle": torch.ones(4)}
    compiled_adam(p, ones, {"mean": 0.2, "centre": 0.1, "angle": 0.3})
    moved = {name: before.values[name] - p.values[name] for name in ones}
    expected = 0.2 * torch.tensor([0.15, 0.5, 0.25, 1.0])
    torch.testing.assert_close(moved["mean"], expected[:, None].expand(4, 2), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moved["centre"], 0.1 * torch.tensor([0.2, 0.5, 1.0, 2.0]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moved["angle"], torch.full((4,), 0.3), rtol=1e-4, atol=1e-5)


def test_adam_is_adam():
    g = torch.Generator().manual_seed(6)
    start = torch.randn(33, generator=g)
    p = parameters(7, 33)
    p.values["angle"] = start.clone()
    other = start.clone().requires_grad_()
    adam = torch.optim.Adam([other], lr=0.03, betas=(BETA1, BETA2), eps=EPSILON)
    for _ in range(20):
        gradient = torch.randn(33, generator=g)
        compiled_adam(p, {"angle": gradient}, {"angle": 0.03}, 2.0)
        other.grad = 2 * gradient
        adam.step()
    torch.testing.assert_close(p.values["angle"], other.detach(), rtol=1e-4, atol=1e-5)


def test_a_step_is_the_same_on_any_number_of_threads(monkeypatch):
    steps = []
    for threads in (1, 3):
        monkeypatch.setattr(raster.threads, "_num_threads", threads)
        p = parameters(8, 3 * 4096)  # rows for each of the threads
        g = torch.Generator().manual_seed(9)
        gradients = {name: torch.randn(value.shape, generator=g) for name, value in p.values.items()}
        compiled_adam(p, gradients, dict.fromkeys(gradients, 0.1), 2.0)
        steps.append(p.values)
    before = parameters(8, 3 * 4096).values
    for name, value in steps[0].items():
        assert torch.equal(value, steps[1][name])
        assert (value != before[name]).double().mean() > 0.9
