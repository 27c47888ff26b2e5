"""Rules of partial segments. A fault names its section of the second edition of HLS (draft-pantos-hls-rfc8216bis)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from packager.check.media import InitFacts
from packager.check.playlists import MediaPlaylist, PartEntry, PlaylistEntry
from packager.check.reading import Library
from packager.playlist_values import parse_attributes, parse_decimal

#: Durations have six decimals.
_ROUNDING = Fraction(1, 1_000_000)
#: A part that needs others and is not the last of its segment lasts so much of the target at least.
_LEAST = Fraction(85, 100)
#: PART-HOLD-BACK in part targets, CAN-SKIP-UNTIL in target durations, at least.
_HOLD_BACK, _SKIP_UNTIL = 3, 6
#: Parts stay for so many target durations.
_KEPT = 3


def control_faults(playlist: MediaPlaylist) -> Iterator[str]:
    """Faults of what a playlist says of parts as a whole, and of when it names them."""
    control = parse_attributes(playlist.tags.get("EXT-X-SERVER-CONTROL", ""))
    target = parse_decimal(playlist.tags.get("EXT-X-TARGETDURATION", "0")) or Fraction(0)
    if "CAN-SKIP-UNTIL" in control:
        skipped = parse_decimal(control["CAN-SKIP-UNTIL"])
        if skipped is None or skipped < _SKIP_UNTIL * target:
            least = f"{_SKIP_UNTIL} target durations at least wanted"
            yield f"CAN-SKIP-UNTIL {control['CAN-SKIP-UNTIL']}: {least} [rfc8216bis 4.4.3.8]"
    parts = [*(p for e in playlist.entries for p in e.parts), *playlist.open_parts]
    if "EXT-X-PART-INF" not in playlist.tags:
        if parts:
            yield "EXT-X-PART-INF is missing [rfc8216bis 4.4.3.7]"
        return
    part_target = _part_target(playlist)
    if not part_target:
        yield "EXT-X-PART-INF: PART-TARGET is missing, or no number [rfc8216bis 4.4.3.7]"
    if "PART-HOLD-BACK" not in control:
        yield "EXT-X-SERVER-CONTROL: PART-HOLD-BACK is missing [rfc8216bis 4.4.3.8]"
    elif (parse_decimal(control["PART-HOLD-BACK"]) or Fraction(0)) < _HOLD_BACK * part_target:
        least = f"{_HOLD_BACK} part targets at least wanted"
        yield f"PART-HOLD-BACK {control['PART-HOLD-BACK']}: {least} [rfc8216bis 4.4.3.8]"
    behind = sum((p.seconds for p in playlist.open_parts), Fraction(0))
    for entry in reversed(playlist.entries):
        if entry.parts and behind > _KEPT * target:
            yield f"{entry.uri}: its parts are older than {_KEPT} target durations [rfc8216bis 6.2.2]"
        behind += entry.seconds
    hint = playlist.tags.get("EXT-X-PRELOAD-HINT")
    if hint is not None:
        attributes = parse_attributes(hint)
        if attributes.get("TYPE") not in ("PART", "MAP") or not attributes.get("URI"):
            yield "EXT-X-PRELOAD-HINT: TYPE and URI wanted [rfc8216bis 4.4.5.3]"
        if "EXT-X-ENDLIST" in playlist.tags:
            yield "EXT-X-PRELOAD-HINT: nothing follows EXT-X-ENDLIST [rfc8216bis 4.4.5.3]"


def part_faults(
    library: Library,
    playlist: MediaPlaylist,
    parts: Sequence[PartEntry],
    init: InitFacts,
    whole: PlaylistEntry | None = None,
) -> Iterator[str]:
    """Faults of the parts of one segment. whole: the segment, None while it is not."""
    target = _part_target(playlist)
    for part in parts:
        facts = library.segment(part.uri, part.place, init)
        lasts = f"DURATION {float(part.seconds):.6f} s"
        if target and part.seconds > target + _ROUNDING:
            yield f"{part.uri}: {lasts} is beyond PART-TARGET {float(target):g} [rfc8216bis 4.4.3.7]"
        if part.seconds < _LEAST * target and not part.independent and part is not parts[-1]:
            yield f"{part.uri}: {lasts} is below 85 % of PART-TARGET {float(target):g} [rfc8216bis 4.4.4.9]"
        if facts is not None and abs(part.seconds - facts.seconds(init)) > _ROUNDING:
            yield f"{part.uri}: {lasts}, its samples last {float(facts.seconds(init)):.6f} s [rfc8216bis 4.4.4.9]"
    if whole is None or not parts:
        return
    total = sum((p.seconds for p in parts), Fraction(0))
    if abs(total - whole.seconds) > _ROUNDING * (1 + len(parts)):
        lasts = f"EXTINF {float(whole.seconds):.6f} s, its parts last {float(total):.6f} s"
        yield f"{whole.uri}: {lasts} [rfc8216bis 4.4.4.9]"
    data, found = library.bytes(whole.uri, whole.place), [library.bytes(p.uri, p.place) for p in parts]
    if data is not None and None not in found and data != b"".join(d for d in found if d is not None):
        yield f"{whole.uri}: is not what its parts are, one behind the other [rfc8216bis 4.4.4.9]"


def _part_target(playlist: MediaPlaylist) -> Fraction:
    """Seconds, 0 if it is not told."""
    told = parse_attributes(playlist.tags.get("EXT-X-PART-INF", "")).get("PART-TARGET", "0")
    return parse_decimal(told) or Fraction(0)
