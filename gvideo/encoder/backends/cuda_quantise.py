"""The quantiser as training sees it, for a GPU: one kernel, a Gaussian a lane. Twin of cpu_kernels.quantise_rows.

Derivations are those of model/steps.py, in integers and float64; a test holds them to the CPU's. Operations on tensors
would be two hundred launches a step, which take a host longer than the drawing takes a GPU.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from gvideo.encoder.backends import cpu_kernels
from gvideo.encoder.gaussians.parameters import Parameters
from gvideo.encoder.gaussians.quantised import MAX_LOG_SCALE, MIN_LOG_SCALE, Geometry, Quantised, control_of
from gvideo.model import steps
from gvideo.model.quantize import MIN_LIFE

#: Gaussians of a program.
BLOCK = 128

_LN2 = tl.constexpr(math.log(2))
_PI = tl.constexpr(math.pi)
_SMALLEST, _LARGEST = tl.constexpr(MIN_LOG_SCALE), tl.constexpr(MAX_LOG_SCALE)
_ORIGIN, _LIMIT = tl.constexpr(steps.SCALE_ORIGIN), tl.constexpr(steps.SCALE_LIMIT)
_MAX_PRECISION, _MAX_SCALE_BITS = tl.constexpr(steps.MAX_PRECISION), tl.constexpr(steps.MAX_SCALE_BITS)
_MAX_ANGLE_BITS, _MAX_CENTRE_BITS = tl.constexpr(steps.MAX_ANGLE_BITS), tl.constexpr(steps.MAX_CENTRE_BITS)
_MIN_EXPONENT, _PERMANENT = tl.constexpr(steps.MIN_POSITION_EXPONENT), tl.constexpr(steps.NUM_DURATIONS - 1)
_LAST_RATIO = tl.constexpr(len(steps.ANISOTROPY) - 1)
_LAST_ROW, _DIRECTIONS = tl.constexpr(len(steps.WIDENING) - 1), tl.constexpr(steps.NUM_DIRECTIONS)
_LIVES, _MIN_LIFE = tl.constexpr(cpu_kernels.LIVES_A_FRAME), tl.constexpr(MIN_LIFE)
_SYMBOLS = tl.constexpr(cpu_kernels.NUM_SYMBOLS)
_AT_PRECISION, _AT_SCALE = tl.constexpr(cpu_kernels.PRECISION), tl.constexpr(cpu_kernels.SCALE_U)
_AT_ANGLE, _AT_ANGLE_BITS = tl.constexpr(cpu_kernels.ANGLE), tl.constexpr(cpu_kernels.ANGLE_BITS)
_AT_DURATION, _AT_CENTRE = tl.constexpr(cpu_kernels.DURATION), tl.constexpr(cpu_kernels.CENTRE)
_AT_EXPONENT = tl.constexpr(cpu_kernels.EXPONENT_X)
#: 1.5 times 2^52: a float64 that is added and taken away again leaves the nearest integer, halves to even.
_INTEGERS = tl.constexpr(6755399441055744.0)


@triton.jit
def _round(x):
    return (x + _INTEGERS) - _INTEGERS


@triton.jit
def _clamp(x, low, high):
    return tl.minimum(tl.maximum(x, low), high)


@triton.jit
def _power(exponent):
    """2^exponent, exactly, f64. exponent: i64."""
    return ((exponent + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _life(lives, duration, centre, num_frames):
    """See cpu_kernels._life."""
    most = 2 * num_frames * _LIVES
    x = (centre + 0.5 * num_frames) * _LIVES
    x = tl.where(x > 0.0, tl.minimum(x, most - 1e-6), 0.0)
    k = x.to(tl.int64)
    f = x - k.to(tl.float64)
    at = lives + duration * (most + 3) + k
    a, b, c, d = tl.load(at), tl.load(at + 1), tl.load(at + 2), tl.load(at + 3)
    bend = (2.0 * a - 5.0 * b + 4.0 * c - d) + (3.0 * (b - c) + d - a) * f
    return tl.maximum(b + 0.5 * f * ((c - a) + f * bend), _MIN_LIFE)


@triton.jit(do_not_specialize=("count",))  # see raster/cuda/kernels.py
def quantise_rows(
    mean, residual, log_scale, angle, luma, chroma, centre, log_duration, lives, anisotropies, widenings, constants,
    symbols, mean_out, residual_out, residual_levels, residual_step, log_scale_out, angle_out, amplitude_out, levels,
    ratios, amplitude_step, centre_out, inverse_out, count, num_frames, num_control, rule_position, rule_angle,
    rule_centre, residual_exponent, cell_bits, span, BLOCK: tl.constexpr,
):  # fmt: skip
    """Arrays as those of cpu_kernels.quantise_rows; constants f64: its first four. rule_*: StepRules. span: of lives'
    centres, steps.log2_sixteenths(2 T)."""
    free = tl.load(constants)
    chroma_weight = tl.load(constants + 1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
    inside = i < count
    lasting = tl.load(log_duration + i, inside, 0.0).to(tl.float64)
    duration = _clamp(_round(2.0 * (lasting / _LN2 + 1.0)), 0.0, _PERMANENT - 1.0).to(tl.int64)
    permanent = lasting > tl.load(constants + 3)
    inverse = tl.where(permanent, 0.0, tl.exp2(1.0 - 0.5 * duration.to(tl.float64)))
    life = tl.where(permanent, _PERMANENT, duration)
    log_u = _clamp(tl.load(log_scale + 2 * i, inside, 0.0).to(tl.float64), _SMALLEST, _LARGEST)
    log_v = _clamp(tl.load(log_scale + 2 * i + 1, inside, 0.0).to(tl.float64), _SMALLEST, _LARGEST)
    own_centre = tl.load(centre + i, inside, 0.0).to(tl.float64)
    step = free / (tl.exp(0.5 * (log_u + log_v)) * tl.sqrt(_life(lives, life, own_centre, num_frames)))
    a = tl.load(luma + i, inside, 0.0).to(tl.float64)
    b = tl.load(chroma + 2 * i, inside, 0.0).to(tl.float64)
    c = tl.load(chroma + 2 * i + 1, inside, 0.0).to(tl.float64)
    strength = tl.sqrt(a * a + (b / chroma_weight) * (b / chroma_weight) + (c / chroma_weight) * (c / chroma_weight))
    octaves = tl.log2(tl.maximum(strength / step, 1e-6)) + tl.load(constants + 2)
    precision = _clamp(_round(octaves), 0.0, 1.0 * _MAX_PRECISION).to(tl.int64)

    scale_step = 16 >> tl.minimum(precision, _MAX_SCALE_BITS)
    top = (_LIMIT - 1) // scale_step * scale_step
    u = _round((log_u * (16.0 / _LN2) - _ORIGIN) / scale_step.to(tl.float64)).to(tl.int64) * scale_step
    v = _round((log_v * (16.0 / _LN2) - _ORIGIN) / scale_step.to(tl.float64)).to(tl.int64) * scale_step
    u = _clamp(u, 0, top)
    v = _clamp(v, 0, top)
    coarse_u = ((u + _ORIGIN).to(tl.float64) * (_LN2 / 16.0)).to(tl.float32)
    coarse_v = ((v + _ORIGIN).to(tl.float64) * (_LN2 / 16.0)).to(tl.float32)
    tl.store(log_scale_out + 2 * i, coarse_u, inside)
    tl.store(log_scale_out + 2 * i + 1, coarse_v, inside)

    ratio = tl.abs(u - v)
    anisotropy = tl.load(anisotropies + tl.minimum(ratio, _LAST_RATIO))
    anisotropy = tl.where(ratio <= _LAST_RATIO, anisotropy, ratio)
    bits = _clamp((16 * precision + anisotropy + rule_angle) >> 4, 1, _MAX_ANGLE_BITS)
    bits = tl.where(ratio == 0, 0, bits)
    angles = _power(bits)
    index = _round(tl.load(angle + i, inside, 0.0).to(tl.float64) * angles / _PI)
    tl.store(angle_out + i, (index * _PI / angles).to(tl.float32), inside)
    index = index.to(tl.int64)

    # the direction of the longer axis, as it is coded
    one = bits * 0 + 1
    direction = tl.where(u >= v, index, index + ((one << bits) >> 1)) & ((one << bits) - 1)
    direction = tl.where(bits <= 5, direction << tl.maximum(5 - bits, 0), direction >> tl.maximum(bits - 5, 0))
    for axis in tl.static_range(2):
        turn = (direction + axis * (_DIRECTIONS // 2)) & (_DIRECTIONS - 1)
        wider = tl.load(widenings + tl.minimum(ratio >> 2, _LAST_ROW) * _DIRECTIONS + turn)
        wider = tl.where(bits == 0, 0, wider)
        exponent = ((tl.minimum(u, v) + wider + _ORIGIN + rule_position) >> 4) - precision
        exponent = _clamp(exponent, _MIN_EXPONENT, cell_bits)
        tl.store(symbols + _SYMBOLS * i + _AT_EXPONENT + axis, exponent, inside)
        grid = _power(exponent)
        x = tl.load(mean + 2 * i + axis, inside, 0.0).to(tl.float64)
        tl.store(mean_out + 2 * i + axis, ((tl.floor((x + 0.5) / grid) + 0.5) * grid - 0.5).to(tl.float32), inside)
        grid = _power(exponent + residual_exponent)
        tl.store(residual_step + 2 * i + axis, grid.to(tl.float32), inside)
        for k in range(num_control):
            at = (i * num_control + k) * 2 + axis
            level = _round(tl.load(residual + at, inside, 0.0).to(tl.float64) / grid)
            tl.store(residual_levels + at, level.to(tl.float32), inside)
            tl.store(residual_out + at, (level * grid).to(tl.float32), inside)

    centre_bits = (span - (8 * duration - 16) + 16 * tl.minimum(precision, 2) + rule_centre) >> 4
    centre_places = _power(_clamp(centre_bits, 0, _MAX_CENTRE_BITS))
    half = 0.5 * num_frames
    width = 4.0 * half / centre_places
    place = _clamp(tl.floor((own_centre + half) / width), 0.0, centre_places - 1.0)
    middle = (place + 0.5) * width - half
    tl.store(centre_out + i, middle.to(tl.float32), inside)
    tl.store(inverse_out + i, inverse.to(tl.float32), inside)

    area = tl.exp(0.5 * (coarse_u.to(tl.float64) + coarse_v.to(tl.float64)))
    step = free / (area * tl.sqrt(_life(lives, life, middle, num_frames)))
    for channel in tl.static_range(3):
        own = step if channel == 0 else step * chroma_weight
        value = a if channel == 0 else (b if channel == 1 else c)
        level = _round(value / own)
        tl.store(amplitude_step + 3 * i + channel, own.to(tl.float32), inside)
        tl.store(ratios + 3 * i + channel, (value / own).to(tl.float32), inside)
        tl.store(levels + 3 * i + channel, level.to(tl.float32), inside)
        tl.store(amplitude_out + 3 * i + channel, (level * own).to(tl.float32), inside)
    row = symbols + _SYMBOLS * i
    tl.store(row + _AT_PRECISION, precision, inside)
    tl.store(row + _AT_SCALE, u, inside)
    tl.store(row + _AT_SCALE + 1, v, inside)
    tl.store(row + _AT_ANGLE, index, inside)
    tl.store(row + _AT_ANGLE_BITS, bits, inside)
    tl.store(row + _AT_DURATION, life, inside)
    tl.store(row + _AT_CENTRE, tl.where(permanent, 0, place.to(tl.int64)), inside)


@functools.lru_cache(maxsize=64)
def _constants(values: tuple[float, ...], times: bytes, device: torch.device) -> tuple[Tensor, ...]:
    """(lives_of() frames at these times f32, ANISOTROPY, WIDENING, values f64) on a device. Kept: handing them over has
    the host wait."""
    lives = cpu_kernels.lives_of(np.frombuffer(times, np.float32))
    tables = [torch.from_numpy(table).to(device) for table in (lives, steps.ANISOTROPY, steps.WIDENING)]
    return *tables, torch.tensor(values, dtype=torch.float64, device=device)


def quantise_kernel(
    p: Parameters, rules: steps.StepRules, g: Geometry, precision_bias: float, permanent_at: float
) -> Quantised:
    """See base.Backend.quantise. Does not wait for the device."""
    v, n, control_points = p.values, len(p), p.values["residual"].shape[1]
    device = p.trajectory.device
    free = math.sqrt(12 * rules.allowed_error / math.pi)
    numbers = (free, rules.chroma / 16, precision_bias, math.log(permanent_at * g.num_frames))
    tables = _constants(numbers, np.asarray(g.frame_times, np.float32).tobytes(), device)
    symbols = torch.empty((n, cpu_kernels.NUM_SYMBOLS), dtype=torch.int64, device=device)
    mean, log_scale, residual_step = (torch.empty((n, 2), device=device) for _ in range(3))
    residual, residual_levels = (torch.empty((n, control_points, 2), device=device) for _ in range(2))
    angle, centre, inverse = (torch.empty(n, device=device) for _ in range(3))
    amplitude, levels, ratio, step = (torch.empty((n, 3), device=device) for _ in range(4))
    quantise_rows[(max(-(-n // BLOCK), 1),)](
        v["mean"], v["residual"], v["log_scale"], v["angle"], v["luma"], v["chroma"], v["centre"], v["log_duration"],
        *tables, symbols, mean, residual, residual_levels, residual_step,
        log_scale, angle, amplitude, levels, ratio, step, centre, inverse, n, g.num_frames, control_points,
        rules.position, rules.angle, rules.centre, rules.residual, g.cell_bits,
        int(steps.log2_sixteenths(2 * g.num_frames)), BLOCK=BLOCK,
    )  # fmt: skip
    control = control_of(v["theta"], rules)
    s, c = symbols, cpu_kernels
    return Quantised(
        mean, residual, log_scale, angle, amplitude, centre, inverse, control * 2.0**rules.trajectory,
        s[:, c.PRECISION], s[:, c.SCALE_U : c.SCALE_V + 1], s[:, c.ANGLE], s[:, c.ANGLE_BITS], s[:, c.DURATION],
        s[:, c.CENTRE], s[:, c.EXPONENT_X : c.EXPONENT_Y + 1], levels, ratio, step, residual_levels, residual_step,
        control.long(),
    )  # fmt: skip
