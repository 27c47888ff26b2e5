"""Boxes: one definition for both directions, read back by PyAV; every damage ends in a BitstreamError."""

from __future__ import annotations

import io
import random

import av
import pytest
from streams import make_stream

from gvideo.bitstream.container import parse_sequence_unit
from gvideo.errors import BitstreamError, InvalidError, TruncatedError
from packager.gsv import GsvFile
from packager.isobmff import fragments, movie
from packager.isobmff.box import Container, Unknown, find_all, find_one, format_box, format_boxes, parse_boxes, walk
from packager.isobmff.entries import (
    AudioSampleEntry,
    AvcConfiguration,
    BitRate,
    Colour,
    ElementaryDescriptor,
    FontTable,
    GaussianConfiguration,
    OpusConfiguration,
    PixelAspect,
    TimedTextEntry,
    VisualSampleEntry,
)
from packager.segmenter import Rates, format_init, format_segment

BOXES = [
    movie.FileType("ftyp", "cmf2", ("iso6", "dash"), 7),
    movie.FileType("styp", "msdh", ("msdh",)),
    movie.MovieHeader(timescale=30000, duration=5, next_track_id=4),
    movie.MovieHeader(version=1, timescale=30000, duration=1 << 40),
    movie.TrackHeader(track_id=3, width=640 << 16, height=360 << 16, matrix=movie.format_matrix(90)),
    movie.MediaHeader(timescale=48000, language="deu"),
    movie.Handler("soun", "Deutsch ü"),
    movie.VideoMediaHeader(), movie.SoundMediaHeader(), movie.NullMediaHeader(),
    movie.DataReferences([movie.DataLocation()]),
    movie.EmptyTable("stts"), movie.EmptyTable("stco"), movie.SampleSizes(),
    Container("edts", [movie.EditList(edits=[movie.Edit(0, 312), movie.Edit(9, -1)])]),
    movie.TrackReferences([movie.TrackReference("sbas", [1, 2])]),
    fragments.MovieExtendsHeader(duration=1 << 33),
    fragments.TrackExtends(track_id=2),
    fragments.LevelAssignment([fragments.SubsegmentLevel(1), fragments.SubsegmentLevel(2, 1)]),
    fragments.FragmentHeader(9),
    fragments.TrackFragmentHeader(track_id=2),
    fragments.FragmentTime(time=1 << 50),
    fragments.TrackRun(samples=[fragments.SampleRun(1, 2, fragments.DELTA_FLAGS, -3), fragments.SampleRun(4, 5)]),
    fragments.TrackRun(version=0, flags=0x205, samples=[fragments.SampleRun(0, 5)], first_flags=3, data_offset=-1),
    fragments.MediaData(b"bytes"),
    fragments.SegmentIndex(timescale=25, earliest=1 << 40, references=[fragments.SidxReference(9, 8)] * 2),
    fragments.SubsegmentIndex([fragments.Subsegment(fragments.level_ranges(1, 3))]),
    movie.SampleDescriptions([VisualSampleEntry("gsve", 640, 360, "gvideo", [GaussianConfiguration(b"\1\2")])]),
    VisualSampleEntry("avc1", 64, 36, "", [AvcConfiguration(100, 0, 31, 4, [b"gsps"], [b"hpps"], b"\xfd\xf8\xf8\0")]),
    VisualSampleEntry("gsv1", 64, 36, "x" * 40, [Colour("nclx", 9, 16, 9, True), PixelAspect(4, 3), BitRate(1, 2, 3)]),
    Colour("prof", profile=b"an ICC profile"),
    AudioSampleEntry("mp4a", 1, 44100, [ElementaryDescriptor(specific=b"\x12\x10", peak=9, average=8)]),
    AudioSampleEntry("Opus", 6, 48000, [OpusConfiguration(6, 312, 44100, -256, 1, b"\4\2\0\4\1\2\3\5")]),
    ElementaryDescriptor(object_type=0x6B),
    TimedTextEntry([FontTable()]),
    Unknown("free", b"what is this"),
]  # fmt: skip


@pytest.mark.parametrize("box", BOXES, ids=lambda b: b.kind)
def test_one_definition_serves_both_directions(box):
    data = format_box(box)
    assert int.from_bytes(data[:4], "big") == len(data)
    assert data[4:8] == box.kind.encode("latin-1")
    (again,) = parse_boxes(data)
    assert type(again) is type(box)
    assert format_box(again) == data
    assert (again.offset, again.size) == (0, len(data))
    for length in range(len(data)):  # every prefix is refused or is a shorter box that says so
        with pytest.raises(BitstreamError):
            for part in parse_boxes(data[:length]) or [None]:
                if part is None:
                    raise TruncatedError("nothing")


def test_bytes_of_a_track_run_are_those_of_the_standard():
    run = fragments.TrackRun(samples=[fragments.SampleRun(40, 300, fragments.SYNC_FLAGS, -2)], data_offset=112)
    assert format_box(run).hex(" ", 4) == (
        "00000024 7472756e 01000f01 00000001 00000070 00000028 0000012c 02000000 fffffffe"
    )


def test_ranges_beyond_24_bits_are_split():
    ranges = fragments.level_ranges(2, 2 * fragments.MAX_RANGE + 5)
    assert [r.num_bytes for r in ranges] == [fragments.MAX_RANGE, fragments.MAX_RANGE, 5]
    assert {r.level for r in ranges} == {2}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\7moof", "less than a box's header"),
        (b"\0\0\0\x20moof\0\0", "byte\\(s\\) missing"),
        (b"\0\0\0\x10tfdt\2\0\0\0\0\0\0\0", "tfdt.version: 2"),
        (b"\0\0\0\x11mfhd\0\0\0\0\0\0\0\0\0", "1 byte\\(s\\) too many"),
        (b"\0\0\0\x14trun\1\0\1\0\xff\xff\xff\xff\0\0\0\0", "4294967295 entries"),
        ((b"\0\0\1\0moof" * 40)[:256] + bytes(256), "missing|within each other|header"),
    ],
)
def test_bad_boxes_are_named(data, words):
    with pytest.raises((InvalidError, TruncatedError), match=words):
        parse_boxes(data)


@pytest.fixture
def layered(tmp_path):
    path = tmp_path / "three.gsv"
    path.write_bytes(make_stream(num_segments=3, num_layers=3, count=60, durations=(40, 30, 50, 40, 40, 40)).data)
    return GsvFile(path)


def test_every_layer_prefix_is_a_file_that_pyav_reads(layered):
    track = layered.track()
    init = format_init(track, layered.duration, Rates(0, 0))
    segments = [format_segment(track, piece, n) for n, piece in enumerate(track.pieces(), 1)]
    units = [layered.read(s) for s in layered.segments]
    for k in range(3):
        with av.open(io.BytesIO(init + b"".join(s.data[: s.ends[k]] for s in segments))) as file:
            packets = [p for p in file.demux() if p.size]
        assert {p.stream_index for p in packets} == set(range(k + 1))
        for layer in range(k + 1):
            own = [p for p in packets if p.stream_index == layer]
            assert [bytes(p) for p in own] == [u[layer] for u in units]
            assert [(p.pts, p.dts, p.duration, p.is_keyframe) for p in own] == [
                (240 * n, 240 * n, 240, True) for n in range(3)
            ]


def test_boxes_of_a_layered_segment_say_where_its_layers_are(layered):
    track = layered.track()
    piece = list(track.pieces())[1]
    segment = format_segment(track, piece, 2)
    boxes = parse_boxes(segment.data)
    assert [b.kind for b in boxes] == ["styp", "sidx", "ssix", *["moof", "mdat"] * 3]
    sidx, ssix = find_one(boxes, fragments.SegmentIndex, "x"), find_one(boxes, fragments.SubsegmentIndex, "x")
    first = sidx.offset + sidx.size + sidx.first_offset
    assert boxes[3].offset == first
    assert first + sidx.references[0].num_bytes == len(segment.data)
    assert [r.level for r in ssix.subsegments[0].ranges] == [1, 2, 3]
    at = first
    for r, end in zip(ssix.subsegments[0].ranges, segment.ends, strict=True):
        at += r.num_bytes
        assert at == end
    assert sidx.earliest == piece.start == 240
    init = parse_boxes(format_init(track, 0, Rates(0, 0)))
    assert [level.track_id for level in find_one(init, fragments.LevelAssignment, "x").levels] == [1, 2, 3]
    assert [r.track_ids for r in find_all(init, movie.TrackReference)] == [[1], [2]]
    for config in find_all(init, GaussianConfiguration):
        assert parse_sequence_unit(config.sequence_unit) == layered.header


def test_a_missing_layer_is_a_shorter_segment(tmp_path):
    made = make_stream(num_segments=2, num_layers=2, count=40)
    path = tmp_path / "s.gsv"
    path.write_bytes(made.data)
    whole = GsvFile(path)
    last = whole.segments[-1].layers[-1]
    path.write_bytes(made.data[: last[0]])
    cut = GsvFile(path)
    assert [len(s.layers) for s in cut.segments] == [2, 1]
    segments = [format_segment(cut.track(), p, n) for n, p in enumerate(cut.pieces(), 1)]
    assert segments[1].ends[0] == segments[1].ends[1] == len(segments[1].data)


def test_a_single_layer_is_a_cmaf_track(tmp_path):
    path = tmp_path / "one.gsv"
    path.write_bytes(make_stream(num_segments=2).data)
    track = GsvFile(path).track()
    boxes = parse_boxes(format_init(track, 480, Rates(8, 7)))
    assert boxes[0].major == "cmf2"
    assert not [b for b in walk(boxes) if b.kind in ("elst", "leva", "edts")]
    segment = parse_boxes(format_segment(track, next(track.pieces()), 1).data)
    assert [b.kind for b in segment] == ["styp", "moof", "mdat"]


def test_damage_raises_only_bitstream_errors(layered):
    track = layered.track()
    data = format_init(track, 720, Rates(0, 0)) + format_segment(track, next(track.pieces()), 1).data
    rng = random.Random(5)
    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            assert format_boxes(parse_boxes(bytes(broken)))
        except BitstreamError:
            continue
