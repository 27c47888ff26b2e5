"""What SYNTAX.md §10 says of invalid and damaged streams, row by row, is what the decoder does."""

from __future__ import annotations

import numpy as np
import pytest
from streams import join_units, make_stream, split_units

from gvideo import VideoDecoder
from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader, Writer
from gvideo.bitstream.headers import IndexEntry, LayerHeader, SegmentHeader, SequenceHeader
from gvideo.errors import BitstreamError, InvalidError, TruncatedError, UnsupportedError

PLAIN = make_stream(num_segments=3, num_layers=2, count=12)
PARTS = split_units(PLAIN.data)  # sequence, then a segment and its layer three times
FRAMES = VideoDecoder(PLAIN.data)[:]
INDEXED = split_units(make_stream(num_segments=3, num_layers=2, count=12, index=True).data)
ENTRIES = headers.visit_index(Reader(INDEXED[1][1])).entries


def damaged(kind: int, payload: bytes) -> bytes:
    """A unit with a wrong checksum."""
    data = bytearray(units.format_unit(kind, payload))
    data[-1] ^= 1
    return bytes(data)


def joined(*parts: tuple[int, bytes] | bytes) -> bytes:
    """A stream of units, or of the bytes of some."""
    return units.SIGNATURE + b"".join(p if isinstance(p, bytes) else units.format_unit(*p) for p in parts)


def with_header(number: int, **changes: int) -> list[tuple[int, bytes]]:
    """The plain stream with another header of a segment."""
    parts = list(PARTS)
    kind, payload = parts[1 + 2 * number]
    reader, writer = Reader(payload), Writer()
    found = headers.visit_segment(reader)
    changed = SegmentHeader(**{name: getattr(found, name) for name in SegmentHeader.__slots__} | changes)
    headers.visit_segment(writer, changed)
    parts[1 + 2 * number] = kind, writer.getvalue() + payload[reader.position :]
    return parts


LATE = with_header(1, gap=1 << 60)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (joined(PARTS[1], *PARTS), InvalidError),
        (joined(INDEXED[1], *PARTS), InvalidError),
        (joined(PARTS[2], *PARTS), InvalidError),
        (joined(damaged(*PARTS[0]), *PARTS[1:]), InvalidError),
        (joined((1, PARTS[0][1] + b"\0"), *PARTS[1:]), InvalidError),
        (joined((1, PARTS[0][1][:-1]), *PARTS[1:]), TruncatedError),
        (joined(*PARTS, (0x80, b"")), UnsupportedError),
        (joined(*PARTS[:3], (1, headers.format_sequence(SequenceHeader(48, 32, 1000, 41))), *PARTS[3:]), InvalidError),
        (joined(INDEXED[0], damaged(*INDEXED[1]), *INDEXED[2:]), InvalidError),
        (joined(INDEXED[0], (2, INDEXED[1][1] + b"\0"), *INDEXED[2:]), InvalidError),
        (joined(*INDEXED[:-1]), TruncatedError),
        (join_units(PARTS)[:-1], TruncatedError),
        (join_units(PARTS) + b"tail", BitstreamError),
        (joined(PARTS[0], (5, b"nothing else")), TruncatedError),
        (joined(*INDEXED[:2]), TruncatedError),
        (joined(*with_header(1, gap=-1)), InvalidError),
        (joined(*LATE, *LATE[1:], *LATE[1:]), InvalidError),
    ],
)  # fmt: skip
def test_what_refuses_a_stream(data: bytes, error: type[BitstreamError]) -> None:
    with pytest.raises(error):
        VideoDecoder(data)


@pytest.mark.parametrize(
    "parts",
    [
        [(0x33, b"first"), *PARTS],
        [(5, b"first"), *PARTS],
        [PARTS[0], *PARTS],
        [PARTS[0], (4, b"early"), *PARTS[1:]],
        [PARTS[0], (2, b"\0"), *PARTS[1:]],
        [*PARTS[:3], PARTS[0], *PARTS[3:]],
        [*PARTS[:2], PARTS[0], *PARTS[2:]],
        [*PARTS[:3], (2, b"too late"), *PARTS[3:]],
        [*PARTS[:2], (0, b""), (5, b"x"), *PARTS[2:], (0x7F, b"last")],
        [*PARTS, damaged(0x10, b"a checksum that nobody looks at")],
        [INDEXED[0], (6, b"x"), INDEXED[1], INDEXED[1], (6, b"x"), *INDEXED[2:], b"\xff bytes that nobody looks at"],
    ],
)
def test_what_is_skipped(parts: list[tuple[int, bytes] | bytes]) -> None:
    np.testing.assert_array_equal(VideoDecoder(joined(*parts))[:], FRAMES)


def lost(data: bytes, *, layers: int | None = None) -> list[bool]:
    """Which segments cannot be decoded. The others must be what they were."""
    decoder = VideoDecoder(data, layers=layers)
    whole = FRAMES if layers is None else VideoDecoder(PLAIN.data, layers=layers)[:]
    found = []
    for number in range(3):
        try:
            frames = decoder.get_frames_in_range(6 * number, 6 * number + 6).data
        except BitstreamError:
            found.append(True)
            continue
        np.testing.assert_array_equal(frames, whole[6 * number : 6 * number + 6])
        found.append(False)
    return found


def test_a_damaged_segment_costs_itself() -> None:
    data = joined(*PARTS[:3], damaged(*PARTS[3]), *PARTS[4:])
    assert lost(data) == lost(data, layers=1) == [False, True, False]


@pytest.mark.parametrize("payload", [PARTS[4][1][:-1], PARTS[4][1] + b"\0", b"", PARTS[4][1][:2] + b"\xff" * 90])
def test_a_damaged_layer_costs_itself_and_those_above(payload: bytes) -> None:
    data = joined(*PARTS[:4], (4, payload), *PARTS[5:])
    assert lost(data) == [False, True, False]
    assert lost(data, layers=1) == [False, False, False]


def test_a_layer_with_a_wrong_checksum() -> None:
    data = joined(*PARTS[:4], damaged(*PARTS[4]), *PARTS[5:])
    assert lost(data) == [False, True, False]
    assert lost(data, layers=1) == [False, False, False]


def test_layers_in_excess_are_invalid() -> None:
    data = joined(*PARTS[:5], PARTS[4], *PARTS[5:])
    assert lost(data) == [False, True, False]
    assert lost(data, layers=2) == [False, False, False]


def test_absent_layers_are_no_damage() -> None:
    data = joined(*PARTS[:2], *PARTS[3:])
    np.testing.assert_array_equal(VideoDecoder(data)[:6], VideoDecoder(PLAIN.data, layers=1)[:6])
    np.testing.assert_array_equal(VideoDecoder(data)[6:], FRAMES[6:])


@pytest.mark.parametrize(
    "second",
    [
        IndexEntry(ENTRIES[1].num_bytes, 7, 240, 0),
        IndexEntry(ENTRIES[1].num_bytes, 6, 241, 0),
    ],
)
def test_an_index_that_differs_costs_that_segment(second: IndexEntry) -> None:
    payload = headers.format_index(headers.Index((ENTRIES[0], second, ENTRIES[2])))
    decoder = VideoDecoder(joined(INDEXED[0], (2, payload), *INDEXED[2:]))
    np.testing.assert_array_equal(decoder[:6], FRAMES[:6])
    with pytest.raises(InvalidError, match="index"):
        decoder[7]
    np.testing.assert_array_equal(decoder[-6:], FRAMES[12:])


def test_the_gap_of_the_index_counts() -> None:
    entries = (ENTRIES[0], IndexEntry(ENTRIES[1].num_bytes, 6, 240, 50), ENTRIES[2])
    payload = headers.format_index(headers.Index(entries))
    decoder = VideoDecoder(joined(INDEXED[0], (2, payload), *INDEXED[2:]))
    assert decoder.pts[5:8].tolist() == [200, 290, 330]
    np.testing.assert_array_equal(decoder[:], FRAMES)


def test_the_first_gap_is_counted_from_the_start() -> None:
    header = SequenceHeader(48, 32, 1000, 40, start=-300, matrix=6, primaries=6, transfer=6)
    parts = with_header(0, gap=-25)
    decoder = VideoDecoder(joined((1, headers.format_sequence(header)), *parts[1:]))
    assert decoder.pts[:2].tolist() == [-325, -285]
    assert VideoDecoder(joined(*with_header(1, gap=77))).pts[5:7].tolist() == [200, 317]


def test_coded_bytes_begin_below_the_range() -> None:
    for coded, is_legal in ((b"\xff" * 4, False), (b"\xff\xff\xff\xfe", True), (b"\xff\xff\xff", True)):
        writer = Writer()
        headers.visit_segment(writer, SegmentHeader(1, 0, 1, 1, 2, 1, (0, 0, 0)))
        headers.visit_layer(writer, LayerHeader(0, len(coded)))
        data = joined(PARTS[0], (3, writer.getvalue() + coded))
        if is_legal:
            assert VideoDecoder(data)[0].shape == (3, 32, 48)
        else:
            with pytest.raises(InvalidError, match="FF FF FF FF"):
                VideoDecoder(data)[0]


def test_coded_bytes_that_no_symbol_needs_are_ignored() -> None:
    (kind, payload), layer = PARTS[1:3]
    reader = Reader(payload)
    headers.visit_segment(reader)
    start = reader.position
    header = headers.visit_layer(reader)
    writer = Writer()
    headers.visit_layer(writer, LayerHeader(header.num_gaussians, header.num_bytes + 6))
    longer = payload[:start] + writer.getvalue() + payload[reader.position :] + bytes(4) + b"\x12\x34"
    np.testing.assert_array_equal(VideoDecoder(joined(PARTS[0], (kind, longer), layer))[:], FRAMES[:6])


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"\x80\x00", 0), (b"\x85\x80\x80\x00", 5), (b"\x80" * 8 + b"\x00", 0), (b"\x80" * 8 + b"\x40", 1 << 62)],
)
def test_long_varints(data: bytes, value: int) -> None:
    assert Reader(data).varint("v") == value


@pytest.mark.parametrize("data", [b"\x80" * 9 + b"\x00", b"\xff" * 9, b"\x81" + b"\x80" * 7 + b"\x40"])
def test_varints_beyond_the_limit(data: bytes) -> None:
    with pytest.raises(InvalidError):
        Reader(data).varint("v")


def test_an_invalid_segment_header_refuses_the_stream_only_without_an_index() -> None:
    kind, payload = PARTS[3]
    broken = payload[:2] + b"\xff\xff" + payload[4:]  # 256 control points, each span cut in 256
    with pytest.raises(InvalidError, match=r"segment\.refinement"):
        VideoDecoder(joined(*PARTS[:3], (kind, broken), *PARTS[4:]))
    place = INDEXED.index((kind, payload))
    assert lost(joined(*INDEXED[:place], (kind, broken), *INDEXED[place + 1 :])) == [False, True, False]


def test_chroma_of_a_stream_that_says_it_has_none_is_drawn() -> None:
    gray = SequenceHeader(48, 32, 1000, 40, matrix=6, primaries=6, transfer=6, chroma_format="400")
    np.testing.assert_array_equal(VideoDecoder(joined((1, headers.format_sequence(gray)), *PARTS[1:]))[:], FRAMES)
    assert np.ptp(FRAMES.astype(int), axis=1).max() > 50


@pytest.mark.parametrize("code", [0, 2, 3, 23, 200, 255])
def test_reserved_primaries_and_transfers_are_handed_on(code: int) -> None:
    header = SequenceHeader(48, 32, 1000, 40, matrix=6, primaries=code, transfer=code)
    decoder = VideoDecoder(joined((1, headers.format_sequence(header)), *PARTS[1:]))
    assert (decoder.metadata.format.colour.primaries, decoder.metadata.format.colour.transfer) == (code, code)
    np.testing.assert_array_equal(decoder[:6], FRAMES[:6])
