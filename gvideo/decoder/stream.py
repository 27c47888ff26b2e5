"""A stream's structure: the sequence header, the place of every segment, and the time of every frame.

    signature | sequence | [index] | segment layer layer | segment layer … | …

With an index nothing but the first units is read; without one every unit's header is. Units of other types that
follow a segment are counted to it and skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader
from gvideo.decoder.source import ByteSource, Source
from gvideo.errors import BitstreamError, InvalidError, TruncatedError
from gvideo.types import ColourDescription, Float64, Int64, VideoFormat

if TYPE_CHECKING:
    from gvideo.entropy.sequence import SequenceState
    from gvideo.model.steps import StepRules
    from gvideo.model.symbols import SegmentSymbols

#: Bytes of a segment unit that hold its header for sure: the fixed fields and a duration for every frame.
_HEADER_BYTES = 64
_DURATION_BYTES = 6
#: Times beyond this many ticks are not legal: sums and differences of two stay exact in 64 bits.
_MAX_TICKS = 1 << 61
#: Segments whose frame times are kept.
_KEPT_TICKS = 64


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


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """Where a segment is: byte offset and size of its units, frames, and ticks of its first frame and its end."""

    offset: int
    num_bytes: int
    first_frame: int
    num_frames: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DecodedSegment:
    """A segment as symbols, with bits per attribute (entropy/contexts.ATTRIBUTES) and bytes per layer."""

    header: SegmentHeader
    symbols: SegmentSymbols
    rules: StepRules
    cost: Float64
    layer_bytes: tuple[int, ...]


class Stream:
    """An opened .gsv stream. Raises BitstreamError if it breaks the syntax, MediaError if it cannot be read; both
    name the source. Not to be used by several threads at once."""

    def __init__(self, source: Source) -> None:
        self.source = ByteSource(source)
        self._ticks: dict[int, Int64] = {}
        self._sequence: SequenceState | None = None
        try:
            with self._named():
                self._check_signature()
                self.header, self.segments = self._scan()
                if not self.segments:
                    raise TruncatedError("segment: the stream has none")
        except BaseException:
            self.source.close()
            raise
        self.format = _format_of(self.header)

    @property
    def num_frames(self) -> int:
        """Frames of the whole stream."""
        last = self.segments[-1]
        return last.first_frame + last.num_frames

    @property
    def duration(self) -> int:
        """Ticks from the first frame's start to the last one's end."""
        return self.segments[-1].end - self.segments[0].start

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

    def frame_ticks(self, number: int) -> Int64:
        """Start of every frame of a segment and its end, ticks, i64 [T+1]. Not to be written to."""
        ticks = self._ticks.get(number)
        if ticks is None:
            with self._named():
                ticks = self._read_ticks(number)
            ticks.setflags(write=False)
            if len(self._ticks) >= _KEPT_TICKS:
                self._ticks = {}
            self._ticks[number] = ticks
        return ticks

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

    def decode_segment(self, number: int, num_layers: int | None = None) -> DecodedSegment:
        """A segment's symbols from its first num_layers layers (all: None)."""
        from gvideo.entropy.segment import decode_segment
        from gvideo.entropy.sequence import SequenceState

        payloads = [self.payload(unit) for unit in self.segment_units(number, num_layers)]
        with self._named(f"segment {number}: "):
            h = self.header
            if self._sequence is None:
                self._sequence = SequenceState.of(h)
            header, symbols, rules, cost = decode_segment(payloads, self._sequence, h.width, h.height)
            if header.num_frames != self.segments[number].num_frames:
                raise InvalidError(f"index: {self.segments[number].num_frames} frames, there are {header.num_frames}")
        return DecodedSegment(header, symbols, rules, cost, tuple(len(p) for p in payloads))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_ticks": {}, "_sequence": None}

    # --- reading

    @contextmanager
    def _named(self, place: str = "") -> Iterator[None]:
        """Errors of the syntax get the source's name in front, once."""
        try:
            yield
        except BitstreamError as error:
            prefix = f"{self.source.name}: "
            text = str(error)
            raise type(error)(text if text.startswith(prefix) else f"{prefix}{place}{text}") from error

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
            if header is None and unit.kind != units.SEQUENCE and unit.kind in units.NAMES:
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
                entries.append(self._entry(unit, header))
            elif entries and not indexed:
                last = entries[-1]
                size = last.num_bytes + unit.end - unit.offset
                entries[-1] = headers.IndexEntry(size, last.num_frames, last.duration, last.gap)
        if header is None:
            raise TruncatedError("sequence: the header is missing")
        if entries and not first_segment:
            raise TruncatedError("segment: the index lists some, the file has none")
        return header, self._places(entries, first_segment, header.start)

    def _places(self, entries: list[headers.IndexEntry], offset: int, start: int) -> tuple[SegmentPlace, ...]:
        places: list[SegmentPlace] = []
        frame = 0
        for number, entry in enumerate(entries):
            if places and entry.gap < 0:
                raise InvalidError(f"segment.gap: segment {number} starts before the one before it ends")
            start += entry.gap
            if offset + entry.num_bytes > self.source.size:
                raise TruncatedError(f"segment {number}: {offset + entry.num_bytes - self.source.size} byte(s) missing")
            end = start + entry.duration
            if max(abs(start), abs(end)) > _MAX_TICKS:
                raise InvalidError(f"segment {number}: its time, {start} ticks, is out of range")
            places.append(SegmentPlace(offset, entry.num_bytes, frame, entry.num_frames, start, end))
            offset += entry.num_bytes
            frame += entry.num_frames
            start = end
        return tuple(places)

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

    def _entry(self, unit: Unit, sequence: SequenceHeader) -> headers.IndexEntry:
        segment = self._segment_header(unit)
        duration = sum(segment.durations) or segment.num_frames * sequence.frame_duration
        return headers.IndexEntry(unit.end - unit.offset, segment.num_frames, duration, segment.gap)

    def _segment_header(self, unit: Unit) -> SegmentHeader:
        data = self.source.read(unit.payload_offset, min(unit.num_payload_bytes, _HEADER_BYTES))
        try:
            return headers.visit_segment(Reader(data))
        except TruncatedError:
            most = _HEADER_BYTES + _DURATION_BYTES * headers.MAX_FRAMES_A_SEGMENT
            data = self.source.read(unit.payload_offset, min(unit.num_payload_bytes, most))
            return headers.visit_segment(Reader(data))

    def _read_ticks(self, number: int) -> Int64:
        place = self.segments[number]
        unit = self._unit(place.offset)
        if unit.kind != units.SEGMENT:
            raise InvalidError(f"index: no segment at byte {place.offset}")
        header = self._segment_header(unit)
        if header.num_frames != place.num_frames:
            raise InvalidError(f"index: segment {number} has {header.num_frames} frames, not {place.num_frames}")
        steps = header.durations or (self.header.frame_duration,) * place.num_frames
        ticks = place.start + np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])
        if ticks[-1] != place.end:
            raise InvalidError(f"index: segment {number} lasts {ticks[-1] - place.start} ticks, the index differs")
        return ticks


def _format_of(h: SequenceHeader) -> VideoFormat:
    colour = ColourDescription(h.primaries, h.transfer, h.matrix, h.full_range)
    return VideoFormat(
        h.width, h.height, colour, h.chroma_format, h.bit_depth, h.sample_aspect, h.rotation, h.timescale
    )
