"""What is played, piece by piece: the segments of a stream on one axis of seconds, 0 at its first frame.

Reel ── FileReel: a decoder over all of it (.gsv files)
     └─ StreamReel: published segments, each fetched when it is due (stream_reel.py)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gvideo.types import Float64, UInt8

if TYPE_CHECKING:
    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.types import VideoFormat

#: Seconds times timescale may be so far from the tick that they were made of.
_TICK_ERROR = 1e-4
#: A part of the picture: x, y, width, height, each as a share of the picture's.
Region = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ReelPart:
    """A segment ready to be drawn. times f64 [T+1]: starts of its frames and the end of the last, s. level: counted
    from 0. first: number of its first frame within the decoder, whose tick 0 is at `shift` s."""

    decoder: VideoDecoder
    first: int
    times: Float64
    shift: float
    level: int = 0

    @property
    def num_frames(self) -> int:
        """Frames of the segment."""
        return len(self.times) - 1

    def frame_at(self, seconds: float) -> int:
        """The frame that is on screen at a time, the first or last outside the segment."""
        return min(max(int(np.searchsorted(self.times, seconds + 1e-7, side="right")) - 1, 0), self.num_frames - 1)

    def pictures(self, moments: Float64, size: tuple[int, int], region: Region) -> UInt8:
        """R'G'B' u8 [F,H,W,3] of a part of the picture at moments within the segment, s."""
        decoder = self.decoder
        width, height = decoder.stream.header.width, decoder.stream.header.height
        x, y, w, h = region
        ticks = (np.asarray(moments) - self.shift) * decoder.timescale
        whole = np.round(ticks)
        ticks = np.where(np.abs(ticks - whole) < _TICK_ERROR, whole, ticks)  # a frame's own time, exactly
        return decoder.get_pictures_at_ticks(ticks, size, (x * width, y * height, w * width, h * height))


class Reel(ABC):
    """A source for players. name: for messages. starts: of all segments known, s, rising; end: of the last one."""

    name: str
    starts: list[float]
    end: float
    is_live = False
    num_levels = 1
    notes: tuple[str, ...] = ()

    @abstractmethod
    def piece(self, number: int) -> ReelPart:
        """A segment; waits until it is there. Raises MediaError or BitstreamError if it cannot be had. One thread."""

    @abstractmethod
    def set_level(self, level: int | None) -> None:
        """Shows no better level than this from now on, None: any."""

    @property
    @abstractmethod
    def format(self) -> VideoFormat:
        """Shape and turn of the picture."""

    def number_at(self, seconds: float) -> int:
        """The segment on screen at a time, the first or last outside the stream."""
        return min(max(bisect_right(self.starts, seconds + 1e-6) - 1, 0), len(self.starts) - 1)

    @property
    def begin(self) -> float:
        """Where playing begins, s."""
        return self.starts[0]

    @property
    def oldest(self) -> float:
        """The first moment that can still be had, s."""
        return self.starts[0]

    def catch_up(self, seconds: float) -> float | None:
        """Where to go on, s, for one who follows the end of a live stream of low latency and has fallen behind it, as
        by standing still; None where it is."""
        return None

    @abstractmethod
    def move(self, seconds: float) -> None:
        """The picture is at a time."""

    @abstractmethod
    def stand(self, stands: bool) -> None:
        """The picture does not move, or moves again."""

    def better_level(self, number: int, level: int) -> bool:
        """Whether a segment that was drawn at a level can be drawn at a better one by now."""
        return False

    @property
    def ahead_seconds(self) -> float:
        """How long playing can go on with what is there."""
        return float("inf")

    @property
    def rate_bps(self) -> float:
        """What the network carries, 0 where there is none."""
        return 0.0

    def bitrate(self, number: int, level: int) -> float:
        """Bits per second of a segment up to a level, 0 where it is not known."""
        return 0.0

    def is_waiting(self, number: int) -> bool:
        """Whether a segment beyond the last one may still come."""
        return self.is_live and number >= len(self.starts)

    @abstractmethod
    def close(self) -> None:
        """Ends threads and closes what was opened."""


class FileReel(Reel):
    """Everything that one decoder decodes. decoder: "NHWC"."""

    def __init__(self, decoder: VideoDecoder) -> None:
        self._decoder = self._shown = decoder
        self._segments = decoder.stream.segments
        self._zero = self._segments[0].start / decoder.timescale
        self.name = decoder.stream.source.name
        self.starts = [s.start / decoder.timescale - self._zero for s in self._segments]
        self.end = self._segments[-1].end / decoder.timescale - self._zero
        self.num_levels = decoder.stream.num_layers(0)

    @property
    def format(self) -> VideoFormat:
        return self._decoder.stream.format

    @property
    def ahead_seconds(self) -> float:
        return 0.0 if "://" in self.name else super().ahead_seconds  # what is not drawn yet may be on its way

    def piece(self, number: int) -> ReelPart:
        decoder = self._shown
        ticks = decoder.stream.frame_ticks(number)
        times: Float64 = ticks / decoder.timescale - self._zero
        return ReelPart(decoder, self._segments[number].first_frame, times, -self._zero, self.num_levels - 1)

    def set_level(self, level: int | None) -> None:
        from gvideo.decoder.video_decoder import VideoDecoder

        self._shown = (
            self._decoder
            if level is None
            else VideoDecoder(self._decoder.stream, layers=level + 1, dimension_order="NHWC", grain=self._decoder.grain)
        )

    def bitrate(self, number: int, level: int) -> float:
        place = self._segments[number]
        return 8.0 * place.num_bytes * self._decoder.timescale / max(1, place.end - place.start)

    def move(self, seconds: float) -> None:
        pass

    def stand(self, stands: bool) -> None:
        pass

    def close(self) -> None:
        self._decoder.close()
