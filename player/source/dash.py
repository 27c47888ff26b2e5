"""DASH manifests (ISO/IEC 23009-1) to the record: SegmentTemplate with $Number$ or $Time$, SegmentList, SegmentBase.

Periods follow one another as discontinuities. Written from the standard; nothing here knows how ours are written.
"""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from urllib.parse import quote

from gvideo.errors import InvalidError, UnsupportedError
from player.source.dash_clock import clock_of
from player.source.dash_times import AvailabilityWindow, Span, periods_of, seconds_of
from player.source.fetch import Fetcher
from player.source.movie import read_index
from player.source.record import Level, Presentation, Resource, Segment, Track, layered, resolve

_NAMESPACE = re.compile(r"\{[^}]*\}")
_IDENTIFIER = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$")
#: A manifest that names more segments than this is refused.
MAX_SEGMENTS = 200_000


def read_dash(
    url: str,
    fetcher: Fetcher,
    *,
    kinds: tuple[str, ...] = ("video", "audio", "subtitles"),
    codec: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Presentation:
    """A manifest. kinds: of tracks that are wanted. codec: video with other codecs is passed over. now: this machine's
    clock, for a live manifest that names none; tells which segments are there where no timeline does. Raises MediaError
    or InvalidError, which name it."""
    found = fetcher.whole(url)
    if b"<!DOCTYPE" in found.data[:4096]:
        raise InvalidError(f"{found.url}: a DOCTYPE is not allowed in a manifest")
    try:
        root = ElementTree.fromstring(found.data)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # an encoding that nobody knows
        raise InvalidError(f"{found.url}: the manifest is no XML ({error})") from error
    for element in root.iter():
        element.tag = _NAMESPACE.sub("", element.tag)
    if root.tag != "MPD":
        raise InvalidError(f"{found.url}: the manifest begins with {root.tag}, MPD wanted")
    try:
        return _presentation(root, found.url, fetcher, kinds, codec, clock_of(root, found.url, fetcher, now))
    except (ValueError, ZeroDivisionError, KeyError, OverflowError) as error:
        raise InvalidError(f"{found.url}: the manifest has a value that cannot be read ({error})") from error


def _presentation(
    root: ElementTree.Element,
    url: str,
    fetcher: Fetcher,
    kinds: tuple[str, ...],
    codec: str,
    now: Callable[[], datetime],
) -> Presentation:
    window = AvailabilityWindow.of(root, now)
    parts: list[tuple[Track, ...]] = []
    for period, span in zip(root.findall("Period"), periods_of(root), strict=True):
        tracks = []
        for group in period.findall("AdaptationSet"):
            for element in group.findall("Representation"):
                level, kind = _level(group, element, url)
                other = kind == "video" and codec and level.codecs and codec not in level.codecs
                if kind not in kinds or other or _is_protected(group, element):
                    continue
                path = [root, period, group, element]
                segments = tuple(_Segments(path, url, level, span, window, fetcher).read())
                label = group.find("Label")
                name = "" if label is None else label.text or ""
                role = group.find("Role")
                is_main = role is not None and role.get("value") == "main"
                tracks.append(Track(kind, (level,), segments, group.get("lang", ""), name, is_default=is_main))
        parts.append(layered(tracks))
    longest = seconds_of(root.get("maxSegmentDuration", "PT0S"))
    tracks = list(_one_behind_the_other(parts, url))
    longest = longest or max((s.seconds for t in tracks for s in t.segments), default=Fraction(0))
    update, delay = root.get("minimumUpdatePeriod"), root.get("suggestedPresentationDelay")
    return Presentation(
        url,
        tuple(tracks),
        root.get("type") == "dynamic",
        longest,
        max(seconds_of(update or "PT0S"), Fraction(1, 2)) if update else longest,
        seconds_of(delay) if delay else 3 * longest,
    )


def reload_track(track: Track, fetcher: Fetcher) -> tuple[Track, bool]:
    """A track as its manifest names it now, and whether more may follow."""
    found = read_dash(track.levels[-1].url, fetcher, kinds=(track.kind,))
    for other in found.tracks:
        if [level.id for level in other.levels] == [level.id for level in track.levels]:
            return other, found.is_live
    raise InvalidError(f"{found.url}: does not offer {track.levels[-1].id} any more")


def _one_behind_the_other(parts: Sequence[tuple[Track, ...]], url: str) -> tuple[Track, ...]:
    """Tracks over all periods. A rendition that a period lacks is silent there; a picture must be in all of them."""
    parts = [p for p in parts if p]
    if not parts:
        return ()
    tracks = list(parts[0])
    for part in parts[1:]:
        for number, track in enumerate(tracks):
            same = _counterpart(track, part)
            if same is not None:
                tracks[number] = replace(track, segments=(*track.segments, *same.segments))
            elif track.kind == "video":
                raise UnsupportedError(f"{url}: its periods offer different tracks")
    return tuple(tracks)


def _counterpart(track: Track, others: Sequence[Track]) -> Track | None:
    """The track of another period that goes on where this one ends: by its id, else by language, else by its size."""
    fits = [t for t in others if t.kind == track.kind and len(t.levels) == len(track.levels)]
    last = track.levels[-1]
    by_id = [t for t in fits if t.levels[-1].id == last.id]
    alike = [t for t in fits if t.language == track.language]
    near = sorted(
        alike, key=lambda t: (abs(t.levels[-1].width - last.width), abs(t.levels[-1].peak_bps - last.peak_bps))
    )
    found = by_id or near
    return found[0] if found else None


def _is_protected(group: ElementTree.Element, element: ElementTree.Element) -> bool:
    return any(e.find("ContentProtection") is not None for e in (group, element))


def _level(group: ElementTree.Element, element: ElementTree.Element, url: str) -> tuple[Level, str]:
    def attribute(name: str, default: str = "") -> str:
        return element.get(name) or group.get(name) or default

    mime = attribute("mimeType")
    kind = group.get("contentType") or mime.partition("/")[0]
    if kind == "text":  # files of WebVTT; text within MP4 is not read
        kind = "subtitles" if mime == "text/vtt" else ""
    bandwidth = int(element.get("bandwidth", "0"))
    width, height = int(attribute("width", "0")), int(attribute("height", "0"))
    return Level(element.get("id", ""), attribute("codecs"), width, height, bandwidth, bandwidth, url), kind


class _Segments:
    """The segments of one representation."""

    def __init__(
        self,
        path: list[ElementTree.Element],
        url: str,
        level: Level,
        span: Span,
        window: AvailabilityWindow,
        fetcher: Fetcher,
    ) -> None:
        self._path, self._level, self._span, self._window, self._fetcher = path, level, span, window, fetcher
        self._constants = {"RepresentationID": quote(level.id, safe="/"), "Bandwidth": str(level.peak_bps)}
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
        # numbers of a timeline may count from its first entry, times stay
        has_timeline = any(f.find("SegmentTimeline") is not None for f in found)
        scale = int(_attribute(found, "timescale", "1"))
        listed = (
            (Resource(resolve(self._base, self._named(media, number, start))), start if has_timeline else number, ticks)
            for number, start, ticks in self._times(found, scale)
        )
        return self._segments(init, listed, scale, found)

    def _segments(
        self,
        init: Resource,
        listed: Iterable[tuple[Resource, int, int]],
        scale: int,
        found: list[ElementTree.Element],
    ) -> list[Segment]:
        """listed: where each segment is, its number, and its ticks."""
        origin = Fraction(int(_attribute(found, "presentationTimeOffset", "0")), scale)
        seconds = functools.cache(lambda ticks: Fraction(ticks, scale))  # making fractions takes long
        return [
            Segment(init, place, seconds(ticks), (place.size,), self._span.part, number, origin)
            for place, number, ticks in listed
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
        where = [resolve(self._base, url.get("media", "")) if url.get("media") else self._base for url in urls]
        places = [_ranged(Resource(w), url.get("mediaRange")) for w, url in zip(where, urls, strict=True)]
        listed = ((place, number, ticks) for place, (number, _, ticks) in zip(places, times, strict=False))
        return self._segments(init, listed, scale, found)

    def _single(self, found: list[ElementTree.Element]) -> list[Segment]:
        part, scale = self._span.part, int(_attribute(found, "timescale", "1")) if found else 1
        origin = Fraction(int(_attribute(found, "presentationTimeOffset", "0")), scale) if found else Fraction(0)
        if not found or not _attribute(found, "indexRange", "-").strip("-"):
            seconds = self._span.seconds or Fraction(0)
            return [Segment(Resource(self._base), Resource(self._base), seconds, (None,), part, 0, origin)]
        index = _ranged(Resource(self._base), _attribute(found, "indexRange"))
        assert index.size is not None
        element = _child(found, "Initialization")
        init = _ranged(Resource(self._base), element.get("range") or f"0-{index.offset - 1}")
        listed = read_index(self._base, index.offset, index.size, init, self._fetcher)
        return [replace(s, part=part, number=k, origin=origin) for k, s in enumerate(listed)]

    def _times(
        self, found: list[ElementTree.Element], scale: int, count: int | None = None
    ) -> list[tuple[int, int, int]]:
        """(number, start, duration) of every segment, ticks; of a live manifest those that are there."""
        timeline = next((t for f in found if (t := f.find("SegmentTimeline")) is not None), None)
        first = int(_attribute(found, "startNumber", "1"))
        offset = int(_attribute(found, "presentationTimeOffset", "0"))
        length = self._span.seconds
        if timeline is None:
            ticks = int(_attribute(found, "duration", "0"))
            if ticks <= 0:
                raise InvalidError(f"{self._base}: neither SegmentTimeline nor duration is given")
            begin, end = self._window.numbers(self._span, Fraction(ticks, scale))
            if count is not None:
                begin, end = 0, count
            stop = int(_attribute(found, "endNumber", str(first + end - 1))) + 1 - first
            _check_count(self._base, end - begin)
            return [(first + k, offset + k * ticks, ticks) for k in range(begin, min(end, stop))]
        end_ticks = None if length is None else int(length * scale) + offset
        times: list[tuple[int, int, int]] = []
        at = 0
        entries = timeline.findall("S")
        for k, entry in enumerate(entries):
            at = int(entry.get("t", at))
            ticks = int(entry.get("d", "0"))
            if ticks <= 0:
                raise InvalidError(f"{self._base}: S@d is {ticks}")
            again = int(entry.get("r", "0"))
            if again < 0:
                if k + 1 < len(entries) or end_ticks is not None:
                    until = int(entries[k + 1].get("t", at)) if k + 1 < len(entries) else end_ticks or 0
                    again = max(0, -(-(until - at) // ticks) - 1)
                else:  # it grows with the clock
                    edge = int(self._window.edge(self._span) * scale) + offset
                    again = max(0, (edge - at) // ticks - 1)
            _check_count(self._base, len(times) + again)
            for _ in range(again + 1):
                times.append((first + len(times), at, ticks))
                at += ticks
        return times

    def _named(self, template: str, number: int, time: int) -> str:
        values = {"Number": str(number), "Time": str(time), **self._constants}

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
