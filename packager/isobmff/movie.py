"""Boxes of an init segment: file type, movie, tracks, and the empty sample tables of a fragmented file."""

from __future__ import annotations

from dataclasses import dataclass, field

from packager.isobmff.box import Box, FullBox, register
from packager.isobmff.fields import Fields

#: Rows of the transformation matrix (16.16 and, in the last column, 2.30) by rotation in degrees clockwise.
MATRICES = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


@register("ftyp", "styp")
@dataclass(eq=False, repr=False)
class FileType(Box):
    """ftyp, and styp of a segment: brands."""

    kind: str = "ftyp"
    major: str = "cmf2"
    compatible: tuple[str, ...] = ()
    minor: int = 0

    def visit(self, f: Fields) -> None:
        self.major = f.data(f"{self.kind}.major_brand", 4, self.major.encode("latin-1")).decode("latin-1")
        self.minor = f.uint(f"{self.kind}.minor_version", 4, self.minor)
        brands = f.rest("".join(self.compatible).encode("latin-1")).decode("latin-1")
        self.compatible = tuple(brands[k : k + 4] for k in range(0, len(brands), 4))


@register("mvhd")
@dataclass(eq=False, repr=False)
class MovieHeader(FullBox):
    """Timescale of the movie, and the next free track_ID. duration is 0 in fragmented files."""

    timescale: int = 1000
    duration: int = 0
    next_track_id: int = 2
    created: int = 0
    modified: int = 0
    rate: int = 0x10000
    volume: int = 0x100
    matrix: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        wide = 8 if self.version else 4
        self.created = f.uint("mvhd.creation_time", wide, self.created)
        self.modified = f.uint("mvhd.modification_time", wide, self.modified)
        self.timescale = f.uint("mvhd.timescale", 4, self.timescale)
        self.duration = f.uint("mvhd.duration", wide, self.duration)
        self.rate = f.uint("mvhd.rate", 4, self.rate)
        self.volume = f.uint("mvhd.volume", 2, self.volume)
        f.data("mvhd.reserved", 10, bytes(10))
        self.matrix = f.data("mvhd.matrix", 36, self.matrix or format_matrix(0))
        f.data("mvhd.pre_defined", 24, bytes(24))
        self.next_track_id = f.uint("mvhd.next_track_ID", 4, self.next_track_id)


def format_matrix(rotation: int) -> bytes:
    """The 36 bytes of a matrix that turns by `rotation` degrees clockwise (0, 90, 180, 270)."""
    a, b, c, d = (int(v * 0x10000).to_bytes(4, "big", signed=True) for v in MATRICES[rotation])
    zero, one = bytes(4), (1 << 30).to_bytes(4, "big")
    return a + b + zero + c + d + zero + zero + zero + one


@register("tkhd")
@dataclass(eq=False, repr=False)
class TrackHeader(FullBox):
    """track_ID and the size for display, 16.16 px; flags 3: enabled, in the movie."""

    flags: int = 3
    track_id: int = 1
    width: int = 0
    height: int = 0
    volume: int = 0
    matrix: bytes = b""
    alternate_group: int = 0
    layer: int = 0
    created: int = 0
    modified: int = 0
    duration: int = 0

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        wide = 8 if self.version else 4
        self.created = f.uint("tkhd.creation_time", wide, self.created)
        self.modified = f.uint("tkhd.modification_time", wide, self.modified)
        self.track_id = f.uint("tkhd.track_ID", 4, self.track_id)
        f.data("tkhd.reserved", 4, bytes(4))
        self.duration = f.uint("tkhd.duration", wide, self.duration)
        f.data("tkhd.reserved", 8, bytes(8))
        self.layer = f.sint("tkhd.layer", 2, self.layer)
        self.alternate_group = f.sint("tkhd.alternate_group", 2, self.alternate_group)
        self.volume = f.uint("tkhd.volume", 2, self.volume)
        f.data("tkhd.reserved", 2, bytes(2))
        self.matrix = f.data("tkhd.matrix", 36, self.matrix or format_matrix(0))
        self.width = f.uint("tkhd.width", 4, self.width)
        self.height = f.uint("tkhd.height", 4, self.height)


@register("mdhd")
@dataclass(eq=False, repr=False)
class MediaHeader(FullBox):
    """Timescale and language (ISO 639-2, three letters) of a track."""

    timescale: int = 1000
    language: str = "und"
    duration: int = 0
    created: int = 0
    modified: int = 0

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        wide = 8 if self.version else 4
        self.created = f.uint("mdhd.creation_time", wide, self.created)
        self.modified = f.uint("mdhd.modification_time", wide, self.modified)
        self.timescale = f.uint("mdhd.timescale", 4, self.timescale)
        self.duration = f.uint("mdhd.duration", wide, self.duration)
        packed = sum((ord(c) - 0x60 & 31) << s for c, s in zip(self.language, (10, 5, 0), strict=True))
        packed = f.uint("mdhd.language", 2, packed)
        self.language = "".join(chr((packed >> s & 31) + 0x60) for s in (10, 5, 0))
        f.data("mdhd.pre_defined", 2, bytes(2))


@register("hdlr")
@dataclass(eq=False, repr=False)
class Handler(FullBox):
    """What a track is: vide, soun, sbtl."""

    handler: str = "vide"
    name: str = ""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        f.data("hdlr.pre_defined", 4, bytes(4))
        self.handler = f.data("hdlr.handler_type", 4, self.handler.encode("latin-1")).decode("latin-1")
        f.data("hdlr.reserved", 12, bytes(12))
        self.name = f.string("hdlr.name", self.name)


@register("vmhd")
@dataclass(eq=False, repr=False)
class VideoMediaHeader(FullBox):
    """Of video tracks; says nothing."""

    flags: int = 1

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        f.data("vmhd.graphics", 8, bytes(8))


@register("smhd")
@dataclass(eq=False, repr=False)
class SoundMediaHeader(FullBox):
    """Of audio tracks; says nothing."""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        f.data("smhd.balance", 4, bytes(4))


@register("nmhd")
@dataclass(eq=False, repr=False)
class NullMediaHeader(FullBox):
    """Of other tracks; says nothing."""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)


@register("url ")
@dataclass(eq=False, repr=False)
class DataLocation(FullBox):
    """flags 1: the media are in this file."""

    flags: int = 1
    location: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.location = f.rest(self.location)


class _Counted(FullBox):
    """A number of boxes, and the boxes."""

    holds_boxes = True

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        f.uint(f"{self.kind}.entry_count", 4, len(self.children))


@register("dref")
@dataclass(eq=False, repr=False)
class DataReferences(_Counted):
    """Where the media are."""

    children: list[Box] = field(default_factory=list)


@register("stsd")
@dataclass(eq=False, repr=False)
class SampleDescriptions(_Counted):
    """The sample entries of a track."""

    children: list[Box] = field(default_factory=list)


@register("stts", "stsc", "stco")
@dataclass(eq=False, repr=False)
class EmptyTable(FullBox):
    """A sample table of a fragmented file: no entries in the movie itself. entries: bytes of those that there are."""

    kind: str = "stts"
    count: int = 0
    entries: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.count = f.uint(f"{self.kind}.entry_count", 4, self.count)
        self.entries = f.rest(self.entries)


@register("stsz")
@dataclass(eq=False, repr=False)
class SampleSizes(FullBox):
    """Sizes of samples in the movie itself: none in a fragmented file."""

    sample_size: int = 0
    count: int = 0
    entries: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.sample_size = f.uint("stsz.sample_size", 4, self.sample_size)
        self.count = f.uint("stsz.sample_count", 4, self.count)
        self.entries = f.rest(self.entries)


@dataclass
class Edit:
    """Shows media_time … + duration of the media; duration 0: all of it (in movie ticks)."""

    duration: int = 0
    media_time: int = 0
    rate: int = 0x10000


@register("elst")
@dataclass(eq=False, repr=False)
class EditList(FullBox):
    """What part of the media is shown. In this project only of audio, whose first frame may start before zero."""

    edits: list[Edit] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        wide = 8 if self.version else 4
        count = f.uint("elst.entry_count", 4, len(self.edits))
        self.edits = f.items("elst.entry_count", count, self.edits, Edit)
        for edit in self.edits:
            edit.duration = f.uint("elst.segment_duration", wide, edit.duration)
            edit.media_time = f.sint("elst.media_time", wide, edit.media_time)
            edit.rate = f.uint("elst.media_rate", 4, edit.rate)


@register("tref")
@dataclass(eq=False, repr=False)
class TrackReferences(Box):
    """References of a track to others, one box a kind of reference."""

    holds_boxes = True
    children: list[Box] = field(default_factory=list)


@register("sbas", "cdsc", "scal")
@dataclass(eq=False, repr=False)
class TrackReference(Box):
    """sbas: the tracks that this one's layer builds upon."""

    kind: str = "sbas"
    track_ids: list[int] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        data = f.rest(b"".join(t.to_bytes(4, "big") for t in self.track_ids))
        self.track_ids = [int.from_bytes(data[k : k + 4], "big") for k in range(0, len(data), 4)]
