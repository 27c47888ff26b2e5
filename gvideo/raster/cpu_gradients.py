"""From the moments of each frame to the gradients of each Gaussian: a sum over frames and one chain rule.

With e = -(dx²/Sxx + s²/Vyy)/2, s = dy + shear dx, the pixel's coordinates in sigmas along u and v are

    p = alpha dx + beta s,    alpha = cos sigma_u / Sxx,   beta = sin / sigma_u
    q = gamma dx + delta s,   gamma = -sin sigma_v / Sxx,  delta = cos / sigma_v

(no differences of large numbers), and all gradients of reference.py are sums of products of p, q and u. They are linear
in the moments with coefficients that do not depend on the frame, except for basis and life, so frames are summed first.
"""

from __future__ import annotations

import numpy as np

from gvideo.raster.jit import kernel
from gvideo.types import Float32, Float64

f32 = np.float32

# Sums over frames, float64: amplitudes, u dx², u dx s, u s², centre, inverse duration, then (u dx, u s) plain and
# once more per control point, times its basis.
S_AMPLITUDE, S_XX, S_XS, S_SS, S_CENTRE, S_INVERSE_DURATION, S_MEAN = 0, 3, 4, 5, 6, 7, 8


@kernel
def sum_frames(
    frame_moments: Float32,
    basis: Float32,
    times: Float32,
    amplitudes: Float32,
    centres: Float32,
    inverse_durations: Float32,
    start: int,
    stop: int,
    sums: Float64,
) -> None:
    """Sums f64 [N, 10 + 2K] of Gaussians start … stop - 1 += the moments f32 [F,N,8] of a block of frames, in the
    order of the frames."""
    for n in range(start, stop):
        for f in range(len(times)):
            moments = frame_moments[f, n]
            by_life = 0.0
            for c in range(3):
                sums[n, S_AMPLITUDE + c] += moments[c]
                by_life += np.float64(moments[c]) * np.float64(amplitudes[n, c])
            # Where nothing was drawn, amplitude, centre or duration may be the reason, by not being finite.
            if abs(moments[0]) + abs(moments[1]) + abs(moments[2]) > 0.0:
                from_centre = np.float64(times[f]) - np.float64(centres[n])
                inverse = np.float64(inverse_durations[n])
                sums[n, S_CENTRE] += by_life * from_centre * inverse * inverse
                sums[n, S_INVERSE_DURATION] -= by_life * from_centre * from_centre * inverse
            along = np.float64(moments[3])
            sheared = np.float64(moments[4])
            sums[n, S_MEAN] += along
            sums[n, S_MEAN + 1] += sheared
            for k in range(basis.shape[1]):
                if basis[f, k] == f32(0):  # all but four
                    continue
                sums[n, S_MEAN + 2 + 2 * k] += along * np.float64(basis[f, k])
                sums[n, S_MEAN + 3 + 2 * k] += sheared * np.float64(basis[f, k])
            sums[n, S_XX] += moments[5]
            sums[n, S_XS] += moments[6]
            sums[n, S_SS] += moments[7]


@kernel
def apply_chain_rule(
    sums: Float64,
    axes: Float64,
    means_out: Float32,
    displacements_out: Float32,
    log_scales_out: Float32,
    angles_out: Float32,
    amplitudes_out: Float32,
    centres_out: Float32,
    inverse_durations_out: Float32,
) -> None:
    """Write the gradients of every Gaussian, axes being those of describe_shapes.

    Outputs start as zeros and stay so where a shape is not drawable.
    """
    for n in range(len(axes)):
        sigma_u, sigma_v, cosine, sine = axes[n, 0], axes[n, 1], axes[n, 2], axes[n, 3]
        if sigma_u == 0.0:
            continue
        xx = cosine * cosine * sigma_u * sigma_u + sine * sine * sigma_v * sigma_v
        alpha = cosine * sigma_u / xx
        beta = sine / sigma_u
        gamma = -sine * sigma_v / xx
        delta = cosine / sigma_v
        shear = -cosine * sine * (sigma_u * sigma_u - sigma_v * sigma_v) / xx
        inverse_conditional = xx / (sigma_u * sigma_u * sigma_v * sigma_v)
        for c in range(3):
            amplitudes_out[n, c] = sums[n, S_AMPLITUDE + c]
        centres_out[n] = sums[n, S_CENTRE]
        inverse_durations_out[n] = sums[n, S_INVERSE_DURATION]
        dx_dx, dx_s, s_s = sums[n, S_XX], sums[n, S_XS], sums[n, S_SS]
        log_scales_out[n, 0] = alpha * alpha * dx_dx + 2.0 * alpha * beta * dx_s + beta * beta * s_s
        log_scales_out[n, 1] = gamma * gamma * dx_dx + 2.0 * gamma * delta * dx_s + delta * delta * s_s
        product = alpha * gamma * dx_dx + (alpha * delta + beta * gamma) * dx_s + beta * delta * s_s
        angles_out[n] = (sigma_u / sigma_v - sigma_v / sigma_u) * product
        for k in range(-1, displacements_out.shape[1]):
            along = sums[n, S_MEAN + 2 + 2 * k]
            by_y = inverse_conditional * sums[n, S_MEAN + 3 + 2 * k]
            by_x = along / xx + shear * by_y
            if k < 0:
                means_out[n, 0] = by_x
                means_out[n, 1] = by_y
            else:
                displacements_out[n, k, 0] = by_x
                displacements_out[n, k, 1] = by_y
