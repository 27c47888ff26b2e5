"""Watching a reel in a window: sound and subtitles chosen, the window opened, and everything closed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gvideo.errors import OptionError
from packager.languages import short_tag
from player.presentation.captions import Captions
from player.presentation.reel import Reel
from player.presentation.rendition import Rendition
from player.presentation.session import Session
from player.presentation.sound import Sound
from player.presentation.sound_reader import SoundReader
from player.presentation.stream_reel import StreamReel
from player.presentation.view import first_size, shown_size
from player.source.fetch import Fetcher

if TYPE_CHECKING:
    from player.desktop.window import Window

SILENCE = "none"


def watch(
    reel: Reel,
    *,
    size: tuple[int, int] | None = None,
    audio: str | None = None,
    subtitles: str | None = None,
    stays: bool = True,
    each_turn: Callable[[Window], None] | None = None,
) -> Session:
    """Shows a reel until the window is closed, or its end if `stays` is false, and closes it. Returns the session with
    its numbers.

    size: of the window, px. audio, subtitles: languages; by default the first sound and no subtitles.
    Raises OptionError for a language that is not there or without pygame, MediaError without a display.
    """
    fetcher = Fetcher()
    device = None
    session: Session | None = None
    try:
        from player.desktop import window

        sound, captions, chosen = renditions(reel, fetcher, audio, subtitles)
        shape = shown_size(reel.format)
        shown = window.open_display(lambda desktop: size or first_size(*shape, desktop), f"{reel.name} · gvideo")
        if sound is not None:
            device = window.open_device(sound)
            if device is None:
                sound = None
        session = Session(reel, shown, sound=sound, captions=captions)
        session.caption_number = chosen
        window.Window(session, stays=stays, watch=each_turn).run()
        return session
    finally:
        if device is not None:
            device.close()
        if session is not None:
            session.close()
        reel.close()
        fetcher.close()


def renditions(
    reel: Reel, fetcher: Fetcher, audio: str | None, subtitles: str | None
) -> tuple[Sound | None, tuple[Captions, ...], int | None]:
    """(sound, all subtitles, which of them to begin with). Raises OptionError for a language that is not there."""
    sounds = reel.renditions("audio", fetcher) if isinstance(reel, StreamReel) else ()
    texts = reel.renditions("subtitles", fetcher) if isinstance(reel, StreamReel) else ()
    sound = None
    if audio != SILENCE and (sounds or audio is not None):
        sound = Sound(SoundReader(sounds[_of_language("audio", sounds, audio)], fetcher))
    chosen = None if subtitles in (None, SILENCE) else _of_language("subtitles", texts, subtitles)
    return sound, tuple(Captions(t, fetcher) for t in texts), chosen


def _of_language(option: str, found: Sequence[Rendition], language: str | None) -> int:
    """The place of the first rendition of a language, None: of any."""
    languages = [r.track.language for r in found]
    for number, own in enumerate(languages):
        if language is None or _primary(own) == _primary(language):
            return number
    listed = ", ".join(own or "?" for own in languages) or "none"
    raise OptionError(f"--{option} {language}: not there; the stream has {listed}")


def _primary(language: str) -> str:
    """The language without its region: `de` of `de-AT` and of `ger`."""
    return short_tag(language.partition("-")[0])
