"""What a step of fitting does to every Gaussian beside rendering it, compiled for the CPU.

    parameters -> quantise_rows -> (displace) -> raster -> spread_gradients -> charge -> adam_rows -> parameters

Tensors would need some two hundred small operations for it, together as long as the rendering. Steps come from
model/steps.py, the same code that a decoder runs. Arrays are C-contiguous float32 unless a line says otherwise.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from gvideo.encoder.jit import kernel
from gvideo.model import steps
from gvideo.model.quantize import LIFE_CUT, MIN_LIFE
from gvideo.types import Float32, Float64, Int64

LN2 = math.log(2)
#: Columns of the symbols that quantise_rows writes.
PRECISION, SCALE_U, SCALE_V, ANGLE, ANGLE_BITS, DURATION, CENTRE, EXPONENT_X, EXPONENT_Y, NUM_SYMBOLS = range(10)
#: Centres of lives in an interval between frames that lives_of() tells the sums of.
LIVES_A_FRAME = 16
_ORIGIN = steps.SCALE_ORIGIN
_LIMIT = steps.SCALE_LIMIT
_SMALLEST, _LARGEST = _ORIGIN / 16 * LN2, (_ORIGIN + _LIMIT - 1) / 16 * LN2
_MAX_PRECISION = steps.MAX_PRECISION
_PERMANENT = steps.NUM_DURATIONS - 1
#: One over the sigmas of durations, in frames; the last one is for ever.
_INVERSE = 2.0 ** (1.0 - 0.5 * np.arange(steps.NUM_DURATIONS)) * (np.arange(steps.NUM_DURATIONS) < _PERMANENT)
#: The geometric mean of two sigmas, by the sum of their scales.
_MEAN_SIGMA = 2.0 ** ((np.arange(2 * _LIMIT) / 2 + _ORIGIN) / 16)
#: 2^(i - 16).
_POWERS = 2.0 ** (np.arange(48.0) - 16)
_angle_bits = steps.angle_bits
_position_exponent = steps.position_exponent
_widening = steps.widening
_centre_bits = steps.centre_bits
_scale_step = steps.scale_step


@kernel
def _sum_lives(times: Float32, sums: Float64) -> None:
    """See lives_of()."""
    for duration in range(len(sums)):
        for at in range(sums.shape[1]):
            centre = (at - 1) / LIVES_A_FRAME - 0.5 * len(times)
            total = 0.0
            for t in range(len(times)):
                x = (times[t] - centre) * _INVERSE[duration]
                e = -0.5 * x * x
                if e >= LIFE_CUT:
                    total += math.exp(2.0 * e)
            sums[duration, at] = total


@functools.lru_cache(maxsize=16)
def _lives_at(times: bytes) -> Float64:
    of_frames = np.frombuffer(times, np.float32).copy()
    sums = np.empty((steps.NUM_DURATIONS, 2 * len(of_frames) * LIVES_A_FRAME + 3))
    _sum_lives(of_frames, sums)
    return sums


def lives_of(times: Float32) -> Float64:
    """Sums over frames at these times of a life's squared weights, f64 [NUM_DURATIONS, 2 T LIVES_A_FRAME + 3], by its
    coded duration and its centre, which are those from -T/2 to 3T/2 and one more on either side. Every step of training
    wants them twice of every Gaussian; read between the centres they are right to a ten thousandth."""
    return _lives_at(np.asarray(times, np.float32).tobytes())


@kernel
def _life(lives: Float64, duration: int, centre: float) -> float:
    """The sum of lives_of() at any centre, at least MIN_LIFE; by Catmull and Rom's cubic."""
    most = lives.shape[1] - 3
    x = (centre + 0.25 * most / LIVES_A_FRAME) * LIVES_A_FRAME
    x = min(x, most - 1e-6) if x > 0.0 else 0.0  # also for what is not a number
    k = int(x)
    f = x - k
    a, b, c, d = lives[duration, k], lives[duration, k + 1], lives[duration, k + 2], lives[duration, k + 3]
    bend = (2.0 * a - 5.0 * b + 4.0 * c - d) + (3.0 * (b - c) + d - a) * f
    total: float = b + 0.5 * f * ((c - a) + f * bend)
    return max(total, MIN_LIFE)


@kernel
def quantise_rows(
    mean: Float32,
    residual: Float32,
    log_scale: Float32,
    angle: Float32,
    luma: Float32,
    chroma: Float32,
    centre: Float32,
    log_duration: Float32,
    lives: Float64,
    rules: Int64,
    constants: Float64,
    symbols: Int64,
    mean_out: Float32,
    residual_out: Float32,
    residual_levels: Float32,
    residual_step: Float32,
    log_scale_out: Float32,
    angle_out: Float32,
    amplitude_out: Float32,
    levels: Float32,
    ratio: Float32,
    amplitude_step: Float32,
    centre_out: Float32,
    inverse_out: Float32,
) -> None:
    """Every Gaussian as a decoder would hold it, in the arrays from `symbols` (i64 [N, NUM_SYMBOLS]) on.

    lives: lives_of(times of the frames). rules: StepRules.as_array(). constants f64: [D, chroma weight, octaves added
    to an amplitude before it chooses its class, log duration from which a life is permanent, cell bits, exponent of the
    residual's step over the position's].
    """
    free = math.sqrt(12.0 * constants[0] / math.pi)
    chroma_weight, bias, permanent_from = constants[1], constants[2], constants[3]
    cell_bits, residual_over_position = int(constants[4]), 2.0 ** constants[5]
    num_frames = lives.shape[1] // (2 * LIVES_A_FRAME)
    num_control = residual.shape[1]
    for i in range(len(mean)):
        duration = min(max(int(np.rint(2.0 * (log_duration[i] / LN2 + 1.0))), 0), _PERMANENT - 1)
        permanent = log_duration[i] > permanent_from
        life = _PERMANENT if permanent else duration
        log_u = min(max(np.float64(log_scale[i, 0]), _SMALLEST), _LARGEST)
        log_v = min(max(np.float64(log_scale[i, 1]), _SMALLEST), _LARGEST)
        area = math.exp(0.5 * (log_u + log_v))
        step = free / (area * math.sqrt(_life(lives, life, centre[i])))
        a, b, c = np.float64(luma[i, 0]), chroma[i, 0] / chroma_weight, chroma[i, 1] / chroma_weight
        strength = math.sqrt(a * a + b * b + c * c) / step
        precision = min(max(int(np.rint(math.log2(max(strength, 1e-6)) + bias)), 0), _MAX_PRECISION)

        scale_step = _scale_step(precision)
        top = (_LIMIT - 1) // scale_step * scale_step
        for axis in range(2):
            sixteenths = (log_u if axis == 0 else log_v) * (16.0 / LN2) - _ORIGIN
            scale = min(max(int(np.rint(sixteenths / scale_step)) * scale_step, 0), top)
            symbols[i, SCALE_U + axis] = scale
            log_scale_out[i, axis] = (scale + _ORIGIN) * (LN2 / 16.0)
        u, v = symbols[i, SCALE_U], symbols[i, SCALE_V]
        bits = _angle_bits(rules, precision, abs(u - v))
        index = int(np.rint(angle[i] * (1 << bits) / math.pi))
        angle_out[i] = index * math.pi / (1 << bits)

        # the direction of the longer axis, as it is coded
        direction = index if u >= v else index + ((1 << bits) >> 1)
        for axis in range(2):
            wider = _widening(abs(u - v), direction & ((1 << bits) - 1), bits, axis)
            exponent = _position_exponent(rules, precision, min(u, v), wider, cell_bits)
            symbols[i, EXPONENT_X + axis] = exponent
            grid = _POWERS[exponent + 16]
            mean_out[i, axis] = (math.floor((mean[i, axis] + 0.5) / grid) + 0.5) * grid - 0.5
            residual_grid = grid * residual_over_position
            residual_step[i, axis] = residual_grid
            for k in range(num_control):
                level = np.rint(residual[i, k, axis] / residual_grid)
                residual_levels[i, k, axis] = level
                residual_out[i, k, axis] = level * residual_grid

        centre_bits = _centre_bits(rules, precision, duration, num_frames)
        places = 1 << centre_bits
        width = 2.0 * num_frames / places
        place = min(max(int(np.floor((centre[i] + 0.5 * num_frames) / width)), 0), places - 1)
        middle = (place + 0.5) * width - 0.5 * num_frames
        centre_out[i] = middle
        inverse_out[i] = _INVERSE[life]

        step = free / (_MEAN_SIGMA[u + v] * math.sqrt(_life(lives, life, middle)))
        for channel in range(3):
            own = step if channel == 0 else step * chroma_weight
            value = luma[i, 0] if channel == 0 else chroma[i, channel - 1]
            amplitude_step[i, channel] = own
            ratio[i, channel] = value / own
            level = np.rint(value / own)
            levels[i, channel] = level
            amplitude_out[i, channel] = level * own
        symbols[i, PRECISION] = precision
        symbols[i, ANGLE] = index
        symbols[i, ANGLE_BITS] = bits
        symbols[i, DURATION] = life
        symbols[i, CENTRE] = 0 if permanent else place


@kernel
def weigh_control(control: Float32, basis: Float32, out: Float32) -> None:
    """Displacements f32 [N,F,2] of control points f32 [N,J,2] with weights f32 [F,J], few of which are not zero."""
    for i in range(len(control)):
        for f in range(basis.shape[0]):
            x, y = np.float32(0.0), np.float32(0.0)
            for j in range(basis.shape[1]):
                share = basis[f, j]
                if share != 0.0:
                    x += share * control[i, j, 0]
                    y += share * control[i, j, 1]
            out[i, f, 0], out[i, f, 1] = x, y


@kernel
def weigh_gradients(gradient: Float32, basis: Float32, out: Float32) -> None:
    """The chain rule of weigh_control(): f32 [N,F,2] to f32 [N,J,2]."""
    for i in range(len(gradient)):
        for j in range(basis.shape[1]):
            out[i, j, 0], out[i, j, 1] = 0.0, 0.0
        for f in range(basis.shape[0]):
            x, y = gradient[i, f, 0], gradient[i, f, 1]
            for j in range(basis.shape[1]):
                share = basis[f, j]
                if share != 0.0:
                    out[i, j, 0] += share * x
                    out[i, j, 1] += share * y


@kernel
def displace(
    mean: Float32, residual: Float32, theta: Float32, trajectory: Int64, width: int, height: int, out: Float32
) -> None:
    """Control points f32 [N,K,2] of each Gaussian's displacement: its trajectory at its mean, and its residual."""
    unit = 0.25 * max(width, height)
    for i in range(len(mean)):
        m = trajectory[i]
        x, y = (mean[i, 0] - 0.5 * width) / unit, (mean[i, 1] - 0.5 * height) / unit
        for k in range(residual.shape[1]):
            for axis in range(2):
                t = theta[m, k, axis]
                out[i, k, axis] = t[0] + t[1] * x + t[2] * y + residual[i, k, axis]


@kernel
def spread_gradients(
    mean: Float32,
    theta: Float32,
    trajectory: Int64,
    width: int,
    height: int,
    moved: Float32,
    mean_gradient: Float32,
    theta_gradient: Float64,
) -> None:
    """The chain rule of displace(): adds to the gradients of mean and theta what the displacements' f32 [N,K,2] say.
    Trajectory 0 stays at rest."""
    unit = 0.25 * max(width, height)
    for i in range(len(mean)):
        m = trajectory[i]
        if m == 0:
            continue
        x, y = (mean[i, 0] - 0.5 * width) / unit, (mean[i, 1] - 0.5 * height) / unit
        by_x, by_y = 0.0, 0.0
        for k in range(moved.shape[1]):
            for axis in range(2):
                g = np.float64(moved[i, k, axis])
                by_x += theta[m, k, axis, 1] * g
                by_y += theta[m, k, axis, 2] * g
                theta_gradient[m, k, axis, 0] += g
                theta_gradient[m, k, axis, 1] += g * x
                theta_gradient[m, k, axis, 2] += g * y
        mean_gradient[i, 0] += by_x / unit
        mean_gradient[i, 1] += by_y / unit


@kernel
def _log_slope(level: float) -> float:
    """Derivative of log2(1 + |x|)."""
    if level == 0.0:
        return 0.0
    return math.copysign(1.0, level) / ((1.0 + abs(level)) * LN2)


@kernel
def _jump_slope(level: float) -> float:
    """Derivative of x² / (1 + x²), a smooth stand-in for "not zero"."""
    rest = 1.0 + level * level
    return 2.0 * level / (rest * rest)


@kernel
def charge_bits(
    levels: Float32,
    ratio: Float32,
    amplitude_step: Float32,
    residual: Float32,
    residual_levels: Float32,
    residual_step: Float32,
    prices: Float64,
    amplitude_gradient: Float32,
    residual_gradient: Float32,
) -> None:
    """Adds the slope of the bits in quantised training. prices f64, in squared error: of log2(1 + |level|) of an
    amplitude and of a residual, of existence, of a chroma amplitude and of a residual that are not zero."""
    for i in range(len(levels)):
        energy = 1.0
        for c in range(3):
            energy += np.float64(ratio[i, c]) * ratio[i, c]
        existence = prices[2] * 2.0 / (energy * energy)
        for c in range(3):
            slope = prices[0] * _log_slope(levels[i, c]) + existence * ratio[i, c]
            if c > 0:
                slope += prices[3] * _jump_slope(ratio[i, c])
            amplitude_gradient[i, c] += slope / amplitude_step[i, c]
        for k in range(residual.shape[1]):
            for axis in range(2):
                step = residual_step[i, axis]
                if residual[i, k, axis] != 0.0:
                    slope = prices[1] * _log_slope(residual_levels[i, k, axis])
                    slope += prices[4] * _jump_slope(residual[i, k, axis] / step)
                    residual_gradient[i, k, axis] += slope / step


@kernel
def charge_motion(
    residual: Float32, log_scale: Float32, share: float, price: float, residual_gradient: Float32
) -> None:
    """Adds the slope of price log2(1 + |residual| / step) while growing; the step is `share` of the smaller sigma."""
    for i in range(len(residual)):
        step = share * math.exp(min(log_scale[i, 0], log_scale[i, 1]))
        for k in range(residual.shape[1]):
            for axis in range(2):
                residual_gradient[i, k, axis] += price * _log_slope(residual[i, k, axis] / step) / step


#: The share of the rate of attributes that all Gaussians train alike.
WHOLE = np.ones(1, np.float32)


@kernel
def adam(
    value: Float32, first: Float32, second: Float32, gradient: Float32, share: Float32, rate: float, constants: Float64
) -> None:
    """One Adam step of a flat array. share f32 [R]: of the rate, for each of R equal parts of the array. rate: over the
    first moment's correction. constants f64: [factor on the gradient, beta1, beta2, root of the second moment's
    correction, epsilon]."""
    factor, beta1, beta2, root = constants[0], constants[1], constants[2], constants[3]
    keep1, keep2 = np.float32(beta1), np.float32(beta2)
    new1, new2 = np.float32((1.0 - beta1) * factor), np.float32((1.0 - beta2) * factor * factor)
    scale, small = np.float32(1.0 / root), np.float32(constants[4])
    width = len(value) // max(len(share), 1)
    for row in range(len(share)):
        by = np.float32(rate) * share[row]
        for i in range(row * width, (row + 1) * width):
            g = gradient[i]
            m = keep1 * first[i] + new1 * g
            v = keep2 * second[i] + new2 * g * g
            first[i] = m
            second[i] = v
            value[i] -= by * m / (np.sqrt(v) * scale + small)


@kernel
def adam_rows(
    values: tuple[Float32, ...],
    first: tuple[Float32, ...],
    second: tuple[Float32, ...],
    gradients: tuple[Float32, ...],
    shares: tuple[Float32, ...],
    rates: Float64,
    constants: Float64,
    count: int,
    start: int,
    stop: int,
) -> None:
    """adam() of Gaussians start … stop - 1 of `count`, for the flat arrays of any number of attributes: one call, since
    a call costs as much as an attribute's step. shares: of one value, or of one for each Gaussian. rates f64: by
    attribute."""
    for a in range(len(values)):
        width = len(values[a]) // max(count, 1)
        part = slice(start * width, stop * width)
        share = shares[a] if len(shares[a]) == 1 else shares[a][start:stop]
        adam(values[a][part], first[a][part], second[a][part], gradients[a][part], share, rates[a], constants)
