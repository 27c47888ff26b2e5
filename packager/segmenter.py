"""Tracks to files: init segments, media segments, and whole fragmented files.

    init         ftyp moov
    segment      styp [moof mdat]...                             CMAF, one track (cmf2: no edit list, trun version 1)
    layered      styp sidx ssix [moof mdat]base [moof mdat]layer1 ...   valid wherever it is cut at a layer's end
    single file  ftyp moov sidx [moof mdat]...                   the same segments behind one index

Sources: ISO/IEC 14496-12 (boxes), 23000-19 (CMAF), 23009-1 (segments and brands of DASH).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from packager.isobmff import entries as sample_entries
from packager.isobmff import fragments, movie
from packager.isobmff.box import Box, Container, format_box, format_boxes
from packager.isobmff.entries import BitRate
from packager.languages import three_letters
from packager.tracks import Chunk, MediaTrack, TrackSegment

SINGLE_BRANDS = ("iso6", "cmfc", "cmf2", "dash")
LAYERED_BRANDS = ("iso6", "msdh", "msix", "dash")
#: Brand of a segment that may be made of several coded segments, a fragment or more each (CMAF chunks).
CHUNKED = ("cmfl",)
#: In tkhd's size and mvhd's rate.
_FIXED = 1 << 16
_HANDLERS = {"video": "vide", "audio": "soun", "text": "sbtl"}


@dataclass(frozen=True, slots=True)
class SegmentBytes:
    """A media segment. ends: where the data of every layer end, counted from the start of the segment; a prefix that
    stops there is a valid segment. key: (offset, bytes) of the fragment that holds the key frame."""

    data: bytes
    ends: tuple[int, ...]
    key: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rates:
    """Bits per second of a track: the largest segment's and the mean."""

    peak: int
    average: int


def format_init(track: MediaTrack, duration: int, rates: Rates) -> bytes:
    """The init segment of a track alone. duration: ticks, 0 if it is not known yet (live)."""
    layered = track.num_layers > 1
    brands = LAYERED_BRANDS if layered else SINGLE_BRANDS
    major = "iso6" if layered or track.media_time else "cmf2"
    return format_movie([track], [rates], duration, track.timescale, movie.FileType("ftyp", major, brands))


def format_movie(
    tracks: Sequence[MediaTrack], rates: Sequence[Rates], duration: int, timescale: int, file_type: movie.FileType
) -> bytes:
    """Ftyp and moov of tracks that share a file; track_IDs count from 1, layers of a track before the next track."""
    traks: list[Box] = []
    extends: list[Box] = [fragments.MovieExtendsHeader(duration=duration)] if duration else []
    levels: list[fragments.SubsegmentLevel] = []
    next_id = 1
    for track, rate in zip(tracks, rates, strict=True):
        for layer in range(track.num_layers):
            traks.append(_trak(track, layer, next_id + layer, rate))
            extends.append(fragments.TrackExtends(track_id=next_id + layer))
            if track.num_layers > 1:
                levels.append(fragments.SubsegmentLevel(next_id + layer))
        next_id += track.num_layers
    if levels:
        extends.append(fragments.LevelAssignment(levels))
    header = movie.MovieHeader(timescale=timescale, next_track_id=next_id)
    return format_boxes([file_type, Container("moov", [header, *traks, Container("mvex", extends)])])


def _trak(track: MediaTrack, layer: int, track_id: int, rates: Rates) -> Container:
    entry = copy.copy(track.entries[layer])
    if rates.peak and track.kind != "text":
        entry.children = [*entry.children, BitRate(0, rates.peak, rates.average)]
    media_header: Box = {
        "video": movie.VideoMediaHeader, "audio": movie.SoundMediaHeader, "text": movie.NullMediaHeader,
    }[track.kind]()  # fmt: skip
    header = movie.TrackHeader(
        track_id=track_id,
        width=track.width * _FIXED,
        height=track.height * _FIXED,
        volume=0x100 * (track.kind == "audio"),
        matrix=movie.format_matrix(track.rotation),
        alternate_group=1 if track.kind == "audio" else 2 * (track.kind == "text"),
    )
    table = Container(
        "stbl",
        [
            movie.SampleDescriptions([entry]),
            movie.EmptyTable("stts"),
            movie.EmptyTable("stsc"),
            movie.SampleSizes(),
            movie.EmptyTable("stco"),
        ],
    )
    references = Container("dinf", [movie.DataReferences([movie.DataLocation()])])
    media = Container(
        "mdia",
        [
            movie.MediaHeader(timescale=track.timescale, language=three_letters(track.language)),
            movie.Handler(_HANDLERS[track.kind], track.name),
            Container("minf", [media_header, references, table]),
        ],
    )
    boxes: list[Box] = [header]
    if layer:
        boxes.append(movie.TrackReferences([movie.TrackReference("sbas", [track_id - 1])]))
    if track.media_time:
        boxes.append(Container("edts", [movie.EditList(edits=[movie.Edit(0, track.media_time)])]))
    return Container("trak", [*boxes, media])


def format_fragment(chunk: Chunk, track_id: int, number: int) -> bytes:
    """Moof and mdat of a chunk."""
    run = fragments.TrackRun(
        samples=[
            fragments.SampleRun(
                s.duration, len(s.data), fragments.SYNC_FLAGS if s.sync else fragments.DELTA_FLAGS, s.composition
            )
            for s in chunk.samples
        ]
    )
    traf = Container(
        "traf", [fragments.TrackFragmentHeader(track_id=track_id), fragments.FragmentTime(time=chunk.start), run]
    )
    moof = Container("moof", [fragments.FragmentHeader(number), traf])
    run.data_offset = len(format_box(moof)) + 8
    return format_box(moof) + format_box(fragments.MediaData(b"".join(s.data for s in chunk.samples)))


def format_segment(
    track: MediaTrack,
    piece: TrackSegment,
    number: int,
    *,
    first_track_id: int = 1,
    bare: bool = False,
    goes_on: bool = False,
) -> SegmentBytes:
    """The media segment of a piece; number counts from 1. bare: without styp and indices, for a single file, or for
    what is appended to a segment. goes_on: more of these will be appended (brand cmfl)."""
    per_segment = max(track.num_layers, 2)
    parts = [
        format_fragment(chunk, first_track_id + chunk.layer, (number - 1) * per_segment + place + 1)
        for place, chunk in enumerate(piece.chunks)
    ]
    layered = track.num_layers > 1
    head = b"" if bare else format_box(_styp(track, goes_on))
    if layered and not bare:
        head += _indices(track, piece, parts, first_track_id)
    ends: list[int] = []
    at = len(head)
    for chunk, part in zip(piece.chunks, parts, strict=True):
        at += len(part)
        if layered and chunk.layer == len(ends):
            ends.append(at)
    ends += [at] * (track.num_layers - len(ends))  # absent layers end where the last one does
    return SegmentBytes(head + b"".join(parts), tuple(ends), (len(head), len(parts[0]) if parts else 0))


def _styp(track: MediaTrack, goes_on: bool) -> movie.FileType:
    if track.num_layers > 1:
        return movie.FileType("styp", "msdh", LAYERED_BRANDS)
    return movie.FileType("styp", "msdh", ("msdh", "cmfs", *CHUNKED * goes_on))


def _indices(track: MediaTrack, piece: TrackSegment, parts: list[bytes], first_track_id: int) -> bytes:
    total = sum(len(p) for p in parts)
    ranges = [r for level, part in enumerate(parts, 1) for r in fragments.level_ranges(level, len(part))]
    ssix = format_box(fragments.SubsegmentIndex([fragments.Subsegment(ranges)]))
    sidx = fragments.SegmentIndex(
        track_id=first_track_id,
        timescale=track.timescale,
        earliest=piece.start,
        first_offset=len(ssix),  # the anchor is the first byte behind the sidx; the data begin behind the ssix
        references=[fragments.SidxReference(total, piece.duration)],
    )
    return format_box(sidx) + ssix


def format_file_index(
    track: MediaTrack, pieces: Sequence[tuple[int, int]], track_id: int = 1, earliest: int = 0
) -> bytes:
    """The sidx of a single file; pieces: (bytes, ticks) of every segment that follows it."""
    return format_box(
        fragments.SegmentIndex(
            track_id=track_id,
            timescale=track.timescale,
            earliest=earliest,
            references=[fragments.SidxReference(size, duration) for size, duration in pieces],
        )
    )


__all__ = [
    "Rates",
    "SegmentBytes",
    "format_file_index",
    "format_init",
    "format_movie",
    "format_segment",
    "sample_entries",
]
