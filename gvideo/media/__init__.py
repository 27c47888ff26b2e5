"""Video in and out: files of any kind to frames with exact times and back. PyAV, NumPy and OpenCV; no torch.

VideoSource -> SourceFrame (float planes) or CodeFrame (integers)      open_sink(name) <- planes or integers
"""

from gvideo.media.chroma import chroma_shape
from gvideo.media.codes import CodeFrame, code_values_to_planes, planes_to_code_values
from gvideo.media.colour import planes_to_rgb
from gvideo.media.sink import FrameSink, open_sink
from gvideo.media.source import VideoSource

__all__ = [
    "CodeFrame",
    "FrameSink",
    "VideoSource",
    "chroma_shape",
    "code_values_to_planes",
    "open_sink",
    "planes_to_code_values",
    "planes_to_rgb",
]
