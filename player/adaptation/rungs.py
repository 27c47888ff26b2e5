"""Which levels of a presentation a player chooses from: the layers of a layered stream, else its rungs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gvideo.errors import MediaError
from gvideo.types import Float64
from player.source.record import Presentation, Resource, Segment, Track


@dataclass(frozen=True, slots=True)
class Rungs:
    """tracks: one of several levels (layered), or several of one level with the same cuts, the poorest first."""

    tracks: tuple[Track, ...]
    layered: bool

    @property
    def num_levels(self) -> int:
        """Levels to choose from."""
        return len(self.tracks[0].levels) if self.layered else len(self.tracks)

    def segment(self, number: int, level: int) -> Segment:
        """A segment as its track has it."""
        return self.tracks[0 if self.layered else level].segments[number]

    def media(self, number: int, level: int, have_bytes: int = 0) -> Resource:
        """The bytes of a segment up to a level, behind those of a poorer one that are there already."""
        segment = self.segment(number, level)
        end = segment.ends[level if self.layered else -1]
        size = None if end is None else end - have_bytes
        return Resource(segment.media.url, segment.media.offset + have_bytes, size)

    def bits(self) -> Float64:
        """Bits of every segment at every level f64 [segments, levels]: from byte ranges, else from mean rates."""
        if self.layered:
            return np.array([[8.0 * (end or 0) for end in s.ends] for s in self.tracks[0].segments])
        columns = []
        for track in self.tracks:
            rate = track.levels[-1].average_bps or track.levels[-1].peak_bps or 1
            columns.append([8.0 * (s.ends[-1] or 0) or rate * float(s.seconds) for s in track.segments])
        return np.array(columns).T

    def seconds(self) -> Float64:
        """How long every segment lasts f64 [segments]."""
        return np.array([float(s.seconds) for s in self.tracks[0].segments])


def choose_rungs(presentation: Presentation) -> Rungs:
    """The track with the most layers, or all rungs that are cut alike. Raises MediaError if there is none whose
    segments tell how long they last."""
    tracks = [t for t in presentation.tracks if t.is_gaussian and t.segments]
    if not tracks:
        raise MediaError(f"{presentation.url}: offers no gvideo stream with segments")
    best = max(tracks, key=lambda t: (len(t.levels), t.levels[-1].average_bps or t.levels[-1].peak_bps))
    if not all(s.seconds > 0 for s in best.segments):
        raise MediaError(
            f"{presentation.url}: does not tell how long its segments last; give a folder, an .m3u8 or an .mpd"
        )
    if len(best.levels) > 1:
        return Rungs((best,), True)
    if presentation.is_live:
        tracks = [t for t in tracks if len(t.levels) == 1 and _have_common(t, best)]
        return Rungs(_by_rate(aligned(tracks)), False)
    return Rungs(_by_rate([t for t in tracks if _cut_alike(t, best)]), False)


def aligned(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Rungs of a live stream cut to what all of them list: their playlists are not read in one moment. Where one lists
    a segment piece by piece all do, be it as cuts of the whole one."""
    pieces: dict[tuple[int, int], dict[int, Segment]] = {}
    for segment in (s for t in tracks for s in t.segments if s.is_piece):
        pieces.setdefault(segment.place[:2], {}).setdefault(segment.piece, segment)
    if pieces:
        tracks = [replace(t, segments=tuple(c for s in t.segments for c in _cuts(s, pieces))) for t in tracks]
    common = set.intersection(*({s.place for s in t.segments} for t in tracks))
    return tuple(replace(t, segments=tuple(s for s in t.segments if s.place in common)) for t in tracks)


def _cuts(segment: Segment, pieces: Mapping[tuple[int, int], Mapping[int, Segment]]) -> Sequence[Segment]:
    named = pieces.get(segment.place[:2])
    if segment.is_piece or not named:
        return (segment,)
    return [replace(segment, seconds=p.seconds, piece=n, cut=(n, 1)) for n, p in sorted(named.items())]


def _have_common(one: Track, other: Track) -> bool:
    """Whether rungs of a live stream are cut alike where both list something."""
    lengths = {s.place: s.seconds for s in one.segments if not s.is_piece}
    both = [s.seconds == lengths[s.place] for s in other.segments if not s.is_piece and s.place in lengths]
    if both:
        return all(both)
    return bool({s.place[:2] for s in one.segments} & {s.place[:2] for s in other.segments})


def _cut_alike(one: Track, other: Track) -> bool:
    places = [(s.place, s.seconds) for s in one.segments], [(s.place, s.seconds) for s in other.segments]
    return places[0] == places[1] and len(one.levels) == 1


def _by_rate(tracks: Sequence[Track]) -> tuple[Track, ...]:
    def rate(track: Track) -> float:
        return track.levels[-1].average_bps or track.levels[-1].peak_bps or sum(s.ends[-1] or 0 for s in track.segments)

    return tuple(sorted(tracks, key=rate))
