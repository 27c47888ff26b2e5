"""Players of gvideo streams. `web/` is the page: static files that any web server can serve. The modules read published
streams for Python.

    source        what others publish: fetching, manifests, boxes, the stream of `gvideo.VideoDecoder`
    adaptation    which level to fetch: rules, buffer, networks on a virtual clock
    presentation  pictures and sound at their time, without a window; playback in a terminal
    desktop       the window
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from player.source.fetch import Fetcher
    from player.source.stream import open_stream

__all__ = ["Fetcher", "open_stream"]

__getattr__, __dir__ = attach(__name__, {"Fetcher": "player.source.fetch", "open_stream": "player.source.stream"})
