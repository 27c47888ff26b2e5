"""Groups of symbols coded by an index into a codebook (SYNTAX.md §6.5, §6.7), within the visit of walk.py.

index 0: scalar coding follows     index > 0: the entry predicts the group; exact, or a residual a component
"""

from __future__ import annotations

from gvideo.entropy import attributes
from gvideo.entropy import contexts as ctx
from gvideo.entropy.binarise import code_signed, code_tree
from gvideo.entropy.coder import ATTRIBUTE, code_bit
from gvideo.entropy.jit import visit_kernel
from gvideo.model import codebooks as cb
from gvideo.model import steps
from gvideo.model.symbols import ANGLE, BLUE, CENTRE, DURATION, LUMA, PERMANENT, PRECISION, RATIO, SCALE

#: Contexts of a residual component: unary up to this, then 8 of the Exp-Golomb code.
UNARY = 6
PER_COMPONENT = UNARY + 8
#: Amplitudes and residuals beyond this are not legal.
MAX_MAGNITUDE = 1 << 20
#: What a group function returns beside a problem: nothing was predicted, scalar coding follows.
SCALAR = -1

OK, BAD_CELL, BAD_SCALE, BAD_TRAJECTORY, BAD_MAGNITUDE, BAD_INDEX, BAD_LIFE = range(7)
PROBLEMS = ("", "cell", "scale", "trajectory", "magnitude", "index", "life")


@visit_kernel
def _code_index(c, table, i, books, choices, group):  # type: ignore[no-untyped-def]
    """The index into a group's codebook; 0 if there is none, -1 if it does not exist."""
    if books[group, 0, 0] == 0:
        return 0
    base = ctx.VECTOR_INDEX + 63 * (4 * group + min(table[i, PRECISION], 3))
    index = code_tree(c, base, books[group, 0, 2], choices[i, group])
    choices[i, group] = index
    return index if index <= books[group, 0, 0] else -1


@visit_kernel
def _code_refined(c, table, i, books, group, differs):  # type: ignore[no-untyped-def]
    """Whether a residual follows."""
    if books[group, 0, 1] == 0:
        return 0
    return code_bit(c, ctx.VECTOR_REFINED + 4 * group + min(table[i, PRECISION], 3), differs)


@visit_kernel
def _code_component(c, group, component, value):  # type: ignore[no-untyped-def]
    return code_signed(c, ctx.VECTOR_RESIDUAL + PER_COMPONENT * (3 * group + component), UNARY, value)


@visit_kernel
def code_shape(c, table, i, rules, books, choices):  # type: ignore[no-untyped-def]
    """Scale, ratio and angle by index. Returns OK, a problem, or SCALAR."""
    c.registers[ATTRIBUTE] = attributes.SCALE
    index = _code_index(c, table, i, books, choices, cb.SHAPE)
    if index <= 0:
        return SCALAR if index == 0 else BAD_INDEX
    precision = table[i, PRECISION]
    step = steps.scale_step(precision)
    scale = cb.predict_scale(books[cb.SHAPE, index, 0], precision)
    ratio = min(cb.predict_scale(books[cb.SHAPE, index, 1], precision), scale)
    bits = steps.angle_bits(rules, precision, ratio * step)
    angle = cb.predict_circle(books[cb.SHAPE, index, 2], bits)
    differs = table[i, SCALE] != scale or table[i, RATIO] != ratio or table[i, ANGLE] != angle
    if _code_refined(c, table, i, books, cb.SHAPE, 1 if differs else 0):
        scale += _code_component(c, cb.SHAPE, 0, table[i, SCALE] - scale)
        c.registers[ATTRIBUTE] = attributes.RATIO
        ratio += _code_component(c, cb.SHAPE, 1, table[i, RATIO] - ratio)
        if scale < 0 or scale >= (16 << min(precision, steps.MAX_SCALE_BITS)) or ratio < 0 or ratio > scale:
            return BAD_SCALE
        c.registers[ATTRIBUTE] = attributes.ANGLE
        bits = steps.angle_bits(rules, precision, ratio * step)
        angle = cb.predict_circle(books[cb.SHAPE, index, 2], bits)
        if bits > 0:
            angle += _code_component(c, cb.SHAPE, 2, cb.wrapped(table[i, ANGLE] - angle, bits))
            angle &= (1 << bits) - 1
    table[i, SCALE], table[i, RATIO], table[i, ANGLE] = scale, ratio, angle
    return OK


@visit_kernel
def code_life(c, table, i, rules, num_frames, books, choices):  # type: ignore[no-untyped-def]
    """Duration and centre by index. Returns OK, a problem, or SCALAR."""
    c.registers[ATTRIBUTE] = attributes.LIFE
    index = _code_index(c, table, i, books, choices, cb.LIFE)
    if index <= 0:
        return SCALAR if index == 0 else BAD_INDEX
    precision = table[i, PRECISION]
    duration = books[cb.LIFE, index, 0]
    bits = steps.centre_bits(rules, precision, duration, num_frames)
    centre = cb.predict_centre(books[cb.LIFE, index, 1], bits) if duration != PERMANENT else 0
    differs = table[i, DURATION] != duration or table[i, CENTRE] != centre
    if _code_refined(c, table, i, books, cb.LIFE, 1 if differs else 0):
        duration += _code_component(c, cb.LIFE, 0, table[i, DURATION] - duration)
        if duration < 0 or duration > PERMANENT:
            return BAD_LIFE
        c.registers[ATTRIBUTE] = attributes.CENTRE
        centre = 0
        if duration != PERMANENT:
            bits = steps.centre_bits(rules, precision, duration, num_frames)
            centre = cb.predict_centre(books[cb.LIFE, index, 1], bits)
            centre += _code_component(c, cb.LIFE, 1, cb.wrapped(table[i, CENTRE] - centre, bits))
            centre &= (1 << bits) - 1
    table[i, DURATION], table[i, CENTRE] = duration, centre
    return OK


@visit_kernel
def code_colour(c, table, i, books, choices):  # type: ignore[no-untyped-def]
    """Luma, blue and red by index. Returns OK, a problem, or SCALAR."""
    c.registers[ATTRIBUTE] = attributes.LUMA
    index = _code_index(c, table, i, books, choices, cb.COLOUR)
    if index <= 0:
        return SCALAR if index == 0 else BAD_INDEX
    precision = table[i, PRECISION]
    differs = False
    for k in range(3):
        column = (LUMA, BLUE, BLUE + 1)[k]
        differs |= table[i, column] != cb.predict_amplitude(books[cb.COLOUR, index, k], precision)
    refined = _code_refined(c, table, i, books, cb.COLOUR, 1 if differs else 0)
    for k in range(3):
        column = (LUMA, BLUE, BLUE + 1)[k]
        value = cb.predict_amplitude(books[cb.COLOUR, index, k], precision)
        if refined:
            c.registers[ATTRIBUTE] = attributes.LUMA if k == 0 else attributes.CHROMA
            value += _code_component(c, cb.COLOUR, k, table[i, column] - value)
            if abs(value) > MAX_MAGNITUDE:
                return BAD_MAGNITUDE
        table[i, column] = value
    return OK
