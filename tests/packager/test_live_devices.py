"""Live encodes of what FFmpeg's libraries call input devices: a graph of filters, and a screen that goes away."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest
from packaged import quick_segment
from screen import has_screen, virtual_screen

from gvideo import VideoDecoder
from gvideo.cli import main
from packager.check import check_presentation

OPTIONS = ["--live", "--segment", "0.5", "--no-keep-up"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    monkeypatch.setattr("gvideo.commands.encoding.live.SILENCE_SECONDS", 3.0)


def test_filters_that_end(tmp_path, capfd):
    """Their end is the end: nothing is opened a second time."""
    out = tmp_path / "out"
    assert main(["encode", "lavfi:testsrc2=size=64x48:rate=10:duration=1.5,realtime", "-o", f"{out}/", *OPTIONS]) == 0
    assert "tries again" not in capfd.readouterr().err
    assert check_presentation(str(out))[0] == []
    video = VideoDecoder(out / "manifest.mpd")
    assert (len(video), video[0].shape) == (15, (3, 48, 64))


@pytest.mark.skipif(not has_screen(), reason="Xvfb is not installed")
def test_a_screen_that_goes_away(tmp_path, capfd):
    """The options behind the question mark reach the device; what was shown before it went away is published."""
    out = tmp_path / "out"
    with contextlib.ExitStack() as screens:
        display = screens.enter_context(virtual_screen()).environment["DISPLAY"]
        closing = threading.Thread(target=lambda: (_wait_for(out / "v0.m3u8"), screens.close()), daemon=True)
        closing.start()
        name = f"x11grab:{display}.0?framerate=10&video_size=64x48"
        assert main(["encode", name, "-o", f"{out}/", "--give-up", "1", *OPTIONS]) == 0
        closing.join()
    assert "has been gone for 1 s; ended" in capfd.readouterr().err
    assert check_presentation(str(out))[0] == []
    video = VideoDecoder(out / "manifest.mpd")
    assert video[0].shape == (3, 48, 64)
    assert video.metadata.average_fps == pytest.approx(10, rel=0.2)


def test_devices_that_are_not_there(tmp_path, capsys):
    for name, words in (
        ("v4l2:/dev/video77", "cannot be opened (No such file or directory)"),
        ("x11grab::77", "cannot be opened"),
        ("gdigrab:desktop", "have no input gdigrab on this system"),
    ):
        assert main(["encode", name, "-o", f"{tmp_path}/o/", "--live"]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
        assert not (tmp_path / "o").exists()
    assert main(["encode", "lavfi:testsrc2", "-o", f"{tmp_path}/o.gsv"]) == 2
    assert "give --live" in capsys.readouterr().err


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
