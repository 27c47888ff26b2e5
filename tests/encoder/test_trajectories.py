"""The trajectory codebook: how well it follows what moves, whatever it began with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gvideo.bitstream import headers
from gvideo.encoder.motion import trajectories
from gvideo.encoder.motion.flow import Flow
from gvideo.encoder.motion.track_kernels import MEAN_ITERATIONS
from gvideo.model import motion

WIDTH, HEIGHT, FRAMES, CONTROL = 96, 64, 20, 5


def _flow_of(shift: np.ndarray) -> Flow:
    """Flow that is the same in every frame: shift f32 [H,W,2] px a frame, seen from either side."""
    flow = object.__new__(Flow)
    flow.num_frames, flow.height, flow.width = FRAMES, HEIGHT, WIDTH
    flow.forward = np.repeat(shift[None].astype(np.float32), FRAMES - 1, 0)
    flow.backward = -flow.forward
    return flow


def _mean_error(theta: np.ndarray, flow: Flow, basis: np.ndarray) -> float:
    """Of tracks from a grid, by the best trajectory, in bits per frame."""
    points, frames = trajectories._start_points(flow)
    tracks = flow.track(points, frames)
    weights = trajectories.track_weights(tracks, frames, FRAMES / 5, WIDTH, HEIGHT)
    seen = trajectories.Tracks(points, frames, tracks, weights, WIDTH, HEIGHT)
    errors, _ = trajectories.assignment_errors(theta, basis, seen)
    return float(np.average(errors.min(0), weights=weights.sum(0)))


def test_errors_and_means_are_those_written_down_once_more():
    rng = np.random.default_rng(0)
    basis = motion.basis(np.arange(FRAMES), FRAMES, CONTROL)
    theta = rng.normal(0, 2, (3, CONTROL, 2, 3))
    points = (rng.random((40, 2)) * [WIDTH, HEIGHT]).astype(np.float32)
    frames = rng.integers(0, FRAMES, 40)
    tracks = (points + rng.normal(0, 5, (FRAMES, 40, 2))).astype(np.float32)
    weights = trajectories.track_weights(tracks, frames, 3.0, WIDTH, HEIGHT)
    seen = trajectories.Tracks(points, frames, tracks, weights, WIDTH, HEIGHT)
    errors, means = trajectories.assignment_errors(theta, basis, seen)
    for m in range(3):
        wanted = points.astype(np.float64)
        for _ in range(MEAN_ITERATIONS):
            control = trajectories.displacement_control(theta[m], wanted, WIDTH, HEIGHT)
            wanted = points - np.einsum("nk,nkc->nc", basis[frames], control)
        np.testing.assert_allclose(means[m], wanted, atol=1e-9)
        control = trajectories.displacement_control(theta[m], wanted, WIDTH, HEIGHT)
        path = wanted + np.einsum("tk,nkc->tnc", basis, control)
        bits = np.log2(1 + 2 * np.abs(path - tracks).sum(-1))
        bonus = trajectories.REST_BONUS if m == 0 else 0.0
        np.testing.assert_allclose(errors[m], np.average(bits, 0, weights) - bonus, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_every_motion_is_found_from_any_start(seed):
    """Seven shifts side by side, of which some are small: single tracks at random miss one as often as not."""
    shift = np.zeros((HEIGHT, WIDTH, 2))
    for k, (x, y) in enumerate([(2, 0), (-2, 0), (0, 1.5), (1, 1), (-1, 0.5), (0, -1)]):
        shift[:, 12 + 12 * k : 24 + 12 * k] = x, y
    shift[:16, :12] = 0.5, -2
    flow = _flow_of(shift)
    basis = motion.basis(np.arange(FRAMES), FRAMES, CONTROL)
    theta = trajectories.fit_trajectories(trajectories.follow_points(flow), basis, 8, seed)
    assert not theta[0].any()
    assert _mean_error(theta, flow, basis) < 0.68  # single random tracks: 0.65 to 1.11


def test_a_zoom_is_one_trajectory():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    flow = _flow_of(np.stack([x - WIDTH / 2, y - HEIGHT / 2], -1) * 0.01)
    basis = motion.basis(np.arange(FRAMES), FRAMES, CONTROL)
    theta = trajectories.fit_trajectories(trajectories.follow_points(flow), basis, 2, 0)
    assert _mean_error(theta, flow, basis) < 0.3
    assert _mean_error(np.zeros_like(theta), flow, basis) > 1.0


def test_codebooks_without_motion_are_at_rest():
    basis = motion.basis(np.arange(FRAMES), FRAMES, CONTROL)
    seen = trajectories.follow_points(_flow_of(np.ones((HEIGHT, WIDTH, 2))))
    assert not trajectories.fit_trajectories(seen, basis, 1, 0).any()


def _seen(path: np.ndarray) -> trajectories.Tracks:
    """Tracks of 30 points that all move along a path f64 [T,2]."""
    num_frames = len(path)
    points = np.random.default_rng(0).uniform(20, 40, (30, 2)).astype(np.float32)
    tracks = (points + path[:, None] - path[num_frames // 2]).astype(np.float32)
    frames = np.full(30, num_frames // 2)
    return trajectories.Tracks(points, frames, tracks, np.ones(tracks.shape[:2], np.float32), WIDTH, HEIGHT)


def test_control_points_are_as_dense_as_the_motion_asks_for():
    times = np.arange(48.0)
    still, pan = np.zeros((48, 2)), np.stack([times * 2, times**2 / 40], 1)
    shake = np.random.default_rng(1).normal(0, 2, (48, 2))
    slow = 3 * np.stack([np.sin(times / 2.5), np.cos(times / 3)], 1)
    assert trajectories.control_points(_seen(still), times) == (7, 1)
    assert trajectories.control_points(_seen(pan), times) == (7, 1)
    few, refinement = trajectories.control_points(_seen(slow), times)
    assert few == 7
    assert 1 < refinement <= 6
    assert headers.refined_count(*trajectories.control_points(_seen(shake), times)) > 40
    for num_frames in (1, 2, 5, 15, 16, 60, 400):
        path = np.random.default_rng(2).normal(0, 9, (num_frames, 2))
        few, refinement = trajectories.control_points(_seen(path), np.arange(float(num_frames)))
        assert 1 <= few <= max(num_frames, 4)
        assert headers.refined_count(few, refinement) <= min(max(num_frames, 4), headers.MAX_CONTROL)


def test_paths_are_kept_and_trajectories_that_cost_more_than_they_save_leave():
    """Twelve Gaussians move like one of two equal trajectories, one like a third: neither the copy nor the third stay
    at a large step, and the third does where its bits are few and many follow it."""
    rng = np.random.default_rng(4)
    basis = motion.basis(np.arange(FRAMES), FRAMES, CONTROL)
    theta = np.zeros((4, CONTROL, 2, 3))
    theta[1, :, 0, 0] = theta[2, :, 0, 0] = np.linspace(0, 12, CONTROL)
    theta[3, :, 1, 0] = np.linspace(0, -3, CONTROL)
    trajectory = np.array([1, 2] * 30 + [3] * 30)
    count = len(trajectory)
    means = rng.uniform(20, 40, (count, 2))
    given = basis, np.eye(CONTROL), means, np.zeros((count, CONTROL, 2)), trajectory
    life = np.full(count, FRAMES / 2), np.full(count, 1e3)

    def path(which: np.ndarray, mean: np.ndarray, residual: np.ndarray) -> np.ndarray:
        control = np.stack([theta[m, :, :, 0] for m in which]) + residual
        return mean[:, None] + np.einsum("tk,nkc->ntc", basis, control)

    steps = np.full(count, 0.2)
    chosen, new_means, residual = trajectories.reassign(theta, *given, *life, steps, WIDTH, HEIGHT, 0.25)
    assert set(chosen.tolist()) in ({1, 3}, {2, 3})
    before = path(trajectory, means, given[3])
    np.testing.assert_allclose(path(chosen, new_means, residual), before, atol=1e-4)
    chosen, new_means, residual = trajectories.reassign(theta, *given, *life, steps * 1e3, WIDTH, HEIGHT, 1e-3)
    assert set(chosen.tolist()) == {0}  # bits of trajectories are many, those of residuals few
    np.testing.assert_allclose(path(chosen, new_means, residual), before, atol=1e-4)


@pytest.mark.parametrize("size", [(320, 180), (1000, 562)])
def test_flow_is_in_pixels_of_the_picture_at_any_size(size):
    """A pattern that moves by (3, -2) px; the larger picture is halved on the way."""
    width, height = size
    rng = np.random.default_rng(3)
    coarse = rng.random((height // 8 + 8, width // 8 + 8)).astype(np.float32)
    whole = cv2.resize(coarse, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    luma = np.stack([whole[20 + 2 * k :, 20 - 3 * k :][:height, :width] for k in range(3)])
    flow = Flow(luma)
    assert flow.forward.shape == (2, height, width, 2)
    inner = (slice(None), slice(16, -16), slice(16, -16))
    np.testing.assert_allclose(np.median(flow.forward[inner], (1, 2)), [[3, -2]] * 2, atol=0.1)
    np.testing.assert_allclose(np.median(flow.backward[inner], (1, 2)), [[-3, 2]] * 2, atol=0.1)
