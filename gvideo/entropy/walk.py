"""The visit of a segment's symbols (SYNTAX.md §6.5): trajectories first, then layer by layer every Gaussian.

One function serves counting, writing and reading: in READ mode it fills the arrays that the other modes only read.

    per Gaussian:  cell -> precision -> scales -> angle -> life -> trajectory -> residual -> amplitudes -> position bits
                   every step of a later attribute follows from earlier ones (model/steps.py)
"""

from __future__ import annotations

import numpy as np

from gvideo.entropy import attributes
from gvideo.entropy import contexts as ctx
from gvideo.entropy.binarise import bit_length, code_signed, code_tree, code_unary
from gvideo.entropy.coder import ATTRIBUTE, code_bit, code_raw
from gvideo.entropy.jit import visit_kernel
from gvideo.entropy.trajectory import code_residual, code_trajectory
from gvideo.entropy.vectors import (
    BAD_CELL,
    BAD_MAGNITUDE,
    BAD_SCALE,
    BAD_TRAJECTORY,
    MAX_MAGNITUDE,
    OK,
    PROBLEMS,
    SCALAR,
    code_colour,
    code_life,
    code_shape,
)
from gvideo.model import steps
from gvideo.model.symbols import (
    ANGLE,
    BLUE,
    CELL_BITS,
    CELLS_X,
    CELLS_Y,
    CENTRE,
    DURATION,
    LAYER,
    LUMA,
    NUM_FRAMES,
    PERMANENT,
    PRECISION,
    RATIO,
    SCALE,
    X,
    Y,
    interleave,
)  # fmt: skip

#: log2 of the cells along a side of a block of the neighbour map.
BLOCK_BITS = 2
NUM_NEIGHBOURS = 6
__all__ = ["OK", "PROBLEMS", "walk_layer", "walk_trajectories"]


@visit_kernel
def _even_bits(code):  # type: ignore[no-untyped-def]
    value = np.int64(0)
    for i in range(12):
        value |= ((code >> (2 * i)) & 1) << i
    return value


@visit_kernel
def _find_neighbours(table, i, block_map, parameters, found):  # type: ignore[no-untyped-def]
    """Indices of Gaussians decoded before i near it: the previous one, then the latest of its own block and of the
    blocks W, N, NW, NE of it. Returns how many."""
    shift = parameters[CELL_BITS] + 4 + BLOCK_BITS
    width = ((parameters[CELLS_X] - 1) >> BLOCK_BITS) + 1
    height = ((parameters[CELLS_Y] - 1) >> BLOCK_BITS) + 1
    bx, by = table[i, X] >> shift, table[i, Y] >> shift
    count = 0
    previous = block_map[width * height]
    if previous >= 0:
        found[count] = previous
        count += 1
    for k in range(5):
        cx = bx + (0, -1, 0, -1, 1)[k]
        cy = by + (0, 0, -1, -1, -1)[k]
        if cx < 0 or cy < 0 or cx >= width:
            continue
        j = block_map[cy * width + cx]
        if j >= 0 and j != previous:
            found[count] = j
            count += 1
    return count


@visit_kernel
def _code_cell(c, table, i, first, block_map, parameters, previous_code, previous_exponent):  # type: ignore[no-untyped-def]
    """The cell as a Morton code, as the difference to the previous one. Returns (code, exponent) or (-1, 0)."""
    shift = parameters[CELL_BITS] + 4
    code = interleave(table[i, X] >> shift, table[i, Y] >> shift)
    delta = code - previous_code + 1
    exponent = bit_length(delta) - 1
    base = ctx.CELL_EXPONENT + 31 * min(max(previous_exponent, 0), 3)
    if first:
        base = ctx.CELL_EXPONENT + 31 * 3
    exponent = code_tree(c, base, 5, exponent)
    if exponent > 24:
        return np.int64(-1), 0
    mantissa = delta - (np.int64(1) << exponent)
    if exponent > 0:
        top = code_bit(c, ctx.CELL_MANTISSA + exponent, (mantissa >> (exponent - 1)) & 1)
        rest = code_raw(c, exponent - 1, mantissa & ((np.int64(1) << (exponent - 1)) - 1))
        mantissa = (top << (exponent - 1)) | rest
    else:
        mantissa = np.int64(0)
    code = previous_code + (np.int64(1) << exponent) + mantissa - 1
    if code >= (1 << 24):
        return np.int64(-1), 0
    cx, cy = _even_bits(code), _even_bits(code >> 1)
    if cx >= parameters[CELLS_X] or cy >= parameters[CELLS_Y]:
        return np.int64(-1), 0
    mask = (np.int64(1) << shift) - 1
    table[i, X] = (cx << shift) | (table[i, X] & mask)
    table[i, Y] = (cy << shift) | (table[i, Y] & mask)
    return code, exponent


@visit_kernel
def _code_shape(c, table, i, rules, near):  # type: ignore[no-untyped-def]
    """Scales as (larger, ratio in steps) and the angle of the larger axis."""
    precision = table[i, PRECISION]
    p = min(precision, 4)
    bits = min(precision, steps.MAX_SCALE_BITS)
    c.registers[ATTRIBUTE] = attributes.SCALE
    octave = code_tree(c, ctx.SCALE_OCTAVE + 15 * precision, 4, table[i, SCALE] >> bits)
    fraction = code_tree(c, ctx.SCALE_FRACTION + 15 * p, bits, table[i, SCALE] & ((1 << bits) - 1))
    scale = (octave << bits) | fraction
    table[i, SCALE] = scale
    c.registers[ATTRIBUTE] = attributes.RATIO
    ratio = code_unary(c, ctx.RATIO + 32 * (8 * precision + min(octave, 7)), 24, table[i, RATIO])
    table[i, RATIO] = ratio
    if ratio > scale:
        return BAD_SCALE
    c.registers[ATTRIBUTE] = attributes.ANGLE
    step = steps.scale_step(precision)
    bits = steps.angle_bits(rules, precision, ratio * step)
    angle = table[i, ANGLE]
    high = min(bits, 3)
    if bits > 0:
        low = bits - high
        # context: how strongly elongated, and in which of 8 directions the neighbour points
        elongation = min(ratio * step >> 4, 2)
        base = ctx.ANGLE + 7 * (9 * elongation + near)
        top = code_tree(c, base, high, angle >> low)
        rest = code_raw(c, low, angle & ((1 << low) - 1))
        table[i, ANGLE] = (top << low) | rest
    else:
        table[i, ANGLE] = 0
    return OK


@visit_kernel
def _duration_class(duration):  # type: ignore[no-untyped-def]
    return 1 if duration < 6 else (2 if duration < 9 else 3)


@visit_kernel
def _code_life(c, table, i, rules, parameters, permanent_near, duration_near):  # type: ignore[no-untyped-def]
    """Always alive or not; if not, log2 of the duration in half octaves and the centre."""
    precision = table[i, PRECISION]
    p = min(precision, 3)
    c.registers[ATTRIBUTE] = attributes.LIFE
    always = code_bit(c, ctx.PERMANENT + 4 * precision + permanent_near, 1 if table[i, DURATION] == PERMANENT else 0)
    if always:
        table[i, DURATION] = PERMANENT
        table[i, CENTRE] = 0
        return OK
    duration = code_tree(c, ctx.DURATION + 31 * (4 * p + duration_near), 5, table[i, DURATION])
    table[i, DURATION] = duration
    c.registers[ATTRIBUTE] = attributes.CENTRE
    bits = steps.centre_bits(rules, precision, duration, parameters[NUM_FRAMES])
    high = min(bits, 4)
    low = bits - high
    base = ctx.CENTRE + 15 * (4 * (_duration_class(duration) - 1) + high - 1)
    top = code_tree(c, base, high, table[i, CENTRE] >> low) if high > 0 else 0
    table[i, CENTRE] = (top << low) | code_raw(c, low, table[i, CENTRE] & ((1 << low) - 1))
    return OK


@visit_kernel
def _code_amplitudes(c, table, i, luma_near):  # type: ignore[no-untyped-def]
    """Luma, then the two chroma amplitudes, in quantiser steps."""
    precision = table[i, PRECISION]
    c.registers[ATTRIBUTE] = attributes.LUMA
    fine = max(precision - 3, 0)
    value = table[i, LUMA]
    magnitude = code_unary(c, ctx.LUMA + 22 * precision, 14, abs(value) >> fine)
    magnitude = (magnitude << fine) | code_raw(c, fine, abs(value) & ((1 << fine) - 1))
    if magnitude > MAX_MAGNITUDE:
        return BAD_MAGNITUDE
    if magnitude != 0:
        magnitude = -magnitude if code_bit(c, ctx.LUMA_SIGN + luma_near, 1 if value < 0 else 0) else magnitude
    table[i, LUMA] = magnitude
    c.registers[ATTRIBUTE] = attributes.CHROMA
    luma_class = min(bit_length(abs(magnitude)), 5)
    for channel in range(2):
        column = BLUE + channel
        value = table[i, column]
        # the luma's and (for red) the blue's state tell how probable a zero is
        other = 0 if magnitude == 0 else (1 if abs(magnitude) <= 2 else 2)
        if channel == 1:
            blue = table[i, BLUE]
            other = 0 if blue == 0 else (1 if abs(blue) == 1 else 2)
        zero_base = (ctx.RED_ZERO if channel else ctx.BLUE_ZERO) + 3 * precision + other
        if code_bit(c, zero_base, 0 if value == 0 else 1) == 0:
            table[i, column] = 0
            continue
        base = ctx.RED + 22 * (3 * precision + other) if channel else ctx.BLUE + 22 * (6 * precision + luma_class)
        size = 1 + code_unary(c, base, 14, abs(value) - 1)
        if size > MAX_MAGNITUDE:
            return BAD_MAGNITUDE
        sign_of = magnitude if channel == 0 else table[i, BLUE]
        sign_context = ctx.CHROMA_SIGN + 3 * channel + (0 if sign_of == 0 else (1 if sign_of > 0 else 2))
        table[i, column] = -size if code_bit(c, sign_context, 1 if value < 0 else 0) else size
    return OK


@visit_kernel
def _code_position(c, table, i, rules, parameters):  # type: ignore[no-untyped-def]
    """The bits of the position below the cell, as many as the step leaves."""
    c.registers[ATTRIBUTE] = attributes.POSITION
    step = steps.scale_step(table[i, PRECISION])
    scale_v = (table[i, SCALE] - table[i, RATIO]) * step
    ratio = table[i, RATIO] * step
    angle_bits = steps.angle_bits(rules, table[i, PRECISION], ratio)
    for column in range(2):
        wider = steps.widening(ratio, table[i, ANGLE], angle_bits, column)
        exponent = steps.position_exponent(rules, table[i, PRECISION], scale_v, wider, parameters[CELL_BITS])
        shift = exponent + 4
        bits = parameters[CELL_BITS] - exponent
        mask = (np.int64(1) << bits) - 1
        inside = code_raw(c, bits, (table[i, column] >> shift) & mask)
        cell = table[i, column] >> (parameters[CELL_BITS] + 4)
        table[i, column] = (cell << (parameters[CELL_BITS] + 4)) | (inside << shift)


@visit_kernel
def walk_layer(c, table, residual, choices, start, stop, rules, parameters, books, block_map, found):  # type: ignore[no-untyped-def]
    """Visits Gaussians start..stop-1 of the table (ordered by Morton code of their cells). Returns OK or a problem.
    choices i64 [N,3]: index into each group's codebook, 0 for scalar coding. books: Codebooks.as_array().
    block_map i64 [blocks + 1] (-1: none) carries the neighbours from layer to layer. found i64 [NUM_NEIGHBOURS]: to
    work in."""
    code, exponent = np.int64(0), 0
    shift = parameters[CELL_BITS] + 4 + BLOCK_BITS
    width = ((parameters[CELLS_X] - 1) >> BLOCK_BITS) + 1
    for i in range(start, stop):
        c.registers[ATTRIBUTE] = attributes.CELL
        code, exponent = _code_cell(c, table, i, i == start, block_map, parameters, code, exponent)
        if code < 0:
            return BAD_CELL
        count = _find_neighbours(table, i, block_map, parameters, found)
        c.registers[ATTRIBUTE] = attributes.PRECISION
        near = table[found[0], PRECISION] if count > 0 else 8
        base = ctx.PRECISION + 7 * (9 if parameters[LAYER] > 0 else near)
        table[i, PRECISION] = code_tree(c, base, 3, table[i, PRECISION])
        permanent_near, duration_near, direction = 0, 0, 8
        if count > 0:
            permanents = 0
            for k in range(count):
                permanents += table[found[k], DURATION] == PERMANENT
            permanent_near = 1 + (2 * permanents + count // 2) // count if count > 0 else 0
            duration = table[found[0], DURATION]
            duration_near = 0 if duration == PERMANENT else _duration_class(duration)
            for k in range(count):
                j = found[k]
                step = steps.scale_step(table[j, PRECISION])
                ratio = table[j, RATIO] * step
                bits = steps.angle_bits(rules, table[j, PRECISION], ratio)
                if ratio >= 12 and bits >= 3:
                    direction = table[j, ANGLE] >> (bits - 3)
                    break
        problem = code_shape(c, table, i, rules, books, choices)
        if problem == SCALAR:
            problem = _code_shape(c, table, i, rules, direction)
        if problem != OK:
            return problem
        problem = code_life(c, table, i, rules, parameters[NUM_FRAMES], books, choices)
        if problem == SCALAR:
            problem = _code_life(c, table, i, rules, parameters, permanent_near, duration_near)
        if problem != OK:
            return problem
        problem = code_trajectory(c, table, i, parameters, found, count)
        if problem != OK:
            return problem
        problem = code_residual(c, table, residual, i, rules, parameters)
        if problem != OK:
            return problem
        luma_near = 0
        if count > 0:
            luma_near = 1 if table[found[0], LUMA] > 0 else 2
        problem = code_colour(c, table, i, books, choices)
        if problem == SCALAR:
            problem = _code_amplitudes(c, table, i, luma_near)
        if problem != OK:
            return problem
        _code_position(c, table, i, rules, parameters)
        block_map[(table[i, Y] >> shift) * width + (table[i, X] >> shift)] = i
        block_map[block_map.shape[0] - 1] = i
    return OK


@visit_kernel
def walk_trajectories(c, control, parents, coded):  # type: ignore[no-untyped-def]
    """Visits the trajectories' control points, int64 [M-1, K, 6] (x: 1, mx, my; y: 1, mx, my), as steps along time less
    the steps of the parent; the trajectory that does not move is never sent. parents: see SegmentSymbols. coded int64
    [K, 6]: to work in."""
    c.registers[ATTRIBUTE] = attributes.CODEBOOK
    for m in range(control.shape[0]):
        parents[m] = code_raw(c, bit_length(m), parents[m])
        parent = parents[m] - 1
        if parent >= m:
            return BAD_TRAJECTORY
        for k in range(control.shape[1]):
            for f in range(6):
                expected = control[m, k - 1, f] if k > 0 else 0
                if parent >= 0:
                    expected += control[parent, k, f] - (control[parent, k - 1, f] if k > 0 else 0)
                group = 0 if k == 0 else (1 if f % 3 == 0 else 2)
                before = min(abs(coded[k - 1, f]), 2) if k > 0 else 0
                beside = abs(coded[k, f - 1]) if f > 0 else 0  # of the same moment
                if f >= 3:
                    beside = max(beside, abs(coded[k, f - 3]))
                block = ctx.CONTROL + 16 * (9 * group + 3 * before + min(beside, 2))
                value = code_signed(c, block, 8, control[m, k, f] - expected)
                if abs(value) > MAX_MAGNITUDE or abs(expected + value) > MAX_MAGNITUDE:
                    return BAD_MAGNITUDE
                coded[k, f] = value
                control[m, k, f] = expected + value
    return OK
