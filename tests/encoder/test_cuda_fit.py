"""Fitting on a CUDA device, or in Triton's interpreter with the smallest pictures, against fitting on the CPU."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from interpreted import interpreted, load_kernels  # noqa: F401 (a fixture)
from moving_blob import CONTROL, FRAMES, HEIGHT, WIDTH, moving_blob

from gvideo import VideoDecoder, encode
from gvideo.encoder import settings
from gvideo.encoder.backends import cpu_growth
from gvideo.encoder.backends.base import Residual, Target
from gvideo.encoder.backends.cpu_objective import CpuObjective
from gvideo.encoder.backends.cpu_quantise import quantise
from gvideo.encoder.backends.cuda_growth import CudaGrowth
from gvideo.encoder.backends.cuda_objective import CudaObjective
from gvideo.encoder.fitting.fit import FitSettings, SegmentFit
from gvideo.encoder.gaussians import pack
from gvideo.encoder.gaussians.quantised import Geometry, unquantised
from gvideo.encoder.motion import trajectories
from gvideo.encoder.motion.flow import Flow
from gvideo.errors import OptionError
from gvideo.media import open_sink
from gvideo.model.steps import StepRules
from gvideo.raster import cpu
from gvideo.types import VideoFormat

load_kernels()


@pytest.fixture(scope="module")
def clip() -> tuple[Target, Flow]:
    return moving_blob()


@pytest.fixture(scope="module")
def fitted(clip: tuple[Target, Flow]) -> SegmentFit:
    """Some Gaussians, placed and fitted for a few steps on the CPU."""
    target, flow = clip
    theta = trajectories.fit_trajectories(trajectories.follow_points(flow), target.basis, 3, 0)
    fit = SegmentFit(target, flow, theta, FitSettings(max_rounds=2, round_steps=5, last_round=1), 0)
    fit.grow(StepRules(60))
    return fit


def test_errors_gradients_and_residuals_are_those_of_the_cpu(clip, fitted, monkeypatch):
    target, _ = clip
    monkeypatch.setattr(cpu, "loss_and_gradients_on_grids", cpu.loss_and_gradients)  # a GPU draws all on one grid
    host, device = CpuObjective(target), CudaObjective(target)
    values, trajectory = unquantised(fitted.parameters), fitted.parameters.trajectory
    there = {name: value.to(device.device) for name, value in values.items()}
    frames = np.array([0, 3], np.int32)
    error, wanted = host.error_and_gradients(values, trajectory, frames)
    got_error, got = device.error_and_gradients(there, trajectory.to(device.device), frames)
    assert float(got_error) == pytest.approx(error, rel=1e-4)
    for name, gradient in wanted.items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(got[name].cpu(), gradient, rtol=1e-3, atol=1e-3 * size, msg=name)
    some = np.array([0, 2, 3], np.int32)
    residual = device.residual(there, trajectory.to(device.device), some)
    left = host.residual(values, trajectory, some)
    np.testing.assert_allclose(residual.values.cpu().numpy(), left.values, atol=1e-5)
    assert device.energy(residual) == pytest.approx(host.energy(left), rel=1e-4)


def test_the_price_of_bits_is_that_of_the_cpu(clip, fitted):
    target, _ = clip
    host, device = CpuObjective(target), CudaObjective(target)
    geometry = Geometry(WIDTH, HEIGHT, np.arange(FRAMES, dtype=np.float32), 2)
    q = quantise(fitted.parameters, StepRules(60), geometry, 0.0, 1.0)
    residual = torch.randn(q.residual.shape, generator=torch.Generator().manual_seed(0))
    gradients = [{"amplitude": torch.zeros_like(q.levels), "residual": torch.zeros_like(residual)} for _ in range(2)]
    prices = (1.0, 0.7, 5.0, 2.0, 3.0)
    host.charge_bits(q, residual, prices, gradients[0])
    there = {name: g.to(device.device) for name, g in gradients[1].items()}
    moved = type(q)(*(getattr(q, name).to(device.device) for name in q.__dataclass_fields__))
    device.charge_bits(moved, residual.to(device.device), prices, there)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(there[name].cpu(), gradient, rtol=1e-4, atol=1e-5, msg=name)
    values = unquantised(fitted.parameters) | {"residual": residual}
    floats = [{"residual": torch.zeros_like(residual)} for _ in range(2)]
    host.charge_motion(values, 0.35, 2.0, floats[0])
    there = {"residual": floats[1]["residual"].to(device.device)}
    device.charge_motion({k: v.to(device.device) for k, v in values.items()}, 0.35, 2.0, there)
    torch.testing.assert_close(there["residual"].cpu(), floats[0]["residual"], rtol=1e-4, atol=1e-5)


def test_tracks_and_assignments_are_those_of_the_cpu(clip):
    target, flow = clip
    where = CudaObjective(target).device
    growth = CudaGrowth(flow, target, where)
    rng = np.random.default_rng(1)
    points = (rng.random((50, 2)) * [WIDTH - 1, HEIGHT - 1]).astype(np.float32)
    frames = rng.integers(0, FRAMES, 50)
    tracks = flow.track(points, frames)
    got = growth.track(torch.from_numpy(points).to(where), torch.from_numpy(frames).to(where))
    # OpenCV looks flow up to a thirty-second of a pixel
    np.testing.assert_allclose(got.cpu().numpy(), tracks, atol=0.15)
    theta = rng.normal(0, 2, (3, CONTROL, 2, 3))
    weights = trajectories.track_weights(tracks, frames, 2.0, WIDTH, HEIGHT)
    seen = trajectories.Tracks(points, frames, tracks, weights, WIDTH, HEIGHT)
    wanted = trajectories.assignment_errors(theta, target.basis, seen)
    errors, means = growth.assignment_errors(
        *(torch.from_numpy(a).to(where) for a in (theta, points, frames, tracks, weights))
    )
    np.testing.assert_allclose(errors.cpu().numpy(), wanted[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(means.cpu().numpy(), wanted[1], rtol=1e-4, atol=1e-2)


def test_proposals_lie_where_those_of_the_cpu_lie(clip, monkeypatch):
    """All places at once, so that chance has no say: the same places with the same values."""
    target, flow = clip
    monkeypatch.setattr(cpu_growth, "_sample", lambda energy, count, rng: np.arange(energy.size))
    where = CudaObjective(target).device
    some = np.arange(0, FRAMES, 2, dtype=np.int32)
    count = len(some) * HEIGHT * WIDTH
    theta = np.zeros((2, CONTROL, 2, 3))
    theta[1, :, :, 0] = [[0, 0], [4, 1], [9, 3]]
    residual = Residual(target.frames[some], some)
    wanted = cpu_growth.propose(residual, count, 40, 1.5, theta, flow, target, np.random.default_rng(0))
    growth = CudaGrowth(flow, target, where)
    moved = Residual(torch.from_numpy(residual.values).to(where), some)
    candidates = torch.from_numpy(theta).float().to(where)
    got = growth.propose(moved, count, 40, 1.5, candidates, np.random.default_rng(0))
    assert got.sigma == wanted.sigma
    same = got.trajectory.cpu() == wanted.trajectory
    assert same.double().mean() > 0.97
    for name in ("luma", "chroma", "centre", "log_duration", "log_scale"):
        torch.testing.assert_close(got.values[name].cpu(), wanted.values[name], rtol=1e-3, atol=2e-3, msg=name)
    torch.testing.assert_close(got.values["mean"].cpu()[same], wanted.values["mean"][same], rtol=1e-3, atol=2e-2)


def test_half_the_places_are_drawn_by_their_energy(clip):
    target, flow = clip
    where = CudaObjective(target).device
    growth = CudaGrowth(flow, target, where)
    energy = torch.zeros((FRAMES, HEIGHT, WIDTH), device=where)
    energy[2, 4:8, 5:15] = 1
    places = growth._sample(iter(energy), 20, np.random.default_rng(0)).cpu().numpy()
    frame, rest = np.divmod(places, WIDTH * HEIGHT)
    assert len(set(places.tolist())) == 20
    assert (frame == 2).all()
    assert ((rest // WIDTH >= 4) & (rest // WIDTH < 8)).all()


def test_a_whole_fit_lowers_the_error_as_on_the_cpu(clip):
    target, flow = clip
    theta = trajectories.fit_trajectories(trajectories.follow_points(flow), target.basis, 3, 0)
    short = FitSettings(max_rounds=2, round_steps=6, last_round=1, train_steps=3, frames_per_step=1)
    geometry = Geometry(WIDTH, HEIGHT, np.arange(FRAMES, dtype=np.float32), 2)
    energies = []
    for device in ("cpu", "cuda"):
        fit = SegmentFit(target, flow, theta, short, 0, device)
        fit.effort = 1.0
        fit.grow(StepRules(70))
        q = fit.train(StepRules(70), geometry)
        symbols = pack.pack(q, fit.parameters.trajectory.cpu().numpy(), (0, 512, 512), WIDTH, HEIGHT, 2)
        assert len(symbols.table) > 5
        left = fit.objective.residual(
            unquantised(fit.parameters), fit.parameters.trajectory, np.arange(FRAMES, dtype=np.int32)
        )
        energies.append(fit.objective.energy(left))
        assert all(np.isfinite(float(loss)) for loss in fit.losses)
    start = CpuObjective(target).energy(Residual(target.frames, np.arange(FRAMES, dtype=np.int32)))
    assert energies[0] < 0.8 * start
    assert energies[1] < 1.4 * energies[0]  # places are drawn at random: 0.84 to 1.10 with four seeds


def test_a_file_is_encoded_on_the_device_in_layers_too(tmp_path, monkeypatch):
    """The whole way of `gvideo encode --device cuda`, with a fit that is too short to be good."""
    tiny = FitSettings(max_rounds=2, round_steps=1, last_round=1, train_steps=1, frames_per_step=1)
    monkeypatch.setitem(settings.PRESETS, "fast", settings.Preset(tiny))
    source, out = tmp_path / "clip.mkv", tmp_path / "clip.gsv"
    planes = np.zeros((3, 16, 16), np.float32)
    with open_sink(source, VideoFormat(16, 16, timescale=25), frame_rate=Fraction(25)) as sink:
        for k in range(3):
            planes[0] = np.linspace(0.1, 0.8, 16 + k)[k:]
            sink.write(planes, k, 1)
    report = encode(source, out, preset="fast", device="cuda", workers=1, layers=2)
    decoder = VideoDecoder(out)
    assert len(decoder) == report.num_frames == 3
    assert decoder.planes_at([0, 2]).shape == (2, 3, 16, 16)
    decoder.close()
    with pytest.raises(OptionError, match="--device tpu: auto, cpu, cuda wanted"):
        encode(source, out, device="tpu")
