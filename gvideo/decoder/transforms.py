"""Transforms that a decoder draws instead of applying: each pixel of the result is drawn from the Gaussians at once.

    coded picture  ──Resize──►  sides  ──CenterCrop, RandomCrop──►  part of it  ──►  (size, part of the coded picture)

The classes have torchcodec's and torchvision's names and meaning; objects of theirs with these names are taken as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gvideo.decoder.arguments import integer
from gvideo.decoder.chance import integers
from gvideo.errors import OptionError
from gvideo.raster import Viewport

__all__ = ["CenterCrop", "RandomCrop", "Resize"]

#: Longest side of a picture that is drawn, px.
_MAX_SIDE = 16384


@dataclass(frozen=True)
class _Sized:
    size: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.size) != 2:
            raise ValueError(f"{type(self).__name__}: size is {self.size}, (height, width) wanted")


@dataclass(frozen=True)
class Resize(_Sized):
    """The whole picture at another size, drawn at it.

    Args:
        size: (height, width) in px.

    Raises:
        ValueError: the size is not two numbers.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv", transforms=[gvideo.transforms.Resize((24, 32))])
        >>> video[0].shape
        (3, 24, 32)
    """


@dataclass(frozen=True)
class CenterCrop(_Sized):
    """The middle of the picture; the rest is not drawn.

    Args:
        size: (height, width) in px.

    Raises:
        ValueError: the size is not two numbers.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv", transforms=[gvideo.transforms.CenterCrop((24, 32))])
        >>> video[0].shape
        (3, 24, 32)
    """


@dataclass(frozen=True)
class RandomCrop(_Sized):
    """A part of the picture at a place that is drawn once for a decoder: with torch's generator where torch is loaded,
    as torchcodec does, else with `random`.

    Args:
        size: (height, width) in px.

    Raises:
        ValueError: the size is not two numbers.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv", transforms=[gvideo.transforms.RandomCrop((24, 32))])
        >>> video[0].shape
        (3, 24, 32)
    """


@dataclass(frozen=True, slots=True)
class Framing:
    """What to draw: size (width, height) of the output, and the part (x, y, width, height) of the coded picture."""

    size: tuple[int, int]
    region: tuple[float, float, float, float]

    def viewport(self) -> Viewport:
        """The output grid over the coded picture."""
        x, y, width, height = self.region
        return Viewport(*self.size, self.size[0] / width, self.size[1] / height, x, y)

    def cropped(self, top: int, left: int, height: int, width: int) -> Framing:
        """A part of the output, which lies within it, at the same scale."""
        whole_width, whole_height = self.size
        x, y, part_width, part_height = self.region
        return Framing(
            (width, height),
            (
                x + left * part_width / whole_width, y + top * part_height / whole_height,
                part_width * width / whole_width, part_height * height / whole_height,
            ),
        )  # fmt: skip


def check_sides(what: str, width: int, height: int) -> None:
    """Raises OptionError for a picture that is too large, or none, to be drawn."""
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise OptionError(f"{what} {width}x{height}: sides from 1 to {_MAX_SIDE} wanted")


def framing(transforms: Iterable[Any], width: int, height: int, coded: tuple[int, int]) -> Framing:
    """Transforms in order, over a picture of width x height that shows all of one of the coded size (width, height).

    Raises ValueError for what is no such transform or cuts out more than there is, OptionError for sides out of range.
    """
    if isinstance(transforms, str) or not isinstance(transforms, Iterable):
        raise TypeError(f"transforms: a list is wanted, not {type(transforms).__name__}")
    drawn = Framing((width, height), (0.0, 0.0, float(coded[0]), float(coded[1])))
    for transform in transforms:
        name = type(transform).__name__
        size = getattr(transform, "size", None)
        if name not in ("Resize", "CenterCrop", "RandomCrop") or not isinstance(size, Sequence) or len(size) != 2:
            raise ValueError(
                f"transforms: Resize, CenterCrop or RandomCrop to (height, width) wanted, not {transform!r}"
            )
        new_height, new_width = (integer(side, f"{name}: a side") for side in size)
        check_sides(f"{name} to", new_width, new_height)
        if name == "Resize":
            drawn = Framing((new_width, new_height), drawn.region)
            continue
        width, height = drawn.size
        if new_width > width or new_height > height:
            raise OptionError(f"{name} to {new_width}x{new_height}: the picture has {width}x{height} only")
        if name == "CenterCrop":  # halves are rounded to even, as torchcodec does
            top, left = round((height - new_height) / 2), round((width - new_width) / 2)
        else:
            top, left = (integers(0, most + 1, 1)[0] for most in (height - new_height, width - new_width))
        drawn = drawn.cropped(top, left, new_height, new_width)
    return drawn
