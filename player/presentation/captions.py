"""Subtitles of a published stream: files of WebVTT, whole or a segment each, to cues on the stream's axis.

X-TIMESTAMP-MAP (RFC 8216 §3.5) ties a file's local time to media time, which counts from the part's zero.
"""

from __future__ import annotations

import html
import math
import re
import threading
from dataclasses import dataclass

from gvideo.errors import GVideoError
from packager.subtitles import parse_cues
from player.presentation.rendition import Rendition
from player.source.fetch import Fetcher

_MAP = re.compile(r"^X-TIMESTAMP-MAP=(.*)$", re.MULTILINE)
_MPEG_TICKS = 90000
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, order=True)
class Caption:
    """Plain text, lines separated by newlines, from start to end in s."""

    start: float
    end: float
    text: str


def read_captions(text: str) -> list[Caption]:
    """The cues of a WebVTT file in media time; tags and what is no cue are left out. Raises ValueError for a map of
    times that cannot be read."""
    shift = 0.0
    found = _MAP.search(text.replace("\r\n", "\n").replace("\r", "\n"))
    if found:
        fields = dict(part.split(":", 1) for part in found[1].split(",") if ":" in part)
        shift = float(fields.get("MPEGTS", "0").strip() or 0) / _MPEG_TICKS - _seconds(fields.get("LOCAL", "0:0"))
    cues, _ = parse_cues(text.removeprefix("\ufeff"))
    if not math.isfinite(shift):
        raise ValueError(f"X-TIMESTAMP-MAP={found[1] if found else ''}: no times")
    return [
        Caption(float(c.start) + shift, float(c.end) + shift, html.unescape(_TAG.sub("", c.text)).strip()) for c in cues
    ]


def _seconds(text: str) -> float:
    total = 0.0
    for field in text.strip().split(":"):
        total = 60 * total + float(field)
    return total


class Captions:
    """Subtitles near the picture. Files are fetched in a thread; one that cannot be had is passed over, `failure` says
    why."""

    def __init__(self, rendition: Rendition, fetcher: Fetcher) -> None:
        self._rendition, self._fetcher = rendition, fetcher
        track = rendition.track
        self.name, self.language = track.name or track.language or "subtitles", track.language
        self._cues: dict[int, list[Caption]] = {}
        self.failure = ""
        self._busy: threading.Thread | None = None

    def text_at(self, seconds: float) -> str:
        """What is to be read now. What is not there yet is fetched, and so is the next file."""
        self._rendition.follow()
        number = self._rendition.number_at(seconds)
        wanted = [n for n in (number, number + 1) if self._rendition.segment(n) is not None and n not in self._cues]
        if wanted and (self._busy is None or not self._busy.is_alive()):
            self._busy = threading.Thread(target=self._read, args=(wanted,), daemon=True)
            self._busy.start()
        found: list[str] = []
        for n in (number - 1, number, number + 1):
            segment = self._rendition.segment(n) if n in self._cues else None
            shift = None if segment is None else self._rendition.shift(segment.part)
            if shift is None:
                continue
            for cue in self._cues[n]:
                if cue.start + shift <= seconds < cue.end + shift and cue.text not in found:  # one over a cut is twice
                    found.append(cue.text)
        return "\n".join(found)

    def close(self) -> None:
        """Waits for nothing more."""
        self._rendition.close()

    def _read(self, numbers: list[int]) -> None:
        for number in numbers:
            segment = self._rendition.segment(number)
            assert segment is not None
            place = segment.media
            try:
                data = self._fetcher.read(place.url, place.offset, place.size)
                self._cues[number] = sorted(read_captions(data.decode("utf-8", "replace")))
            except (GVideoError, ValueError) as error:
                self.failure = str(error)
                self._cues[number] = []
