"""Fields, headers and units: what is written is read, every limit holds on both sides, and bytes are counted."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import MAX_VARINT_BYTES, Reader, Writer
from gvideo.bitstream.headers import (
    Grain,
    Index,
    IndexEntry,
    LayerHeader,
    Rules,
    SegmentHeader,
    SequenceHeader,
    visit_index,
    visit_layer,
    visit_segment,
    visit_sequence,
)
from gvideo.errors import BitstreamError, InvalidError, TruncatedError, UnsupportedError

FIELDS = st.lists(
    st.one_of(
        st.tuples(st.just("u8"), st.integers(0, 255)),
        st.tuples(st.just("varint"), st.integers(0, 1 << 62)),
        st.tuples(st.just("signed"), st.integers(-(1 << 60), 1 << 60)),
        st.tuples(st.just("block"), st.binary(max_size=300)),
        st.tuples(st.sampled_from([2, 3, 4, 8]), st.integers(0, (1 << 16) - 1)),
    ),
    max_size=20,
)


def visit(f, fields):
    return [
        f.uint("x", kind, value) if isinstance(kind, int) else getattr(f, kind)("x", value) for kind, value in fields
    ]


@given(FIELDS)
def test_fields_come_back(fields):
    writer = Writer()
    values = [value for _, value in fields]
    assert visit(writer, fields) == values
    data = writer.getvalue()
    reader = Reader(b"##" + data + b"##", 2, 2 + len(data))
    assert visit(reader, [(kind, b"" if isinstance(v, bytes) else 0) for kind, v in fields]) == values
    reader.expect_end("x")
    if data:
        with pytest.raises(BitstreamError):
            visit(Reader(data[:-1]), fields)
    with pytest.raises(InvalidError, match="behind its last field"):
        Reader(b"1").expect_end("x")


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), ((1 << 62) - 1, "ffffffffffffffff3f")],
)
def test_varint_bytes(value, data):
    """Known bytes (LEB128), so that writer and reader are not wrong together."""
    writer = Writer()
    writer.varint("x", value)
    assert writer.getvalue().hex() == data
    assert Reader(bytes.fromhex(data)).varint("x") == value


@pytest.mark.parametrize(("value", "data"), [(0, "00"), (-1, "01"), (1, "02"), (-2, "03"), (-65, "8101"), (64, "8001")])
def test_signed_bytes(value, data):
    writer = Writer()
    writer.signed("x", value)
    assert writer.getvalue().hex() == data
    reader = Reader(bytes.fromhex(data))
    assert reader.signed("x") == value
    assert reader.trace == [(0, "x", value)]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: Writer().u8("f", 256), InvalidError),
        (lambda: Writer().u8("f", -1), InvalidError),
        (lambda: Writer().varint("f", -1), InvalidError),
        (lambda: Writer().varint("f", 11, 10), InvalidError),
        (lambda: Writer().signed("f", -11, 10), InvalidError),
        (lambda: Reader(b"\x0b").varint("f", limit=10), InvalidError),
        (lambda: Reader(b"\x16").signed("f", limit=10), InvalidError),
        (lambda: Reader(b"\xff" * MAX_VARINT_BYTES).varint("f"), InvalidError),
        (lambda: Reader(b"\xff" * (MAX_VARINT_BYTES - 1)).varint("f"), TruncatedError),
        (lambda: Reader(b"").u8("f"), TruncatedError),
        (lambda: Reader(b"abc").uint("f", 4), TruncatedError),
        (lambda: Reader(b"\x05abc").block("f"), TruncatedError),
    ],
)
def test_limits_name_the_field(call, error):
    with pytest.raises(error, match=r"^f"):
        call()


RULES = st.builds(
    Rules,
    *(st.integers(-128, 128),) * 3,
    st.integers(1, 256),
    *(st.integers(-8, 8),) * 2,
)
GRAINS = st.builds(
    Grain,
    st.integers(0, 255),
    st.tuples(*(st.integers(0, 255),) * headers.NUM_STRENGTHS),
    st.tuples(*(st.integers(-headers.MAX_KERNEL, headers.MAX_KERNEL),) * headers.NUM_KERNEL),
)
SEQUENCES = st.builds(
    SequenceHeader,
    width=st.integers(1, 16384),
    height=st.integers(1, 16384),
    timescale=st.integers(1, 1 << 32),
    frame_duration=st.integers(1, 1 << 40),
    start=st.integers(-(1 << 60), 1 << 60),
    chroma_format=st.sampled_from(headers.CHROMA_FORMATS),
    bit_depth=st.integers(8, 16),
    primaries=st.integers(0, 255),
    transfer=st.integers(0, 255),
    matrix=st.sampled_from(headers.MATRICES),
    full_range=st.booleans(),
    sample_aspect=st.fractions(Fraction(1, 1000), 1000, max_denominator=1000),
    rotation=st.sampled_from(headers.ROTATIONS),
    rules=st.one_of(st.just(Rules()), RULES),
    codebooks=st.binary(max_size=40),
    priors=st.binary(max_size=40),
    grain=st.one_of(st.none(), GRAINS),
)


@st.composite
def segment_headers(draw: st.DrawFn) -> SegmentHeader:
    num_frames = draw(st.integers(1, 40))
    durations = draw(
        st.one_of(st.just(()), st.lists(st.integers(1, 1 << 40), min_size=num_frames, max_size=num_frames))
    )
    num_layers = draw(st.integers(1, 8))
    above = st.lists(st.integers(0, 255), min_size=num_layers - 1, max_size=num_layers - 1)
    return SegmentHeader(
        num_frames,
        draw(st.integers(0, 255)),
        draw(st.integers(1, 16)),
        draw(st.integers(1, 16)),
        draw(st.integers(0, 6)),
        num_layers,
        draw(st.tuples(*(st.integers(0, 1023),) * 3)),
        draw(st.one_of(st.just((0, 0, 0, 0)), st.tuples(*(st.integers(0, 255),) * 4))),
        tuple(durations),
        draw(st.integers(-(1 << 60), 1 << 60)),
        tuple(draw(st.one_of(st.just([]), above))),
    )


LAYERS = st.integers(0, 10000).flatmap(lambda n: st.builds(LayerHeader, st.integers(0, 2 * n), st.just(n)))
INDICES = st.builds(
    lambda entries: Index(tuple(entries)),
    st.lists(
        st.builds(
            IndexEntry,
            st.integers(16, 1 << 40),
            st.integers(1, 4096),
            st.integers(1, 1 << 52),
            st.integers(-(1 << 60), 1 << 60),
        ),
        max_size=9,
    ),
)


@pytest.mark.parametrize(
    ("visit_header", "strategy"),
    [(visit_sequence, SEQUENCES), (visit_segment, segment_headers()), (visit_layer, LAYERS), (visit_index, INDICES)],
    ids=["sequence", "segment", "layer", "index"],
)
def test_headers_come_back(visit_header, strategy):
    @given(strategy)
    def check(header):
        writer = Writer()
        assert visit_header(writer, header) == header
        data = writer.getvalue()
        reader = Reader(data)
        assert visit_header(reader) == header
        reader.expect_end("header")
        # every byte is somebody's, and the trace says whose
        assert [at for at, _, _ in reader.trace] == sorted({at for at, _, _ in reader.trace})
        with pytest.raises(BitstreamError):
            visit_header(Reader(data[:-1]))
        again = Writer()
        visit_header(again, visit_header(Reader(data)))
        assert again.getvalue() == data

    check()


@given(st.sampled_from([visit_sequence, visit_segment, visit_layer, visit_index]), st.binary(max_size=60))
def test_noise_is_a_header_or_an_error(visit_header, data):
    try:
        header = visit_header(Reader(data))
    except BitstreamError:
        return
    assert dataclasses.is_dataclass(header)


@given(st.integers(0, 0x7F), st.binary(max_size=500))
def test_units_come_back(kind, payload):
    data = units.format_unit(kind, payload)
    found, length, skip = units.parse_unit_header(data)
    assert (found, length, len(data)) == (kind, len(payload), skip + length + units.CRC_BYTES)
    units.check_payload(kind, data[skip : skip + length], data[skip + length :])
    for position in range(0, len(data) - skip, 7):
        damaged = bytearray(data[skip:])
        damaged[position] ^= 0x10
        with pytest.raises(InvalidError, match="crc"):
            units.check_payload(kind, bytes(damaged[:length]), bytes(damaged[length:]))
    with pytest.raises(InvalidError, match="crc"):
        units.check_payload(kind ^ 1, payload, data[skip + length :])
    with pytest.raises(TruncatedError, match="crc"):
        units.check_payload(kind, payload, data[skip + length : -1])


def test_unit_limits():
    assert units.format_unit(3, b"123456789")[-4:].hex() == f"{units.checksum(3, b'123456789'):08x}"
    assert units.checksum(ord("1"), b"23456789") == 0xCBF43926  # the check value of CRC-32
    with pytest.raises(UnsupportedError, match="0x80 is required"):
        units.parse_unit_header(b"\x80\x00")
    with pytest.raises(InvalidError, match=r"unit\.length"):
        units.parse_unit_header(b"\x03\xff\xff\xff\xff\x7f")
    with pytest.raises(TruncatedError, match=r"unit\.length"):
        units.parse_unit_header(b"\x03\xff")


def test_refinement_needs_four_control_points_and_ends_at_256():
    def written(num_control: int, refinement: int) -> bytes:
        writer = Writer()
        headers.visit_segment(writer, SegmentHeader(1, 56, num_control, 1, 2, 1, (0, 0, 0), refinement=refinement))
        return writer.getvalue()

    assert headers.visit_segment(Reader(written(7, 5))).num_path_control == 23
    assert headers.visit_segment(Reader(written(3, 1))).num_path_control == 3
    for num_control, refinement in ((3, 2), (130, 2), (4, 254)):
        data = bytearray(written(num_control, 1))
        data[3] = refinement - 1
        with pytest.raises(InvalidError, match=rf"segment\.refinement: {refinement}, with {num_control}"):
            headers.visit_segment(Reader(bytes(data)))


def test_distortions_of_layers_need_layers():
    writer = Writer()
    headers.visit_segment(writer, SegmentHeader(1, 56, 1, 1, 2, 2, (0, 0, 0), distortions=(60,)))
    data = bytearray(writer.getvalue())
    assert headers.visit_segment(Reader(bytes(data))).layer_distortions == (56, 60)
    data[5] &= ~(7 << 2)  # one layer
    with pytest.raises(InvalidError, match=r"segment\.base"):
        headers.visit_segment(Reader(bytes(data)))


def test_grain_is_eighteen_bytes_behind_everything_else():
    plain = SequenceHeader(48, 32, 1000, 40, priors=b"p")
    grain = Grain(9, tuple(range(10, 18)), (63, 2, -3, 4, -5, 6, 7, 8, -63))
    data = headers.format_sequence(dataclasses.replace(plain, grain=grain))
    before = headers.format_sequence(plain)
    assert len(data) == len(before) + 18
    changed = [(a, b) for a, b in zip(before, data, strict=False) if a != b]
    assert changed == [(16, 16 | 64)]  # the flag
    with pytest.raises(InvalidError, match=r"grain\.kernel: 64 is outside"):
        visit_sequence(Reader(data[:-1] + b"\x80\x01"))
    with pytest.raises(TruncatedError, match=r"grain\.kernel"):
        visit_sequence(Reader(data[:-1]))
    with pytest.raises(InvalidError, match=r"sequence\.flags: 0xd0 has bits"):
        visit_sequence(Reader(data.replace(bytes([16 | 64]), bytes([16 | 64 | 128]), 1)))
