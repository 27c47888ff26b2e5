"""Rules of DASH: the structure of the MPD and its agreement with the segments. A fault names its rule: a section of
ISO/IEC 23009-1 or of the DASH-IF guidelines for timing (dashif.org/Guidelines-TimingModel)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from fractions import Fraction

from gvideo.errors import BitstreamError
from packager.check.media import InitFacts
from packager.check.reading import Library, guarded
from packager.dash import MANIFEST, NAMESPACE
from packager.isobmff.box import find_one, parse_boxes
from packager.isobmff.fragments import SegmentIndex
from packager.presentation import ByteRange

_DURATION = re.compile(r"^PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,12})?)S)?$", re.ASCII)
#: A manifest that names more segments than this is not read further.
MAX_SEGMENTS = 200_000
#: Durations are written in microseconds, rounded up.
_MICROSECOND = Fraction(1, 1_000_000)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def check_dash(library: Library, name: str = MANIFEST) -> Iterator[str]:
    """Faults of the manifest and everything that it names."""
    text = library.text(name)
    if text is None:
        return
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        yield f"{name}: is no XML ({error})"
        return
    if root.tag != _tag("MPD"):
        yield f"{name}: is no MPD"
        return
    yield from (f"{name}: {fault}" for fault in guarded(_root_faults(root)))
    total = _seconds(root.get("mediaPresentationDuration", ""))
    periods = root.findall(_tag("Period"))
    for period in periods:
        length = total if len(periods) == 1 and root.get("type") != "dynamic" else None
        yield from (f"{name}: {fault}" for fault in _period_faults(library, period, length))


def _period_faults(library: Library, period: ElementTree.Element, total: Fraction | None) -> Iterator[str]:
    seen: set[str] = set()
    for group in period.iter(_tag("AdaptationSet")):
        for element in group.findall(_tag("Representation")):
            identity = element.get("id", "")
            if identity in seen:
                yield f"Representation {identity}: the id is there twice [ISO/IEC 23009-1 5.3.5]"
            seen.add(identity)
            for fault in guarded(_representation_faults(library, group, element, total)):
                yield f"Representation {identity}: {fault}"
    if not seen:
        yield f"Period {period.get('id')}: has no Representation [ISO/IEC 23009-1 5.3.2]"


def _root_faults(root: ElementTree.Element) -> Iterator[str]:
    if not root.get("profiles"):
        yield "@profiles is missing [ISO/IEC 23009-1 5.3.1]"
    if _seconds(root.get("minBufferTime", "")) is None:
        yield "@minBufferTime is missing or no duration [ISO/IEC 23009-1 5.3.1]"
    kind = root.get("type", "static")
    if kind == "static" and _seconds(root.get("mediaPresentationDuration", "")) is None:
        yield "@mediaPresentationDuration is missing or no duration [ISO/IEC 23009-1 5.3.1]"
    if kind == "dynamic" and not root.get("availabilityStartTime"):
        yield "@availabilityStartTime is missing [ISO/IEC 23009-1 5.3.1]"
    if root.find(_tag("Period")) is None:
        yield "has no Period [ISO/IEC 23009-1 5.3.1]"


def _seconds(text: str) -> Fraction | None:
    found = _DURATION.match(text)
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds = (Fraction(g or 0) for g in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def _representation_faults(
    library: Library, group: ElementTree.Element, element: ElementTree.Element, total: Fraction | None
) -> Iterator[str]:
    kind = group.get("contentType", "")
    if not element.get("bandwidth", "").isdigit():
        yield "@bandwidth is missing [ISO/IEC 23009-1 5.3.5]"
        return
    if not element.get("mimeType") and not group.get("mimeType"):
        yield "@mimeType is missing [ISO/IEC 23009-1 5.3.7]"
    if kind not in ("video", "audio"):
        url = element.findtext(_tag("BaseURL"))
        if url:
            library.text(url)
        return
    for attribute in ("codecs",) + (("width", "height", "frameRate") if kind == "video" else ("audioSamplingRate",)):
        if not element.get(attribute):
            yield f"@{attribute} is missing [ISO/IEC 23009-1 5.3.7]"
    faults: list[str] = []
    found = _segments(library, element, faults)
    yield from faults
    if found is None:
        return
    init, segments, timescale = found
    if element.get("codecs") != init.codecs:
        yield f"@codecs {element.get('codecs')}: the init segment says {init.codecs} [ISO/IEC 23009-1 5.3.7]"
    if kind == "video" and (element.get("width"), element.get("height")) != tuple(map(str, init.shown)):
        yield f"@width, @height: the init segment says {'{}x{}'.format(*init.shown)} [ISO/IEC 23009-1 5.3.7]"
    peak = length = Fraction(0)
    for uri, part, start, duration in segments:
        facts = library.segment(uri, part, init)
        if facts is None or not facts.duration:
            continue
        if facts.seconds(init) != Fraction(duration, timescale):
            lasts = f"S@d {duration}, its samples last {facts.duration} ticks of 1/{init.timescale} s"
            yield f"{uri}: {lasts} [ISO/IEC 23009-1 5.3.9.6]"
        if Fraction(facts.start, init.timescale) != Fraction(start, timescale):
            yield f"{uri}: the timeline says {start}, tfdt {facts.start} [DASH-IF timing 9.1]"
        peak = max(peak, 8 * facts.num_bytes / facts.seconds(init))
        length += facts.seconds(init)
    if int(element.get("bandwidth", "0")) < int(peak):
        below = f"@bandwidth {element.get('bandwidth')} is below the measured peak of {int(peak)} bits/s"
        yield f"{below} [ISO/IEC 23009-1 5.3.5]"
    if kind == "video" and total is not None and not 0 <= total - length <= _MICROSECOND:
        lasts = f"lasts {float(length):.3f} s, @mediaPresentationDuration is {float(total):.3f} s"
        yield f"{lasts} [DASH-IF timing 9.2.1]"


Listed = list[tuple[str, ByteRange | None, int, int]]


def _segments(
    library: Library, element: ElementTree.Element, faults: list[str]
) -> tuple[InitFacts, Listed, int] | None:
    """(init, (uri, range, start, duration) of every segment, timescale)."""
    template, listed, base = (element.find(_tag(n)) for n in ("SegmentTemplate", "SegmentList", "SegmentBase"))
    if template is not None:
        init = library.init(template.get("initialization", ""), None)
        times = _timeline(template, faults)
        first = int(template.get("startNumber", "1"))
        pattern = template.get("media", "")
        if "$Number$" not in pattern and "$Time$" not in pattern:
            faults.append("SegmentTemplate@media names no $Number$ [ISO/IEC 23009-1 5.3.9.4]")
        named: Listed = [
            (pattern.replace("$Number$", str(first + k)).replace("$Time$", str(t)), None, t, d)
            for k, (t, d) in enumerate(times)
        ]
        return (init, named, int(template.get("timescale", "1"))) if init else None
    if listed is not None:
        return _listed(library, listed, faults)
    url = element.findtext(_tag("BaseURL"))
    if base is None or not url:
        faults.append("has no SegmentTemplate, SegmentList or SegmentBase [ISO/IEC 23009-1 5.3.9]")
        return None
    return _based(library, base, url, faults)


def _listed(library: Library, listed: ElementTree.Element, faults: list[str]) -> tuple[InitFacts, Listed, int] | None:
    initial = listed.find(_tag("Initialization"))
    urls = listed.findall(_tag("SegmentURL"))
    times = _timeline(listed, faults)
    if len(urls) != len(times):
        counted = f"{len(urls)} SegmentURLs, the timeline has {len(times)} segments"
        faults.append(f"SegmentList: {counted} [ISO/IEC 23009-1 5.3.9.3]")
    if initial is None:
        faults.append("SegmentList: Initialization is missing [ISO/IEC 23009-1 5.3.9.3]")
        return None
    init = library.init(initial.get("sourceURL", ""), _range(initial.get("range")))
    found = [(u.get("media", ""), _range(u.get("mediaRange")), t, d) for u, (t, d) in zip(urls, times, strict=False)]
    return (init, found, int(listed.get("timescale", "1"))) if init else None


def _based(
    library: Library, base: ElementTree.Element, url: str, faults: list[str]
) -> tuple[InitFacts, Listed, int] | None:
    initial, index_range = base.find(_tag("Initialization")), _range(base.get("indexRange"))
    if initial is None or index_range is None:
        faults.append("SegmentBase: Initialization and @indexRange wanted [ISO/IEC 23009-1 5.3.9.2]")
        return None
    init = library.init(url, _range(initial.get("range")))
    data = library.bytes(url, index_range)
    if init is None or data is None:
        return None
    try:
        index = find_one(parse_boxes(data), SegmentIndex, "@indexRange")
    except BitstreamError as error:
        faults.append(f"SegmentBase@indexRange: {error}")
        return None
    at, time = index_range.offset + index_range.size + index.first_offset, index.earliest
    found: Listed = []
    for r in index.references:
        found.append((url, ByteRange(at, r.num_bytes), time, r.duration))
        at += r.num_bytes
        time += r.duration
    return init, found, index.timescale


def _timeline(parent: ElementTree.Element, faults: list[str]) -> list[tuple[int, int]]:
    """(start, duration) of every segment of a SegmentTimeline."""
    found: list[tuple[int, int]] = []
    time = 0
    timeline = parent.find(_tag("SegmentTimeline"))
    if timeline is None:
        faults.append("SegmentTimeline is missing [ISO/IEC 23009-1 5.3.9.6]")
        return found
    for s in timeline:
        start = int(s.get("t", time))
        if found and start != time:
            apart = f"a segment starts at {start}, the one before it ends at {time}"
            faults.append(f"SegmentTimeline: {apart} [DASH-IF timing 9.2]")
        time = start
        again = int(s.get("r", "0"))
        if len(found) + again > MAX_SEGMENTS:
            raise ValueError(f"S@r {again}: more than {MAX_SEGMENTS} segments")
        for _ in range(again + 1):
            found.append((time, int(s.get("d", "0"))))
            time += int(s.get("d", "0"))
    return found


def _range(text: str | None) -> ByteRange | None:
    if not text:
        return None
    first, _, last = text.partition("-")
    return ByteRange(int(first), int(last) - int(first) + 1)
