"""The DASH manifest of a presentation (ISO/IEC 23009-1): text from a record, nothing is read or written.

Segments with numbered names: SegmentTemplate and SegmentTimeline. A file with an index over itself: SegmentBase.
Rungs over a layered file: SegmentList with mediaRange, a prefix of every segment each.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from fractions import Fraction

from packager.presentation import (
    ByteRange,
    Live,
    PublishedPresentation,
    PublishedSegment,
    Representation,
    Subtitles,
    families,
)

MANIFEST = "manifest.mpd"
NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_LIVE_PROFILE, _MAIN_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011", "urn:mpeg:dash:profile:full:2011"
_ON_DEMAND_PROFILE = "urn:mpeg:dash:profile:isoff-on-demand:2011"
#: A clock that every web server has: the Date of its answer. What serves the manifest is asked.
_CLOCK = "urn:mpeg:dash:utc:http-head:2014"
#: Seconds between two looks of a client at a manifest that grows: a segment, but no more and no less.
_UPDATE_SECONDS = Fraction(1, 2), Fraction(2)


def manifest(p: PublishedPresentation) -> str:
    """The MPD as text."""
    root = ElementTree.Element("MPD", _root_attributes(p))
    if p.title:
        _child(_child(root, "ProgramInformation"), "Title").text = p.title
    if p.live is None:
        _fill(_child(root, "Period", id="0", start="PT0S"), p)
    else:
        _live_periods(root, p, p.live)
        if not p.live.ended:
            _child(root, "UTCTiming", schemeIdUri=_CLOCK, value=MANIFEST)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _root_attributes(p: PublishedPresentation) -> dict[str, str]:
    attributes = {
        "xmlns": NAMESPACE,
        "profiles": _profile(p),
        "minBufferTime": iso_duration(p.longest_segment),
        "maxSegmentDuration": iso_duration(p.longest_segment),
    }
    if p.live is None:
        return attributes | {"type": "static", "mediaPresentationDuration": iso_duration(p.duration)}
    if p.live.ended:
        return attributes | {"type": "static", "mediaPresentationDuration": iso_duration(p.duration)}
    attributes |= {
        "type": "dynamic",
        "availabilityStartTime": _moment(p.live.started),
        "publishTime": _moment(
            max((s.at for q in p.parts for s in q.video[0].segments if s.at), default=p.live.started)
        ),
        "minimumUpdatePeriod": iso_duration(max(_UPDATE_SECONDS[0], min(_UPDATE_SECONDS[1], p.longest_segment))),
        "suggestedPresentationDelay": iso_duration(3 * p.longest_segment),
    }
    if p.live.window is not None:
        attributes["timeShiftBufferDepth"] = iso_duration(p.live.window)
    return attributes


def _profile(p: PublishedPresentation) -> str:
    rungs = [r for q in p.parts for r in (*q.video, *q.audio)]
    if all(r.template for r in rungs):
        return _LIVE_PROFILE
    return _ON_DEMAND_PROFILE if all(r.index for r in rungs) else _MAIN_PROFILE


def _live_periods(root: ElementTree.Element, p: PublishedPresentation, live: Live) -> None:
    """A period for every input. While it grows, periods stand where they began; at its end what is left begins at 0.
    Where nothing came for a while between two inputs, the first one says how long it is."""
    at = Fraction(0)
    for number, (part, begun) in enumerate(zip(live.parts, live.starts, strict=True)):
        start = at if live.ended else begun
        period = _child(root, "Period", id=str(live.first_part + number), start=iso_duration(start))
        _fill(period, part)
        first = part.video[0]
        zero = Fraction(first.segments[0].start, first.timescale)
        length = zero + part.duration
        if not live.ended and number + 1 < len(live.parts) and begun + length < live.starts[number + 1]:
            period.set("duration", iso_duration(length))
        if live.ended and zero:
            for name in ("SegmentTemplate", "SegmentList"):
                for element in period.iterfind(f".//Representation/{name}"):
                    element.set("presentationTimeOffset", str(round(zero * int(element.get("timescale", "1")))))
        at += part.duration


def _fill(period: ElementTree.Element, p: PublishedPresentation) -> None:
    number = 0
    for rungs in families(p.video):
        group = _adaptation(period, number, "video", segmentAlignment="true", startWithSAP="1")
        widths, heights = zip(*(r.track.shown_size for r in rungs), strict=True)
        group.set("maxWidth", str(max(widths)))
        group.set("maxHeight", str(max(heights)))
        for r in rungs:
            _representation(group, r)
        number += 1
    for place, r in enumerate(p.audio):
        group = _adaptation(period, number, "audio", lang=r.track.language, segmentAlignment="true", startWithSAP="1")
        _child(group, "Label").text = r.track.name
        _child(group, "Role", schemeIdUri="urn:mpeg:dash:role:2011", value="main" if place == 0 else "alternate")
        _representation(group, r)
        number += 1
    for s in p.subtitles:
        if s.whole:
            _subtitles(period, number, s, p)
            number += 1
    if p.thumbnails is not None:
        _thumbnails(period, number, p)


def _adaptation(period: ElementTree.Element, number: int, content: str, **attributes: str) -> ElementTree.Element:
    return _child(period, "AdaptationSet", id=str(number), contentType=content, **attributes)


def _representation(group: ElementTree.Element, r: Representation) -> None:
    track = r.track
    element = _child(
        group, "Representation", id=r.id, mimeType=f"{track.kind}/mp4", codecs=track.codecs, bandwidth=str(r.peak_bps)
    )
    if track.kind == "video":
        width, height = track.shown_size
        element.set("width", str(width))
        element.set("height", str(height))
        element.set("sar", "1:1")
        element.set("frameRate", _rate(track.frame_rate))
        element.set("qualityRanking", str(round(1000 - 10 * r.score)))
    else:
        element.set("audioSamplingRate", str(track.sample_rate))
        _child(
            element,
            "AudioChannelConfiguration",
            schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
            value=str(track.channels),
        )
    if r.template:
        _template(element, r)
    elif r.index is not None:
        _child(element, "BaseURL").text = r.init
        base = _child(element, "SegmentBase", timescale=str(r.timescale), indexRange=_range(r.index))
        assert r.init_place is not None
        _child(base, "Initialization", range=_range(r.init_place))
    else:
        _list(element, r)


def _template(element: ElementTree.Element, r: Representation) -> None:
    template = _child(
        element, "SegmentTemplate", timescale=str(r.timescale), initialization=r.init, media=r.template,
        startNumber=str(r.first_number),
    )  # fmt: skip
    _timeline(template, r.segments)


def _timeline(parent: ElementTree.Element, segments: tuple[PublishedSegment, ...]) -> None:
    timeline = _child(parent, "SegmentTimeline")
    expected: int | None = None
    last: ElementTree.Element | None = None
    for s in segments:
        if last is not None and s.start == expected and last.get("d") == str(s.duration):
            last.set("r", str(int(last.get("r", "0")) + 1))
        else:
            last = _child(timeline, "S", d=str(s.duration))
            if s.start != expected:
                last.set("t", str(s.start))
        expected = s.start + s.duration


def _list(element: ElementTree.Element, r: Representation) -> None:
    number = {"startNumber": str(r.first_number)} if r.first_number > 1 else {}
    listed = _child(element, "SegmentList", timescale=str(r.timescale), **number)
    init = _child(listed, "Initialization", sourceURL=r.init)
    if r.init_place is not None:
        init.set("range", _range(r.init_place))
    _timeline(listed, r.segments)
    for s in r.segments:
        url = _child(listed, "SegmentURL", media=s.uri)
        if s.place is not None:
            url.set("mediaRange", _range(s.place))


def _subtitles(period: ElementTree.Element, number: int, s: Subtitles, p: PublishedPresentation) -> None:
    group = _adaptation(period, number, "text", lang=s.language)
    _child(group, "Label").text = s.name
    _child(group, "Role", schemeIdUri="urn:mpeg:dash:role:2011", value="subtitle")
    bits = math.ceil(8 * s.num_bytes / p.duration)
    element = _child(group, "Representation", id=s.id, mimeType="text/vtt", bandwidth=str(max(1, bits)))
    _child(element, "BaseURL").text = s.whole


def _thumbnails(period: ElementTree.Element, number: int, p: PublishedPresentation) -> None:
    t = p.thumbnails
    assert t is not None
    group = _adaptation(period, number, "image")
    per_sprite = t.columns * t.rows * t.interval
    _child(
        group, "SegmentTemplate", media=t.sprite, duration=str(math.ceil(per_sprite * 1000)), timescale="1000",
        startNumber="1",
    )  # fmt: skip
    element = _child(
        group, "Representation", id="thumbnails", mimeType="image/jpeg",
        bandwidth=str(max(1, math.ceil(8 * t.num_bytes / p.duration))), width=str(t.width * t.columns),
        height=str(t.height * t.rows),
    )  # fmt: skip
    _child(
        element, "EssentialProperty", schemeIdUri="http://dashif.org/guidelines/thumbnail_tile",
        value=f"{t.columns}x{t.rows}",
    )  # fmt: skip


def _child(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _range(place: ByteRange) -> str:
    return f"{place.offset}-{place.offset + place.size - 1}"


def _rate(rate: Fraction) -> str:
    """Frames or frames/seconds as the schema wants it."""
    rate = rate.limit_denominator(1001)
    return str(rate.numerator) if rate.denominator == 1 else f"{rate.numerator}/{rate.denominator}"


def iso_duration(seconds: Fraction) -> str:
    """Seconds as an ISO 8601 duration, to the microsecond, rounded up."""
    whole, rest = divmod(math.ceil(seconds * 1_000_000), 1_000_000)
    return f"PT{whole}" + (f".{rest:06}".rstrip("0") if rest else "") + "S"


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
