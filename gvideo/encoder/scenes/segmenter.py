"""Segments: a stream of frames cut at scene changes, long shots in pieces of equal length.

    frames   a a a a a a a a a a | b b b b F b b b | c c ...       F: a flash is no cut
    segments [a a a a a] [a a a a a] [b b b b F b b b] [c c ...

A cut lies before frame k where
- the frames around it differ: score(k-1, k) >= 0.7 (scene_score.py),
- it stands out: score >= 1.25 x the median of the six neighbouring scores, so that static, strobes and whip pans,
  where every frame differs from the last, are one shot,
- and it lasts: no frame of the next 0.12 s (3 to 8 frames) looks like k-1 and none of the last 0.12 s looks like k
  (score < 0.6), so that a flash or a few inserted frames are not a cut.
Fades and dissolves change little from frame to frame and give no cut, but for one where a picture leaves black fast.

Every cut is honoured, however short the segment, but for cuts less than min_seconds after the one before.
Within a shot pieces are as equal as the frame times allow and not longer than max_seconds (a single frame that lasts
longer is a segment by itself). Shots longer than the lookahead of 2 max_seconds give pieces of max_seconds until less
is left, so no piece is shorter than half of max_seconds because of a piece boundary.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gvideo.encoder.scenes.score import difference, thumbnail
from gvideo.errors import OptionError
from gvideo.media.codes import CodeFrame
from gvideo.types import Float32, SourceFrame

_CUT = 0.7
_STANDS_OUT = 1.25
_SAME_SHOT = 0.6
_NEIGHBOURS = 3
_FLASH_SECONDS = 0.12
_FLASH_FRAMES = (3, 8)


class TimedFrame(Protocol):
    """What a segmenter needs of a frame: its times, in ticks."""

    @property
    def pts(self) -> int: ...

    @property
    def duration(self) -> int: ...


Frame = TypeVar("Frame", bound=TimedFrame)


def luma_of(frame: TimedFrame) -> tuple[NDArray[np.generic], float]:
    """Luma [H,W] and its peak, of a SourceFrame or a CodeFrame."""
    if isinstance(frame, CodeFrame):
        return frame.y, float((1 << frame.bit_depth) - 1)
    assert isinstance(frame, SourceFrame)
    return frame.planes[0], 1.0


#: Least distance of two cuts in an encode, seconds, unless the longest segment is shorter.
_LEAST_SECONDS = 0.25


def segmenter_of(longest_seconds: float, timescale: int) -> Segmenter:
    """The segmenter of an encode with segments of that length at most."""
    return Segmenter(longest_seconds, min(_LEAST_SECONDS, longest_seconds), timescale=timescale)


class Segmenter:
    """Splits frames into segments. One object may serve any number of streams, one after another.

    max_seconds: longest segment; min_seconds: least distance of two cuts; timescale: ticks per second of the frames'
    times; luma: how to see a frame (luma and peak). Raises OptionError for lengths that make no sense.

    CodeFrames are the better input for long segments of large pictures: the lookahead holds up to 2 max_seconds of
    frames, and their integers take an eighth of the memory of float planes.
    """

    def __init__(
        self,
        max_seconds: float,
        min_seconds: float = 0.25,
        *,
        timescale: int,
        luma: Callable[[TimedFrame], tuple[NDArray[np.generic], float]] = luma_of,
    ) -> None:
        if not 0 < max_seconds <= 3600:
            raise OptionError(f"segment length {max_seconds} s: must be above 0 and at most 3600 s")
        if not 0 <= min_seconds <= max_seconds:
            raise OptionError(f"least segment length {min_seconds} s: must be from 0 to the greatest ({max_seconds} s)")
        self._max_ticks = max(1, math.floor(max_seconds * timescale + 1e-6))
        self._min_ticks = min_seconds * timescale
        self._timescale = timescale
        self._luma = luma

    def segments(self, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
        """The segments in order; together they are exactly the frames. Holds at most about 2 max_seconds of them."""
        shot: list[Frame] = []
        for frame, is_cut in self._marked(frames):
            if is_cut and shot and frame.pts - shot[0].pts >= self._min_ticks:
                yield from self._pieces(shot)
                shot = []
            shot.append(frame)
            if _span(shot) >= 2 * self._max_ticks:
                length = self._piece_length(shot, self._max_ticks)
                # Cut off here, the rest of the shot counts its least length from a boundary that is no cut; it is
                # max_seconds long by now, so min_seconds never drops a cut because of it.
                yield shot[:length]
                shot = shot[length:]
        yield from self._pieces(shot)

    def _pieces(self, shot: list[Frame]) -> Iterator[list[Frame]]:
        """A whole shot in the least number of pieces, as equal as frame times allow."""
        while shot:
            span = _span(shot)
            num_pieces = -(-span // self._max_ticks)
            length = len(shot) if num_pieces <= 1 else self._piece_length(shot, span / num_pieces)
            yield shot[:length]
            shot = shot[length:]

    def _piece_length(self, shot: list[Frame], target_ticks: float) -> int:
        """Number of frames whose span comes closest to the target without passing max_seconds; at least one."""
        best, best_error = 1, math.inf
        for count in range(1, len(shot) + 1):
            span = shot[count - 1].pts + shot[count - 1].duration - shot[0].pts
            if count > 1 and span > self._max_ticks:
                break
            if abs(span - target_ticks) < best_error:
                best, best_error = count, abs(span - target_ticks)
        return best

    def _marked(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        """Every frame with whether a cut lies before it, delayed by the frames that the decision looks ahead."""
        ahead = _FLASH_FRAMES[1]
        window: deque[tuple[Frame, Float32, float]] = deque()  # frame, thumbnail, score against the one before
        position = 0  # in the window, of the frame to be decided next
        for frame in frames:
            picture = thumbnail(*self._luma(frame))
            window.append((frame, picture, difference(window[-1][1], picture) if window else 0.0))
            if len(window) - position > ahead:
                yield window[position][0], self._is_cut(window, position)
                position += 1
            if position > ahead:
                window.popleft()
                position -= 1
        while position < len(window):
            yield window[position][0], self._is_cut(window, position)
            position += 1

    def _is_cut(self, window: deque[tuple[Frame, Float32, float]], position: int) -> bool:
        frame, picture, score = window[position]
        if position == 0 or score < _CUT:
            return False
        near = range(max(1, position - _NEIGHBOURS), min(len(window), position + _NEIGHBOURS + 1))
        neighbours = [window[index][2] for index in near if index != position]
        if neighbours and score < _STANDS_OUT * statistics.median(neighbours):
            return False
        before = window[position - 1][1]
        wanted = math.ceil(_FLASH_SECONDS * self._timescale / max(1, frame.duration))
        reach = min(_FLASH_FRAMES[1], max(_FLASH_FRAMES[0], wanted))
        after = range(position + 1, min(len(window), position + reach))
        earlier = range(max(0, position - reach), position - 1)
        return all(difference(before, window[index][1]) >= _SAME_SHOT for index in after) and all(
            difference(window[index][1], picture) >= _SAME_SHOT for index in earlier
        )


def _span(frames: list[Frame]) -> int:
    return frames[-1].pts + frames[-1].duration - frames[0].pts
