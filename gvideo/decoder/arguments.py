"""What callers of a decoder hand in, checked: integers, seconds, devices, kinds of numbers. Each error names the
argument and what would do."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from gvideo.errors import OptionError

DTYPES = ("uint8", "float32")
DEVICES = ("cpu", "cuda", "reference")


def integer(value: object, what: str = "a frame's number") -> int:
    """An int of anything that is one: int, NumPy's integers, a tensor of one integer."""
    if not isinstance(value, bool | np.bool_):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"{what}: an integer is wanted, not {_kind(value)}")


def integers(values: object) -> list[int]:
    """The integers of a list, an array or a tensor; an integer is a list of one."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        return [integer(values)]
    return [integer(v) for v in values]


def seconds(value: object) -> Fraction | float:
    """A time as it was meant: rational numbers exactly, all others as the double that they are."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Fraction(int(value))
    if not isinstance(value, bool | np.bool_) and hasattr(type(value), "__float__"):
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError):
            pass  # an array or a tensor of several
    raise TypeError(f"a time: a number of seconds is wanted, not {_kind(value)}")


def times(values: object) -> list[Fraction | float]:
    """The times of a list, an array or a tensor; a number is a list of one."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        return [seconds(values)]
    return [seconds(v) for v in values]


def device_name(device: object) -> str:
    """The name of a device: of a string, a torch.device, or None for the default, the CPU."""
    name = "cpu" if device is None else str(device)
    kind, _, index = name.partition(":")
    if kind not in DEVICES or index not in ("", "0"):
        raise OptionError(f"device is {device!r}: 'cpu' or 'cuda' wanted, or None for the CPU")
    return kind


def dtype_name(dtype: Any, bit_depth: int) -> str:
    """uint8 or float32, of a name or a type of NumPy or torch; "auto" is float32 for codes of more than 8 bits."""
    if isinstance(dtype, str) and dtype == "auto":
        return DTYPES[bit_depth > 8]
    name = str(getattr(dtype, "__name__", dtype)).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(f"output_dtype is {dtype!r}: uint8, float32 or 'auto' wanted")
    return name


def _kind(value: object) -> str:
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return f"{name} of shape {tuple(shape)}" if shape is not None else name
