"""Motion: clamped uniform cubic B-splines in time, and trajectories that are affine in space (SYNTAX.md §8.2).

displacement of a Gaussian at time t:  sum_k B_k(t) (Theta_k [1, mx, my]^T + d_k)
Trajectories have finer knots than what a Gaussian adds to them, d: (d_k) is a refinement of the few that are coded.
mx, my: its position in units of a quarter of the frame's longer side, from the frame's centre
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike

from gvideo.bitstream.headers import SPLINE_DEGREE
from gvideo.types import Float32, Float64


def basis(times: ArrayLike, num_frames: int, num_control: int) -> Float32:
    """B-spline basis f32 [F,K] at `times` (frames, 0 … num_frames-1; clamped). The degree is 3, or K-1 if less.

    Knots are clamped at both ends and uniform between, so the first and last control points are the first and last
    positions. Cox–de Boor recursion (C. de Boor, A Practical Guide to Splines, ch. IX).
    """
    t = np.atleast_1d(np.asarray(times, np.float64))
    if num_control == 1:
        return np.ones((len(t), 1), np.float32)
    degree = min(SPLINE_DEGREE, num_control - 1)
    u = np.clip(t / max(num_frames - 1, 1), 0.0, 1.0)
    inner = np.linspace(0.0, 1.0, num_control - degree + 1)
    knots = np.concatenate([np.zeros(degree), inner, np.ones(degree)])
    # the span that holds u; u = 1 belongs to the last one that is not empty
    span = np.clip(np.searchsorted(knots, u, side="right") - 1, degree, num_control - 1)
    values = np.zeros((len(u), num_control + degree))
    values[np.arange(len(u)), span] = 1.0
    for p in range(1, degree + 1):
        following = np.zeros_like(values)
        for i in range(num_control + degree - p):
            left, right = knots[i + p] - knots[i], knots[i + p + 1] - knots[i + 1]
            if left > 0:
                following[:, i] += (u - knots[i]) / left * values[:, i]
            if right > 0:
                following[:, i] += (knots[i + p + 1] - u) / right * values[:, i + 1]
        values = following
    return values[:, :num_control].astype(np.float32)


def fewest_control(refined: int) -> int:
    """The fewest control points of which a refinement makes `refined`."""
    return min(refined, SPLINE_DEGREE + 1)


@functools.lru_cache(maxsize=64)
def refinement_matrix(num_control: int, refinement: int) -> Float64:
    """What turns control points into those of the same spline with finer knots: f64 [headers.refined_count(),
    num_control], read-only: segments of a stream share it.

    Knots are inserted one by one (W. Boehm, Inserting new knots into B-spline curves, 1980).
    """
    matrix = np.eye(num_control)
    spans = max(num_control - SPLINE_DEGREE, 1)  # fewer control points are only legal with refinement 1
    knots = [0.0] * SPLINE_DEGREE + [k / spans for k in range(spans + 1)] + [1.0] * SPLINE_DEGREE
    for k in range(spans * refinement):
        if k % refinement == 0:
            continue
        knot = k / (spans * refinement)
        span = max(i for i, at in enumerate(knots) if at <= knot)
        rows = [matrix[i] for i in range(span - SPLINE_DEGREE + 1)]
        for i in range(span - SPLINE_DEGREE + 1, span + 1):
            share = (knot - knots[i]) / (knots[i + SPLINE_DEGREE] - knots[i])
            rows.append((1 - share) * matrix[i - 1] + share * matrix[i])
        matrix = np.array(rows + [matrix[i] for i in range(span, len(matrix))])
        knots.insert(span + 1, knot)
    matrix.flags.writeable = False
    return matrix


def normalised(means: Float64, width: int, height: int) -> Float64:
    """[1, mx, my] f64 [N,3] of positions in px [N,2]."""
    unit = max(width, height) / 4
    features = np.ones((len(means), 3))
    features[:, 0] = 1.0
    features[:, 1] = (means[:, 0] - width / 2) / unit
    features[:, 2] = (means[:, 1] - height / 2) / unit
    return features
