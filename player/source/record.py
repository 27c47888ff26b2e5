"""What a manifest says, whichever it is: tracks, their levels of quality, their segments and byte ranges.

    Presentation -> Track -> Level, Segment(init, media, ends: a byte count for every level)

Rungs over the same resources whose ranges are growing prefixes are the levels of one track: a better level is fetched
from where the poorer one ends.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gvideo.errors import InvalidError

#: No time of a manifest is longer, in s: clocks reckon with floats.
MAX_SECONDS = 1 << 40
#: Lengths of pieces are rounded: what is left of a segment by less than this (s) is nothing.
_SHORTEST_REST = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Resource:
    """Bytes offset … offset + size - 1 of a file or URL; size None: to its end."""

    url: str
    offset: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment with the init segment that holds for it. ends: for every level of its track the bytes, counted
    from media.offset, at which it ends, or (None,) where the size is not known.

    part, number: which input or period it belongs to, and its place there; both rise, and stay when a live manifest is
    read again. Tracks of one presentation have their parts in common. origin: media time (s) at which its part begins.

    Of a live stream whose segments are offered piece by piece (LL-HLS) a piece is a Segment too. piece: its place in
    the media segment of that number. is_piece: media is that of the piece alone. cut: media is the whole segment, of
    which these coded segments are meant (first and how many, None: all that follow).
    """

    init: Resource
    media: Resource
    seconds: Fraction
    ends: tuple[int | None, ...]
    part: int = 0
    number: int = 0
    origin: Fraction = Fraction(0)
    piece: int = 0
    is_piece: bool = False
    cut: tuple[int, int | None] | None = None

    def __post_init__(self) -> None:
        seconds, origin = self.seconds, self.origin  # whole numbers compare many times as fast as fractions
        most = MAX_SECONDS * seconds.denominator
        if not (0 <= seconds.numerator <= most and abs(origin.numerator) <= MAX_SECONDS * origin.denominator):
            raise InvalidError(f"{self.media.url}: a segment lasts 0 to {MAX_SECONDS} s, here it does not")

    @property
    def place(self) -> tuple[int, int, int]:
        """What its order goes by."""
        return self.part, self.number, self.piece

    def chosen(self, found: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Those of the coded segments in its media that are meant. Raises InvalidError if there is none."""
        first, count = self.cut or (0, None)
        chosen = found[first : None if count is None else first + count]
        if not chosen:
            raise InvalidError(f"{self.media.url}: has {len(found)} coded segment(s), number {first + 1} was offered")
        return chosen


@dataclass(frozen=True, slots=True)
class Edge:
    """How the end of a live playlist that offers pieces is followed (RFC 8216, second edition, §6.3.7). part_seconds:
    no piece is longer. hold_back_seconds: so far behind the end to play. following: query of a request that is answered
    once the next piece is there, "" where the server does not hold answers. hint: the piece that comes next, if it is
    told. copy: of the playlist, where its server sends only what is new to those who have one."""

    part_seconds: Fraction
    hold_back_seconds: Fraction
    following: str = ""
    hint: Resource | None = None
    copy: PlaylistCopy | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PlaylistCopy:
    """A playlist as it was read. url: as asked for; read_at: s, of time.monotonic; skip_seconds: what is older may be
    left out of an answer (CAN-SKIP-UNTIL)."""

    url: str
    text: str
    read_at: float
    skip_seconds: Fraction


@dataclass(frozen=True, slots=True)
class Level:
    """A quality of a track. peak_bps, average_bps: bits/s, 0 where the manifest does not say. url: of the manifest that
    lists its segments; variables: which that may import from the one that named it (name, value)."""

    id: str
    codecs: str = ""
    width: int = 0
    height: int = 0
    peak_bps: int = 0
    average_bps: int = 0
    url: str = ""
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """kind: "video", "audio" or "subtitles". levels: the poorest first, as many as every segment has ends. group: of a
    rendition; groups: those that a video track goes with, empty where it goes with all. is_default: unless a user
    chooses another. track_id: of the track within its files, 0 where they hold one of the kind. in_pieces: segments are
    listed piece by piece where they are offered so; edge: of a playlist that has pieces now."""

    kind: str
    levels: tuple[Level, ...]
    segments: tuple[Segment, ...]
    language: str = ""
    name: str = ""
    group: str = ""
    groups: frozenset[str] = frozenset()
    is_default: bool = False
    track_id: int = 0
    in_pieces: bool = False
    edge: Edge | None = None

    @property
    def is_gaussian(self) -> bool:
        """Whether it is video that VideoDecoder decodes; a file that tells no codecs may be."""
        codecs = self.levels[-1].codecs.lower()
        return self.kind == "video" and (not codecs or any(c.strip().startswith("gsv1") for c in codecs.split(",")))


@dataclass(frozen=True, slots=True)
class Presentation:
    """Everything that one manifest names. is_live: more may follow. target_seconds: of the longest segment.
    update_seconds: how long to wait before a live one is read again. delay_seconds: how far behind its end to begin.
    in_pieces: a live one is played piece by piece near its end."""

    url: str
    tracks: tuple[Track, ...]
    is_live: bool = False
    target_seconds: Fraction = Fraction(0)
    update_seconds: Fraction = Fraction(0)
    delay_seconds: Fraction = Fraction(0)
    notes: tuple[str, ...] = ()
    in_pieces: bool = False

    def __post_init__(self) -> None:
        for seconds in (self.target_seconds, self.update_seconds, self.delay_seconds):
            if not 0 <= seconds <= MAX_SECONDS:
                raise InvalidError(f"{self.url}: times of 0 to {MAX_SECONDS} s wanted, here they are not")

    def renditions(self, kind: str, video: Track | None = None) -> tuple[Track, ...]:
        """Tracks of a kind that go with a video track, the default one first."""
        found = [t for t in self.tracks if t.kind == kind and t.segments]
        if video is not None and video.groups:
            found = [t for t in found if not t.group or t.group in video.groups]
        return tuple(sorted(found, key=lambda t: not t.is_default))


def resolve(base: str, reference: str) -> str:
    """A reference within a manifest as a path or URL. A manifest from the network cannot name local files."""
    if "://" in base or "://" in reference:
        try:
            url = urllib.parse.urljoin(base, reference)
        except ValueError as error:
            raise InvalidError(f"{base}: names {reference}, which is no URL ({error})") from error
        if not url.startswith(("http://", "https://")):
            raise InvalidError(f"{base}: names {reference}, only http:// and https:// can be fetched")
        return url
    return os.path.join(os.path.dirname(base), urllib.parse.unquote(reference.partition("?")[0]))


def newer(old: Sequence[Segment], new: Sequence[Segment]) -> tuple[Segment, ...]:
    """What a manifest that was read again names behind what is known. Where pieces of a segment are known that is only
    named as a whole by now, the rest of it comes first."""
    last = old[-1] if old else None
    if last is None:
        return tuple(new)
    found = tuple(s for s in new if s.place > last.place)
    whole = next((s for s in new if not s.is_piece and s.cut is None and s.place[:2] == last.place[:2]), None)
    if whole is None or not last.is_piece:
        return found
    rest = whole.seconds - sum(s.seconds for s in old if s.place[:2] == last.place[:2])
    if rest < _SHORTEST_REST:
        return found
    return replace(whole, seconds=rest, piece=last.piece + 1, cut=(last.piece + 1, None)), *found


def moved(old: Sequence[Segment], new: Sequence[Segment]) -> tuple[Segment, ...]:
    """What is known, where it can be had now: pieces that are not named any more are cut out of their whole segment."""
    whole = {s.place[:2]: s for s in new if not s.is_piece and s.cut is None}
    return tuple(
        replace(s, media=w.media, ends=w.ends, init=w.init, is_piece=False, cut=(s.piece, 1))
        if s.is_piece and (w := whole.get(s.place[:2]))
        else s
        for s in old
    )


def extended(track: Track, found: Track) -> Track:
    """A track with what it has more where its manifest was read again (found); what is known keeps its place."""
    old, new = track.segments, found.segments
    return replace(track, segments=(*moved(old, new), *newer(old, new)))


def layered(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Tracks of one level each, those over the same resources joined to one track of several levels."""
    families: dict[tuple[object, ...], list[Track]] = {}
    for number, track in enumerate(tracks):
        key: tuple[object, ...] = (number,)
        if track.kind == "video" and all(s.ends[-1] is not None for s in track.segments):
            key = ("video", *((s.init, s.media.url, s.media.offset) for s in track.segments))
        families.setdefault(key, []).append(track)
    return tuple(_joined(family) for family in families.values())


def _joined(family: list[Track]) -> Track:
    if len(family) == 1:
        return family[0]
    rungs = sorted(family, key=lambda t: sum(s.ends[-1] or 0 for s in t.segments))
    best = rungs[-1]
    segments = tuple(
        replace(parts[-1], ends=tuple(p.ends[-1] for p in parts))
        for parts in zip(*(r.segments for r in rungs), strict=True)
    )
    return replace(best, levels=tuple(r.levels[-1] for r in rungs), segments=segments)
