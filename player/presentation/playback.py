"""Playing in real time: a thread decodes ahead, the clock runs while there is a picture to show, else it waits.

Reel ──(thread)──► queue of pictures ──► clock ──► screen(picture, seconds)
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np

from gvideo.types import UInt8
from player.presentation.reel import Reel

#: What shows a picture u8 [H,W,3] of a time in seconds.
Screen = Callable[[UInt8, float], None]
_AHEAD_FRAMES, _AT_ONCE = 32, 4
#: Seconds between two looks whether a live stream has grown.
_PATIENCE_SECONDS = 0.05
#: A picture that comes no later than this is in time.
_TOLERANCE_SECONDS = 0.010
_LEAVE_SECONDS = 2.0
_RESET, _HOME, _CLEAR = "\x1b[0m", "\x1b[H", "\x1b[2J"


@dataclass(slots=True)
class Report:
    """What was shown. seconds: by the wall clock from the first picture to the end of the last; stall_seconds of it the
    picture waited for bytes or the processor; startup_seconds: to the first picture; worst_seconds: largest lateness of
    a picture that did not wait for its data; skipped_seconds: left out to be near the end of a live stream again;
    levels: of the segments, counted from 0."""

    num_frames: int = 0
    seconds: float = 0.0
    startup_seconds: float = 0.0
    stall_seconds: float = 0.0
    num_stalls: int = 0
    worst_seconds: float = 0.0
    skipped_seconds: float = 0.0
    num_switches: int = 0
    levels: list[int] = field(default_factory=list)


def play(reel: Reel, screen: Screen, *, size: tuple[int, int] | None = None) -> Report:
    """Shows every frame of a reel at its time, at a size in px (by default as coded). Errors of decoding are raised
    here, after all that came before was shown."""
    report = Report()
    ahead: queue.Queue[_Frame | BaseException | None] = queue.Queue(_AHEAD_FRAMES)
    stop, jump = threading.Event(), _Jump()
    is_skipping = False
    worker = threading.Thread(target=_decode, args=(reel, size, ahead, stop, jump), daemon=True)
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
            if is_skipping and not item.jumps:
                continue
            now = time.monotonic()
            if is_skipping:
                is_skipping = False
                report.skipped_seconds += item.start - (end - zero)
                zero = now - item.start
            if report.num_frames == 0:
                report.startup_seconds = now - began
                zero = began = now
                zero -= item.start
            due = zero + item.start
            late = now - due
            if late > _TOLERANCE_SECONDS and now - asked > _TOLERANCE_SECONDS:  # there was no picture: the clock waits
                report.stall_seconds += late
                report.num_stalls += 1
                zero += late
                due = now
            else:
                time.sleep(max(0.0, -late))
                report.worst_seconds = max(report.worst_seconds, time.monotonic() - due)
            screen(item.picture, item.start)
            reel.move(item.start)
            report.num_frames += 1
            report.num_switches += bool(report.levels) and report.levels[-1] != item.level
            if item.is_first:
                report.levels.append(item.level)
            end = due + item.end - item.start
            target = reel.catch_up(item.start)
            if target is not None:
                jump.ask(target)
                is_skipping = True
        time.sleep(max(0.0, end - time.monotonic()))
        report.seconds = time.monotonic() - began
    finally:
        stop.set()
        worker.join(_LEAVE_SECONDS)  # it may be waiting for a server
    return report


@dataclass(frozen=True, slots=True)
class _Frame:
    """picture u8 [H,W,3] shown from start to end (s). is_first: of its segment, which is at a level.
    jumps: what lies before it is left out."""

    picture: UInt8
    start: float
    end: float
    level: int
    is_first: bool
    jumps: bool = False


class _Jump:
    """Tells a thread where to go on, s."""

    def __init__(self) -> None:
        self._target: float | None = None

    def ask(self, target: float) -> None:
        self._target = target

    def is_asked(self) -> bool:
        return self._target is not None

    def take(self) -> float | None:
        target, self._target = self._target, None
        return target


def _decode(
    reel: Reel,
    size: tuple[int, int] | None,
    ahead: queue.Queue[_Frame | BaseException | None],
    stop: threading.Event,
    jump: _Jump,
) -> None:
    """Puts every frame into the queue, then None; or an error."""

    def put(item: _Frame | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ahead.put(item, timeout=0.05)
            except queue.Full:
                continue

    try:
        number = reel.number_at(reel.begin)
        while not stop.is_set():
            target = jump.take()
            jumps = target is not None
            if target is not None:
                number = reel.number_at(target)
            if number >= len(reel.starts):
                if not reel.is_waiting(number):
                    break
                time.sleep(_PATIENCE_SECONDS)
                continue
            piece = reel.piece(number)
            shape = size or (piece.decoder.stream.header.width, piece.decoder.stream.header.height)
            for first in range(0, piece.num_frames, _AT_ONCE):
                times = piece.times[first : min(first + _AT_ONCE, piece.num_frames) + 1]
                pictures = piece.pictures(times[:-1], shape, (0.0, 0.0, 1.0, 1.0))
                for k, picture in enumerate(pictures):
                    put(_Frame(picture, float(times[k]), float(times[k + 1]), piece.level, first + k == 0, jumps))
                    jumps = False
                if stop.is_set():
                    return
                if jump.is_asked():
                    break
            number += 1
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
