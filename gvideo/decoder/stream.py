"""A stream's structure: the sequence header, the place of every segment, and the time of every frame.

    signature | sequence | [index] | segment layer layer | segment layer … | …

With an index nothing but the first units is read; without one every unit's header is (bitstream/container.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from gvideo.bitstream import units
from gvideo.bitstream.container import Unit, UnitReader
from gvideo.bitstream.headers import IndexEntry, SegmentHeader, SequenceHeader
from gvideo.decoder.coded import CodedStream, SegmentPlace, entry_of, format_of, place_segments
from gvideo.decoder.source import ByteReader, ByteSource, Source
from gvideo.errors import InvalidError, TruncatedError


class Stream(CodedStream):
    """An opened .gsv stream. Raises BitstreamError if it breaks the syntax, MediaError if it cannot be read; both
    name the source. Not to be used by several threads at once."""

    source: ByteReader

    def __init__(self, source: Source | ByteReader) -> None:
        super().__init__()
        self.source = source if isinstance(source, ByteReader) else ByteSource(source)
        try:
            self._units = UnitReader(self.source.read, self.source.size)
            with self._named():
                self.header, self.segments = self._scan()
        except BaseException:
            self.source.close()
            raise
        self.format = format_of(self.header)

    def units(self) -> Iterator[Unit]:
        """Every unit of the stream in order, known or not. Nothing but their headers is read."""
        with self._named():
            yield from self._units.units()

    def payload(self, unit: Unit) -> bytes:
        """A unit's payload, its checksum verified."""
        with self._named():
            return self._units.payload(unit)

    def segment_units(self, number: int, num_layers: int | None = None) -> list[Unit]:
        """The segment unit and its layer units, as many layers as wanted (the first is in the segment unit itself)."""
        place = self.segments[number]
        offset, end = place.offset, place.offset + place.num_bytes
        found: list[Unit] = []
        with self._named():
            while offset < end and (num_layers is None or len(found) < num_layers):
                unit = self._units.unit_at(offset)
                if unit.kind == (units.LAYER if found else units.SEGMENT):
                    found.append(unit)
                elif not found or unit.kind == units.SEGMENT:
                    raise InvalidError(f"index: segment {number} is not where the index says")
                offset = unit.end
            if not found or offset > end:
                raise InvalidError(f"index: segment {number} is longer than the index says")
        return found

    def payloads(self, number: int, num_layers: int | None = None) -> list[bytes]:
        """Payloads of a segment's units, verified."""
        return [self.payload(unit) for unit in self.segment_units(number, num_layers)]

    # --- reading

    def _scan(self) -> tuple[SequenceHeader, tuple[SegmentPlace, ...]]:
        found = self._units.scan(use_index=True)
        header = found.header
        entries: list[IndexEntry] = list(found.index)
        if not entries:
            entries = [entry_of(s.header, header, s.num_bytes) for s in found.segments]
        places = place_segments(entries, found.segments[0].units[0].offset, header.start)
        for number, place in enumerate(places):
            if place.offset + place.num_bytes > self.source.size:
                missing = place.offset + place.num_bytes - self.source.size
                raise TruncatedError(f"segment {number}: {missing} byte(s) missing")
        return header, places

    def _header_at(self, number: int) -> SegmentHeader:
        unit = self._units.unit_at(self.segments[number].offset)
        if unit.kind != units.SEGMENT:
            raise InvalidError(f"index: no segment at byte {unit.offset}")
        return self._units.segment_header(unit)
