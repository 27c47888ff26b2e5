"""The page of the syntax and the code agree on the numbers of contexts."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from gvideo import bitstream
from gvideo.entropy.contexts import NUM_CONTEXTS, OFFSETS


def test_syntax_lists_the_contexts():
    page = (Path(bitstream.__file__).parent / "SYNTAX.md").read_text()
    section = page[page.index("### 6.4") : page.index("### 6.5")]
    rows = [
        (name, int(size), int(first)) for name, size, first in re.findall(r"\| (\w+) \| (\d+) \| (\d+) \|", section)
    ]
    assert f"There are {NUM_CONTEXTS} contexts" in section
    assert {name: first for name, _, first in rows} | {"end": NUM_CONTEXTS} == OFFSETS
    assert all(first + size == after for (_, size, first), (_, _, after) in pairwise(rows))
    assert sum(rows[-1][1:]) == NUM_CONTEXTS
