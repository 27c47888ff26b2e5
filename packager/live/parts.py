"""What is on offer of a live presentation: parts, one an input, with the streams and texts of each.

    Part (begins at a second from zero) ── Stream: segments of a track, and where their layers end
                                        └─ Text: segments of a language

Files of a stream have the numbers of its part: the n-th on offer is `FOLDER/seg_(number + n).m4s`. Partial segments are
`FOLDER/part_N.m4s`, counted over everything; those of the segment that is not whole yet are a stream's `open` ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from packager.presentation import (
    ByteRange,
    Partial,
    PublishedPresentation,
    PublishedSegment,
    Representation,
    Subtitles,
    SubtitleSegment,
)
from packager.subtitles import Cue
from packager.tracks import MediaTrack


@dataclass
class Stream:
    """What is on offer of a track: segments, and where their layers end. layers: rungs that it is offered in. open:
    partial segments of what is not a whole segment yet; open_data: their bytes, none if a run before wrote them."""

    name: str
    track: MediaTrack
    folder: str
    layers: int = 1
    segments: list[PublishedSegment] = field(default_factory=list)
    ends: list[tuple[int, ...]] = field(default_factory=list)
    open: list[Partial] = field(default_factory=list)
    open_data: list[bytes] = field(default_factory=list)

    @property
    def init(self) -> str:
        """Its init segment."""
        return f"{self.folder}/init.mp4"

    def uri(self, number: int) -> str:
        """Its segment of that number."""
        return f"{self.folder}/seg_{number}.m4s"

    def partial_uri(self, number: int) -> str:
        """Its partial segment of that number."""
        return f"{self.folder}/part_{number}.m4s"

    def close(self, number: int, size: int) -> None:
        """The open partial segments are a whole one now, of so many bytes."""
        first, duration = self.open[0], sum(p.duration for p in self.open)
        self.segments.append(
            PublishedSegment(self.uri(number), first.start, duration, size, at=first.at, partials=tuple(self.open))
        )
        self.ends.append((size,))
        self.open, self.open_data = [], []

    def representations(self, first_number: int, next_partial: int | None = None) -> list[Representation]:
        """A rung for every prefix of the layers, the least first, or one. next_partial: number of the partial segment
        that comes next, None if it is not known to be of this stream."""
        whole = Representation(
            self.name, self.track, self.init, tuple(self.segments), template=f"{self.folder}/seg_$Number$.m4s",
            first_number=first_number, partials=tuple(self.open),
            hint="" if next_partial is None else self.partial_uri(next_partial),
        )  # fmt: skip
        if self.layers == 1:
            return [whole]
        return [replace(whole, id=f"{self.name}_{n}", template="", layer=n, segments=self._prefixes(n))
                for n in range(1, self.layers + 1)]  # fmt: skip

    def _prefixes(self, layer: int) -> tuple[PublishedSegment, ...]:
        sizes = (ends[min(layer, len(ends)) - 1] for ends in self.ends)
        return tuple(replace(s, num_bytes=n, place=ByteRange(0, n))
                     for s, n in zip(self.segments, sizes, strict=True))  # fmt: skip


@dataclass
class Text:
    """What is on offer of a language. cues: all of them, where all stay on offer. open: those of what is not a whole
    segment yet."""

    name: str
    language: str
    title: str
    folder: str
    segments: list[SubtitleSegment] = field(default_factory=list)
    cues: dict[Cue, None] = field(default_factory=dict)
    whole: str = ""
    open: dict[Cue, None] = field(default_factory=dict)

    def uri(self, number: int) -> str:
        """Its segment of that number."""
        return f"{self.folder}/seg_{number}.vtt"


@dataclass
class Part:
    """What one input gave. begun: s from zero; number: of its first segment on offer."""

    begun: Fraction
    number: int
    video: list[Stream]
    fallback: list[Stream]
    audio: list[Stream]
    texts: list[Text]

    @property
    def streams(self) -> list[Stream]:
        return [*self.video, *self.fallback, *self.audio]

    @property
    def count(self) -> int:
        """Segments on offer."""
        return len(self.video[0].segments)

    @property
    def rungs(self) -> list[tuple[int, int, int]]:
        """(width, height, layers) of every rung, 0 layers for those of the fallback."""
        return [(*s.track.shown_size, s.layers) for s in self.video] + [(*s.track.shown_size, 0) for s in self.fallback]

    @property
    def files(self) -> list[str]:
        """Everything on offer of it."""
        inits = [s.init for s in self.streams]
        found = inits + [name for place in range(self.count) for name in self.files_of(place)]
        return found + [p.uri for s in self.streams for q in s.segments for p in q.partials] + self.open_files

    @property
    def open_files(self) -> list[str]:
        """The partial segments of what is not a whole segment yet."""
        return [p.uri for s in self.streams for p in s.open]

    @property
    def open_seconds(self) -> Fraction:
        """How long they last."""
        return Fraction(sum(p.duration for p in self.video[0].open), self.video[0].track.timescale)

    def files_of(self, place: int) -> list[str]:
        """Of the segment at that place of what is on offer, in all streams and languages."""
        found = [s.segments[place].uri for s in self.streams]
        return found + [t.segments[place].uri for t in self.texts]

    def end_of_first(self) -> Fraction:
        """Seconds from zero at which the first segment on offer ends."""
        return self.end_of(0)

    def end_of(self, place: int) -> Fraction:
        """Seconds from zero at which the segment at that place of what is on offer ends."""
        found = self.video[0].segments[place]
        return self.begun + Fraction(found.start + found.duration, self.video[0].track.timescale)

    def drop_partials(self, place: int) -> list[str]:
        """Takes the partial segments of that segment off the offer; returns their files."""
        gone = [p.uri for s in self.streams for p in s.segments[place].partials]
        for stream in self.streams:
            stream.segments[place] = replace(stream.segments[place], partials=())
        return gone

    def drop_open(self) -> list[str]:
        """Takes what is not a whole segment yet off the offer; returns its files."""
        gone = self.open_files
        for stream in self.streams:
            stream.open, stream.open_data = [], []
        for text in self.texts:
            text.open = {}
        return gone

    def drop_first(self) -> list[str]:
        """Takes the first segment off the offer; returns its files."""
        gone = self.drop_partials(0)
        gone += [s.segments.pop(0).uri for s in self.streams] + [t.segments.pop(0).uri for t in self.texts]
        for stream in self.streams:
            del stream.ends[0]
        self.number += 1
        return gone

    def presentation(self, next_partial: int | None = None) -> PublishedPresentation:
        """What is on offer of it, the best first. next_partial: as of Stream.representations."""
        rungs = [r for s in self.video for r in reversed(s.representations(self.number, next_partial))]
        rungs += [r for s in self.fallback for r in s.representations(self.number, next_partial)]
        scored = tuple(replace(r, score=float(len(rungs) - place)) for place, r in enumerate(rungs))
        audio = tuple(r for s in self.audio for r in s.representations(self.number, next_partial))
        texts = tuple(Subtitles(t.name, t.language, t.title, t.whole, tuple(t.segments)) for t in self.texts)
        return PublishedPresentation(scored, audio, texts)


def time_of(started: datetime, begun: Fraction, start: int, timescale: int) -> datetime:
    """Wall-clock time at which ticks of a part lie. started: that of zero."""
    return started + timedelta(microseconds=moment_of(begun, start, timescale))


def moment_of(begun: Fraction, start: int, timescale: int) -> int:
    """Microseconds from zero at which ticks of a part lie."""
    return round((begun + Fraction(start, timescale)) * 1_000_000)
