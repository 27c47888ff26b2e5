"""Steps of fitting in compiled calls against the same operations one by one; on any number of threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import random_parameters

from gvideo.encoder.backends import cpu_coarse, cpu_steps
from gvideo.encoder.backends.base import CHANNEL_WEIGHTS, Target
from gvideo.encoder.backends.cpu import CpuBackend
from gvideo.encoder.backends.steps import GrowthSteps, TrainingSteps, run_one_by_one
from gvideo.encoder.gaussians.parameters import RATES, Parameters
from gvideo.encoder.gaussians.quantised import Geometry
from gvideo.model import motion
from gvideo.model.steps import StepRules
from gvideo.raster import threads

WIDTH, HEIGHT, FRAMES, CONTROL, COUNT, TRAJECTORIES = 150, 140, 12, 4, 600, 4
RULES = StepRules(76)
TIMES = np.arange(FRAMES, dtype=np.float32)


def _target(weighted: bool = False) -> Target:
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 0.2, (FRAMES, 3, HEIGHT, WIDTH)).astype(np.float32)
    weights = rng.uniform(0.2, 2, (FRAMES, HEIGHT, WIDTH)).astype(np.float32) if weighted else None
    return Target(frames, motion.basis(TIMES, FRAMES, CONTROL), TIMES, weights)


def _parameters() -> Parameters:
    """From 0.6 px, which no vector is filled by, to 12 px, of which some are drawn on the coarse grid."""
    p = random_parameters(3, COUNT, CONTROL, WIDTH, HEIGHT, FRAMES)
    p.values["theta"][0] = 0
    p.values["log_scale"] = 3 * torch.rand((COUNT, 2), generator=torch.Generator().manual_seed(1)) - 0.5
    p.values["log_duration"][::7] = 9.0  # permanent
    return p


def _frames(num: int) -> np.ndarray:
    starts = np.array([1, 2, 0])[:, None]
    return ((starts + np.arange(num) * (FRAMES // num)) % FRAMES).astype(np.int32)


def _growth(num: int = 3) -> GrowthSteps:
    rates = [dict.fromkeys((*RATES, "theta"), 0.01 * (k + 1)) for k in range(3)]
    return GrowthSteps(_frames(num), rates, FRAMES / num, 0.35, 1e-2)


def _training(num: int = 3) -> TrainingSteps:
    growth = _growth(num)
    prices = [(1e-2 * k, 2e-2, 5e-2, 3e-2, 1e-2, 4e-2) for k in (1, 2, 3)]
    geometry = Geometry(WIDTH, HEIGHT, TIMES, 2)
    differences = torch.eye(TRAJECTORIES)
    differences[3, 1] = -1
    in_time = torch.eye(CONTROL) - torch.diag(torch.ones(CONTROL - 1), -1)
    return TrainingSteps(
        growth.frames, growth.rates, growth.factor, prices, RULES, geometry, 0.0, 1.0, differences, in_time
    )


def _assert_alike(got: Parameters, wanted: Parameters, before: Parameters) -> None:
    assert got.num_steps == wanted.num_steps
    for name, value in wanted.values.items():
        if not value.numel():
            continue
        moved = float((value - before.values[name]).abs().max())
        assert moved > 0, name
        torch.testing.assert_close(got.values[name], value, rtol=1e-6, atol=5e-4 * moved + 1e-6, msg=name)
        size = float(wanted.second[name].abs().max())
        torch.testing.assert_close(got.second[name], wanted.second[name], rtol=1e-3, atol=1e-4 * size, msg=name)


@pytest.mark.parametrize("num", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [_growth, _training])
def test_compiled_steps_are_the_operations_one_by_one(kind, weighted, num):
    backend = CpuBackend(_target(weighted), None)
    before, steps = _parameters(), kind(num)
    got, wanted = before.copy(), before.copy()
    errors = backend.run_steps(got, steps)
    np.testing.assert_allclose(errors, run_one_by_one(backend, wanted, steps), rtol=1e-5)
    assert errors[0] != pytest.approx(errors[1], rel=1e-3)
    _assert_alike(got, wanted, before)


def test_steps_at_a_fraction_of_the_size(monkeypatch):
    monkeypatch.setattr(cpu_coarse, "COARSE_SIDE", 16)
    backend = CpuBackend(_target(), None)
    backend.objective.coarsen(2 * cpu_coarse.COARSE_SIGMA)
    assert backend.objective.shrunk[0] == 1
    before, steps = _parameters(), _growth()
    got, wanted = before.copy(), before.copy()
    np.testing.assert_allclose(backend.run_steps(got, steps), run_one_by_one(backend, wanted, steps), rtol=1e-5)
    _assert_alike(got, wanted, before)


def test_without_residual_motion_and_without_prices_of_trajectories():
    target = replace(_target(), refinement=np.zeros((CONTROL, 0), np.float32))
    before = _parameters()
    for values in (before.values, before.first, before.second):
        values["residual"] = torch.zeros((COUNT, target.num_control, 2))
    assert target.num_control == 0
    steps = _training()
    steps = replace(steps, prices=[(*prices[:5], 0.0) for prices in steps.prices])
    backend = CpuBackend(target, None)
    got, wanted = before.copy(), before.copy()
    np.testing.assert_allclose(backend.run_steps(got, steps), run_one_by_one(backend, wanted, steps), rtol=1e-5)
    _assert_alike(got, wanted, before)


@pytest.mark.parametrize("kind", [_growth, _training])
def test_the_number_of_threads_changes_no_bit(kind):
    backend, results = CpuBackend(_target(), None), []
    try:
        for count in (1, 2, 3, 7):
            threads.set_num_threads(count)
            p = _parameters()
            errors = backend.run_steps(p, kind())
            results.append((errors, p))
    finally:
        threads.set_num_threads(None)
    errors, wanted = results[0]
    for other_errors, p in results[1:]:
        assert other_errors == errors
        for name, value in wanted.values.items():
            assert torch.equal(p.values[name], value), name
            assert torch.equal(p.second[name], wanted.second[name]), name


def test_calls_of_some_steps_are_one_run(monkeypatch):
    backend, steps = CpuBackend(_target(), None), _training()
    whole, pieces = _parameters(), _parameters()
    wanted = backend.run_steps(whole, steps)
    monkeypatch.setattr(cpu_steps, "_STEPS_A_CALL", 2)
    assert backend.run_steps(pieces, steps) == wanted
    for name, value in whole.values.items():
        assert torch.equal(pieces.values[name], value), name


@pytest.mark.parametrize("height", [10, 64, 65, 128, 129, 1080])
def test_tasks_cover_every_row_of_every_frame_once(height):
    for num in (1, 2, 3, 4):
        rows = [(frame, row) for frame, top, bottom in cpu_steps._tasks(num, height) for row in range(top, bottom)]
        assert sorted(rows) == [(frame, row) for frame in range(num) for row in range(height)]
        assert all(top % 64 == 0 for _, top, _ in cpu_steps._tasks(num, height))


def test_without_gaussians_the_error_is_that_of_the_frames():
    target, p, steps = _target(), _parameters(), _training()
    p.keep(torch.zeros(COUNT, dtype=torch.bool))
    errors = CpuBackend(target, None).run_steps(p, steps)
    squares = np.square(target.frames[steps.frames]).sum((1, 3, 4)) @ CHANNEL_WEIGHTS
    np.testing.assert_allclose(errors, squares, rtol=1e-5)
