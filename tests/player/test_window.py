"""The window itself: keys as SDL gives them, what is on screen pixel by pixel, sound and picture together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from packaged import package_plain, write_clip, write_flashes
from screen import has_screen, virtual_screen
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.bitstream.headers import SequenceHeader
from gvideo.cli import main

pytest.importorskip("pygame", reason="pygame is not installed (the extra `play`)")
ROOT = Path(__file__).parents[2]
#: A script that watches a stream and does what the test says after every turn of the window.
SCRIPT = """
import sys, pygame
from player.presentation.stream_reel import open_reel
from player.desktop.watch import watch

def press(text, name=""):
    key = pygame.key.key_code(name or text)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=text, mod=0))

def save(name):
    pygame.image.save(pygame.display.get_surface(), sys.argv[2] + "/" + name)

turn = [0]
def each(window):
    s = window.session
    turn[0] += 1
    if turn[0] > 3000:
        raise SystemExit("took too long")
    step(window, s)

steps = iter_steps = None
def step(window, s):
    global steps
    if steps is None:
        steps = plan(window, s)
    if next(steps, None) is None:
        s.wants_to_leave = True

def settled(s):
    while s.is_waiting or s._steps or s.picture is None:
        yield 1
    yield 1
    yield 1

PLAN
session = watch(open_reel(sys.argv[1]), size=(240, 200), each_turn=each)
"""


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("window") / "a.gsv"
    path.write_bytes(make_stream(num_segments=4, num_layers=3, count=90, sequence=SequenceHeader(48, 32, 25, 1)).data)
    return path


def watched(source: Path, folder: Path, plan: str, **environment: str) -> None:
    script = folder / "script.py"
    script.write_text(SCRIPT.replace("PLAN", plan))
    done = subprocess.run(
        [sys.executable, str(script), str(source), str(folder)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SDL_AUDIODRIVER": "dummy", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def image(path: Path) -> np.ndarray:
    import cv2

    found = cv2.imread(str(path))
    assert found is not None, path
    return np.asarray(found)[:, :, ::-1]


PLAN = """
def plan(window, s):
    yield from settled(s)
    press(" ")
    yield 1
    while s.is_playing: yield 1
    press("", "home")
    yield 1
    yield from settled(s)
    save("first.png")
    for _ in range(3):
        press(".")
    yield 1
    yield from settled(s)
    save("third.png")
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, x=0, y=6, flipped=False))
    yield 1
    yield from settled(s)
    save("zoomed.png")
    print(*s.view.layout(s.window).region, *pygame.mouse.get_pos())
    press("z")
    press("1")
    yield 1
    yield from settled(s)
    s._message_until = 0
    yield 1
    save("base.png")
    press("0")
    press("s")
    press("h")
    yield 1
    yield from settled(s)
    save("texts.png")
"""


def shown(decoder: VideoDecoder, frame: int) -> np.ndarray:
    return decoder.get_pictures_at_ticks(np.array([float(frame)]), (240, 160))[0]


def test_what_is_on_screen(stream, tmp_path):
    """Pictures are those of VideoDecoder, upright in the middle, black beside them; zoom is drawn, not enlarged."""
    watched(stream, tmp_path, PLAN, SDL_VIDEODRIVER="dummy")
    decoder = VideoDecoder(stream, dimension_order="NHWC")
    first = image(tmp_path / "first.png")
    assert first.shape == (200, 240, 3)
    np.testing.assert_array_equal(first[20:150], shown(decoder, 0)[:130])  # below stands that it is paused
    assert not first[:20].any()
    np.testing.assert_array_equal(image(tmp_path / "third.png")[20:150], shown(decoder, 3)[:130])
    base = VideoDecoder(stream, layers=1, dimension_order="NHWC")
    np.testing.assert_array_equal(image(tmp_path / "base.png")[20:150], shown(base, 3)[:130])
    zoomed = image(tmp_path / "zoomed.png")[:150]
    assert np.abs(zoomed.astype(int) - image(tmp_path / "third.png")[:150]).mean() > 3
    texts = image(tmp_path / "texts.png")
    assert (texts[60:140, 60:200].min(axis=2) > 240).sum() > 100  # white letters over the picture


SOUND_PLAN = """
def plan(window, s):
    for _ in range(60):
        yield 1
    print(s.sound is not None and s.sound.position() is not None, s.numbers.num_shown > 5)
    while s.numbers.num_shown < 50: yield 1
    assert s.sound is not None and not s.sound.failure, "sound"
    offsets = list(s.numbers.offsets)[5:]
    assert max(map(abs, offsets)) < 0.2, offsets
    assert s.caption == "words" or s.caption_number is None
    press("c")
    yield 1
    for _ in range(30):
        yield 1
    assert s.caption == "words", s.caption
    save("words.png")
    press("m")
    press("]")
    yield 1
    yield 1
    assert s.sound.volume == 0 and s.clock.speed == 1.5
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published: gray that flashes white while it beeps, with words over it."""
    folder = tmp_path_factory.mktemp("film")
    clip = write_clip(folder / "clip.mp4", 4)
    write_flashes(folder / "s.gsv", 4)
    (folder / "w.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:09.000\nwords\n")
    return package_plain(
        folder / "s.gsv", folder / "p", "--source", str(clip), "--subtitles", str(folder / "w.vtt")
    )  # fmt: skip


def test_sound_and_subtitles(film, tmp_path):
    watched(film, tmp_path, SOUND_PLAN, SDL_VIDEODRIVER="dummy")
    words = image(tmp_path / "words.png")
    assert (words[150:195, 80:160].min(axis=2) > 240).sum() > 30


CLOSING = """
import faulthandler, threading, time
faulthandler.dump_traceback_later(60, exit=True)
from player.desktop.window import SoundDevice

class Asked:
    count = 0
    def fill(self, out):
        self.count += 1
        sum(range(20000))

stop = threading.Event()
def compute():
    while not stop.is_set():
        sum(range(5000))

threading.Thread(target=compute, daemon=True).start()
for _ in range(6):
    asked = Asked()
    device = SoundDevice(asked)
    while asked.count < 3:
        time.sleep(0.002)
    device.close()
    count = asked.count
    time.sleep(0.05)
    assert asked.count == count
stop.set()
"""


def test_the_device_closes_while_it_asks():
    """Its thread may be waiting for the interpreter just then."""
    done = subprocess.run(
        [sys.executable, "-c", CLOSING], capture_output=True, text=True, timeout=90, cwd=ROOT, check=False,
        env={**os.environ, "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_without_a_sound_device_it_plays_silently(film, tmp_path):
    plan = "def plan(window, s):\n    assert s.sound is None\n    while s.numbers.num_shown < 5: yield 1\n"
    watched(film, tmp_path, plan, SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="none such")


def test_without_a_display_it_says_so(stream, capsys, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    assert main(["play", str(stream)]) == 2
    assert "there is no display and no terminal; use --no-window" in capsys.readouterr().err
    monkeypatch.setenv("SDL_VIDEODRIVER", "none such")
    assert main(["play", str(stream)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no window can be opened" in line


def test_without_pygame_it_says_what_to_install(stream):
    code = (
        "import sys; sys.modules['pygame'] = None; from gvideo.cli import main; sys.exit(main(['play', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(stream)], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'gvideo[play]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def measured() -> Callable[[Path], np.ndarray]:
    sys.path.insert(0, str(ROOT / "tests" / "bench"))
    import av_offset

    return lambda folder: av_offset.measure(folder).seconds


@pytest.mark.skipif(not has_screen(), reason="Xvfb is not installed")
def test_picture_and_sound_together_on_a_screen(film, measured):
    """Looked at from outside: flashes on a virtual screen against beeps at a device that is a file. A machine that is
    busy with other things may keep either back for a moment, not three times."""
    for _ in range(3):
        offsets = measured(film)
        if len(offsets) == 4 and abs(np.median(offsets)) <= 0.040:
            return
    pytest.fail(f"picture and sound are {offsets} s apart")


@pytest.mark.skipif(not has_screen(), reason="Xvfb is not installed")
def test_the_command_shows_pictures_on_a_screen(stream):
    """`gvideo play` without options: the first picture stands in the middle of the screen."""
    with virtual_screen() as screen:
        environment = {**os.environ, **screen.environment, "SDL_AUDIODRIVER": "dummy"}
        environment.pop("SDL_VIDEODRIVER", None)
        command = [sys.executable, "-m", "gvideo", "play", str(stream), "--size", "240x160", "--leave"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=ROOT) as player:
            seen = []
            while player.poll() is None:
                pixels = screen.pixels()
                if pixels.any():
                    seen.append(pixels)
                time.sleep(0.05)
            assert player.returncode == 0
            assert player.stderr is not None
            said = player.stderr.read()
            shown_pictures, left_out = (re.search(rf"(\d+) {what}", said) for what in ("pictures", "left out"))
            assert shown_pictures is not None
            # a busy machine leaves some out, and says so
            assert int(shown_pictures[1]) + (int(left_out[1]) if left_out else 0) == 24, said
    decoder = VideoDecoder(stream, dimension_order="NHWC")
    frames = [shown(decoder, k)[:100] for k in range(24)]
    cuts = [_cut(pixels) for pixels in seen]
    found = {k for k in range(24) for cut in cuts if np.array_equal(cut, frames[k])}
    assert len(found) >= 3


def _cut(pixels: np.ndarray) -> np.ndarray:
    """The upper part of what is not black."""
    rows, columns = np.flatnonzero(pixels.any((1, 2))), np.flatnonzero(pixels.any((0, 2)))
    return pixels[rows[0] : rows[0] + 100, columns[0] : columns[0] + 240]
