"""Players of gvideo streams. `web/` is the page: static files that any web server can serve. The modules read published
streams for Python.

    fetch   bytes from files and http(s): ranges, retries, limits, disk cache
    record  what a manifest says: tracks, levels, segments, byte ranges
    hls, dash, movie   manifests and MP4 files to that record
    boxes   media segments to units of the stream
    stream  any of these as a stream for `gvideo.VideoDecoder`
    playback  frames in real time, in a terminal or without a display
    abr, traces, simulate, ladder  which level to fetch, tried on a virtual clock
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from player.fetch import Fetcher
    from player.stream import open_stream

__all__ = ["Fetcher", "open_stream"]

__getattr__, __dir__ = attach(__name__, {"Fetcher": "player.fetch", "open_stream": "player.stream"})
