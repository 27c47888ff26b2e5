"""Segments of random legal symbols: counted, written and read alike, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import random_choices, random_codebooks, random_symbols

from gvideo.bitstream.fields import Reader
from gvideo.bitstream.headers import SegmentHeader, visit_layer, visit_segment
from gvideo.entropy import priors
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.contexts import NUM_CONTEXTS, flat_states
from gvideo.entropy.segment import count_bits, decode_segment, encode_segment
from gvideo.entropy.sequence import SequenceState
from gvideo.errors import InvalidError
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols

SIZES = [(48, 32), (1, 1), (45, 27), (720, 576)]


def header_of(symbols: SegmentSymbols, rules: StepRules, num_frames: int) -> SegmentHeader:
    return SegmentHeader(
        num_frames, rules.distortion, symbols.num_control, symbols.num_trajectories, symbols.cell_bits,
        len(symbols.layer_ends), symbols.base, symbols.margins, refinement=symbols.refinement,
    )  # fmt: skip


def coded_bytes(payload: bytes, first: bool) -> int:
    reader = Reader(payload)
    if first:
        visit_segment(reader)
    return visit_layer(reader).num_bytes


RULES = st.builds(
    StepRules, st.integers(0, 255), st.integers(-20, 40), st.integers(0, 60), st.integers(-30, 30), st.integers(1, 64),
    st.integers(-2, 2), st.integers(-4, 2),
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from(SIZES),
    count=st.integers(0, 60),
    num_frames=st.integers(1, 200),
    num_control=st.integers(1, 40),
    refinement=st.integers(1, 12),
    num_trajectories=st.integers(1, 64),
    num_layers=st.integers(1, 8),
    cell_bits=st.integers(0, 6),
    levels=st.sampled_from([0, 1, 4, 300, 100_000]),
    rules=RULES,
    shared=st.booleans(),
)
def test_count_write_read(
    seed, size, count, num_frames, num_control, refinement, num_trajectories, num_layers, cell_bits, levels,
    rules, shared,
):  # fmt: skip
    refinement = refinement if num_control > 3 and (num_control - 3) * refinement <= 253 else 1
    symbols = random_symbols(
        np.random.default_rng(seed), *size, count=count, num_frames=num_frames, num_control=num_control,
        refinement=refinement,
        num_trajectories=num_trajectories, num_layers=num_layers, cell_bits=cell_bits, levels=levels, rules=rules,
        largest_octave=12,
    )  # fmt: skip
    table, residual, control = symbols.table.copy(), symbols.residual.copy(), symbols.control.copy()
    header = header_of(symbols, rules, num_frames)
    state, chosen = SequenceState(rules), None
    if shared:
        rng = np.random.default_rng(seed)
        entries = tuple((int(c), int(rng.integers(256))) for c in np.flatnonzero(rng.random(NUM_CONTEXTS) < 0.1))
        start = priors.corrected(state.start, priors.Corrections(entries))
        state = SequenceState(rules, random_codebooks(rng, 63), start)
        chosen = random_choices(rng, symbols, state, num_frames)
    payloads = encode_segment(symbols, header, state, *size, chosen)
    np.testing.assert_array_equal(symbols.table, table)  # writing changes nothing
    read_header, read, read_rules, cost = decode_segment(payloads, state.with_distortion(0), *size)
    assert (read_header, read_rules) == (header, rules)
    np.testing.assert_array_equal(read.table, table)
    np.testing.assert_array_equal(read.residual, residual)
    np.testing.assert_array_equal(read.control, control)
    np.testing.assert_array_equal(read.parents, symbols.parents)
    assert (read.layer_ends, read.base, read.margins, read.cell_bits) == (
        symbols.layer_ends, symbols.base, symbols.margins, symbols.cell_bits,
    )  # fmt: skip
    counted = count_bits(symbols, state, *size, num_frames, chosen)
    np.testing.assert_allclose(cost, counted)
    written = sum(8 * coded_bytes(p, k == 0) for k, p in enumerate(payloads))
    # below: zeros at the end of a layer are not written
    assert -24 * num_layers <= written - counted.sum() <= 16 * num_layers + 0.002 * written
    assert len(cost) == len(ATTRIBUTES)
    for layers in range(1, num_layers):
        _, prefix, _, _ = decode_segment(payloads[:layers], state, *size)
        np.testing.assert_array_equal(prefix.table, table[: symbols.layer_ends[layers - 1]])


def test_what_a_segment_may_not_be():
    rules = StepRules(56)
    symbols = random_symbols(np.random.default_rng(0), 48, 32, num_layers=2)
    state = SequenceState(rules)
    payloads = encode_segment(symbols, header_of(symbols, rules, 6), state, 48, 32)
    with pytest.raises(InvalidError, match=r"layer: 3 layers, the segment has 2"):
        decode_segment([*payloads, payloads[1]], state, 48, 32)
    with pytest.raises(InvalidError, match=r"1 byte\(s\) too many"):
        decode_segment([payloads[0] + b"\x00"], state, 48, 32)
    with pytest.raises(InvalidError, match="cells, at most"):
        decode_segment(payloads, state, 16384 * 2, 32)


def test_start_states_come_back():
    rng = np.random.default_rng(0)
    states = (
        rng.integers(32, 65505, NUM_CONTEXTS).astype(np.uint16),
        rng.integers(0, 121, NUM_CONTEXTS).astype(np.uint8),
    )
    read = priors.parse_states(priors.format_states(states))
    for one, two in zip(states, read, strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(InvalidError, match="priors"):
        priors.parse_states(b"1234")
    first, second = priors.start_states(), priors.start_states()
    first[0][:] = 1
    assert (second[0] != 1).all()
    assert len(flat_states()[0]) == NUM_CONTEXTS
