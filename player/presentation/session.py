"""A film being watched: clock, sound, pictures, view and what keys do to them; nothing of windows.

keys, pointer ──► act ──► clock, view, level ──► order ──► painter
                  tick: clock follows the sound, the picture that is due comes up, waiting is noticed
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from player.presentation.captions import Captions
from player.presentation.clock import Clock
from player.presentation.keys import Action, Do
from player.presentation.painter import Order, Painter, Picture
from player.presentation.reel import Reel
from player.presentation.sound import Sound
from player.presentation.view import View, coded_region, shown_size

SPEEDS = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
#: Pictures a second of slow motion.
SMOOTH_RATE = 30.0
#: Playing waits where less than this is there; a picture that is merely drawn late does not stop the sound.
_EMPTY_SECONDS = 0.02
_MESSAGE_SECONDS = 2.0
_NEAR = 1e-4


@dataclass(slots=True)
class PlaybackStatistics:
    """What happened. offsets: s by which pictures came up before (-) or after their sound, the last ones."""

    num_shown: int = 0
    num_stalls: int = 0
    stall_seconds: float = 0.0
    startup_seconds: float = 0.0
    offsets: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    shown_at: deque[float] = field(default_factory=lambda: deque(maxlen=30))

    @property
    def rate(self) -> float:
        """Pictures a second, of late."""
        span = self.shown_at[-1] - self.shown_at[0] if len(self.shown_at) > 1 else 0.0
        return (len(self.shown_at) - 1) / span if span > 0 else 0.0


class Session:
    """window: px. sound, captions: None and () where there are none. Raises what decoding raises, in `tick`."""

    def __init__(
        self,
        reel: Reel,
        window: tuple[int, int],
        *,
        sound: Sound | None = None,
        captions: tuple[Captions, ...] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reel, self.sound, self.captions, self._now = reel, sound, captions, now
        self.clock = Clock(now)
        self.view = View(*shown_size(reel.format))
        self.painter = Painter(reel, lambda: self.clock.position)
        self.window = window
        self.picture: Picture | None = None
        self.numbers = PlaybackStatistics()
        self.caption_number: int | None = None
        self.shows_statistics = self.shows_help = self.is_fullscreen = self.wants_to_leave = False
        self.is_playing, self.is_waiting, self.has_ended = True, True, False
        self.level: int | None = None
        self._steps = 0
        self._follows = True  # the end of a live stream
        self._message, self._message_until = "", 0.0
        self._began = self._waits_since = now()
        for note in reel.notes[:1]:
            self.say(note)
        self.seek(reel.begin)

    @property
    def position(self) -> float:
        """What should be on screen, s."""
        return self.clock.position

    @property
    def message(self) -> str:
        """What to tell the viewer for a moment."""
        return self._message if self._now() < self._message_until else ""

    @property
    def caption(self) -> str:
        """The text to be read now."""
        if self.caption_number is None or self.picture is None:
            return ""
        return self.captions[self.caption_number].text_at(self.position)

    def say(self, text: str) -> None:
        """Shows a message for a moment."""
        self._message, self._message_until = text, self._now() + _MESSAGE_SECONDS

    def act(self, action: Action, pointer: tuple[int, int] | None = None) -> None:
        """Does what a key or the wheel asks for. pointer: px in the window, its middle by default."""
        where = pointer or (self.window[0] // 2, self.window[1] // 2)
        match action.do:
            case Do.PAUSE:
                self._pause()
            case Do.SEEK:
                self.seek(self.position + action.amount)
            case Do.START:
                self.seek(self.reel.oldest)
            case Do.END:
                self.seek(self.reel.begin if self.reel.is_live else self.reel.end - _NEAR)
            case Do.STEP:
                self.is_playing = False
                self._steps += int(action.amount)
            case Do.LEVEL:
                self._set_level(int(action.amount))
            case Do.ZOOM:
                self.view.zoom_at(self.window, where, action.amount)
                self._order()
            case Do.WHOLE:
                self.view.reset()
                self._order()
            case Do.SLOWER | Do.FASTER:
                self._set_speed(-1 if action.do is Do.SLOWER else 1)
            case Do.STATISTICS:
                self.shows_statistics = not self.shows_statistics
            case Do.HELP:
                self.shows_help = not self.shows_help
            case Do.CAPTIONS:
                self._next_caption()
            case Do.MUTE:
                self._mute()
            case Do.FULLSCREEN:
                self.is_fullscreen = not self.is_fullscreen
            case Do.LEAVE:
                self.wants_to_leave = True

    def drag(self, dx: float, dy: float) -> None:
        """Moves the picture by px."""
        self.view.pan(self.window, dx, dy)
        self._order()

    def resize(self, window: tuple[int, int]) -> None:
        """The window has another size."""
        if window != self.window:
            self.window = window
            self._order()

    def seek(self, seconds: float) -> None:
        """Goes to a time; the clock waits for the picture."""
        seconds = min(max(seconds, self.reel.oldest), max(self.reel.end - _NEAR, self.reel.oldest))
        self._follows = self.reel.is_live and seconds >= self.reel.begin - _NEAR
        self.clock.run(False)
        self.clock.seek(seconds)
        self.has_ended = False
        self._wait()
        self.reel.move(seconds)
        self._order()
        if self.sound is not None:
            self.sound.start(seconds)

    def tick(self) -> bool:
        """Brings everything up to now; whether there is a new picture."""
        if self.sound is not None and self.sound.failure:
            self.say(f"no more sound: {self.sound.failure}")
            self.sound.close()
            self.sound = None
        self._follow_sound()
        position = self.clock.position
        if self.reel.is_live and position < self.reel.oldest and self.is_playing and not self.is_waiting:
            self.seek(self.reel.begin)  # what was paused at is not on offer any more
            return False
        if self._follows and self.is_playing and not self.is_waiting and self.clock.speed == 1.0:
            target = self.reel.catch_up(position)
            if target is not None:
                self.seek(target)
                return False
        self.reel.move(position)
        self.reel.stand(not self.is_playing)
        if self.is_waiting:
            return self._resume()
        found = self.painter.take(position)
        if found is not None:
            self._show(found)
        elif self.is_playing and (self.picture is None or position >= self.picture.end - _NEAR):
            if self.painter.is_done:
                self._end()
            elif self.painter.first() is None and self.reel.ahead_seconds < _EMPTY_SECONDS:
                self.numbers.num_stalls += 1
                self._wait()
        if self._steps and not self.is_waiting:
            self._step()
        elif self._could_be_better():
            self._order()
        return found is not None

    def _could_be_better(self) -> bool:
        """Whether the picture that stands was drawn at a poorer level than is there by now."""
        if self.picture is None or self.is_playing or self.is_waiting or self.has_ended:
            return False
        return self.reel.better_level(self.picture.number, self.picture.level)

    def close(self) -> None:
        """Ends threads and closes what was opened."""
        self.painter.close()
        if self.sound is not None:
            self.sound.close()
        for captions in self.captions:
            captions.close()
        self.reel.close()

    def _follow_sound(self) -> None:
        if self.sound is None or self.clock.speed != 1.0 or not self.clock.is_running:
            return
        heard = self.sound.position()
        if heard is not None:
            self.clock.follow(heard)

    def _resume(self) -> bool:
        """Whether the picture that was waited for is there."""
        first = self.painter.first()
        if first is None:
            if self.painter.is_done:
                self._end()
            return False
        self.is_waiting = False
        if not self.is_playing:
            self._show(first)
            self.painter.take(first.start)
            return True
        began = self.clock.position
        self.numbers.stall_seconds += self._now() - self._waits_since if self.numbers.num_shown else 0.0
        if first.start > began:
            self.clock.seek(first.start)
        self._run(True)
        found = self.painter.take(max(began, first.start))
        if found is not None:
            self._show(found)
        return found is not None

    def _show(self, picture: Picture) -> None:
        self.picture = picture
        numbers, now = self.numbers, self._now()
        if not numbers.num_shown:
            numbers.startup_seconds = now - self._began
        numbers.num_shown += 1
        numbers.shown_at.append(now)
        heard = self.sound.position() if self.sound is not None and self.clock.speed == 1.0 else None
        if heard is not None and self.is_playing:
            numbers.offsets.append(heard - picture.start)

    def _run(self, running: bool) -> None:
        self.clock.run(running)
        if self.sound is not None:
            self.sound.run(running and self.clock.speed == 1.0)

    def _wait(self) -> None:
        self._run(False)
        self.is_waiting, self._waits_since = True, self._now()

    def _end(self) -> None:
        self._run(False)
        self.is_playing, self.is_waiting, self.has_ended = False, False, True

    def _pause(self) -> None:
        if self.has_ended:
            self.is_playing = True
            self.seek(self.reel.begin)
            return
        self.is_playing = not self.is_playing
        self._follows = False  # where it was paused is where it goes on
        self._wait()
        self._order()

    def _step(self) -> None:
        direction = 1 if self._steps > 0 else -1
        self._steps -= direction
        if self.picture is None:
            return
        target = self.picture.end + _NEAR if direction > 0 else self.picture.start - _NEAR
        self.seek(target)

    def _set_level(self, level: int) -> None:
        best = self.reel.num_levels
        self.level = None if level == 0 or level >= best else level - 1
        self.reel.set_level(self.level)
        self.say(f"level {best if self.level is None else self.level + 1} of {best}" + (" at most" if best > 1 else ""))
        self._order()

    def _set_speed(self, direction: int) -> None:
        place = SPEEDS.index(self.clock.speed) + direction
        if not 0 <= place < len(SPEEDS):
            return
        here = self.clock.position
        self.clock.set_speed(SPEEDS[place])
        self.say(f"{SPEEDS[place]:g}x" + (", without sound" if self.sound and SPEEDS[place] != 1 else ""))
        if self.sound is not None:
            self.sound.run(False)
            if SPEEDS[place] == 1.0:
                self.sound.start(here)
                self.sound.run(self.clock.is_running)
        self._order()

    def _next_caption(self) -> None:
        if not self.captions:
            self.say("no subtitles")
            return
        number = 0 if self.caption_number is None else self.caption_number + 1
        self.caption_number = number if number < len(self.captions) else None
        off = "subtitles off"
        self.say(off if self.caption_number is None else f"subtitles: {self.captions[self.caption_number].name}")

    def _mute(self) -> None:
        if self.sound is None:
            self.say("no sound")
            return
        self.sound.volume = 0.0 if self.sound.volume else 1.0
        self.say("sound on" if self.sound.volume else "sound off")

    def _order(self) -> None:
        """Has pictures drawn from here on, for the view and speed there are."""
        layout = self.view.layout(self.window)
        turn = self.reel.format.rotation
        size = (layout.height, layout.width) if turn % 180 else (layout.width, layout.height)
        speed = self.clock.speed if self.is_playing else 0.0
        step = self.clock.speed / SMOOTH_RATE if speed and self.clock.speed < 1.0 else 0.0
        start = self.clock.position
        if not speed:
            self.clock.run(False)
            self._wait()
        self.painter.order(Order(start, step, speed, size, coded_region(layout.region, turn), layout))
