"""Trains what a sequence's segments share: codebooks of shapes, colours and lives, and start states (CODEC.md §5).

    start     k-means++ (with residual) or the symbols that cost most (without)
    repeat    each Gaussian takes the entry, or scalar coding, of least bits: -log2 p(index) + residual
              each entry moves to the middle of its Gaussians, prices follow the counts
    drop      entries that save less than they take in the header

A group gets the codebook, of all sizes tried, with the least bytes of the whole stream, or none if scalars win.
Entropy-constrained vector quantisation after P. A. Chou, T. Lookabaugh, R. M. Gray (1989). Symbols never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gvideo.bitstream.headers import SequenceHeader
from gvideo.encoder.sharing.start_states import CodedSample, best_corrections, context_bits, record
from gvideo.entropy import attributes, coder, walk
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.jit import exact_kernel
from gvideo.entropy.priors import Corrections, format_corrections
from gvideo.entropy.segment import block_map
from gvideo.model import codebooks as cb
from gvideo.model import steps
from gvideo.model import symbols as sym
from gvideo.model.codebooks import Codebook, Codebooks, format_codebooks
from gvideo.types import Float64, Int64

#: Entries at most; an encode tries the first two, the bench all.
SIZES = (8, 32, 16, 63)
NUM_TRIED = 2
ITERATIONS = 8
#: Price of an index that does not exist.
_NEVER = 1e9
#: Magnitudes of a residual that have a price of their own.
_LENGTHS = 32
#: What each group's scalars count as.
_ATTRIBUTES_OF = (
    (attributes.SCALE, attributes.RATIO, attributes.ANGLE),
    (attributes.LUMA, attributes.CHROMA),
    (attributes.LIFE, attributes.CENTRE),
)
#: Bits of an entry in the header.
_ENTRY_BITS = 24


@dataclass(frozen=True, slots=True)
class CodebookPrices:
    """Bits: index f64 [4,64] by class group, refined f64 [4,2], length f64 [3,32] of a residual by component."""

    index: Float64
    refined: Float64
    length: Float64


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """What the header will say, and the prices by which each Gaussian finds its indices."""

    codebooks: Codebooks = field(default_factory=Codebooks.none)
    corrections: Corrections = field(default_factory=Corrections)
    prices: tuple[CodebookPrices | None, CodebookPrices | None, CodebookPrices | None] = (None, None, None)

    def header(self, plain: SequenceHeader) -> SequenceHeader:
        """A sequence header with codebooks and priors."""
        codebooks, priors = format_codebooks(self.codebooks), format_corrections(self.corrections)
        return replace(plain, codebooks=codebooks, priors=priors)

    def choices(self, sample: CodedSample, scalar: Float64 | None = None) -> Int64:
        """Indices i64 [N,3] of a segment. sample: with a sequence state without codebooks. scalar: scalar_bits."""
        chosen = np.zeros((len(sample.symbols.table), 3), np.int64)
        if any(p is not None for p in self.prices):
            scalar = scalar_bits(sample) if scalar is None else scalar
            for group, prices in enumerate(self.prices):
                if prices is not None:
                    book = self.codebooks.groups[group]
                    chosen[:, group] = _assign(sample, group, book, prices, scalar[:, group])[0]
        return chosen


@exact_kernel
def _visit_each(c, table, residual, ends, rules, parameters, books, neighbours, found, out):  # type: ignore[no-untyped-def]
    choices = np.zeros((table.shape[0], 3), np.int64)
    layer = 0
    for i in range(table.shape[0]):
        while i >= ends[layer]:
            layer += 1
        parameters[sym.LAYER] = layer
        out[i] = -c.cost
        walk.walk_layer(c, table, residual, choices, i, i + 1, rules, parameters, books, neighbours, found)
        out[i] += c.cost


def scalar_bits(sample: CodedSample) -> Float64:
    """Bits f64 [N,3] that each Gaussian's groups take if coded by scalars."""
    symbols, sequence = sample.symbols, sample.sequence
    parameters = sym.parameters_of(symbols, sample.width, sample.height, sample.num_frames)
    c = coder.make_coder(coder.COUNT, *sequence.states(), len(ATTRIBUTES))
    bits = np.zeros((len(symbols.table), len(ATTRIBUTES)))
    books = Codebooks.none().as_array()
    ends, rules = np.array(symbols.layer_ends, np.int64), sequence.rules.as_array()
    neighbours, found = block_map(parameters), np.empty(walk.NUM_NEIGHBOURS, np.int64)
    table, residual = symbols.table.copy(), symbols.residual.copy()
    _visit_each(c, table, residual, ends, rules, parameters, books, neighbours, found, bits)
    return np.stack([bits[:, list(columns)].sum(1) for columns in _ATTRIBUTES_OF], 1)


@exact_kernel
def residuals_of(row, group, entry, rules, num_frames, out):  # type: ignore[no-untyped-def]
    """Residuals of one Gaussian from one entry, as the walk codes them. Returns how many components are coded."""
    precision = row[sym.PRECISION]
    out[:] = 0
    if group == cb.SHAPE:
        step = steps.scale_step(precision)
        scale = cb.predict_scale(entry[0], precision)
        ratio = min(cb.predict_scale(entry[1], precision), scale)
        out[0], out[1] = row[sym.SCALE] - scale, row[sym.RATIO] - ratio
        bits = steps.angle_bits(rules, precision, row[sym.RATIO] * step)
        if bits == 0:
            return 2
        out[2] = cb.wrapped(row[sym.ANGLE] - cb.predict_circle(entry[2], bits), bits)
        return 3
    if group == cb.LIFE:
        out[0] = row[sym.DURATION] - entry[0]
        if row[sym.DURATION] == sym.PERMANENT:
            return 1
        bits = steps.centre_bits(rules, precision, row[sym.DURATION], num_frames)
        out[1] = cb.wrapped(row[sym.CENTRE] - cb.predict_centre(entry[1], bits), bits)
        return 2
    for k in range(3):
        out[k] = row[(sym.LUMA, sym.BLUE, sym.RED)[k]] - cb.predict_amplitude(entry[k], precision)
    return 3


@exact_kernel
def _assign_all(table, group, entries, residual, rules, num_frames, index, refined, length, scalar, best, bits, chosen):  # type: ignore[no-untyped-def]
    """Least bits for each Gaussian: best i64 [N] (0: scalar), bits f64 [N], chosen i64 [N,3] residuals."""
    out = np.zeros(3, np.int64)
    top = length.shape[1] - 1
    for i in range(table.shape[0]):
        g = min(table[i, sym.PRECISION], 3)
        best[i], bits[i] = 0, scalar[i] + index[g, 0]
        for e in range(len(entries)):
            coded = residuals_of(table[i], group, entries[e], rules, num_frames, out)
            cost = index[g, e + 1]
            if out[0] == 0 and out[1] == 0 and out[2] == 0:
                cost += refined[g, 0] if residual else 0.0
            elif residual:
                cost += refined[g, 1]
                for k in range(coded):
                    size = abs(out[k])
                    cost += length[k, min(size, top)]
                    if size > top:
                        cost += 2 * np.log2(size / top)
            else:
                continue
            if cost < bits[i]:
                best[i], bits[i] = e + 1, cost
                chosen[i] = out


def _assign(
    sample: CodedSample, group: int, book: Codebook, prices: CodebookPrices, scalar: Float64
) -> tuple[Int64, Float64, Int64]:
    table, n = sample.symbols.table, len(sample.symbols.table)
    best, bits, chosen = np.zeros(n, np.int64), np.zeros(n), np.zeros((n, 3), np.int64)
    _assign_all(
        table, group, book.entries, book.residual, sample.sequence.rules.as_array(), sample.num_frames, prices.index,
        prices.refined, prices.length, scalar, best, bits, chosen,
    )  # fmt: skip
    return best, bits, chosen


def _first_prices(num_entries: int) -> CodebookPrices:
    index = np.full((4, 1 + cb.MAX_ENTRIES), np.log2(num_entries + 1.0))
    length = np.tile(1.0 + 2 * np.log2(1.0 + np.arange(_LENGTHS)), (3, 1))
    return CodebookPrices(index, np.full((4, 2), 1.0), length)


def _prices(precision: Int64, best: Int64, residuals: Int64, num_entries: int) -> CodebookPrices:
    """Prices from how often everything was chosen. residuals i64 [N,3]."""
    group = np.minimum(precision, 3)
    index, refined = np.full((4, 1 + cb.MAX_ENTRIES), _NEVER), np.zeros((4, 2))
    differs = (residuals != 0).any(1)
    for g in range(4):
        counts = np.bincount(best[group == g], minlength=num_entries + 1) + 0.2
        index[g, : num_entries + 1] = -np.log2(counts / counts.sum())
        flags = np.bincount(differs[(group == g) & (best > 0)].astype(int), minlength=2) + 0.5
        refined[g] = -np.log2(flags / flags.sum())
    some = residuals[differs & (best > 0)]
    length = np.zeros((3, _LENGTHS))
    for k in range(3):
        counts = np.bincount(np.minimum(np.abs(some[:, k]), _LENGTHS - 1), minlength=_LENGTHS) + 0.3
        length[k] = -np.log2(counts / counts.sum())
        length[k, 1:] += 1
    return CodebookPrices(index, refined, length)


def _common(sample: CodedSample, group: int) -> Int64:
    """Each Gaussian's group in the units of entries, i64 [N,3]."""
    table, rules = sample.symbols.table, sample.sequence.rules.as_array()
    values = np.zeros((len(table), 3), np.int64)
    for i, row in enumerate(table):
        c, step = int(row[sym.PRECISION]), int(steps.scale_step(row[sym.PRECISION]))
        if group == cb.SHAPE:
            bits = int(steps.angle_bits(rules, c, row[sym.RATIO] * step))
            values[i] = row[sym.SCALE] * step, row[sym.RATIO] * step, _in_circle(int(row[sym.ANGLE]), bits, 0)
        elif group == cb.LIFE:
            permanent = row[sym.DURATION] == sym.PERMANENT
            bits = int(steps.centre_bits(rules, c, row[sym.DURATION], sample.num_frames))
            values[i, :2] = row[sym.DURATION], 0 if permanent else _in_circle(int(row[sym.CENTRE]), bits, 1)
        else:
            values[i] = (row[sym.LUMA : sym.RED + 1] << 4) >> c
    low, high = np.array([*cb.LIMITS[group], (0, 0)][:3]).T
    return np.clip(values, low, high)


def _in_circle(value: int, bits: int, half: int) -> int:
    down = bits - cb.CIRCLE_BITS
    return value >> down if down >= 0 else (value << -down) + half * ((1 << -down) >> 1)


def _start(values: Int64, scalar: Float64, size: int, residual: bool, rng: np.random.Generator) -> Int64:
    """First entries i64 [E,3]."""
    rows, inverse = np.unique(values, axis=0, return_inverse=True)
    worth = np.bincount(inverse.reshape(-1), weights=scalar, minlength=len(rows))
    size = min(size, len(rows))
    if not residual:
        return rows[np.argsort(-worth, kind="stable")[:size]]
    scaled = rows / np.maximum(values.std(0), 1.0)
    picked = [int(worth.argmax())]
    distance = np.full(len(rows), np.inf)
    while len(picked) < size:
        distance = np.minimum(distance, np.square(scaled - scaled[picked[-1]]).sum(1))
        chance = distance * worth
        if chance.sum() <= 0:
            break
        picked.append(int(rng.choice(len(rows), p=chance / chance.sum())))
    return rows[picked]


def _middle(members: Int64, group: int, residual: bool) -> Int64:
    """The entry that stands best for its members."""
    if not residual:
        rows, counts = np.unique(members, axis=0, return_counts=True)
        return np.asarray(rows[counts.argmax()], np.int64)
    middle: Float64 = np.asarray(np.median(members, axis=0), np.float64)
    if group == cb.SHAPE:
        turns = np.exp(2j * np.pi * members[:, 2] / (1 << cb.CIRCLE_BITS)).sum()
        middle[2] = np.angle(turns) / (2 * np.pi) * (1 << cb.CIRCLE_BITS) % (1 << cb.CIRCLE_BITS)
    rounded: Int64 = np.round(middle).astype(np.int64)
    if group == cb.SHAPE:
        rounded[2] %= 1 << cb.CIRCLE_BITS
    return rounded


def fit_codebook(
    samples: list[CodedSample], scalar: list[Float64], group: int, size: int, residual: bool, weight: float = 1.0
) -> tuple[Codebook, CodebookPrices]:
    """An entropy-constrained codebook of at most `size` entries; none may be left. weight: as in best_corrections."""
    values = np.concatenate([_common(s, group) for s in samples])
    precision = np.concatenate([s.symbols.table[:, sym.PRECISION] for s in samples])
    alone = np.concatenate([bits[:, group] for bits in scalar])
    entries = _sorted(_start(values, alone, size, residual, np.random.default_rng(size)))
    prices = _first_prices(len(entries))
    for iteration in range(ITERATIONS):
        book = Codebook(entries, residual)
        found = [_assign(s, group, book, prices, bits[:, group]) for s, bits in zip(samples, scalar, strict=True)]
        best, bits, residuals = (np.concatenate(parts) for parts in zip(*found, strict=True))
        escape = alone + prices.index[np.minimum(precision, 3), 0]
        saved = np.bincount(best, weights=escape - bits, minlength=len(entries) + 1)[1:] * weight
        # entries may find their place first; then each must pay for its bits in the header
        kept = np.flatnonzero(saved > (_ENTRY_BITS if iteration >= 2 else 0))
        if len(kept) == len(entries) and iteration == ITERATIONS - 1:
            return book, _prices(precision, best, residuals, len(entries))
        places = np.zeros(len(entries) + 1, np.int64)
        places[kept + 1] = np.arange(1, len(kept) + 1)
        best = places[best]
        prices = _prices(precision, best, residuals, len(kept))
        entries = entries[kept]
        if iteration < ITERATIONS - 2 and len(kept):
            moved = np.stack([_middle(values[best == e + 1], group, residual) for e in range(len(kept))])
            order = np.lexsort(moved.T[::-1])
            places = np.concatenate([[0], 1 + np.argsort(order)])
            entries, prices = moved[order], _prices(precision, places[best], residuals, len(kept))
        if len(entries) == 0:
            break
    return Codebook(entries, residual), prices


def _sorted(entries: Int64) -> Int64:
    return entries[np.lexsort(entries.T[::-1])]


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to code the samples and the bits it takes in the whole stream, headers included."""

    plan: SharingPlan
    bits: float


def evaluate(
    samples: list[CodedSample], scalar: list[Float64], plan: SharingPlan, weight: float = 1.0, with_priors: bool = True
) -> Trial:
    """Bits of a plan's codebooks with the corrections that suit them."""
    chosen = [plan.choices(s, bits) for s, bits in zip(samples, scalar, strict=True)]
    coded = [replace(s, sequence=replace(s.sequence, codebooks=plan.codebooks)) for s in samples]
    events = record(coded, chosen)
    block = 8 * len(format_codebooks(plan.codebooks))
    start = samples[0].sequence.start
    if with_priors:
        corrections, bits = best_corrections(events, start, weight)
    else:
        corrections, bits = Corrections(), (float(context_bits(events, start).sum()) + events.raw_bits) * weight
    return Trial(replace(plan, corrections=corrections), bits + block + (8 if block else 0))


def train(samples: list[CodedSample], weight: float = 1.0) -> SharingPlan:
    """The plan of least bytes. samples: an even choice of a stream's segments, without codebooks; weight: segments of
    the stream for each of them."""
    samples = [s for s in samples if len(s.symbols.table)]
    if not samples:
        return SharingPlan()
    scalar = [scalar_bits(s) for s in samples]
    best = evaluate(samples, scalar, SharingPlan(), weight)
    for group in range(3):
        for trial in trials(samples, scalar, best.plan, group, weight, SIZES[:NUM_TRIED]):
            if trial.bits < best.bits:
                best = trial
    return best.plan


def trials(
    samples: list[CodedSample],
    scalar: list[Float64],
    plan: SharingPlan,
    group: int,
    weight: float = 1.0,
    sizes: tuple[int, ...] = SIZES,
) -> list[Trial]:
    """The plan with codebooks of all kinds for one group."""
    found = []
    for residual in (False, True):
        for size in sizes:
            book, prices = fit_codebook(samples, scalar, group, size, residual, weight)
            if len(book.entries):
                all_prices = list(plan.prices)
                all_prices[group] = prices
                with_book = plan.codebooks.replaced(group, book)
                other = SharingPlan(with_book, prices=(all_prices[0], all_prices[1], all_prices[2]))
                found.append(evaluate(samples, scalar, other, weight))
    return found
