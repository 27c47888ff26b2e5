"""What a decoder hands out: frames with their times, as NumPy arrays or torch tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray

from gvideo.decoder.notebook import card
from gvideo.extras import load
from gvideo.types import Float64

#: uint8 in 0..255 or float32 in 0..1; torch's tensors stand under the same name.
Pixels = NDArray[Any]

OUTPUTS = ("numpy", "torch")


class _Described:
    """A dataclass whose repr tells the shape of its data and not every pixel."""

    __slots__ = ()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__}:"]
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            name, value = ("data (shape)", tuple(value.shape)) if field.name == "data" else (field.name, value)
            lines.append(f"  {name}: {value}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame(_Described):
    """One frame. Unpacks into its three attributes.

    Args:
        data: R'G'B' u8 [3,H,W] in 0..255, or f32 in 0..1; [H,W,3] if asked for.
        pts_seconds: when it begins to be shown, s.
        duration_seconds: how long it is shown, s.

    Raises:
        ValueError: the data has not three dimensions.

    Example:
        >>> data, pts_seconds, duration_seconds = gvideo.VideoDecoder("clip.gsv").get_frame_at(2)
        >>> data.shape, pts_seconds, duration_seconds
        ((3, 48, 64), 0.08, 0.04)
    """

    data: Pixels
    pts_seconds: float
    duration_seconds: float

    def __post_init__(self) -> None:
        if self.data.ndim != 3:
            raise ValueError(f"a frame's data has three dimensions, not the shape {tuple(self.data.shape)}")

    def __iter__(self) -> Iterator[Any]:
        return iter((self.data, self.pts_seconds, self.duration_seconds))

    def _repr_html_(self) -> str:
        rows = [("data", f"{self.data.dtype} {tuple(self.data.shape)}"), ("pts_seconds", self.pts_seconds),
                ("duration_seconds", self.duration_seconds)]  # fmt: skip
        return card(self.data, rows)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FrameBatch(_Described):
    """Frames together.

    Indexed as arrays are, by a number, slice, list, mask or array, it gives the FrameBatch of these frames (one of a
    single frame without the dimension F); iterated over, the FrameBatch of every frame.

    Args:
        data: R'G'B' u8 [F,3,H,W] in 0..255, or f32 in 0..1; [F,H,W,3] if asked for. Clips have two leading dimensions.
        pts_seconds: when each begins to be shown, f64 [F] s.
        duration_seconds: how long each is shown, f64 [F] s.

    Raises:
        ValueError: the shapes do not belong together.

    Example:
        >>> batch = gvideo.VideoDecoder("clip.gsv").get_frames_at([2, 3, 4])
        >>> len(batch), batch[1:].pts_seconds
        (3, array([0.12, 0.16]))
    """

    data: Pixels
    pts_seconds: Float64
    duration_seconds: Float64

    def __post_init__(self) -> None:
        lead, times, lengths = self.data.shape[:-3], self.pts_seconds.shape, self.duration_seconds.shape
        if self.data.ndim < 3 or not lead == times == lengths:
            shapes = f"{tuple(self.data.shape)}, {tuple(times)} and {tuple(lengths)}"
            raise ValueError(f"the shapes of data and times, {shapes}, do not belong together")

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: Any) -> FrameBatch:
        # of one frame NumPy makes a scalar, which has a shape as well
        return FrameBatch(self.data[key], self.pts_seconds[key], self.duration_seconds[key])

    def __iter__(self) -> Iterator[FrameBatch]:
        return (self[i] for i in range(len(self)))

    def _repr_html_(self) -> str | None:
        """The first frame; None, and so the text alone, for a batch of none."""
        if 0 in self.pts_seconds.shape:
            return None
        first, last = float(self.pts_seconds.reshape(-1)[0]), float(self.pts_seconds.reshape(-1)[-1])
        rows = [("data", f"{self.data.dtype} {tuple(self.data.shape)}"), ("pts_seconds", f"{first:g} … {last:g}")]
        return card(self.data.reshape(-1, *self.data.shape[-3:])[0], rows)


def converter(output: str) -> Callable[[Any], Any]:
    """What turns an array into what `output` names. torch is loaded here, by name, and only if it is asked for: nothing
    else in decoding needs it. A tensor shares the array's memory. Raises MissingExtraError if torch is not there."""
    if output == "numpy":
        return _as_it_is
    convert: Callable[[Any], Any] = load("torch", 'output="torch"').from_numpy
    return convert


def _as_it_is(array: Any) -> Any:
    return array
