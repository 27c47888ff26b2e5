"""Compiles the integer derivations of this package. Nothing is reordered or contracted: decoders must agree exactly."""

from __future__ import annotations

from pathlib import Path

from gvideo.jit import compiler, stamp_of

#: Kernels get every array they use, and make none: then numba counts no references to them.
exact_kernel = compiler(stamp_of(Path(__file__).parent), _nrt=False)
