"""The nearest word for one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(word: str, words: Iterable[str]) -> str:
    """`; did you mean WORD?` for the nearest of the words, or nothing if none is near."""
    known = list(words)
    found = difflib.get_close_matches(word, known, 1, 0.6) or [k for k in known if word and k.startswith(word)][:1]
    return f"; did you mean {found[0]}?" if found else ""
