"""Shared codebooks of a sequence: common shapes, colours and lives of Gaussians (SYNTAX.md §6.7).

An entry holds no class of precision: it is brought to the units of a Gaussian's class with integers only, so that one
codebook serves faint and strong Gaussians of all segments.

    entry -> predict(class) -> symbols, taken as they are or refined by a coded residual
    shape: scale, ratio in sixteenths of an octave; angle in 1/128 of pi
    colour: luma, blue, red in sixteenths of 2^class steps
    life: duration symbol; centre in 1/128 of its domain
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gvideo.bitstream.fields import Fields, Reader, Writer
from gvideo.errors import InvalidError
from gvideo.model import steps
from gvideo.model.jit import exact_kernel
from gvideo.types import Int64

SHAPE, COLOUR, LIFE = range(3)
GROUPS = ("shape", "colour", "life")
#: Index 0 stands for scalar coding, so that an index has at most six bits.
MAX_ENTRIES = 63
MAX_AMPLITUDE = 1023
#: log2 of the angles in [0, pi) and of the centres that entries tell apart: a byte each as a varint.
CIRCLE_BITS = 7
#: Lowest and highest value of each component of an entry.
LIMITS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((0, steps.SCALE_LIMIT - 1), (0, steps.SCALE_LIMIT - 1), (0, (1 << CIRCLE_BITS) - 1)),
    ((-MAX_AMPLITUDE, MAX_AMPLITUDE),) * 3,
    ((0, steps.NUM_DURATIONS - 1), (0, (1 << CIRCLE_BITS) - 1)),
)


@dataclass(frozen=True, slots=True)
class Codebook:
    """One group's entries i64 [E,3] (life: the last column is 0), and whether a residual may follow an index.
    Without entries the group is coded by scalars alone."""

    entries: Int64
    residual: bool = False


def _none() -> Codebook:
    return Codebook(np.zeros((0, 3), np.int64))


@dataclass(frozen=True, slots=True)
class Codebooks:
    """The codebooks of a sequence in the order of GROUPS."""

    groups: tuple[Codebook, Codebook, Codebook]

    @classmethod
    def none(cls) -> Codebooks:
        """Scalar coding of everything."""
        return cls((_none(), _none(), _none()))

    def replaced(self, group: int, book: Codebook) -> Codebooks:
        """The same with another codebook for one group."""
        groups = list(self.groups)
        groups[group] = book
        return Codebooks((groups[0], groups[1], groups[2]))

    def as_array(self) -> Int64:
        """i64 [3, 1 + MAX_ENTRIES, 3] for the kernels: row 0 of a group is (entries, residual, bits of an index)."""
        array = np.zeros((3, 1 + MAX_ENTRIES, 3), np.int64)
        for group, book in enumerate(self.groups):
            count = len(book.entries)
            array[group, 0] = count, book.residual, count.bit_length()
            array[group, 1 : 1 + count] = book.entries
        return array


def visit_codebooks(f: Fields, books: Codebooks | None = None) -> Codebooks:
    """Writes codebooks, or reads them. Entries stand in ascending order of their first component."""
    made = []
    for group, given in zip(GROUPS, (books or Codebooks.none()).groups, strict=True):
        name = f"codebooks.{group}"
        head = f.varint(name, len(given.entries) << 1 | given.residual, MAX_ENTRIES << 1 | 1)
        count = head >> 1
        if head == 1:
            raise InvalidError(f"{name}: a residual of no entries")
        rows = np.zeros((count, 3), np.int64)
        values = given.entries if books else rows
        before = 0
        for k in range(count):
            first, *rest = LIMITS[GROUPS.index(group)]
            before += f.signed(f"{name}.first", int(values[k, 0]) - before, 1 << 11)
            if not first[0] <= before <= first[1]:
                raise InvalidError(f"{name}.first: {before} is outside {first[0]}..{first[1]}")
            rows[k, 0] = before
            for column, (low, high) in enumerate(rest, 1):
                field, value = f"{name}.component", int(values[k, column])
                rows[k, column] = f.signed(field, value, high) if low < 0 else f.varint(field, value, high)
        made.append(Codebook(rows, bool(head & 1)))
    return Codebooks((made[0], made[1], made[2]))


def format_codebooks(books: Codebooks) -> bytes:
    """The header's block; empty if everything is coded by scalars."""
    if not any(len(b.entries) for b in books.groups):
        return b""
    writer = Writer()
    visit_codebooks(writer, books)
    return writer.getvalue()


def parse_codebooks(data: bytes) -> Codebooks:
    """Codebooks of the header's block. Raises BitstreamError."""
    if not data:
        return Codebooks.none()
    reader = Reader(data)
    books = visit_codebooks(reader)
    reader.expect_end("codebooks")
    return books


@exact_kernel
def predict_scale(value, precision):  # type: ignore[no-untyped-def]
    """A scale or ratio of an entry in steps of the class, rounded; at most what the class can hold."""
    bits = min(precision, steps.MAX_SCALE_BITS)
    down = steps.MAX_SCALE_BITS - bits
    return min((value + ((1 << down) >> 1)) >> down, (16 << bits) - 1)


@exact_kernel
def predict_circle(value, bits):  # type: ignore[no-untyped-def]
    """An angle of an entry as one of 2^bits, rounded around the circle."""
    if bits >= CIRCLE_BITS:
        return value << (bits - CIRCLE_BITS)
    down = CIRCLE_BITS - bits
    return ((value + ((1 << down) >> 1)) >> down) & ((1 << bits) - 1)


@exact_kernel
def predict_centre(value, bits):  # type: ignore[no-untyped-def]
    """A centre of an entry as the one of 2^bits places that it lies in."""
    return value << (bits - CIRCLE_BITS) if bits >= CIRCLE_BITS else value >> (CIRCLE_BITS - bits)


@exact_kernel
def predict_amplitude(value, precision):  # type: ignore[no-untyped-def]
    """An amplitude of an entry in steps."""
    return ((value << precision) + 8) >> 4


@exact_kernel
def wrapped(value, bits):  # type: ignore[no-untyped-def]
    """The number nearest 0 that equals value modulo 2^bits."""
    half = (1 << bits) >> 1
    return ((value + half) & ((1 << bits) - 1)) - half
