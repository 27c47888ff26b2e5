"""The container: a .gsv file as units, read in one place and written in one place (SYNTAX.md §3).

    signature | sequence | [index] | segment layer layer | segment layer … | …

Units of types that nobody knows, and the sequence header again, are counted to the segment before them and skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import Index, IndexEntry, SegmentHeader, SequenceHeader
from gvideo.errors import BitstreamError, InvalidError, TruncatedError

#: Bytes of a segment unit that hold its header for sure: the fixed fields and a duration for every frame.
_HEADER_BYTES = 64
_DURATION_BYTES = 6
#: Streams of fewer segments have no index: reading their units' headers is as quick.
MIN_INDEXED_SEGMENTS = 4


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

    @property
    def num_bytes(self) -> int:
        """Bytes of the whole unit."""
        return self.end - self.offset


@dataclass(slots=True)
class ScannedSegment:
    """A segment's header and units: the segment unit, then a layer unit each. end: byte offset behind everything that
    is counted to it."""

    header: SegmentHeader
    units: list[Unit]
    end: int

    @property
    def num_bytes(self) -> int:
        """Bytes from its segment unit to the next one."""
        return self.end - self.units[0].offset


@dataclass(slots=True)
class Structure:
    """What a scan found: the header, the bytes of its unit, the index's entries if there are any and they were asked
    for (then segments holds the first one at most), else every segment."""

    header: SequenceHeader
    sequence_unit: bytes
    index: tuple[IndexEntry, ...] = ()
    segments: list[ScannedSegment] = field(default_factory=list)


class UnitReader:
    """The units of a .gsv file.

    Args:
        read: gives `count` bytes from an offset, fewer at the end of the file.
        size: bytes of the file.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self._size = read, size

    def check_signature(self) -> None:
        """Raises BitstreamError unless the file begins as a stream does."""
        signature = self._read(0, len(units.SIGNATURE))
        if not signature:
            raise TruncatedError("signature: the file is empty")
        if signature != units.SIGNATURE:
            if units.SIGNATURE.startswith(signature):
                raise TruncatedError("signature: the file ends within it")
            raise InvalidError("signature: not a gvideo stream; `gvideo encode` makes one")

    def units(self) -> Iterator[Unit]:
        """Every unit in order, known or not. Nothing but their headers is read."""
        offset = len(units.SIGNATURE)
        while offset < self._size:
            unit = self.unit_at(offset)
            yield unit
            offset = unit.end

    def unit_at(self, offset: int) -> Unit:
        """The unit at an offset. Raises TruncatedError unless it is whole."""
        kind, length, skip = units.parse_unit_header(self._read(offset, units.MAX_OVERHEAD))
        unit = Unit(kind, offset, skip, length)
        if unit.end > self._size:
            missing = unit.end - self._size
            name = units.name_of(kind)
            raise TruncatedError(f"{name} unit at byte {offset}: {missing} byte(s) missing; the file was cut short")
        return unit

    def payload(self, unit: Unit) -> bytes:
        """A unit's payload, its checksum verified."""
        data = self._read(unit.payload_offset, unit.num_payload_bytes + units.CRC_BYTES)
        payload, crc = data[: unit.num_payload_bytes], data[unit.num_payload_bytes :]
        units.check_payload(unit.kind, payload, crc)
        return payload

    def segment_header(self, unit: Unit) -> SegmentHeader:
        """The header in a segment unit; no more of the unit is read than it may take."""
        data = self._read(unit.payload_offset, min(unit.num_payload_bytes, _HEADER_BYTES))
        try:
            return headers.visit_segment(Reader(data))
        except TruncatedError:
            most = _HEADER_BYTES + _DURATION_BYTES * headers.MAX_FRAMES_A_SEGMENT
            data = self._read(unit.payload_offset, min(unit.num_payload_bytes, most))
            return headers.visit_segment(Reader(data))

    def scan(self, use_index: bool) -> Structure:
        """The stream's structure. use_index: an index in front of the segments ends the reading at the first one.

        Raises:
            BitstreamError: the file breaks the syntax.
        """
        self.check_signature()
        found: Structure | None = None
        for unit in self.units():
            if found is None and unit.kind in (units.INDEX, units.SEGMENT, units.LAYER):
                raise InvalidError(f"sequence: the stream begins with a {units.name_of(unit.kind)} unit")
            if unit.kind == units.SEQUENCE:
                payload = self.payload(unit)
                if found is None:
                    found = Structure(parse_sequence(payload), units.format_unit(unit.kind, payload))
                elif units.format_unit(unit.kind, payload) != found.sequence_unit:
                    raise InvalidError("sequence: a second, different header; these are two streams, cut them apart")
            if found is None:
                continue
            if unit.kind == units.SEGMENT:
                found.segments.append(ScannedSegment(self.segment_header(unit), [unit], unit.end))
                if found.index:
                    break
                continue
            if unit.kind == units.INDEX and use_index and not found.segments and not found.index:
                reader = Reader(self.payload(unit))
                found.index = headers.visit_index(reader).entries
                reader.expect_end("index")
            if found.segments:
                found.segments[-1].end = unit.end
                if unit.kind == units.LAYER:
                    found.segments[-1].units.append(unit)
        if found is None:
            raise TruncatedError("sequence: the header is missing")
        if not found.segments:
            listed = "the index lists some, the file has none" if found.index else "the stream has none"
            raise TruncatedError(f"segment: {listed}")
        return found


def parse_unit(data: bytes) -> tuple[int, bytes]:
    """(type, payload) of one whole unit, its checksum verified. Raises BitstreamError."""
    kind, length, skip = units.parse_unit_header(data[: units.MAX_OVERHEAD])
    end = skip + length + units.CRC_BYTES
    if len(data) < end:
        raise TruncatedError(f"{units.name_of(kind)} unit: {end - len(data)} byte(s) missing")
    if len(data) > end:
        raise InvalidError(f"{units.name_of(kind)} unit: {len(data) - end} byte(s) too many")
    payload = data[skip : skip + length]
    units.check_payload(kind, payload, data[skip + length :])
    return kind, payload


def parse_sequence(payload: bytes) -> SequenceHeader:
    """The header in a sequence unit's payload. Raises BitstreamError."""
    reader = Reader(payload)
    header = headers.visit_sequence(reader)
    reader.expect_end("sequence")
    return header


def parse_sequence_unit(unit: bytes) -> SequenceHeader:
    """The header in a sequence unit as gsvC holds it. Raises BitstreamError."""
    try:
        kind, payload = parse_unit(unit)
    except BitstreamError as error:
        raise type(error)(f"gsvC: {error}") from None
    if kind != units.SEQUENCE:
        raise InvalidError(f"gsvC: holds a {units.name_of(kind)} unit, a sequence unit is wanted")
    return parse_sequence(payload)


def format_sequence_unit(header: SequenceHeader) -> bytes:
    """The sequence unit of a header."""
    return units.format_unit(units.SEQUENCE, headers.format_sequence(header))


def format_front(header: SequenceHeader, entries: Sequence[IndexEntry]) -> bytes:
    """What stands in front of the segments: signature, header, and an index if there are enough of them."""
    front = units.SIGNATURE + format_sequence_unit(header)
    if len(entries) >= MIN_INDEXED_SEGMENTS:
        front += units.format_unit(units.INDEX, headers.format_index(Index(tuple(entries))))
    return front


def format_segment(payloads: Sequence[bytes]) -> tuple[bytes, ...]:
    """The units of a segment, one a layer, of their payloads."""
    kinds = [units.SEGMENT] + [units.LAYER] * (len(payloads) - 1)
    return tuple(units.format_unit(kind, payload) for kind, payload in zip(kinds, payloads, strict=True))
