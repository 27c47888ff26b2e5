"""A stream's structure: the sequence header, the place of every segment, and the time of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader
from gvideo.decoder.source import ByteSource, Source
from gvideo.entropy.segment import decode_segment
from gvideo.errors import BitstreamError, InvalidError, TruncatedError
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols
from gvideo.types import ColourDescription, Float64, Int64, VideoFormat

#: Bytes of a segment unit that hold its header for sure: the fixed fields and a duration for every frame.
_HEADER_BYTES = 64
_DURATION_BYTES = 6


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
    """An opened .gsv stream. Raises BitstreamError if it breaks the syntax, MediaError if it cannot be read."""

    def __init__(self, source: Source) -> None:
        self.source = ByteSource(source)
        self.trace: list[tuple[int, str, int]] = []
        signature = self.source.read(0, len(units.SIGNATURE))
        if not signature:
            raise TruncatedError("signature: the stream is empty")
        if signature != units.SIGNATURE:
            raise InvalidError("signature: not a gvideo stream")
        self.header, self.rules, self.segments = self._scan()
        self.format = _format_of(self.header)
        if not self.segments:
            raise TruncatedError("segment: the stream has none")

    @property
    def num_frames(self) -> int:
        """Frames of the whole stream."""
        last = self.segments[-1]
        return last.first_frame + last.num_frames

    @property
    def duration(self) -> int:
        """Ticks from the first frame's start to the last one's end."""
        return self.segments[-1].end - self.segments[0].start

    def _scan(self) -> tuple[SequenceHeader, StepRules, tuple[SegmentPlace, ...]]:
        offset = len(units.SIGNATURE)
        header: SequenceHeader | None = None
        index: headers.Index | None = None
        entries: list[headers.IndexEntry] = []
        first_segment = 0
        while offset < self.source.size:
            kind, length, skip = self._unit_header(offset)
            end = offset + skip + length + 4
            if header is None and kind != units.SEQUENCE and kind in units.NAMES:
                raise InvalidError(f"sequence: the stream begins with a {units.name_of(kind)} unit")
            if kind == units.SEQUENCE and header is None:
                reader = Reader(self._payload(offset))
                header = headers.visit_sequence(reader)
                self._keep_trace(reader, offset + skip)
            elif kind == units.INDEX and header is not None and not entries:
                reader = Reader(self._payload(offset))
                index = headers.visit_index(reader)
                self._keep_trace(reader, offset + skip)
            elif kind == units.SEGMENT and header is not None:
                if not entries:
                    first_segment = offset
                    if index is not None and index.entries:
                        break
                if end > self.source.size:
                    raise TruncatedError(f"segment {len(entries)}: {end - self.source.size} byte(s) missing")
                entries.append(self._entry(offset, skip, length, header))
            elif kind == units.LAYER and entries:
                if end > self.source.size:
                    raise TruncatedError(
                        f"layer of segment {len(entries) - 1}: {end - self.source.size} byte(s) missing"
                    )
                last = entries[-1]
                size = last.num_bytes + end - offset
                entries[-1] = headers.IndexEntry(size, last.num_frames, last.duration, last.gap)
            offset = end
        if header is None:
            raise TruncatedError("sequence: the header is missing")
        if index is not None and index.entries:
            entries = list(index.entries)
        return header, _rules_of(header), _places(entries, first_segment, header.start, self.source.size)

    def _keep_trace(self, reader: Reader, offset: int) -> None:
        self.trace += [(offset + at, name, value) for at, name, value in reader.trace]

    def _unit_header(self, offset: int) -> tuple[int, int, int]:
        return units.parse_unit_header(self.source.read(offset, units.MAX_OVERHEAD))

    def _payload(self, offset: int) -> bytes:
        """A unit's payload, its checksum verified."""
        kind, length, skip = self._unit_header(offset)
        if offset + skip + length + 4 > self.source.size:
            missing = offset + skip + length + 4 - self.source.size
            raise TruncatedError(f"{units.name_of(kind)}: {missing} byte(s) missing")
        data = self.source.read(offset + skip, length + 4)
        units.check_payload(kind, data[:length], data[length:])
        return data[:length]

    def _entry(self, offset: int, skip: int, length: int, sequence: SequenceHeader) -> headers.IndexEntry:
        segment = self._segment_header(offset, skip, length)
        duration = sum(segment.durations) or segment.num_frames * sequence.frame_duration
        return headers.IndexEntry(skip + length + 4, segment.num_frames, duration, segment.gap)

    def _segment_header(self, offset: int, skip: int, length: int) -> SegmentHeader:
        wanted = min(length, _HEADER_BYTES)
        data = self.source.read(offset + skip, wanted)
        try:
            return headers.visit_segment(Reader(data))
        except TruncatedError:
            wanted = min(length, _HEADER_BYTES + _DURATION_BYTES * headers.MAX_FRAMES_A_SEGMENT)
            return headers.visit_segment(Reader(self.source.read(offset + skip, wanted)))

    def segment_header(self, number: int) -> SegmentHeader:
        """The header of a segment, without its symbols."""
        place = self.segments[number]
        kind, length, skip = self._unit_header(place.offset)
        if kind != units.SEGMENT:
            raise InvalidError(f"index: no segment at byte {place.offset}")
        return self._segment_header(place.offset, skip, length)

    def frame_ticks(self, number: int) -> Int64:
        """Start of every frame of a segment and its end, ticks, i64 [T+1]."""
        place = self.segments[number]
        uniform = place.num_frames * self.header.frame_duration
        if place.end - place.start == uniform:
            durations: tuple[int, ...] = ()
            if self.segment_has_durations(number):
                durations = self.segment_header(number).durations
        else:
            durations = self.segment_header(number).durations
        steps = durations or (self.header.frame_duration,) * place.num_frames
        if len(steps) != place.num_frames:
            raise InvalidError(f"segment {number}: {len(steps)} durations for {place.num_frames} frames")
        return place.start + np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])

    @lru_cache(maxsize=4096)  # noqa: B019 - one stream lives as long as its decoder
    def segment_has_durations(self, number: int) -> bool:
        """Whether a segment lists a duration for every frame."""
        return bool(self.segment_header(number).durations)

    def segment_payloads(self, number: int, num_layers: int | None = None) -> list[bytes]:
        """Payloads of a segment's base unit and of as many layers as wanted and stored, checksums verified."""
        place = self.segments[number]
        offset, end, payloads = place.offset, place.offset + place.num_bytes, []
        while offset < end and (num_layers is None or len(payloads) < num_layers):
            kind, length, skip = self._unit_header(offset)
            if kind == (units.LAYER if payloads else units.SEGMENT):
                payloads.append(self._payload(offset))
            elif not payloads or kind == units.SEGMENT:
                raise InvalidError(f"index: segment {number} is not where the index says")
            offset += skip + length + 4
        return payloads

    def decode_segment(self, number: int, num_layers: int | None = None) -> DecodedSegment:
        """A segment's symbols from its first num_layers layers (all: None)."""
        payloads = self.segment_payloads(number, num_layers)
        try:
            header, symbols, rules, cost = decode_segment(payloads, self.rules, self.header.width, self.header.height)
        except BitstreamError as error:
            raise type(error)(f"segment {number}: {error}") from error
        if header.num_frames != self.segments[number].num_frames:
            raise InvalidError(f"index: segment {number} has {header.num_frames} frames, the index says otherwise")
        return DecodedSegment(header, symbols, rules, cost, tuple(len(p) for p in payloads))


def _places(entries: list[headers.IndexEntry], offset: int, start: int, size: int) -> tuple[SegmentPlace, ...]:
    places, frame = [], 0
    for number, entry in enumerate(entries):
        start += entry.gap
        if offset + entry.num_bytes > size:
            raise TruncatedError(f"segment {number}: {offset + entry.num_bytes - size} byte(s) missing")
        place = SegmentPlace(offset, entry.num_bytes, frame, entry.num_frames, start, start + entry.duration)
        places.append(place)
        offset += entry.num_bytes
        frame += entry.num_frames
        start += entry.duration
    return tuple(places)


def _rules_of(h: SequenceHeader) -> StepRules:
    r = h.rules
    return StepRules(0, r.position, r.angle, r.centre, r.chroma, r.residual, r.trajectory)


def _format_of(h: SequenceHeader) -> VideoFormat:
    colour = ColourDescription(h.primaries, h.transfer, h.matrix, h.full_range)
    return VideoFormat(
        h.width, h.height, colour, h.chroma_format, h.bit_depth, h.sample_aspect, h.rotation, h.timescale
    )
