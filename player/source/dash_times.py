"""Times of DASH manifests: when periods begin and end, and what of a live one without a timeline is there by now.

availabilityStartTime ──► period start ──► segments, those that have ended by now and are within timeShiftBufferDepth
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from gvideo.errors import InvalidError

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@dataclass(frozen=True, slots=True)
class Span:
    """A period. part: rises from period to period and stays when a live manifest is read again. start: s from the
    presentation's zero. seconds: how long, None while it is open."""

    part: int
    start: Fraction
    seconds: Fraction | None


def periods_of(root: ElementTree.Element) -> list[Span]:
    """The periods of a manifest, in their order (ISO/IEC 23009-1 §5.3.2.1)."""
    periods = root.findall("Period")
    total = root.get("mediaPresentationDuration")
    starts: list[Fraction] = []
    for number, period in enumerate(periods):
        before = periods[number - 1].get("duration") if number else None
        if period.get("start"):
            starts.append(seconds_of(period.get("start", "")))
        else:
            starts.append(starts[-1] + seconds_of(before) if before else starts[-1] if number else Fraction(0))
    ids = [period.get("id", "") for period in periods]
    named = all(i.isdecimal() for i in ids) and sorted(set(ids), key=int) == ids
    spans = []
    for number, period in enumerate(periods):
        seconds: Fraction | None = None
        if period.get("duration"):
            seconds = seconds_of(period.get("duration", ""))
        elif number + 1 < len(periods):
            seconds = max(Fraction(0), starts[number + 1] - starts[number])
        elif total:
            seconds = max(Fraction(0), seconds_of(total) - starts[number])
        elif root.get("type") != "dynamic":
            seconds = Fraction(0)
        spans.append(Span(int(ids[number]) if named else number, starts[number], seconds))
    return spans


@dataclass(frozen=True, slots=True)
class AvailabilityWindow:
    """What a clock says of a live manifest. now: s from the presentation's zero, None for one that does not grow.
    depth: s that stay on offer, None for all."""

    now: Fraction | None
    depth: Fraction | None

    @classmethod
    def of(cls, root: ElementTree.Element, now: Callable[[], datetime]) -> AvailabilityWindow:
        """The window of a manifest."""
        began = root.get("availabilityStartTime")
        if root.get("type") != "dynamic" or not began:
            return cls(None, None)
        moment = datetime.fromisoformat(began.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        depth = root.get("timeShiftBufferDepth")
        return cls(Fraction((now() - moment).total_seconds()), seconds_of(depth) if depth else None)

    def edge(self, span: Span) -> Fraction:
        """Seconds of a period that are over."""
        if self.now is None:
            return span.seconds or Fraction(0)
        passed = max(Fraction(0), self.now - span.start)
        return passed if span.seconds is None else min(passed, span.seconds)

    def numbers(self, span: Span, seconds: Fraction) -> tuple[int, int]:
        """The range of segments of equal duration, from 0, that are on offer."""
        if self.now is None:
            return 0, -(-(span.seconds or Fraction(0)) // seconds)
        edge = self.edge(span)
        end = edge // seconds
        if span.seconds is not None and edge == span.seconds:
            end = -(-edge // seconds)
        begin = 0 if self.depth is None else max(0, int((self.now - span.start - self.depth) // seconds))
        return min(begin, end), end


def seconds_of(text: str) -> Fraction:
    """An ISO 8601 duration without years and months."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise InvalidError(f"manifest: duration {text!r} cannot be read")
    days, hours, minutes, seconds = (Fraction(x or 0) for x in match.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + seconds
