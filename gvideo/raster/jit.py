"""Compiles the kernels of this package: floating point with contraction, but NaN and infinity respected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from gvideo.jit import compiler, stamp_of

Function = TypeVar("Function", bound=Callable[..., Any])

_compile = compiler(stamp_of(Path(__file__).parent), error_model="numpy", fastmath={"nsz", "arcp", "contract", "afn"})


def kernel(function: Function) -> Function:
    """Compile with contraction to fused multiply-add; masks rely on NaN and infinity being what they are."""
    return cast(Function, _compile(function))
