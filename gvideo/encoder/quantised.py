"""The quantiser as training sees it: parameters to the values a decoder would hold, and to symbols.

Gradients pass straight through (Bengio et al., 2013): what the renderer says of a quantised value is applied to the
parameter behind it. The integer derivations mirror model/steps.py for tensors; a test holds the two together.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder import cpu_step
from gvideo.encoder.parameters import Parameters, on_host
from gvideo.model import steps
from gvideo.model.quantize import LIFE_CUT, MIN_LIFE

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


def _floor_log2_sixteenths(n: int) -> int:
    whole = n.bit_length() - 1
    return 16 * whole + ((n << 4) >> whole) - 16


@torch.no_grad()
def quantise(
    p: Parameters, rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float
) -> Quantised:
    """Quantises everything. precision_bias: octaves added to an amplitude before it chooses its class.
    permanent_at: lives longer than this many segments become permanent."""
    return (quantise_compiled if on_host(p.trajectory) else quantise_tensors)(p, rules, g, precision_bias, permanent_at)


def _control(theta: Tensor, rules: steps.StepRules) -> Tensor:
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
    cpu_step.quantise_rows(
        v["mean"], v["residual"], v["log_scale"], v["angle"], v["luma"], v["chroma"], v["centre"], v["log_duration"],
        g.frame_times.numpy(), rules.as_array(), np.array(constants, np.float64), symbols,
        mean, residual, residual_levels, residual_step, log_scale, angle, amplitude, levels, ratio, step,
        centre, inverse,
    )  # fmt: skip
    control = _control(p.values["theta"], rules)
    t, c = torch.from_numpy, cpu_step
    s = t(symbols)
    return Quantised(
        t(mean), t(residual), t(log_scale), t(angle), t(amplitude), t(centre), t(inverse),
        control * 2.0**rules.trajectory,
        s[:, c.PRECISION], s[:, c.SCALE_U : c.SCALE_V + 1], s[:, c.ANGLE], s[:, c.ANGLE_BITS], s[:, c.DURATION],
        s[:, c.CENTRE], s[:, c.EXPONENT_X : c.EXPONENT_Y + 1],
        t(levels), t(ratio), t(step), t(residual_levels), t(residual_step), control.long(),
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _constants(chroma: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(weights f32 [3] of amplitude steps, ANISOTROPY, WIDENING). Kept: handing them over has the host wait."""
    weights = torch.tensor([1.0, chroma / 16, chroma / 16], device=device)
    return weights, torch.from_numpy(steps.ANISOTROPY).to(device), torch.from_numpy(steps.WIDENING).to(device)


def quantise_tensors(
    p: Parameters, rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float
) -> Quantised:
    """quantise() on any device, without waiting for it; mirrors model/steps.py."""
    v = p.values
    weights, anisotropies, widenings = _constants(rules.chroma, v["mean"].device)
    duration = (2 * (v["log_duration"] / LN2 + 1)).round_().clamp_(0, steps.NUM_DURATIONS - 2).long()
    permanent = v["log_duration"] > math.log(permanent_at * g.num_frames)
    inverse = torch.where(permanent, 0.0, torch.exp2(1 - duration / 2))
    log_scale = v["log_scale"].clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
    amplitudes = torch.cat([v["luma"], v["chroma"]], 1)

    # precision class from the amplitude in steps, before anything is rounded
    scale_free = math.sqrt(12 * rules.allowed_error / math.pi)
    step = scale_free / ((0.5 * log_scale.sum(1)).exp() * lives(v["centre"], inverse, g.frame_times).sqrt())
    strength = (amplitudes / weights).square().sum(1).sqrt_() / step
    precision = (strength.clamp_(min=1e-6).log2_() + precision_bias).round_().clamp_(0, steps.MAX_PRECISION).long()

    scale_step = 16 >> precision.clamp(max=steps.MAX_SCALE_BITS)
    sixteenths = log_scale * (16 / LN2) - steps.SCALE_ORIGIN
    scale = ((sixteenths / scale_step[:, None]).round_().long() * scale_step[:, None]).clamp_(0)
    top = (steps.SCALE_LIMIT - 1) // scale_step * scale_step
    scale = torch.minimum(scale, top[:, None])
    log_scale = (scale + steps.SCALE_ORIGIN) * (LN2 / 16)

    ratio = (scale[:, 0] - scale[:, 1]).abs()
    anisotropy = torch.where(ratio <= 80, anisotropies[ratio.clamp(max=80)], ratio)
    angle_bits = ((16 * precision + anisotropy + rules.angle) >> 4).clamp_(1, steps.MAX_ANGLE_BITS)
    angle_bits = torch.where(ratio == 0, 0, angle_bits)
    angle_count = torch.exp2(angle_bits.float())
    angle_index = (v["angle"] * angle_count / math.pi).round_()
    angle = angle_index * math.pi / angle_count

    # the direction of the longer axis, as it is coded
    direction = angle_index.long() + torch.where(scale[:, 0] < scale[:, 1], (1 << angle_bits) >> 1, 0)
    direction = torch.where(
        angle_bits <= 5, direction << (5 - angle_bits).clamp(0), direction >> (angle_bits - 5).clamp(0)
    )
    row = (ratio >> 2).clamp(max=len(steps.WIDENING) - 1)
    turns = [(direction + k * steps.NUM_DIRECTIONS // 2) & (steps.NUM_DIRECTIONS - 1) for k in range(2)]
    wider = torch.stack([torch.where(angle_bits == 0, 0, widenings[row, turn]) for turn in turns], 1)
    exponent = ((scale.min(1)[0][:, None] + wider + (steps.SCALE_ORIGIN + rules.position)) >> 4) - precision[:, None]
    exponent = exponent.clamp_(steps.MIN_POSITION_EXPONENT, g.cell_bits)
    position_step = torch.exp2(exponent.float())
    mean = ((v["mean"] + 0.5) / position_step).floor_().add_(0.5) * position_step - 0.5
    residual_step = position_step * 2.0**rules.residual
    residual_levels = (v["residual"] / residual_step[:, None, :]).round_()

    span = _floor_log2_sixteenths(2 * g.num_frames)
    centre_bits = (span - (8 * duration - 16) + 16 * precision.clamp(max=2) + rules.centre) >> 4
    centre_bits = centre_bits.clamp_(0, steps.MAX_CENTRE_BITS)
    count = torch.exp2(centre_bits.float())
    width = 2 * g.num_frames / count
    centre_index = ((v["centre"] + g.num_frames / 2) / width).floor_().clamp_(min=0)
    centre_index = torch.minimum(centre_index, count - 1)
    centre = (centre_index + 0.5) * width - g.num_frames / 2
    centre_index = torch.where(permanent, 0, centre_index.long())

    step = scale_free / ((0.5 * log_scale.sum(1)).exp() * lives(centre, inverse, g.frame_times).sqrt())
    amplitude_step = step[:, None] * weights
    unrounded = amplitudes / amplitude_step
    levels = unrounded.round()
    control = _control(v["theta"], rules)
    return Quantised(
        mean, residual_levels * residual_step[:, None, :], log_scale, angle, levels * amplitude_step, centre,
        inverse, control * 2.0**rules.trajectory, precision, scale, angle_index.long(), angle_bits,
        torch.where(permanent, steps.NUM_DURATIONS - 1, duration), centre_index, exponent, levels, unrounded,
        amplitude_step, residual_levels, residual_step, control.long(),
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
