"""Publishing while the input still grows: a segment at a time of all rungs, sound and text, then manifests.

    segments of input 1 | discontinuity, new init | segments of input 2 ...        EVENT: all stay on offer
                 [ window: the last so many seconds ]                              else files behind it go in the end

Files have a random word in their names, since their content is not known in advance. What there is beside each other
(rungs, layers, sound, languages) is what the first input has; every further input has the same.
"""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from gvideo.errors import MediaError
from packager import dash, hls, segmenter
from packager.presentation import (
    ByteRange,
    Live,
    Presentation,
    Representation,
    Segment,
    Subtitles,
    SubtitleSegment,
)
from packager.segmenter import Rates
from packager.sink import Sink
from packager.subtitles import Cue, format_webvtt
from packager.tracks import Piece, Track

#: A playlist keeps so many segments at least, whatever the window (Apple's authoring specification).
MIN_SEGMENTS = 6


@dataclass
class _Stream:
    """What is on offer of a track: segments, and where their layers end. layers: rungs that it is offered in."""

    name: str
    track: Track
    folder: str
    layers: int = 1
    segments: list[Segment] = field(default_factory=list)
    ends: list[tuple[int, ...]] = field(default_factory=list)

    def representations(self, first_number: int) -> list[Representation]:
        """A rung for every prefix of the layers, the least first, or one."""
        init, segments = f"{self.folder}/init.mp4", tuple(self.segments)
        whole = Representation(
            self.name, self.track, init, segments, template=f"{self.folder}/seg_$Number$.m4s", first_number=first_number
        )
        if self.layers == 1:
            return [whole]
        return [replace(whole, id=f"{self.name}_{n}", template="", layer=n, segments=self._prefixes(n))
                for n in range(1, self.layers + 1)]  # fmt: skip

    def _prefixes(self, layer: int) -> tuple[Segment, ...]:
        sizes = (ends[min(layer, len(ends)) - 1] for ends in self.ends)
        return tuple(replace(s, num_bytes=n, place=ByteRange(0, n))
                     for s, n in zip(self.segments, sizes, strict=True))  # fmt: skip


@dataclass
class _Text:
    """What is on offer of a language. cues: all of them, where all stay on offer."""

    name: str
    language: str
    title: str
    segments: list[SubtitleSegment] = field(default_factory=list)
    cues: dict[Cue, None] = field(default_factory=dict)
    whole: str = ""


@dataclass
class _Part:
    """What one input gave. begun: s from zero; number: of its first segment on offer."""

    begun: Fraction
    number: int
    video: list[_Stream]
    fallback: list[_Stream]
    audio: list[_Stream]
    texts: list[_Text]

    @property
    def streams(self) -> list[_Stream]:
        return [*self.video, *self.fallback, *self.audio]

    @property
    def count(self) -> int:
        """Segments on offer."""
        return len(self.video[0].segments)

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

    def presentation(self) -> Presentation:
        """What is on offer of it, the best first."""
        rungs = [r for s in self.video for r in reversed(s.representations(self.number))]
        rungs += [r for s in self.fallback for r in s.representations(self.number)]
        scored = tuple(replace(r, score=float(len(rungs) - place)) for place, r in enumerate(rungs))
        audio = tuple(r for s in self.audio for r in s.representations(self.number))
        texts = tuple(Subtitles(t.name, t.language, t.title, t.whole, tuple(t.segments)) for t in self.texts)
        return Presentation(scored, audio, texts)


class LivePublisher:
    """Writes segments and manifests into a sink. started: wall-clock time of the first frame. longest: seconds that no
    segment passes. window: seconds that stay on offer, None for all."""

    def __init__(self, sink: Sink, started: datetime, longest: Fraction, window: Fraction | None = None) -> None:
        self._sink, self._started, self._window = sink, started, window
        self._target = max(1, math.ceil(longest))
        self._word = secrets.token_hex(4)
        self._parts: list[_Part] = []
        self._gone: list[tuple[str, Fraction]] = []
        self._layers: list[int] = []
        self._number = 0
        self._first_part = 0
        self._end = Fraction(0)

    def begin(
        self,
        *video: Track,
        fallback: Sequence[Track] = (),
        audio: Sequence[Track] = (),
        texts: Sequence[tuple[str, str]] = (),
    ) -> None:
        """A new input; its times count from zero again. video: rungs, the best first; texts: (language, name) of
        subtitles. Every input has as many of each as the first."""
        place = self._first_part + len(self._parts)
        self._layers = self._layers or [track.num_layers for track in video]

        def opened(kind: str, tracks: Sequence[Track], layers: Sequence[int]) -> list[_Stream]:
            streams = []
            for number, (track, count) in enumerate(zip(tracks, layers, strict=True)):
                stream = _Stream(f"{kind}{number}", track, f"{kind}{number}-{self._word}-{place}", count)
                self._sink.put(f"{stream.folder}/init.mp4", [segmenter.format_init(track, 0, Rates(0, 0))])
                streams.append(stream)
            return streams

        part = _Part(
            self._end, self._number + 1, opened("v", video, self._layers), opened("f", fallback, [1] * len(fallback)),
            opened("a", audio, [1] * len(audio)),
            [_Text(f"s{n}", language, name) for n, (language, name) in enumerate(texts)],
        )  # fmt: skip
        self._parts.append(part)

    def add(
        self,
        *video: Piece,
        fallback: Sequence[Piece] = (),
        audio: Sequence[Piece] = (),
        texts: Sequence[Sequence[Cue]] = (),
    ) -> None:
        """The next segment of the latest input, in the order of begin(): its files, then the manifests."""
        part = self._parts[-1]
        number = self._number + 1
        files: dict[str, bytes] = {}
        made = [
            self._made(stream, piece, part.begun, number, files)
            for stream, piece in zip(part.streams, [*video, *fallback, *audio], strict=True)
        ]
        seconds = Fraction(video[0].duration, part.video[0].track.timescale)
        shown = []
        for text, cues in zip(part.texts, texts, strict=True):
            uri = f"{text.name}-{self._word}/seg_{number}.vtt"
            files[uri] = format_webvtt(cues, mapped=True)
            shown.append(SubtitleSegment(uri, seconds))
        self._write(files)
        # on offer when all of it is there: the manifests of the end must be whole even if a disk is full
        self._number = number
        for stream, (segment, ends) in zip(part.streams, made, strict=True):
            stream.segments.append(segment)
            stream.ends.append(ends)
        for text, cues, segment_of_text in zip(part.texts, texts, shown, strict=True):
            text.segments.append(segment_of_text)
            if self._window is None:
                text.cues |= dict.fromkeys(cues)
        self._end = part.begun + Fraction(video[0].start, part.video[0].track.timescale) + seconds
        self._slide()
        self._publish(ended=False)
        self._delete()

    def _made(
        self, stream: _Stream, piece: Piece, begun: Fraction, number: int, files: dict[str, bytes]
    ) -> tuple[Segment, tuple[int, ...]]:
        """A segment and where its layers end; its bytes go to `files`."""
        found = segmenter.format_segment(stream.track, piece, number)
        uri = f"{stream.folder}/seg_{number}.m4s"
        files[uri] = found.data
        seconds = begun + Fraction(piece.start, stream.track.timescale)
        at = self._started + timedelta(microseconds=round(seconds * 1_000_000))
        return Segment(uri, piece.start, piece.duration, len(found.data), at=at), found.ends

    def _write(self, files: dict[str, bytes]) -> None:
        """All of them, or none."""
        written = []
        try:
            for uri, data in files.items():
                self._sink.put(uri, [data])
                written.append(uri)
        except BaseException:
            for uri in written:
                with contextlib.suppress(MediaError):
                    self._sink.delete(uri)
            raise

    def end(self) -> None:
        """Nothing follows: the manifests say so. Subtitles that are all there become whole files too, for DASH."""
        if not self._number:
            return
        if len(self._parts) == 1 and self._window is None:
            for text in self._parts[0].texts:
                if text.cues:
                    text.whole = f"{text.name}-{self._word}/all.vtt"
                    self._sink.put(text.whole, [format_webvtt(text.cues)])
        self._publish(ended=True)

    def _slide(self) -> None:
        """Takes segments that have left the window off the offer."""
        if self._window is None:
            return
        count = sum(p.count for p in self._parts)
        while count > MIN_SEGMENTS:
            part = self._parts[0]
            if self._end - part.end_of_first() < self._window:
                return
            self._gone += [(uri, self._end) for uri in part.drop_first()]
            count -= 1
            if not part.count and len(self._parts) > 1:
                self._gone += [(f"{s.folder}/init.mp4", self._end) for s in part.streams]
                del self._parts[0]
                self._first_part += 1

    def _delete(self) -> None:
        """Removes files once no client can hold a playlist that names them: a whole playlist later, and a segment."""
        keep = (self._window or 0) + (MIN_SEGMENTS + 1) * self._target
        while self._gone and self._end - self._gone[0][1] > keep:
            self._sink.delete(self._gone.pop(0)[0])

    def presentation(self, *, ended: bool = False) -> Presentation:
        """What is on offer now."""
        shown = [p for p in self._parts if p.count]
        parts = tuple(p.presentation() for p in shown)
        live = Live(
            self._started, parts, tuple(p.begun for p in shown), self._target, self._window, shown[0].number,
            self._first_part, ended,
        )  # fmt: skip
        return replace(parts[-1], live=live)

    def _publish(self, *, ended: bool) -> None:
        p = self.presentation(ended=ended)
        texts = hls.playlists(p)
        for name, text in texts.items():
            if name != hls.MASTER:
                self._sink.put(name, [text.encode()])
        self._sink.put(dash.MANIFEST, [dash.manifest(p).encode()])
        self._sink.put(hls.MASTER, [texts[hls.MASTER].encode()])
