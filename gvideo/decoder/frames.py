"""What a decoder hands out: frames with their times, as NumPy arrays or torch tensors; what is known of a stream."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, overload

from gvideo.errors import OptionError
from gvideo.types import Float64, UInt8, VideoFormat

OUTPUTS = ("numpy", "torch")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: data u8 [3,H,W] (R'G'B'; [H,W,3] if asked for), shown from pts_seconds for duration_seconds."""

    data: UInt8
    pts_seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Frames together: data u8 [F,3,H,W] (or [F,H,W,3]), pts_seconds f64 [F], duration_seconds f64 [F]."""

    data: UInt8
    pts_seconds: Float64
    duration_seconds: Float64

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> FrameBatch: ...

    def __getitem__(self, index: int | slice) -> Frame | FrameBatch:
        if isinstance(index, slice):
            return FrameBatch(self.data[index], self.pts_seconds[index], self.duration_seconds[index])
        return Frame(self.data[index], float(self.pts_seconds[index]), float(self.duration_seconds[index]))

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a stream without decoding it. bit_rate in bits/s over its duration."""

    width: int
    height: int
    num_frames: int
    begin_stream_seconds: float
    end_stream_seconds: float
    duration_seconds: float
    average_fps: float
    timescale: int
    bit_rate: float
    num_segments: int
    format: VideoFormat


def converter(output: str) -> Callable[[Any], Any]:
    """What turns an array into what `output` names. torch is loaded here, by name, and only if it is asked for: nothing
    else in decoding needs it. A tensor shares the array's memory. Raises OptionError if torch is not installed."""
    if output == "numpy":
        return _as_it_is
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise OptionError(
            f'output="torch": torch cannot be loaded ({error}); install it or use output="numpy"'
        ) from error
    convert: Callable[[Any], Any] = torch.from_numpy
    return convert


def _as_it_is(array: Any) -> Any:
    return array
