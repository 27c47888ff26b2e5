"""Integers as sequences of bits (SYNTAX.md §6.3). Every function takes the value and returns it, read or given."""

from __future__ import annotations

import numpy as np

from gvideo.entropy.coder import code_bit, code_raw
from gvideo.entropy.jit import visit_kernel

#: Prefix length at which an Exp-Golomb code stops: values stay below 2^24 whatever the bytes say.
MAX_EXPONENT = 24


@visit_kernel
def bit_length(value):  # type: ignore[no-untyped-def]
    """Binary digits of a value >= 0; 0 for 0."""
    length = 0
    while value > 0:
        value >>= 1
        length += 1
    return length


@visit_kernel
def code_tree(c, base, num_bits, value):  # type: ignore[no-untyped-def]
    """A value of num_bits bits through a binary tree of 2^num_bits - 1 contexts at base."""
    node = 1
    for i in range(num_bits - 1, -1, -1):
        node = (node << 1) | code_bit(c, base + node - 1, (value >> i) & 1)
    return node - (1 << num_bits)


@visit_kernel
def code_exp_golomb(c, base, num_contexts, value):  # type: ignore[no-untyped-def]
    """A value >= 0 as Exp-Golomb of order 0: unary exponent with num_contexts contexts at base, mantissa raw."""
    plus = value + 1
    exponent = 0
    while exponent < MAX_EXPONENT:
        more = 1 if (plus >> (exponent + 1)) > 0 else 0
        more = code_bit(c, base + min(exponent, num_contexts - 1), more)
        if more == 0:
            break
        exponent += 1
    mantissa = code_raw(c, exponent, plus & ((1 << exponent) - 1))
    return (np.int64(1) << exponent) + mantissa - 1


@visit_kernel
def code_unary(c, base, limit, value):  # type: ignore[no-untyped-def]
    """A value >= 0: unary with `limit` contexts at base, then Exp-Golomb of the rest with 8 contexts behind them."""
    count = 0
    while count < limit:
        more = code_bit(c, base + count, 1 if value > count else 0)
        if more == 0:
            return count
        count += 1
    return limit + code_exp_golomb(c, base + limit, 8, value - limit)


@visit_kernel
def code_signed(c, base, limit, value):  # type: ignore[no-untyped-def]
    """A signed value: magnitude as code_unary, then the sign raw."""
    magnitude = code_unary(c, base, limit, abs(value))
    if magnitude == 0:
        return magnitude
    negative = code_raw(c, 1, 1 if value < 0 else 0)
    return -magnitude if negative else magnitude
