"""Video in and out: files of any kind to frames with exact times and back. PyAV, NumPy and Numba; OpenCV
where a source is resized; no torch.

VideoSource -> SourceFrame (float planes) or CodeFrame (integers)      open_sink(name) <- planes or integers

Names are imported when they are first used: a decoder needs colour.py alone, and PyAV takes its time to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from gvideo.media.chroma import chroma_shape
    from gvideo.media.codes import CodeFrame, code_values_to_planes, luma_error, planes_to_code_values, psnr_db
    from gvideo.media.colour import planes_to_rgb
    from gvideo.media.reading.source import VideoSource
    from gvideo.media.writing.sink import FrameSink, open_sink

__all__ = [
    "CodeFrame",
    "FrameSink",
    "VideoSource",
    "chroma_shape",
    "code_values_to_planes",
    "luma_error",
    "open_sink",
    "planes_to_code_values",
    "planes_to_rgb",
    "psnr_db",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "CodeFrame": "gvideo.media.codes",
        "FrameSink": "gvideo.media.writing.sink",
        "VideoSource": "gvideo.media.reading.source",
        "chroma_shape": "gvideo.media.chroma",
        "code_values_to_planes": "gvideo.media.codes",
        "luma_error": "gvideo.media.codes",
        "open_sink": "gvideo.media.writing.sink",
        "planes_to_code_values": "gvideo.media.codes",
        "planes_to_rgb": "gvideo.media.colour",
        "psnr_db": "gvideo.media.codes",
    },
)
