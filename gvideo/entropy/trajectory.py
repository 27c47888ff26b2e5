"""How a Gaussian moves: which trajectory it follows, and the motion of its own (SYNTAX.md §6.5), within the visit of
walk.py."""

from __future__ import annotations

import numpy as np

from gvideo.entropy import attributes
from gvideo.entropy import contexts as ctx
from gvideo.entropy.binarise import bit_length, code_tree, code_unary
from gvideo.entropy.coder import ATTRIBUTE, code_bit, code_raw
from gvideo.entropy.jit import visit_kernel
from gvideo.entropy.vectors import BAD_MAGNITUDE, BAD_TRAJECTORY, MAX_MAGNITUDE, OK
from gvideo.model import steps
from gvideo.model.symbols import (
    CENTRE,
    DURATION,
    NUM_CONTROL,
    NUM_FRAMES,
    NUM_TRAJECTORIES,
    PERMANENT,
    PRECISION,
    TRAJECTORY,
)


@visit_kernel
def _favourite(table, found, count, but):  # type: ignore[no-untyped-def]
    """The trajectory, but for one, that most neighbours follow, the earliest in case of a tie, and how many do; (0, 0)
    without any."""
    favourite, votes = np.int64(0), 0
    for a in range(count):
        candidate = table[found[a], TRAJECTORY]
        if candidate == but:
            continue
        v = 0
        for b in range(count):
            v += table[found[b], TRAJECTORY] == candidate
        if v > votes:
            favourite, votes = candidate, v
    return favourite, votes


@visit_kernel
def code_trajectory(c, table, i, parameters, found, count):  # type: ignore[no-untyped-def]
    """The trajectory: one of the two that most neighbours follow, or an index."""
    num = parameters[NUM_TRAJECTORIES]
    c.registers[ATTRIBUTE] = attributes.TRAJECTORY
    if num == 1:
        table[i, TRAJECTORY] = 0
        return OK
    guess, votes = _favourite(table, found, count, np.int64(-1))
    second, votes_second = _favourite(table, found, count, guess)
    wanted = table[i, TRAJECTORY]
    agreement = 4 * votes + votes_second  # of at most six neighbours
    same = code_bit(c, ctx.TRAJECTORY_SAME + agreement, 1 if wanted == guess else 0)
    if same:
        table[i, TRAJECTORY] = guess
        return OK
    if votes_second > 0 and code_bit(c, ctx.TRAJECTORY_SECOND + agreement, 1 if wanted == second else 0):
        table[i, TRAJECTORY] = second
        return OK
    index = code_tree(c, ctx.TRAJECTORY, bit_length(num - 1), wanted)
    table[i, TRAJECTORY] = index
    return OK if index < num else BAD_TRAJECTORY


@visit_kernel
def _reach(table, i, k, rules, parameters):  # type: ignore[no-untyped-def]
    """How far control point k lies from a Gaussian's life: 0 within a sigma, 1 within 2, 2 within 4, 3 beyond;
    4 if it is always alive."""
    duration = table[i, DURATION]
    if duration == PERMANENT:
        return 4
    num_frames, num_control = parameters[NUM_FRAMES], parameters[NUM_CONTROL]
    bits = steps.centre_bits(rules, table[i, PRECISION], duration, num_frames)
    centre = (((2 * table[i, CENTRE] + 1) * num_frames * 16) >> bits) - num_frames * 8
    place = (k * (num_frames - 1) * 16) // max(num_control - 1, 1)
    sigma = (16 << (duration >> 1)) >> 1
    if duration & 1:
        sigma = (sigma * 181) >> 7
    distance = abs(place - centre)
    if distance <= sigma:
        return 0
    return 1 if distance <= 2 * sigma else (2 if distance <= 4 * sigma else 3)


@visit_kernel
def code_residual(c, table, residual, i, rules, parameters):  # type: ignore[no-untyped-def]
    """Residual motion: whether there is any, then the control points in order of time."""
    c.registers[ATTRIBUTE] = attributes.RESIDUAL
    n = residual.shape[1]
    moves = 0
    for k in range(n):
        if residual[i, k] != 0:
            moves = 1
    p = min(table[i, PRECISION], 3)
    life = 3 if table[i, DURATION] == PERMANENT else min(table[i, DURATION] >> 2, 2)
    moves = code_bit(c, ctx.RESIDUAL_FLAG + 4 * p + life, moves)
    for k in range(n):
        if moves == 0:
            residual[i, k] = 0
            continue
        before = abs(residual[i, k - 2]) if k >= 2 else 0
        near = min(before, 2)
        other = min(abs(residual[i, k - 1]), 2) if k & 1 else 0
        value = residual[i, k]
        reach = _reach(table, i, k >> 1, rules, parameters)
        nonzero = code_bit(c, ctx.RESIDUAL_ZERO + 9 * reach + 3 * near + other, 1 if value != 0 else 0)
        if nonzero == 0:
            residual[i, k] = 0
            continue
        magnitude = 1 + code_unary(c, ctx.RESIDUAL, 8, abs(value) - 1)
        if magnitude > MAX_MAGNITUDE:
            return BAD_MAGNITUDE
        residual[i, k] = -magnitude if code_raw(c, 1, 1 if value < 0 else 0) else magnitude
    return OK
