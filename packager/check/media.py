"""Init and media segments as facts, with the faults that show in a file by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from gvideo.bitstream import headers, units
from gvideo.bitstream.container import UnitReader, parse_sequence_unit
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SequenceHeader
from gvideo.errors import BitstreamError, InvalidError
from packager.gsv import codecs_of
from packager.isobmff import fragments, movie
from packager.isobmff.box import Box, Container, find_all, find_one, parse_boxes, walk
from packager.isobmff.entries import (
    AudioSampleEntry,
    AvcConfiguration,
    ElementaryDescriptor,
    GaussianConfiguration,
    VisualSampleEntry,
)


@dataclass
class InitFacts:
    """An init segment. codecs: made from its configuration, "" if unknown. shown: px. edit: ticks before zero."""

    timescale: int = 0
    kind: str = ""
    codecs: str = ""
    entry: str = ""
    shown: tuple[int, int] = (0, 0)
    num_tracks: int = 0
    edit: int = 0
    sequence: SequenceHeader | None = None
    faults: list[str] = field(default_factory=list)


@dataclass
class SegmentFacts:
    """A media segment: ticks of the first track's first sample and of all its samples, bytes, samples, tracks."""

    start: int = 0
    duration: int = 0
    num_bytes: int = 0
    tracks: tuple[int, ...] = ()
    num_samples: int = 0
    faults: list[str] = field(default_factory=list)

    def seconds(self, init: InitFacts) -> Fraction:
        """How long the samples last."""
        return Fraction(self.duration, max(1, init.timescale))


def read_init(data: bytes) -> InitFacts:
    """Facts of an init segment."""
    facts = InitFacts()
    try:
        boxes = parse_boxes(data)
        _read_init(boxes, facts)
    except BitstreamError as error:
        facts.faults.append(str(error))
    return facts


def _read_init(boxes: list[Box], facts: InitFacts) -> None:
    kinds = [b.kind for b in boxes]
    if kinds[:2] != ["ftyp", "moov"]:
        facts.faults.append(f"begins with {', '.join(kinds[:2]) or 'nothing'}, not with ftyp and moov")
        return
    traks = [b for b in walk(boxes) if b.kind == "trak"]
    facts.num_tracks = len(traks)
    if not traks:
        facts.faults.append("moov: holds no trak")
        return
    facts.timescale = find_one([traks[0]], movie.MediaHeader, "trak").timescale
    if facts.timescale == 0:
        facts.faults.append("mdhd.timescale: 0")
    extends = find_all(boxes, fragments.TrackExtends)
    if [t.track_id for t in find_all(boxes, movie.TrackHeader)] != [t.track_id for t in extends]:
        facts.faults.append("mvex: not one trex for every track")
    first = _entry(traks[0])
    facts.entry = first.kind
    edits = [e for box in find_all(boxes, movie.EditList) for e in box.edits]
    if isinstance(first, VisualSampleEntry):
        facts.kind = "video"
        header = find_one([traks[0]], movie.TrackHeader, "trak")
        width, height = header.width >> 16, header.height >> 16
        turned = header.matrix in (movie.format_matrix(90), movie.format_matrix(270))
        facts.shown = (height, width) if turned else (width, height)
        if edits:
            facts.faults.append("elst: a video track must not have an edit list (cmf2)")
        _read_video(traks, first, boxes, facts)
    elif isinstance(first, AudioSampleEntry):
        facts.kind = "audio"
        facts.edit = max((e.media_time for e in edits), default=0)
        config = find_all([first], ElementaryDescriptor)
        if config:
            aac = config[0].object_type == 0x40
            facts.codecs = f"mp4a.40.{config[0].specific[0] >> 3}" if aac and config[0].specific else "mp4a.40.34"
        else:
            facts.codecs = "opus" if first.kind == "Opus" else ""


def _entry(trak: Box) -> Box:
    """The sample entry of a track."""
    entries = find_one([trak], movie.SampleDescriptions, "trak").children
    if len(entries) != 1:
        raise InvalidError(f"stsd: {len(entries)} sample entries, one wanted")
    return entries[0]


def _read_video(traks: list[Box], first: VisualSampleEntry, boxes: list[Box], facts: InitFacts) -> None:
    if first.kind == "avc1":
        avc = find_one([first], AvcConfiguration, "avc1")
        facts.codecs = f"avc1.{avc.profile:02x}{avc.compatibility:02x}{avc.level:02x}"
        return
    if first.kind != "gsv1":
        facts.faults.append(f"stsd: {first.kind}, gsv1 or avc1 wanted")
        return
    config = find_one([first], GaussianConfiguration, "gsv1")
    facts.sequence = parse_sequence_unit(config.sequence_unit)
    facts.codecs = codecs_of(facts.sequence)
    if (first.width, first.height) != (facts.sequence.width, facts.sequence.height):
        facts.faults.append("gsv1: the entry's size is not that of its sequence header")
    if facts.timescale != facts.sequence.timescale:
        facts.faults.append(f"mdhd.timescale: {facts.timescale}, the sequence's is {facts.sequence.timescale}")
    for trak in traks[1:]:
        entry = _entry(trak)
        if entry.kind != "gsve" or find_one([entry], GaussianConfiguration, "gsve") != config:
            facts.faults.append("gsve: a layer's track must have the base's configuration")
        if not find_all([trak], movie.TrackReference):
            facts.faults.append("tref: a layer's track names no track that it builds upon")
    if len(traks) > 1:
        levels = find_all(boxes, fragments.LevelAssignment)
        if not levels or [x.track_id for x in levels[0].levels] != list(range(1, len(traks) + 1)):
            facts.faults.append("leva: not one level for every track")


def read_segment(data: bytes, init: InitFacts) -> SegmentFacts:
    """Facts of a media segment, or of a prefix of one that ends with a layer."""
    facts = SegmentFacts(num_bytes=len(data))
    try:
        boxes = parse_boxes(data)
        runs = list(_runs(boxes, data, facts))
        _check_runs(runs, init, facts)
        _check_indices(boxes, init, facts)
    except BitstreamError as error:
        facts.faults.append(str(error))
    return facts


@dataclass(frozen=True)
class _Run:
    """Samples of a fragment and their bytes."""

    track_id: int
    time: int
    samples: list[fragments.SampleRun]
    data: list[bytes]


def _runs(boxes: list[Box], data: bytes, facts: SegmentFacts) -> Iterator[_Run]:
    number = -1
    for place, moof in enumerate(boxes):
        if not isinstance(moof, Container) or moof.kind != "moof":
            continue
        mdat = boxes[place + 1] if place + 1 < len(boxes) else None
        if mdat is None or mdat.kind != "mdat":
            facts.faults.append(f"moof at byte {moof.offset}: no mdat follows")
            continue
        sequence = find_one([moof], fragments.FragmentHeader, "moof").sequence_number
        if sequence <= number:
            facts.faults.append(f"mfhd.sequence_number: {sequence} after {number}")
        number = sequence
        header = find_one([moof], fragments.TrackFragmentHeader, "traf")
        if not header.flags & fragments.DEFAULT_BASE_IS_MOOF:
            facts.faults.append("tfhd: default-base-is-moof is not set")
        run = find_one([moof], fragments.TrackRun, "traf")
        if run.version != 1:
            facts.faults.append("trun.version: 0, 1 wanted (cmf2)")
        at = moof.offset + run.data_offset
        if at != mdat.offset + 8:
            facts.faults.append(f"trun.data_offset: {run.data_offset} is not where the samples begin")
        if sum(s.num_bytes for s in run.samples) != mdat.size - 8:
            facts.faults.append(
                f"trun.sample_size: {sum(s.num_bytes for s in run.samples)} bytes, mdat has {mdat.size - 8}"
            )
        parts = []
        for s in run.samples:
            parts.append(data[at : at + s.num_bytes])
            at += s.num_bytes
        time = find_one([moof], fragments.FragmentTime, "traf").time
        yield _Run(header.track_id, time, run.samples, parts)


def _check_runs(runs: list[_Run], init: InitFacts, facts: SegmentFacts) -> None:
    if not runs:
        facts.faults.append("holds no fragment")
        return
    facts.tracks = tuple(sorted({r.track_id for r in runs}))
    facts.start = runs[0].time
    if runs[0].samples and runs[0].samples[0].sample_flags != fragments.SYNC_FLAGS and init.kind == "video":
        facts.faults.append("the first sample is no sync sample")
    ends: dict[int, int] = {}
    for run in runs:
        if run.time != ends.get(run.track_id, facts.start):
            facts.faults.append(f"tfdt: track {run.track_id} goes on at {run.time}, not at {ends.get(run.track_id)}")
        ends[run.track_id] = run.time + sum(s.duration for s in run.samples)
    first = [r for r in runs if r.track_id == runs[0].track_id]
    facts.duration = sum(s.duration for r in first for s in r.samples)
    facts.num_samples = sum(len(r.samples) for r in first)
    if facts.duration <= 0:
        facts.faults.append("its samples last no time")
    if init.entry == "gsv1" and init.sequence is not None:
        for run in runs:
            for sample, data in zip(run.samples, run.data, strict=True):
                facts.faults += _check_units(data, run.track_id, sample.duration, init.sequence)


def _check_units(data: bytes, track_id: int, duration: int, sequence: SequenceHeader) -> Iterator[str]:
    """Faults of a gsv1 sample: whole units of its layer, with right checksums, that last as long as the sample."""
    reader = UnitReader(lambda offset, count: data[offset : offset + count], len(data))
    at = 0
    wanted = units.LAYER if track_id > 1 else units.SEGMENT
    while at < len(data):
        try:
            unit = reader.unit_at(at)
            payload = reader.payload(unit)
            if unit.kind != wanted:
                yield f"track {track_id}: holds a {units.name_of(unit.kind)} unit"
            if unit.kind == units.SEGMENT:
                header = headers.visit_segment(Reader(payload))
                own = header.duration(sequence)
                if duration < own:
                    yield f"trun.sample_duration: {duration} ticks, the segment's frames last {own}"
            at = unit.end
        except BitstreamError as error:
            yield f"track {track_id}: {error}"
            return


def _check_indices(boxes: list[Box], init: InitFacts, facts: SegmentFacts) -> None:
    sidx = find_all(boxes, fragments.SegmentIndex)
    ssix = find_all(boxes, fragments.SubsegmentIndex)
    if init.num_tracks > 1 and init.kind == "video" and not (sidx and ssix):
        facts.faults.append("a layered segment has no sidx and ssix")
    if not sidx:
        return
    index = sidx[0]
    if sum(r.duration for r in index.references) != facts.duration:
        facts.faults.append(
            f"sidx: {sum(r.duration for r in index.references)} ticks, its samples last {facts.duration}"
        )
    if index.earliest != facts.start:
        facts.faults.append(f"sidx.earliest_presentation_time: {index.earliest}, tfdt says {facts.start}")
    first = index.offset + index.size + index.first_offset
    moofs = [b.offset for b in boxes if b.kind == "moof"]
    if moofs and moofs[0] != first:
        facts.faults.append(f"sidx.first_offset: points to byte {first}, the first moof is at {moofs[0]}")
    if not ssix:
        return
    ranges = [r for s in ssix[0].subsegments for r in s.ranges]
    if sum(r.num_bytes for r in ranges) != sum(r.num_bytes for r in index.references):
        facts.faults.append("ssix: its ranges do not add up to the bytes that sidx says")
    ends, at = {first}, first
    for r, following in zip(ranges, [*ranges[1:], None], strict=True):
        at += r.num_bytes
        if following is None or following.level != r.level:
            ends.add(at)
    bounds = {first, *moofs, facts.num_bytes}
    if not bounds <= ends | {first}:
        facts.faults.append("ssix: a range does not end where a layer ends")
    if facts.num_bytes not in ends:
        facts.faults.append("the segment is cut within a layer")
