"""Growth on a device in pieces: the same as all at once, and never much memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from device_watch import Memory
from interpreted import ON_GPU
from moving_blob import CONTROL, HEIGHT, WIDTH, moving_blob

from gvideo.encoder.backends import cpu_growth, cuda_growth
from gvideo.encoder.backends.base import Residual, Target
from gvideo.encoder.backends.cuda_growth import CudaGrowth
from gvideo.encoder.motion.flow import Flow

FRAMES = 24
WHERE = torch.device("cuda" if ON_GPU else "cpu")


@pytest.fixture(scope="module")
def clip() -> tuple[Target, Flow]:
    return moving_blob(FRAMES)


@pytest.fixture(scope="module")
def growth(clip: tuple[Target, Flow]) -> CudaGrowth:
    target, flow = clip
    return CudaGrowth(flow, target, WHERE)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("space", "time"), [(1, 1), (5, 1), (1, 3), (5, 7), (3, 51)])
def test_the_running_sum_of_energy_is_that_of_the_whole_clip(clip, space, time, weighted):
    luma = clip[0].frames[:, 0]
    weights = np.random.default_rng(1).uniform(0, 3, luma.shape).astype(np.float32) if weighted else None
    on_device = None if weights is None else torch.from_numpy(weights).to(WHERE)
    got = torch.stack(list(cuda_growth._energies(torch.from_numpy(luma).to(WHERE), on_device, space, time)))
    np.testing.assert_allclose(got.cpu().numpy(), cpu_growth._energy(luma, weights, space, time), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("count", [1, 30, 700, 5000])
def test_a_race_frame_by_frame_has_the_winners_of_one_race(growth, count):
    """700 and more: frames of 600 px bring all they have, and most of it is dropped again."""
    energies = [torch.rand((20, 30), device=WHERE, generator=torch.Generator(WHERE).manual_seed(k)) for k in range(6)]
    seed = int(np.random.default_rng(3).integers(2**62))
    generator = torch.Generator(WHERE).manual_seed(seed)
    race = [
        torch.empty(600, dtype=torch.float64, device=WHERE).exponential_(generator=generator)
        / (energy.flatten().double() + 1e-8)
        for energy in energies
    ]
    wanted = torch.cat(race).argsort()[:count].sort()[0]
    got = growth._sample(iter(energies), count, np.random.default_rng(3))
    assert got.tolist() == wanted.tolist()
    assert len(got) == min(count, 3600)


def test_the_chance_of_a_place_is_its_share_of_the_energy(growth):
    energies = torch.tensor([[[1.0, 2.0], [0.0, 1.0]], [[4.0, 0.0], [0.0, 0.0]]], device=WHERE)
    rng = np.random.default_rng(0)
    drawn = np.bincount([int(growth._sample(iter(energies), 1, rng)) for _ in range(2000)], minlength=8)
    np.testing.assert_allclose(drawn / 2000, energies.flatten().cpu().numpy() / 8, atol=0.035)


def test_colour_and_structure_are_those_of_the_cpu(clip):
    """Two frames have no place at all, and the last none either."""
    target, _ = clip
    rng = np.random.default_rng(5)
    frames = np.sort(rng.choice([0, 1, 4, 5, 9, 20], 60))
    x, y = rng.integers(0, WIDTH, 60), rng.integers(0, HEIGHT, 60)
    wanted = cpu_growth._local(target.frames, frames, x, y, 5)
    got = cuda_growth._local(*(torch.from_numpy(a).to(WHERE) for a in (target.frames, frames, y, x)), 5)
    for a, b, name in zip(got, wanted, ("amplitude", "angle", "coherence"), strict=True):
        np.testing.assert_allclose(a.cpu().numpy(), b, rtol=1e-3, atol=1e-5, err_msg=name)


def _propose(growth: CudaGrowth, target: Target, count: int) -> cpu_growth.Generation:
    theta = np.random.default_rng(1).normal(0, 1, (4, CONTROL, 2, 3)).astype(np.float32)
    theta[0] = 0
    theta[1, :, :, 1:] = 0
    theta[1, :, :, 0] = np.linalg.pinv(target.basis) @ (target.times[:, None] * [3, 1])  # as the blob moves
    residual = Residual(torch.from_numpy(target.frames).to(WHERE), np.arange(FRAMES, dtype=np.int32))
    return growth.propose(residual, count, 60, 3.0, torch.from_numpy(theta).to(WHERE), np.random.default_rng(2))


def test_proposals_do_not_depend_on_how_many_tracks_are_held(clip, growth, monkeypatch):
    target, _ = clip
    whole = _propose(growth, target, 100)
    assert len(set(whole.trajectory.tolist())) > 1
    for points in (FRAMES * 33, FRAMES * 99, 1):  # four parts, two of which one place alone, and a place at a time
        monkeypatch.setattr(cuda_growth, "_TRACK_POINTS", points)
        parts = _propose(growth, target, 100)
        assert parts.trajectory.tolist() == whole.trajectory.tolist()
        for name, value in whole.values.items():
            torch.testing.assert_close(parts.values[name], value, rtol=1e-5, atol=1e-5, msg=name)


def test_a_proposal_needs_the_memory_of_a_frame_not_of_the_clip(clip, growth, monkeypatch):
    """The bytes that the docstring of CudaGrowth tells; the clip alone has 12 T = 288 a pixel."""
    target, _ = clip
    monkeypatch.setattr(cuda_growth, "_TRACK_POINTS", FRAMES * 10)
    residual = Residual(torch.from_numpy(target.frames).to(WHERE), np.arange(FRAMES, dtype=np.int32))
    theta = torch.zeros((2, CONTROL, 2, 3), device=WHERE)
    with Memory() as memory:
        growth.propose(residual, 40, 60, 6.0, theta, np.random.default_rng(2))
    bound = 40 * WIDTH * HEIGHT + (50 * FRAMES + 60 * CONTROL + 24 * 2 + 150) * 10 + (100 + 8 * CONTROL) * 40
    assert 0.5 * bound < memory.peak <= bound < 0.25 * target.frames.nbytes
