"""Units, headers and times of an independent decoder, after SYNTAX.md §1 to §5 and §10.

Nothing of gvideo is imported here or in the other page_*.py: they follow the page, so that a mistake of gvideo's reader
is not theirs.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate

SIGNATURE = b"\x89GSV"
SEQUENCE, INDEX, SEGMENT, LAYER = 1, 2, 3, 4


class InvalidError(Exception):
    """A stream or unit that breaks a limit of the page."""


class Fields:
    """Fields of §2 over bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise InvalidError("truncated")
        self.at += count
        return self.data[self.at - count : self.at]

    def uint(self, num_bytes: int) -> int:
        return int.from_bytes(self.take(num_bytes), "big")

    def u8(self) -> int:
        return self.uint(1)

    def varint(self, low: int = 0, high: int = 1 << 62) -> int:
        value = 0
        for k in range(9):
            byte = self.u8()
            value |= (byte & 127) << (7 * k)
            if byte < 128:
                return within(value, low, high)
        raise InvalidError("a varint of ten bytes")

    def signed(self, limit: int) -> int:
        z = self.varint()
        return within(z // 2 if z % 2 == 0 else -(z + 1) // 2, -limit, limit)

    def block(self) -> bytes:
        return self.take(self.varint())

    def end(self) -> None:
        if self.at != len(self.data):
            raise InvalidError("bytes behind the last field")


def within(value: int, low: int, high: int) -> int:
    """The value, if it is within its limits."""
    if not low <= value <= high:
        raise InvalidError(f"{value} is outside {low}..{high}")
    return value


@dataclass
class Sequence:
    """§4.1, §4.2, §4.6."""

    width: int
    height: int
    timescale: int
    frame_duration: int
    start: int
    chroma: str
    depth: int
    turns: int
    full_range: bool
    colour: tuple[int, int, int] = (1, 1, 1)
    aspect: Fraction = Fraction(1)
    position: int = 10
    angle: int = 34
    centre: int = 0
    chroma_step: int = 29
    residual: int = 0
    trajectory: int = -2
    codebooks: bytes = b""
    priors: bytes = b""
    grain: tuple[int, list[int], list[int]] | None = None


def read_sequence(payload: bytes) -> Sequence:
    f = Fields(payload)
    if (f.u8(), f.u8()) != (1, 0):
        raise InvalidError("a version or profile of later")
    size = f.varint(1, 16384), f.varint(1, 16384)
    timescale, frame_duration, start = f.varint(1, 1 << 32), f.varint(1, 1 << 40), f.signed(1 << 60)
    sampling, flags = f.u8(), f.u8()
    depth = 8 + within((sampling >> 2) & 15, 0, 8)
    within(flags, 0, 127)
    chroma = ("400", "420", "422", "444")[sampling & 3]
    s = Sequence(*size, timescale, frame_duration, start, chroma, depth, sampling >> 6, bool(flags & 32))
    if flags & 1:
        s.colour = f.u8(), f.u8(), f.u8()
    if s.colour[2] not in (1, 4, 5, 6, 7, 8, 9, 10):
        raise InvalidError("a matrix without equations")
    if flags & 2:
        s.aspect = Fraction(f.varint(1, 1 << 20), f.varint(1, 1 << 20))
    if flags & 4:
        s.position, s.angle, s.centre = f.signed(128), f.signed(128), f.signed(128)
        s.chroma_step, s.residual, s.trajectory = f.varint(1, 256), f.signed(8), f.signed(8)
    if flags & 8:
        s.codebooks = f.block()
    if flags & 16:
        s.priors = f.block()
    if flags & 64:
        s.grain = f.u8(), [f.u8() for _ in range(8)], [f.signed(63) for _ in range(9)]
    f.end()
    return s


@dataclass
class Segment:
    """§4.4, with the payloads of its units and what follows from its place in the stream."""

    num_frames: int
    distortions: list[int]
    num_control: int
    num_path: int
    num_trajectories: int
    cell_bits: int
    num_layers: int
    base: tuple[int, int, int]
    margins: list[int]
    durations: list[int]
    gap: int
    header_bytes: int
    payloads: list[bytes] = field(default_factory=list)
    crc: int = 0
    ticks: list[int] = field(default_factory=list)


def read_segment(payload: bytes, s: Sequence) -> Segment:
    f = Fields(payload)
    num_frames, distortion = f.varint(1, 4096), f.u8()
    num_control, refinement = f.u8() + 1, f.u8() + 1
    if refinement > 1 and num_control < 4:
        raise InvalidError("a refinement of too few control points")
    num_path = within(num_control if refinement == 1 else (num_control - 3) * refinement + 3, 1, 256)
    num_trajectories = f.varint(1, 64)
    shape, base = f.u8(), f.uint(4)
    cell_bits, num_layers = within(shape >> 5, 0, 6), (shape >> 2 & 7) + 1
    margins = [f.u8() for _ in range(4)] if base >> 30 & 1 else [0] * 4
    if base >> 31 and num_layers == 1:
        raise InvalidError("distortions of one layer")
    above = [f.u8() for _ in range(num_layers - 1)] if base >> 31 else [distortion] * (num_layers - 1)
    durations = [f.varint(1, 1 << 40) for _ in range(num_frames)] if shape & 1 else [s.frame_duration] * num_frames
    gap = f.signed(1 << 60) if shape & 2 else 0
    colour = base >> 20 & 1023, base >> 10 & 1023, base & 1023
    return Segment(
        num_frames, [distortion, *above], num_control, num_path, num_trajectories, cell_bits, num_layers, colour,
        margins, durations, gap, f.at,
    )  # fmt: skip


def cells(g: Segment, s: Sequence) -> tuple[int, int]:
    """The position domain in cells."""
    left, above, right, below = g.margins
    wide = -(-s.width // (1 << g.cell_bits)) + left + right
    high = -(-s.height // (1 << g.cell_bits)) + above + below
    return within(wide, 1, 4096), within(high, 1, 4096)


@dataclass
class Stream:
    """A stream's units in order."""

    sequence: Sequence
    segments: list[Segment]


def read_stream(data: bytes) -> Stream:
    """Every unit is read, with an index or without; the index must agree."""
    if data[:4] != SIGNATURE:
        raise InvalidError("signature")
    at = 4
    sequence: Sequence | None = None
    first = b""
    index: list[tuple[int, ...]] = []
    segments: list[Segment] = []
    sizes: list[int] = []
    while at < len(data):
        f = Fields(data[at:])
        kind, length = f.u8(), f.varint(0, 1 << 30)
        if kind >= 0x80:
            raise InvalidError("a required unit that is unknown")
        payload, crc = f.take(length), f.uint(4)
        if kind in (SEQUENCE, INDEX, SEGMENT, LAYER) and zlib.crc32(bytes([kind]) + payload) != crc:
            raise InvalidError("checksum")
        if sequence is None and kind in (INDEX, SEGMENT, LAYER):
            raise InvalidError("no sequence unit first")
        if kind == SEQUENCE and sequence is None:
            first, sequence = payload, read_sequence(payload)
        elif kind == SEQUENCE and payload != first:
            raise InvalidError("a second sequence unit")
        elif kind == INDEX and not index and not segments:
            index = read_index(payload)
        elif kind == SEGMENT and sequence is not None:
            segments.append(read_segment(payload, sequence))
            segments[-1].payloads, segments[-1].crc = [payload], crc
            sizes.append(0)
        elif kind == LAYER and segments:
            segments[-1].payloads.append(payload)
        at += f.at
        if sizes:
            sizes[-1] += f.at
    if sequence is None or not segments:
        raise InvalidError("no segment")
    end = sequence.start
    for number, g in enumerate(segments):
        if number and g.gap < 0:
            raise InvalidError("a segment that begins before the end of the one before it")
        end += g.gap
        g.ticks = list(accumulate(g.durations, initial=end))
        end = g.ticks[-1]
        within(max(abs(g.ticks[0]), abs(end)), 0, 1 << 61)
    found = [(n, g.num_frames, sum(g.durations), g.gap) for n, g in zip(sizes, segments, strict=True)]
    if index and index != found:
        raise InvalidError("the index differs")
    return Stream(sequence, segments)


def read_index(payload: bytes) -> list[tuple[int, ...]]:
    f = Fields(payload)
    entries = [
        (f.varint(16, 1 << 40), f.varint(1, 4096), f.varint(1, 1 << 52), f.signed(1 << 60))
        for _ in range(f.varint(0, 1 << 24))
    ]
    f.end()
    return entries
