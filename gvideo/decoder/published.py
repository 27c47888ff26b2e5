"""Which sources are streams of their own, and which are published: folders, manifests, MP4 files, URLs.

Published ones are the matter of the package `player`. It stands behind this one, so it is loaded by name and only when
the first is opened; files decode without it.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from gvideo.decoder.coded import CodedStream
from gvideo.decoder.source import Source
from gvideo.decoder.stream import Stream

PUBLISHED_SUFFIXES = (".m3u8", ".mpd", ".mp4", ".m4v", ".cmfv")


def is_published(source: object) -> bool:
    """Whether a source is a URL, a folder, or a file with the name of a manifest or an MP4 file."""
    if not isinstance(source, str | os.PathLike):
        return False
    name = os.fspath(source)
    if isinstance(name, bytes):
        return False
    if "://" in name:
        return True
    return "\0" not in name and (name.lower().endswith(PUBLISHED_SUFFIXES) or Path(name).is_dir())


def open_stream(source: Source) -> CodedStream:
    """The stream of any source. Raises BitstreamError and MediaError, which name it."""
    if is_published(source):
        stream: CodedStream = importlib.import_module("player.source.stream").open_stream(os.fspath(source))  # type: ignore[arg-type]
        return stream
    return Stream(source)
