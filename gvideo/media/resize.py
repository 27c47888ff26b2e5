"""Resizing without a shift of phase: the outer edges of the picture stay where they are (half-pixel centres).

Each axis by itself: area averages to make it smaller, Lanczos of 8 taps to make it larger. By OpenCV, which is loaded
where a picture has another size than is wanted.
"""

from __future__ import annotations

import numpy as np

from gvideo.extras import explained
from gvideo.media.chroma import chroma_shape
from gvideo.media.codes import CodeFrame, CodePlanes, Codes, planes_to_code_values
from gvideo.types import Float32, VideoFormat


def resize_plane(plane: Float32, width: int, height: int) -> Float32:
    """A plane f32 [h,w] as [height,width]. Raises MissingExtraError if sizes differ and OpenCV is not installed."""
    if plane.shape == (height, width):
        return plane
    with explained("resizing a source"):
        import cv2
    for wide, high in ((width, plane.shape[0]), (width, height)):
        grows = wide > plane.shape[1] or high > plane.shape[0]
        if plane.shape != (high, wide):
            method = cv2.INTER_LANCZOS4 if grows else cv2.INTER_AREA
            plane = np.asarray(cv2.resize(plane, (wide, high), interpolation=method), dtype=np.float32)
    return plane


def resize_planes(planes: Float32, width: int, height: int) -> Float32:
    """Planes f32 [3,h,w] as [3,height,width]."""
    return np.stack([resize_plane(plane, width, height) for plane in planes])


def resize_codes(planes: CodePlanes, video_format: VideoFormat) -> CodePlanes:
    """Integer planes of any size at the format's own sizes."""
    low = chroma_shape(video_format.height, video_format.width, video_format.chroma_format)
    peak = (1 << video_format.bit_depth) - 1

    def one(plane: Codes, height: int, width: int) -> Codes:
        resized = resize_plane(plane.astype(np.float32), width, height)
        codes = np.clip(np.rint(resized), 0, peak)
        return codes.astype(np.uint8) if plane.dtype == np.uint8 else codes.astype(np.uint16)

    y, cb, cr = planes
    return one(y, video_format.height, video_format.width), one(cb, *low), one(cr, *low)


def in_format(frame: CodeFrame, own: VideoFormat, wanted: VideoFormat) -> CodeFrame:
    """A frame of the format `own` in the size, sampling and depth of `wanted`; itself where they are the same."""
    if (own.width, own.height, own.chroma_format, own.bit_depth) == (
        wanted.width,
        wanted.height,
        wanted.chroma_format,
        wanted.bit_depth,
    ):
        return frame
    resized = resize_planes(frame.to_source_frame(own).planes, wanted.width, wanted.height)
    return CodeFrame(*planes_to_code_values(resized, wanted), frame.pts, frame.duration, wanted.bit_depth)
