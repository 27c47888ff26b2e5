"""The entropy decoder of an independent decoder, after SYNTAX.md §6.1 to §6.4, §6.6 and §6.7."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from page_headers import Fields, InvalidError, within

ENTROPY = Path(__file__).parents[2] / "gvideo" / "entropy"
PAGE = Path(__file__).parents[2] / "gvideo" / "bitstream" / "SYNTAX.md"
#: First numbers of the contexts, from the table of §6.4.
_TABLE = PAGE.read_text().partition("### 6.4")[2].partition("### 6.5")[0]
FIRST = {name: int(first) for name, first in re.findall(r"^\| (\w+) \| \d+ \| (\d+)", _TABLE, re.MULTILINE)}
NUM_CONTEXTS = 6698
LIMIT = 1 << 20


class Coder:
    """§6.1 to §6.3. fast, slow and seen carry over from layer to layer; used counts the bits of each context."""

    def __init__(self, data: bytes, fast: list[int], slow: list[int], seen: list[int], used: np.ndarray) -> None:
        self.data, self.at = data, 0
        self.fast, self.slow, self.seen, self.used = fast, slow, seen, used
        self.range, self.code = 0xFFFFFFFF, 0
        for _ in range(4):
            self.code = self.code << 8 | self.next_byte()
        if self.code >= self.range:
            raise InvalidError("FF FF FF FF")

    def next_byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def decode(self, bound: int) -> int:
        if self.code < bound:
            bit, self.range = 0, bound
        else:
            bit, self.code, self.range = 1, self.code - bound, self.range - bound
        while self.range < 1 << 24:
            self.code, self.range = self.code << 8 | self.next_byte(), self.range << 8
        return bit

    def bit(self, context: int) -> int:
        n = self.seen[context]
        self.used[context] += 1
        bit = self.decode((self.range >> 16) * self.probability(context))
        for p, shift in (
            (self.fast, min(2, n + 1)),
            (self.slow, 1 + (n >= 1) + (n >= 4) + (n >= 10) + (n >= 24) + (n >= 56) + (n >= 120)),
        ):
            q = p[context] - (p[context] >> shift) if bit else p[context] + ((65536 - p[context]) >> shift)
            p[context] = min(max(q, 32), 65504)
        self.seen[context] = min(n + 1, 120)
        return bit

    def probability(self, context: int) -> int:
        return (self.fast[context] + 3 * self.slow[context]) >> 2

    def raw(self, k: int) -> int:
        value = 0
        for _ in range(k):
            value = value << 1 | self.decode(self.range >> 1)
        return value

    def tree(self, base: int, k: int) -> int:
        node = 1
        for _ in range(k):
            node = 2 * node + self.bit(base + node - 1)
        return node - (1 << k)

    def eg(self, base: int, c: int) -> int:
        e = 0
        while e < 24 and self.bit(base + min(e, c - 1)) == 1:
            e += 1
        return (1 << e) + self.raw(e) - 1

    def unary(self, base: int, limit: int) -> int:
        v = 0
        while v < limit and self.bit(base + v) == 1:
            v += 1
        return v if v < limit else v + self.eg(base + limit, 8)

    def signed(self, base: int, limit: int) -> int:
        m = self.unary(base, limit)
        return -m if m > 0 and self.raw(1) == 1 else m


@dataclass
class Codebook:
    """§6.7."""

    entries: list[tuple[int, int, int]]
    residual: int


def read_codebooks(block: bytes) -> list[Codebook]:
    if not block:
        return [Codebook([], 0) for _ in range(3)]
    f = Fields(block)
    books = []
    for group in range(3):
        head = f.varint(0, 127)
        if head == 1:
            raise InvalidError("a residual of no entries")
        entries, u = [], 0
        for _ in range(head >> 1):
            u += f.signed(2048)
            if group == 0:
                entries.append((within(u, 0, 255), f.varint(0, 255), f.varint(0, 127)))
            elif group == 1:
                entries.append((within(u, -1023, 1023), f.signed(1023), f.signed(1023)))
            else:
                entries.append((within(u, 0, 31), f.varint(0, 127), 0))
        books.append(Codebook(entries, head & 1))
    f.end()
    return books


def start_states(block: bytes) -> tuple[list[int], list[int], list[int]]:
    """§6.6: fast and slow estimates, and counts."""
    table = (ENTROPY / "priors.bin").read_bytes()
    p = [table[3 * k] << 8 | table[3 * k + 1] for k in range(NUM_CONTEXTS)]
    n = [table[3 * k + 2] for k in range(NUM_CONTEXTS)]
    if block:
        f = Fields(block)
        context = -1
        for _ in range(f.varint(0, NUM_CONTEXTS)):
            context = within(context + 1 + f.varint(), 0, NUM_CONTEXTS - 1)
            v = f.u8()
            q = (32768, 27554, 23170, 19484)[(v >> 2) & 3] >> ((v >> 4) & 7)
            p[context], n[context] = (q if v >= 128 else 65536 - q), (2, 6, 14, 30)[v & 3]
        f.end()
    return p, list(p), n
