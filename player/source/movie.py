"""Single MP4 files to the record: from the sidx over the file, or box by box where every segment has its own."""

from __future__ import annotations

from fractions import Fraction

from gvideo.errors import InvalidError, TruncatedError, UnsupportedError
from packager.isobmff import movie
from packager.isobmff.box import box_header, find_one, parse_boxes, shown_kind, walk
from packager.isobmff.fragments import SegmentIndex
from player.source.fetch import Fetcher
from player.source.record import Level, Presentation, Resource, Segment, Track

_BOX_HEADER_BYTES = 16
#: A moov or sidx larger than this is no honest one.
_MAX_INDEX_BYTES = 1 << 28
_NOT_OURS = "is no fragmented MP4 of a gvideo stream; `gvideo encode` makes one"


def read_movie(url: str, fetcher: Fetcher, *, kinds: tuple[str, ...] = ("video",)) -> Presentation:
    """A fragmented MP4 file. kinds: of tracks that are wanted: "video", "audio", which lies in the same segments.
    Raises MediaError and BitstreamError, which name it."""
    segments: list[Segment] = []
    init: Resource | None = None
    first: int | None = None
    offset = 0
    while True:
        head = fetcher.some(url, offset, _BOX_HEADER_BYTES)
        if not head.data:
            break
        if not offset and head.data[4:8] != b"ftyp":
            raise InvalidError(f"{url}: signature: no MP4 file; `gvideo encode` makes one")
        kind, _, size = box_header(head.data, 0, head.total - offset if head.total is not None else len(head.data))
        if head.total is not None and offset + size > head.total:
            missing = offset + size - head.total
            raise TruncatedError(f"{url}: {shown_kind(kind)} at byte {offset}: {missing} byte(s) missing")
        if kind == "moov":
            init = Resource(url, 0, offset + size)
        elif kind == "sidx" and init is not None and first is None and not segments:
            segments = read_index(url, offset, size, init, fetcher)
            break
        elif kind == "styp":
            if first is not None and init is not None:
                segments.append(_segment(init, url, first, offset))
            first = offset
        elif kind == "mdat" and init is None:
            raise UnsupportedError(f"{url}: {_NOT_OURS}")
        offset += size
        if head.total is not None and offset >= head.total:
            break
    if init is None:
        raise InvalidError(f"{url}: holds no moov, it is no MP4 file")
    if first is not None:
        segments.append(_segment(init, url, first, offset))
    if not segments:
        raise UnsupportedError(f"{url}: {_NOT_OURS}")
    tracks = [Track("video", (Level(url),), tuple(segments))]
    if "audio" in kinds:
        tracks += _sounds(url, fetcher.read(init.url, init.offset, init.size), tuple(segments))
    return Presentation(url, tuple(tracks))


def _sounds(url: str, init: bytes, segments: tuple[Segment, ...]) -> list[Track]:
    """Tracks of sound that an init segment tells of."""
    found = []
    for trak in (b for b in walk(parse_boxes(init)) if b.kind == "trak"):
        if find_one([trak], movie.Handler, "trak").handler == "soun":
            language = find_one([trak], movie.MediaHeader, "trak").language
            track_id = find_one([trak], movie.TrackHeader, "trak").track_id
            found.append(Track("audio", (Level(f"{url}#{track_id}"),), segments, language, track_id=track_id))
    return found


def _segment(init: Resource, url: str, start: int, end: int) -> Segment:
    return Segment(init, Resource(url, start, end - start), Fraction(0), (end - start,))


def read_index(url: str, offset: int, size: int, init: Resource, fetcher: Fetcher) -> list[Segment]:
    """The segments that the sidx at a place lists."""
    if size > _MAX_INDEX_BYTES:
        raise InvalidError(f"{url}: sidx at byte {offset}: {size} bytes are too many")
    boxes = parse_boxes(fetcher.read(url, offset, size))
    index = find_one(boxes, SegmentIndex, "index")
    if any(r.is_index for r in index.references) or index.timescale == 0:
        raise UnsupportedError(f"{url}: sidx at byte {offset}: an index of indices is not supported")
    at = offset + index.offset + index.size + index.first_offset
    segments = []
    for reference in index.references:
        media = Resource(url, at, reference.num_bytes)
        segments.append(Segment(init, media, Fraction(reference.duration, index.timescale), (reference.num_bytes,)))
        at += reference.num_bytes
    return segments
