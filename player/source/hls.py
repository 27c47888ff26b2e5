"""HLS playlists (RFC 8216) to the record. The package m3u8 parses them; nothing here knows how ours are written."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import m3u8

from gvideo.errors import GVideoError, InvalidError
from packager.playlist_variables import substitute
from player.source.fetch import Fetched, Fetcher
from player.source.hls_delta import whole_playlist
from player.source.record import Edge, Level, PlaylistCopy, Presentation, Resource, Segment, Track, layered, resolve

_BYTES = re.compile(r"([0-9]{1,18})(?:@([0-9]{1,18}))?")
KINDS = ("video", "audio", "subtitles")
#: Stands for the address of a segment that is not whole yet.
_OPEN = "?open"
#: PART-HOLD-BACK where it is not given (s, in PART-TARGET), HOLD-BACK in target durations.
_HOLD_BACK = 3


def read_hls(
    url: str, fetcher: Fetcher, *, kinds: tuple[str, ...] = KINDS, codec: str = "", in_pieces: bool = False
) -> Presentation:
    """A multivariant or media playlist with the media playlists that it names.

    kinds: of tracks that are wanted. codec: variants with other codecs are passed over. in_pieces: segments that are
    offered in parts are listed part by part, also those that are not whole yet.
    Raises MediaError where one cannot be fetched, InvalidError where it cannot be read; both name it.
    """
    found = fetcher.whole(url)
    sent = _text(found)
    text, variables = substitute(sent, found.url, {})
    playlist = _parse(found.url, text)
    if not playlist.is_variant:
        alone = Track("video", (Level(url, url=found.url),), (), in_pieces=in_pieces)
        track = _with_copy(_track(found.url, playlist, alone), sent, playlist)
        return _presentation(found.url, [(track, playlist)])
    tracks: list[tuple[Track, Any]] = []
    notes: list[str] = []
    if "video" in kinds:
        variants = _variants(found.url, playlist, codec, tuple(variables.items()))
        tracks += [_load(replace(t, in_pieces=in_pieces), fetcher) for t in variants]
    for media in playlist.media:
        kind = (media.type or "").lower()
        if kind in kinds and kind != "video" and media.uri:
            level = Level(media.uri, url=resolve(found.url, media.uri), variables=tuple(variables.items()))
            named = Track(
                kind, (level,), (), media.language or "", media.name or "", f"{kind}:{media.group_id or ''}",
                is_default=media.default == "YES", in_pieces=in_pieces and kind == "audio",
            )  # fmt: skip
            try:
                tracks.append(_load(named, fetcher))
            except GVideoError as error:  # the picture plays without it
                notes.append(f"{kind} {named.name!r} is left out: {error}")
    return replace(_presentation(found.url, tracks), notes=tuple(notes))


def reload_track(track: Track, fetcher: Fetcher) -> tuple[Track, bool]:
    """A track as its media playlists name it now, and whether more may follow. Where the server holds answers it is
    asked for what is not known yet, and that is waited for."""
    single = [replace(track, levels=(level,), segments=()) for level in track.levels]
    found = [_load(t, fetcher) for t in single]
    # playlists of one live rung are read one after the other: what only some name yet comes with the next look
    common = set.intersection(*({s.place for s in t.segments} for t, _ in found))
    cut = [replace(t, segments=tuple(s for s in t.segments if s.place in common)) for t, _ in found]
    return layered(cut)[0], any(not playlist.is_endlist for _, playlist in found)


def _variants(url: str, playlist: Any, codec: str, variables: tuple[tuple[str, str], ...]) -> list[Track]:
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
            variant.uri, info.codecs or "", width, height, info.bandwidth or 0, info.average_bandwidth or 0, where,
            variables,
        )  # fmt: skip
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
    tracks = [track for track, _ in found]
    is_live = any(not playlist.is_endlist for track, playlist in found if track.kind == "video")
    edges = [t.edge for t in tracks if t.edge and t.kind == "video"]
    if is_live and edges:
        update, delay = max(e.part_seconds for e in edges), max(e.hold_back_seconds for e in edges)
    else:
        update, delay = target, _HOLD_BACK * target
    return Presentation(url, layered(tracks), is_live, target, update, delay, in_pieces=bool(is_live and edges))


def _load(track: Track, fetcher: Fetcher) -> tuple[Track, Any]:
    """A track of one level with what its media playlist names."""
    url = track.levels[0].url
    copy = track.edge.copy if track.edge else None
    if copy is not None and (copy.url != url or time.monotonic() - copy.read_at > copy.skip_seconds / 2):
        copy = None  # so old a copy may lack what is left out of an answer
    found = fetcher.whole(_asked(track, skip=copy is not None))
    text = _text(found)
    if copy is not None:
        merged = whole_playlist(text, copy.text)
        if merged is None:
            found = fetcher.whole(_asked(track, skip=False))
            merged = _text(found)
        text = merged
    playlist = _parse(found.url, substitute(text, found.url, dict(track.levels[0].variables))[0])
    return _with_copy(_track(found.url, playlist, track), text, playlist), playlist


def _with_copy(track: Track, text: str, playlist: Any) -> Track:
    """The track with its playlist kept as it was sent, if the server can leave out of the next answer what is in it."""
    url, control = track.levels[0].url, playlist.server_control
    if track.edge is None or not control or not control.can_skip_until or "://" not in url:
        return track
    skip = _seconds(url, "CAN-SKIP-UNTIL", control.can_skip_until)
    return replace(track, edge=replace(track.edge, copy=PlaylistCopy(url, text, time.monotonic(), skip)))


def _asked(track: Track, skip: bool) -> str:
    """The address of a track's media playlist, with what its server shall wait for and leave out."""
    url = track.levels[0].url
    queries = [track.edge.following] if track.edge and track.edge.following else []
    queries += ["_HLS_skip=YES"] * skip
    return url + "".join(("&" if "?" in url or n else "?") + query for n, query in enumerate(queries))


def _text(found: Fetched) -> str:
    text = found.data.decode("utf-8", "replace").lstrip("\ufeff")
    if not text.startswith("#EXTM3U"):
        raise InvalidError(f"{found.url}: #EXTM3U is missing, this is no playlist")
    return text


def _parse(url: str, text: str) -> Any:
    lines = text.splitlines()
    last = max((n for n, line in enumerate(lines) if line and not line.startswith("#")), default=0)
    if any(line.startswith("#EXT-X-PART:") for line in lines[last:]):  # the parser wants an end to what is not whole
        text = f"{text}\n#EXTINF:0,\n{_OPEN}"
    try:
        return m3u8.loads(text)
    except Exception as error:  # whatever a parser raises on hostile text
        raise InvalidError(f"{url}: the playlist cannot be read ({type(error).__name__}: {error})") from error


def _track(url: str, playlist: Any, track: Track) -> Track:
    segments: list[Segment] = []
    next_offset: dict[str, int] = {}
    part, first = playlist.discontinuity_sequence or 0, playlist.media_sequence or 0
    in_pieces = track.in_pieces and not playlist.is_endlist
    for number, entry in enumerate(playlist.segments):
        is_open = entry.uri == _OPEN
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
        part += bool(entry.discontinuity)
        seconds = _seconds(url, f"segment {number}: EXTINF", entry.duration)
        segment = Segment(init, media, seconds, (media.size,), part, first + number)
        if in_pieces and entry.parts:
            segments += _pieces(url, entry.parts, segment)
        elif not entry.gap_tag and not is_open:  # it is not there, and nobody should ask for it
            segments.append(segment)
    return replace(track, segments=tuple(segments), edge=_edge(url, playlist, first) if in_pieces else None)


def _pieces(url: str, parts: Any, segment: Segment) -> list[Segment]:
    """The parts of a segment, but for those that are not there."""
    found = []
    next_offset: dict[str, int] = {}
    for number, each in enumerate(parts):
        if not each.uri or each.duration is None:
            raise InvalidError(f"{url}: a part of segment {segment.number} lacks its DURATION or its URI")
        where = resolve(url, each.uri)
        media = _range(url, where, (each.byterange or "").strip('"'), next_offset.get(where, 0))
        if media.size is not None:
            next_offset[where] = media.offset + media.size
        seconds = _seconds(url, f"a part of segment {segment.number}: DURATION", each.duration)
        if each.gap != "YES":
            found.append(
                replace(segment, media=media, ends=(media.size,), seconds=seconds, piece=number, is_piece=True)
            )
    return found


def _edge(url: str, playlist: Any, first: int) -> Edge | None:
    """How the end of a playlist is followed, None if it does not offer parts."""
    if playlist.part_inf is None or not any(entry.parts for entry in playlist.segments):
        return None
    target = _seconds(url, "EXT-X-PART-INF: PART-TARGET", playlist.part_inf.part_target)
    control, hinted = playlist.server_control, playlist.preload_hint
    back = control.part_hold_back if control else None
    last = playlist.segments[-1]
    count = len(last.parts) if last.uri == _OPEN else 0
    following = ""
    if control and control.can_block_reload == "YES" and "://" in url:  # a file on a disk is not held back
        following = f"_HLS_msn={first + len(playlist.segments) - bool(count)}&_HLS_part={count}"
    hint = None
    if hinted and hinted.hint_type == "PART" and hinted.uri and not hinted.byterange_start:
        hint = Resource(resolve(url, hinted.uri), 0, hinted.byterange_length)
    return Edge(target, _HOLD_BACK * target if back is None else _seconds(url, "PART-HOLD-BACK", back), following, hint)


def _seconds(url: str, what: str, value: object) -> Fraction:
    try:
        return Fraction(str(value))
    except ValueError as error:
        raise InvalidError(f"{url}: {what} is {value}") from error


def _range(playlist: str, url: str, text: str | None, follows: int) -> Resource:
    """`size[@offset]`: without an offset it follows the range before it in the same resource."""
    if not text:
        return Resource(url)
    found = _BYTES.fullmatch(text.strip())
    if found is None:
        raise InvalidError(f"{playlist}: byte range {text!r}: size@offset wanted")
    return Resource(url, int(found[2]) if found[2] else follows, int(found[1]))
