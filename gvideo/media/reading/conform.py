"""One form for all frames of a source: that of its first frame, whatever changes midway.

    same form                  integers untouched
    another size alone         resized
    anything else              integers --own range, sampling--> planes --own matrix to the first's, resize--> integers

So a range, a matrix, a sampling or a depth that switches midway gives one constant look. Primaries and transfer are
carried along and never applied (colour.py), so a change of those is said and not converted.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from gvideo.errors import MediaError
from gvideo.media.codes import CodePlanes, code_values_to_planes, planes_to_code_values, rgb_to_code_values
from gvideo.media.colour import resolve_colour, ycbcr_from_rgb_matrix
from gvideo.media.reading.pixels import PixelLayout, layout_of, read_planes
from gvideo.media.resize import resize_codes, resize_planes
from gvideo.types import ColourDescription, Float32, VideoFormat

_LIMITED_GRAY_CODECS = {"h264", "hevc"}  # their syntax infers limited range where nothing is said


class Conformer:
    """Reads frames of one source in the form of its first one: size, colour, sampling and depth of `native`. Raises
    MediaError for colours that have no equations here; name: of the source, for messages."""

    def __init__(self, first: av.VideoFrame, name: str, codec: str) -> None:
        self._name, self._codec = name, codec
        form = self._form_of(first)
        self.native = form[1]
        self._forms = {_signature(first): form}
        self._latest = self.native

    def planes(self, frame: av.VideoFrame, seconds: Fraction) -> tuple[CodePlanes, list[str]]:
        """Integers of a frame in the native form, and what is to be said of a form that was not there before, if any.
        seconds: the frame's time, for what is said."""
        remarks = []
        signature = _signature(frame)
        if signature not in self._forms:
            self._forms[signature] = self._form_of(frame)
            remarks = _changes(self._latest, self._forms[signature][1], self.native, seconds)
        layout, own = self._forms[signature]
        self._latest = own
        planes = read_planes(frame, layout)
        if layout.family == "rgb":
            planes = rgb_to_code_values(*planes, own)
        return conformed(planes, own, self.native), remarks

    def _form_of(self, frame: av.VideoFrame) -> tuple[PixelLayout, VideoFormat]:
        layout = layout_of(frame.format.name)
        try:
            colour = _colour_of(frame, layout, self._codec)
        except MediaError as error:
            raise MediaError(f"{self._name}: {error}") from error
        return layout, VideoFormat(frame.width, frame.height, colour, layout.chroma_format, layout.bit_depth)


def conformed(planes: CodePlanes, own: VideoFormat, native: VideoFormat) -> CodePlanes:
    """Integers of one form in another; primaries and transfer have no part in it."""
    carried = native.colour
    own = replace(own, colour=replace(own.colour, primaries=carried.primaries, transfer=carried.transfer))
    if own == native:
        return planes
    if replace(own, width=native.width, height=native.height) == native:
        return resize_codes(planes, native)
    values = code_values_to_planes(*planes, own)
    if own.colour.matrix != native.colour.matrix:
        values = _with_matrix(values, own.colour.matrix, native.colour.matrix)
    return planes_to_code_values(resize_planes(values, native.width, native.height), native)


def _with_matrix(planes: Float32, own: int, wanted: int) -> Float32:
    change = ycbcr_from_rgb_matrix(wanted) @ np.linalg.inv(ycbcr_from_rgb_matrix(own))
    return (change.astype(np.float32) @ planes.reshape(3, -1)).reshape(planes.shape)


def _signature(frame: av.VideoFrame) -> tuple[object, ...]:
    colour = (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
    return (frame.format.name, frame.width, frame.height, *colour)


def _changes(before: VideoFormat, now: VideoFormat, native: VideoFormat, seconds: Fraction) -> list[str]:
    """A line on the size and one on the rest, for a change from one form to another at a time."""
    when, lines = f"from {float(seconds):.3f} s on", []
    if (now.width, now.height) != (before.width, before.height):
        scaled = (
            ""
            if (now.width, now.height) == (native.width, native.height)
            else (f", scaled to the {native.width}x{native.height} of the first")
        )
        lines.append(f"pictures are {now.width}x{now.height} {when}{scaled}")
    a, b = before.colour, now.colour
    parts = [
        ("matrix", a.matrix, b.matrix),
        ("range", *("full" if c.full_range else "limited" for c in (a, b))),
        ("sampling", before.chroma_format, now.chroma_format),
        ("depth", before.bit_depth, now.bit_depth),
    ]
    changed = [f"{name} {new} instead of {old}" for name, old, new in parts if old != new]
    if changed:
        lines.append(f"{', '.join(changed)} {when}; converted to the form of the first picture")
    carried = [("primaries", a.primaries, b.primaries), ("transfer", a.transfer, b.transfer)]
    kept = [f"{name} {new} instead of {old}" for name, old, new in carried if old != new]
    if kept:
        lines.append(f"{', '.join(kept)} {when}; shown like the first picture, not converted")
    return lines


def _colour_of(frame: av.VideoFrame, layout: PixelLayout, codec: str) -> ColourDescription:
    """A frame's colour description with what it leaves out decided; see colour.py."""
    if layout.family == "rgb":
        still = codec in {"png", "webp", "bmp", "tiff", "gif", "apng"}
        return ColourDescription(primaries=1, transfer=13 if still else 1, matrix=1, full_range=still)
    full_range = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    if layout.family == "gray" and frame.color_range == 0:
        full_range = codec not in _LIMITED_GRAY_CODECS
    return resolve_colour(
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
        matrix=frame.colorspace,
        full_range=full_range,
        width=frame.width,
        height=frame.height,
    )
