"""Codebooks and priors in a sequence header: round trips, hostile blocks, streams with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import make_stream, random_codebooks, shared_header, split_units

from gvideo import VideoDecoder
from gvideo.bitstream import headers
from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SequenceHeader
from gvideo.decoder.stream import Stream
from gvideo.decoder.survey import survey
from gvideo.entropy import priors
from gvideo.entropy.contexts import NUM_CONTEXTS
from gvideo.entropy.priors import Corrections, format_corrections, parse_corrections, state_of
from gvideo.entropy.segment import decode_segment
from gvideo.entropy.sequence import SequenceState
from gvideo.errors import BitstreamError, InvalidError
from gvideo.model.codebooks import Codebooks, format_codebooks, parse_codebooks

HEADER = SequenceHeader(48, 32, 1000, 40)
CORRECTIONS = st.dictionaries(st.integers(0, NUM_CONTEXTS - 1), st.integers(0, 255), max_size=40)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(0, 63))
@settings(deadline=None)
def test_codebooks_come_back(seed, size):
    books = random_codebooks(np.random.default_rng(seed), size)
    block = format_codebooks(books)
    read = parse_codebooks(block)
    for one, two in zip(books.groups, read.groups, strict=True):
        np.testing.assert_array_equal(one.entries, two.entries)
        assert one.residual == two.residual
    assert format_codebooks(read) == block
    assert (block == b"") == (not any(len(b.entries) for b in books.groups))


@given(CORRECTIONS)
def test_corrections_come_back(entries):
    corrections = Corrections(tuple(sorted(entries.items())))
    assert parse_corrections(format_corrections(corrections)) == corrections
    probability, seen = priors.corrected(priors.start_states(), corrections)
    for context, code in entries.items():
        assert (probability[context], seen[context]) == state_of(code)
        assert 32 <= probability[context] <= 65504


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (bytes([1]), "a residual of no entries"),
        (bytes([128, 1]), "128 is above 127"),
        (bytes([2, 1, 0, 0]), "codebooks.shape.first: -1 is outside 0..255"),
        (bytes([2, 0x80, 4, 0, 0]), "256 is outside 0..255"),
        (bytes([2, 0, 0, 0x80, 1]), "128 is above 127"),
        (bytes([0, 2, 0xFE, 15, 0xFF, 15, 0]), "-1024 is outside|outside ±1023"),
        (bytes([0, 0, 2, 64, 0]), "32 is outside 0..31"),
        (bytes([0, 0, 0, 0]), "behind its last field"),
        (bytes([2, 0, 0]), "wanted, 0 left"),
    ],
)
def test_hostile_codebooks(block, message):
    with pytest.raises(BitstreamError, match=message):
        parse_codebooks(block)
    stream = Stream(make_stream(sequence=HEADER).data)
    stream.header = replace(stream.header, codebooks=block)
    with pytest.raises(BitstreamError, match=message):
        stream.decode_segment(0)


@pytest.mark.parametrize("block", [bytes([1]), bytes([1, 0x80, 64, 0]), bytes([0, 0]), bytes([255] * 9)])
def test_hostile_priors(block):
    with pytest.raises(BitstreamError, match="priors"):
        SequenceState.of(replace(HEADER, priors=block))
    assert parse_corrections(bytes([0])) == Corrections()


@given(st.binary(max_size=80))
@settings(max_examples=300)
def test_any_block_is_read_or_refused(block):
    for parse in (parse_codebooks, parse_corrections):
        try:
            parse(block)
        except BitstreamError:
            continue


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_same_frames_as_scalar_coding(seed):
    header = shared_header(seed)
    shared = make_stream(sequence=header, num_layers=2, count=40)
    plain = make_stream(sequence=HEADER, num_layers=2, count=40, num_segments=1)
    assert len(shared.symbols) == 2
    np.testing.assert_array_equal(shared.symbols[0].table, plain.symbols[0].table)
    with VideoDecoder(shared.data) as one, VideoDecoder(plain.data) as two:
        np.testing.assert_array_equal(one[:6], two[:6])
    found = survey(Stream(shared.data))
    rows = dict(found.bit_rows(len(shared.data)))
    assert rows["sequence codebooks"] == 8 * len(header.codebooks)
    assert rows["sequence priors"] == 8 * len(header.priors)
    assert sum(rows.values()) == pytest.approx(8 * len(shared.data))
    assert abs(rows["codeword ends"]) < 16 * 4 + 1


def test_an_index_beyond_the_codebook():
    """Random coded bytes under codebooks: symbols or InvalidError, never anything else."""
    payload = split_units(make_stream(sequence=HEADER, count=30).data)[1][1]
    reader = Reader(payload)
    headers.visit_segment(reader)
    headers.visit_layer(reader)
    plain = SequenceState.of(HEADER)
    refused = set()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        state = replace(plain, codebooks=random_codebooks(rng, 63))
        damaged = payload[: reader.position] + rng.bytes(len(payload) - reader.position)
        try:
            decode_segment([damaged], state, 48, 32)
        except InvalidError as error:
            refused.add(str(error).split(":")[0])
    assert {"segment.index", "segment.scale"} <= refused
    assert Codebooks.none().as_array().shape == (3, 64, 3)
