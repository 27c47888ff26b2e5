"""How well tracks follow trajectories, compiled for the CPU. See trajectories.assignment_errors."""

from __future__ import annotations

import math

import numpy as np

from gvideo.encoder.jit import kernel
from gvideo.types import Float32, Float64, Int64

#: Fixed-point iterations by which a mean is found whose trajectory passes through a point.
MEAN_ITERATIONS = 4


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
    away_x, away_y, away = np.empty(num_frames), np.empty(num_frames), np.empty(num_frames, np.float32)
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
            error = 0.0
            for t in range(num_frames):
                if weight[t] > 0.0:
                    error += weight[t] * math.log2(away[t])
            errors[m, i] = error / max(total, 1e-6)
            means[m, i, 0], means[m, i, 1] = x, y
