"""The clock that a live manifest names (ISO/IEC 23009-1 §5.8.4.11, UTCTiming), as a difference from this machine's.

    UTCTiming http-head (Date of an answer) · http-iso, http-xsdate (its text) · direct ──► difference, kept per fetcher

Others (NTP) are passed over; where no clock answers, this machine's own is taken. When this machine's is set anew, or
the machine has slept, the difference is measured again.
"""

from __future__ import annotations

import time
import weakref
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gvideo.errors import GVideoError
from player.source.fetch import Fetcher
from player.source.record import resolve

_SCHEME = "urn:mpeg:dash:utc:"
_EDITIONS = (":2012", ":2014")
#: This machine's clock was set anew if it has moved by so much against one that nobody sets, s.
_JUMP_SECONDS = 2.0


@dataclass
class _Difference:
    """ahead: of the manifest's clock before this machine's. offset: of this machine's clock against the monotonic one
    when that was measured, s."""

    ahead: timedelta
    offset: float


_known: weakref.WeakKeyDictionary[Fetcher, dict[tuple[str, str], _Difference]] = weakref.WeakKeyDictionary()


def clock_of(
    root: ElementTree.Element, url: str, fetcher: Fetcher, own: Callable[[], datetime],
    steady: Callable[[], float] = time.monotonic,
) -> Callable[[], datetime]:  # fmt: skip
    """The time now, as the first clock that answers says it. url: of the manifest; own: this machine's clock; steady:
    one that nobody sets, s. A clock is asked once, when the time is wanted, and again when `own` was set anew."""

    def now() -> datetime:
        kept = _known.setdefault(fetcher, {})
        for element in root.findall("UTCTiming"):
            scheme, value = element.get("schemeIdUri", ""), element.get("value", "").strip()
            kind = scheme.removeprefix(_SCHEME)[:-5] if scheme.endswith(_EDITIONS) else ""
            if kind == "direct":  # what it was when the manifest was made, so not to be kept
                moment = _moment(value)
                if moment is not None:
                    return moment
                continue
            for where in value.split():
                key = (kind, resolve(url, where))
                offset = own().timestamp() - steady()
                if key not in kept or abs(kept[key].offset - offset) > _JUMP_SECONDS:
                    moment = _asked(*key, fetcher)
                    if moment is None:
                        continue
                    kept[key] = _Difference(moment - own(), own().timestamp() - steady())
                return own() + kept[key].ahead
        return own()

    return now


def _asked(kind: str, url: str, fetcher: Fetcher) -> datetime | None:
    if not url.startswith(("http://", "https://")):
        return None
    if kind == "http-head":
        return fetcher.date(url)
    if kind not in ("http-iso", "http-xsdate"):
        return None
    try:
        return _moment(fetcher.some(url, 0, 64).data.decode("ascii", "replace").strip())
    except GVideoError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
