"""Compiles the encoder's own kernels: contraction allowed, NaN and infinity respected, as in raster/jit.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from gvideo.jit import compiler, stamp_of
from gvideo.model import steps

Function = TypeVar("Function", bound=Callable[..., Any])

_HERE = Path(__file__).parent
#: Folders of the kernels and of what they call.
_FOLDERS = (_HERE, _HERE / "backends", _HERE / "motion", Path(steps.__file__).parent, _HERE.parent / "raster")
_compile = compiler(stamp_of(*_FOLDERS), error_model="numpy", fastmath={"nsz", "contract"})


def kernel(function: Function) -> Function:
    """A compiled function with the Python signature of the given one."""
    return cast(Function, _compile(function))
