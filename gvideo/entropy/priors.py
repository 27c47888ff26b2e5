"""Start states of the contexts: the shipped table, trained offline, and corrections that a sequence may carry.

The table (priors.bin, normative, SYNTAX.md §6.6) holds per context the probability of a 0 bit (u16, big-endian) and
how many bits it counts for (u8), in the order of contexts.py.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from gvideo.entropy.coder import COUNT_LIMIT
from gvideo.entropy.contexts import NUM_CONTEXTS, flat_states
from gvideo.errors import InvalidError

States = tuple[NDArray[np.uint16], NDArray[np.uint8]]
TABLE = "priors.bin"
#: Counts beyond this would make a start state too stubborn.
AGE_LIMIT = 12


def format_states(states: States) -> bytes:
    """The table's bytes."""
    probability, seen = states
    rows = np.zeros((NUM_CONTEXTS, 3), np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2] = probability >> 8, probability & 255, seen
    return rows.tobytes()


def parse_states(data: bytes, name: str = "priors") -> States:
    """States of a table; InvalidError if it does not fit."""
    if len(data) != 3 * NUM_CONTEXTS:
        raise InvalidError(f"{name}: {len(data)} bytes, {3 * NUM_CONTEXTS} wanted")
    rows = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int64)
    probability = (rows[:, 0] << 8 | rows[:, 1]).clip(32, 65504)
    return probability.astype(np.uint16), rows[:, 2].clip(0, COUNT_LIMIT).astype(np.uint8)


@cache
def _shipped() -> States:
    table = resources.files(__package__).joinpath(TABLE)
    return parse_states(table.read_bytes(), TABLE) if table.is_file() else flat_states()


def start_states() -> States:
    """Fresh copies of the start states, to be used up by one segment."""
    probability, seen = _shipped()
    return probability.copy(), seen.copy()
