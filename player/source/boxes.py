"""Init and media segments to units of the stream (docs/carriage.md §1, §4, §5). Heads come from incomplete ones.

styp sidx ssix [moof mdat] base [moof mdat] layer 1 …   ──►   segment unit, layer unit …
styp(cmfl) [moof mdat] [moof mdat] …                    ──►   ranges of several coded segments, then as above
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gvideo.errors import InvalidError, TruncatedError, UnsupportedError
from packager.isobmff import fragments, movie
from packager.isobmff.box import Box, box_header, find_all, find_one, parse_boxes, walk
from packager.isobmff.entries import GaussianConfiguration

#: Boxes of a head that are parsed; what else there is, is passed over.
_INDEX_KINDS = ("sidx", "ssix")
#: Brand of a media segment that may hold several coded segments.
_CHUNKED = "cmfl"


@dataclass(frozen=True, slots=True)
class Init:
    """What an init segment says of the stream: its sequence unit, and the track of every layer, the base first."""

    sequence_unit: bytes
    track_ids: tuple[int, ...]
    timescale: int


@dataclass(frozen=True, slots=True)
class Head:
    """What the first bytes of a media segment say. unit: the first bytes of the segment unit. media_time: ticks.
    ends: bytes at which the layers end, () without an ssix. goes_on: more coded segments may follow in the same media
    segment (coded_segments)."""

    unit: bytes
    media_time: int
    ends: tuple[int, ...]
    goes_on: bool = False


def read_init(data: bytes) -> Init:
    """An init segment. Raises BitstreamError for one that breaks the carriage or holds no gvideo stream."""
    ids: list[int] = []
    sequence_unit, timescale = b"", 0
    codecs = []
    for trak in (b for b in walk(parse_boxes(data)) if b.kind == "trak"):
        for entry in find_one([trak], movie.SampleDescriptions, "trak").children:
            codecs.append(entry.kind)
            if entry.kind not in ("gsv1", "gsve"):
                continue
            if entry.kind == "gsv1" and ids:
                raise UnsupportedError("moov: two streams of gsv1; give them files of their own")
            if entry.kind == "gsve" and not ids:
                raise InvalidError("moov: a layer's track comes before its base")
            ids.append(find_one([trak], movie.TrackHeader, "trak").track_id)
            if entry.kind == "gsv1":
                sequence_unit = find_one([entry], GaussianConfiguration, "gsv1").sequence_unit
                timescale = find_one([trak], movie.MediaHeader, "trak").timescale
    if not ids:
        listed = ", ".join(codecs) or "no tracks"
        raise UnsupportedError(f"moov: holds no gsv1 track ({listed}); VideoDecoder plays gvideo streams only")
    return Init(sequence_unit, tuple(ids), timescale)


def read_head(data: bytes, init: Init, whole_unit_bytes: int) -> Head:
    """The head of a media segment from its first bytes. whole_unit_bytes: wanted of the unit, if it has so many.
    Raises TruncatedError if data ends too early."""
    ends: tuple[int, ...] = ()
    boxes: list[Box] = []
    start = 0
    time = None
    goes_on = False
    while True:
        kind, header, size = box_header(data, start, len(data))
        if kind == "mdat" and time is not None:
            wanted = min(size - header, whole_unit_bytes)
            unit = data[start + header : start + header + wanted]
            if len(unit) < wanted:
                raise TruncatedError(f"mdat at byte {start}: {wanted - len(unit)} byte(s) missing")
            return Head(unit, time, ends, goes_on)
        if kind in (*_INDEX_KINDS, "styp", "moof"):
            if start + size > len(data):
                raise TruncatedError(f"{kind} at byte {start}: {start + size - len(data)} byte(s) missing")
            (box,) = parse_boxes(data, start, start + size)
            if kind == "moof":
                track = find_one([box], fragments.TrackFragmentHeader, "moof").track_id
                if track == init.track_ids[0]:
                    time = find_one([box], fragments.FragmentTime, "moof").time
            elif kind == "styp":
                goes_on = isinstance(box, movie.FileType) and _CHUNKED in box.compatible
            else:
                boxes.append(box)
                ends = _layer_ends(boxes)
        start += size
        if start >= len(data):
            raise TruncatedError(f"segment: ends at byte {len(data)}, before its first sample")


def _layer_ends(boxes: list[Box]) -> tuple[int, ...]:
    """Where the layers of a segment end, from sidx and ssix in it."""
    sidx, ssix = find_all(boxes, fragments.SegmentIndex), find_all(boxes, fragments.SubsegmentIndex)
    if not sidx or not ssix or len(ssix[0].subsegments) != 1:
        return ()
    at = sidx[0].offset + sidx[0].size + sidx[0].first_offset
    ends: list[int] = []
    level = None
    for part in ssix[0].subsegments[0].ranges:
        at += part.num_bytes
        if part.level == level:
            ends[-1] = at
        else:
            ends.append(at)
        level = part.level
    return tuple(ends)


def coded_segments(data: bytes, init: Init) -> list[tuple[int, int]]:
    """(offset, bytes) of the coded segments that a media segment holds: one for every fragment of the base track, the
    fragments of its layers included."""
    base = init.track_ids[0]
    moofs = [box for box in parse_boxes(data) if box.kind == "moof"]
    return _places([box.offset for box in moofs if any(h.track_id == base for h in _headers(box))], len(data))


def fragment_places(data: bytes) -> list[tuple[int, int]]:
    """(offset, bytes) of the fragments of a media segment of one track."""
    return _places([box.offset for box in parse_boxes(data) if box.kind == "moof"], len(data))


def _places(starts: list[int], end: int) -> list[tuple[int, int]]:
    """(offset, bytes) of pieces; what lies in front of the first belongs to it."""
    starts = [0, *starts[1:]]
    return [(start, following - start) for start, following in zip(starts, [*starts[1:], end], strict=True)]


def _headers(moof: Box) -> list[fragments.TrackFragmentHeader]:
    return find_all([moof], fragments.TrackFragmentHeader)


def read_units(data: bytes, init: Init) -> list[bytes]:
    """The units of a media segment, or of a prefix of one that ends with a layer, in the order of the layers."""
    found: dict[int, bytes] = {}
    for track, time, sample in _samples(data, init):
        if track in found:
            raise InvalidError(f"moof: track {track} has a second sample in one segment, at {time} ticks")
        found[track] = sample
    layers = []
    for track in init.track_ids:  # without one layer those above it are of no use
        if track not in found:
            break
        layers.append(found[track])
    if not layers:
        raise InvalidError("segment: holds no sample of the base track")
    return layers


def _samples(data: bytes, init: Init) -> Iterator[tuple[int, int, bytes]]:
    for moof in parse_boxes(data):
        if moof.kind != "moof":
            continue
        for traf in (b for b in walk([moof]) if b.kind == "traf"):
            track = find_one([traf], fragments.TrackFragmentHeader, "traf").track_id
            if track not in init.track_ids:
                continue
            time = find_one([traf], fragments.FragmentTime, "traf").time
            for run in find_all([traf], fragments.TrackRun):
                at = moof.offset + run.data_offset
                for sample in run.samples:
                    if at < 0 or at + sample.num_bytes > len(data):
                        raise TruncatedError(f"trun.sample_size: a sample of track {track} ends behind its segment")
                    yield track, time, data[at : at + sample.num_bytes]
                    at += sample.num_bytes
