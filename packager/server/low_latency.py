"""Low latency of HLS: answers that wait, and playlists without what a client has (RFC 8216, second edition, §6.2.5).

    GET /v0.m3u8?_HLS_msn=7&_HLS_part=2                      held until that partial segment is named
    GET /v0.m3u8?_HLS_msn=7&_HLS_part=2&_HLS_skip=YES        so, and old segments are one EXT-X-SKIP
    GET /v0-1f0c9a22/part_31.m4s                             held while it is the one that EXT-X-PRELOAD-HINT names

Only what the playlist itself offers (EXT-X-SERVER-CONTROL) is done; everything is read from the published files, so the
publisher may be another process. Of the requests that wait for a playlist one looks, 50 times a second, and wakes the
others when it has changed.
"""

from __future__ import annotations

import functools
import math
import os
import re
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException

from packager.playlist_values import parse_attributes, parse_decimal

_POLL_SECONDS = 0.02
#: What waits is told to come again after so many target durations.
_HELD_TARGETS = 3
#: Playlists that are kept in memory.
_MOST_KNOWN = 256
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_PART = re.compile(r"^(?P<folder>(?:.*/)?)(?P<own>(?P<id>[a-z]\d+)-[^/]+/part_\d+\.m4s)$", re.ASCII)
#: Tags of a playlist as a whole, which come before those of its segments.
_HEAD = ("#EXTM3U", "#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF",
         "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-PLAYLIST-TYPE",
         "#EXT-X-INDEPENDENT-SEGMENTS")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for. number: of a segment, part: of it; None where it does not say. skip: without what is
    old."""

    number: int | None = None
    part: int | None = None
    skip: bool = False


def wanted_of(query: str) -> Wanted | None:
    """The delivery directives of a query; None if there are none. Raises HTTPException 400 for what is none."""
    found = {k: v for k, v in urllib.parse.parse_qsl(query, keep_blank_values=True) if k.startswith("_HLS_")}
    if not found:
        return None
    numbers: list[int | None] = []
    for name in ("_HLS_msn", "_HLS_part"):
        value = found.get(name)
        if value is not None and not _NUMBER.fullmatch(value):
            raise _refused(f"{name}={value[:40]!r}: a number wanted")
        numbers.append(None if value is None else int(value))
    if numbers[0] is None and numbers[1] is not None:
        raise _refused("_HLS_part without _HLS_msn")
    return Wanted(numbers[0], numbers[1], found.get("_HLS_skip") in ("YES", "v2"))


def _refused(reason: str) -> HTTPException:
    return HTTPException(400, f"{reason}\n", headers={"Cache-Control": "no-store"})


@dataclass
class Progress:
    """How far a playlist has come. first: number of its first segment; parts: of every whole segment as many as are
    named; open: of the one that is not whole. target, part_target: s. blocks: whether it offers to wait; skip_until: s,
    None if it does not offer to skip; hint: of the partial segment that comes next."""

    text: str
    first: int = 0
    parts: list[int] = field(default_factory=list)
    open: int = 0
    target: int = 1
    part_target: Fraction = Fraction(0)
    blocks: bool = False
    skip_until: Fraction | None = None
    hint: str = ""
    ended: bool = False

    def has(self, number: int, part: int | None) -> bool:
        """Whether a segment, or a part of it, is named. A part behind the last of a whole segment is the first of the
        next one."""
        following = self.first + len(self.parts)
        if self.ended or number < self.first:
            return True
        if number >= following:
            return part is not None and number == following and part < self.open
        count = self.parts[number - self.first]
        return part is None or not count or part < count or self.has(number + 1, 0)

    def is_too_far(self, number: int, part: int | None) -> bool:
        """Whether a request is for what no client can know of yet."""
        ahead = number - (self.first + len(self.parts))
        if self.ended or ahead < 0:
            return False
        limit = math.ceil(3 / self.part_target) if 0 < self.part_target < 1 else 3
        return ahead > 1 or (part or 0) >= (self.open if ahead == 0 else 0) + limit


def read_progress(text: str) -> Progress:
    """Of a media playlist as it stands."""
    found = Progress(text)
    parts = 0
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if line and not line.startswith("#"):
            found.parts.append(parts)
            parts = 0
        elif name == "#EXT-X-PART":
            parts += 1
        elif name == "#EXT-X-MEDIA-SEQUENCE" and _NUMBER.fullmatch(value):
            found.first = int(value)
        elif name == "#EXT-X-TARGETDURATION" and _NUMBER.fullmatch(value):
            found.target = int(value)
        elif name == "#EXT-X-PART-INF":
            found.part_target = parse_decimal(parse_attributes(value).get("PART-TARGET", "")) or Fraction(0)
        elif name == "#EXT-X-SERVER-CONTROL":
            control = parse_attributes(value)
            found.blocks = control.get("CAN-BLOCK-RELOAD") == "YES"
            found.skip_until = parse_decimal(control.get("CAN-SKIP-UNTIL", ""))
        elif name == "#EXT-X-PRELOAD-HINT":
            found.hint = parse_attributes(value).get("URI", "")
        found.ended |= name == "#EXT-X-ENDLIST"
    found.open = parts
    return found


@functools.lru_cache(maxsize=32)  # all that have waited for a part want the same
def without_old(text: str, skip_until: Fraction) -> str:
    """A playlist without the segments that ended so many seconds before its end, which EXT-X-SKIP stands for. The init
    segment that holds for the first one left is named again."""
    lines = text.splitlines()
    begin = next((n for n, line in enumerate(lines) if line.partition(":")[0] not in _HEAD), len(lines))
    ends = [n + 1 for n, line in enumerate(lines) if n >= begin and not line.startswith("#")]
    after = _seconds(lines[ends[-1] if ends else begin :], "#EXT-X-PART")
    count = len(ends)
    while count and after < skip_until:
        after += _seconds(lines[ends[count - 2] if count > 1 else begin : ends[count - 1]], "#EXTINF")
        count -= 1
    if not count:
        return text
    maps = [line for line in lines[: ends[count - 1]] if line.startswith("#EXT-X-MAP:")]
    kept = lines[ends[count - 1] :]
    skipped = [f"#EXT-X-SKIP:SKIPPED-SEGMENTS={count}", *maps[-1:]]
    return "\n".join([*lines[:begin], *skipped, *kept]) + "\n"


def _seconds(lines: Sequence[str], tag: str) -> Fraction:
    total = Fraction(0)
    for line in lines:
        name, _, value = line.partition(":")
        if name == tag:
            plain = parse_attributes(value).get("DURATION", "") if tag == "#EXT-X-PART" else value.partition(",")[0]
            total += parse_decimal(plain) or 0
    return total


class LowLatency:
    """Waits for playlists and parts of one server process."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, tuple[int, int], Progress]] = {}
        self._watched: dict[str, anyio.Event] = {}

    async def playlist(self, name: str, wanted: Wanted) -> str:
        """The playlist of that full name, as a request wants it. Raises HTTPException: 400 for what is too far ahead,
        503 where it did not come in time."""
        found = await self._progress(name)
        if found is None:
            raise HTTPException(404)
        if found.blocks and wanted.number is not None:
            if found.is_too_far(wanted.number, wanted.part):  # what was seen a moment ago may be too old to say so
                found = await self._progress(name, fresh=True) or found
            if found.is_too_far(wanted.number, wanted.part):
                raise _refused(f"_HLS_msn={wanted.number}: too far ahead")
            end = time.monotonic() + _HELD_TARGETS * found.target
            while not found.has(wanted.number, wanted.part):
                if time.monotonic() > end:
                    raise HTTPException(503, headers={"Cache-Control": "no-store", "Retry-After": str(found.target)})
                found = await self._following(name, found, end) or found
        if wanted.skip and found.skip_until is not None:
            return without_old(found.text, found.skip_until)
        return found.text

    async def is_coming(self, root: str, path: str) -> bool:
        """Waits while a file is not there and a playlist in the folder root names it as what comes next. True if it
        may be there now."""
        match = _PART.match(path)
        if match is None:
            return False
        playlist = os.path.join(root, match["folder"], f"{match['id']}.m3u8")
        found = await self._progress(playlist)
        if found is None or not found.blocks:
            return False
        end = time.monotonic() + _HELD_TARGETS * found.target
        while found is not None and found.hint == match["own"] and time.monotonic() < end:
            found = await self._following(playlist, found, end)
        return True

    async def _following(self, name: str, known: Progress, end: float) -> Progress | None:
        """A playlist once it is another one than is known, or as it is at the end (time.monotonic), or when the request
        that looks for all has left."""
        changed = self._watched.get(name)
        if changed is not None:
            with anyio.move_on_after(max(0.0, end - time.monotonic())):
                await changed.wait()
            return await self._progress(name)
        changed = self._watched[name] = anyio.Event()
        try:
            found: Progress | None = known
            while found is known and time.monotonic() <= end:
                await anyio.sleep(_POLL_SECONDS)
                found = await self._progress(name)
            return found
        finally:
            del self._watched[name]
            changed.set()

    async def _progress(self, name: str, fresh: bool = False) -> Progress | None:
        """How far a playlist is now, or unless fresh was a moment ago; None if it is not there."""
        known, now = self._known.get(name), time.monotonic()
        if known is not None:
            if now - known[0] < _POLL_SECONDS and not fresh:
                return known[2]
            self._known[name] = (now, *known[1:])  # who comes meanwhile need not look
        found = await anyio.to_thread.run_sync(_look, name, known)
        if found is None:
            self._known.pop(name, None)
            return None
        if name not in self._known and len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[name] = (now, *found)
        return found[1]


def _look(name: str, known: tuple[float, tuple[int, int], Progress] | None) -> tuple[tuple[int, int], Progress] | None:
    try:
        with open(name, encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            edition = (found.st_mtime_ns, found.st_ino)
            if known is not None and known[1] == edition:
                return edition, known[2]
            return edition, read_progress(file.read())
    except (OSError, ValueError):
        return None
