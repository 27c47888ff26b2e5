"""What all streams have in common, wherever their bytes lie: header, places and times of segments, their symbols.

CodedStream ── Stream: a .gsv file (stream.py)
            └─ SegmentStream: segments that are got one by one (segments.py)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gvideo.bitstream import units
from gvideo.bitstream.headers import IndexEntry, SegmentHeader, SequenceHeader
from gvideo.errors import BitstreamError, InvalidError
from gvideo.types import ColourDescription, Float64, Int64, VideoFormat

if TYPE_CHECKING:
    from gvideo.entropy.sequence import SequenceState
    from gvideo.model.grain import SegmentGrain
    from gvideo.model.steps import StepRules
    from gvideo.model.symbols import SegmentSymbols

#: Times beyond this many ticks are not legal: sums and differences of two stay exact in 64 bits.
_MAX_TICKS = 1 << 61
#: Segments whose frame times are kept.
_KEPT_TICKS = 64


class Origin(Protocol):
    """Where a stream's bytes come from. name: for messages. size: bytes of all of it."""

    name: str
    size: int

    def close(self) -> None:
        """Frees what was opened."""


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
    """A segment as symbols, with bits per attribute (entropy/attributes.ATTRIBUTES), bytes per layer, and its grain."""

    header: SegmentHeader
    symbols: SegmentSymbols
    rules: StepRules
    cost: Float64
    layer_bytes: tuple[int, ...]
    grain: SegmentGrain | None = None


class CodedStream(ABC):
    """An opened stream. Raises BitstreamError if it breaks the syntax, MediaError if it cannot be read; both name the
    source. Decoding is not to be done by several threads at once."""

    source: Origin
    header: SequenceHeader
    segments: tuple[SegmentPlace, ...]
    format: VideoFormat

    def __init__(self) -> None:
        self._ticks: dict[int, Int64] = {}
        self._states: dict[SequenceHeader, SequenceState] = {}

    @abstractmethod
    def payloads(self, number: int, num_layers: int | None = None) -> list[bytes]:
        """Payloads of a segment's units, verified: the segment unit and at most num_layers - 1 layer units."""

    @abstractmethod
    def _header_at(self, number: int) -> SegmentHeader:
        """The header of a segment."""

    def _sequence_of(self, number: int) -> SequenceHeader:
        """The sequence header that holds for a segment."""
        return self.header

    @property
    def num_frames(self) -> int:
        """Frames of the whole stream."""
        last = self.segments[-1]
        return last.first_frame + last.num_frames

    @property
    def duration(self) -> int:
        """Ticks from the first frame's start to the last one's end."""
        return self.segments[-1].end - self.segments[0].start

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

    def num_layers(self, number: int) -> int:
        """Layers that a segment was coded with."""
        return self._header_at(number).num_layers

    def decode_segment(self, number: int, num_layers: int | None = None) -> DecodedSegment:
        """A segment's symbols from its first num_layers layers (all: None)."""
        from gvideo.entropy.segment import decode_segment
        from gvideo.entropy.sequence import SequenceState
        from gvideo.model.grain import SegmentGrain

        payloads = self.payloads(number, num_layers)
        with self._named(f"segment {number}: "):
            h = self._sequence_of(number)
            if h not in self._states:
                self._states[h] = SequenceState.of(h)
            header, symbols, rules, cost = decode_segment(payloads, self._states[h], h.width, h.height)
            if header.num_frames != self.segments[number].num_frames:
                raise InvalidError(f"index: {self.segments[number].num_frames} frames, there are {header.num_frames}")
            grain = SegmentGrain(h.grain, units.checksum(units.SEGMENT, payloads[0])) if h.grain else None
        return DecodedSegment(header, symbols, rules, cost, tuple(len(p) for p in payloads), grain)

    def close(self) -> None:
        """Closes what was opened here."""
        self.source.close()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_ticks": {}, "_states": {}}

    @contextmanager
    def _named(self, place: str = "") -> Iterator[None]:
        """Errors of the syntax get the source's name in front, once."""
        try:
            yield
        except BitstreamError as error:
            prefix = f"{self.source.name}: "
            text = str(error)
            raise type(error)(text if text.startswith(prefix) else f"{prefix}{place}{text}") from error

    def _read_ticks(self, number: int) -> Int64:
        place = self.segments[number]
        header = self._header_at(number)
        if header.num_frames != place.num_frames:
            raise InvalidError(f"index: segment {number} has {header.num_frames} frames, not {place.num_frames}")
        steps = header.durations or (self._sequence_of(number).frame_duration,) * place.num_frames
        ticks = place.start + np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])
        if ticks[-1] != place.end:
            raise InvalidError(f"index: segment {number} lasts {ticks[-1] - place.start} ticks, the index differs")
        return ticks


def place_segments(entries: Sequence[IndexEntry], offset: int, start: int) -> tuple[SegmentPlace, ...]:
    """Places of segments that follow one another from a byte and a tick on."""
    places: list[SegmentPlace] = []
    frame = 0
    for number, entry in enumerate(entries):
        if places and entry.gap < 0:
            raise InvalidError(f"segment.gap: segment {number} starts before the one before it ends")
        start += entry.gap
        end = start + entry.duration
        if max(abs(start), abs(end)) > _MAX_TICKS:
            raise InvalidError(f"segment {number}: its time, {start} ticks, is out of range")
        places.append(SegmentPlace(offset, entry.num_bytes, frame, entry.num_frames, start, end))
        offset += entry.num_bytes
        frame += entry.num_frames
        start = end
    return tuple(places)


def entry_of(segment: SegmentHeader, sequence: SequenceHeader, num_bytes: int) -> IndexEntry:
    """What an index says of a segment with this header."""
    return IndexEntry(num_bytes, segment.num_frames, segment.duration(sequence), segment.gap)


def format_of(h: SequenceHeader) -> VideoFormat:
    """The format of the frames."""
    colour = ColourDescription(h.primaries, h.transfer, h.matrix, h.full_range)
    return VideoFormat(
        h.width, h.height, colour, h.chroma_format, h.bit_depth, h.sample_aspect, h.rotation, h.timescale
    )
