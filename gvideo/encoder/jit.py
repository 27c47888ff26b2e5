"""Compiles the encoder's own kernels: contraction allowed, NaN and infinity respected, as in raster/jit.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from gvideo.jit import compiler, stamp_of
from gvideo.model import steps

Function = TypeVar("Function", bound=Callable[..., Any])

_compile = compiler(
    stamp_of(Path(__file__).parent, Path(steps.__file__).parent), error_model="numpy", fastmath={"nsz", "contract"}
)


def kernel(function: Function) -> Function:
    """A compiled function with the Python signature of the given one."""
    return cast(Function, _compile(function))
