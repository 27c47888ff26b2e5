"""Compiles the coder and the visit of symbols. They draw on the model's derivations, so its files count too."""

from __future__ import annotations

from pathlib import Path

from gvideo.jit import compiler, stamp_of

_HERE = Path(__file__).parent

exact_kernel = compiler(stamp_of(_HERE, _HERE.parent / "model"))
