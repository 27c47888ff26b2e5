"""Compiles the integer derivations of this package. Nothing is reordered or contracted: decoders must agree exactly."""

from __future__ import annotations

from pathlib import Path

from gvideo.jit import compiler, stamp_of

exact_kernel = compiler(stamp_of(Path(__file__).parent))
