"""The quantiser as training sees it: parameters to the values a decoder would hold, and to symbols.

Gradients pass straight through (Bengio et al., 2013): what the renderer says of a quantised value is applied to the
parameter behind it. By backends/cpu_quantise.py on the CPU, cuda_quantise.py on a GPU; a test holds the
two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gvideo.encoder.gaussians.parameters import Parameters
from gvideo.model import steps
from gvideo.model.quantize import LIFE_CUT, MIN_LIFE
from gvideo.types import Float32

LN2 = math.log(2)
#: Smallest sigma while fitting, nats: 2^(SCALE_ORIGIN/16) px.
MIN_LOG_SCALE = steps.SCALE_ORIGIN / 16 * LN2
MAX_LOG_SCALE = MIN_LOG_SCALE + (steps.SCALE_LIMIT - 1) / 16 * LN2


@dataclass(frozen=True)
class Geometry:
    """What quantising a segment needs to know: size in px, frame times f32 [T], cell size."""

    width: int
    height: int
    frame_times: Float32
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


def control_of(theta: Tensor, rules: steps.StepRules) -> Tensor:
    """Trajectories f32 [M,K,2,3] in steps, rounded; the first is at rest."""
    control = (theta * 2.0**-rules.trajectory).round()
    control[0].zero_()
    return control


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
