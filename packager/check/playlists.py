"""HLS playlists as a client reads them: lines to tags and attributes, nothing more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from packager.playlist_values import parse_attributes, parse_decimal
from packager.presentation import ByteRange

_BYTES = re.compile(r"([0-9]{1,19})@([0-9]{1,19})")


@dataclass(frozen=True)
class PartEntry:
    """A partial segment of a media playlist."""

    uri: str
    seconds: Fraction
    place: ByteRange | None
    independent: bool


@dataclass(frozen=True)
class PlaylistEntry:
    """A segment of a media playlist. init: (uri, range) of the map that holds for it. parts: what it is offered in."""

    uri: str
    seconds: Fraction
    place: ByteRange | None
    init: tuple[str, ByteRange | None] | None
    discontinuity: bool
    parts: tuple[PartEntry, ...] = ()


@dataclass
class MediaPlaylist:
    """A media playlist: its tags by name, its segments, and the parts of the one that is not whole yet, with the map
    that holds for them."""

    tags: dict[str, str] = field(default_factory=dict)
    entries: list[PlaylistEntry] = field(default_factory=list)
    open_parts: tuple[PartEntry, ...] = ()
    open_init: tuple[str, ByteRange | None] | None = None
    faults: list[str] = field(default_factory=list)


@dataclass
class MasterPlaylist:
    """A multivariant playlist: variants with their attributes and URIs, renditions, key-frame variants."""

    tags: dict[str, str] = field(default_factory=dict)
    variants: list[tuple[dict[str, str], str]] = field(default_factory=list)
    renditions: list[dict[str, str]] = field(default_factory=list)
    keys: list[dict[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def parse_master(text: str) -> MasterPlaylist:
    """A multivariant playlist."""
    found = MasterPlaylist()
    pending: dict[str, str] | None = None
    for line in _lines(text, found.faults):
        name, _, value = line.partition(":")
        if name == "#EXT-X-STREAM-INF":
            pending = parse_attributes(value)
        elif name == "#EXT-X-MEDIA":
            found.renditions.append(parse_attributes(value))
        elif name == "#EXT-X-I-FRAME-STREAM-INF":
            found.keys.append(parse_attributes(value))
        elif line.startswith("#EXT"):
            found.tags[name[1:]] = value
        elif not line.startswith("#"):
            if pending is None:
                found.faults.append(f"{line}: no EXT-X-STREAM-INF before it [RFC 8216 4.3.4.2]")
            found.variants.append((pending or {}, line))
            pending = None
    return found


def parse_media(text: str) -> MediaPlaylist:
    """A media playlist."""
    found = MediaPlaylist()
    seconds: Fraction | None = None
    place: ByteRange | None = None
    init: tuple[str, ByteRange | None] | None = None
    discontinuity = False
    parts: list[PartEntry] = []
    for line in _lines(text, found.faults):
        name, _, value = line.partition(":")
        try:
            if name == "#EXTINF":
                seconds = _seconds(value.partition(",")[0])
            elif name == "#EXT-X-BYTERANGE":
                place = _range(value)
            elif name == "#EXT-X-MAP":
                attributes = parse_attributes(value)
                part = _range(attributes["BYTERANGE"]) if "BYTERANGE" in attributes else None
                init = (attributes.get("URI", ""), part)
            elif name == "#EXT-X-PART":
                parts.append(_part(parse_attributes(value)))
            elif name == "#EXT-X-DISCONTINUITY":
                discontinuity = True
            elif line.startswith("#EXT"):
                found.tags.setdefault(name[1:], value)
            elif not line.startswith("#"):
                if seconds is None:
                    found.faults.append(f"{line}: no EXTINF before it [RFC 8216 4.3.2.1]")
                found.entries.append(
                    PlaylistEntry(line, seconds or Fraction(0), place, init, discontinuity, tuple(parts))
                )
                seconds, place, discontinuity, parts = None, None, False, []
        except ValueError:
            found.faults.append(f"{line}: cannot be read")
    found.open_parts, found.open_init = tuple(parts), init
    return found


def _part(attributes: dict[str, str]) -> PartEntry:
    place = _range(attributes["BYTERANGE"]) if "BYTERANGE" in attributes else None
    independent = attributes.get("INDEPENDENT") == "YES"
    return PartEntry(attributes.get("URI", ""), _seconds(attributes.get("DURATION", "")), place, independent)


def _seconds(text: str) -> Fraction:
    seconds = parse_decimal(text)
    if seconds is None:
        raise ValueError(text)
    return seconds


def _range(text: str) -> ByteRange:
    found = _BYTES.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    return ByteRange(int(found[2]), int(found[1]))


def _lines(text: str, faults: list[str]) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    if not lines or lines[0] != "#EXTM3U":
        faults.append("does not begin with #EXTM3U [RFC 8216 4.3.1.1]")
    return [line for line in lines[1:] if line]
