"""A stream whose segments are got one by one, from wherever they are: places and times come from the segments' heads.

source: sequence unit, head of every segment  ──►  segments, frames, times
        units of one segment, up to a layer   ──►  its symbols
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from gvideo.bitstream import headers, units
from gvideo.bitstream.container import parse_sequence_unit, parse_unit
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader
from gvideo.decoder.coded import CodedStream, entry_of, format_of, place_segments
from gvideo.errors import InvalidError, TruncatedError, UnsupportedError


class SegmentSource(Protocol):
    """What gets the segments. Errors of reading are a MediaError, which names what could not be read."""

    name: str
    size: int

    def __len__(self) -> int: ...

    def sequence_unit(self, number: int) -> bytes:
        """The sequence unit that holds for a segment."""

    def head(self, number: int) -> bytes:
        """The first bytes of a segment's unit, its header whole."""

    def media_time(self) -> int:
        """Ticks from the stream's first frame to the first segment: above 0 where a part of a stream is on offer."""

    def units(self, number: int, num_layers: int | None) -> Sequence[bytes]:
        """The segment unit and its layer units, num_layers units at most (None: all that are there)."""

    def num_bytes(self, number: int) -> int:
        """Bytes of a segment."""

    def close(self) -> None:
        """Frees what was opened."""


class SegmentStream(CodedStream):
    """A stream over a SegmentSource. Sequence headers may change between segments, the format of the frames not."""

    source: SegmentSource

    def __init__(self, source: SegmentSource) -> None:
        super().__init__()
        self.source = source
        try:
            with self._named():
                if not len(source):
                    raise TruncatedError("segment: the stream has none")
                self._sequences = self._read_sequences()
                self._headers = [self._read_head(n) for n in range(len(source))]
                self.header = self._sequences[0]
                entries = [
                    entry_of(h, s, source.num_bytes(n))
                    for n, (h, s) in enumerate(zip(self._headers, self._sequences, strict=True))
                ]
                for n in range(1, len(entries)):
                    if self._sequences[n] is not self._sequences[n - 1]:  # another input: it follows at once
                        entries[n] = replace(entries[n], gap=0)
                start = self.header.start + source.media_time()
                if source.media_time():
                    entries[0] = replace(entries[0], gap=0)
                self.segments = place_segments(entries, 0, start)
        except BaseException:
            source.close()
            raise
        self.format = format_of(self.header)

    def payloads(self, number: int, num_layers: int | None = None) -> list[bytes]:
        """Payloads of a segment's units, verified."""
        found = []
        with self._named(f"segment {number}: "):
            for layer, unit in enumerate(self.source.units(number, num_layers)):
                kind, payload = parse_unit(unit)
                wanted = units.LAYER if layer else units.SEGMENT
                if kind != wanted:
                    raise InvalidError(
                        f"unit.type: a {units.name_of(kind)} unit where a {units.name_of(wanted)} unit is due"
                    )
                found.append(payload)
            if not found:
                raise TruncatedError("segment: its unit is missing")
        return found

    def _sequence_of(self, number: int) -> SequenceHeader:
        return self._sequences[number]

    def _header_at(self, number: int) -> SegmentHeader:
        return self._headers[number]

    def _read_sequences(self) -> list[SequenceHeader]:
        """The header of every segment; equal units are one object."""
        found: list[SequenceHeader] = []
        last_unit = b""
        for number in range(len(self.source)):
            unit = self.source.sequence_unit(number)
            if unit != last_unit or not found:
                header = parse_sequence_unit(unit)
                if found and format_of(header) != format_of(found[0]):
                    raise UnsupportedError(
                        f"sequence: size, times or colour change at segment {number}; decode the parts one by one"
                    )
                found.append(header)
                last_unit = unit
            else:
                found.append(found[-1])
        return found

    def _read_head(self, number: int) -> SegmentHeader:
        head = self.source.head(number)
        kind, _, skip = units.parse_unit_header(head[: units.MAX_OVERHEAD])
        if kind != units.SEGMENT:
            raise InvalidError(f"segment {number}: begins with a {units.name_of(kind)} unit")
        return headers.visit_segment(Reader(head[skip:]))
