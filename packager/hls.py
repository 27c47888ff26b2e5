"""HLS playlists of a presentation (RFC 8216 and its second edition): text from a record, nothing is read or written.

    master.m3u8 -> rung.m3u8 (a rung each) · rung_iframes.m3u8 · audio and subtitle playlists

Several rungs over one layered file name the same segments with `EXT-X-BYTERANGE:n@0`, n growing with the layers.

Of a live stream with partial segments those of the last three target durations are named, and the next one:

    … #EXTINF seg_6 │ #EXT-X-PART part_25 … part_28 #EXTINF seg_7 │ #EXT-X-PART part_29 #EXT-X-PRELOAD-HINT part_30
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from packager.presentation import (
    ByteRange,
    Live,
    Partial,
    PublishedPresentation,
    PublishedSegment,
    Representation,
    Subtitles,
    families,
)

VERSION = 7
#: Of media playlists that may be answered with EXT-X-SKIP (second edition, §8).
LOW_LATENCY_VERSION = 9
#: PART-HOLD-BACK in durations of a partial segment, CAN-SKIP-UNTIL in target durations (second edition, §4.4.3.8).
_HOLD_BACK, _SKIP_UNTIL = 3, 6
MASTER = "master.m3u8"
AUDIO_GROUP, SUBTITLE_GROUP = "audio", "subtitles"


def playlists(p: PublishedPresentation) -> dict[str, str]:
    """All playlists by name, the master last, so that nothing names what is not there yet."""
    if p.live is not None:
        subtitles = {subtitle_name(s): live_subtitles(place, p.live) for place, s in enumerate(p.subtitles)}
        return growing_playlists(p) | subtitles | {MASTER: master_playlist(p)}
    found = {media_name(r): media_playlist(r) for r in (*p.video, *p.audio)}
    found |= {subtitle_name(s): subtitle_playlist(s) for s in p.subtitles}
    found |= {iframe_name(r): iframe_playlist(r) for r in key_rungs(p)}
    return found | {MASTER: master_playlist(p)}


def growing_playlists(p: PublishedPresentation) -> dict[str, str]:
    """Of a live presentation the playlists that a new partial segment changes: those of rungs and audio."""
    assert p.live is not None
    media = (*p.video, *p.audio)
    found = {}
    for r in media:
        lines = _live_lines(p.over_parts(r), p.live)
        if p.live.partial_target is not None and not p.live.ended:
            lines += [_report(q, p.live) for q in media if q.id != r.id]
        found[media_name(r)] = _finish(lines) if p.live.ended else "\n".join(lines) + "\n"
    return found


def media_name(r: Representation) -> str:
    """Name of a representation's playlist."""
    return f"{r.id}.m3u8"


def iframe_name(r: Representation) -> str:
    """Name of a rung's playlist of key frames."""
    return f"{r.id}_iframes.m3u8"


def subtitle_name(s: Subtitles) -> str:
    """Name of a language's playlist."""
    return f"{s.id}.m3u8"


def key_rungs(p: PublishedPresentation) -> list[Representation]:
    """Rungs with a playlist of key frames: the first of a layered file, as all its rungs share the base; all others."""
    return [r for r in p.video if r.layer in (None, 1) and all(s.key for s in r.segments)]


def master_playlist(p: PublishedPresentation) -> str:
    """The multivariant playlist: renditions, variants from the best to the least, key-frame variants."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    for place, r in enumerate(p.audio):
        lines.append(_tag("EXT-X-MEDIA", _audio_attributes(r, is_default=place == 0)))
    lines += [_tag("EXT-X-MEDIA", _subtitle_attributes(s)) for s in p.subtitles]
    if p.audio or p.subtitles:
        lines.append("")
    for rungs in families(p.video):
        for r in rungs:
            lines += [_tag("EXT-X-STREAM-INF", _variant(p, r)), media_name(r)]
    if p.live is None:
        keys = [_tag("EXT-X-I-FRAME-STREAM-INF", _key_variant(r)) for r in key_rungs(p)]
        lines += ["", *keys] if keys else []
    return "\n".join(lines) + "\n"


def _variant(p: PublishedPresentation, r: Representation) -> dict[str, str]:
    width, height = r.track.shown_size
    return {
        "BANDWIDTH": str(p.peak_bps(r) + p.audio_peak_bps),
        "AVERAGE-BANDWIDTH": str(p.average_bps(r) + p.audio_average_bps),
        "SCORE": f"{r.score:g}",
        "CODECS": _quoted(",".join((r.track.codecs, *p.audio_codecs))),
        "RESOLUTION": f"{width}x{height}",
        "FRAME-RATE": decimal(r.track.frame_rate, 3),
        "VIDEO-RANGE": r.track.video_range,
        **({"AUDIO": _quoted(AUDIO_GROUP)} if p.audio else {}),
        **({"SUBTITLES": _quoted(SUBTITLE_GROUP)} if p.subtitles else {}),
        "CLOSED-CAPTIONS": "NONE",
    }


def _key_variant(r: Representation) -> dict[str, str]:
    width, height = r.track.shown_size
    return {
        "BANDWIDTH": str(r.key_peak_bps),
        "SCORE": f"{r.score:g}",
        "CODECS": _quoted(r.track.codecs),
        "RESOLUTION": f"{width}x{height}",
        "VIDEO-RANGE": r.track.video_range,
        "URI": _quoted(iframe_name(r)),
    }


def _audio_attributes(r: Representation, *, is_default: bool) -> dict[str, str]:
    return {
        "TYPE": "AUDIO",
        "GROUP-ID": _quoted(AUDIO_GROUP),
        "NAME": _quoted(r.track.name),
        "LANGUAGE": _quoted(r.track.language),
        "DEFAULT": "YES" if is_default else "NO",
        "AUTOSELECT": "YES",
        "CHANNELS": _quoted(str(r.track.channels)),
        "URI": _quoted(media_name(r)),
    }


def _subtitle_attributes(s: Subtitles) -> dict[str, str]:
    return {
        "TYPE": "SUBTITLES",
        "GROUP-ID": _quoted(SUBTITLE_GROUP),
        "NAME": _quoted(s.name),
        "LANGUAGE": _quoted(s.language),
        "DEFAULT": "NO",
        "AUTOSELECT": "YES",
        "FORCED": "NO",
        "URI": _quoted(subtitle_name(s)),
    }


def media_playlist(r: Representation) -> str:
    """The playlist of a rung or an audio track."""
    lines = [*_head(max(r.seconds(s) for s in r.segments)), "#EXT-X-INDEPENDENT-SEGMENTS", _map(r)]
    for segment in r.segments:
        lines += _segment_lines(segment, r.seconds(segment))
    return _finish(lines)


def _live_lines(parts: Sequence[Representation], live: Live) -> list[str]:
    """The playlist of a rung or an audio track that grows; a new input is a discontinuity with an init segment of its
    own."""
    lines = [*_live_head(live), "#EXT-X-INDEPENDENT-SEGMENTS"]
    for number, r in enumerate(parts):
        lines += ["#EXT-X-DISCONTINUITY"] * (number > 0) + [_map(r)]
        for segment in r.segments:
            lines += _segment_lines(segment, r.seconds(segment), _partial_lines(r, segment.partials))
        if r.partials:
            lines += [*_time_lines(r.partials[0].at), *_partial_lines(r, r.partials)]
        if r.hint:
            lines.append(_tag("EXT-X-PRELOAD-HINT", {"TYPE": "PART", "URI": _quoted(r.hint)}))
    return lines


def _partial_lines(r: Representation, partials: Sequence[Partial]) -> list[str]:
    return [
        _tag("EXT-X-PART", {"DURATION": decimal(r.seconds(p), 6), "URI": _quoted(p.uri), "INDEPENDENT": "YES"})
        for p in partials
    ]


def _report(r: Representation, live: Live) -> str:
    """What the playlist of another representation ends with."""
    whole = sum(len(q.video[0].segments) for q in live.parts)
    attributes = {"URI": _quoted(media_name(r)), "LAST-MSN": str(live.media_sequence + whole - (not r.partials))}
    last = r.partials or (r.segments[-1].partials if r.segments else ())
    if last:
        attributes["LAST-PART"] = str(len(last) - 1)
    return _tag("EXT-X-RENDITION-REPORT", attributes)


def live_subtitles(place: int, live: Live) -> str:
    """The playlist of the language at that place, while it grows."""
    lines = _live_head(live)
    for number, part in enumerate(live.parts):
        lines += ["#EXT-X-DISCONTINUITY"] * (number > 0)
        for segment in part.subtitles[place].segments:
            lines += [f"#EXTINF:{decimal(segment.duration, 6)},", segment.uri]
    return _finish(lines) if live.ended else "\n".join(lines) + "\n"


def _live_head(live: Live) -> list[str]:
    kind = "#EXT-X-PLAYLIST-TYPE:EVENT" if live.window is None else f"#EXT-X-DISCONTINUITY-SEQUENCE:{live.first_part}"
    told = []
    if live.partial_target is not None:
        control = {
            "CAN-BLOCK-RELOAD": "YES",
            "CAN-SKIP-UNTIL": decimal(Fraction(_SKIP_UNTIL * live.target), 3),
            "PART-HOLD-BACK": decimal(_HOLD_BACK * live.partial_target, 3),
        }
        target = {"PART-TARGET": decimal(live.partial_target, 3)}
        told = [_tag("EXT-X-SERVER-CONTROL", control), _tag("EXT-X-PART-INF", target)]
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION if live.partial_target is None else LOW_LATENCY_VERSION}",
        f"#EXT-X-TARGETDURATION:{live.target}",
        *told,
        f"#EXT-X-MEDIA-SEQUENCE:{live.media_sequence}",
        kind,
    ]


def _time_lines(at: datetime | None) -> Iterable[str]:
    if at is not None:
        yield f"#EXT-X-PROGRAM-DATE-TIME:{at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"


def _segment_lines(s: PublishedSegment, seconds: Fraction, partials: Iterable[str] = ()) -> Iterable[str]:
    yield from _time_lines(s.at)
    yield from partials
    yield f"#EXTINF:{decimal(seconds, 6)},"
    if s.place is not None:
        yield f"#EXT-X-BYTERANGE:{_range(s.place)}"
    yield s.uri


def iframe_playlist(r: Representation) -> str:
    """Key frames only: the ranges of the fragments that hold them, moof included."""
    lines = _head(max(r.seconds(s) for s in r.segments))
    lines += ["#EXT-X-I-FRAMES-ONLY", _map(r)]
    for s in r.segments:
        assert s.key is not None
        lines += [f"#EXTINF:{decimal(r.seconds(s), 6)},", f"#EXT-X-BYTERANGE:{_range(s.key)}", s.uri]
    return _finish(lines)


def subtitle_playlist(s: Subtitles) -> str:
    """The WebVTT files of a language."""
    lines = _head(max(x.duration for x in s.segments))
    for segment in s.segments:
        lines += [f"#EXTINF:{decimal(segment.duration, 6)},", segment.uri]
    return _finish(lines)


def _head(longest: Fraction) -> list[str]:
    target = max(1, math.floor(longest + Fraction(1, 2)))
    return ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", f"#EXT-X-TARGETDURATION:{target}", "#EXT-X-PLAYLIST-TYPE:VOD"]


def _finish(lines: list[str]) -> str:
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _map(r: Representation) -> str:
    place = {} if r.init_place is None else {"BYTERANGE": _quoted(_range(r.init_place))}
    return _tag("EXT-X-MAP", {"URI": _quoted(r.init), **place})


def _range(place: ByteRange) -> str:
    return f"{place.size}@{place.offset}"


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    return f"#{name}:" + ",".join(f"{key}={value}" for key, value in attributes.items())


def _quoted(text: str) -> str:
    """A quoted string; what cannot stand in one is replaced."""
    return '"' + "".join("'" if c == '"' else " " if c in "\r\n" else c for c in text) + '"'


def decimal(value: Fraction, places: int) -> str:
    """A number rounded to nearest at so many decimals."""
    scaled = math.floor(value * 10**places + Fraction(1, 2))
    return f"{scaled // 10**places}.{scaled % 10**places:0{places}}"
