"""A published folder with an AVC rung beside the Gaussians."""

from __future__ import annotations

from pathlib import Path

import pytest
from streams import make_stream

package = pytest.importorskip("packager.package")
sink = pytest.importorskip("packager.sink")


def publish(folder: Path, *, fallback: bool = True) -> None:
    """Two seconds with an AVC rung."""
    from gvideo.commands.encoding.pictures import fallback_track

    made = make_stream(num_segments=2, num_frames=25, count=60, index=True, width=96, height=64)
    (folder / "clip.gsv").write_bytes(made.data)
    rungs = package.open_rungs([folder / "clip.gsv"])
    tracks = [fallback_track(rungs[0], None, 30.0)] if fallback else []
    extras = package.Extras(None, (), (), False, "Test")
    package.package_streams(rungs, sink.open_sink(str(folder)), extras, fallback=tracks)
