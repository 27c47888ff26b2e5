"""Damaged and hostile streams: only BitstreamError, or frames of the right size; bounded in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from streams import join_units, make_stream, shared_header, split_units

from gvideo import VideoDecoder
from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Writer
from gvideo.bitstream.headers import IndexEntry, LayerHeader, SegmentHeader, SequenceHeader
from gvideo.decoder.survey import survey, trace
from gvideo.errors import BitstreamError, InvalidError, TruncatedError, UnsupportedError

STREAM = make_stream(num_segments=2, num_layers=2, count=12)
INDEXED = make_stream(num_segments=2, count=8, index=True, durations=(40, 41, 39, 40, 40, 40), extra_units=True)
SHARED = make_stream(count=12, sequence=shared_header(1))
GRAIN = headers.Grain(3, (255, 0, 255, 9, 40, 80, 255, 1), (63, -63, 9, 40, 0, -1, 63, 63, 5))
GRAINED = make_stream(count=12, sequence=SequenceHeader(48, 32, 1000, 40, grain=GRAIN))
FRAME = (48, 32)


def decode(data: bytes) -> bool:
    """Whether a stream decodes; anything but BitstreamError comes through. Rendered small whatever the header says."""
    try:
        decoder = VideoDecoder(data)
        wanted = [0, len(decoder) // 2, len(decoder) - 1]
        h = decoder.stream.header
        if max(h.width, h.height) <= 1024:
            small = VideoDecoder(data, size=FRAME)
            assert small.get_frames_at(wanted).data.shape == (3, 3, FRAME[1], FRAME[0])
        else:
            for number in {0, len(decoder.stream.segments) - 1}:
                decoder.stream.decode_segment(number)
        assert decoder.metadata.duration_seconds > 0
        assert len(decoder.pts) == len(decoder)
    except BitstreamError:
        return False
    return True


@pytest.mark.parametrize("made", [STREAM, INDEXED], ids=["plain", "indexed"])
def test_every_truncation_is_an_error(made):
    ends = np.cumsum([4, *(len(units.format_unit(*part)) for part in split_units(made.data))])
    whole = set() if made is INDEXED else set(ends[2:].tolist())  # cut between units: a shorter stream, less sharp
    for size in sorted(set(range(len(made.data))) - whole):
        with pytest.raises(BitstreamError):
            decoder = VideoDecoder(made.data[:size])
            decoder.get_all_frames()
            pytest.fail(f"{size} of {len(made.data)} bytes decode")
    assert decode(made.data)


def test_cut_between_segments_is_a_shorter_stream():
    parts = split_units(STREAM.data)
    shorter = VideoDecoder(join_units(parts[:3]))
    np.testing.assert_array_equal(shorter.get_all_frames().data, VideoDecoder(STREAM.data)[:6])


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


@pytest.mark.parametrize("made", [STREAM, INDEXED], ids=["plain", "indexed"])
def test_flipped_bits_are_found(made):
    rng = np.random.default_rng(1)
    for _ in range(600):
        damaged = flipped(made.data, rng)
        # a stream that is the same again, or whose damage is in a unit that is skipped, decodes
        if decode(damaged):
            assert VideoDecoder(damaged).get_frame_at(0).data.shape == (3, 32, 48)


def repaired_flips(data: bytes, count: int, seed: int) -> int:
    """Flips bits of payloads under right checksums: headers and symbols are reached. Returns how many decode."""
    rng = np.random.default_rng(seed)
    parts = split_units(data)
    good = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(count):
            damaged = list(parts)
            k = int(rng.integers(len(parts)))
            damaged[k] = (parts[k][0], flipped(parts[k][1], rng))
            good += decode(join_units(damaged))
    return good


@pytest.mark.parametrize("made", [STREAM, INDEXED, SHARED], ids=["plain", "indexed", "shared"])
def test_flipped_bits_under_right_checksums(made):
    assert repaired_flips(made.data, 4500, 2) > 100


def test_flipped_bits_of_grain():
    """Each setting makes tiles of its own, so there are fewer trials."""
    rng = np.random.default_rng(4)
    (kind, payload), *rest = split_units(GRAINED.data)
    place = len(payload) - 18
    good = 0
    for _ in range(60):
        damaged = payload[:place] + flipped(payload[place:], rng)
        good += decode(join_units([(kind, damaged), *rest]))
    assert 20 < good < 60


BOUNDS_SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[1] + "/robustness")
import test_damage
for made in (test_damage.STREAM, test_damage.INDEXED, test_damage.SHARED):
    test_damage.repaired_flips(made.data, 1500, 7)
test_damage.test_random_bytes_as_symbols()
print("all in bounds")
"""


@pytest.mark.slow
def test_no_access_is_out_of_bounds(tmp_path):
    """The same with checked indices, compiled apart from the kernels in use."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "GVIDEO_BOUNDS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", BOUNDS_SCRIPT, str(Path(__file__).parent.parent)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.stdout.strip() == "all in bounds", run.stderr


def test_random_bytes_as_symbols():
    """Payloads of noise behind an honest header: every symbol is whatever the decoder makes of it."""
    rng = np.random.default_rng(3)
    for trial in range(300):
        writer = Writer()
        shape = rng.integers(1, 17, 2)
        header = SegmentHeader(
            int(rng.integers(1, 300)), int(rng.integers(256)), int(shape[0]), int(shape[1]), 2, 1, (0, 0, 0)
        )
        headers.visit_segment(writer, header)
        noise = rng.bytes(int(rng.integers(0, 120)))
        headers.visit_layer(writer, LayerHeader(len(noise) // 2, len(noise)))
        sequence = headers.format_sequence(SequenceHeader(48, 32, 1000, 40, rules=random_rules(rng)))
        decode(join_units([(units.SEQUENCE, sequence), (units.SEGMENT, writer.getvalue() + noise)]))
        assert trial >= 0


def random_rules(rng: np.random.Generator) -> headers.Rules:
    values = rng.integers(-128, 129, 3)
    return headers.Rules(
        *(int(v) for v in values), int(rng.integers(1, 257)), *(int(v) for v in rng.integers(-8, 9, 2))
    )


def with_matrix(data: bytes, matrix: int) -> bytes:
    parts = split_units(data)
    parts[0] = (units.SEQUENCE, parts[0][1][:-1] + bytes([matrix]))
    return join_units(parts)


@pytest.mark.parametrize(
    ("data", "error", "field"),
    [
        (b"", TruncatedError, "signature"),
        (STREAM.data[:3], TruncatedError, "signature"),
        (b"RIFF" + STREAM.data[4:], InvalidError, "not a gvideo stream"),
        (units.SIGNATURE, TruncatedError, "sequence"),
        (STREAM.data[:-1], TruncatedError, "layer"),
        (STREAM.data + b"\x80", TruncatedError, "unit"),
        (STREAM.data + units.format_unit(0x80, b""), UnsupportedError, "unit.type"),
        (STREAM.data + STREAM.data, UnsupportedError, "unit.type"),
        (join_units(split_units(STREAM.data)[1:]), InvalidError, "begins with a segment"),
        (join_units(split_units(STREAM.data)[:1]), TruncatedError, "the stream has none"),
        (join_units([(units.SEQUENCE, b"\x02\x00")]), UnsupportedError, "sequence.version: 2"),
        (join_units([(units.SEQUENCE, b"\x01\x07")]), UnsupportedError, "sequence.profile"),
        (with_matrix(STREAM.data, 14), UnsupportedError, "sequence.matrix"),
    ],
)
def test_errors_name_source_and_field(data, error, field):
    with pytest.raises(error, match=field) as caught:
        VideoDecoder(data)
    assert str(caught.value).startswith("stream: ")
    assert str(caught.value).count("stream: ") == 1


def test_an_index_that_lies_is_found():
    parts = split_units(INDEXED.data)

    def with_index(*entries: IndexEntry) -> bytes:
        return join_units([parts[0], (units.INDEX, headers.format_index(headers.Index(entries))), *parts[2:]])

    honest = headers.visit_index(headers.Reader(parts[1][1])).entries
    assert decode(with_index(*honest))
    sizes = [e.num_bytes for e in honest]
    lies = [
        (IndexEntry(sizes[0], 7, 240, 0), honest[1]),
        (IndexEntry(sizes[0], 6, 241, 0), honest[1]),
        (IndexEntry(sizes[0] - 16, 6, 240, 0), honest[1]),
        (IndexEntry(sizes[0] + 1, 6, 240, 0), honest[1]),
        (honest[0], IndexEntry(sizes[1] + 1, 6, 240, 0)),
        (honest[0], IndexEntry(sizes[1], 6, 240, -100)),
        (IndexEntry(16, 6, 240, 0), honest[1]),
    ]
    for entries in lies:
        with pytest.raises(BitstreamError):
            VideoDecoder(with_index(*entries)).get_all_frames()


def test_unknown_units_are_skipped():
    plain = make_stream(num_segments=3, count=8)
    extra = make_stream(num_segments=3, count=8, extra_units=True)
    for index in (False, True):
        indexed = make_stream(num_segments=3, count=8, extra_units=True, index=index)
        np.testing.assert_array_equal(VideoDecoder(indexed.data)[:], VideoDecoder(plain.data)[:])
    assert len(extra.data) > len(plain.data)


HUGE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from memory import peak_megabytes
from streams import join_units, units, headers
from gvideo.bitstream.fields import Writer
from gvideo.bitstream.headers import *
import gvideo.entropy.segment, gvideo.decoder.rendering.segment
from gvideo import VideoDecoder, errors
limit = 1500 << 20
resource.setrlimit(resource.RLIMIT_AS, (limit + (2 << 30), limit + (2 << 30)))
before = peak_megabytes()
def stream(segment, layer, payload=b"", **sequence):
    writer = Writer()
    visit_segment(writer, segment)
    visit_layer(writer, layer)
    sequence = SequenceHeader(16384, 16384, 1000, 40, **sequence)
    return join_units([(1, format_sequence(sequence)), (3, writer.getvalue() + payload)])
d = VideoDecoder(stream(SegmentHeader(4096, 56, 16, 16, 2, 1, (0, 0, 0)), LayerHeader(0, 0)))
assert len(d) == 4096 and d.metadata.width == 16384 and d.pts[-1] == 40 * 4095
d.stream.decode_segment(0)
noise = stream(SegmentHeader(4096, 56, 16, 16, 2, 1, (0, 0, 0)), LayerHeader(200, 100), bytes(100))
small = VideoDecoder(noise, size=(64, 64))
try:
    small[4095]
except errors.BitstreamError:
    pass
for cell_bits in (0, 1):
    fine = VideoDecoder(stream(SegmentHeader(1, 56, 1, 1, cell_bits, 1, (0, 0, 0)), LayerHeader(0, 0)))
    try:
        fine.stream.decode_segment(0)
    except errors.InvalidError:
        continue
    raise SystemExit("cells beyond the limit")
used = peak_megabytes() - before
print(used < 200, used)
"""


def test_huge_headers_cost_nothing():
    command = [sys.executable, "-c", HUGE, str(Path(__file__).parent.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.startswith("True"), done.stdout + done.stderr


def test_more_gaussians_than_bytes_can_hold():
    writer = Writer()
    headers.visit_segment(writer, SegmentHeader(1, 0, 1, 1, 2, 1, (0, 0, 0)))
    writer.varint("n", 1 << 20)
    writer.varint("bytes", 10)
    data = join_units([split_units(STREAM.data)[0], (units.SEGMENT, writer.getvalue() + bytes(10))])
    with pytest.raises(InvalidError, match=r"layer\.num_gaussians"):
        VideoDecoder(data)[0]


def test_survey_and_trace_survive_too():
    rng = np.random.default_rng(5)
    parts = split_units(STREAM.data)
    for _ in range(100):
        damaged = list(parts)
        k = int(rng.integers(len(parts)))
        damaged[k] = (parts[k][0], flipped(parts[k][1], rng))
        try:
            decoder = VideoDecoder(join_units(damaged))
            list(trace(decoder.stream))
            survey(decoder.stream)
        except BitstreamError:
            pass
