"""What a step of fitting does to every Gaussian beside quantising and drawing it, for a GPU. Twin of cpu_kernels.

One kernel each, a Gaussian a lane: operations on tensors would be some hundred launches a step, which take a host
longer than the drawing takes a GPU. Tensors are contiguous float32 on one device, unless a line says otherwise.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from gvideo.encoder.gaussians.parameters import Values
from gvideo.encoder.gaussians.quantised import Quantised

#: Gaussians of a program.
BLOCK = 128
_LN2 = tl.constexpr(math.log(2))
#: See raster/cuda/kernels.py.
_any_size = triton.jit(do_not_specialize=("count",))


@triton.jit
def _log_slope(x):
    """Derivative of log2(1 + |x|), 0 at 0."""
    sign = tl.where(x > 0.0, 1.0, tl.where(x < 0.0, -1.0, 0.0))
    return sign / ((1.0 + tl.abs(x)) * _LN2)


@triton.jit
def _jump_slope(x):
    """Derivative of x² / (1 + x²), a smooth stand-in for "not zero"."""
    energy = 1.0 + x * x
    return 2.0 * x / (energy * energy)


@_any_size
def displace_rows(
    mean, residual, theta, trajectory, out, count, num_control, middle_x, middle_y, unit, BLOCK: tl.constexpr
):  # fmt: skip
    """Arrays as those of cpu_kernels.displace."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
    inside = i < count
    x = (tl.load(mean + 2 * i, inside, 0.0) - middle_x) / unit
    y = (tl.load(mean + 2 * i + 1, inside, 0.0) - middle_y) / unit
    m = tl.load(trajectory + i, inside, 0)
    for k in range(num_control):
        for axis in tl.static_range(2):
            at = (i * num_control + k) * 2 + axis
            t = theta + ((m * num_control + k) * 2 + axis) * 3
            moved = tl.load(t, inside, 0.0) + tl.load(t + 1, inside, 0.0) * x + tl.load(t + 2, inside, 0.0) * y
            tl.store(out + at, moved + tl.load(residual + at, inside, 0.0), inside)


@_any_size
def spread_rows(
    mean, theta, trajectory, displacements, by_mean, partial, count, num_control, num_trajectories, middle_x, middle_y,
    unit, BLOCK: tl.constexpr, TRAJECTORIES: tl.constexpr,
):  # fmt: skip
    """Adds to by_mean f32 [N,2] what displacements change through the trajectories, and writes the trajectories' own
    gradients, block by block: partial f64 [blocks,M,K,2,3]. TRAJECTORIES: at least M, a power of two."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
    inside = i < count
    x = (tl.load(mean + 2 * i, inside, 0.0) - middle_x) / unit
    y = (tl.load(mean + 2 * i + 1, inside, 0.0) - middle_y) / unit
    m = tl.load(trajectory + i, inside, 0)
    number = tl.arange(0, TRAJECTORIES)
    # the first trajectory is at rest
    own = inside[:, None] & (m[:, None] == number[None, :]) & (number > 0)[None, :]
    by_x = tl.load(by_mean + 2 * i, inside, 0.0)
    by_y = tl.load(by_mean + 2 * i + 1, inside, 0.0)
    for k in range(num_control):
        for axis in tl.static_range(2):
            g = tl.load(displacements + (i * num_control + k) * 2 + axis, inside, 0.0)
            t = theta + ((m * num_control + k) * 2 + axis) * 3
            by_x += g * tl.load(t + 1, inside, 0.0) / unit
            by_y += g * tl.load(t + 2, inside, 0.0) / unit
            one = tl.where(own, g.to(tl.float64)[:, None], 0.0)
            row = tl.program_id(0) * num_trajectories + number
            at = partial + ((row * num_control + k) * 2 + axis) * 3
            tl.store(at, tl.sum(one, 0), number < num_trajectories)
            tl.store(at + 1, tl.sum(one * x[:, None], 0), number < num_trajectories)
            tl.store(at + 2, tl.sum(one * y[:, None], 0), number < num_trajectories)
    tl.store(by_mean + 2 * i, by_x, inside)
    tl.store(by_mean + 2 * i + 1, by_y, inside)


@_any_size
def charge_motion_rows(residual, log_scale, gradient, count, num_control, share, price, BLOCK: tl.constexpr):
    """Arrays as those of cpu_kernels.charge_motion."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
    inside = i < count
    smaller = tl.minimum(tl.load(log_scale + 2 * i, inside, 0.0), tl.load(log_scale + 2 * i + 1, inside, 0.0))
    step = share * tl.exp(smaller)
    for k in range(2 * num_control):
        at = i * (2 * num_control) + k
        slope = price * _log_slope(tl.load(residual + at, inside, 0.0) / step) / step
        tl.store(gradient + at, tl.load(gradient + at, inside, 0.0) + slope, inside)


@_any_size
def charge_bits_rows(
    levels, ratios, amplitude_step, residual, residual_levels, residual_step, by_amplitude, by_residual, count,
    num_control, amplitude_price, motion_price, existence_price, chroma_price, moves_price, BLOCK: tl.constexpr,
):  # fmt: skip
    """Arrays as those of cpu_kernels.charge_bits."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
    inside = i < count
    energy = tl.zeros((BLOCK,), tl.float32) + 1.0
    for c in tl.static_range(3):
        ratio = tl.load(ratios + 3 * i + c, inside, 0.0)
        energy += ratio * ratio
    for c in tl.static_range(3):
        at = 3 * i + c
        ratio = tl.load(ratios + at, inside, 0.0)
        slope = amplitude_price * _log_slope(tl.load(levels + at, inside, 0.0))
        slope += existence_price * 2.0 * ratio / (energy * energy)
        if c > 0:
            slope += chroma_price * _jump_slope(ratio)
        slope = slope / tl.load(amplitude_step + at, inside, 1.0)
        tl.store(by_amplitude + at, tl.load(by_amplitude + at, inside, 0.0) + slope, inside)
    for axis in tl.static_range(2):
        step = tl.load(residual_step + 2 * i + axis, inside, 1.0)
        for k in range(num_control):
            at = (i * num_control + k) * 2 + axis
            slope = motion_price * _log_slope(tl.load(residual_levels + at, inside, 0.0))
            slope += moves_price * _jump_slope(tl.load(residual + at, inside, 0.0) / step)
            tl.store(by_residual + at, tl.load(by_residual + at, inside, 0.0) + slope / step, inside)


def _grid(count: int) -> tuple[int]:
    return (max(-(-count // BLOCK), 1),)


def displace(values: Values, trajectory: Tensor, width: int, height: int) -> Tensor:
    """Control points f32 [N,K,2] of each Gaussian's displacement: its trajectory at its mean, and its residual."""
    residual = values["residual"]
    out = torch.empty_like(residual)
    displace_rows[_grid(len(residual))](
        values["mean"], residual, values["theta"], trajectory, out, len(residual), residual.shape[1], width / 2,
        height / 2, max(width, height) / 4, BLOCK=BLOCK,
    )  # fmt: skip
    return out


def spread_gradients(
    values: Values, trajectory: Tensor, displacements: Tensor, by_mean: Tensor, width: int, height: int
) -> Tensor:
    """Gradients f32 [M,K,2,3] of the trajectories from those of displacements f32 [N,K,2]; adds what goes through them
    to by_mean f32 [N,2]. Sums have a fixed order."""
    theta = values["theta"]
    blocks = _grid(len(by_mean))
    partial = torch.empty((*blocks, *theta.shape), dtype=torch.float64, device=theta.device)
    spread_rows[blocks](
        values["mean"], theta, trajectory, displacements, by_mean, partial, len(by_mean), theta.shape[1], len(theta),
        width / 2, height / 2, max(width, height) / 4, BLOCK=BLOCK, TRAJECTORIES=triton.next_power_of_2(len(theta)),
    )  # fmt: skip
    return partial.sum(0).float()


def charge_motion(values: Values, share: float, price: float, gradient: Tensor) -> None:
    """Adds the price's slope to the gradient f32 [N,K,2] of residuals. See objective.Objective."""
    residual = values["residual"]
    charge_motion_rows[_grid(len(residual))](
        residual, values["log_scale"], gradient, len(residual), residual.shape[1], share, price, BLOCK=BLOCK
    )


def charge_bits(
    q: Quantised, residual: Tensor, prices: tuple[float, ...], by_amplitude: Tensor, by_residual: Tensor
) -> None:
    """Adds the bits' slopes to the gradients of amplitudes f32 [N,3] and residuals f32 [N,K,2]. See
    objective.Objective."""
    charge_bits_rows[_grid(len(residual))](
        q.levels, q.ratio, q.amplitude_step, residual, q.residual_levels, q.residual_step, by_amplitude, by_residual,
        len(residual), residual.shape[1], *prices, BLOCK=BLOCK,
    )  # fmt: skip
