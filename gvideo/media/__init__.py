"""Video in and out: files of any kind to frames with exact times and back. PyAV, NumPy and OpenCV; no torch.

VideoSource -> SourceFrame (float planes) or CodeFrame (integers)      open_sink(name) <- planes or integers

Names are imported when they are first used: a decoder needs colour.py alone, and PyAV takes its time to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gvideo.media.chroma import chroma_shape
    from gvideo.media.codes import CodeFrame, code_values_to_planes, luma_error, planes_to_code_values, psnr_db
    from gvideo.media.colour import planes_to_rgb
    from gvideo.media.sink import FrameSink, open_sink
    from gvideo.media.source import VideoSource

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

_PLACES = {
    "CodeFrame": "codes",
    "FrameSink": "sink",
    "VideoSource": "source",
    "chroma_shape": "chroma",
    "code_values_to_planes": "codes",
    "luma_error": "codes",
    "open_sink": "sink",
    "planes_to_code_values": "codes",
    "planes_to_rgb": "colour",
    "psnr_db": "codes",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'gvideo.media' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"gvideo.media.{_PLACES[name]}"), name)
