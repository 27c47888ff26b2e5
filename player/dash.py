"""DASH manifests (ISO/IEC 23009-1) to the record: SegmentTemplate with $Number$ or $Time$, SegmentList, SegmentBase.

Periods follow one another as discontinuities. Written from the standard; nothing here knows how ours are written.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from urllib.parse import quote

from gvideo.errors import InvalidError, UnsupportedError
from player.fetch import Fetcher
from player.movie import read_index
from player.record import Level, Presentation, Resource, Segment, Track, layered, resolve

_NAMESPACE = re.compile(r"\{[^}]*\}")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_IDENTIFIER = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$")
#: A manifest that names more segments than this is refused.
MAX_SEGMENTS = 200_000


def read_dash(url: str, fetcher: Fetcher, *, kinds: tuple[str, ...] = ("video",), codec: str = "") -> Presentation:
    """A manifest. kinds: of tracks that are wanted: "video", "audio", "text". codec: representations with other codecs
    are passed over. Raises MediaError or InvalidError, which name it."""
    found = fetcher.whole(url)
    if b"<!DOCTYPE" in found.data[:4096]:
        raise InvalidError(f"{found.url}: a DOCTYPE is not allowed in a manifest")
    try:
        root = ElementTree.fromstring(found.data)
    except ElementTree.ParseError as error:
        raise InvalidError(f"{found.url}: the manifest is no XML ({error})") from error
    for element in root.iter():
        element.tag = _NAMESPACE.sub("", element.tag)
    if root.tag != "MPD":
        raise InvalidError(f"{found.url}: the manifest begins with {root.tag}, MPD wanted")
    try:
        return _presentation(root, found.url, fetcher, kinds, codec)
    except (ValueError, ZeroDivisionError, KeyError) as error:
        raise InvalidError(f"{found.url}: the manifest has a value that cannot be read ({error})") from error


def _presentation(
    root: ElementTree.Element, url: str, fetcher: Fetcher, kinds: tuple[str, ...], codec: str
) -> Presentation:
    periods = root.findall("Period")
    parts: list[tuple[Track, ...]] = []
    for number, period in enumerate(periods):
        seconds = _period_seconds(root, periods, number)
        tracks = []
        for group in period.findall("AdaptationSet"):
            for element in group.findall("Representation"):
                level, kind = _level(group, element)
                if kind not in kinds or (codec and level.codecs and codec not in level.codecs):
                    continue
                path = [root, period, group, element]
                segments = tuple(_Segments(path, url, level, seconds, fetcher).read())
                label = group.find("Label")
                name = "" if label is None else label.text or ""
                tracks.append(Track(kind, (level,), segments, group.get("lang", ""), name))
        parts.append(layered(tracks))
    longest = _seconds(root.get("maxSegmentDuration", "PT0S"))
    return Presentation(url, _one_behind_the_other(parts, url), root.get("type") == "dynamic", longest)


def _one_behind_the_other(parts: Sequence[tuple[Track, ...]], url: str) -> tuple[Track, ...]:
    if not parts:
        return ()
    tracks = list(parts[0])
    for part in parts[1:]:
        if [(t.kind, len(t.levels)) for t in part] != [(t.kind, len(t.levels)) for t in tracks]:
            raise UnsupportedError(f"{url}: its periods offer different tracks")
        for number, track in enumerate(part):
            following = [replace(s, discontinuity=s.discontinuity or k == 0) for k, s in enumerate(track.segments)]
            tracks[number] = replace(tracks[number], segments=(*tracks[number].segments, *following))
    return tuple(tracks)


def _level(group: ElementTree.Element, element: ElementTree.Element) -> tuple[Level, str]:
    def attribute(name: str, default: str = "") -> str:
        return element.get(name) or group.get(name) or default

    mime = attribute("mimeType")
    kind = group.get("contentType") or mime.partition("/")[0]
    bandwidth = int(element.get("bandwidth", "0"))
    width, height = int(attribute("width", "0")), int(attribute("height", "0"))
    return Level(element.get("id", ""), attribute("codecs"), width, height, bandwidth, bandwidth), kind


class _Segments:
    """The segments of one representation."""

    def __init__(
        self, path: list[ElementTree.Element], url: str, level: Level, seconds: Fraction, fetcher: Fetcher
    ) -> None:
        self._path, self._level, self._seconds, self._fetcher = path, level, seconds, fetcher
        self._base = url
        for element in path:
            base = element.find("BaseURL")
            if base is not None and base.text:
                self._base = resolve(self._base, base.text.strip())

    def read(self) -> list[Segment]:
        """Every segment in order."""
        template, listed, base = (self._elements(n) for n in ("SegmentTemplate", "SegmentList", "SegmentBase"))
        if template:
            return self._template(template)
        if listed:
            return self._list(listed)
        return self._single(base)

    def _elements(self, name: str) -> list[ElementTree.Element]:
        """Elements of a name, the innermost first: what one lacks is inherited."""
        return [found for element in reversed(self._path) if (found := element.find(name)) is not None]

    def _template(self, found: list[ElementTree.Element]) -> list[Segment]:
        init = Resource(resolve(self._base, self._named(_attribute(found, "initialization"), 0, 0)))
        media = _attribute(found, "media")
        first = int(_attribute(found, "startNumber", "1"))
        scale = int(_attribute(found, "timescale", "1"))
        return [
            Segment(
                init,
                Resource(resolve(self._base, self._named(media, first + k, start))),
                Fraction(ticks, scale),
                (None,),
            )
            for k, (start, ticks) in enumerate(self._times(found, scale))
        ]

    def _list(self, found: list[ElementTree.Element]) -> list[Segment]:
        scale = int(_attribute(found, "timescale", "1"))
        element = _child(found, "Initialization")
        init = Resource(resolve(self._base, element.get("sourceURL", ""))) if element.get("sourceURL") else None
        init = _ranged(init or Resource(self._base), element.get("range"))
        urls = next((u for f in found if (u := f.findall("SegmentURL"))), [])
        times = self._times(found, scale, len(urls))
        if len(times) < len(urls):
            raise InvalidError(f"{self._base}: SegmentList has {len(urls)} URLs and {len(times)} durations")
        segments = []
        for url, (_, ticks) in zip(urls, times, strict=False):
            where = resolve(self._base, url.get("media", "")) if url.get("media") else self._base
            media = _ranged(Resource(where), url.get("mediaRange"))
            segments.append(Segment(init, media, Fraction(ticks, scale), (media.size,)))
        return segments

    def _single(self, found: list[ElementTree.Element]) -> list[Segment]:
        if not found or not _attribute(found, "indexRange", "-").strip("-"):
            return [Segment(Resource(self._base), Resource(self._base), self._seconds, (None,))]
        index = _ranged(Resource(self._base), _attribute(found, "indexRange"))
        assert index.size is not None
        element = _child(found, "Initialization")
        init = _ranged(Resource(self._base), element.get("range") or f"0-{index.offset - 1}")
        return read_index(self._base, index.offset, index.size, init, self._fetcher)

    def _times(self, found: list[ElementTree.Element], scale: int, count: int | None = None) -> list[tuple[int, int]]:
        """(start, duration) of every segment, ticks."""
        timeline = next((t for f in found if (t := f.find("SegmentTimeline")) is not None), None)
        end = int(self._seconds * scale) + int(_attribute(found, "presentationTimeOffset", "0"))
        times: list[tuple[int, int]] = []
        if timeline is None:
            ticks = int(_attribute(found, "duration", "0"))
            if ticks <= 0:
                raise InvalidError(f"{self._base}: neither SegmentTimeline nor duration is given")
            number = count if count is not None else -(-int(self._seconds * scale) // ticks)
            _check_count(self._base, number)
            return [(k * ticks, ticks) for k in range(number)]
        at = 0
        entries = timeline.findall("S")
        for k, entry in enumerate(entries):
            at = int(entry.get("t", at))
            ticks = int(entry.get("d", "0"))
            if ticks <= 0:
                raise InvalidError(f"{self._base}: S@d is {ticks}")
            again = int(entry.get("r", "0"))
            if again < 0:
                until = int(entries[k + 1].get("t", end)) if k + 1 < len(entries) else end
                again = max(0, -(-(until - at) // ticks) - 1)
            _check_count(self._base, len(times) + again)
            for _ in range(again + 1):
                times.append((at, ticks))
                at += ticks
        return times

    def _named(self, template: str, number: int, time: int) -> str:
        values = {"Number": str(number), "Time": str(time), "Bandwidth": str(self._level.peak_bps), "": "$"}
        values["RepresentationID"] = quote(self._level.id, safe="/")

        def put(match: re.Match[str]) -> str:
            return values[match[1]].zfill(int(match[2] or 0)) if match[1] else "$"

        return _IDENTIFIER.sub(put, template)


def _attribute(found: list[ElementTree.Element], name: str, default: str | None = None) -> str:
    for element in found:
        if element.get(name) is not None:
            return element.get(name, "")
    if default is None:
        raise InvalidError(f"manifest: {found[0].tag} lacks {name}")
    return default


def _child(found: list[ElementTree.Element], name: str) -> ElementTree.Element:
    return next((c for f in found if (c := f.find(name)) is not None), ElementTree.Element(name))


def _ranged(resource: Resource, text: str | None) -> Resource:
    """A resource cut to `first-last`."""
    if not text:
        return resource
    first, _, last = text.partition("-")
    if int(last) < int(first):
        raise InvalidError(f"{resource.url}: byte range {text!r} runs backwards")
    return Resource(resource.url, int(first), int(last) - int(first) + 1)


def _check_count(url: str, count: int) -> None:
    if count > MAX_SEGMENTS:
        raise InvalidError(f"{url}: more than {MAX_SEGMENTS} segments")


def _period_seconds(root: ElementTree.Element, periods: list[ElementTree.Element], number: int) -> Fraction:
    period = periods[number]
    if period.get("duration"):
        return _seconds(period.get("duration", ""))
    start = _seconds(period.get("start", "PT0S"))
    if number + 1 < len(periods) and periods[number + 1].get("start"):
        return max(Fraction(0), _seconds(periods[number + 1].get("start", "")) - start)
    return max(Fraction(0), _seconds(root.get("mediaPresentationDuration", "PT0S")) - start)


def _seconds(text: str) -> Fraction:
    """An ISO 8601 duration without years and months."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise InvalidError(f"manifest: duration {text!r} cannot be read")
    days, hours, minutes, seconds = (Fraction(x or 0) for x in match.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + seconds
