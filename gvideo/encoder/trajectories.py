"""The trajectory codebook: robust EM of M affine B-splines to the tracks of a grid of points (CODEC.md §3).

    assign: each track to the trajectory with the smallest mean log error      (E)
    refit:  weighted least squares of each trajectory to its tracks (IRLS, L1)  (M)

Trajectory 0 never moves. A track counts most around the frame it starts from, and only inside the picture.
"""

from __future__ import annotations

import numpy as np

from gvideo.encoder.flow import Flow
from gvideo.model import motion
from gvideo.types import Float32, Float64, Int64

#: Bonus of "no motion" in bits per frame: it costs nothing and stays exact.
REST_BONUS = 0.3
MAX_TRACKS = 3000


def fit_trajectories(flow: Flow, basis: Float32, num_trajectories: int, seed: int, iterations: int = 12) -> Float64:
    """Control points f64 [M,K,2,3] px of the codebook."""
    num_frames, num_control = basis.shape
    theta = np.zeros((num_trajectories, num_control, 2, 3))
    if num_trajectories == 1 or num_frames < 2:
        return theta
    points, frames = _start_points(flow)
    tracks = flow.track(points, frames)
    weights = track_weights(tracks, frames, num_frames / 5, flow.width, flow.height)
    rng = np.random.default_rng(seed)
    control = np.einsum("kt,tnc->nkc", np.linalg.pinv(basis.astype(np.float64)), tracks)
    starts = rng.integers(len(points), size=num_trajectories)
    for m in range(1, num_trajectories):
        theta[m, :, :, 0] = control[starts[m]] - points[starts[m]]
    for _ in range(iterations):
        errors, means = assignment_errors(theta, basis, points, frames, tracks, weights, flow.width, flow.height)
        chosen = errors.argmin(0)
        for m in range(1, num_trajectories):
            members = np.flatnonzero(chosen == m)
            if len(members) < 10:
                again = int(rng.integers(len(points)))
                theta[m] = 0
                theta[m, :, :, 0] = control[again] - points[again]
                continue
            theta[m] = _refit(
                theta[m], basis, means[m, members], tracks[:, members], weights[:, members], flow.width, flow.height
            )
    return theta


def _start_points(flow: Flow) -> tuple[Float32, Int64]:
    """A grid of points in about 8 frames, at most MAX_TRACKS in all."""
    starts = np.arange(min(2, flow.num_frames - 1), flow.num_frames, max(1, flow.num_frames // 8))
    spacing = max(8.0, float(np.sqrt(flow.width * flow.height * len(starts) / MAX_TRACKS)))
    x = np.arange(spacing / 2, flow.width, spacing)
    y = np.arange(spacing / 2, flow.height, spacing)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
    return np.tile(grid, (len(starts), 1)), np.repeat(starts, len(grid)).astype(np.int64)


def track_weights(tracks: Float32, frames: Int64, spread: float, width: int, height: int) -> Float32:
    """Weights f32 [T,n]: Gaussian in time around each track's own frame, 0 where the track has left the picture."""
    time = np.arange(len(tracks), dtype=np.float32)[:, None]
    weight = np.exp(-0.5 * ((time - frames) / spread) ** 2)
    x, y = tracks[..., 0], tracks[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.where(inside, weight, 0).astype(np.float32)


def displacement_control(theta: Float64, means: Float64, width: int, height: int) -> Float64:
    """Control points f64 [n,K,2] of one trajectory [K,2,3] at means [n,2]."""
    control: Float64 = np.einsum("kcf,nf->nkc", theta, motion.normalised(means, width, height))
    return control


def solve_means(theta: Float64, basis: Float32, points: Float32, frames: Int64, width: int, height: int) -> Float64:
    """Means f64 [n,2] for which the trajectory passes through the points in their frames (fixed-point iteration)."""
    means = points.astype(np.float64)
    at_frame = basis[frames].astype(np.float64)
    for _ in range(4):
        control = displacement_control(theta, means, width, height)
        means = points - np.einsum("nk,nkc->nc", at_frame, control)
    return means


def assignment_errors(
    theta: Float64,
    basis: Float32,
    points: Float32,
    frames: Int64,
    tracks: Float32,
    weights: Float32,
    width: int,
    height: int,
) -> tuple[Float64, Float64]:
    """(errors f64 [M,n] in bits per frame, means f64 [M,n,2]) of following each trajectory."""
    total = np.maximum(weights.sum(0), 1e-6)
    errors = np.zeros((len(theta), len(points)))
    means = np.zeros((len(theta), len(points), 2))
    for m in range(len(theta)):
        means[m] = solve_means(theta[m], basis, points, frames, width, height)
        control = displacement_control(theta[m], means[m], width, height).astype(np.float32)
        path = np.tensordot(basis, control, ([1], [1])) + means[m].astype(np.float32)
        distance = np.abs(path - tracks).sum(-1)
        errors[m] = (np.log2(1 + 2 * distance) * weights).sum(0) / total
    errors[0] -= REST_BONUS
    return errors, means


def _refit(
    theta: Float64, basis: Float32, means: Float64, tracks: Float32, weights: Float32, width: int, height: int
) -> Float64:
    """One IRLS step: control points [K,2,3] of a trajectory from its member tracks."""
    num_control = basis.shape[1]
    b = basis.astype(np.float64)
    features = motion.normalised(means, width, height)
    path = np.tensordot(b, displacement_control(theta, means, width, height), ([1], [1])) + means
    weight = weights / (np.abs(path - tracks).sum(-1) + 0.5)
    products = (features[:, :, None] * features[:, None, :]).reshape(len(features), 9)
    spatial = (weight @ products).reshape(-1, 3, 3)
    normal = np.einsum("tk,tl,tfg->kflg", b, b, spatial).reshape(num_control * 3, num_control * 3)
    normal += np.diag(np.tile([1e-3, 1.0, 1.0], num_control)) * weight.sum() * 1e-3
    moved = (weight[..., None] * (tracks - means)).transpose(2, 0, 1) @ features
    right = np.einsum("tk,ctf->kfc", b, moved).reshape(num_control * 3, 2)
    solution = np.linalg.solve(normal, right)
    return solution.reshape(num_control, 3, 2).transpose(0, 2, 1)


def reassign(
    theta: Float64,
    basis: Float32,
    means: Float64,
    residual: Float64,
    trajectory: Int64,
    centres: Float64,
    durations: Float64,
    steps: Float64,
    width: int,
    height: int,
) -> tuple[Int64, Float64, Float64]:
    """Gives every Gaussian the trajectory that leaves the least residual motion, its path unchanged.

    A B-spline's weights sum to one, so a path has absolute control points mean + displacement. Under trajectory m a
    new mean is solved for the position at the life's centre, and the residual is what is left of the control points;
    those beyond four sigmas of the life do not show and become zero. centres, durations f64 [N] frames; steps f64 [N]:
    px that a residual is counted in. Returns (trajectory [N], means [N,2], residual [N,K,2]).
    """
    num_frames, num_control = basis.shape
    own = np.einsum("nkcf,nf->nkc", theta[trajectory], motion.normalised(means, width, height))
    path = means[:, None] + own + residual
    frames = np.clip(np.round(centres), 0, num_frames - 1).astype(np.int64)
    places = np.linspace(0, num_frames - 1, num_control)
    shown = np.abs(places - np.clip(centres, 0, num_frames - 1)[:, None]) <= np.maximum(
        4 * durations[:, None], (num_frames - 1) / max(num_control - 1, 1)
    )
    here = np.einsum("nk,nkc->nc", basis[frames].astype(np.float64), path).astype(np.float32)
    best = np.full(len(means), np.inf)
    chosen, new_means, new_residual = trajectory.copy(), means.copy(), residual.copy()
    for m in range(len(theta)):
        mean = solve_means(theta[m], basis, here, frames, width, height)
        left = path - mean[:, None] - displacement_control(theta[m], mean, width, height)
        left *= shown[..., None]
        cost = np.log2(1 + np.abs(left) / steps[:, None, None]).sum((1, 2)) - 1.0 * (trajectory == m)
        better = cost < best
        best = np.where(better, cost, best)
        chosen = np.where(better, m, chosen)
        new_means[better], new_residual[better] = mean[better], left[better]
    return chosen, new_means, new_residual
