"""The quantiser as training sees it: parameters to the values a decoder would hold, and to symbols.

Gradients pass straight through (Bengio et al., 2013): what the renderer says of a quantised value is applied to the
parameter behind it. On the CPU by cpu_step.quantise_rows, on a GPU by cuda_quantise; a test holds the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder import cpu_step
from gvideo.encoder.parameters import Parameters, on_host
from gvideo.model import steps
from gvideo.model.quantize import LIFE_CUT, MIN_LIFE
from gvideo.raster.threads import for_rows

LN2 = math.log(2)
#: Smallest sigma while fitting, nats: 2^(SCALE_ORIGIN/16) px.
MIN_LOG_SCALE = steps.SCALE_ORIGIN / 16 * LN2
MAX_LOG_SCALE = MIN_LOG_SCALE + (steps.SCALE_LIMIT - 1) / 16 * LN2


@dataclass(frozen=True)
class Geometry:
    """What quantising a segment needs to know: size in px, frame times f32 [T] (tensor), cell size."""

    width: int
    height: int
    frame_times: Tensor
    cell_bits: int

    @property
    def num_frames(self) -> int:
        """T."""
        return len(self.frame_times)


@dataclass(frozen=True)
class Quantised:
    """Values as decoded (f32) and the symbols behind them (i64), row by row of the parameters."""

    mean: Tensor
    residual: Tensor
    log_scale: Tensor
    angle: Tensor
    amplitude: Tensor
    centre: Tensor
    inverse_duration: Tensor
    theta: Tensor
    precision: Tensor
    scale: Tensor  # i64 [N,2] sixteenths of an octave above the origin, u and v not yet ordered
    angle_index: Tensor
    angle_bits: Tensor
    duration: Tensor  # 31: permanent
    centre_index: Tensor
    exponent: Tensor
    levels: Tensor  # f32 [N,3] amplitudes in steps, rounded
    ratio: Tensor  # f32 [N,3] amplitudes in steps, unrounded
    amplitude_step: Tensor  # f32 [N,3]
    residual_levels: Tensor  # f32 [N,K,2]
    residual_step: Tensor  # f32 [N,2]
    control: Tensor  # i64 [M,K,2,3]

    def cpu(self) -> Quantised:
        """The same in the host's memory."""
        return Quantised(*(getattr(self, field.name).cpu() for field in fields(self)))


def lives(centre: Tensor, inverse: Tensor, frame_times: Tensor) -> Tensor:
    """Sum of squared life weights over the frames, f32 [N]."""
    e = ((frame_times[:, None] - centre) * inverse).square_().mul_(-0.5)
    return torch.where(e >= LIFE_CUT, (2 * e).exp_(), 0.0).sum(0).clamp_(min=MIN_LIFE)


@torch.no_grad()
def quantise(
    p: Parameters, rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float
) -> Quantised:
    """Quantises everything. precision_bias: octaves added to an amplitude before it chooses its class.
    permanent_at: lives longer than this many segments become permanent."""
    if on_host(p.trajectory):
        return quantise_compiled(p, rules, g, precision_bias, permanent_at)
    from gvideo.encoder.cuda_quantise import quantise_kernel

    return quantise_kernel(p, rules, g, precision_bias, permanent_at)


def control_of(theta: Tensor, rules: steps.StepRules) -> Tensor:
    """Trajectories f32 [M,K,2,3] in steps, rounded; the first is at rest."""
    control = (theta * 2.0**-rules.trajectory).round()
    control[0].zero_()
    return control


def quantise_compiled(
    p: Parameters, rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float
) -> Quantised:
    """quantise() on the CPU, with the derivations of model/steps.py."""
    v = {name: value.numpy() for name, value in p.values.items()}
    n = len(p)
    symbols = np.empty((n, cpu_step.NUM_SYMBOLS), np.int64)
    mean, log_scale, angle = np.empty_like(v["mean"]), np.empty_like(v["log_scale"]), np.empty_like(v["angle"])
    residual, residual_levels = np.empty_like(v["residual"]), np.empty_like(v["residual"])
    centre, inverse, residual_step = np.empty(n, np.float32), np.empty(n, np.float32), np.empty((n, 2), np.float32)
    amplitude, levels, ratio, step = (np.empty((n, 3), np.float32) for _ in range(4))
    constants = (
        rules.allowed_error, rules.chroma / 16, precision_bias, math.log(permanent_at * g.num_frames),
        g.cell_bits, rules.residual,
    )  # fmt: skip
    read = [v[name] for name in ("mean", "residual", "log_scale", "angle", "luma", "chroma", "centre", "log_duration")]
    shared = g.frame_times.numpy(), rules.as_array(), np.array(constants, np.float64)
    written = (
        symbols, mean, residual, residual_levels, residual_step, log_scale, angle, amplitude, levels, ratio, step,
        centre, inverse,
    )  # fmt: skip
    kernel = cast(Any, cpu_step.quantise_rows)
    for_rows(n, lambda a, b: kernel(*(x[a:b] for x in read), *shared, *(x[a:b] for x in written)))
    control = control_of(p.values["theta"], rules)
    t, c = torch.from_numpy, cpu_step
    s = t(symbols)
    return Quantised(
        t(mean), t(residual), t(log_scale), t(angle), t(amplitude), t(centre), t(inverse),
        control * 2.0**rules.trajectory,
        s[:, c.PRECISION], s[:, c.SCALE_U : c.SCALE_V + 1], s[:, c.ANGLE], s[:, c.ANGLE_BITS], s[:, c.DURATION],
        s[:, c.CENTRE], s[:, c.EXPONENT_X : c.EXPONENT_Y + 1],
        t(levels), t(ratio), t(step), t(residual_levels), t(residual_step), control.long(),
    )  # fmt: skip


@torch.no_grad()
def unquantised(p: Parameters) -> dict[str, Tensor]:
    """The same values without rounding, for the float phase: fields of `Quantised` that the renderer needs."""
    v = p.values
    theta = v["theta"].clone()
    theta[0].zero_()
    return {
        "mean": v["mean"],
        "residual": v["residual"],
        "log_scale": v["log_scale"].clamp(MIN_LOG_SCALE, MAX_LOG_SCALE),
        "angle": v["angle"],
        "amplitude": torch.cat([v["luma"], v["chroma"]], 1),
        "centre": v["centre"],
        "inverse_duration": (-v["log_duration"]).exp(),
        "theta": theta,
    }
