"""Training what segments share: deterministic, never at a loss, and the pictures stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streams import random_symbols

from gvideo import VideoDecoder, encode
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader, format_sequence
from gvideo.decoder.stream import Stream
from gvideo.encoder import settings
from gvideo.encoder.jobs import encode as encode_module
from gvideo.encoder.sharing.codebooks import SharingPlan, fit_codebook, residuals_of, scalar_bits
from gvideo.encoder.sharing.recode import even_choice, recode, reduce_segments, sample_of
from gvideo.encoder.sharing.start_states import CodedSample, best_corrections, context_bits, record
from gvideo.entropy import priors
from gvideo.entropy.segment import count_bits, decode_segment, encode_segment
from gvideo.entropy.sequence import SequenceState, rules_of
from gvideo.model import symbols as sym
from gvideo.model.codebooks import SHAPE
from gvideo.model.symbols import SegmentSymbols

HEADER = SequenceHeader(48, 32, 1000, 40)
STATE = SequenceState(rules_of(HEADER).with_distortion(56))


def alike(rng: np.random.Generator, count: int = 120) -> SegmentSymbols:
    """A segment whose Gaussians have four shapes, two colours and two lives that say nothing about one another."""
    symbols = random_symbols(rng, 48, 32, count=count, levels=3, num_layers=2)
    kinds = random_symbols(np.random.default_rng(9), 48, 32, count=400, levels=3).table
    precise = kinds[kinds[:, sym.PRECISION] == 2]
    table = symbols.table
    table[:, sym.PRECISION] = 2
    for columns, number in (([3, 4, 5], 4), ([6, 7], 2), ([9, 10, 11], 2)):
        table[:, columns] = precise[rng.integers(0, number, count)][:, columns]
    table[:, :2] &= ~63  # cells of 4 px: positions of any step
    return symbols


def payloads_of(symbols: SegmentSymbols) -> list[bytes]:
    header = SegmentHeader(
        6, 56, symbols.num_control, symbols.num_trajectories, symbols.cell_bits, 2, symbols.base, symbols.margins
    )
    return encode_segment(symbols, header, STATE, 48, 32)


@pytest.fixture(scope="module")
def segments() -> list[list[bytes]]:
    return [payloads_of(alike(np.random.default_rng(k))) for k in range(4)]


@pytest.fixture(scope="module")
def plan(segments) -> SharingPlan:
    return reduce_segments(segments, HEADER, len(segments))


def test_a_codebook_where_it_pays(segments, plan):
    assert len(plan.codebooks.groups[SHAPE].entries) >= 4
    after = plan.header(HEADER)
    coded = [recode(p, HEADER, after, plan) for p in segments]
    saved = sum(len(b) for p in segments for b in p) - sum(len(b) for p in coded for b in p)
    assert saved > len(format_sequence(after)) - len(format_sequence(HEADER))
    for one, two in zip(segments, coded, strict=True):
        before = decode_segment(one, SequenceState.of(HEADER), 48, 32)
        again = decode_segment(two, SequenceState.of(after), 48, 32)
        np.testing.assert_array_equal(before[1].table, again[1].table)
        np.testing.assert_array_equal(before[1].residual, again[1].residual)
        assert (before[0], before[2]) == (again[0], again[2])
        assert recode(two, after, HEADER, SharingPlan()) == one


def test_training_is_deterministic(segments, plan):
    again = reduce_segments(segments, HEADER, len(segments))
    assert again.header(HEADER) == plan.header(HEADER)


def test_nothing_is_shared_at_a_loss():
    symbols = [random_symbols(np.random.default_rng(k), 48, 32, count=60, num_layers=2) for k in range(2)]
    coded = [payloads_of(s) for s in symbols]
    plan = reduce_segments(coded, HEADER, 2)
    assert not len(plan.codebooks.groups[SHAPE].entries)
    after = plan.header(HEADER)
    shared = sum(len(b) for p in coded for b in recode(p, HEADER, after, plan)) + len(format_sequence(after))
    assert shared <= sum(len(b) for p in coded for b in p) + len(format_sequence(HEADER))
    empty = replace(symbols[0], table=symbols[0].table[:0], residual=symbols[0].residual[:0], layer_ends=(0, 0))
    assert reduce_segments([payloads_of(empty)], HEADER, 1).header(HEADER) == HEADER


def test_recorded_bits_are_the_counted_ones(segments):
    samples = [sample_of(p, HEADER) for p in segments]
    counted = sum(count_bits(s.symbols, s.sequence, 48, 32, 6).sum() for s in samples)
    nothing = [np.zeros((len(s.symbols.table), 3), np.int64) for s in samples]
    events = record(samples, nothing)
    assert context_bits(events, STATE.start).sum() + events.raw_bits == pytest.approx(counted)
    corrections, bits = best_corrections(events, STATE.start)
    corrected = replace(STATE, start=priors.corrected(STATE.start, corrections))
    exact = sum(count_bits(s.symbols, corrected, 48, 32, 6).sum() for s in samples)
    assert corrections.entries
    assert 0 <= bits - exact - 8 * len(priors.format_corrections(corrections)) <= 24
    assert bits < counted


def test_scalar_bits_are_those_of_a_visit(segments):
    sample = sample_of(segments[0], HEADER)
    cost = count_bits(sample.symbols, sample.sequence, 48, 32, 6)
    np.testing.assert_allclose(scalar_bits(sample).sum(0), [cost[2:5].sum(), cost[9:11].sum(), cost[5:7].sum()])


@pytest.mark.parametrize("group", [0, 1, 2])
@pytest.mark.parametrize("residual", [False, True])
def test_chosen_entries_fit(segments, group, residual):
    samples = [sample_of(p, HEADER) for p in segments]
    scalar = [scalar_bits(s) for s in samples]
    book, prices = fit_codebook(samples, scalar, group, 8, residual)
    assert 0 < len(book.entries) <= 8
    prices_of = [None, None, None]
    prices_of[group] = prices
    plan = SharingPlan(SharingPlan().codebooks.replaced(group, book), prices=tuple(prices_of))
    sample: CodedSample = samples[0]
    left = np.zeros(3, np.int64)
    used = 0
    for row, index in zip(sample.symbols.table, plan.choices(sample)[:, group], strict=True):
        if index:
            residuals_of(row, group, book.entries[index - 1], sample.sequence.rules.as_array(), 6, left)
            assert residual or not left.any()
            used += 1
    assert used


def test_even_choice():
    assert even_choice(3, 10) == [0, 1, 2]
    assert len(even_choice(1000, 1000)) == 64
    assert len(even_choice(1000, 10**8)) == 8
    assert len(even_choice(1, 10**8)) == 1
    assert even_choice(0, 0) == []


def test_encoding_with_shared_state_shows_the_same(tmp_path, synthetic, monkeypatch):
    synthetic.write_clip(tmp_path / "pan.mkv", "pan", num_frames=48, height=32, width=48)
    # what is shared matters here, not how well segments are fitted
    short = replace(settings.PRESETS["veryfast"].fit, train_steps=200)
    monkeypatch.setitem(settings.PRESETS, "veryfast", settings.Preset(short))
    options = {"preset": "veryfast", "segment_seconds": 0.12, "workers": 1}
    report = encode(tmp_path / "pan.mkv", tmp_path / "shared.gsv", **options)
    monkeypatch.setattr(encode_module, "reduce_segments", lambda *_: SharingPlan())
    plain = encode(tmp_path / "pan.mkv", tmp_path / "plain.gsv", **options)
    h = Stream(tmp_path / "shared.gsv").header
    assert h.priors or h.codebooks
    assert report.num_bytes < plain.num_bytes
    assert Stream(tmp_path / "plain.gsv").header == replace(h, priors=b"", codebooks=b"")
    with VideoDecoder(tmp_path / "shared.gsv") as one, VideoDecoder(tmp_path / "plain.gsv") as two:
        np.testing.assert_array_equal(one[:], two[:])
