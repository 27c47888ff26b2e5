"""Steps of a fit on a device: without waiting for it, and right although nobody has counted before they run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from device_watch import Memory, no_waits
from interpreted import interpreted, load_kernels  # noqa: F401 (a fixture)
from moving_blob import moving_blob

from gvideo.encoder import cuda_room, parameters, quantised
from gvideo.encoder.cuda_objective import CudaObjective
from gvideo.encoder.cuda_room import PairRoom
from gvideo.encoder.fit import FitSettings, SegmentFit
from gvideo.encoder.flow import Flow
from gvideo.encoder.objective import CpuObjective, Target
from gvideo.encoder.parameters import RATES, Parameters
from gvideo.encoder.quantised import Geometry, unquantised
from gvideo.model.steps import StepRules
from gvideo.raster import cuda

load_kernels()
#: Two tiles, which Triton's interpreter draws in a moment.
WIDTH, HEIGHT, FRAMES = 24, 16, 3
RULES = StepRules(70)
SHORT = FitSettings(
    max_rounds=2, round_steps=4, last_round=1, train_steps=6, frames_per_step=1, prune_every=3, price_every=4
)


@pytest.fixture(scope="module")
def clip() -> tuple[Target, Flow]:
    return moving_blob(FRAMES, WIDTH, HEIGHT)


def _geometry() -> Geometry:
    return Geometry(WIDTH, HEIGHT, torch.arange(FRAMES).float(), 2)


def _fit(clip: tuple[Target, Flow]) -> SegmentFit:
    target, flow = clip
    theta = np.zeros((2, target.basis.shape[1], 2, 3))
    theta[1, :, :, 0] = 1
    fit = SegmentFit(target, flow, theta, SHORT, 0, "cuda")
    fit.effort = 1.0
    fit.grow(RULES)
    fit.train(RULES, _geometry())
    return fit


def test_a_fit_that_runs_out_of_room_is_the_fit_that_counts_every_pair(clip, monkeypatch):
    """A window that overflows in its middle, is repeated, overflows later, and is repeated again."""
    with monkeypatch.context() as patch:
        patch.setattr(CudaObjective, "attempt", lambda _, steps: steps() or True)  # no window: every step counts
        wanted = _fit(clip)
    verdicts = []

    def attempt(self: CudaObjective, steps: object) -> bool:
        verdicts.append(right(self, steps))
        return verdicts[-1]

    right = CudaObjective.attempt
    monkeypatch.setattr(CudaObjective, "attempt", attempt)
    monkeypatch.setattr(CudaObjective, "window", 4)
    monkeypatch.setattr(cuda_room, "_roomy", lambda pairs: max(int(0.999 * pairs), 1))
    monkeypatch.setattr(cuda_room, "_LEAST", 1.0)
    with monkeypatch.context() as patch:
        # what a window needs is only ever met by a hair when it is confirmed, and missed by one where it is measured
        patch.setattr(PairRoom, "confirm", _confirm_by_a_hair)
        got = _fit(clip)
    assert verdicts.count(False) >= 2
    assert verdicts.count(True) == 4  # two rounds of growth, two windows of training
    assert got.loss_values() == wanted.loss_values()
    assert got.prices == wanted.prices
    assert got.rng.bit_generator.state == wanted.rng.bit_generator.state
    for name, value in wanted.parameters.values.items():
        torch.testing.assert_close(got.parameters.values[name], value, rtol=0, atol=0, msg=name)
        torch.testing.assert_close(got.parameters.second[name], wanted.parameters.second[name], rtol=0, atol=0)
    assert got.parameters.trajectory.tolist() == wanted.parameters.trajectory.tolist()


def _confirm_by_a_hair(room: PairRoom) -> bool:
    most, over = room._seen.tolist()
    room._seen.zero_()
    if over > 0:
        room.capacity = most
    return over <= 0


def test_room_follows_what_steps_need():
    where = cuda.device()
    room = PairRoom(where)
    assert room.capacity_of(10) is None
    room.measure(10, torch.tensor(100_000, device=where))
    first = room.capacity_of(10)
    assert first is not None
    assert 130_000 <= first <= 140_000
    assert room.capacity_of(8) == first
    assert room.capacity_of(11) is None  # more Gaussians than ever counted
    room.note(torch.tensor(110_000, device=where), first)
    assert room.confirm()
    assert room.capacity == first
    room.note(torch.tensor(first + 1, device=where), first)
    room.note(torch.tensor(5, device=where), first)
    assert not room.confirm()
    assert room.capacity_of(10) > 1.2 * first
    assert room.confirm()  # what is confirmed is forgotten
    room.note(torch.tensor(9_000, device=where), room.capacity_of(10))
    assert room.confirm()
    assert room.capacity_of(10) == cuda_room._roomy(9_000)
    room.measure(20, torch.tensor(4_000, device=where))
    assert room.capacity_of(20) == cuda_room._roomy(9_000)


def test_one_more_pair_than_there_is_room_for_is_noticed():
    room = PairRoom(cuda.device())
    room.measure(1, torch.tensor(10, device=cuda.device()))
    room.note(torch.tensor(20, device=cuda.device()), 20)
    assert room.confirm()
    room.note(torch.tensor(21, device=cuda.device()), 20)
    assert not room.confirm()


def test_steps_in_a_window_do_not_wait_for_the_device(clip, monkeypatch):
    """Growing and training, with the operations that a GPU would run."""
    monkeypatch.setattr(parameters, "on_host", lambda _: False)
    monkeypatch.setattr(quantised, "on_host", lambda _: False)
    target, flow = clip
    fit = SegmentFit(target, flow, np.zeros((2, target.basis.shape[1], 2, 3)), SHORT, 0, "cuda")
    fit.effort = 1.0
    fit.grow(RULES)
    where = fit.objective.device
    geometry = Geometry(WIDTH, HEIGHT, torch.arange(FRAMES, device=where).float(), 2)

    def step() -> None:
        fit._float_step(RATES | {"theta": 0.01})
        fit._train_step(fit._quantise(RULES, geometry), RULES, 1.0, 1.0)

    def steps() -> None:
        for first in range(FRAMES):  # every choice of frames has been there once, and kernels are compiled
            monkeypatch.setattr(fit, "_frames", lambda first=first: np.array([first], np.int32))
            step()
        with no_waits():
            step()

    assert fit.objective.attempt(steps)


def test_waits_are_noticed(clip):
    """The test above can fail: outside of a window every step counts its pairs."""
    target, _ = clip
    objective = CudaObjective(target)
    values, trajectory = _some_values(target, objective.device)
    frames = np.array([0], np.int32)
    objective.error_and_gradients(values, trajectory, frames)
    with pytest.raises((AssertionError, RuntimeError)), no_waits():
        objective.error_and_gradients(values, trajectory, frames)


def _some_values(target: Target, where: torch.device) -> tuple[parameters.Values, torch.Tensor]:
    p = parameters.empty(target.basis.shape[1], torch.zeros((2, target.basis.shape[1], 2, 3), device=where))
    new = {name: torch.zeros((3, *value.shape[1:]), device=where) for name, value in p.values.items()}
    new["mean"] += 10
    new["luma"] += 0.5
    del new["theta"]
    p.append(new, torch.zeros(3, dtype=torch.long, device=where))
    return unquantised(p), p.trajectory


def test_a_residual_and_its_energy_need_the_memory_of_a_launch(monkeypatch):
    target, _ = moving_blob(12, WIDTH, HEIGHT)
    objective = CudaObjective(target)
    values, trajectory = _some_values(target, objective.device)
    whole = objective.residual(values, trajectory)
    monkeypatch.setattr(cuda, "_LAUNCH_PIXELS", 2 * WIDTH * HEIGHT)
    with Memory() as memory:
        left = objective.residual(values, trajectory)
        peak = memory.peak
        energy = objective.energy(left)
    assert torch.equal(left, whole)
    frame = 12 * WIDTH * HEIGHT
    # the result, and two frames of pictures, which Triton's interpreter copies before and after a kernel
    assert 12 * frame <= peak <= memory.peak < (12 + 3 * 2 + 2) * frame
    assert energy == pytest.approx(CpuObjective(target).energy(left.cpu().numpy()), rel=1e-6)


def test_adam_on_all_attributes_at_once_is_the_compiled_one():
    generator = torch.Generator().manual_seed(0)

    def random(scale: float = 1.0) -> parameters.Values:
        shapes = {"mean": (7, 2), "angle": (7,), "theta": (2, 3, 2, 3)}
        return {name: scale * torch.randn(shape, generator=generator) for name, shape in shapes.items()}

    compiled = Parameters(random(), torch.zeros(7, dtype=torch.long))
    tensors = compiled.copy()
    rates = {"mean": 0.3, "angle": 0.03, "theta": 0.02}
    for _ in range(4):
        gradients = random(3.0)
        compiled.adam({name: g.clone() for name, g in gradients.items()}, rates, 2.5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parameters, "on_host", lambda _: False)
            tensors.adam(gradients, rates, 2.5)
    assert tensors.num_steps == compiled.num_steps == 4
    for name, value in compiled.values.items():
        torch.testing.assert_close(tensors.values[name], value, rtol=1e-5, atol=1e-6, msg=name)
        torch.testing.assert_close(tensors.second[name], compiled.second[name], rtol=1e-5, atol=1e-6, msg=name)
