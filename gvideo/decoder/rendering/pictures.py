"""Pictures of a stream: each segment is parsed and dequantised once and kept for a while, each frame drawn once.

frames' numbers ──► segments, offsets ──► renderers (the last few) ──► planes ──► R'G'B'
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gvideo.decoder.coded import CodedStream
from gvideo.decoder.frames import Pixels
from gvideo.decoder.times import FrameTimes
from gvideo.types import ColourDescription, Float32, Float64, Int64

if TYPE_CHECKING:
    from gvideo.decoder.rendering.segment import SegmentRenderer
    from gvideo.raster import Viewport

#: Dequantised segments that are kept: so many, and more while they fit these bytes.
_CACHED_SEGMENTS, _CACHED_BYTES = 4, 1 << 26
#: Bytes of float planes that a call should ask for at most, and frames.
_BATCH_BYTES, _BATCH_FRAMES = 1 << 26, 16


class PictureCache:
    """Draws a stream. times: of its frames. layers: so many of each segment (None: all). Several threads may use it; it
    can be pickled."""

    def __init__(self, stream: CodedStream, times: FrameTimes, layers: int | None, device: str, grain: bool) -> None:
        self._stream, self._layers, self._device, self._grain = stream, layers, device, grain
        self._renderers: OrderedDict[int, SegmentRenderer] = OrderedDict()
        self._first_frames, self._starts = times.first_frames, times.starts
        self._lock = threading.Lock()

    def draw(
        self,
        numbers: Sequence[int] | Int64,
        size: tuple[int, int],
        viewport: Viewport | None,
        show: Callable[[Int64, Float32], None],
    ) -> None:
        """Draws frames, each of them once, and hands the places in `numbers` that ask for it with its planes
        f32 [3,H,W] to `show`: by several threads, the frames of a segment in any order."""
        asked = np.asarray(numbers, np.int64)
        order = np.argsort(asked, kind="stable")
        wanted = np.unique(asked)
        places = np.split(order, np.searchsorted(asked[order], wanted[1:]))
        where = np.searchsorted(self._first_frames, wanted, side="right") - 1
        for segment in np.unique(where):
            members, renderer = np.flatnonzero(where == segment), self._renderer(int(segment))
            times = renderer.times[wanted[members] - self._first_frames[segment]]

            def shown(frame: int, planes: Float32, members: Int64 = members) -> None:
                show(places[members[frame]], planes)

            renderer.draw(times, viewport or size, shown)

    def planes_at_ticks(self, moments: Float64, size: tuple[int, int], viewport: Viewport | None) -> Float32:
        """Planes f32 [F,3,H,W] at any moments in ticks."""
        segments = np.clip(np.searchsorted(self._starts, moments, side="right") - 1, 0, len(self._starts) - 1)
        planes = np.empty((len(moments), 3, size[1], size[0]), np.float32)
        for segment in np.unique(segments):
            members, renderer = np.flatnonzero(segments == segment), self._renderer(int(segment))

            def keep(frame: int, drawn: Float32, members: Int64 = members) -> None:
                planes[members[frame]] = drawn

            renderer.draw(renderer.times_at(moments[members]), viewport or size, keep)
        return planes

    def _renderer(self, segment: int) -> SegmentRenderer:
        from gvideo.decoder.rendering.segment import SegmentRenderer

        with self._lock:
            if segment in self._renderers:
                self._renderers.move_to_end(segment)
                return self._renderers[segment]
            decoded = self._stream.decode_segment(segment, self._layers)
            ticks = self._stream.frame_ticks(segment)
            h = self._stream.header
            grain = decoded.grain if self._grain else None
            renderer = SegmentRenderer(decoded.symbols, decoded.rules, h.width, h.height, ticks, self._device, grain)
            self._renderers[segment] = renderer
            while len(self._renderers) > _CACHED_SEGMENTS and self._cached_bytes() > _CACHED_BYTES:
                self._renderers.popitem(last=False)
            return renderer

    def _cached_bytes(self) -> int:
        return sum(renderer.num_bytes for renderer in self._renderers.values())

    def __getstate__(self) -> dict[str, object]:
        state = {**self.__dict__, "_renderers": OrderedDict()}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def batch_size(size: tuple[int, int]) -> int:
    """Frames of a size (width, height) that a call should ask for: as planes they fit a few dozen megabytes."""
    return min(max(_BATCH_BYTES // (12 * size[0] * size[1]), 1), _BATCH_FRAMES)


def to_rgb(planes: Float32, colour: ColourDescription, *, channels_last: bool, dtype: str) -> Pixels:
    """R'G'B' of planes f32 [F,3,H,W], clipped: uint8 [F,3,H,W] in 0..255 or float32 in 0..1; [F,H,W,3] if asked for."""
    from gvideo.media.colour import planes_to_rgb, ycbcr_from_rgb_matrix

    if dtype == "uint8":
        return planes_to_rgb(planes, colour, channels_last=channels_last)
    inverse = np.linalg.inv(ycbcr_from_rgb_matrix(colour.matrix)).astype(np.float32)
    rgb: Any = np.einsum("ij,fjhw->fhwi" if channels_last else "ij,fjhw->fihw", inverse, planes)
    return np.ascontiguousarray(np.clip(rgb, 0.0, 1.0), np.float32)
