"""What a compiled step does to a block of Gaussians before and after drawing; the kernels of cpu_kernels.py, one after
the other while the block is in the cache.

    hold_rows:   parameters -> quantised, or as they are -> placed in the frames -> shrunk -> described
    train_rows:  moments -> gradients of what is drawn -> of what is held -> bits' part -> Adam
"""

from __future__ import annotations

import math

import numpy as np

from gvideo.encoder.backends.cpu_coarse import chain_rows, shrink_rows
from gvideo.encoder.backends.cpu_kernels import (
    NUM_SYMBOLS,
    WHOLE,
    adam,
    charge_bits,
    charge_motion,
    displace,
    quantise_rows,
    spread_gradients,
    weigh_control,
    weigh_gradients,
)
from gvideo.encoder.backends.cpu_step_arrays import (
    Attributes,
    Drawn,
    Errors,
    Held,
    Plan,
    Quantiser,
    Scene,
)
from gvideo.encoder.gaussians.parameters import LIFE_SHARES, SIGMA_SHARES, WHOLE_RATE_LIFE, WHOLE_RATE_SIGMA
from gvideo.encoder.gaussians.quantised import MAX_LOG_SCALE, MIN_LOG_SCALE
from gvideo.encoder.jit import kernel
from gvideo.raster.cpu_gradients import apply_chain_rule, sum_frames
from gvideo.raster.cpu_grids import CELL, chain_to_wide, narrow
from gvideo.raster.cpu_plan import describe_on_grids
from gvideo.types import Float32, Float64, Int64

f32 = np.float32
_LEAST_SIGMA, _MOST_SIGMA = SIGMA_SHARES
_LEAST_LIFE, _MOST_LIFE = LIFE_SHARES
_SMALLEST, _LARGEST = f32(MIN_LOG_SCALE), f32(MAX_LOG_SCALE)


@kernel
def _hold_floats(v: Attributes, held: Held, start: int, stop: int) -> None:
    """Values as they are; means, residuals, angles and centres are the same arrays."""
    for n in range(start, stop):
        for axis in range(2):
            held.log_scale[n, axis] = min(max(v.log_scale[n, axis], _SMALLEST), _LARGEST)
        held.amplitude[n, 0] = v.luma[n, 0]
        held.amplitude[n, 1], held.amplitude[n, 2] = v.chroma[n, 0], v.chroma[n, 1]
        held.inverse_duration[n] = math.exp(-v.log_duration[n])


@kernel
def _rows_of(basis: Float32, frames: Int64) -> Float32:
    """The rows of a basis f32 [.,J] for the frames of a step."""
    chosen = np.empty((len(frames), basis.shape[1]), np.float32)
    for f in range(len(frames)):
        chosen[f] = basis[frames[f]]
    return chosen


@kernel
def hold_rows(
    plan: Plan, step: int, scene: Scene, quantiser: Quantiser, values: Attributes, trajectory: Int64, held: Held,
    there: Float32, drawn: Drawn, block: int, start: int, stop: int,
) -> None:  # fmt: skip
    """Gaussians start … stop - 1 from what is trained to what is drawn. there f32 [M,F,2,3]: their trajectories."""
    a, b = start, stop
    v, q = values, held
    if plan.training:
        quantise_rows(
            v.mean[a:b], v.residual[a:b], v.log_scale[a:b], v.angle[a:b], v.luma[a:b], v.chroma[a:b], v.centre[a:b],
            v.log_duration[a:b], quantiser.lives, quantiser.rules, quantiser.constants,
            np.empty((b - a, NUM_SYMBOLS), np.int64), q.mean[a:b], q.residual[a:b], q.residual_levels[a:b],
            q.residual_step[a:b], q.log_scale[a:b], q.angle[a:b], q.amplitude[a:b], q.levels[a:b], q.ratio[a:b],
            q.amplitude_step[a:b], q.centre[a:b], q.inverse_duration[a:b],
        )  # fmt: skip
    else:
        _hold_floats(v, q, a, b)
    own = np.empty((b - a, drawn.displacements.shape[1], 2), np.float32)
    weigh_control(q.residual[a:b], _rows_of(scene.residual_basis, plan.frames[step]), own)
    displace(q.mean[a:b], own, there, trajectory[a:b], scene.width, scene.height, drawn.displacements[a:b])
    if scene.halvings > 0:
        shrink_rows(
            scene.halvings, q.mean[a:b], drawn.displacements[a:b], q.log_scale[a:b], q.amplitude[a:b],
            drawn.small_means[a:b], drawn.small_displacements[a:b], drawn.small_log_scales[a:b],
            drawn.small_amplitudes[a:b],
        )  # fmt: skip
    drawn.num_wide[block] = narrow(
        drawn.small_log_scales[a:b], drawn.small_amplitudes[a:b], drawn.wide[a:b], drawn.log_scales[a:b],
        drawn.amplitudes[a:b],
    )  # fmt: skip
    describe_on_grids(
        drawn.log_scales[a:b], q.angle[a:b], drawn.wide[a:b], 1.0 / CELL, drawn.shapes[a:b], drawn.coarse_shapes[a:b],
        drawn.axes[a:b],
    )  # fmt: skip


@kernel
def train_rows(
    plan: Plan, step: int, scene: Scene, values: Attributes, first: Attributes, second: Attributes, trajectory: Int64,
    held: Held, there: Float32, drawn: Drawn, errors: Errors, block: int, start: int, stop: int,
) -> None:  # fmt: skip
    """A step of Adam of Gaussians start … stop - 1; leaves in errors.trajectories[block] what they say of theirs."""
    a, b, count = start, stop, stop - start
    num_frames = drawn.displacements.shape[1]
    frames = plan.frames[step]
    times = np.empty(len(scene.tasks), np.float32)
    for t in range(len(times)):
        times[t] = scene.times[frames[scene.tasks[t, 0]]]
    errors.sums[a:b] = 0.0
    sum_frames(
        errors.moments, scene.of_task, times, drawn.amplitudes, held.centre, held.inverse_duration, a, b, errors.sums
    )
    by_mean, by_log_scale = np.zeros((count, 2), np.float32), np.zeros((count, 2), np.float32)
    by_displacement = np.zeros((count, num_frames, 2), np.float32)
    by_angle, by_centre, by_duration = (
        np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32),
    )  # fmt: skip
    by_amplitude = np.zeros((count, 3), np.float32)
    apply_chain_rule(
        errors.sums[a:b], drawn.axes[a:b], by_mean, by_displacement, by_log_scale, by_angle, by_amplitude, by_centre,
        by_duration,
    )  # fmt: skip
    chain_to_wide(
        drawn.small_log_scales[a:b], drawn.log_scales[a:b], drawn.amplitudes[a:b], drawn.wide[a:b], by_log_scale,
        by_amplitude,
    )  # fmt: skip
    if scene.halvings > 0:
        chain_rows(
            scene.halvings, held.log_scale[a:b], drawn.small_log_scales[a:b], drawn.small_amplitudes[a:b], by_mean,
            by_displacement, by_log_scale, by_amplitude,
        )  # fmt: skip
    errors.trajectories[block] = 0.0
    spread_gradients(
        held.mean[a:b], there, trajectory[a:b], scene.width, scene.height, by_displacement, by_mean,
        errors.trajectories[block],
    )  # fmt: skip
    by_residual = np.empty((count, values.residual.shape[1], 2), np.float32)
    weigh_gradients(by_displacement, _rows_of(scene.residual_basis, frames), by_residual)
    prices = plan.prices[step]
    if plan.training:
        charge_bits(
            held.levels[a:b], held.ratio[a:b], held.amplitude_step[a:b], values.residual[a:b],
            held.residual_levels[a:b], held.residual_step[a:b], prices, by_amplitude, by_residual,
        )  # fmt: skip
    else:
        charge_motion(held.residual[a:b], held.log_scale[a:b], plan.share, prices[0], by_residual)

    by_luma, by_chroma = np.empty((count, 1), np.float32), np.empty((count, 2), np.float32)
    of_sigma, of_life = np.empty(count, np.float32), np.empty(count, np.float32)
    for i in range(count):
        n = a + i
        by_luma[i, 0], by_chroma[i, 0], by_chroma[i, 1] = by_amplitude[i, 0], by_amplitude[i, 1], by_amplitude[i, 2]
        by_duration[i] = -by_duration[i] * held.inverse_duration[n]
        sigma = math.exp(min(values.log_scale[n, 0], values.log_scale[n, 1])) / WHOLE_RATE_SIGMA
        life = math.exp(values.log_duration[n]) / WHOLE_RATE_LIFE
        of_sigma[i] = min(max(sigma, _LEAST_SIGMA), _MOST_SIGMA)
        of_life[i] = min(max(life, _LEAST_LIFE), _MOST_LIFE)
    v, m, s, rates, c = values, first, second, plan.rates[step], plan.constants[step]
    _adam(v.mean[a:b], m.mean[a:b], s.mean[a:b], by_mean, of_sigma, rates[0], c)
    _adam(v.residual[a:b], m.residual[a:b], s.residual[a:b], by_residual, WHOLE, rates[1], c)
    _adam(v.log_scale[a:b], m.log_scale[a:b], s.log_scale[a:b], by_log_scale, WHOLE, rates[2], c)
    _adam(v.angle[a:b], m.angle[a:b], s.angle[a:b], by_angle, WHOLE, rates[3], c)
    _adam(v.luma[a:b], m.luma[a:b], s.luma[a:b], by_luma, WHOLE, rates[4], c)
    _adam(v.chroma[a:b], m.chroma[a:b], s.chroma[a:b], by_chroma, WHOLE, rates[5], c)
    _adam(v.centre[a:b], m.centre[a:b], s.centre[a:b], by_centre, of_life, rates[6], c)
    _adam(v.log_duration[a:b], m.log_duration[a:b], s.log_duration[a:b], by_duration, WHOLE, rates[7], c)
    for n in range(a, b):
        for axis in range(2):
            values.log_scale[n, axis] = min(max(values.log_scale[n, axis], _SMALLEST), _LARGEST)


@kernel
def _adam(
    value: Float32, first: Float32, second: Float32, gradient: Float32, share: Float32, rate: float, constants: Float64
) -> None:
    """cpu_kernels.adam() of a block of an attribute."""
    adam(value.reshape(-1), first.reshape(-1), second.reshape(-1), gradient.reshape(-1), share, rate, constants)
