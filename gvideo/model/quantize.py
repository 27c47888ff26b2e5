"""Symbols to numbers: what a segment's integers mean (SYNTAX.md §8). The encoder's inverse is encode/pack.py."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gvideo.model import motion, steps
from gvideo.model import symbols as sym
from gvideo.model.jit import exact_kernel
from gvideo.model.symbols import SegmentSymbols
from gvideo.types import Float64, Int64, Splats

#: A life's exponent below this is nothing, as in space.
LIFE_CUT = -5.0
#: Smallest life (sum of squared weights over frames) that an amplitude step is derived from.
MIN_LIFE = 0.3


@exact_kernel
def _derive(table, rules, cell_bits, num_frames, scale, exponent, angle, centre):  # type: ignore[no-untyped-def]
    for i in range(table.shape[0]):
        precision = table[i, sym.PRECISION]
        step = steps.scale_step(precision)
        scale[i, 0] = table[i, sym.SCALE] * step
        scale[i, 1] = (table[i, sym.SCALE] - table[i, sym.RATIO]) * step
        ratio = scale[i, 0] - scale[i, 1]
        angle[i] = steps.angle_bits(rules, precision, ratio)
        for axis in range(2):
            wider = steps.widening(ratio, table[i, sym.ANGLE], angle[i], axis)
            exponent[i, axis] = steps.position_exponent(rules, precision, scale[i, 1], wider, cell_bits)
        centre[i] = steps.centre_bits(rules, precision, table[i, sym.DURATION], num_frames)


@dataclass(frozen=True, slots=True)
class Derived:
    """Steps of every Gaussian: scale i64 [N,2] in sixteenths of an octave above steps.SCALE_ORIGIN, the position
    steps' exponents i64 [N,2], log2 of the number of angles and of life centres i64 [N]."""

    scale: Int64
    exponent: Int64
    angle_bits: Int64
    centre_bits: Int64


def derive(table: Int64, rules: steps.StepRules, cell_bits: int, num_frames: int) -> Derived:
    """Steps that follow from precision, scales and durations of a symbol table."""
    n = len(table)
    d = Derived(np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64))
    _derive(table, rules.as_array(), cell_bits, num_frames, d.scale, d.exponent, d.angle_bits, d.centre_bits)
    return d


def log_sigmas(scale: Int64) -> Float64:
    """Natural logarithms of sigma in px of scales in sixteenths of an octave above the origin."""
    values: Float64 = (scale + steps.SCALE_ORIGIN) * (np.log(2) / 16)
    return values


def durations(symbol: Int64) -> Float64:
    """Sigma of a life in frames."""
    return np.exp2(symbol / 2 - 1)


@exact_kernel
def _sum_lives(centres, inverse_durations, frame_times, sums):  # type: ignore[no-untyped-def]
    for i in range(len(centres)):
        total = 0.0
        for time in frame_times:
            away = (time - centres[i]) * inverse_durations[i]
            exponent = -0.5 * away * away
            if exponent >= LIFE_CUT:
                total += math.exp(2.0 * exponent)
        sums[i] = max(total, MIN_LIFE)


def lives(centres: Float64, inverse_durations: Float64, frame_times: Float64) -> Float64:
    """Sum over the frames of the squared weight, f64 [N], at least MIN_LIFE."""
    sums = np.empty(len(centres))
    _sum_lives(centres, inverse_durations, frame_times, sums)
    return sums


def amplitude_steps(rules: steps.StepRules, log_scales: Float64, life: Float64) -> Float64:
    """Quantiser steps f64 [N,3] of Y'CbCr amplitudes: an error of half a step spoils D/… of squared error at most."""
    area = np.pi * np.exp(log_scales.sum(1))
    luma = np.sqrt(12 * rules.allowed_error / (area * life))
    chroma = luma * (rules.chroma / 16)
    return np.stack([luma, chroma, chroma], 1)


@exact_kernel
def _displace(theta, trajectory, features, refinement, residual, step, out):  # type: ignore[no-untyped-def]
    """Writes displacements f32 [N,K,2]: the trajectory of each Gaussian at its position, and residual motion i64 [N,2J]
    in steps f64 [N,2], refined by f64 [K,J]."""
    for i in range(out.shape[0]):
        own = theta[trajectory[i]]
        moves = False
        for j in range(residual.shape[1]):
            moves = moves or residual[i, j] != 0
        for k in range(out.shape[1]):
            for axis in range(2):
                away = own[k, axis, 0] + own[k, axis, 1] * features[i, 1] + own[k, axis, 2] * features[i, 2]
                if moves:
                    moved = 0.0
                    for j in range(refinement.shape[1]):
                        moved += refinement[k, j] * residual[i, 2 * j + axis]
                    away += moved * step[i, axis]
                out[i, k, axis] = away


def dequantise(
    symbols: SegmentSymbols, rules: steps.StepRules, width: int, height: int, frame_times: Float64
) -> Splats:
    """Gaussians ready to render of a segment's symbols. frame_times f64 [T]: frames, 0 … T-1."""
    table, num_frames = symbols.table, len(frame_times)
    d = derive(table, rules, symbols.cell_bits, num_frames)
    log_scales = log_sigmas(d.scale)
    angles = np.pi * table[:, sym.ANGLE] / np.exp2(d.angle_bits)
    permanent = table[:, sym.DURATION] == sym.PERMANENT
    inverse = np.where(permanent, 0.0, 1.0 / durations(table[:, sym.DURATION]))
    centres = centre_values(table[:, sym.CENTRE], d.centre_bits, num_frames)
    life = lives(centres, inverse, frame_times)
    amplitudes = table[:, sym.LUMA : sym.RED + 1] * amplitude_steps(rules, log_scales, life)
    if symbols.distortions:
        finer = np.array([0, *symbols.distortions]) - np.array([0] + [rules.distortion] * len(symbols.distortions))
        amplitudes = amplitudes * np.exp2(-finer[symbols.layers()] / 16)[:, None]
    step = np.exp2(d.exponent.astype(np.float64))
    corner = -np.array(symbols.margins[:2]) * float(1 << symbols.cell_bits)
    means = table[:, :2] / 16 + step / 2 - 0.5 + corner
    theta = trajectories(symbols.control, rules)
    displacements = np.empty((len(table), symbols.num_path_control, 2), np.float32)
    _displace(
        theta, table[:, sym.TRAJECTORY], motion.normalised(means, width, height),
        motion.refinement_matrix(symbols.num_control, symbols.refinement), symbols.residual,
        step * 2.0**rules.residual, displacements,
    )  # fmt: skip
    fields = (means, displacements, log_scales, angles, amplitudes, centres, inverse)
    return Splats(*(np.ascontiguousarray(a, np.float32) for a in fields))


def centre_values(symbol: Int64, bits: Int64, num_frames: int) -> Float64:
    """Life centres in frames: 2^bits even places over [-T/2, 3T/2)."""
    return (symbol + 0.5) * (2 * num_frames) / np.exp2(bits) - num_frames / 2


def trajectories(control: Int64, rules: steps.StepRules) -> Float64:
    """Trajectory control f64 [M,K,2,3] in px, the first one at rest."""
    m, k, _ = control.shape
    theta = np.zeros((m + 1, k, 2, 3))
    theta[1:] = control.reshape(m, k, 2, 3) * 2.0**rules.trajectory
    return theta


def base_planes(base: tuple[int, int, int]) -> Float64:
    """Base colour f64 [3]: Y' in [0,1], Cb and Cr around 0."""
    return np.array([base[0] / 1023, (base[1] - 512) / 1023, (base[2] - 512) / 1023])
