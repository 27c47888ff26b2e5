"""What is on offer of a live presentation: parts, one an input, with the streams and texts of each.

    Part (begins at a second from zero) ── Stream: segments of a track, and where their layers end
                                        └─ Text: segments of a language

Files of a stream have the numbers of its part: the n-th on offer is `FOLDER/seg_(number + n).m4s`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from packager.presentation import (
    ByteRange,
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
    """What is on offer of a track: segments, and where their layers end. layers: rungs that it is offered in."""

    name: str
    track: MediaTrack
    folder: str
    layers: int = 1
    segments: list[PublishedSegment] = field(default_factory=list)
    ends: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def init(self) -> str:
        """Its init segment."""
        return f"{self.folder}/init.mp4"

    def uri(self, number: int) -> str:
        """Its segment of that number."""
        return f"{self.folder}/seg_{number}.m4s"

    def representations(self, first_number: int) -> list[Representation]:
        """A rung for every prefix of the layers, the least first, or one."""
        whole = Representation(
            self.name, self.track, self.init, tuple(self.segments), template=f"{self.folder}/seg_$Number$.m4s",
            first_number=first_number,
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
    """What is on offer of a language. cues: all of them, where all stay on offer."""

    name: str
    language: str
    title: str
    folder: str
    segments: list[SubtitleSegment] = field(default_factory=list)
    cues: dict[Cue, None] = field(default_factory=dict)
    whole: str = ""

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
        return inits + [name for place in range(self.count) for name in self.files_of(place)]

    def files_of(self, place: int) -> list[str]:
        """Of the segment at that place of what is on offer, in all streams and languages."""
        found = [s.segments[place].uri for s in self.streams]
        return found + [t.segments[place].uri for t in self.texts]

    def end_of_first(self) -> Fraction:
        """Seconds from zero at which the first segment on offer ends."""
        first = self.video[0].segments[0]
        return self.begun + Fraction(first.start + first.duration, self.video[0].track.timescale)

    def drop_first(self) -> list[str]:
        """Takes the first segment off the offer; returns its files."""
        gone = [s.segments.pop(0).uri for s in self.streams] + [t.segments.pop(0).uri for t in self.texts]
        for stream in self.streams:
            del stream.ends[0]
        self.number += 1
        return gone

    def presentation(self) -> PublishedPresentation:
        """What is on offer of it, the best first."""
        rungs = [r for s in self.video for r in reversed(s.representations(self.number))]
        rungs += [r for s in self.fallback for r in s.representations(self.number)]
        scored = tuple(replace(r, score=float(len(rungs) - place)) for place, r in enumerate(rungs))
        audio = tuple(r for s in self.audio for r in s.representations(self.number))
        texts = tuple(Subtitles(t.name, t.language, t.title, t.whole, tuple(t.segments)) for t in self.texts)
        return PublishedPresentation(scored, audio, texts)


def moment_of(begun: Fraction, start: int, timescale: int) -> int:
    """Microseconds from zero at which ticks of a part lie."""
    return round((begun + Fraction(start, timescale)) * 1_000_000)
