"""Boxes of movie fragments and of the indices over them."""

from __future__ import annotations

from dataclasses import dataclass, field

from gvideo.errors import InvalidError
from packager.isobmff.box import Box, FullBox, register
from packager.isobmff.fields import Fields

#: Sample flags: depends on no other sample; depends on others and is no sync sample.
SYNC_FLAGS, DELTA_FLAGS = 0x02000000, 0x01010000
DEFAULT_BASE_IS_MOOF = 0x020000
_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800
#: A range of ssix has 24 bits.
MAX_RANGE = (1 << 24) - 1


@register("mehd")
@dataclass(eq=False, repr=False)
class MovieExtendsHeader(FullBox):
    """Duration of the whole fragmented movie in ticks of mvhd."""

    version: int = 1
    duration: int = 0

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        self.duration = f.uint("mehd.fragment_duration", 8 if self.version else 4, self.duration)


@register("trex")
@dataclass(eq=False, repr=False)
class TrackExtends(FullBox):
    """Says that a track has fragments; all defaults are 0 here, every trun lists its own."""

    track_id: int = 1
    description: int = 1
    duration: int = 0
    size_of_samples: int = 0
    sample_flags: int = 0

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.track_id = f.uint("trex.track_ID", 4, self.track_id)
        self.description = f.uint("trex.default_sample_description_index", 4, self.description)
        self.duration = f.uint("trex.default_sample_duration", 4, self.duration)
        self.size_of_samples = f.uint("trex.default_sample_size", 4, self.size_of_samples)
        self.sample_flags = f.uint("trex.default_sample_flags", 4, self.sample_flags)


@dataclass
class SubsegmentLevel:
    """A level of leva that is a track (assignment type 2)."""

    track_id: int = 1
    padding: int = 0


@register("leva")
@dataclass(eq=False, repr=False)
class LevelAssignment(FullBox):
    """Which track is which level of the ranges in ssix. Only levels that are tracks are known here."""

    levels: list[SubsegmentLevel] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        count = f.uint("leva.level_count", 1, len(self.levels))
        self.levels = f.items("leva.level_count", count, self.levels, SubsegmentLevel)
        for level in self.levels:
            level.track_id = f.uint("leva.track_ID", 4, level.track_id)
            packed = f.uint("leva.assignment_type", 1, level.padding << 7 | 2)
            level.padding = packed >> 7
            if packed & 127 != 2:
                raise InvalidError(f"leva.assignment_type: {packed & 127}, only 2 (a level is a track) is known")


@register("mfhd")
@dataclass(eq=False, repr=False)
class FragmentHeader(FullBox):
    """Number of a fragment."""

    sequence_number: int = 1

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.sequence_number = f.uint("mfhd.sequence_number", 4, self.sequence_number)


@register("tfhd")
@dataclass(eq=False, repr=False)
class TrackFragmentHeader(FullBox):
    """Track of a fragment; offsets count from the moof."""

    flags: int = DEFAULT_BASE_IS_MOOF
    track_id: int = 1
    optional: bytes = b""

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        self.track_id = f.uint("tfhd.track_ID", 4, self.track_id)
        self.optional = f.rest(self.optional)


@register("tfdt")
@dataclass(eq=False, repr=False)
class FragmentTime(FullBox):
    """Decoding time of a fragment's first sample, ticks of the track."""

    version: int = 1
    time: int = 0

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        self.time = f.uint("tfdt.baseMediaDecodeTime", 8 if self.version else 4, self.time)


@dataclass
class SampleRun:
    """A sample of a trun: ticks, bytes, flags, ticks from decoding to presentation."""

    duration: int = 0
    num_bytes: int = 0
    sample_flags: int = SYNC_FLAGS
    composition: int = 0


@register("trun")
@dataclass(eq=False, repr=False)
class TrackRun(FullBox):
    """Samples of a fragment, one behind the other from data_offset on (counted from the moof)."""

    version: int = 1
    flags: int = _OFFSET | _DURATION | _SIZE | _FLAGS | _COMPOSITION
    samples: list[SampleRun] = field(default_factory=list)
    data_offset: int = 0
    first_flags: int = 0

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        count = f.uint("trun.sample_count", 4, len(self.samples))
        if self.flags & _OFFSET:
            self.data_offset = f.sint("trun.data_offset", 4, self.data_offset)
        if self.flags & _FIRST_FLAGS:
            self.first_flags = f.uint("trun.first_sample_flags", 4, self.first_flags)
        self.samples = f.items("trun.sample_count", count, self.samples, SampleRun)
        for sample in self.samples:
            if self.flags & _DURATION:
                sample.duration = f.uint("trun.sample_duration", 4, sample.duration)
            if self.flags & _SIZE:
                sample.num_bytes = f.uint("trun.sample_size", 4, sample.num_bytes)
            if self.flags & _FLAGS:
                sample.sample_flags = f.uint("trun.sample_flags", 4, sample.sample_flags)
            if self.flags & _COMPOSITION and self.version:
                sample.composition = f.sint("trun.sample_composition_time_offset", 4, sample.composition)
            elif self.flags & _COMPOSITION:
                sample.composition = f.uint("trun.sample_composition_time_offset", 4, sample.composition)


@register("mdat")
@dataclass(eq=False, repr=False)
class MediaData(Box):
    """The samples' bytes."""

    data: bytes = b""

    def visit(self, f: Fields) -> None:
        self.data = f.rest(self.data)


@dataclass
class SidxReference:
    """A subsegment of sidx: bytes, ticks; SAP type 1: it starts with a sync sample."""

    num_bytes: int = 0
    duration: int = 0
    is_index: bool = False
    starts_with_sap: bool = True
    sap_type: int = 1
    sap_delta: int = 0


@register("sidx")
@dataclass(eq=False, repr=False)
class SegmentIndex(FullBox):
    """Sizes and durations of the subsegments that follow, first_offset bytes behind this box."""

    version: int = 1
    track_id: int = 1
    timescale: int = 1000
    earliest: int = 0
    first_offset: int = 0
    references: list[SidxReference] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        self.visit_full(f, 1)
        wide = 8 if self.version else 4
        self.track_id = f.uint("sidx.reference_ID", 4, self.track_id)
        self.timescale = f.uint("sidx.timescale", 4, self.timescale)
        self.earliest = f.uint("sidx.earliest_presentation_time", wide, self.earliest)
        self.first_offset = f.uint("sidx.first_offset", wide, self.first_offset)
        f.uint("sidx.reserved", 2, 0)
        count = f.uint("sidx.reference_count", 2, len(self.references))
        self.references = f.items("sidx.reference_count", count, self.references, SidxReference)
        for r in self.references:
            if r.num_bytes >> 31:
                raise InvalidError(f"sidx.referenced_size: {r.num_bytes} does not fit 31 bits")
            packed = f.uint("sidx.referenced_size", 4, r.is_index << 31 | r.num_bytes)
            r.is_index, r.num_bytes = bool(packed >> 31), packed & 0x7FFFFFFF
            r.duration = f.uint("sidx.subsegment_duration", 4, r.duration)
            packed = f.uint("sidx.sap", 4, r.starts_with_sap << 31 | r.sap_type << 28 | r.sap_delta)
            r.starts_with_sap, r.sap_type, r.sap_delta = bool(packed >> 31), packed >> 28 & 7, packed & 0xFFFFFFF


@dataclass
class LevelRange:
    """Bytes of a subsegment that belong to a level."""

    level: int = 0
    num_bytes: int = 0


@dataclass
class Subsegment:
    """The ranges of one subsegment, in the order of its bytes."""

    ranges: list[LevelRange] = field(default_factory=list)


@register("ssix")
@dataclass(eq=False, repr=False)
class SubsegmentIndex(FullBox):
    """Which bytes of every subsegment of the sidx before it belong to which level of leva."""

    subsegments: list[Subsegment] = field(default_factory=list)

    def visit(self, f: Fields) -> None:
        self.visit_full(f)
        count = f.uint("ssix.subsegment_count", 4, len(self.subsegments))
        self.subsegments = f.items("ssix.subsegment_count", count, self.subsegments, Subsegment)
        for subsegment in self.subsegments:
            count = f.uint("ssix.range_count", 4, len(subsegment.ranges))
            subsegment.ranges = f.items("ssix.range_count", count, subsegment.ranges, LevelRange)
            for r in subsegment.ranges:
                r.level = f.uint("ssix.level", 1, r.level)
                r.num_bytes = f.uint("ssix.range_size", 3, r.num_bytes)


def level_ranges(level: int, num_bytes: int) -> list[LevelRange]:
    """Ranges of a level, split where one is beyond the 24 bits of a range."""
    sizes = [MAX_RANGE] * (num_bytes // MAX_RANGE) + [num_bytes % MAX_RANGE] * bool(num_bytes % MAX_RANGE)
    return [LevelRange(level, size) for size in sizes]
