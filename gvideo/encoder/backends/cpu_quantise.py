"""The quantiser as training sees it, on the CPU, with the derivations of model/steps.py."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch

from gvideo.encoder.backends import cpu_kernels
from gvideo.encoder.gaussians.parameters import Parameters
from gvideo.encoder.gaussians.quantised import Geometry, Quantised, control_of
from gvideo.model import steps
from gvideo.raster.threads import for_rows
from gvideo.types import Float64


def constants_of(rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float) -> Float64:
    """The numbers that cpu_kernels.quantise_rows() wants, f64 [6]."""
    return np.array([
        rules.allowed_error, rules.chroma / 16, precision_bias, math.log(permanent_at * g.num_frames), g.cell_bits,
        rules.residual,
    ], np.float64)  # fmt: skip


@torch.no_grad()
def quantise(
    p: Parameters, rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float
) -> Quantised:
    """See base.Backend.quantise."""
    v = {name: value.numpy() for name, value in p.values.items()}
    n = len(p)
    symbols = np.empty((n, cpu_kernels.NUM_SYMBOLS), np.int64)
    mean, log_scale, angle = np.empty_like(v["mean"]), np.empty_like(v["log_scale"]), np.empty_like(v["angle"])
    residual, residual_levels = np.empty_like(v["residual"]), np.empty_like(v["residual"])
    centre, inverse, residual_step = np.empty(n, np.float32), np.empty(n, np.float32), np.empty((n, 2), np.float32)
    amplitude, levels, ratio, step = (np.empty((n, 3), np.float32) for _ in range(4))
    read = [v[name] for name in ("mean", "residual", "log_scale", "angle", "luma", "chroma", "centre", "log_duration")]
    lives, constants = cpu_kernels.lives_of(g.frame_times), constants_of(rules, g, precision_bias, permanent_at)
    shared = lives, rules.as_array(), constants
    written = (
        symbols, mean, residual, residual_levels, residual_step, log_scale, angle, amplitude, levels, ratio, step,
        centre, inverse,
    )  # fmt: skip
    kernel = cast(Any, cpu_kernels.quantise_rows)
    for_rows(n, lambda a, b: kernel(*(x[a:b] for x in read), *shared, *(x[a:b] for x in written)), least=1024)
    control = control_of(p.values["theta"], rules)
    t, c = torch.from_numpy, cpu_kernels
    s = t(symbols)
    return Quantised(
        t(mean), t(residual), t(log_scale), t(angle), t(amplitude), t(centre), t(inverse),
        control * 2.0**rules.trajectory,
        s[:, c.PRECISION], s[:, c.SCALE_U : c.SCALE_V + 1], s[:, c.ANGLE], s[:, c.ANGLE_BITS], s[:, c.DURATION],
        s[:, c.CENTRE], s[:, c.EXPONENT_X : c.EXPONENT_Y + 1],
        t(levels), t(ratio), t(step), t(residual_levels), t(residual_step), control.long(),
    )  # fmt: skip
