"""What a stream is made of: every header field with its place, and where every bit goes.

    file = framing + headers (bytes, exact) + coded data = attributes (bits, by the model's estimate) + what is left,
    the ends of the codewords: the coder's rounding and the last byte of each, a few bits a layer

The rows of `bit_rows` sum up to the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gvideo.bitstream import headers, units
from gvideo.bitstream.container import Unit
from gvideo.bitstream.fields import Reader
from gvideo.decoder.coded import SegmentPlace
from gvideo.decoder.stream import Stream
from gvideo.types import Float64

#: (byte offset, name, value)
Field = tuple[int, str, int]


@dataclass(frozen=True, slots=True)
class SegmentSurvey:
    """One segment: place and times, what it holds, bytes of its layers, bits per attribute f64 [attributes]."""

    place: SegmentPlace
    num_gaussians: int
    num_trajectories: int
    num_control_points: int
    distortions: tuple[int, ...]
    layer_bytes: tuple[int, ...]
    layer_gaussians: tuple[int, ...]
    cost: Float64


@dataclass(frozen=True, slots=True)
class Survey:
    """A whole stream. Framing: signature, types, lengths and checksums of units. Headers: the fields of sequence,
    index, segments and layers, without the sequence's codebooks and priors, which stand apart. All in bytes."""

    segments: tuple[SegmentSurvey, ...]
    num_framing_bytes: int
    num_header_bytes: int
    num_unknown_bytes: int
    num_codebook_bytes: int = 0
    num_prior_bytes: int = 0

    @property
    def num_gaussians(self) -> int:
        """Gaussians of all segments."""
        return sum(s.num_gaussians for s in self.segments)

    def bit_rows(self, num_bytes: int) -> list[tuple[str, float]]:
        """(what, bits), summing up to 8 num_bytes, the size of the file."""
        from gvideo.entropy.attributes import ATTRIBUTES

        cost = np.sum([s.cost for s in self.segments], axis=0)
        rows = [(name, float(bits)) for name, bits in zip(ATTRIBUTES, cost, strict=True)]
        known = [
            ("headers", 8.0 * self.num_header_bytes),
            ("sequence codebooks", 8.0 * self.num_codebook_bytes),
            ("sequence priors", 8.0 * self.num_prior_bytes),
            ("framing", 8.0 * self.num_framing_bytes),
            ("other units", 8.0 * self.num_unknown_bytes),
        ]
        rest = 8.0 * num_bytes - sum(bits for _, bits in rows + known)
        return [*rows, ("codeword ends", rest), *known]


def survey(stream: Stream) -> Survey:
    """Decodes every segment's symbols and accounts for every byte. Raises BitstreamError for a damaged stream."""
    framing, header_bytes, unknown = len(units.SIGNATURE), 0, 0
    for unit in stream.units():
        framing += unit.num_header_bytes + units.CRC_BYTES
        if unit.kind in (units.SEGMENT, units.LAYER):
            header_bytes += _read_fields(stream, unit).position
        elif unit.kind in (units.SEQUENCE, units.INDEX):
            header_bytes += unit.num_payload_bytes
        else:
            unknown += unit.num_payload_bytes
    codebooks, priors = len(stream.header.codebooks), len(stream.header.priors)
    segments = tuple(_segment(stream, n) for n in range(len(stream.segments)))
    return Survey(segments, framing, header_bytes - codebooks - priors, unknown, codebooks, priors)


def _segment(stream: Stream, number: int) -> SegmentSurvey:
    decoded = stream.decode_segment(number)
    symbols = decoded.symbols
    ends = (0, *symbols.layer_ends)
    return SegmentSurvey(
        stream.segments[number], len(symbols.table), symbols.num_trajectories, symbols.num_path_control,
        decoded.header.layer_distortions, decoded.layer_bytes,
        tuple(b - a for a, b in pairwise(ends)), decoded.cost,
    )  # fmt: skip


def trace(stream: Stream) -> Iterator[Field]:
    """Every header field of the stream in the order of the bytes, after its unit's type and length."""
    yield 0, "signature", int.from_bytes(units.SIGNATURE, "big")
    for unit in stream.units():
        yield unit.offset, f"unit.type ({units.name_of(unit.kind)})", unit.kind
        yield unit.offset + 1, "unit.length", unit.num_payload_bytes
        if unit.kind in (units.SEQUENCE, units.INDEX, units.SEGMENT, units.LAYER):
            fields = _read_fields(stream, unit).trace
            yield from ((unit.payload_offset + at, name, value) for at, name, value in fields)
        crc = int.from_bytes(stream.source.read(unit.end - units.CRC_BYTES, units.CRC_BYTES), "big")
        yield unit.end - units.CRC_BYTES, "unit.crc", crc


def _read_fields(stream: Stream, unit: Unit) -> Reader:
    """A reader that has read the header fields of a known unit."""
    reader = Reader(stream.payload(unit))
    if unit.kind == units.SEQUENCE:
        headers.visit_sequence(reader)
    elif unit.kind == units.INDEX:
        headers.visit_index(reader)
    else:
        if unit.kind == units.SEGMENT:
            headers.visit_segment(reader)
        headers.visit_layer(reader)
    return reader
