"""What adaptive bits cost from other start states: the events of a visit, sorted by context, priced again.

A visit in RECORD mode notes (context, bit). Contexts do not influence one another, so each one's start state can be
chosen by itself, and the bits saved add up exactly.

    events of all segments -> by context -> for each start state: adapt, add up -log2 p -> the cheapest, if it pays
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gvideo.entropy import coder, contexts, priors
from gvideo.entropy.coder import (
    COST_TABLE,
    COUNT_LIMIT,
    FAST_SHIFTS,
    PROBABILITY_ONE,
    SLOW_SHIFTS,
    adapted,
    mixed,
)
from gvideo.entropy.jit import exact_kernel
from gvideo.entropy.priors import Corrections, States
from gvideo.entropy.segment import visit
from gvideo.entropy.sequence import SequenceState
from gvideo.model.symbols import SegmentSymbols
from gvideo.types import Float64, Int64

#: Start probabilities tried around the mean of a context's bits, in quarter octaves to either side.
_SPREAD = 4
#: A correction takes a byte and the distance from the one before it, which is a byte too unless it is long.
CORRECTION_BITS = 16
#: The block's length and count, and the flag that is there anyway.
BLOCK_BITS = 24


@dataclass(frozen=True, slots=True)
class CodedSample:
    """A segment's symbols and what coding them depends on. sequence: with the segment's distortion."""

    symbols: SegmentSymbols
    sequence: SequenceState
    width: int
    height: int
    num_frames: int


@dataclass(frozen=True, slots=True)
class Events:
    """Adaptive bits of many segments, by context and in order: first[c] … first[c+1] are those of context c. bit: the
    bit, plus 2 where a segment begins. raw_bits: those without a context."""

    bit: np.ndarray[tuple[int], np.dtype[np.uint8]]
    first: Int64
    raw_bits: float


def record(samples: list[CodedSample], choices: list[Int64]) -> Events:
    """The events of segments coded with the given indices (entropy/segment.visit)."""
    found, raw = [], 0.0
    for number, (s, chosen) in enumerate(zip(samples, choices, strict=True)):
        where = (s.symbols, s.sequence, s.width, s.height, s.num_frames)
        sized, _ = visit(coder.RECORD, *where, choices=chosen)
        buffers = [np.zeros(int(c.registers[coder.POSITION]), np.uint8) for c in sized]
        _, cost = visit(coder.RECORD, *where, buffers, choices=chosen)
        events = np.concatenate([b.view(">u2").astype(np.int64) for b in buffers])
        found.append((events >> 1) << 32 | np.int64(number) << 1 | (events & 1))
        raw += float(cost.sum()) - price(found[-1:], s.sequence.start)
    return _sorted(found, raw)


def _sorted(found: list[Int64], raw: float) -> Events:
    """Events by context; each is context << 32 | segment << 1 | bit."""
    events = np.concatenate([np.zeros(0, np.int64), *found])
    events = events[np.argsort(events >> 32, kind="stable")]
    new = np.ones(len(events), bool)
    new[1:] = (events[1:] >> 1) != (events[:-1] >> 1)
    first = np.searchsorted(events >> 32, np.arange(contexts.NUM_CONTEXTS + 1))
    return Events(((events & 1) | new << 1).astype(np.uint8), first.astype(np.int64), raw)


def price(found: list[Int64], start: States) -> float:
    """Bits of events from start states, without raw bits."""
    return float(context_bits(_sorted(found, 0.0), start).sum())


def context_bits(events: Events, start: States) -> Float64:
    """Bits f64 [contexts] from start states."""
    bits = np.zeros(contexts.NUM_CONTEXTS)
    _price_all(events.bit, events.first, start[0].astype(np.int64), start[1].astype(np.int64), bits)
    return bits


@exact_kernel
def price_from(bit, low, high, probability, seen):  # type: ignore[no-untyped-def]
    """Bits of one context's events low … high-1 (Events.bit) if every segment begins with (probability, seen)."""
    total, fast, slow, n = 0.0, probability, probability, seen
    for k in range(low, high):
        event = bit[k]
        if event & 2:
            fast, slow, n = probability, probability, seen
        bit_of = event & 1
        p = mixed(fast, slow)
        total += COST_TABLE[(p if bit_of == 0 else PROBABILITY_ONE - p) >> 4]
        fast, slow = adapted(fast, bit_of, FAST_SHIFTS[n]), adapted(slow, bit_of, SLOW_SHIFTS[n])
        n = min(n + 1, COUNT_LIMIT)
    return total


@exact_kernel
def _price_all(bit, first, probability, seen, out):  # type: ignore[no-untyped-def]
    for c in range(len(out)):
        out[c] = price_from(bit, first[c], first[c + 1], probability[c], seen[c])


@exact_kernel
def _best_states(bit, first, before, limit, table, codes, bits):  # type: ignore[no-untyped-def]
    """The cheapest correction of each context whose bits exceed `limit`. table i64 [256,2]: priors.state_of."""
    for c in range(len(before)):
        bits[c], codes[c] = before[c], -1
        low, high = first[c], first[c + 1]
        if before[c] <= limit:
            continue
        ones = 0
        for k in range(low, high):
            ones += bit[k] & 1
        side = 128 if 2 * ones > high - low else 0
        rare = (min(ones, high - low - ones) + 0.4) / (high - low + 0.8)
        middle = round(-4 * np.log2(rare)) - 4
        for v in range(max(middle - _SPREAD, 0), min(middle + _SPREAD, 31) + 1):
            for age in range(4):
                code = side | (v & 3) << 2 | (v >> 2) << 4 | age
                cost = price_from(bit, low, high, table[code, 0], table[code, 1])
                if cost < bits[c]:
                    bits[c], codes[c] = cost, code


def best_corrections(events: Events, start: States, weight: float = 1.0) -> tuple[Corrections, float]:
    """(corrections that pay, bits of everything with them and their block). weight: how often the events stand for
    themselves in the whole stream; the bits are of the whole stream."""
    before = context_bits(events, start)
    table = np.array([priors.state_of(code) for code in range(256)], np.int64)
    codes, after = np.zeros(len(before), np.int64), np.zeros(len(before))
    _best_states(events.bit, events.first, before, CORRECTION_BITS / weight, table, codes, after)
    saved = (before - after) * weight
    chosen = np.flatnonzero((codes >= 0) & (saved > CORRECTION_BITS))
    corrections = Corrections(tuple((int(c), int(codes[c])) for c in chosen))
    cost = 8 * len(priors.format_corrections(corrections)) + BLOCK_BITS
    total = (float(before.sum()) + events.raw_bits) * weight
    if len(chosen) == 0 or saved[chosen].sum() <= cost:
        return Corrections(), total
    return corrections, total - float(saved[chosen].sum()) + cost
