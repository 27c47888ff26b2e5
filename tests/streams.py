"""Streams made by hand for tests: random legal symbols, coded and put into units. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gvideo.bitstream import headers, units
from gvideo.bitstream.headers import IndexEntry, SegmentHeader, SequenceHeader
from gvideo.encoder.sharing.codebooks import residuals_of
from gvideo.entropy.contexts import NUM_CONTEXTS
from gvideo.entropy.priors import Corrections, format_corrections
from gvideo.entropy.segment import encode_segment
from gvideo.entropy.sequence import SequenceState, rules_of
from gvideo.model import quantize
from gvideo.model import symbols as sym
from gvideo.model.codebooks import LIMITS, Codebook, Codebooks, format_codebooks
from gvideo.model.steps import StepRules, scale_step
from gvideo.model.symbols import SegmentSymbols, cells, interleave


def random_symbols(
    rng: np.random.Generator,
    width: int,
    height: int,
    *,
    count: int = 20,
    num_frames: int = 6,
    num_control: int = 2,
    refinement: int = 1,
    num_trajectories: int = 3,
    num_layers: int = 1,
    cell_bits: int = 2,
    margins: tuple[int, int, int, int] = (0, 1, 2, 0),
    rules: StepRules | None = None,
    largest_octave: int = 5,
    levels: int = 4,
) -> SegmentSymbols:
    """A legal segment: every symbol within what the syntax allows, Gaussians in the order of coding."""
    rules = rules or StepRules(56)
    table = np.zeros((count, sym.NUM_COLUMNS), np.int64)
    precision = rng.integers(0, 8, count)
    bits = np.minimum(precision, 4)
    table[:, sym.PRECISION] = precision
    table[:, sym.SCALE] = rng.integers(0, (largest_octave + 1) << bits)
    table[:, sym.RATIO] = rng.integers(
        0, np.minimum(table[:, sym.SCALE], 80 // np.array([scale_step(p) for p in precision], int)) + 1
    )
    permanent = rng.random(count) < 0.4
    table[:, sym.DURATION] = np.where(permanent, sym.PERMANENT, rng.integers(0, sym.PERMANENT, count))
    derived = quantize.derive(table, rules, cell_bits, num_frames)
    table[:, sym.ANGLE] = rng.integers(0, 1 << derived.angle_bits)
    table[:, sym.CENTRE] = np.where(permanent, 0, rng.integers(0, 1 << derived.centre_bits))
    table[:, sym.TRAJECTORY] = rng.integers(0, num_trajectories, count)
    table[:, sym.LUMA : sym.RED + 1] = rng.integers(-levels, levels + 1, (count, 3))
    sides = np.array(cells(width, height, cell_bits, margins)) << (cell_bits + 4)
    step = quantize.derive(table, rules, cell_bits, num_frames).exponent + 4  # the angle decides, too
    table[:, :2] = rng.integers(0, sides, (count, 2)) >> step << step
    layer = np.sort(rng.integers(0, num_layers, count))
    code = np.array([interleave(int(x), int(y)) for x, y in table[:, :2] >> (cell_bits + 4)], np.int64)
    order = np.lexsort((code, layer)) if count else np.zeros(0, np.int64)
    residual = rng.integers(-2, 3, (count, 2 * num_control)) * (rng.random((count, 1)) < 0.4)
    control = rng.integers(-9, 10, (num_trajectories - 1, headers.refined_count(num_control, refinement), 6))
    ends = tuple(int(n) for n in np.cumsum(np.bincount(layer, minlength=num_layers)))
    return SegmentSymbols(
        table[order],
        residual[order].astype(np.int64),
        control.astype(np.int64),
        ends,
        (400, 500, 530),
        cell_bits,
        margins,
        parents=np.array([rng.integers(0, m + 1) for m in range(num_trajectories - 1)], np.int64),
    )


def random_codebooks(rng: np.random.Generator, size: int = 5) -> Codebooks:
    """Legal codebooks: groups without entries, with a residual and without."""
    books = []
    for limits in LIMITS:
        entries = np.zeros((int(rng.integers(0, size + 1)), 3), np.int64)
        for column, (low, high) in enumerate(limits):
            entries[:, column] = rng.integers(low, high + 1, len(entries))
        entries = entries[np.lexsort(entries.T[::-1])]
        books.append(Codebook(entries, bool(len(entries) and rng.random() < 0.6)))
    return Codebooks((books[0], books[1], books[2]))


def shared_header(seed: int) -> SequenceHeader:
    """A header with three codebooks and corrected start states."""
    rng = np.random.default_rng(seed)
    entries = tuple((int(c), int(rng.integers(256))) for c in np.flatnonzero(rng.random(NUM_CONTEXTS) < 0.05))
    books = random_codebooks(rng, 40)
    while not all(len(b.entries) for b in books.groups):
        books = random_codebooks(rng, 40)
    return SequenceHeader(
        48, 32, 1000, 40, codebooks=format_codebooks(books), priors=format_corrections(Corrections(entries))
    )


def random_choices(
    rng: np.random.Generator, symbols: SegmentSymbols, sequence: SequenceState, num_frames: int
) -> np.ndarray:
    """Random legal indices: any entry where a residual may follow, else those that fit exactly."""
    chosen = np.zeros((len(symbols.table), 3), np.int64)
    rules = sequence.rules.as_array()
    for group, book in enumerate(sequence.codebooks.groups):
        for i, row in enumerate(symbols.table):
            left = np.ones(3, np.int64)
            wanted = int(rng.integers(0, len(book.entries) + 1))
            if wanted and not book.residual:
                residuals_of(row, group, book.entries[wanted - 1], rules, num_frames, left)
                wanted = 0 if left.any() else wanted
            chosen[i, group] = wanted
    return chosen


@dataclass(frozen=True)
class Made:
    """A stream and what it was made of."""

    data: bytes
    sequence: SequenceHeader
    symbols: tuple[SegmentSymbols, ...]
    segment_headers: tuple[SegmentHeader, ...]


def make_stream(
    *,
    width: int = 48,
    height: int = 32,
    num_segments: int = 2,
    num_frames: int = 6,
    num_layers: int = 1,
    count: int = 20,
    seed: int = 0,
    index: bool = False,
    durations: tuple[int, ...] = (),
    extra_units: bool = False,
    sequence: SequenceHeader | None = None,
    layer_step: int = 0,
    **symbols_options: int,
) -> Made:
    """A stream of random Gaussians. durations: of every frame, else the sequence's. extra_units: a metadata unit and
    one of an unknown type behind every segment. layer_step: of the distortions of layers."""
    rng = np.random.default_rng(seed)
    sequence = sequence or SequenceHeader(width, height, 1000, 40, matrix=6, primaries=6, transfer=6)
    sequence = replace(sequence, width=width, height=height)
    rules = replace(rules_of(sequence), distortion=56)
    state = SequenceState.of(sequence).with_distortion(56)
    parts, entries, made, segment_headers = [], [], [], []
    for _ in range(num_segments):
        symbols = random_symbols(
            rng,
            width,
            height,
            count=count,
            num_frames=num_frames,
            num_layers=num_layers,
            rules=rules,
            **symbols_options,
        )
        header = SegmentHeader(
            num_frames, 56, symbols.num_control, symbols.num_trajectories, symbols.cell_bits, num_layers, symbols.base,
            symbols.margins, durations, 0, tuple(56 + layer_step * k for k in range(1, num_layers) if layer_step),
            symbols.refinement,
        )  # fmt: skip
        symbols = replace(symbols, distortions=header.distortions)
        chosen = random_choices(rng, symbols, state, num_frames)
        payloads = encode_segment(symbols, header, state, width, height, chosen)
        data = b"".join(units.format_unit(units.LAYER if k else units.SEGMENT, p) for k, p in enumerate(payloads))
        if extra_units:
            data += units.format_unit(units.METADATA, b"about this") + units.format_unit(0x44, b"from the future")
        parts.append(data)
        entries.append(IndexEntry(len(data), num_frames, sum(durations) or num_frames * sequence.frame_duration, 0))
        made.append(symbols)
        segment_headers.append(header)
    data = units.SIGNATURE + units.format_unit(units.SEQUENCE, headers.format_sequence(sequence))
    if index:
        data += units.format_unit(units.INDEX, headers.format_index(headers.Index(tuple(entries))))
    return Made(data + b"".join(parts), sequence, tuple(made), tuple(segment_headers))


def split_units(data: bytes) -> list[tuple[int, bytes]]:
    """(type, payload) of every unit of a whole stream."""
    found, offset = [], len(units.SIGNATURE)
    while offset < len(data):
        kind, length, skip = units.parse_unit_header(data[offset : offset + units.MAX_OVERHEAD])
        found.append((kind, data[offset + skip : offset + skip + length]))
        offset += skip + length + units.CRC_BYTES
    return found


def join_units(parts: list[tuple[int, bytes]]) -> bytes:
    """A stream of units, with right checksums."""
    return units.SIGNATURE + b"".join(units.format_unit(kind, payload) for kind, payload in parts)
