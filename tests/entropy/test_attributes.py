"""One table of attributes: contexts, symbols, the page of the syntax and the page's JavaScript agree with it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from gvideo.entropy import attributes, contexts
from gvideo.entropy.attributes import SHARED_CONTEXTS, TABLE
from gvideo.model import symbols as sym

ROOT = Path(__file__).parents[2]


def sizes() -> dict[str, int]:
    """Size of every block of contexts, in order."""
    names = list(contexts.OFFSETS)
    return {a: contexts.OFFSETS[b] - contexts.OFFSETS[a] for a, b in pairwise(names)}


def test_every_block_of_contexts_belongs_to_one_attribute():
    counted = Counter(block for row in TABLE for block in row.contexts) + Counter(SHARED_CONTEXTS)
    assert counted == Counter(list(sizes()))


def test_every_column_belongs_to_one_attribute():
    assert Counter(c for row in TABLE for c in row.columns) == Counter(range(sym.NUM_COLUMNS))


def test_numbers_are_those_of_the_rows():
    for number, row in enumerate(TABLE):
        assert getattr(attributes, row.name.upper()) == number


def test_the_page_has_the_same_blocks():
    text = (ROOT / "player/web/codec/contexts.js").read_text()
    table = text[text.index("const SIZES") : text.index("};")]
    rows = re.findall(r"(\w+): (\d+)", table)
    found = [(re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name), int(size)) for name, size in rows]
    assert found == list(sizes().items())


def test_the_page_has_the_same_columns():
    text = (ROOT / "player/web/codec/symbols.js").read_text()
    found = {name: int(n) for name, n in re.findall(r"export const (\w+) = (\d+);", text)}
    assert found.pop("NUM_COLUMNS") == sym.NUM_COLUMNS
    columns = {name: value for name, value in found.items() if value < sym.NUM_COLUMNS}
    assert len(columns) == sym.NUM_COLUMNS
    assert columns == {name: getattr(sym, name) for name in columns}


def test_the_syntax_dumps_the_same_columns():
    page = (ROOT / "gvideo/bitstream/SYNTAX.md").read_text()
    listed = re.search(r"gaussian (X Y [A-Z ]+) RESIDUAL_0", page)
    assert listed is not None
    assert [getattr(sym, name) for name in listed[1].split()] == list(range(sym.NUM_COLUMNS))
