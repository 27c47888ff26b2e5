"""Draws pictures ahead of the clock in a thread, as an order says: from when, how far apart, which part, how large.

    order ──► piece ──► picture, picture, … (a few ahead) ──► take(position)

Where drawing is slower than playing, pictures become smaller first; then some are left out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gvideo.types import UInt8
from player.presentation.reel import Reel, ReelPart, Region

_AHEAD = 8
#: Sizes, as a share of what was ordered, of pictures that must be drawn in time.
SHARES = (1.0, 0.75, 0.5, 0.375, 0.25)
#: Drawing may take so much of the time between two pictures; smaller pictures are given up below the second figure.
_SLOW, _FAST = 0.9, 0.3
_MEMORY = 0.3
_PATCH_SECONDS = 0.05
_LEAVE_SECONDS = 2.0
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Order:
    """start: s. step: s between pictures, 0 for the stream's own frames. speed: s of the stream a second; 0 for one
    picture that stands. size: px of the picture as coded. region: the part of the coded picture. tag: handed back."""

    start: float
    step: float
    speed: float
    size: tuple[int, int]
    region: Region
    tag: object = None


@dataclass(frozen=True, slots=True)
class Picture:
    """R'G'B' pixels u8 [H,W,3] as coded, shown from start to end (s). number: of its segment; level: counted from 0."""

    pixels: UInt8
    start: float
    end: float
    number: int
    level: int
    order: Order


class Painter:
    """clock: tells the position on screen, by which late pictures are left out."""

    def __init__(self, reel: Reel, clock: Callable[[], float]) -> None:
        self._reel, self._clock = reel, clock
        self._order: Order | None = None
        self._queue: deque[Picture] = deque()
        self._changed = threading.Condition()
        self._is_open, self._is_done = True, False
        self._error: BaseException | None = None
        self._share = 0
        self._is_warm = False  # kernels are loaded for the first picture
        self._cost = 0.0
        self.num_dropped = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def order(self, order: Order) -> None:
        """Draws this from now on; what was drawn for another order is given up."""
        with self._changed:
            self._order, self._is_done, self._error = order, False, None
            self._queue.clear()
            self._changed.notify_all()

    def take(self, position: float) -> Picture | None:
        """The picture that is due, None if the one before stays. Others that were due are left out."""
        with self._changed:
            found = None
            while self._queue and self._queue[0].start <= position + _EPSILON:
                if found is not None and found.order.step == 0:
                    self.num_dropped += 1
                found = self._queue.popleft()
            if found is not None:
                self._changed.notify_all()
            return found

    def first(self) -> Picture | None:
        """The next picture that waits."""
        with self._changed:
            return self._queue[0] if self._queue else None

    @property
    def is_done(self) -> bool:
        """Whether nothing follows what waits: the end, one picture drawn, or an error. Raises the error in its turn."""
        with self._changed:
            if self._error is not None and not self._queue:
                raise self._error
            return self._is_done and not self._queue

    @property
    def share(self) -> float:
        """Size of pictures against what was ordered."""
        return SHARES[self._share]

    @property
    def seconds_a_picture(self) -> float:
        """What drawing one takes."""
        return self._cost

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._is_open and (self._order is None or self._is_done):
                    self._changed.wait()
                if not self._is_open:
                    return
                order = self._order
            assert order is not None
            error: BaseException | None = None
            try:
                self._draw(order)
            except BaseException as caught:  # it is raised again where the pictures are shown
                error = caught
            with self._changed:
                if self._order is order:
                    self._is_done, self._error = True, error

    def _draw(self, order: Order) -> None:
        """Pictures of one order, until the end or another order."""
        cursor = order.start
        while self._has_room(order):
            if order.speed:
                cursor = self._not_too_late(cursor, order)
            number = self._reel.number_at(cursor)
            piece = self._reel.piece(number)
            if cursor >= piece.times[-1] - _EPSILON and order.speed:  # this one is over
                number += 1
                if number >= len(self._reel.starts):
                    if not self._reel.is_waiting(number):
                        return
                    time.sleep(_PATCH_SECONDS)
                    continue
                piece = self._reel.piece(number)
                cursor = max(cursor, float(piece.times[0]))
            picture = self._paint(order, piece, number, cursor)
            with self._changed:
                if self._order is not order:
                    return
                self._queue.append(picture)
            if not order.speed:
                return
            cursor = picture.end

    def _has_room(self, order: Order) -> bool:
        with self._changed:
            while self._is_open and self._order is order and len(self._queue) >= _AHEAD:
                self._changed.wait()
            return self._is_open and self._order is order

    def _not_too_late(self, cursor: float, order: Order) -> float:
        """Where to go on: a picture that would be over before it is drawn is left out."""
        position = self._clock() + self._cost * order.speed
        with self._changed:
            if self._queue or position <= cursor:
                return cursor
        if order.step:
            return position
        piece = self._reel.piece(self._reel.number_at(cursor))
        here = piece.frame_at(cursor)
        target = min(piece.frame_at(position), piece.num_frames - 1)
        if target <= here:
            return cursor
        self.num_dropped += target - here
        return float(piece.times[target])

    def _paint(self, order: Order, piece: ReelPart, number: int, cursor: float) -> Picture:
        if order.step:
            start, end = cursor, min(cursor + order.step, float(piece.times[-1]))
            moment = min(max(start, float(piece.times[0])), float(piece.times[-2]))
        else:
            frame = piece.frame_at(cursor)
            start, end = float(piece.times[frame]), float(piece.times[frame + 1])
            moment = start
        share = SHARES[self._share] if order.speed else 1.0
        size = max(1, round(order.size[0] * share)), max(1, round(order.size[1] * share))
        began = time.monotonic()
        pixels = piece.pictures(np.array([moment]), size, order.region)[0]
        if order.speed and self._is_warm:
            self._adapt(time.monotonic() - began, (end - start) / order.speed)
        self._is_warm = True
        return Picture(pixels, start, end, number, piece.level, order)

    def _adapt(self, seconds: float, budget: float) -> None:
        """Smaller pictures where drawing is too slow, larger ones where there is time."""
        self._cost = seconds if not self._cost else self._cost + _MEMORY * (seconds - self._cost)
        if self._cost > _SLOW * budget and self._share + 1 < len(SHARES):
            change = 1
        elif self._cost < _FAST * budget and self._share > 0:
            change = -1
        else:
            return
        before = SHARES[self._share]
        self._share += change
        self._cost *= (SHARES[self._share] / before) ** 2
