"""A .gsv stream as a track `gsv1`: one access unit of many frames a segment, one track a layer (docs/carriage.md)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from gvideo.bitstream import headers
from gvideo.bitstream.container import UnitReader
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader
from gvideo.errors import BitstreamError, InvalidError, MediaError, TruncatedError, UnsupportedError
from gvideo.media.timing import frame_rate_of
from packager.isobmff.box import Box
from packager.isobmff.entries import Colour, GaussianConfiguration, PixelAspect, VisualSampleEntry
from packager.tracks import Chunk, MediaSample, MediaTrack, TrackSegment, shown_width, video_range

#: Levels by luma samples of a picture: the level is that of the first limit that is not exceeded.
LEVELS = (
    (36_864, 10), (147_456, 20), (278_784, 21), (665_856, 30), (1_065_024, 31), (2_359_296, 40), (8_912_896, 50),
    (35_651_584, 60), (1 << 28, 70),
)  # fmt: skip
#: A sample's duration has 32 bits.
_MAX_DURATION = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class CodedSegment:
    """A segment: ticks from the first frame of the stream, ticks that it lasts (a gap behind it included), frames,
    and (offset, bytes) of the units of every layer that it has."""

    start: int
    duration: int
    num_frames: int
    layers: tuple[tuple[int, int], ...]


class GsvFile:
    """The structure of a .gsv file: header, sequence_unit (as it stands in the file), segments, and start, the ticks of
    the first frame in the stream's time.

    Args:
        path: of the file.

    Raises:
        BitstreamError: the file breaks the syntax; the message names it.
        MediaError: the file cannot be read; the message names it.

    Example:
        >>> rung = packager.GsvFile("clip.gsv")
        >>> len(rung.segments), rung.header.height
        (2, 48)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self._scan(file)
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        except BitstreamError as error:
            raise type(error)(f"{self.path}: {error}") from error

    def _scan(self, file: BinaryIO) -> None:
        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        reader = UnitReader(read, os.fstat(file.fileno()).st_size)
        found = reader.scan(use_index=False)
        for segment in found.segments:
            for unit in segment.units:
                reader.payload(unit)  # raises where a checksum is wrong: nothing damaged is published
        self.header, self.sequence_unit = found.header, found.sequence_unit
        if self.header.timescale > _MAX_DURATION:
            raise UnsupportedError(f"sequence.timescale: {self.header.timescale} does not fit the 32 bits of MP4")
        self._time([(s.header, [(u.offset, u.num_bytes) for u in s.units]) for s in found.segments])

    def _time(self, found: list[tuple[SegmentHeader, list[tuple[int, int]]]]) -> None:
        starts: list[int] = []
        ends: list[int] = []
        time = self.header.start
        for header, _ in found:
            time += header.gap
            if ends and header.gap < 0:
                raise InvalidError(f"segment.gap: segment {len(ends)} starts before the one before it ends")
            starts.append(time)
            time += header.duration(self.header)
            ends.append(time)
        self.start = starts[0]
        self.segments: list[CodedSegment] = []
        for (header, layers), start, end in zip(found, starts, [*starts[1:], ends[-1]], strict=True):
            if end - start > _MAX_DURATION:
                raise UnsupportedError(f"segment {len(self.segments)}: {end - start} ticks do not fit 32 bits of MP4")
            self.segments.append(CodedSegment(start - self.start, end - start, header.num_frames, tuple(layers)))

    @property
    def num_layers(self) -> int:
        """The most layers that a segment has."""
        return max(len(s.layers) for s in self.segments)

    @property
    def duration(self) -> int:
        """Ticks from the first frame's start to the last one's end."""
        last = self.segments[-1]
        return last.start + last.duration

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """Seconds at which segments end."""
        return tuple(Fraction(s.start + s.duration, self.header.timescale) for s in self.segments)

    def read(self, segment: CodedSegment) -> list[bytes]:
        """The units of every layer of a segment."""
        try:
            with self.path.open("rb") as file:
                out = []
                for offset, size in segment.layers:
                    file.seek(offset)
                    out.append(file.read(size))
                    if len(out[-1]) != size:
                        raise TruncatedError(f"{self.path}: became shorter while it was packaged")
                return out
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def pieces(self) -> Iterator[TrackSegment]:
        """The segments as pieces of a track, one chunk a layer."""
        for segment in self.segments:
            yield piece_of(segment.start, segment.duration, self.read(segment))

    def track(self) -> MediaTrack:
        """The track of the stream."""
        num_frames = sum(s.num_frames for s in self.segments)
        rate = frame_rate_of(num_frames, self.duration, self.header.timescale)
        return gsv_track(self.header, self.sequence_unit, self.num_layers, rate, self.pieces)


def piece_of(start: int, duration: int, layers: list[bytes]) -> TrackSegment:
    """A segment's units, layer by layer, as a piece."""
    return TrackSegment(
        start,
        duration,
        tuple(Chunk((MediaSample(unit, duration),), layer, start) for layer, unit in enumerate(layers)),
    )


def gsv_track(
    header: SequenceHeader,
    sequence_unit: bytes,
    num_layers: int,
    frame_rate: Fraction,
    pieces: Callable[[], Iterator[TrackSegment]],
) -> MediaTrack:
    """The track of a stream with that header; pieces as in MediaTrack."""
    return MediaTrack(
        "video",
        header.timescale,
        tuple(sample_entry(header, sequence_unit, layer) for layer in range(num_layers)),
        codecs_of(header),
        pieces,
        width=shown_width(header.width, header.sample_aspect),
        height=header.height,
        rotation=header.rotation,
        frame_rate=frame_rate,
        video_range=video_range(header.transfer),
    )


def sample_entry(header: SequenceHeader, sequence_unit: bytes, layer: int) -> VisualSampleEntry:
    """gsv1 of the base track, gsve of the layers above it; the configuration is the same in all."""
    children: list[Box] = [
        GaussianConfiguration(sequence_unit),
        Colour("nclx", header.primaries, header.transfer, header.matrix, header.full_range),
    ]
    if header.sample_aspect != 1:
        children.append(PixelAspect(header.sample_aspect.numerator, header.sample_aspect.denominator))
    kind = "gsve" if layer else "gsv1"
    return VisualSampleEntry(kind, header.width, header.height, "gvideo", children)


def level_of(width: int, height: int) -> int:
    """The level of a picture size, ten times its number."""
    return next(level for limit, level in LEVELS if width * height <= limit)


def codecs_of(header: SequenceHeader) -> str:
    """The codecs parameter: gsv1, profile, level and bit depth in two digits each."""
    level = level_of(header.width, header.height)
    return f"gsv1.{headers.PROFILE_MAIN:02}.{level:02}.{header.bit_depth:02}"
