"""HLS playlists (RFC 8216) to the record. The package m3u8 parses them; nothing here knows how ours are written."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import m3u8

from gvideo.errors import GVideoError, InvalidError
from player.source.fetch import Fetched, Fetcher
from player.source.record import Level, Presentation, Resource, Segment, Track, layered, resolve

_BYTES = re.compile(r"([0-9]{1,18})(?:@([0-9]{1,18}))?")
KINDS = ("video", "audio", "subtitles")


def read_hls(url: str, fetcher: Fetcher, *, kinds: tuple[str, ...] = KINDS, codec: str = "") -> Presentation:
    """A multivariant or media playlist with the media playlists that it names.

    kinds: of tracks that are wanted. codec: variants with other codecs are passed over.
    Raises MediaError where one cannot be fetched, InvalidError where it cannot be read; both name it.
    """
    found = fetcher.whole(url)
    playlist = _parse(found)
    if not playlist.is_variant:
        track = _track(found.url, playlist, Track("video", (Level(url, url=found.url),), ()))
        return _presentation(found.url, [(track, playlist)])
    tracks: list[tuple[Track, Any]] = []
    notes: list[str] = []
    if "video" in kinds:
        tracks += [_load(t, fetcher) for t in _variants(found.url, playlist, codec)]
    for media in playlist.media:
        kind = (media.type or "").lower()
        if kind in kinds and kind != "video" and media.uri:
            level = Level(media.uri, url=resolve(found.url, media.uri))
            named = Track(
                kind, (level,), (), media.language or "", media.name or "", f"{kind}:{media.group_id or ''}",
                is_default=media.default == "YES",
            )  # fmt: skip
            try:
                tracks.append(_load(named, fetcher))
            except GVideoError as error:  # the picture plays without it
                notes.append(f"{kind} {named.name!r} is left out: {error}")
    return replace(_presentation(found.url, tracks), notes=tuple(notes))


def reload_track(track: Track, fetcher: Fetcher) -> tuple[Track, bool]:
    """A track as its media playlists name it now, and whether more may follow."""
    single = [replace(track, levels=(level,), segments=()) for level in track.levels]
    found = [_load(t, fetcher) for t in single]
    # playlists of one live rung are read one after the other: what only some name yet comes with the next look
    common = set.intersection(*({s.place for s in t.segments} for t, _ in found))
    cut = [replace(t, segments=tuple(s for s in t.segments if s.place in common)) for t, _ in found]
    return layered(cut)[0], any(not playlist.is_endlist for _, playlist in found)


def _variants(url: str, playlist: Any, codec: str) -> list[Track]:
    """Video tracks of one level without segments. A playlist that several variants name, for several groups of sound,
    is one track that goes with all of them."""
    found: dict[str, Track] = {}
    for variant in playlist.playlists:
        info = variant.stream_info
        if codec and info.codecs and codec not in info.codecs:
            continue
        where = resolve(url, variant.uri)
        named = (("audio", info.audio), ("subtitles", info.subtitles))
        groups = frozenset(f"{kind}:{group}" for kind, group in named if group)
        width, height = info.resolution or (0, 0)
        level = Level(
            variant.uri, info.codecs or "", width, height, info.bandwidth or 0, info.average_bandwidth or 0, where
        )
        known = found.get(where)
        if known is None or (known.levels[0].average_bps or known.levels[0].peak_bps) > (
            level.average_bps or level.peak_bps
        ):
            found[where] = Track("video", (level,), (), groups=groups | (known.groups if known else frozenset()))
        else:
            found[where] = replace(known, groups=known.groups | groups)
    return list(found.values())


def _presentation(url: str, found: list[tuple[Track, Any]]) -> Presentation:
    target = Fraction(max((playlist.target_duration or 0 for _, playlist in found), default=0))
    return Presentation(
        url,
        layered([track for track, _ in found]),
        any(not playlist.is_endlist for track, playlist in found if track.kind == "video"),
        target,
        target,
        3 * target,
    )


def _load(track: Track, fetcher: Fetcher) -> tuple[Track, Any]:
    """A track of one level with what its media playlist names."""
    found = fetcher.whole(track.levels[0].url)
    playlist = _parse(found)
    return _track(found.url, playlist, track), playlist


def _parse(found: Fetched) -> Any:
    text = found.data.decode("utf-8", "replace").lstrip("\ufeff")
    if not text.startswith("#EXTM3U"):
        raise InvalidError(f"{found.url}: #EXTM3U is missing, this is no playlist")
    try:
        return m3u8.loads(text)
    except Exception as error:  # whatever a parser raises on hostile text
        raise InvalidError(f"{found.url}: the playlist cannot be read ({type(error).__name__}: {error})") from error


def _track(url: str, playlist: Any, track: Track) -> Track:
    segments: list[Segment] = []
    next_offset: dict[str, int] = {}
    part, first = playlist.discontinuity_sequence or 0, playlist.media_sequence or 0
    for number, entry in enumerate(playlist.segments):
        if not entry.uri and entry.parts:  # of a segment that is not whole yet
            continue
        if not entry.uri or entry.duration is None:
            raise InvalidError(f"{url}: segment {number} lacks its EXTINF or its URI")
        if entry.key is not None and entry.key.method not in (None, "NONE"):
            raise InvalidError(f"{url}: segment {number} is encrypted, which is not supported")
        where = resolve(url, entry.uri)
        media = _range(url, where, entry.byterange, next_offset.get(where, 0))
        if media.size is not None:
            next_offset[where] = media.offset + media.size
        init = Resource("")
        if entry.init_section is not None:
            init = _range(url, resolve(url, entry.init_section.uri), entry.init_section.byterange, 0)
        try:
            seconds = Fraction(str(entry.duration))
        except ValueError as error:
            raise InvalidError(f"{url}: segment {number}: EXTINF is {entry.duration}") from error
        part += bool(entry.discontinuity and number)
        if not entry.gap_tag:  # it is not there, and nobody should ask for it
            segments.append(Segment(init, media, seconds, (media.size,), part, first + number))
    return replace(track, segments=tuple(segments))


def _range(playlist: str, url: str, text: str | None, follows: int) -> Resource:
    """`size[@offset]`: without an offset it follows the range before it in the same resource."""
    if not text:
        return Resource(url)
    found = _BYTES.fullmatch(text.strip())
    if found is None:
        raise InvalidError(f"{playlist}: byte range {text!r}: size@offset wanted")
    return Resource(url, int(found[2]) if found[2] else follows, int(found[1]))
