"""What the kernels of cpu_step_kernels.py work on: named tuples of arrays, which compiled code takes as they are.

N Gaussians, J control points of their own motion, M trajectories of K control points, S steps of F frames each,
B blocks of BLOCK Gaussians, T tasks of a step: frames, or bands of one. Arrays are C-contiguous.
"""

from __future__ import annotations

from typing import NamedTuple

from gvideo.types import Bool, Float32, Float64, Int32, Int64

#: Gaussians of a task: what a phase reads and writes of them stays in the second-level cache.
BLOCK = 256


class Attributes(NamedTuple):
    """What is trained of every Gaussian, or its moments for Adam: names and shapes of parameters.RATES."""

    mean: Float32
    residual: Float32
    log_scale: Float32
    angle: Float32
    luma: Float32
    chroma: Float32
    centre: Float32
    log_duration: Float32


class Held(NamedTuple):
    """What a renderer is given: quantised, as a decoder holds it, or as it is. The last five are of quantised ones
    alone, see quantised.Quantised."""

    mean: Float32
    residual: Float32
    log_scale: Float32
    angle: Float32
    amplitude: Float32
    centre: Float32
    inverse_duration: Float32
    levels: Float32
    ratio: Float32
    amplitude_step: Float32
    residual_levels: Float32
    residual_step: Float32


class Drawn(NamedTuple):
    """Gaussians in the frames of a step. displacements f32 [N,F,2], px. small_*: all on frames of the size that is
    fitted (the same arrays at the whole size). log_scales, amplitudes: of those, as they are drawn, the wide ones
    narrower."""

    displacements: Float32
    small_means: Float32
    small_displacements: Float32
    small_log_scales: Float32
    small_amplitudes: Float32
    log_scales: Float32
    amplitudes: Float32
    wide: Bool
    num_wide: Int64  # [B]
    shapes: Float32
    coarse_shapes: Float32
    axes: Float64


class Errors(NamedTuple):
    """What drawing leaves: moments f32 [T,N,8], squared errors f64 [T,3], their sums over frames f64 [N, 10 + 2F], and
    the gradients of trajectories in frames by block, f64 [B,M,F,2,3]."""

    moments: Float32
    squared_errors: Float64
    sums: Float64
    trajectories: Float64


class Trajectories(NamedTuple):
    """Control points f32 [M,K,2,3], their moments for Adam, and as they are held. there f32 [M,F,2,3]: in the frames
    of a step. differences f32 [M,M] and in_time f32 [K,K]: what makes of control points what is coded of them."""

    control: Float32
    first: Float32
    second: Float32
    held: Float32
    there: Float32
    differences: Float32
    in_time: Float32


class Scene(NamedTuple):
    """Frames f32 [.,3,H,W] that are fitted, weights of their pixels (or [0,0,0]), and of all of them times f32 and the
    bases of trajectories and of residual motion. of_task f32 [T,F]: 1 where a task is of that frame of a step.
    tasks i64 [T,3]: frame of the step, first row, row behind the last one."""

    frames: Float32
    pixel_weights: Float32
    times: Float32
    basis: Float32
    residual_basis: Float32
    channel_weights: Float32
    of_task: Float32
    tasks: Int64
    width: int
    height: int
    halvings: int


class Quantiser(NamedTuple):
    """What quantise_rows() wants to know; trajectory_step: of control points."""

    lives: Float64
    rules: Int64
    constants: Float64
    trajectory_step: float


class Plan(NamedTuple):
    """Of every step: frames i32 [S,F]; rates f64 [S,9] of the attributes in their order and of trajectories, over the
    correction of the first moments; constants f64 [S,5] of Adam, see cpu_kernels.adam(); prices f64 [S,6]: those of
    cpu_kernels.charge_bits() and of a trajectory's bit, or of motion in the first place. share: of the smaller sigma
    that motion's price is counted in while nothing is quantised. losses f64 [S]: written."""

    training: bool
    frames: Int32
    rates: Float64
    constants: Float64
    prices: Float64
    share: float
    losses: Float64
