"""The presentation: one record from which both the HLS playlists and the DASH manifest are made.

    PublishedPresentation -> video Representations (a rung each) · audio Representations · Subtitles · Thumbnails

All sizes are measured on the files that were written. Times are exact: ticks with a timescale, or Fractions of seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from packager.tracks import MediaTrack


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes offset … offset + size - 1 of a resource."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial segment of HLS: a coded segment of its own, which is part of a longer one. start, duration: ticks. at:
    wall-clock time of its first frame."""

    uri: str
    start: int
    duration: int
    num_bytes: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublishedSegment:
    """A media segment. place: the bytes within the resource, or None if it is the whole resource. key: the bytes that
    hold its key frame, counted from the resource's start. start, duration: ticks. num_bytes: what a client fetches.
    at: wall-clock time of its first frame, if known. partials: the partial segments that it can be had in."""

    uri: str
    start: int
    duration: int
    num_bytes: int
    place: ByteRange | None = None
    key: ByteRange | None = None
    at: datetime | None = None
    partials: tuple[Partial, ...] = ()


@dataclass(frozen=True, slots=True)
class Representation:
    """One choice among equals: a rung of video, or an audio track.

    track: what it is made of. init: the init segment's resource, with its range if it shares a file. index: the range
    of a sidx over all segments. template: the segments' names with $Number$, if they have such; first_number: of the
    first segment. layer: for a rung over a layered file the number of layers that it fetches. score: order of quality
    among the rungs, higher is better. partials: of the segment behind the last one, which is not whole yet; hint: name
    of the partial segment that comes next, "" if none is promised.
    """

    id: str
    track: MediaTrack
    init: str
    segments: tuple[PublishedSegment, ...]
    init_place: ByteRange | None = None
    index: ByteRange | None = None
    template: str = ""
    first_number: int = 1
    layer: int | None = None
    score: float = 0.0
    partials: tuple[Partial, ...] = ()
    hint: str = ""

    @property
    def timescale(self) -> int:
        """Ticks per second of the segments' times."""
        return self.track.timescale

    def seconds(self, segment: PublishedSegment | Partial) -> Fraction:
        """How long a segment lasts."""
        return Fraction(segment.duration, self.timescale)

    @property
    def duration(self) -> Fraction:
        """Seconds of all segments together."""
        return Fraction(sum(s.duration for s in self.segments), self.timescale)

    @property
    def peak_bps(self) -> int:
        """Bits per second of the largest segment for its duration, rounded up."""
        return max(math.ceil(8 * s.num_bytes / self.seconds(s)) for s in self.segments)

    @property
    def average_bps(self) -> int:
        """Bits per second of all segments together, rounded up."""
        return math.ceil(8 * sum(s.num_bytes for s in self.segments) / self.duration)

    @property
    def key_peak_bps(self) -> int:
        """As peak_bps, of key frames alone."""
        return max(math.ceil(8 * s.key.size / self.seconds(s)) for s in self.segments if s.key)


@dataclass(frozen=True, slots=True)
class SubtitleSegment:
    """A WebVTT file and the seconds that it covers."""

    uri: str
    duration: Fraction


@dataclass(frozen=True, slots=True)
class Subtitles:
    """A language of subtitles: cut for HLS, whole for DASH."""

    id: str
    language: str
    name: str
    whole: str
    segments: tuple[SubtitleSegment, ...]
    num_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """A sprite of columns × rows pictures of width × height px, one every `interval` s; vtt: its map."""

    sprite: str
    vtt: str
    width: int
    height: int
    columns: int
    rows: int
    interval: Fraction
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Live:
    """Of a presentation that still grows.

    started: wall-clock time of zero. parts: what is on offer of every input, one after the other, each with the same
    representations in the same order. starts: seconds from zero at which they begin, and first_part: how many came
    before the first on offer. target: no segment is longer, in whole seconds. window: seconds that stay on offer, None
    for all (EVENT). media_sequence: number of the first segment on offer. ended: nothing follows. partial_target:
    seconds that no partial segment passes, None where there are none.
    """

    started: datetime
    parts: tuple[PublishedPresentation, ...]
    starts: tuple[Fraction, ...]
    target: int
    window: Fraction | None = None
    media_sequence: int = 1
    first_part: int = 0
    ended: bool = False
    partial_target: Fraction | None = None


@dataclass(frozen=True, slots=True)
class PublishedPresentation:
    """Everything that is published together. live: while it grows; the other fields are then those of its last part."""

    video: tuple[Representation, ...]
    audio: tuple[Representation, ...] = ()
    subtitles: tuple[Subtitles, ...] = ()
    thumbnails: Thumbnails | None = None
    live: Live | None = None
    title: str = ""

    @property
    def parts(self) -> tuple[PublishedPresentation, ...]:
        """The inputs of a live presentation, else itself."""
        return (self,) if self.live is None else self.live.parts

    @property
    def duration(self) -> Fraction:
        """Seconds of the longest video rung."""
        return sum((max(r.duration for r in p.video) for p in self.parts), Fraction(0))

    @property
    def longest_segment(self) -> Fraction:
        """Seconds of the longest segment of video or audio."""
        return max(r.seconds(s) for p in self.parts for r in (*p.video, *p.audio) for s in r.segments)

    @property
    def audio_codecs(self) -> tuple[str, ...]:
        """Codecs of all audio tracks, each once."""
        return tuple(dict.fromkeys(r.track.codecs for r in self.audio))

    def over_parts(self, r: Representation) -> tuple[Representation, ...]:
        """A representation as every input has it."""
        if self.live is None:
            return (r,)
        return tuple(next(q for q in (*p.video, *p.audio) if q.id == r.id) for p in self.live.parts)

    def peak_bps(self, r: Representation) -> int:
        """The peak of a representation over all inputs."""
        return max(q.peak_bps for q in self.over_parts(r))

    def average_bps(self, r: Representation) -> int:
        """The mean of a representation over all inputs."""
        parts = self.over_parts(r)
        num_bytes = sum(s.num_bytes for q in parts for s in q.segments)
        return math.ceil(8 * num_bytes / sum((q.duration for q in parts), Fraction(0)))

    @property
    def audio_peak_bps(self) -> int:
        """The largest audio track's peak: what a video rung costs on top."""
        return max((self.peak_bps(r) for r in self.audio), default=0)

    @property
    def audio_average_bps(self) -> int:
        """The largest audio track's mean."""
        return max((self.average_bps(r) for r in self.audio), default=0)


def families(video: Sequence[Representation]) -> list[list[Representation]]:
    """Rungs that a player may switch between: those of one codec, in the order of their first rung."""
    groups: dict[str, list[Representation]] = {}
    for rung in video:
        groups.setdefault(rung.track.codecs.split(".")[0], []).append(rung)
    return list(groups.values())
