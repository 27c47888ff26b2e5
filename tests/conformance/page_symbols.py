"""The symbols of an independent decoder, after SYNTAX.md §6.5, §6.7, §7 and §11."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from page_coder import FIRST, LIMIT, NUM_CONTEXTS, Coder, read_codebooks, start_states
from page_headers import Fields, InvalidError, Segment, Sequence, Stream, cells, within

PERMANENT = 31

ANISOTROPY = [0] + [math.floor(16 * math.log2(2 ** (r / 16) - 2 ** (-r / 16)) + 0.5) for r in range(1, 81)]
WIDENING = [
    [
        math.floor(
            -8 * math.log2(math.cos(math.pi * j / 32) ** 2 * 2 ** (-i / 2) + math.sin(math.pi * j / 32) ** 2) + 0.5
        )
        for j in range(32)
    ]
    for i in range(21)
]


@dataclass
class Gaussian:
    """The symbols of one Gaussian (§11)."""

    x: int = 0
    y: int = 0
    c: int = 0
    scale: int = 0
    ratio: int = 0
    angle: int = 0
    duration: int = 0
    centre: int = 0
    trajectory: int = 0
    luma: int = 0
    blue: int = 0
    red: int = 0
    residual: list[int] = field(default_factory=list)
    layer: int = 0


@dataclass
class Symbols:
    """What §6 decodes of a segment: parents and values of all trajectories but the one at rest, and the Gaussians."""

    parents: list[int]
    control: list[list[list[int]]]
    gaussians: list[Gaussian]
    counts: list[int]


class Rules:
    """§7: integers that follow from symbols."""

    def __init__(self, s: Sequence, g: Segment) -> None:
        self.s, self.g = s, g

    @staticmethod
    def step(c: int) -> int:
        return 16 >> min(c, 4)

    def angle_bits(self, c: int, ratio: int) -> int:
        r = ratio * self.step(c)
        if ratio == 0:
            return 0
        return min(max((16 * c + (ANISOTROPY[r] if r <= 80 else r) + self.s.angle) >> 4, 1), 9)

    def exponents(self, q: Gaussian) -> list[int]:
        """Position exponents of x and y."""
        step, n = self.step(q.c), self.angle_bits(q.c, q.ratio)
        v = (q.scale - q.ratio) * step
        found = []
        for turn in (0, 16):
            widening = 0
            if n > 0:
                j = (q.angle << (5 - n) if n <= 5 else q.angle >> (n - 5)) + turn
                widening = WIDENING[min(q.ratio * step >> 2, 20)][j & 31]
            e = ((v + widening - 21 + self.s.position) >> 4) - q.c
            found.append(min(max(e, -4), self.g.cell_bits))
        return found

    def centre_bits(self, c: int, duration: int) -> int:
        n = 2 * self.g.num_frames
        w = n.bit_length() - 1
        length = 16 * w + ((n << 4) >> w) - 16
        return min(max((length - (8 * duration - 16) + 16 * min(c, 2) + self.s.centre) >> 4, 0), 12)

    def reach(self, q: Gaussian, k: int) -> int:
        if q.duration == PERMANENT:
            return 4
        frames, bits = self.g.num_frames, self.centre_bits(q.c, q.duration)
        centre = ((2 * q.centre + 1) * 16 * frames >> bits) - 8 * frames
        place = 16 * k * (frames - 1) // max(self.g.num_control - 1, 1)
        sigma = (16 << (q.duration >> 1)) >> 1
        if q.duration & 1:
            sigma = sigma * 181 >> 7
        distance = abs(place - centre)
        return 0 if distance <= sigma else 1 if distance <= 2 * sigma else 2 if distance <= 4 * sigma else 3


class Visit:
    """§6.5 over the layers of a segment."""

    def __init__(self, s: Sequence, g: Segment, used: np.ndarray) -> None:
        self.s, self.g, self.rules, self.used = s, g, Rules(s, g), used
        self.books = read_codebooks(s.codebooks)
        self.states = start_states(s.priors)
        self.cells = cells(g, s)
        self.blocks: dict[tuple[int, int], int] = {}
        self.symbols = Symbols([], [], [], [])
        self.code, self.exponent = 0, 3

    def layers(self, num_layers: int | None = None) -> Symbols:
        for layer, payload in enumerate(self.g.payloads[:num_layers]):
            if layer >= self.g.num_layers:
                raise InvalidError("a layer too many")
            f = Fields(payload)
            f.take(self.g.header_bytes if layer == 0 else 0)
            count, num_bytes = f.varint(), f.varint(0, 1 << 28)
            within(count, 0, 2 * (num_bytes + 4))
            total = within(len(self.symbols.gaussians) + count, 0, 1 << 20)
            within(total * self.g.num_path, 0, 1 << 24)
            self.coder = Coder(f.take(num_bytes), *self.states, self.used)
            f.end()
            if layer == 0:
                self.trajectories()
            self.code, self.exponent = 0, 3
            for _ in range(count):
                self.gaussian(layer)
            self.symbols.counts.append(count)
        return self.symbols

    def trajectories(self) -> None:
        d = self.coder
        rest = [[0] * 6 for _ in range(self.g.num_path)]
        for m in range(1, self.g.num_trajectories):
            parent = within(d.raw((m - 1).bit_length()), 0, m - 1)
            of_parent = self.symbols.control[parent - 1] if parent else rest
            values: list[list[int]] = []
            last = [0] * 6
            for k in range(self.g.num_path):
                row, differences = [], []
                for f in range(6):
                    expected = of_parent[k][f]
                    if k > 0:
                        expected += values[k - 1][f] - of_parent[k - 1][f]
                    group = 0 if k == 0 else 1 if f in (0, 3) else 2
                    e = min(abs(last[f]), 2) if k > 0 else 0
                    b = max([abs(differences[i]) for i in (f - 1, f - 3) if i >= 0], default=0)
                    difference = d.signed(FIRST["control"] + 16 * (9 * group + 3 * e + min(b, 2)), 8)
                    within(difference, -LIMIT, LIMIT)
                    differences.append(difference)
                    row.append(within(expected + difference, -LIMIT, LIMIT))
                values.append(row)
                last = differences
            self.symbols.parents.append(parent)
            self.symbols.control.append(values)

    def gaussian(self, layer: int) -> None:
        d, q, known = self.coder, Gaussian(layer=layer), self.symbols.gaussians
        # 1 cell
        e = within(d.tree(FIRST["cell_exponent"] + 31 * min(self.exponent, 3), 5), 0, 24)
        mantissa = d.bit(FIRST["cell_mantissa"] + e) << (e - 1) | d.raw(e - 1) if e > 0 else 0
        self.code, self.exponent = self.code + (1 << e) + mantissa - 1, e
        cell_x, cell_y = (
            sum((self.code >> (2 * i + odd) & 1) << i for i in range(self.code.bit_length())) for odd in (0, 1)
        )
        within(cell_x, 0, self.cells[0] - 1)
        within(cell_y, 0, self.cells[1] - 1)
        block_x, block_y = cell_x >> 2, cell_y >> 2
        places = [(block_x + dx, block_y + dy) for dx, dy in ((0, 0), (-1, 0), (0, -1), (-1, -1), (1, -1))]
        previous = [len(known) - 1] if known else []
        others = [self.blocks[place] for place in places if place in self.blocks]
        near = [known[i] for i in previous + [i for i in others if i not in previous]]
        # 2 precision
        g = 9 if layer > 0 else near[0].c if near else 8
        q.c = d.tree(FIRST["precision"] + 7 * g, 3)
        self.shape(q, near)
        self.life(q, near)
        self.motion(q, near)
        self.colour(q, near)
        # 10 position
        q.x, q.y = (
            (cell << (self.g.cell_bits + 4)) + (d.raw(self.g.cell_bits - e) << (e + 4))
            for cell, e in zip((cell_x, cell_y), self.rules.exponents(q), strict=True)
        )
        self.blocks[block_x, block_y] = len(known)
        known.append(q)

    def index(self, group: int, q: Gaussian) -> tuple[int, int, int] | None:
        """The codebook's entry of a group, if it has one and the index is not 0."""
        entries = self.books[group].entries
        if not entries:
            return None
        k = len(entries).bit_length()
        index = within(self.coder.tree(FIRST["vector_index"] + 63 * (4 * group + min(q.c, 3)), k), 0, len(entries))
        return entries[index - 1] if index else None

    def refined(self, group: int, q: Gaussian) -> bool:
        book = self.books[group]
        return bool(book.residual and self.coder.bit(FIRST["vector_refined"] + 4 * group + min(q.c, 3)))

    def component(self, group: int, j: int) -> int:
        return self.coder.signed(FIRST["vector_residual"] + 14 * (3 * group + j), 6)

    def shape(self, q: Gaussian, near: list[Gaussian]) -> None:
        d, rules = self.coder, self.rules
        entry = self.index(0, q)
        if entry is not None:
            down = 4 - min(q.c, 4)
            most = (16 << (4 - down)) - 1
            q.scale = min((entry[0] + ((1 << down) >> 1)) >> down, most)
            q.ratio = min((entry[1] + ((1 << down) >> 1)) >> down, most, q.scale)
            refined = self.refined(0, q)
            if refined:
                q.scale = within(q.scale + self.component(0, 0), -(1 << 40), 1 << 40)
                q.ratio = q.ratio + self.component(0, 1)
                within(q.scale, 0, (16 << min(q.c, 4)) - 1)
                within(q.ratio, 0, q.scale)
            n = rules.angle_bits(q.c, q.ratio)
            q.angle = (
                entry[2] << (n - 7) if n >= 7 else ((entry[2] + ((1 << (7 - n)) >> 1)) >> (7 - n)) & ((1 << n) - 1)
            )
            if refined and n > 0:
                q.angle = (q.angle + self.component(0, 2)) % (1 << n)
            return
        # 3 scales
        b, s = min(q.c, 4), rules.step(q.c)
        octave = d.tree(FIRST["scale_octave"] + 15 * q.c, 4)
        q.scale = octave << b | d.tree(FIRST["scale_fraction"] + 15 * min(q.c, 4), b)
        q.ratio = within(d.unary(FIRST["ratio"] + 32 * (8 * q.c + min(octave, 7)), 24), 0, q.scale)
        # 4 angle
        n = rules.angle_bits(q.c, q.ratio)
        if n > 0:
            direction = 8
            for a in near:
                bits = rules.angle_bits(a.c, a.ratio)
                if a.ratio * rules.step(a.c) >= 12 and bits >= 3:
                    direction = a.angle >> (bits - 3)
                    break
            h = min(n, 3)
            top = d.tree(FIRST["angle"] + 7 * (9 * min(q.ratio * s >> 4, 2) + direction), h)
            q.angle = top << (n - h) | d.raw(n - h)

    def life(self, q: Gaussian, near: list[Gaussian]) -> None:
        d, rules = self.coder, self.rules
        entry = self.index(2, q)
        if entry is not None:
            q.duration = entry[0]
            refined = self.refined(2, q)
            if refined:
                q.duration = within(q.duration + self.component(2, 0), 0, 31)
            if q.duration != PERMANENT:
                n = rules.centre_bits(q.c, q.duration)
                q.centre = entry[1] << (n - 7) if n >= 7 else entry[1] >> (7 - n)
                if refined:
                    q.centre = (q.centre + self.component(2, 1)) % (1 << n)
            return
        # 5 life
        p, m = min(q.c, 3), len(near)
        g = 1 + (2 * sum(a.duration == PERMANENT for a in near) + m // 2) // m if m else 0
        if d.bit(FIRST["permanent"] + 4 * q.c + g):
            q.duration = PERMANENT
            return
        last = near[0].duration if near else PERMANENT
        g = 0 if last == PERMANENT else 1 if last < 6 else 2 if last < 9 else 3
        q.duration = d.tree(FIRST["duration"] + 31 * (4 * p + g), 5)
        n = rules.centre_bits(q.c, q.duration)
        h = min(n, 4)
        g = 0 if q.duration < 6 else 1 if q.duration < 9 else 2
        q.centre = (d.tree(FIRST["centre"] + 15 * (4 * g + h - 1), h) if h > 0 else 0) << (n - h) | d.raw(n - h)

    def motion(self, q: Gaussian, near: list[Gaussian]) -> None:
        d = self.coder
        # 6 trajectory
        if self.g.num_trajectories > 1:
            indices = [a.trajectory for a in near]
            guess = max(indices, key=indices.count, default=0)
            others = [i for i in indices if i != guess]
            second = max(others, key=others.count, default=0)
            v = 4 * indices.count(guess) + others.count(second)
            if d.bit(FIRST["trajectory_same"] + v):
                q.trajectory = guess
            elif others and d.bit(FIRST["trajectory_second"] + v):
                q.trajectory = second
            else:
                n = (self.g.num_trajectories - 1).bit_length()
                q.trajectory = within(d.tree(FIRST["trajectory"], n), 0, self.g.num_trajectories - 1)
        # 7 residual
        q.residual = [0] * (2 * self.g.num_control)
        g = 3 if q.duration == PERMANENT else min(q.duration >> 2, 2)
        if d.bit(FIRST["residual_flag"] + 4 * min(q.c, 3) + g):
            for j in range(2 * self.g.num_control):
                a = min(abs(q.residual[j - 2]), 2) if j >= 2 else 0
                o = min(abs(q.residual[j - 1]), 2) if j % 2 else 0
                if d.bit(FIRST["residual_zero"] + 9 * self.rules.reach(q, j >> 1) + 3 * a + o):
                    magnitude = within(1 + d.unary(FIRST["residual"], 8), 0, LIMIT)
                    q.residual[j] = -magnitude if d.raw(1) else magnitude

    def colour(self, q: Gaussian, near: list[Gaussian]) -> None:
        d = self.coder
        entry = self.index(1, q)
        if entry is not None:
            q.luma, q.blue, q.red = (((x << q.c) + 8) >> 4 for x in entry)
            if self.refined(1, q):
                q.luma = within(q.luma + self.component(1, 0), -LIMIT, LIMIT)
                q.blue = within(q.blue + self.component(1, 1), -LIMIT, LIMIT)
                q.red = within(q.red + self.component(1, 2), -LIMIT, LIMIT)
            return
        # 8 luma
        f = max(q.c - 3, 0)
        magnitude = d.unary(FIRST["luma"] + 22 * q.c, 14) << f
        magnitude = within(magnitude | d.raw(f), 0, LIMIT)
        if magnitude:
            g = (1 if near[0].luma > 0 else 2) if near else 0
            q.luma = -magnitude if d.bit(FIRST["luma_sign"] + g) else magnitude
        # 9 chroma
        size = abs(q.luma)
        o = 0 if size == 0 else 1 if size <= 2 else 2
        q.blue = self.chroma("blue", 3 * q.c + o, 6 * q.c + min(size.bit_length(), 5), q.luma, 0)
        o = min(abs(q.blue), 2)
        q.red = self.chroma("red", 3 * q.c + o, 3 * q.c + o, q.blue, 3)

    def chroma(self, name: str, of_zero: int, of_size: int, other: int, signs: int) -> int:
        d = self.coder
        if not d.bit(FIRST[f"{name}_zero"] + of_zero):
            return 0
        magnitude = within(1 + d.unary(FIRST[name] + 22 * of_size, 14), 0, LIMIT)
        g = 0 if other == 0 else 1 if other > 0 else 2
        return -magnitude if d.bit(FIRST["chroma_sign"] + signs + g) else magnitude


def decode(stream: Stream, used: np.ndarray | None = None, num_layers: int | None = None) -> list[Symbols]:
    """The symbols of every segment. used i64 [contexts]: counts bits."""
    used = np.zeros(NUM_CONTEXTS, np.int64) if used is None else used
    return [Visit(stream.sequence, g, used).layers(num_layers) for g in stream.segments]


def lines(stream: Stream, symbols: list[Symbols]) -> Iterator[str]:
    """§11."""
    digest = hashlib.sha256()
    for words in _rows(stream, symbols):
        line = " ".join(map(str, words))
        digest.update(line.encode() + b"\n")
        yield line
    yield f"sha256 {digest.hexdigest()}"


def _rows(stream: Stream, symbols: list[Symbols]) -> Iterator[list[object]]:
    s = stream.sequence
    yield ["gvideo symbols 1"]
    yield ["sequence", s.width, s.height, s.timescale, len(stream.segments)]
    for number, (g, found) in enumerate(zip(stream.segments, symbols, strict=True)):
        yield [
            "segment", number, g.ticks[0], g.num_frames, g.num_control, g.num_path, g.num_trajectories, g.cell_bits,
            *g.margins, *g.base,
        ]  # fmt: skip
        yield ["frames", *g.ticks]
        for m, (parent, control) in enumerate(zip(found.parents, found.control, strict=True), 1):
            yield ["trajectory", m, parent]
            yield from (["control", k, *row] for k, row in enumerate(control))
        for layer, count in enumerate(found.counts):
            yield ["layer", layer, g.distortions[layer], count]
            for q in found.gaussians:
                if q.layer == layer:
                    yield [
                        "gaussian", q.x, q.y, q.c, q.scale, q.ratio, q.angle, q.duration, q.centre, q.trajectory,
                        q.luma, q.blue, q.red, *q.residual,
                    ]  # fmt: skip
