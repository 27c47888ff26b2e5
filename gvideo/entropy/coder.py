"""Adaptive binary range coder (SYNTAX.md §6): 32-bit range, 16-bit probabilities, state counters, carry propagation.

    range  |---------- p/65536: bit 0 ----------|--- bit 1 ---|
           low                                  low+bound     low+range

A context has two estimates of p: a fast one that follows what is near, and a slow one that knows the segment; bits are
coded with a quarter of the first and three quarters of the second.

Invariants: 2^24 <= range < 2^32 before each bit; low < 2^32 after the pending carry is moved out; the decoder keeps
code - low, so it never sees a carry. Structure after the range coder of G. N. N. Martin (1979), renormalised by bytes.
All arithmetic is integer; `cost` (bits per attribute, for `info` and for prices) never influences a symbol.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gvideo.entropy.jit import inlined_kernel, visit_kernel
from gvideo.errors import InvalidError

#: RECORD counts, and notes context << 1 | bit of every adaptive bit in the buffer, two bytes each, as far as it holds.
RECORD, COUNT, WRITE, READ = -1, 0, 1, 2

LOW, RANGE, CODE, POSITION, CACHE, PENDING, MODE, END, ATTRIBUTE = range(9)
NUM_REGISTERS = 9

PROBABILITY_ONE = 1 << 16
TOP = 1 << 24
MASK32 = (1 << 32) - 1
#: Adaptation shifts of the slow estimate by number of bits seen: 1, and one more from each of these on.
_SLOWER_FROM = (1, 4, 10, 24, 56, 120)
COUNT_LIMIT = _SLOWER_FROM[-1]
SLOW_SHIFTS = np.array([1 + sum(n >= least for least in _SLOWER_FROM) for n in range(COUNT_LIMIT + 1)], np.int64)
#: The fast estimate's.
FAST_SHIFTS = np.minimum(SLOW_SHIFTS, 2)

#: Bits that a symbol of probability (i+0.5)/4096 costs.
COST_TABLE = np.array([-math.log2((i + 0.5) / 4096) for i in range(4096)], np.float64)


class Coder(NamedTuple):
    """Everything a visit carries. registers i64[9], buffer u8[B], probability u16[C,2] of a 0 bit (fast, slow),
    seen u8[C], cost f64[A] bits per attribute."""

    registers: NDArray[np.int64]
    buffer: NDArray[np.uint8]
    probability: NDArray[np.uint16]
    seen: NDArray[np.uint8]
    cost: NDArray[np.float64]


def begin(probability: NDArray[np.uint16], seen: NDArray[np.uint8]) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Contexts for coders to use up (u16 [C,2], u8 [C]) from start states (u16 [C], u8 [C])."""
    return np.stack([probability, probability], 1), seen.copy()


def make_coder(
    mode: int,
    probability: NDArray[np.uint16],
    seen: NDArray[np.uint8],
    num_attributes: int,
    buffer: NDArray[np.uint8] | None = None,
    start: int = 0,
    end: int = 0,
) -> Coder:
    """A coder over `buffer[start:end]`. Context arrays are used in place, so they carry over to the next coder. Raises
    InvalidError for bytes to read that lie outside the range from the first on."""
    registers = np.zeros(NUM_REGISTERS, np.int64)
    registers[RANGE] = MASK32
    registers[MODE] = mode
    registers[POSITION] = start
    registers[END] = end
    registers[CACHE] = -1
    buffer = np.zeros(0, np.uint8) if buffer is None else buffer
    if mode == READ:
        for _ in range(4):
            position = int(registers[POSITION])
            byte = int(buffer[position]) if position < end else 0
            registers[POSITION] = position + 1
            registers[CODE] = (int(registers[CODE]) << 8) | byte
        if registers[CODE] >= MASK32:
            raise InvalidError("layer.bytes: begin with FF FF FF FF, which no encoder writes")
    return Coder(registers, buffer, probability, seen, np.zeros(num_attributes, np.float64))


@visit_kernel
def _shift_out(c, low):  # type: ignore[no-untyped-def]
    """Moves the top byte of low out; a byte 0xFF waits, because a later carry may still turn it."""
    r = c.registers
    if low < 0xFF000000 or low > MASK32:
        carry = low >> 32
        if r[CACHE] >= 0:
            c.buffer[r[POSITION]] = (r[CACHE] + carry) & 0xFF
            r[POSITION] += 1
        while r[PENDING] > 0:
            c.buffer[r[POSITION]] = (0xFF + carry) & 0xFF
            r[POSITION] += 1
            r[PENDING] -= 1
        r[CACHE] = (low >> 24) & 0xFF
    else:
        r[PENDING] += 1
    return (low << 8) & MASK32


@inlined_kernel
def _apply(c, bound, bit):  # type: ignore[no-untyped-def]
    """Narrows the range to the half of `bit` (0: below bound) and renormalises; in READ mode finds the bit first."""
    r = c.registers
    if r[MODE] == READ:
        code = r[CODE]
        width = r[RANGE]
        bit = np.int64(code >= bound)  # and no branch on it: no processor guesses what a good coder leaves
        code -= bound & -bit
        width = bound + ((width - 2 * bound) & -bit)
        while width < TOP:
            position = r[POSITION]
            byte = np.int64(0)
            if position < r[END]:
                byte = np.int64(c.buffer[position])
            r[POSITION] = position + 1
            code = (code << 8) | byte
            width <<= 8
        r[CODE] = code
        r[RANGE] = width
    else:
        low = r[LOW]
        width = r[RANGE]
        if bit == 0:
            width = bound
        else:
            low += bound
            width -= bound
        while width < TOP:
            width <<= 8
            low = _shift_out(c, low)
        r[LOW] = low
        r[RANGE] = width
    return bit


@visit_kernel
def _note(c, event):  # type: ignore[no-untyped-def]
    r = c.registers
    if r[POSITION] + 2 <= r[END]:
        c.buffer[r[POSITION]] = event >> 8
        c.buffer[r[POSITION] + 1] = event & 0xFF
    r[POSITION] += 2


@inlined_kernel
def mixed(fast, slow):  # type: ignore[no-untyped-def]
    """The probability that a bit is coded with."""
    return (fast + 3 * slow) >> 2


@inlined_kernel
def adapted(p, bit, shift):  # type: ignore[no-untyped-def]
    """An estimate after a bit."""
    p += ((PROBABILITY_ONE - p) >> shift) & (bit - 1)
    p -= (p >> shift) & -bit
    return min(max(p, 32), PROBABILITY_ONE - 32)


@inlined_kernel
def code_bit(c, context, bit):  # type: ignore[no-untyped-def]
    """Codes one bit with an adaptive context. Returns the bit (the one read in READ mode)."""
    r = c.registers
    fast, slow = np.int64(c.probability[context, 0]), np.int64(c.probability[context, 1])
    p = mixed(fast, slow)
    if r[MODE] > COUNT:
        bit = _apply(c, (r[RANGE] >> 16) * p, bit)
    elif r[MODE] == RECORD:
        _note(c, context << 1 | bit)
    q = p if bit == 0 else PROBABILITY_ONE - p
    c.cost[r[ATTRIBUTE]] += COST_TABLE[q >> 4]
    n = np.int64(c.seen[context])
    c.probability[context, 0] = adapted(fast, bit, FAST_SHIFTS[n])
    c.probability[context, 1] = adapted(slow, bit, SLOW_SHIFTS[n])
    if n < COUNT_LIMIT:
        c.seen[context] = n + 1
    return bit


@visit_kernel
def code_raw(c, num_bits, value):  # type: ignore[no-untyped-def]
    """Codes num_bits bits at even odds, highest first. Returns the value."""
    r = c.registers
    c.cost[r[ATTRIBUTE]] += num_bits
    if r[MODE] <= COUNT:
        return value
    result = np.int64(0)
    for i in range(num_bits - 1, -1, -1):
        bit = _apply(c, r[RANGE] >> 1, (value >> i) & 1)
        result = (result << 1) | bit
    return result


def finish(c: Coder, start: int = 0) -> int:
    """Ends a WRITE visit that began at `start` with as few bytes as select the final interval (the reader pads with
    zeros). Returns the end position in the buffer."""
    r = c.registers
    low, high = int(r[LOW]), int(r[LOW]) + int(r[RANGE]) - 1
    value = low
    for kept in range(5):
        mask = (1 << (32 - 8 * kept)) - 1
        value = (low + mask) & ~mask
        if value <= high:
            break
    for _ in range(5):
        value = int(_shift_out(c, value))
    end = int(r[POSITION])
    while end > start and c.buffer[end - 1] == 0:
        end -= 1
    return end
