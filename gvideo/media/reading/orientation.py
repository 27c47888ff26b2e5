"""Orientation: a source's display matrix as a flip, done on reading, and quarter turns, left to whoever shows frames.

    display matrix (a b; c d)    x' = a x + c y,  y' = b x + d y       x to the right, y down
    determinant < 0: mirrored    = rows flipped, then turned by atan2(b, a)

All eight orientations are one of two flips and four turns. A stream knows turns only, so flips are done on reading.
The picture that is mirrored left to right (rows flipped, turned by 180 degrees) is taken as columns flipped, unturned.
Angles between quarter turns go to the nearest one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
import av.filter
import numpy as np

from gvideo.media.codes import CodePlanes, code_values_to_planes, planes_to_code_values
from gvideo.types import VideoFormat

_MOST_UNNAMED = 8


@dataclass(frozen=True, slots=True)
class Orientation:
    """What to do with a coded frame to show it: flip, then turn by `rotation` degrees clockwise (0, 90, 180, 270)."""

    flip: Literal["none", "rows", "columns"] = "none"
    rotation: int = 0


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The orientation that a frame's display matrix asks for; upright where it has none."""
    side_data = _side_data(frame)
    if "DISPLAYMATRIX" not in side_data:
        return Orientation()
    return orientation_of_matrix(np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32, 5).tolist())


def _side_data(frame: av.VideoFrame) -> Any:
    """A frame's side data by name. PyAV shows none at all of a frame with a kind that it cannot name, such as EXIF, and
    says the kind's number; a filter takes such kinds away."""
    for _ in range(_MOST_UNNAMED):
        try:
            return frame.side_data
        except ValueError as error:
            frame = _without_side_data(frame, int(str(error).split()[0]))
    return frame.side_data


def _without_side_data(frame: av.VideoFrame, kind: int) -> av.VideoFrame:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    removal, sink = graph.add("sidedata", f"mode=delete:type={kind}"), graph.add("buffersink")
    source.link_to(removal)
    removal.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    return graph.vpull()


def orientation_of_matrix(matrix: list[int]) -> Orientation:
    """The orientation of a display matrix, of which the first five numbers count (rows of three: a b u c d v x y w)."""
    a, b, _, c, d = matrix[:5]
    rotation = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if a * d - b * c >= 0:
        return Orientation("none", rotation)
    return Orientation("columns", 0) if rotation == 180 else Orientation("rows", rotation)


def flipped(planes: CodePlanes, orientation: Orientation, video_format: VideoFormat) -> CodePlanes:
    """Planes flipped as the orientation says. Chroma that has its place beside luma keeps it: it is resampled where
    the flip would move it, so luma is exact and chroma exact but in rows of even length."""
    if orientation.flip == "none":
        return planes
    whole = code_values_to_planes(*planes, video_format)
    mirrored = whole[:, ::-1] if orientation.flip == "rows" else whole[:, :, ::-1]
    return planes_to_code_values(np.ascontiguousarray(mirrored), video_format)
