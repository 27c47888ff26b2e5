"""gvideo: a video codec made of moving 2D Gaussians.

    gvideo.encode("clip.mp4", "clip.gsv", crf=36)
    video = gvideo.VideoDecoder("clip.gsv")
    video[100]                                             # uint8 [3, H, W]
    video.get_frames_at([3, 99], shape=(224, 224)).data    # uint8 [2, 3, 224, 224], drawn at that size

`VideoDecoder` decodes without torch; `encode` needs the extra `gvideo[encode]`. `help(gvideo.VideoDecoder)` says more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from gvideo import data, errors, media, raster, samplers
    from gvideo.decoder import transforms
    from gvideo.decoder.frames import Frame, FrameBatch
    from gvideo.decoder.metadata import Metadata
    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.encoder.jobs.encode import encode
    from gvideo.encoder.jobs.executor import SegmentExecutor
    from gvideo.encoder.jobs.pool import ProcessExecutor
    from gvideo.encoder.jobs.ray_executor import RayExecutor
    from gvideo.encoder.jobs.report import EncodeProgress, EncodeReport
    from gvideo.version import __version__ as __version__

__all__ = [
    "EncodeProgress",
    "EncodeReport",
    "Frame",
    "FrameBatch",
    "Metadata",
    "ProcessExecutor",
    "RayExecutor",
    "SegmentExecutor",
    "VideoDecoder",
    "data",
    "encode",
    "errors",
    "media",
    "raster",
    "samplers",
    "transforms",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "EncodeProgress": "gvideo.encoder.jobs.report",
        "EncodeReport": "gvideo.encoder.jobs.report",
        "Frame": "gvideo.decoder.frames",
        "FrameBatch": "gvideo.decoder.frames",
        "Metadata": "gvideo.decoder.metadata",
        "ProcessExecutor": "gvideo.encoder.jobs.pool",
        "RayExecutor": "gvideo.encoder.jobs.ray_executor",
        "SegmentExecutor": "gvideo.encoder.jobs.executor",
        "VideoDecoder": "gvideo.decoder.video_decoder",
        "encode": "gvideo.encoder.jobs.encode",
        "data": "",
        "errors": "",
        "media": "",
        "raster": "",
        "samplers": "",
        "transforms": "gvideo.decoder",
        "__version__": "gvideo.version",
    },
)
