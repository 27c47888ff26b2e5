"""Pixel formats: the planes of whatever a decoder delivers, as integers in their own sampling and depth.

Planar Y'CbCr, gray and planar R'G'B' are read where they lie. Anything else goes through swscale once into its planar
equivalent of the same sampling, depth and range, which loses nothing but alpha (dropped, not blended).
Other samplings go to the next finer one: 4:1:1 to 4:2:2, 4:1:0 to 4:2:0, 4:4:0 to 4:4:4. Gray gets neutral 4:2:0
chroma.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from av.video.plane import VideoPlane

from gvideo.media.chroma import chroma_shape
from gvideo.media.codes import Codes

_PLANAR = re.compile(r"yuvj?(420|422|444)p(9|10|12|14|16)?(le)?$")
_GRAY = re.compile(r"gray(9|10|12|14|16)?(le)?$")
_RGB = re.compile(r"gbrp(9|10|12|14|16)?(le)?$")
_FAMILIES: tuple[tuple[Literal["yuv", "gray", "rgb"], re.Pattern[str]], ...] = (
    ("yuv", _PLANAR),
    ("gray", _GRAY),
    ("rgb", _RGB),
)
_SAMPLINGS = {(1, 1): "444", (1, 2): "422", (2, 2): "420", (2, 1): "444", (1, 4): "422", (4, 4): "420"}


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """What planes a pixel format holds. planar_name: the format to read them from (itself if planar already)."""

    family: Literal["yuv", "gray", "rgb"]
    chroma_format: str
    bit_depth: int
    planar_name: str


def layout_of(name: str) -> PixelLayout:
    """The layout of a pixel format by FFmpeg's name."""
    for family, pattern in _FAMILIES:
        match = pattern.match(name)
        if match:
            chroma = match.group(1) if family == "yuv" else {"gray": "420", "rgb": "444"}[family]
            depth = match.group(2) if family == "yuv" else match.group(1)
            return PixelLayout(family, chroma, int(depth or 8), name)
    pixel_format = av.VideoFormat(name, 16, 16)
    depth = _representable(max((c.bits for c in pixel_format.components), default=8))
    suffix = "" if depth == 8 else f"{depth}le"
    if pixel_format.is_rgb or pixel_format.has_palette or pixel_format.is_bayer:
        return PixelLayout("rgb", "444", depth, f"gbrp{suffix}")
    if len(pixel_format.components) <= 2:
        return PixelLayout("gray", "420", depth, f"gray{suffix}")
    ratio = (16 // (pixel_format.chroma_height() or 16), 16 // (pixel_format.chroma_width() or 16))
    chroma = _SAMPLINGS.get(ratio, "444")
    return PixelLayout("yuv", chroma, depth, f"yuv{chroma}p{suffix}")


def read_planes(frame: av.VideoFrame, layout: PixelLayout) -> tuple[Codes, Codes, Codes]:
    """Y, Cb, Cr in the layout's sampling; for an R'G'B' layout the planes R, G, B. Copies, so the frame may go."""
    if frame.format.name != layout.planar_name:
        frame = frame.reformat(format=layout.planar_name, src_color_range=0, dst_color_range=0)
    planes = [_read_plane(frame, index, layout.bit_depth) for index in range(len(frame.planes))]
    if layout.family == "rgb":
        green, blue, red = planes[:3]
        return red, green, blue
    if layout.family == "gray":
        luma = planes[0]
        neutral = np.full(chroma_shape(luma.shape[0], luma.shape[1], "420"), 1 << (layout.bit_depth - 1), luma.dtype)
        return luma, neutral, neutral.copy()
    return planes[0], planes[1], planes[2]


def is_transparent(frame: av.VideoFrame) -> bool:
    """Whether any pixel of a frame is not opaque."""
    if not (frame.format.has_palette or any(c.is_alpha for c in frame.format.components)):
        return False
    depth = _representable(max(c.bits for c in frame.format.components))
    name = "gbrap" if depth == 8 else "gbrap16le"
    alpha = _view(frame.reformat(format=name).planes[3], 8 if depth == 8 else 16)
    return bool(alpha.min() < (255 if depth == 8 else 65535))


def planar_name(chroma_format: str, bit_depth: int) -> str:
    """FFmpeg's name of the planar Y'CbCr format, e.g. yuv420p10le."""
    return f"yuv{chroma_format}p" + ("" if bit_depth == 8 else f"{bit_depth}le")


def write_planes(planes: tuple[Codes, Codes, Codes], chroma_format: str, bit_depth: int) -> av.VideoFrame:
    """A new frame of PyAV that holds the three planes."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, planar_name(chroma_format, bit_depth))
    for plane, codes in zip(frame.planes, planes, strict=True):
        _view(plane, bit_depth)[...] = codes
    return frame


def _read_plane(frame: av.VideoFrame, index: int, bit_depth: int) -> Codes:
    view = _view(frame.planes[index], bit_depth)
    return view.astype(np.uint8) if bit_depth == 8 else view.astype(np.uint16)


def _view(plane: VideoPlane, bit_depth: int) -> Codes:
    """The plane's memory as an array [H,W], without the padding at the end of its lines."""
    memory: Any = memoryview(plane)
    lines: Any = np.frombuffer(memory, np.uint8 if bit_depth == 8 else np.dtype("<u2")).reshape(plane.height, -1)
    view: Codes = lines[:, : plane.width]
    return view


def _representable(bits: int) -> int:
    """The least depth of a planar format that holds so many bits (floats count 32 and go to 16)."""
    return next((depth for depth in (8, 9, 10, 12, 14, 16) if depth >= bits), 16)
