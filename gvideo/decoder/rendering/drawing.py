"""The form of a decoder's pictures: which part of the coded picture, at which size, in which layout.

    coded picture ──size, transforms──► frame ──crop──► part of it ──shape──► grid of pixels, each drawn at once

Only what is asked for is drawn: a crop costs its own pixels, and a small shape costs a small picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gvideo.decoder import arguments
from gvideo.decoder.coded import CodedStream
from gvideo.decoder.frames import Pixels, converter
from gvideo.decoder.rendering import pictures
from gvideo.decoder.rendering.pictures import PictureCache
from gvideo.decoder.transforms import Framing, check_sides, framing
from gvideo.errors import OptionError
from gvideo.types import Float32, Float64, Int64

_MAX_ZOOM = 1024

#: (height, width) of pictures, px.
Shape = tuple[int, int]
#: (top, left, height, width) of a part of the frame, px.
Crop = tuple[int, int, int, int]


class Drawing:
    """Draws frames of a stream in one form; a shape or a crop may differ from call to call.

    size: (width, height) of the frames, None for the coded one; what transforms leave of it is the frame.
    """

    def __init__(
        self,
        stream: CodedStream,
        drawn: PictureCache,
        *,
        size: tuple[int, int] | None,
        transforms: Iterable[Any] | None,
        dimension_order: str,
        output: str,
        output_dtype: Any,
    ) -> None:
        self._pictures, self._colour = drawn, stream.format.colour
        self._coded = stream.format.width, stream.format.height
        self._dtype = arguments.dtype_name(output_dtype, stream.format.bit_depth)
        self._channels_last = dimension_order == "NHWC"
        self._converted = converter(output)
        self.asked_size = None if size is None else self._checked_size(*size)
        whole = self.asked_size or self._coded
        self.frame = Framing(whole, (0.0, 0.0, float(self._coded[0]), float(self._coded[1])))
        if transforms is not None:
            self.frame = framing(transforms, *whole, self._coded)

    def converted(self, array: Any) -> Any:
        """An array, or a tensor where these are asked for."""
        return self._converted(array)

    def framing(self, shape: Shape | None, crop: Crop | None) -> Framing:
        """What to draw for a shape and a crop of the frame. Raises OptionError for what is outside or too small."""
        if shape is None and crop is None:
            return self.frame
        framed = self.frame
        if crop is not None:
            width, height = framed.size
            top, left, high, wide = _integers("crop", crop, ("top", "left", "height", "width"))
            if not (high > 0 and wide > 0 and 0 <= top <= height - high and 0 <= left <= width - wide):
                raise OptionError(
                    f"crop {(top, left, high, wide)}: (top, left, height, width) within the frame of "
                    f"{height} rows and {width} columns wanted"
                )
            framed = framed.cropped(top, left, high, wide)
        if shape is not None:
            height, width = _integers("shape", shape, ("height", "width"))
            self._check_zoom("shape", width, height, *framed.region[2:])
            framed = Framing((width, height), framed.region)
        return framed

    def frames(self, numbers: Sequence[int] | Int64, wanted: Framing) -> Pixels:
        """R'G'B' of frames by number [F,3,H,W] or [F,H,W,3], as arrays."""
        width, height = wanted.size
        shape = (height, width, 3) if self._channels_last else (3, height, width)
        data = np.empty((len(numbers), *shape), self._dtype)

        def write(places: Int64, planes: Float32) -> None:
            data[places] = self._rgb(planes[None])

        self._pictures.draw(numbers, wanted.size, wanted.viewport(), write)
        return data

    def planes(self, numbers: Sequence[int]) -> Float32:
        """Y'CbCr f32 [F,3,H,W] of frames by number."""
        planes = np.empty((len(numbers), 3, *self.frame.size[::-1]), np.float32)
        self._pictures.draw(numbers, self.frame.size, self.frame.viewport(), planes.__setitem__)
        return planes

    def planes_between(self, ticks: Float64) -> Float32:
        """Y'CbCr f32 [F,3,H,W] at moments in ticks."""
        moments = np.asarray(ticks, np.float64)
        if not np.isfinite(moments).all():
            raise ValueError("a moment is not a finite number")
        return self._pictures.planes_at_ticks(moments, self.frame.size, self.frame.viewport())

    def between(
        self, ticks: Float64, size: tuple[int, int], region: tuple[float, float, float, float] | None
    ) -> Pixels:
        """R'G'B' [F,3,H,W] or [F,H,W,3] of a region (x, y, width, height) of the coded picture at moments in ticks."""
        viewport = Framing(size, region or (0.0, 0.0, float(self._coded[0]), float(self._coded[1]))).viewport()
        planes = self._pictures.planes_at_ticks(np.asarray(ticks, np.float64), size, viewport)
        converted: Pixels = self._converted(self._rgb(planes))
        return converted

    def _rgb(self, planes: Float32) -> Pixels:
        return pictures.to_rgb(planes, self._colour, channels_last=self._channels_last, dtype=self._dtype)

    def _checked_size(self, *size: int) -> tuple[int, int]:
        width, height = _integers("size", size, ("width", "height"))
        self._check_zoom("size", width, height, *self._coded)
        return width, height

    @staticmethod
    def _check_zoom(what: str, width: int, height: int, own_width: float, own_height: float) -> None:
        check_sides(what, width, height)
        for side, own in ((width, own_width), (height, own_height)):
            if not own <= side * _MAX_ZOOM <= own * _MAX_ZOOM**2:
                raise OptionError(
                    f"{what} {width}x{height}: from 1/{_MAX_ZOOM} to {_MAX_ZOOM} times the coded size wanted"
                )


def _integers(what: str, values: Any, names: tuple[str, ...]) -> list[int]:
    """As many integers as there are names; TypeError or ValueError otherwise."""
    wanted = f"({', '.join(names)})"
    try:
        found = list(values)
    except TypeError:
        raise TypeError(f"{what}: {wanted} wanted, not {type(values).__name__}") from None
    if len(found) != len(names):
        raise ValueError(f"{what}: {wanted} wanted, not {values!r}")
    return [arguments.integer(value, what) for value in found]
