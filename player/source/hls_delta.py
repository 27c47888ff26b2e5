"""Playlists of which only what is new was sent (RFC 8216, second edition, §6.2.5.1), made whole from an older copy.

    #EXT-X-MEDIA-SEQUENCE:40                  head, as sent
    #EXT-X-SKIP:SKIPPED-SEGMENTS=300    ──►   segments 40 to 339 from the copy, without their parts
    #EXTINF:2, …                              the rest, as sent
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Tags of a playlist as a whole; all others belong to the segment that follows them.
_HEAD = frozenset({
    "#EXTM3U", "#EXT-X-VERSION", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-START", "#EXT-X-DEFINE",
    "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-ENDLIST",
    "#EXT-X-PLAYLIST-TYPE", "#EXT-X-I-FRAMES-ONLY", "#EXT-X-PART-INF", "#EXT-X-SERVER-CONTROL",
})  # fmt: skip
#: Tags that hold for all segments behind them.
_LASTING = ("#EXT-X-MAP", "#EXT-X-KEY")
#: Old segments are not offered in parts any more: servers name those of the last three target durations.
_OF_PARTS = ("#EXT-X-PART", "#EXT-X-PRELOAD-HINT")
_BREAK = "#EXT-X-DISCONTINUITY"
_SKIPPED = re.compile(r"SKIPPED-SEGMENTS=([0-9]{1,9})(?:,|$)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


def whole_playlist(sent: str, copy: str) -> str | None:
    """A media playlist without EXT-X-SKIP; the text itself if it has none, None where the copy lacks what was skipped.

    sent: the answer to a request with _HLS_skip. copy: the text of the same playlist as it was before, whole.
    """
    lines = sent.splitlines()
    place = next((n for n, line in enumerate(lines) if _tag(line) == "#EXT-X-SKIP"), None)
    if place is None:
        return sent
    skipped = _SKIPPED.search(lines[place])
    before = copy.splitlines()
    first, first_before = _number(lines, "#EXT-X-MEDIA-SEQUENCE"), _number(before, "#EXT-X-MEDIA-SEQUENCE")
    breaks, breaks_before = (_number(x, "#EXT-X-DISCONTINUITY-SEQUENCE") for x in (lines, before))
    if skipped is None or breaks is None or breaks_before is None:
        return None
    if first is None or first_before is None or first < first_before:
        return None
    segments = _segments(before)
    gone, count = first - first_before, int(skipped[1])
    kept = segments[gone : gone + count]
    if len(kept) < count or (kept and any(_follows_another(line) for line in kept[0])):
        return None
    breaks_before += sum(line == _BREAK for segment in segments[:gone] for line in segment)
    if kept and breaks > breaks_before:  # the number counts what stood before the first segment that is left
        kept[0] = [line for line in kept[0] if line != _BREAK]
    lasting = {_tag(line): line for segment in segments[:gone] for line in segment if _tag(line) in _LASTING}
    copied = [line for segment in kept for line in segment if _tag(line) not in _OF_PARTS]
    return "\n".join([*lines[:place], *lasting.values(), *copied, *lines[place + 1 :]]) + "\n"


def _tag(line: str) -> str:
    return line.partition(":")[0] if line.startswith("#") else ""


def _number(lines: Sequence[str], tag: str) -> int | None:
    value = next((line.partition(":")[2] for line in lines if _tag(line) == tag), "0")
    return int(value) if _NUMBER.fullmatch(value) else None


def _segments(lines: Sequence[str]) -> list[list[str]]:
    """The lines of each segment up to its address."""
    found: list[list[str]] = []
    own: list[str] = []
    for line in lines:
        if line and _tag(line) not in _HEAD:
            own.append(line)
            if not line.startswith("#"):
                found.append(own)
                own = []
    return found


def _follows_another(line: str) -> bool:
    """Whether a segment is a byte range that begins where the one before it ends, which the copy may not tell."""
    return _tag(line) == "#EXT-X-BYTERANGE" and "@" not in line
