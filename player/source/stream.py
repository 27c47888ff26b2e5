"""A published stream as `gvideo.VideoDecoder` wants it: heads of all segments at once, the rest where it is asked for.

manifest ──► best gsv1 track ──► heads (frames, times) ──► units of one segment, up to a layer
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader
from gvideo.decoder.coded import CodedStream
from gvideo.decoder.segments import SegmentStream
from gvideo.decoder.source import ByteReader
from gvideo.decoder.stream import Stream
from gvideo.errors import BitstreamError, MediaError, TruncatedError
from player.source import boxes
from player.source.dash import read_dash
from player.source.fetch import Fetcher
from player.source.hls import read_hls
from player.source.movie import read_movie
from player.source.record import Presentation, Resource, Segment, Track

CODEC = "gsv1"
_MANIFESTS = ("master.m3u8", "manifest.mpd")
#: Bytes of a segment that are read to know its frames; more where they do not suffice.
_HEAD_BYTES = 1024
#: Bytes of a unit that hold its type, length and header but for durations; with one for every frame.
_UNIT_BYTES, _LONG_UNIT_BYTES = 64, 64 + 6 * headers.MAX_FRAMES_A_SEGMENT
_NUM_CONNECTIONS = 8
#: Segments whose heads are queued at a time.
_NUM_AHEAD = 256
_BLOCK_BYTES, _KEPT_BLOCKS = 1 << 16, 64


def open_stream(source: str | os.PathLike[str], *, fetcher: Fetcher | None = None) -> CodedStream:
    """A published stream, for `gvideo.VideoDecoder` or by itself.

    Of a multivariant playlist or a manifest the gsv1 rung with the most bits is taken, with all its layers. What a live
    playlist offers is what it offers now.

    Args:
        source: a published folder, an .m3u8, .mpd or .mp4, a URL of one of these or of a .gsv file.
        fetcher: what reads; None for one with the default limits.

    Returns:
        A CodedStream: header, segments, format, and the symbols of any segment.

    Raises:
        MediaError: something cannot be read, or there is no gvideo stream; the message names the file or URL.
        BitstreamError: the stream breaks the syntax.

    Example:
        >>> _ = packager.package_streams(packager.open_rungs(["clip.gsv"]), packager.open_sink("stream"))
        >>> player.open_stream("stream").num_frames
        40
    """
    fetcher = fetcher or Fetcher()
    name = os.fspath(source)
    if is_single_stream(name):
        return Stream(RemoteFile(name, fetcher) if "://" in name else Path(name))
    presentation, digest = read_presentation(name, fetcher)
    choices = [t for t in presentation.tracks if t.is_gaussian]
    if not choices:
        raise MediaError(f"{presentation.url}: offers no gvideo stream (codec {CODEC})")
    track = max(choices, key=lambda t: t.levels[-1].average_bps or t.levels[-1].peak_bps)
    try:
        return SegmentStream(TrackSource(name, track, fetcher, digest))
    except BitstreamError as error:
        text = str(error)
        raise type(error)(text if text.startswith(f"{name}: ") else f"{name}: {text}") from error


def is_single_stream(name: str) -> bool:
    """Whether a path or URL is that of a .gsv file."""
    path = name.partition("?")[0].partition("#")[0] if "://" in name else name
    return path.lower().endswith(".gsv")


def read_presentation(
    name: str, fetcher: Fetcher, *, kinds: tuple[str, ...] = ("video",), in_pieces: bool = False
) -> tuple[Presentation, str]:
    """The record of a source, tracks of the kinds that are asked for, and a digest of it, under which fetched segments
    may be kept. in_pieces: segments of a live playlist are listed part by part where it offers parts."""
    found = _read(_manifest_of(name, fetcher), fetcher, kinds, in_pieces=in_pieces)
    return found, hashlib.sha256(repr(found).encode()).hexdigest()


def _manifest_of(name: str, fetcher: Fetcher) -> str:
    """The manifest in a folder, or the name itself."""
    if "://" in name:
        last = name.partition("?")[0].partition("://")[2].rstrip("/").partition("/")[2].rpartition("/")[2]
        if "." in last:
            return name
        folder = name.rstrip("/")
        try:
            fetcher.some(f"{folder}/{_MANIFESTS[0]}", 0, 16)
        except MediaError:
            return f"{folder}/{_MANIFESTS[1]}"
        return f"{folder}/{_MANIFESTS[0]}"
    if not Path(name).is_dir():
        return name
    for manifest in _MANIFESTS:
        if (Path(name) / manifest).is_file():
            return str(Path(name) / manifest)
    raise MediaError(f"{name}: is a folder without {' or '.join(_MANIFESTS)}; gvideo package makes one")


def _read(url: str, fetcher: Fetcher, kinds: tuple[str, ...], *, in_pieces: bool) -> Presentation:
    path = url.partition("?")[0].lower()
    try:
        if path.endswith(".m3u8"):
            return read_hls(url, fetcher, kinds=kinds, codec=CODEC, in_pieces=in_pieces)
        if path.endswith(".mpd"):
            return read_dash(url, fetcher, kinds=kinds, codec=CODEC)
        if path.endswith((".mp4", ".m4v", ".cmfv")):
            return read_movie(url, fetcher, kinds=kinds)
    except BitstreamError as error:
        text = str(error)
        raise type(error)(text if url in text else f"{url}: {text}") from error
    raise MediaError(f"{url}: a folder, .gsv, .m3u8, .mpd or .mp4 wanted")


class TrackSource:
    """The segments of a track (see gvideo.decoder.segments.SegmentSource). keep: edition of its files for the cache."""

    def __init__(self, name: str, track: Track, fetcher: Fetcher, keep: str = "") -> None:
        self.name, self._fetcher, self._keep = name, fetcher, keep
        self._inits: dict[Resource, boxes.Init] = {}
        for segment in track.segments:
            if segment.init not in self._inits:
                self._inits[segment.init] = self._read_init(segment.init)
        with ThreadPoolExecutor(_NUM_CONNECTIONS) as pool:
            found = [
                each
                for first in range(0, len(track.segments), _NUM_AHEAD)  # one that is missing ends it before the rest
                for several in pool.map(self._read_heads, track.segments[first : first + _NUM_AHEAD])
                for each in several
            ]
        self._segments = [segment for segment, _, _ in found]
        self._heads = [head for _, head, _ in found]
        self._sizes = [size for _, _, size in found]
        self.size = sum(self._sizes)

    def __len__(self) -> int:
        return len(self._segments)

    def sequence_unit(self, number: int) -> bytes:
        """The sequence unit that holds for a segment."""
        return self._init(number).sequence_unit

    def head(self, number: int) -> bytes:
        """The first bytes of a segment's unit."""
        return self._heads[number].unit

    def media_time(self) -> int:
        """Ticks from the stream's first frame to the first segment."""
        return self._heads[0].media_time

    def num_bytes(self, number: int) -> int:
        """Bytes of a segment, boxes included."""
        return self._sizes[number]

    def units(self, number: int, num_layers: int | None) -> Sequence[bytes]:
        """The segment unit and its layer units; no bytes behind the last one wanted are fetched."""
        segment, head = self._segments[number], self._heads[number]
        size = segment.media.size
        known: Sequence[int | None] = head.ends or segment.ends
        if num_layers is not None and num_layers < len(known):
            end = known[num_layers - 1]
            size = end if size is None or end is None else min(size, end)
        data = self._fetcher.read(segment.media.url, segment.media.offset, size, keep=self._keep)
        try:
            found = boxes.read_units(data, self._init(number))
        except BitstreamError as error:
            raise type(error)(f"{segment.media.url}: {error}") from error
        return found[:num_layers]

    def close(self) -> None:
        """Closes connections."""
        self._fetcher.close()

    def _init(self, number: int) -> boxes.Init:
        return self._inits[self._segments[number].init]

    def _read_init(self, place: Resource) -> boxes.Init:
        if not place.url:
            raise MediaError(f"{self.name}: names no init segment (EXT-X-MAP)")
        data = self._fetcher.read(place.url, place.offset, place.size, keep=self._keep)
        try:
            return boxes.read_init(data)
        except BitstreamError as error:
            raise type(error)(f"{place.url}: {error}") from error

    def _read_heads(self, segment: Segment) -> list[tuple[Segment, boxes.Head, int]]:
        """The coded segments that a media segment holds, each with its head and its bytes. Where there may be several,
        all of it is read, since nothing tells where they begin."""
        head, size = self._read_head(segment)
        if not head.goes_on:
            return [(segment, head, size)]
        media, init = segment.media, self._inits[segment.init]
        data = self._fetcher.read(media.url, media.offset, media.size, keep=self._keep)
        found = []
        try:
            for start, length in boxes.coded_segments(data, init):
                place = Resource(media.url, media.offset + start, length)
                part = data[start : start + length]
                head = boxes.read_head(part, init, min(_LONG_UNIT_BYTES, length))
                found.append((replace(segment, media=place, ends=(length,)), head, length))
        except BitstreamError as error:
            raise type(error)(f"{media.url}: {error}") from error
        return found

    def _read_head(self, segment: Segment) -> tuple[boxes.Head, int]:
        """The head of a segment and its bytes, from as few of them as will do."""
        media, init = segment.media, self._inits[segment.init]
        size, unit_bytes = _HEAD_BYTES, _UNIT_BYTES
        while True:
            wanted = size if media.size is None else min(size, media.size)
            found = self._fetcher.some(media.url, media.offset, wanted)
            whole = media.size if media.size is not None else found.total
            try:
                head = boxes.read_head(found.data, init, unit_bytes)
                if _is_enough(head.unit):
                    return head, whole if whole is not None else len(found.data)
                unit_bytes = _LONG_UNIT_BYTES
            except TruncatedError as error:
                if len(found.data) < wanted or wanted == media.size:
                    raise TruncatedError(f"{media.url}: {error}") from error
                size *= 4
            except BitstreamError as error:
                raise type(error)(f"{media.url}: {error}") from error


def _is_enough(unit: bytes) -> bool:
    """Whether the header of a segment unit is whole, or nothing more of it is to come."""
    if len(unit) != _UNIT_BYTES:
        return True
    _, _, skip = units.parse_unit_header(unit[: units.MAX_OVERHEAD])
    try:
        headers.visit_segment(Reader(unit[skip:]))
    except TruncatedError:
        return False
    return True


class RemoteFile(ByteReader):
    """A file behind a URL, read in blocks, the last few of which are kept."""

    def __init__(self, url: str, fetcher: Fetcher) -> None:
        self.name, self._fetcher = url, fetcher
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        first = fetcher.some(url, 0, _BLOCK_BYTES)
        if first.total is None:
            raise MediaError(f"{url}: the server does not tell its size")
        self.size = first.total
        self._blocks[0] = first.data[:_BLOCK_BYTES]

    def read(self, offset: int, size: int) -> bytes:
        """Bytes offset … offset+size-1, as far as there are any."""
        end = min(offset + size, self.size)
        if end <= offset:
            return b""
        first, last = offset // _BLOCK_BYTES, (end - 1) // _BLOCK_BYTES
        data = b"".join(self._block(n) for n in range(first, last + 1))
        return data[offset - first * _BLOCK_BYTES : end - first * _BLOCK_BYTES]

    def close(self) -> None:
        """Closes connections."""
        self._fetcher.close()

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            offset = number * _BLOCK_BYTES
            self._blocks[number] = self._fetcher.read(self.name, offset, min(_BLOCK_BYTES, self.size - offset))
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return self._blocks[number]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_blocks": OrderedDict()}
