"""Growth on the CPU: where new Gaussians go, and errors at a smaller size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from moving_blob import moving_blob

from gvideo.encoder.backends import cpu_coarse, cpu_growth
from gvideo.encoder.backends.cpu_objective import CpuObjective
from gvideo.encoder.fitting.fit import _frames_of_round
from gvideo.encoder.gaussians.parameters import Parameters, empty
from gvideo.encoder.gaussians.quantised import unquantised
from gvideo.model import motion


def test_places_are_spread_as_the_energy_is():
    energy = np.zeros((2, 10, 20), np.float32)
    energy[0, :, :10], energy[1, 5:] = 1, 3
    counts = np.zeros(400)
    rng = np.random.default_rng(0)
    for _ in range(200):
        places = cpu_growth._sample(energy, 40, rng)
        assert (np.diff(places) > 0).all()  # ascending, each once
        assert len(places) == pytest.approx(40, abs=4)
        in_first = np.count_nonzero(places < 200)
        assert in_first == pytest.approx(40 * 100 / 400, abs=1)  # equal shares, not by chance
        counts[places] += 1
    shown = energy.reshape(-1) > 0
    assert not counts[~shown].any()
    np.testing.assert_allclose(counts[:200][shown[:200]].mean(), 200 * 40 / 400, rtol=0.1)


def test_energy_and_structure_are_those_of_boxes():
    rng = np.random.default_rng(1)
    residual = rng.normal(0, 1, (7, 3, 18, 25)).astype(np.float32)
    weights = rng.uniform(0, 2, (7, 18, 25)).astype(np.float32)
    squares = residual[:, 0] ** 2 * weights
    boxes = [cv2.blur(plane, (5, 5), borderType=cv2.BORDER_CONSTANT) for plane in squares]
    wanted = np.stack([np.mean(boxes[max(k - 1, 0) : k + 2], 0) for k in range(7)])
    np.testing.assert_allclose(cpu_growth._energy(residual[:, 0], weights, 5, 3), wanted, rtol=1e-4)

    frames, x, y = rng.integers(0, 7, 50), rng.integers(0, 25, 50), rng.integers(0, 18, 50)
    amplitude, angle, coherence = cpu_growth._local(residual, frames, x, y, 3)
    for n in range(50):
        frame = residual[frames[n]]
        for c in range(3):
            mean = cv2.blur(frame[c], (3, 3), borderType=cv2.BORDER_CONSTANT)
            assert amplitude[n, c] == pytest.approx(mean[y[n], x[n]], abs=1e-5)
        smooth = cv2.blur(frame[0], (3, 3), borderType=cv2.BORDER_CONSTANT)
        gx, gy = np.zeros_like(smooth), np.zeros_like(smooth)
        gx[:, 1:-1] = (smooth[:, 2:] - smooth[:, :-2]) / 2
        gy[1:-1] = (smooth[2:] - smooth[:-2]) / 2
        xx, xy, yy = (
            cv2.blur(p, (5, 5), borderType=cv2.BORDER_CONSTANT)[y[n], x[n]] for p in (gx * gx, gx * gy, gy * gy)
        )
        assert angle[n] == pytest.approx(0.5 * np.arctan2(2 * xy, xx - yy) % np.pi, abs=1e-3)
        assert coherence[n] == pytest.approx(np.hypot(xx - yy, 2 * xy) / (xx + yy), abs=1e-3)


def _parameters(num_control: int, num_path: int) -> Parameters:
    generator = torch.Generator().manual_seed(0)
    p = empty(num_control, torch.randn((2, num_path, 2, 3), generator=generator))
    shapes = {name: (9, *v.shape[1:]) for name, v in p.values.items() if name != "theta"}
    values = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    values["mean"] = values["mean"] * 8 + torch.tensor([32.0, 24.0])
    values["log_scale"] = values["log_scale"] * 0.2 + 2.0
    values["centre"] = values["centre"].abs() * 2
    values["log_duration"] = values["log_duration"].abs() + 1
    p.append(values, torch.tensor([0, 1] * 4 + [1]))
    return p


def test_wide_gaussians_have_the_same_gradients_at_half_the_size():
    target, _ = moving_blob(6, 64, 48)
    p = _parameters(target.num_control, target.basis.shape[1])
    values, frames = unquantised(p), np.array([0, 3], np.int32)
    whole = CpuObjective(target)
    error, wanted = whole.error_and_gradients(values, p.trajectory, frames)
    whole.coarsen(2.0 * cpu_coarse.COARSE_SIGMA)  # the smaller side halves once, to 24 px, only if that is allowed
    assert whole.error_and_gradients(values, p.trajectory, frames)[0] == error
    coarse = CpuObjective(target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu_coarse, "COARSE_SIDE", 8)
        coarse.coarsen(2.0 * cpu_coarse.COARSE_SIGMA)
    got, gradients = coarse.error_and_gradients(values, p.trajectory, frames)
    assert got != error
    assert got == pytest.approx(error, rel=0.05)
    for name, gradient in wanted.items():
        a, b = gradients[name].flatten().double(), gradient.flatten().double()
        assert float(a @ b / (a.norm() * b.norm())) > 0.99, name
        assert float(a.norm() / b.norm()) == pytest.approx(1, abs=0.15), name
    coarse.coarsen(0.0)
    assert coarse.error_and_gradients(values, p.trajectory, frames)[0] == error


def test_residuals_of_few_control_points_move_as_those_of_many():
    """The gradient of few control points is the chain rule of the many that they stand for."""
    target, _ = moving_blob(6, 64, 48)
    matrix = motion.refinement_matrix(4, 2).astype(np.float32)
    fine = replace(target, basis=motion.basis(target.times, 6, len(matrix)), refinement=np.zeros((0, 0), np.float32))
    few = replace(fine, refinement=matrix)
    assert (few.num_control, fine.num_control) == (4, len(matrix))
    p = _parameters(4, len(matrix))
    values, frames = unquantised(p), np.array([1, 4], np.int32)
    many = values | {"residual": torch.from_numpy(matrix @ values["residual"].numpy())}
    error, gradients = CpuObjective(few).error_and_gradients(values, p.trajectory, frames)
    same, wanted = CpuObjective(fine).error_and_gradients(many, p.trajectory, frames)
    assert error == pytest.approx(same, rel=1e-6)
    np.testing.assert_allclose(gradients["residual"], matrix.T @ wanted["residual"].numpy(), rtol=1e-3, atol=1e-4)
    for name in ("mean", "theta", "log_scale"):
        torch.testing.assert_close(gradients[name], wanted[name], rtol=1e-3, atol=1e-3)


def test_proposals_see_the_chosen_frames_alone():
    """Centres lie in these frames, colours are those of the residual there, wherever its row is."""
    target, flow = moving_blob(24, 32, 24)
    frames = np.array([3, 9, 20], np.int32)
    objective = CpuObjective(target)
    residual = objective.residual({}, torch.zeros(0, dtype=torch.long), frames)
    np.testing.assert_array_equal(residual.values, target.frames[frames])
    theta = np.zeros((1, target.basis.shape[1], 2, 3))
    new = cpu_growth.propose(residual, 60, 400, 3.0, theta, flow, target, np.random.default_rng(0))
    assert set(new.values["centre"].tolist()) == set(target.times[frames].tolist())
    for centre, (x, y), luma in zip(*(new.values[name].tolist() for name in ("centre", "mean", "luma")), strict=True):
        shown = target.frames[round(centre), 0, round(y), round(x)]
        assert luma[0] == pytest.approx(0.5 * shown, abs=1e-6)  # a kernel of one pixel


def test_the_energy_of_some_frames_is_weighed_as_they_are():
    target, _ = moving_blob(8, 32, 24)
    weights = np.random.default_rng(0).uniform(0, 2, (8, 24, 32)).astype(np.float32)
    objective = CpuObjective(replace(target, weights=weights))
    frames = np.array([1, 6], np.int32)
    residual = objective.residual({}, torch.zeros(0, dtype=torch.long), frames)
    squares = target.frames[frames] ** 2 * weights[frames][:, None]
    wanted = squares[:, 0].sum() + 0.5 * squares[:, 1:].sum()
    assert objective.energy(residual) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize(("num_frames", "most"), [(1, 16), (3, 16), (16, 16), (17, 16), (50, 16), (50, 5)])
def test_growth_looks_at_evenly_spread_frames_and_at_all_in_the_end(num_frames, most):
    rounds = [_frames_of_round(num_frames, most, index) for index in range(14)]
    part = max(num_frames / most, 1)
    for frames in rounds:
        assert len(frames) == min(num_frames, most)
        assert all(n * part - 1 < frame < (n + 1) * part for n, frame in enumerate(frames.tolist()))
    assert set(np.concatenate(rounds).tolist()) == set(range(num_frames))
