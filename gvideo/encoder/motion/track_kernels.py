"""How well tracks and Gaussians follow trajectories, compiled for the CPU. See trajectories.py."""

from __future__ import annotations

import math

import numpy as np

from gvideo.encoder.jit import kernel
from gvideo.types import Float32, Float64, Int64

#: Fixed-point iterations by which a mean is found whose trajectory passes through a point.
MEAN_ITERATIONS = 4


#: log2(1 + x) / x for x from 0 to 1, as a polynomial of x; its largest error is 2e-6 (Chebyshev nodes).
_LOG2 = tuple(
    np.float32(c) for c in (1.4426933, -0.72116273, 0.47770593, -0.33924777, 0.21558853, -0.096066249, 0.020490346)
)


@kernel
def _weigh_logarithms(values: Float32, weights: Float32, out: Float32) -> None:
    """Weights log2(values), f32 [n] each, of finite values from 1 on: exponent and polynomial of the mantissa, which
    run on vectors where the library's logarithm is a call for each value."""
    c0, c1, c2, c3, c4, c5, c6 = _LOG2
    parts = values.view(np.int32)
    mantissa = out.view(np.int32)
    for t in range(len(values)):
        mantissa[t] = (parts[t] & 0x7FFFFF) | 0x3F800000
    for t in range(len(values)):
        x = out[t] - np.float32(1.0)
        slope = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * (c5 + x * c6)))))
        out[t] = weights[t] * (np.float32((parts[t] >> 23) - 127) + x * slope)


@kernel
def assign(
    theta: Float64,
    basis: Float64,
    points: Float32,
    frames: Int64,
    tracks: Float32,
    weights: Float32,
    width: int,
    height: int,
    errors: Float64,
    means: Float64,
) -> None:
    """Errors f64 [M,n] in bits per frame, and means f64 [M,n,2], of tracks f32 [T,n,2] of points f32 [n,2] with weights
    f32 [T,n], that follow trajectories f64 [M,K,2,3]. basis f64 [T,K]."""
    num_frames, num_control = basis.shape
    unit = 0.25 * max(width, height)
    # in order of time for one track, so that loops over frames run on vectors
    by_control = np.ascontiguousarray(basis.T)
    along_x, along_y, weight = np.empty(num_frames), np.empty(num_frames), np.empty(num_frames, np.float32)
    away_x, away_y = np.empty(num_frames), np.empty(num_frames)
    away, bits = np.empty(num_frames, np.float32), np.empty(num_frames, np.float32)
    here = np.empty((2, 3))
    for i in range(len(points)):
        total = 0.0
        for t in range(num_frames):
            along_x[t], along_y[t], weight[t] = tracks[t, i, 0], tracks[t, i, 1], weights[t, i]
            total += weights[t, i]
        frame, point_x, point_y = frames[i], np.float64(points[i, 0]), np.float64(points[i, 1])
        for m in range(len(theta)):
            here[:] = 0.0
            for k in range(num_control):
                for axis in range(2):
                    for f in range(3):
                        here[axis, f] += basis[frame, k] * theta[m, k, axis, f]
            x, y = point_x, point_y
            u, v = (x - 0.5 * width) / unit, (y - 0.5 * height) / unit
            for _ in range(MEAN_ITERATIONS):
                x = point_x - (here[0, 0] + here[0, 1] * u + here[0, 2] * v)
                y = point_y - (here[1, 0] + here[1, 1] * u + here[1, 2] * v)
                u, v = (x - 0.5 * width) / unit, (y - 0.5 * height) / unit
            for t in range(num_frames):
                away_x[t], away_y[t] = x - along_x[t], y - along_y[t]
            for k in range(num_control):
                control_x = theta[m, k, 0, 0] + theta[m, k, 0, 1] * u + theta[m, k, 0, 2] * v
                control_y = theta[m, k, 1, 0] + theta[m, k, 1, 1] * u + theta[m, k, 1, 2] * v
                for t in range(num_frames):
                    away_x[t] += by_control[k, t] * control_x
                    away_y[t] += by_control[k, t] * control_y
            for t in range(num_frames):
                away[t] = 1.0 + 2.0 * (abs(away_x[t]) + abs(away_y[t]))
            _weigh_logarithms(away, weight, bits)
            error = 0.0
            for t in range(num_frames):
                error += bits[t]
            errors[m, i] = error / max(total, 1e-6)
            means[m, i, 0], means[m, i, 1] = x, y


@kernel
def _shown(num_control: int, num_frames: int, centre: float, duration: float) -> tuple[int, int]:
    """First and behind the last of the control points that a life sees."""
    last = num_frames - 1.0
    spacing = last / max(num_control - 1, 1)
    reach = max(4.0 * duration, spacing)
    middle = min(max(centre, 0.0), last)
    first, end = 0, num_control
    while first < end and first * spacing < middle - reach:
        first += 1
    while end > first and (end - 1) * spacing > middle + reach:
        end -= 1
    return first, end


@kernel
def _follow(
    theta: Float64, here: Float64, at_frame: Float64, path: Float64, finer: Float64, coarser: Float64, first: int,
    end: int, first_residual: int, end_residual: int, width: int, height: int, mean: Float64, said: Float64,
    unsaid: Float64,
) -> None:  # fmt: skip
    """Mean f64 [2] for which a trajectory f64 [K,2,3] passes through `here` f64 [2] in a frame with weights f64 [K],
    the residuals f64 [J,2] that a path f64 [K,2] leaves then, and what these cannot say of it, f64 [K,2]."""
    num_control, num_residual = finer.shape
    unit = 0.25 * max(width, height)
    mean[0], mean[1] = here[0], here[1]
    for _ in range(MEAN_ITERATIONS):
        u, v = (mean[0] - 0.5 * width) / unit, (mean[1] - 0.5 * height) / unit
        mean[0], mean[1] = here[0], here[1]
        for k in range(num_control):
            if at_frame[k] != 0.0:
                mean[0] -= at_frame[k] * (theta[k, 0, 0] + theta[k, 0, 1] * u + theta[k, 0, 2] * v)
                mean[1] -= at_frame[k] * (theta[k, 1, 0] + theta[k, 1, 1] * u + theta[k, 1, 2] * v)
    u, v = (mean[0] - 0.5 * width) / unit, (mean[1] - 0.5 * height) / unit
    unsaid[:] = 0.0
    said[:] = 0.0
    for k in range(first, end):
        for axis in range(2):
            moved = theta[k, axis, 0] + theta[k, axis, 1] * u + theta[k, axis, 2] * v
            unsaid[k, axis] = path[k, axis] - mean[axis] - moved
    for j in range(first_residual, end_residual):
        for axis in range(2):
            for k in range(first, end):
                said[j, axis] += coarser[j, k] * unsaid[k, axis]
    for k in range(first, end):
        for j in range(num_residual):
            if finer[k, j] != 0.0:
                unsaid[k, 0] -= finer[k, j] * said[j, 0]
                unsaid[k, 1] -= finer[k, j] * said[j, 1]


@kernel
def _path_of(
    theta: Float64, basis: Float64, finer: Float64, mean: Float64, residual: Float64, frame: int, width: int,
    height: int, path: Float64, here: Float64,
) -> None:  # fmt: skip
    """Control points f64 [K,2] of the path of a Gaussian on a trajectory f64 [K,2,3], and its position f64 [2] in a
    frame."""
    num_control, num_residual = finer.shape
    unit = 0.25 * max(width, height)
    u, v = (mean[0] - 0.5 * width) / unit, (mean[1] - 0.5 * height) / unit
    here[:] = 0.0
    for k in range(num_control):
        for axis in range(2):
            place = mean[axis] + theta[k, axis, 0] + theta[k, axis, 1] * u + theta[k, axis, 2] * v
            for j in range(num_residual):
                if finer[k, j] != 0.0:
                    place += finer[k, j] * residual[j, axis]
            path[k, axis] = place
            here[axis] += basis[frame, k] * place


@kernel
def _frame_of(centre: float, num_frames: int) -> int:
    """The frame nearest to the centre of a life."""
    return int(np.rint(min(max(centre, 0.0), num_frames - 1.0)))


@kernel
def trajectory_costs(
    theta: Float64, basis: Float64, finer: Float64, coarser: Float64, means: Float64, residual: Float64,
    trajectory: Int64, centres: Float64, durations: Float64, steps: Float64, width: int, height: int, costs: Float64,
) -> None:  # fmt: skip
    """Bits f64 [M,N] of what Gaussians would need beside each trajectory to stay on their paths.

    theta f64 [M,K,2,3]; basis f64 [T,K]; finer f64 [K,J] and coarser f64 [J,K], its inverse; means f64 [N,2], residual
    f64 [N,J,2], trajectory i64 [N]: as they are; centres, durations f64 [N] frames; steps f64 [N] px that residuals are
    counted in."""
    num_frames, num_control = basis.shape
    num_residual = finer.shape[1]
    path, unsaid = np.empty((num_control, 2)), np.empty((num_control, 2))
    said, mean, here = np.empty((num_residual, 2)), np.empty(2), np.empty(2)
    # parts of a path that residuals cannot say, counted as so many residuals
    share = num_residual / num_control if num_residual > 0 else 1.0
    for i in range(len(means)):
        frame = _frame_of(centres[i], num_frames)
        _path_of(theta[trajectory[i]], basis, finer, means[i], residual[i], frame, width, height, path, here)
        first, end = _shown(num_control, num_frames, centres[i], durations[i])
        first_residual, end_residual = _shown(num_residual, num_frames, centres[i], durations[i])
        for m in range(len(theta)):
            _follow(
                theta[m], here, basis[frame], path, finer, coarser, first, end, first_residual, end_residual, width,
                height, mean, said, unsaid,
            )  # fmt: skip
            bits = 0.0
            for axis in range(2):
                for j in range(first_residual, end_residual):
                    bits += math.log2(1.0 + abs(said[j, axis]) / steps[i])
                for k in range(first, end):
                    bits += math.log2(1.0 + share * abs(unsaid[k, axis]) / steps[i])
            costs[m, i] = bits


@kernel
def follow_chosen(
    theta: Float64, basis: Float64, finer: Float64, coarser: Float64, means: Float64, residual: Float64,
    trajectory: Int64, centres: Float64, durations: Float64, width: int, height: int, chosen: Int64,
    new_means: Float64, new_residual: Float64,
) -> None:  # fmt: skip
    """Means f64 [N,2] and residuals f64 [N,J,2] that keep Gaussians on their paths on trajectories `chosen` i64 [N].
    The others: see trajectory_costs()."""
    num_frames, num_control = basis.shape
    path, unsaid, here = np.empty((num_control, 2)), np.empty((num_control, 2)), np.empty(2)
    for i in range(len(means)):
        frame = _frame_of(centres[i], num_frames)
        _path_of(theta[trajectory[i]], basis, finer, means[i], residual[i], frame, width, height, path, here)
        first, end = _shown(num_control, num_frames, centres[i], durations[i])
        first_residual, end_residual = _shown(finer.shape[1], num_frames, centres[i], durations[i])
        _follow(
            theta[chosen[i]], here, basis[frame], path, finer, coarser, first, end, first_residual, end_residual, width,
            height, new_means[i], new_residual[i], unsaid,
        )  # fmt: skip
