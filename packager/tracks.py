"""Tracks and their segments, whatever they are coded with: what the segmenter writes and the manifests describe.

    .gsv, H.264, audio packets --> MediaTrack (entries, segments on demand) --> segmenter --> files, sizes

A TrackSegment is what becomes one media segment. All tracks of a presentation count from the same zero: the start of
the first video frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from packager.isobmff.entries import SampleEntry


@dataclass(frozen=True, slots=True)
class MediaSample:
    """A sample: its bytes, ticks that it lasts, whether decoding may start at it, ticks from decoding to
    presentation."""

    data: bytes
    duration: int
    sync: bool = True
    composition: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples that become one moof and mdat. layer: which of the track's layers they belong to, 0 is the base."""

    samples: tuple[MediaSample, ...]
    layer: int = 0
    start: int = 0


@dataclass(frozen=True, slots=True)
class TrackSegment:
    """A segment of a track: first tick, ticks, chunks. The first chunk holds a key frame and nothing else in video."""

    start: int
    duration: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class MediaTrack:
    """A coded track. kind: "video", "audio" or "text". entries: the sample entry of every layer. pieces: makes an
    iterator over the segments, as often as wanted. width, height: px to show at, aspect applied, before the rotation
    (degrees clockwise). media_time: ticks of the first samples that lie before zero and are not played (audio)."""

    kind: str
    timescale: int
    entries: tuple[SampleEntry, ...]
    codecs: str
    pieces: Callable[[], Iterator[TrackSegment]]
    language: str = "und"
    name: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    frame_rate: Fraction = Fraction(0)
    video_range: str = "SDR"
    channels: int = 0
    sample_rate: int = 0
    media_time: int = 0

    @property
    def num_layers(self) -> int:
        """Layers at most; a segment may have fewer."""
        return len(self.entries)

    @property
    def shown_size(self) -> tuple[int, int]:
        """(width, height) in px as viewers see it."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)


def video_range(transfer: int) -> str:
    """HLS' name of a transfer characteristic (ISO/IEC 23091-2)."""
    return {16: "PQ", 18: "HLG"}.get(transfer, "SDR")


def shown_width(width: int, aspect: Fraction) -> int:
    """Width in square pixels, at least 1."""
    return max(1, round(width * aspect))
