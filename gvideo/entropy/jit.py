"""Compiles the coder and the visit of symbols. They draw on the model's derivations, so its files count too."""

from __future__ import annotations

from pathlib import Path

from gvideo.jit import compiler, stamp_of

_HERE = Path(__file__).parent

_STAMP = stamp_of(_HERE, _HERE.parent / "model")

exact_kernel = compiler(_STAMP)
#: For the coder and what calls it at every symbol: they get every array they use, and make none. Then numba counts no
#: references to them; a coder is five arrays, and counting at every bit took half the time of decoding a segment.
visit_kernel = compiler(_STAMP, _nrt=False)
#: The steps of a bit, which are too short to be called.
inlined_kernel = compiler(_STAMP, _nrt=False, forceinline=True)
