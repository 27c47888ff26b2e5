"""Packaging and serving: .gsv streams, sound and subtitles as CMAF files with HLS and DASH manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from packager.check import check_presentation
    from packager.package import Extras, open_rungs, package_streams
    from packager.sink import open_sink

__all__ = ["Extras", "check_presentation", "open_rungs", "open_sink", "package_streams"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Extras": "packager.package",
        "check_presentation": "packager.check.run",
        "open_rungs": "packager.package",
        "open_sink": "packager.sink",
        "package_streams": "packager.package",
    },
)
