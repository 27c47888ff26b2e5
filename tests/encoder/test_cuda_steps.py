"""Steps of a fit on a device: without waiting for it, and right although nobody has counted before they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from device_watch import Memory, Operations, no_waits
from interpreted import interpreted, load_kernels  # noqa: F401 (a fixture)
from moving_blob import moving_blob

from gvideo.encoder.backends import cpu, pair_capacity
from gvideo.encoder.backends.base import Residual, Target
from gvideo.encoder.backends.cpu_objective import CpuObjective
from gvideo.encoder.backends.cuda import adam as tensor_adam
from gvideo.encoder.backends.cuda_objective import CudaObjective
from gvideo.encoder.backends.pair_capacity import PairCapacity
from gvideo.encoder.fitting.fit import FitSettings, SegmentFit
from gvideo.encoder.gaussians import parameters
from gvideo.encoder.gaussians.parameters import RATES, Parameters
from gvideo.encoder.gaussians.quantised import Geometry, unquantised
from gvideo.encoder.motion.flow import Flow
from gvideo.model.steps import StepRules
from gvideo.raster import cuda

load_kernels()
#: Two tiles, which Triton's interpreter draws in a moment.
WIDTH, HEIGHT, FRAMES = 24, 16, 3
RULES = StepRules(70)
SHORT = FitSettings(
    max_rounds=2, round_steps=2, last_round=1, train_steps=4, frames_per_step=1, prune_every=2, price_every=3
)


@pytest.fixture(scope="module")
def clip() -> tuple[Target, Flow]:
    return moving_blob(FRAMES, WIDTH, HEIGHT)


def _geometry() -> Geometry:
    return Geometry(WIDTH, HEIGHT, np.arange(FRAMES, dtype=np.float32), 2)


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
    """Windows of growth and of training lack room for one pair in a thousand, are put back and repeated."""
    with monkeypatch.context() as patch:
        patch.setattr(CudaObjective, "attempt", lambda _, steps: steps() or True)  # no window: every step counts
        wanted = _fit(clip)
    verdicts = []

    def attempt(self: CudaObjective, steps: object) -> bool:
        verdicts.append(right(self, steps))
        return verdicts[-1]

    right = CudaObjective.attempt
    monkeypatch.setattr(CudaObjective, "attempt", attempt)
    monkeypatch.setattr(CudaObjective, "window", 3)
    monkeypatch.setattr(pair_capacity, "_roomy", lambda pairs: max(int(0.999 * pairs), 1))
    monkeypatch.setattr(PairCapacity, "confirm", _confirm_by_a_hair)
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


def _confirm_by_a_hair(room: PairCapacity) -> bool:
    """Room for just what was seen: the next window may lack it again."""
    most, least = int(room._seen), room._least
    room._seen.zero_()
    room._least = None
    if least is not None and most > least:
        room.capacity = most
    return least is None or most <= least


def test_room_follows_what_steps_need():
    where = cuda.device()
    room = PairCapacity(where)
    assert room.capacity_of(10) is None
    room.measure(10, torch.tensor(100_000, device=where))
    first = room.capacity_of(10)
    assert first is not None
    assert 120_000 <= first <= 140_000
    assert room.capacity_of(8) == first
    assert room.capacity_of(11) is None  # more Gaussians than ever counted
    room.note(torch.tensor(102_000, device=where), first)
    assert room.confirm()
    assert room.capacity == first
    room.note(torch.tensor(first + 1, device=where), first)
    room.note(torch.tensor(5, device=where), first)
    assert not room.confirm()
    assert room.capacity_of(10) > 1.2 * first
    assert room.confirm()  # what is confirmed is forgotten
    room.note(torch.tensor(9_000, device=where), room.capacity_of(10))
    assert room.confirm()
    assert room.capacity_of(10) == pair_capacity._roomy(9_000)
    room.measure(20, torch.tensor(4_000, device=where))
    assert room.capacity_of(20) == pair_capacity._roomy(9_000)


def test_one_more_pair_than_there_is_room_for_is_noticed():
    room = PairCapacity(cuda.device())
    room.measure(1, torch.tensor(10, device=cuda.device()))
    room.note(torch.tensor(20, device=cuda.device()), 20)
    assert room.confirm()
    room.note(torch.tensor(21, device=cuda.device()), 20)
    assert not room.confirm()


def test_steps_in_a_window_do_not_wait_for_the_device(clip, monkeypatch):
    """Growing and training, with the operations that a GPU would run."""
    target, flow = clip
    fit = SegmentFit(target, flow, np.zeros((2, target.basis.shape[1], 2, 3)), SHORT, 0, "cuda")
    fit.effort = 1.0
    fit.grow(RULES)
    geometry = Geometry(WIDTH, HEIGHT, np.arange(FRAMES, dtype=np.float32), 2)

    def step() -> None:
        fit._growth_steps([RATES | {"theta": 0.01}])
        fit._training_steps(RULES, geometry, [1.0], [1.0])

    def steps() -> None:
        for first in range(FRAMES):  # every choice of frames has been there once, and kernels are compiled
            monkeypatch.setattr(fit, "_frames", lambda first=first: np.array([first], np.int32))
            step()
        with no_waits():
            step()

    assert fit.objective.attempt(steps)


def test_steps_work_on_a_device_whose_memory_the_host_cannot_read(clip, monkeypatch):
    """Torch's meta device has no memory at all: reading from it, or mixing it with the host's, is an error."""
    from gvideo.encoder.backends import cuda_kernels, cuda_quantise
    from gvideo.raster.cuda import kernels

    meta = torch.device("meta")
    launched = []

    class Launch:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getitem__(self, grid: object) -> Callable[..., None]:
            def launch(*arguments: object, **_: object) -> None:
                launched.append(self.name)
                assert all(a.device == meta for a in arguments if isinstance(a, torch.Tensor)), self.name

            return launch

    draw = ["project", "list_pairs", "prepare", "fit_tiles", "collect"]
    for name in draw:
        monkeypatch.setattr(kernels, name, Launch(name))
    monkeypatch.setattr(cuda_quantise, "quantise_rows", Launch("quantise_rows"))
    for name in ("displace_rows", "spread_rows", "charge_motion_rows", "charge_bits_rows"):
        monkeypatch.setattr(cuda_kernels, name, Launch(name))
    monkeypatch.setattr(cuda, "device", lambda: meta)
    target, flow = clip
    fit = SegmentFit(target, flow, np.zeros((2, target.basis.shape[1], 2, 3)), SHORT, 0, "cuda")
    _add_some(fit.parameters)
    room = fit.objective._room
    room.capacity, room._num_gaussians = 4096, 3  # the one count that needs a real device
    geometry = Geometry(WIDTH, HEIGHT, np.arange(FRAMES, dtype=np.float32), 2)
    fit.objective._in_window = True
    for _ in range(2):
        with Operations() as growing:
            fit._growth_steps([RATES | {"theta": 0.01}])
        with Operations() as training:
            fit._training_steps(RULES, geometry, [1.0], [1.0])
    step = ["displace_rows", *draw, "spread_rows"]
    assert launched == [*step, "charge_motion_rows", "quantise_rows", *step, "charge_bits_rows"] * 2
    # each costs the host some microseconds; a step of such operations alone would have two hundred
    assert len(growing.names) <= 48, growing.names
    assert len(training.names) <= 68, training.names
    assert {value.device for value in fit.parameters.values.values()} == {meta}
    chosen, means = fit.backend._growth._follow(
        fit.parameters.values["theta"].double(), fit.parameters.values["mean"], fit.parameters.trajectory, 1.0
    )
    assert (chosen.shape, means.shape) == ((3,), (3, 2))


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
    _add_some(p)
    return unquantised(p), p.trajectory


def _add_some(p: Parameters) -> None:
    """Three Gaussians in one place."""
    where = p.trajectory.device
    new = {name: torch.zeros((3, *p.values[name].shape[1:]), device=where) for name in RATES}
    new["mean"] += 10.1  # no pixel where only rounding decides about the support
    new["luma"] += 0.5
    p.append(new, torch.zeros(3, dtype=torch.long, device=where))


def test_residuals_and_energies_are_made_some_frames_at_a_time(monkeypatch):
    target, _ = moving_blob(11, WIDTH, HEIGHT)
    objective = CudaObjective(target)
    values, trajectory = _some_values(target, objective.device)
    whole = objective.residual(values, trajectory, np.arange(11, dtype=np.int32))
    monkeypatch.setattr(cuda, "_LAUNCH_PIXELS", 2 * WIDTH * HEIGHT)
    left = objective.residual(values, trajectory, np.arange(11, dtype=np.int32))
    assert torch.equal(left.values, whole.values)
    # what Triton's interpreter copies is not what a GPU would hold
    monkeypatch.setattr(cuda, "draw", lambda batch, view: left.values.new_ones((len(batch.times), 3, HEIGHT, WIDTH)))
    with Memory() as memory:
        objective.residual(values, trajectory, np.arange(11, dtype=np.int32))
    frame = 12 * WIDTH * HEIGHT
    assert (11 + 2) * frame <= memory.peak < (11 + 3) * frame
    with Memory() as memory:
        energy = objective.energy(left)
    assert 2 * frame <= memory.peak < 3 * frame  # a frame in float64
    assert energy == pytest.approx(
        CpuObjective(target).energy(Residual(left.values.cpu().numpy(), left.frames)), rel=1e-6
    )


def test_weights_of_pixels_are_those_of_the_cpu():
    target, _ = moving_blob(5, WIDTH, HEIGHT)
    weights = np.random.default_rng(2).uniform(0, 4, (5, HEIGHT, WIDTH)).astype(np.float32)
    weighted = replace(target, weights=weights)
    device, host = CudaObjective(weighted), CpuObjective(weighted)
    values, trajectory = _some_values(target, device.device)
    frames = np.array([4, 1], np.int32)
    error, gradients = device.error_and_gradients(values, trajectory, frames)
    on_host = {name: value.cpu() for name, value in values.items()}
    wanted, expected = host.error_and_gradients(on_host, trajectory.cpu(), frames)
    assert float(error) == pytest.approx(float(wanted), rel=1e-4)
    for name, gradient in expected.items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(gradients[name].cpu(), gradient, rtol=1e-3, atol=1e-3 * size + 1e-6, msg=name)
    left = device.residual(values, trajectory, frames := np.array([1, 3, 4], np.int32))
    assert device.energy(left) == pytest.approx(host.energy(Residual(left.values.cpu().numpy(), frames)), rel=1e-5)
    assert device.energy(left) != pytest.approx(CudaObjective(target).energy(left), rel=1e-2)


def test_adam_on_all_attributes_at_once_is_the_compiled_one():
    generator = torch.Generator().manual_seed(0)

    def random(scale: float = 1.0) -> parameters.Values:
        shapes = {
            "mean": (7, 2), "angle": (7,), "theta": (2, 3, 2, 3), "log_scale": (7, 2), "log_duration": (7,),
            "centre": (7,),
        }  # fmt: skip
        return {name: scale * torch.randn(shape, generator=generator) for name, shape in shapes.items()}

    compiled = Parameters(random(), torch.zeros(7, dtype=torch.long))
    tensors = compiled.copy()
    rates = {"mean": 0.3, "angle": 0.03, "theta": 0.02, "log_scale": 0.03, "log_duration": 0.03, "centre": 0.3}
    for _ in range(4):
        gradients = random(3.0)
        cpu.adam(compiled, {name: g.clone() for name, g in gradients.items()}, rates, 2.5)
        tensor_adam(tensors, gradients, rates, 2.5)
    assert tensors.num_steps == compiled.num_steps == 4
    for name, value in compiled.values.items():
        torch.testing.assert_close(tensors.values[name], value, rtol=1e-5, atol=1e-6, msg=name)
        torch.testing.assert_close(tensors.second[name], compiled.second[name], rtol=1e-5, atol=1e-6, msg=name)
