"""A stream's structure: the sequence header, the place of every segment, and the time of every frame.

    signature | sequence | [index] | segment layer layer | segment layer … | …

With an index nothing but the first units is read; without one every unit's header is. Units of other types that
follow a segment, and the sequence header again, are counted to it and skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader
from gvideo.decoder.coded import CodedStream, SegmentPlace, entry_of, format_of, place_segments
from gvideo.decoder.source import ByteReader, ByteSource, Source
from gvideo.errors import InvalidError, TruncatedError

#: Bytes of a segment unit that hold its header for sure: the fixed fields and a duration for every frame.
_HEADER_BYTES = 64
_DURATION_BYTES = 6


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's place: type, byte offset, bytes of its own header, bytes of its payload."""

    kind: int
    offset: int
    num_header_bytes: int
    num_payload_bytes: int

    @property
    def payload_offset(self) -> int:
        """Where the payload starts."""
        return self.offset + self.num_header_bytes

    @property
    def end(self) -> int:
        """Where the next unit starts: behind the payload and the checksum."""
        return self.payload_offset + self.num_payload_bytes + units.CRC_BYTES


class Stream(CodedStream):
    """An opened .gsv stream. Raises BitstreamError if it breaks the syntax, MediaError if it cannot be read; both
    name the source. Not to be used by several threads at once."""

    source: ByteReader

    def __init__(self, source: Source | ByteReader) -> None:
        super().__init__()
        self.source = source if isinstance(source, ByteReader) else ByteSource(source)
        try:
            with self._named():
                self._check_signature()
                self.header, self.segments = self._scan()
                if not self.segments:
                    raise TruncatedError("segment: the stream has none")
        except BaseException:
            self.source.close()
            raise
        self.format = format_of(self.header)

    def units(self) -> Iterator[Unit]:
        """Every unit of the stream in order, known or not. Nothing but their headers is read."""
        with self._named():
            offset = len(units.SIGNATURE)
            while offset < self.source.size:
                unit = self._unit(offset)
                yield unit
                offset = unit.end

    def payload(self, unit: Unit) -> bytes:
        """A unit's payload, its checksum verified."""
        with self._named():
            data = self.source.read(unit.payload_offset, unit.num_payload_bytes + units.CRC_BYTES)
            payload, crc = data[: unit.num_payload_bytes], data[unit.num_payload_bytes :]
            units.check_payload(unit.kind, payload, crc)
            return payload

    def segment_units(self, number: int, num_layers: int | None = None) -> list[Unit]:
        """The segment unit and its layer units, as many layers as wanted (the first is in the segment unit itself)."""
        place = self.segments[number]
        offset, end = place.offset, place.offset + place.num_bytes
        found: list[Unit] = []
        with self._named():
            while offset < end and (num_layers is None or len(found) < num_layers):
                unit = self._unit(offset)
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

    def _check_signature(self) -> None:
        signature = self.source.read(0, len(units.SIGNATURE))
        if not signature:
            raise TruncatedError("signature: the file is empty")
        if signature != units.SIGNATURE:
            if units.SIGNATURE.startswith(signature):
                raise TruncatedError("signature: the file ends within it")
            raise InvalidError("signature: not a gvideo stream; `gvideo encode` makes one")

    def _scan(self) -> tuple[SequenceHeader, tuple[SegmentPlace, ...]]:
        header: SequenceHeader | None = None
        first_payload = b""
        entries: list[headers.IndexEntry] = []
        first_segment, indexed = 0, False
        for unit in self.units():
            if header is None and unit.kind in (units.INDEX, units.SEGMENT, units.LAYER):
                raise InvalidError(f"sequence: the stream begins with a {units.name_of(unit.kind)} unit")
            if unit.kind == units.SEQUENCE:
                payload = self.payload(unit)
                if header is None:
                    first_payload, reader = payload, Reader(payload)
                    header = headers.visit_sequence(reader)
                    reader.expect_end("sequence")
                elif payload != first_payload:
                    raise InvalidError("sequence: a second, different header; these are two streams, cut them apart")
            elif unit.kind == units.INDEX and not entries:
                reader = Reader(self.payload(unit))
                entries = list(headers.visit_index(reader).entries)
                reader.expect_end("index")
                indexed = bool(entries)
            elif unit.kind == units.SEGMENT and header is not None:
                first_segment = first_segment or unit.offset
                if indexed:
                    break
                entries.append(entry_of(self._segment_header(unit), header, unit.end - unit.offset))
                continue
            if entries and not indexed:  # a layer, or a unit that is skipped
                last = entries[-1]
                size = last.num_bytes + unit.end - unit.offset
                entries[-1] = headers.IndexEntry(size, last.num_frames, last.duration, last.gap)
        if header is None:
            raise TruncatedError("sequence: the header is missing")
        if entries and not first_segment:
            raise TruncatedError("segment: the index lists some, the file has none")
        places = place_segments(entries, first_segment, header.start)
        for number, place in enumerate(places):
            if place.offset + place.num_bytes > self.source.size:
                missing = place.offset + place.num_bytes - self.source.size
                raise TruncatedError(f"segment {number}: {missing} byte(s) missing")
        return header, places

    def _unit(self, offset: int) -> Unit:
        """The unit at an offset; it is whole."""
        kind, length, skip = units.parse_unit_header(self.source.read(offset, units.MAX_OVERHEAD))
        unit = Unit(kind, offset, skip, length)
        if unit.end > self.source.size:
            raise TruncatedError(
                f"{units.name_of(kind)} unit at byte {offset}: {unit.end - self.source.size} byte(s) missing; "
                "the file was cut short"
            )
        return unit

    def _segment_header(self, unit: Unit) -> SegmentHeader:
        data = self.source.read(unit.payload_offset, min(unit.num_payload_bytes, _HEADER_BYTES))
        try:
            return headers.visit_segment(Reader(data))
        except TruncatedError:
            most = _HEADER_BYTES + _DURATION_BYTES * headers.MAX_FRAMES_A_SEGMENT
            data = self.source.read(unit.payload_offset, min(unit.num_payload_bytes, most))
            return headers.visit_segment(Reader(data))

    def _header_at(self, number: int) -> SegmentHeader:
        unit = self._unit(self.segments[number].offset)
        if unit.kind != units.SEGMENT:
            raise InvalidError(f"index: no segment at byte {unit.offset}")
        return self._segment_header(unit)
