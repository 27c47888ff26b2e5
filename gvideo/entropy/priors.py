"""Start states of the contexts: the shipped table, trained offline, and corrections that a sequence may carry.

The table (priors.bin, normative, SYNTAX.md §6.6) holds per context the probability of a 0 bit (u16, big-endian) and
how many bits it counts for (u8), in the order of contexts.py; contexts behind its end know nothing.

A correction is a byte: which bit is the rarer one | its probability, 2^-1 … 2^-8.75 in quarter octaves | how many
bits that counts for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from gvideo.bitstream.fields import Fields, Reader, Writer
from gvideo.entropy.coder import COUNT_LIMIT, PROBABILITY_ONE
from gvideo.entropy.contexts import NUM_CONTEXTS, flat_states
from gvideo.errors import InvalidError

States = tuple[NDArray[np.uint16], NDArray[np.uint8]]
TABLE = "priors.bin"


def format_states(states: States) -> bytes:
    """The table's bytes."""
    probability, seen = states
    rows = np.zeros((NUM_CONTEXTS, 3), np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2] = probability >> 8, probability & 255, seen
    return rows.tobytes()


def parse_states(data: bytes, name: str = "priors") -> States:
    """States of a table; InvalidError if it does not fit."""
    if len(data) % 3 or len(data) > 3 * NUM_CONTEXTS:
        raise InvalidError(f"{name}: {len(data)} bytes, {3 * NUM_CONTEXTS} wanted")
    rows = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int64)
    probability, seen = flat_states()
    probability[: len(rows)] = (rows[:, 0] << 8 | rows[:, 1]).clip(32, 65504)
    seen[: len(rows)] = rows[:, 2].clip(0, COUNT_LIMIT)
    return probability, seen


@cache
def _shipped() -> States:
    table = resources.files(__package__).joinpath(TABLE)
    return parse_states(table.read_bytes(), TABLE) if table.is_file() else flat_states()


def start_states() -> States:
    """Fresh copies of the start states, to be used up by one segment."""
    probability, seen = _shipped()
    return probability.copy(), seen.copy()


#: Ages that a correction can give a state.
AGES = (2, 6, 14, 30)
_QUARTERS = (32768, 27554, 23170, 19484)


def state_of(code: int) -> tuple[int, int]:
    """(probability of a 0, bits seen) that a correction's byte stands for."""
    rare = _QUARTERS[code >> 2 & 3] >> (code >> 4 & 7)
    return (rare if code & 128 else PROBABILITY_ONE - rare), AGES[code & 3]


@dataclass(frozen=True, slots=True)
class Corrections:
    """Start states of a sequence that differ from the shipped ones: (context, byte) in ascending order."""

    entries: tuple[tuple[int, int], ...] = ()


def visit_corrections(f: Fields, given: Corrections | None = None) -> Corrections:
    """Writes corrections, or reads them."""
    old = given.entries if given else ()
    count = f.varint("priors.count", len(old), NUM_CONTEXTS)
    entries, before = [], -1
    for context, code in old or ((0, 0),) * count:
        before += 1 + f.varint("priors.context", context - before - 1, NUM_CONTEXTS)
        if before >= NUM_CONTEXTS:
            raise InvalidError(f"priors.context: {before}, there are {NUM_CONTEXTS}")
        entries.append((before, f.u8("priors.state", code)))
    return Corrections(tuple(entries))


def format_corrections(corrections: Corrections) -> bytes:
    """The header's block; empty if there are none."""
    if not corrections.entries:
        return b""
    writer = Writer()
    visit_corrections(writer, corrections)
    return writer.getvalue()


def parse_corrections(data: bytes) -> Corrections:
    """Corrections of the header's block. Raises BitstreamError."""
    if not data:
        return Corrections()
    reader = Reader(data)
    corrections = visit_corrections(reader)
    reader.expect_end("priors")
    return corrections


def corrected(states: States, corrections: Corrections) -> States:
    """States with corrections in their place."""
    probability, seen = states[0].copy(), states[1].copy()
    for context, code in corrections.entries:
        probability[context], seen[context] = state_of(code)
    return probability, seen
