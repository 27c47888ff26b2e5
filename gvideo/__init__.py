"""gvideo: a video codec made of moving 2D Gaussians.

`VideoDecoder` decodes without torch; `encode` loads it when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gvideo import errors

if TYPE_CHECKING:
    from gvideo.decoder.frames import Frame, FrameBatch
    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.encoder.jobs.encode import encode

__version__ = "0.1.0"
__all__ = ["Frame", "FrameBatch", "VideoDecoder", "encode", "errors"]

_PLACES = {
    "Frame": "gvideo.decoder.frames",
    "FrameBatch": "gvideo.decoder.frames",
    "VideoDecoder": "gvideo.decoder.video_decoder",
    "encode": "gvideo.encoder.jobs.encode",
}


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'gvideo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)
