"""The window: SDL through pygame shows what a session says and hands keys to it. Everything else is in session.py.

events ──► session.act ──► session.tick ──► picture, texts ──► screen
device ──► sound.fill
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gvideo.errors import MediaError
from gvideo.extras import explained
from gvideo.types import UInt8
from player.desktop.overlay import clock_text, help_lines, statistics_lines, status_line
from player.presentation.keys import ZOOM_STEP, Action, Do, action_of
from player.presentation.painter import Picture
from player.presentation.session import Session
from player.presentation.sound import BLOCK, Sound
from player.presentation.sound_reader import RATE
from player.presentation.view import Layout, overlap

_TICKS_A_SECOND = 120
#: Letters are so large that so many columns and rows of them fit the window, within limits; subtitles: share of it.
_COLUMNS, _ROWS, _SMALLEST_PX, _LARGEST_PX, _CAPTION_SHARE = 34, 24, 10, 26, 0.08
_FIXED_FONTS = "dejavusansmono,liberationmono,couriernew,menlo,monospace"
_WHITE, _BLACK, _VEIL = (255, 255, 255), (0, 0, 0), (0, 0, 0, 170)
_MARGIN = 8

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
with explained("gvideo play: a window (--terminal and --no-window do without)"):
    import pygame


@dataclass(slots=True)
class _Shown:
    """What is on screen: the surface of a picture, and everything that was written over it."""

    picture: Picture | None = None
    surface: Any = None
    state: object = None


def open_display(size: Callable[[tuple[int, int]], tuple[int, int]], title: str) -> tuple[int, int]:
    """Opens the window; its size. Raises MediaError where there is no display."""
    try:
        pygame.display.init()
        pygame.font.init()
        desktop = pygame.display.get_desktop_sizes()[0]
        pygame.display.set_mode(size(desktop), pygame.RESIZABLE)
    except (pygame.error, IndexError) as error:
        raise MediaError(f"no window can be opened ({error}); use --terminal or --no-window") from error
    pygame.display.set_caption(title)
    pygame.key.set_repeat(400, 60)
    return pygame.display.get_window_size()


class SoundDevice:
    """The default sound device, which asks a Sound for blocks until it is closed."""

    def __init__(self, sound: Sound) -> None:
        from pygame._sdl2 import audio, sdl2

        sdl2.init_subsystem(sdl2.INIT_AUDIO)  # not pygame.mixer, which would open the device for itself
        blocks = np.zeros((BLOCK, 2), np.float32)

        def callback(device: object, memory: Any) -> None:
            wanted = len(memory) // blocks.itemsize // 2
            out = blocks if wanted == BLOCK else np.zeros((wanted, 2), np.float32)
            sound.fill(out)
            memory[:] = out.tobytes()

        self._device = audio.AudioDevice(None, False, RATE, audio.AUDIO_F32, 2, BLOCK, 0, callback)
        self._device.pause(0)

    def close(self) -> None:
        """Silence. pygame closes a device without giving up the interpreter's lock, which the callback may be waiting
        for: both would wait for ever. Called through ctypes, SDL closes it with the lock free."""
        from pygame._sdl2 import audio

        ctypes.CDLL(audio.__file__).SDL_CloseAudioDevice(self._device.deviceid)
        self._device.close()  # nothing is left to close, but its number must not be closed again by and by


def open_device(sound: Sound) -> SoundDevice | None:
    """The device, or None where there is none."""
    from pygame._sdl2 import sdl2

    try:
        return SoundDevice(sound)
    except (pygame.error, sdl2.error):
        return None


class Window:
    """Shows a session until it is left, or at its end if `stays` is false. watch: is called after every turn."""

    def __init__(self, session: Session, *, stays: bool = True, watch: Callable[[Window], None] | None = None) -> None:
        self.session, self._stays, self._watch = session, stays, watch
        self._shown = _Shown()
        self._fonts: dict[tuple[bool, int], Any] = {}
        self._is_fullscreen = False

    def run(self) -> None:
        """The loop. Raises what decoding raises."""
        turns = pygame.time.Clock()
        session = self.session
        while not session.wants_to_leave and (self._stays or not session.has_ended):
            for event in pygame.event.get():
                self._handle(event)
            session.tick()
            if session.is_fullscreen != self._is_fullscreen:
                self._is_fullscreen = session.is_fullscreen
                pygame.display.toggle_fullscreen()
            session.resize(pygame.display.get_window_size())
            self._draw()
            if self._watch is not None:
                self._watch(self)
            turns.tick(_TICKS_A_SECOND)

    def _handle(self, event: Any) -> None:
        session = self.session
        if event.type == pygame.QUIT:
            session.wants_to_leave = True
        elif event.type == pygame.KEYDOWN:
            action = action_of(pygame.key.name(event.key), event.unicode)
            if action is not None:
                session.act(action, pygame.mouse.get_pos() if action.do is Do.ZOOM else None)
        elif event.type == pygame.MOUSEWHEEL and event.y:
            session.act(Action(Do.ZOOM, ZOOM_STEP**event.y), pygame.mouse.get_pos())
        elif event.type == pygame.MOUSEMOTION and event.buttons[0]:
            session.drag(*event.rel)
        elif event.type == pygame.WINDOWEXPOSED:
            self._shown.state = None

    def _draw(self) -> None:
        """Draws anew if anything differs."""
        session, shown = self.session, self._shown
        texts = (
            session.caption,
            session.message or status_line(session),
            tuple(statistics_lines(session)) if session.shows_statistics else (),
            session.shows_help,
        )
        state = (id(session.picture), session.view.layout(session.window), session.window, texts)
        if state == shown.state:
            return
        screen: Any = pygame.display.get_surface()
        screen.fill(_BLACK)
        if session.picture is not None:
            if shown.picture is not session.picture:
                shown.picture, shown.surface = session.picture, _surface(session.picture, session.reel.format.rotation)
            self._put(screen, shown.surface, shown.picture)
        self._write(screen, *texts)
        pygame.display.set_caption(f"{session.reel.name} · {clock_text(session.position)} · gvideo")
        pygame.display.flip()
        shown.state = state

    def _put(self, screen: Any, surface: Any, picture: Picture) -> None:
        """The picture in its place. One that was drawn for another view is stretched until the right one comes."""
        now = self.session.view.layout(self.session.window)
        drawn = picture.order.tag
        assert isinstance(drawn, Layout)
        if drawn.region == now.region:
            if surface.get_size() != (now.width, now.height):
                surface = pygame.transform.smoothscale(surface, (now.width, now.height))
            screen.blit(surface, (now.x, now.y))
            return
        part, place = overlap(drawn, now, surface.get_size())
        if part[2] >= 1 and part[3] >= 1 and place[2] >= 1 and place[3] >= 1:
            screen.blit(pygame.transform.scale(surface.subsurface(part), place[2:]), place[:2])

    def _write(self, screen: Any, caption: str, line: str, numbers: tuple[str, ...], helps: bool) -> None:
        """Subtitles, messages, and the help or the statistics."""
        width, height = screen.get_size()
        text_px = min(max(round(min(width / _COLUMNS, height / _ROWS)), _SMALLEST_PX), _LARGEST_PX)
        fixed = self._font(text_px, fixed=True)
        if caption:
            self._caption(screen, caption)
        if line:
            font = self._font(text_px + 4)
            self._box(screen, [line], (_MARGIN, height - _MARGIN - font.get_linesize()), font)
        if helps:
            lines = help_lines()
            wide, high = max(fixed.size(x)[0] for x in lines), len(lines) * fixed.get_linesize()
            self._box(screen, lines, ((width - wide) // 2, (height - high) // 2), fixed)
        elif numbers:
            self._box(screen, list(numbers), (_MARGIN, _MARGIN), fixed)

    def _font(self, size_px: int, *, fixed: bool = False) -> Any:
        """A font, also one whose letters are equally wide where the system has one."""
        key = (fixed, size_px)
        if key not in self._fonts:
            made = pygame.font.SysFont(_FIXED_FONTS, size_px) if fixed else pygame.font.Font(None, size_px)
            self._fonts[key] = made
        return self._fonts[key]

    def _caption(self, screen: Any, text: str) -> None:
        width, height = screen.get_size()
        font = self._font(max(16, round(_CAPTION_SHARE * height)))
        lines = text.split("\n")
        y = height - _MARGIN - len(lines) * font.get_linesize() - round(0.04 * height)
        for line in lines:
            x = (width - font.size(line)[0]) // 2
            self._box(screen, [line], (x, y), font)
            y += font.get_linesize()

    @staticmethod
    def _box(screen: Any, lines: list[str], place: tuple[int, int], font: Any) -> None:
        pictures = [font.render(line, True, _WHITE) for line in lines]
        width = max(p.get_width() for p in pictures)
        step = font.get_linesize()
        veil = pygame.Surface((width + _MARGIN, step * len(lines)), pygame.SRCALPHA)
        veil.fill(_VEIL)
        screen.blit(veil, (place[0] - _MARGIN // 2, place[1]))
        for number, picture in enumerate(pictures):
            screen.blit(picture, (place[0], place[1] + number * step))


def _surface(picture: Picture, rotation: int) -> Any:
    pixels: UInt8 = np.ascontiguousarray(np.rot90(picture.pixels, -rotation // 90))
    height, width = pixels.shape[:2]
    return pygame.image.frombuffer(pixels.tobytes(), (width, height), "RGB")
