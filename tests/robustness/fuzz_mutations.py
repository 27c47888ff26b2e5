"""Seeded mutations of binary files, of trees of boxes, of units and of text, blind and with a dictionary."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from streams import join_units, split_units

Rng = np.random.Generator
#: Where integers turn: of 1, 2, 4 and 8 bytes, and what float64 still holds.
EDGES = [0, 1, 2, 7, 8, 15, 16, 127, 128, 255, 256, 4095, 4096, 32767, 65535, 65536, 1 << 20, 1 << 24, 1 << 30]
EDGES += [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 53, (1 << 62), (1 << 63) - 1, (1 << 64) - 1]
#: Box types that readers act upon.
_BOXES = b"""ftyp styp moov trak mdia minf stbl stsd mvex trex moof traf tfhd tfdt trun mdat sidx ssix leva mdhd hdlr
tkhd mvhd gsv1 gsve gsvC avc1 avcC mp4a esds Opus dOps tref sbas elst edts stts stsz colr pasp btrt free skip uuid"""
BOXES = _BOXES.split()
#: Boxes of boxes, with the bytes of their own fields.
CONTAINERS = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"mvex": 0, b"moof": 0, b"traf": 0}
CONTAINERS |= {b"edts": 0, b"dinf": 0, b"tref": 0, b"stsd": 8, b"dref": 8, b"gsv1": 78, b"gsve": 78, b"mp4a": 28}
#: Numbers that text is tried with.
_NUMBERS = "-1|1e9|1e999|1e99999999|-0|0.000001|1/0|nan|inf|٣|0x10||1_0|+1| 1"
NUMBERS = [*map(str, EDGES), *_NUMBERS.split("|"), "9" * 30, "9" * 400, "9" * 5000]


def integer(rng: Rng, size: int) -> bytes:
    """An edge, or an integer near one, of so many bytes."""
    value = int(rng.choice(np.array(EDGES, dtype=object))) + int(rng.integers(-1, 2))
    return (value % (1 << (8 * size))).to_bytes(size, "big")


def pick(rng: Rng, items: Sequence[bytes]) -> bytes:
    """Any of the items."""
    return items[int(rng.integers(len(items)))]


def blind(data: bytes, rng: Rng, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One change that knows nothing of the format. others: to splice with. words: to put in."""
    size = len(data)
    at, kind = int(rng.integers(size + 1)), int(rng.integers(9))
    some = int(min(size - at, rng.choice([1, 2, 4, 8, 16, 64, 512])))
    if kind == 0 and size:
        damaged = bytearray(data)
        for _ in range(int(rng.integers(1, 9))):
            damaged[rng.integers(size)] ^= 1 << int(rng.integers(8))
        return bytes(damaged)
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[at + some :]
    if kind == 3:
        return data[: at + some] + data[at:]
    if kind == 4:
        return data[:at] + rng.bytes(some) + data[at + (some if rng.random() < 0.5 else 0) :]
    if kind == 5:
        other = pick(rng, others)
        return data[:at] + other[int(rng.integers(len(other) + 1)) :]
    if kind in (6, 7):
        number = integer(rng, int(rng.choice([1, 2, 4, 8])))
        return data[:at] + number + data[at + len(number) :]
    word = pick(rng, words)
    return data[:at] + word + data[at + (len(word) if rng.random() < 0.7 else 0) :]


Tree = list[tuple[bytes, bytes, "Tree | None"]]


def parse_tree(data: bytes) -> Tree:
    """(type, own fields, boxes within or None) of honest boxes of 32-bit sizes."""
    found: Tree = []
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size < 8 or at + size > len(data):
            break
        skip = CONTAINERS.get(kind)
        body = data[at + 8 : at + size]
        found.append((kind, body if skip is None else body[:skip], None if skip is None else parse_tree(body[skip:])))
        at += size
    return found


def format_tree(tree: Tree) -> bytes:
    """Boxes with right sizes."""
    parts = []
    for kind, own, inner in tree:
        body = own + (b"" if inner is None else format_tree(inner))
        parts.append((len(body) + 8).to_bytes(4, "big") + kind + body)
    return b"".join(parts)


def _lists(tree: Tree) -> list[Tree]:
    return [tree] + [x for _, _, inner in tree if inner is not None for x in _lists(inner)]


def boxes(data: bytes, rng: Rng, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One change of a tree of boxes whose sizes stay right: readers get past the sizes."""
    tree = parse_tree(data)
    lists = [x for x in _lists(tree) if x]
    if not lists:
        return blind(data, rng, others, words)
    siblings = lists[int(rng.integers(len(lists)))]
    k, action = int(rng.integers(len(siblings))), int(rng.integers(8))
    kind, own, inner = siblings[k]
    if action == 0:
        del siblings[k]
    elif action == 1:
        siblings.insert(int(rng.integers(len(siblings) + 1)), siblings[k])
    elif action == 2:
        siblings[k] = (pick(rng, BOXES), own, inner)
    elif action == 3:
        for _ in range(int(rng.integers(1, 24))):
            inner = [(kind, own, inner)]
        siblings[k] = (kind, own, inner)
    elif action == 4:
        rng.shuffle(siblings)  # type: ignore[arg-type]
    else:
        siblings[k] = (kind, blind(own, rng, [own or b"\0"], words), inner)
    return format_tree(tree)


def unit_parts(data: bytes, rng: Rng, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One change of a stream under right checksums."""
    try:
        parts = split_units(data)
        if not parts:
            raise ValueError
    except Exception:  # a stream that was damaged before
        return blind(data, rng, others, words)
    k, action = int(rng.integers(len(parts))), int(rng.integers(8))
    kind, payload = parts[k]
    if action == 0:
        del parts[k]
    elif action == 1:
        parts.insert(int(rng.integers(len(parts) + 1)), parts[k])
    elif action == 2:
        parts[k] = (int(rng.choice([0, 1, 2, 3, 4, 5, 6, 0x44, 0x7F])), payload)
    else:
        parts[k] = (kind, blind(payload, rng, [payload or b"\0"], words))
    return join_units(parts)


_NUMBER = re.compile(rb"\d+(?:\.\d+)?")
_QUOTED = re.compile(rb'"[^"\n]*"')


def text(data: bytes, rng: Rng, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One change of a manifest: numbers, quoted values, lines, words."""
    action = int(rng.integers(7))
    if action < 3:
        found = list(_NUMBER.finditer(data))
        value: Callable[[], bytes] = lambda: NUMBERS[int(rng.integers(len(NUMBERS)))].encode()  # noqa: E731
    elif action == 3:
        found = list(_QUOTED.finditer(data))
        value = lambda: b'"' + pick(rng, words) + b'"'  # noqa: E731
    elif action in (4, 5):
        mark = b">" if data.lstrip().startswith(b"<") else b"\n"
        lines = data.split(mark)
        k = int(rng.integers(len(lines)))
        change = int(rng.integers(4))
        if change == 0:
            del lines[k]
        elif change == 1:
            lines.insert(int(rng.integers(len(lines) + 1)), lines[k])
        elif change == 2:
            lines.insert(k, pick(rng, words))
        else:
            other = pick(rng, others).split(mark)
            lines[k] = pick(rng, other)
        return mark.join(lines)
    else:
        return blind(data, rng, others, words)
    if not found:
        return blind(data, rng, others, words)
    match = found[int(rng.integers(len(found)))]
    return data[: match.start()] + value() + data[match.end() :]
