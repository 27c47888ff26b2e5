"""Playing in real time: a thread decodes ahead, the clock runs while there is a picture to show, else it waits.

VideoDecoder ──(thread)──► queue of pictures ──► clock ──► screen(picture, seconds)
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import numpy as np

from gvideo.types import UInt8

if TYPE_CHECKING:
    from gvideo.decoder.video_decoder import VideoDecoder

#: What shows a picture u8 [H,W,3] of a time in seconds.
Screen = Callable[[UInt8, float], None]
_AHEAD_FRAMES = 32
#: A picture that comes no later than this is in time.
_TOLERANCE_SECONDS = 0.010
_LEAVE_SECONDS = 2.0
_RESET, _HOME, _CLEAR = "\x1b[0m", "\x1b[H", "\x1b[2J"


@dataclass(slots=True)
class Report:
    """What was shown. seconds: by the wall clock from the first picture to the end of the last; stall_seconds of it the
    picture waited for bytes or the processor; startup_seconds: to the first picture; worst_seconds: largest lateness of
    a picture that did not wait for its data."""

    num_frames: int = 0
    seconds: float = 0.0
    startup_seconds: float = 0.0
    stall_seconds: float = 0.0
    num_stalls: int = 0
    worst_seconds: float = 0.0


def play(decoder: VideoDecoder, screen: Screen) -> Report:
    """Shows every frame of a decoder ("NHWC") at its time. Errors of the decoder are raised here, after all that came
    before was shown."""
    report = Report()
    ahead: queue.Queue[tuple[UInt8, float, float] | BaseException | None] = queue.Queue(_AHEAD_FRAMES)
    stop = threading.Event()
    worker = threading.Thread(target=_decode, args=(decoder, ahead, stop), daemon=True)
    began = time.monotonic()
    worker.start()
    zero = 0.0  # wall clock at media time 0
    due = end = began
    try:
        while True:
            asked = time.monotonic()
            item = ahead.get()
            if item is None:
                break
            if isinstance(item, BaseException):
                raise item
            picture, start, duration = item
            now = time.monotonic()
            if report.num_frames == 0:
                report.startup_seconds = now - began
                zero = began = now
                zero -= start
            due = zero + start
            late = now - due
            if late > _TOLERANCE_SECONDS and now - asked > _TOLERANCE_SECONDS:  # there was no picture: the clock waits
                report.stall_seconds += late
                report.num_stalls += 1
                zero += late
                due = now
            else:
                time.sleep(max(0.0, -late))
                report.worst_seconds = max(report.worst_seconds, time.monotonic() - due)
            screen(picture, start)
            report.num_frames += 1
            end = due + duration
        time.sleep(max(0.0, end - time.monotonic()))
        report.seconds = time.monotonic() - began
    finally:
        stop.set()
        worker.join(_LEAVE_SECONDS)  # it may be waiting for a server
    return report


def _decode(
    decoder: VideoDecoder, ahead: queue.Queue[tuple[UInt8, float, float] | BaseException | None], stop: threading.Event
) -> None:
    """Puts every frame into the queue, then None; or an error."""

    def put(item: tuple[UInt8, float, float] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ahead.put(item, timeout=0.05)
            except queue.Full:
                continue

    try:
        step = min(decoder.batch_size, 4)
        for first in range(0, len(decoder), step):
            batch = decoder.get_frames_in_range(first, min(first + step, len(decoder)))
            for k in range(len(batch)):
                put((batch.data[k], float(batch.pts_seconds[k]), float(batch.duration_seconds[k])))
            if stop.is_set():
                return
        put(None)
    except BaseException as error:  # it is raised again where the pictures are shown
        put(error)


def fit(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """(width, height) of the largest picture within columns × 2·rows half blocks, which are square; the height even."""
    scale = min(columns / width, 2 * rows / height)
    return max(1, int(width * scale)), max(2, int(height * scale) // 2 * 2)


def half_blocks(picture: UInt8) -> str:
    """A picture u8 [H,W,3], H even, as lines of upper half blocks in 24-bit colour: two pixels a character."""
    lines = []
    for upper, lower in zip(picture[0::2].tolist(), picture[1::2].tolist(), strict=True):
        line, last = [], None
        for colour in zip(upper, lower, strict=True):
            if colour != last:
                (r, g, b), (x, y, z) = colour
                line.append(f"\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m")
                last = colour
            line.append("▀")
        lines.append("".join(line) + _RESET)
    return "\n".join(lines)


class Terminal:
    """Shows pictures as half blocks, each over the one before."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._out.write(_CLEAR)

    def __call__(self, picture: UInt8, seconds: float) -> None:
        self._out.write(f"{_HOME}{half_blocks(np.asarray(picture))}\n{seconds:8.2f} s")
        self._out.flush()

    def close(self) -> None:
        """Goes on below the picture."""
        self._out.write("\n")
        self._out.flush()


def nothing(picture: UInt8, seconds: float) -> None:
    """A screen that shows nothing: `--no-window`."""
