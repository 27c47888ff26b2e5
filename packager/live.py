"""Publishing while the input still grows: a segment at a time, manifests anew after each.

    segments of input 1 | discontinuity, new init | segments of input 2 ...        EVENT: all stay on offer
                 [ window: the last so many seconds ]                              else files behind it go in the end

Files have a random word in their names, since their content is not known in advance. One rung, no sound.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from packager import dash, hls, segmenter
from packager.presentation import Live, Presentation, Representation, Segment
from packager.segmenter import Rates
from packager.sink import Sink
from packager.tracks import Piece, Track

#: A playlist keeps so many segments at least, whatever the window (Apple's authoring specification).
MIN_SEGMENTS = 6
NAME = "v0"


@dataclass
class _Part:
    """What one input gave: its track, where it begins (s from zero), its segments on offer, the number of the first."""

    track: Track
    folder: str
    begun: Fraction
    segments: list[Segment] = field(default_factory=list)
    first_number: int = 1


class LivePublisher:
    """Writes segments and manifests into a sink. started: wall-clock time of the first frame. longest: seconds that no
    segment passes. window: seconds that stay on offer, None for all."""

    def __init__(self, sink: Sink, started: datetime, longest: Fraction, window: Fraction | None = None) -> None:
        self._sink, self._started, self._window = sink, started, window
        self._target = max(1, math.ceil(longest))
        self._word = secrets.token_hex(4)
        self._parts: list[_Part] = []
        self._gone: list[tuple[str, Fraction]] = []
        self._number = 0
        self._first_part = 0
        self._end = Fraction(0)

    def begin(self, track: Track) -> None:
        """A new input; its times count from zero again."""
        folder = f"{NAME}-{self._word}-{self._first_part + len(self._parts)}"
        self._sink.put(f"{folder}/init.mp4", [segmenter.format_init(track, 0, Rates(0, 0))])
        self._parts.append(_Part(track, folder, self._end, [], self._number + 1))

    def add(self, piece: Piece) -> None:
        """The next segment of the latest input: its file, then the manifests."""
        part = self._parts[-1]
        self._number += 1
        data = segmenter.format_segment(part.track, piece, self._number).data
        uri = f"{part.folder}/seg_{self._number}.m4s"
        self._sink.put(uri, [data])
        begun = part.begun + Fraction(piece.start, part.track.timescale)
        at = self._started + timedelta(microseconds=round(begun * 1_000_000))
        part.segments.append(Segment(uri, piece.start, piece.duration, len(data), at=at))
        self._end = begun + Fraction(piece.duration, part.track.timescale)
        self._slide()
        self._publish(ended=False)
        self._delete()

    def end(self) -> None:
        """Nothing follows: the manifests say so."""
        if self._number:
            self._publish(ended=True)

    def _slide(self) -> None:
        """Takes segments that have left the window off the offer."""
        if self._window is None:
            return
        count = sum(len(p.segments) for p in self._parts)
        while count > MIN_SEGMENTS:
            part = self._parts[0]
            first = part.segments[0]
            left = part.begun + Fraction(first.start + first.duration, part.track.timescale)
            if self._end - left < self._window:
                return
            self._gone.append((first.uri, self._end))
            del part.segments[0]
            part.first_number += 1
            count -= 1
            if not part.segments and len(self._parts) > 1:
                self._gone.append((f"{part.folder}/init.mp4", self._end))
                del self._parts[0]
                self._first_part += 1

    def _delete(self) -> None:
        """Removes files once no client can hold a playlist that names them: a whole playlist later, and a segment."""
        keep = (self._window or 0) + (MIN_SEGMENTS + 1) * self._target
        while self._gone and self._end - self._gone[0][1] > keep:
            self._sink.delete(self._gone.pop(0)[0])

    def presentation(self, *, ended: bool = False) -> Presentation:
        """What is on offer now."""
        shown = [p for p in self._parts if p.segments]
        rungs = tuple(
            Representation(
                NAME, p.track, f"{p.folder}/init.mp4", tuple(p.segments), template=f"{p.folder}/seg_$Number$.m4s",
                first_number=p.first_number, score=1.0,
            )
            for p in shown
        )  # fmt: skip
        live = Live(
            self._started, tuple(p.begun for p in shown), self._target, self._window, shown[0].first_number,
            self._first_part, ended,
        )  # fmt: skip
        return Presentation(rungs, live=live)

    def _publish(self, *, ended: bool) -> None:
        p = self.presentation(ended=ended)
        texts = hls.playlists(p)
        self._sink.put(hls.media_name(p.video[0]), [texts[hls.media_name(p.video[0])].encode()])
        self._sink.put(dash.MANIFEST, [dash.manifest(p).encode()])
        self._sink.put(hls.MASTER, [texts[hls.MASTER].encode()])
