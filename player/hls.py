"""HLS playlists (RFC 8216) to the record. The package m3u8 parses them; nothing here knows how ours are written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import m3u8

from gvideo.errors import InvalidError
from player.fetch import Fetched, Fetcher
from player.record import Level, Presentation, Resource, Segment, Track, layered, resolve


def read_hls(url: str, fetcher: Fetcher, *, kinds: tuple[str, ...] = ("video",), codec: str = "") -> Presentation:
    """A multivariant or media playlist with the media playlists that it names.

    kinds: of tracks that are wanted: "video", "audio", "subtitles". codec: variants with other codecs are passed over.
    Raises MediaError where one cannot be fetched, InvalidError where it cannot be read; both name it.
    """
    found = fetcher.whole(url)
    playlist = _parse(found)
    if not playlist.is_variant:
        track = _track(found.url, playlist, "video", Level(url))
        return _presentation(found.url, [(track, playlist)])
    tracks: list[tuple[Track, Any]] = []
    if "video" in kinds:
        for variant in playlist.playlists:
            info = variant.stream_info
            if codec and info.codecs and codec not in info.codecs:
                continue
            width, height = info.resolution or (0, 0)
            level = Level(
                variant.uri, info.codecs or "", width, height, info.bandwidth or 0, info.average_bandwidth or 0
            )
            tracks.append(_load(resolve(found.url, variant.uri), fetcher, "video", level))
    for media in playlist.media:
        kind = (media.type or "").lower()
        if kind in kinds and media.uri:
            where = resolve(found.url, media.uri)
            tracks.append(_load(where, fetcher, kind, Level(media.uri), media.language or "", media.name or ""))
    return _presentation(found.url, tracks)


def _presentation(url: str, found: list[tuple[Track, Any]]) -> Presentation:
    return Presentation(
        url,
        layered([track for track, _ in found]),
        any(not playlist.is_endlist for _, playlist in found),
        Fraction(max((playlist.target_duration or 0 for _, playlist in found), default=0)),
    )


def _load(url: str, fetcher: Fetcher, kind: str, level: Level, language: str = "", name: str = "") -> tuple[Track, Any]:
    found = fetcher.whole(url)
    playlist = _parse(found)
    return _track(found.url, playlist, kind, level, language, name), playlist


def _parse(found: Fetched) -> Any:
    text = found.data.decode("utf-8", "replace").lstrip("\ufeff")
    if not text.startswith("#EXTM3U"):
        raise InvalidError(f"{found.url}: #EXTM3U is missing, this is no playlist")
    try:
        return m3u8.loads(text)
    except Exception as error:  # whatever a parser raises on hostile text
        raise InvalidError(f"{found.url}: the playlist cannot be read ({type(error).__name__}: {error})") from error


def _track(url: str, playlist: Any, kind: str, level: Level, language: str = "", name: str = "") -> Track:
    segments: list[Segment] = []
    next_offset: dict[str, int] = {}
    for number, entry in enumerate(playlist.segments):
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
        segments.append(Segment(init, media, seconds, (media.size,), bool(entry.discontinuity and number)))
    return Track(kind, (level,), tuple(segments), language, name)


def _range(playlist: str, url: str, text: str | None, follows: int) -> Resource:
    """`size[@offset]`: without an offset it follows the range before it in the same resource."""
    if not text:
        return Resource(url)
    size, _, offset = text.partition("@")
    if not size.isdecimal() or (offset and not offset.isdecimal()):
        raise InvalidError(f"{playlist}: byte range {text!r}: size@offset wanted")
    return Resource(url, int(offset) if offset else follows, int(size))
