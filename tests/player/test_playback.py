"""Playing in real time: every frame once, in order, at its time; stalls are told; the terminal shows the colours."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from faults import serving

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import MediaError
from player.presentation import playback
from player.presentation.stream_reel import open_reel
from player.source.fetch import Fetcher


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_every_frame_at_its_time(kind, streams, folder):
    decoder = VideoDecoder(streams["best"], dimension_order="NHWC")
    shown: list[tuple[float, float]] = []
    pictures = []

    def screen(picture: np.ndarray, seconds: float) -> None:
        shown.append((time.monotonic(), seconds))
        pictures.append(picture)

    reel = open_reel(str(streams["best"] if kind == "file" else folder))
    started = time.monotonic()
    report = playback.play(reel, screen)
    reel.close()
    np.testing.assert_array_equal(np.array(pictures), decoder.get_all_frames().data)
    walls, media = np.array(shown).T
    np.testing.assert_allclose(media, (np.asarray(decoder.pts) - decoder.pts[0]) / decoder.timescale, atol=1e-9)
    assert report.num_frames == 30
    # never early, though the first may be late; later only by what the report says
    seconds = decoder.metadata.duration_seconds
    assert ((walls - started) - media).min() > -0.005
    assert report.seconds >= seconds - 0.005
    assert report.seconds == pytest.approx(seconds + report.stall_seconds, abs=0.1)
    assert report.levels == [2] * 5


def test_a_server_that_pauses_is_a_stall(folder):
    """The last segment comes seconds late; the clock waits for it and goes on."""
    with serving(folder, lambda p, c: "silence" if "seg_5" in p and c == 0 else "") as served:
        reel = open_reel(served.url, Fetcher(timeout_seconds=2.5, backoff_seconds=0.01))
        report = playback.play(reel, playback.nothing)
        reel.close()
    assert report.num_frames == 30
    assert report.num_stalls >= 1
    assert report.stall_seconds > 0.3


def test_errors_end_it(folder):
    with serving(folder, lambda path, count: "404" if "seg_4" in path else "") as served:
        shown = []
        reel = open_reel(served.url)
        with pytest.raises(MediaError, match="seg_4"):
            playback.play(reel, lambda picture, seconds: shown.append(seconds))
        reel.close()
    assert 12 <= len(shown) <= 18


def test_no_window(folder, capsys):
    assert main(["play", str(folder), "--no-window", "--layers", "1"]) == 0
    assert re.search(r": 30 frames in 1\.\d+ s; first picture after", capsys.readouterr().err)


def test_half_blocks():
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, 0] = (255, 0, 7)
    assert playback.half_blocks(picture) == "\x1b[38;2;255;0;7;48;2;0;0;0m▀\x1b[38;2;0;0;0;48;2;0;0;0m▀▀\x1b[0m"


@pytest.mark.parametrize(
    ("shape", "terminal", "wanted"),
    [((320, 180), (80, 23), (80, 44)), ((180, 320), (80, 24), (27, 48)), ((4000, 2), (80, 24), (80, 2))],
)
def test_fit(shape, terminal, wanted):
    assert playback.fit(*shape, *terminal) == wanted


def test_terminal(streams, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    monkeypatch.setenv("LINES", "12")
    assert main(["play", str(streams["small"]), "--terminal"]) == 0
    out = capsys.readouterr().out
    last = out.split("\x1b[H")[-1]
    assert out.count("\x1b[H") == 30
    rows = last.splitlines()[:-1]
    assert [row.count("▀") for row in rows] == [24] * 8
    decoder = VideoDecoder(streams["small"], size=(24, 16), dimension_order="NHWC")
    assert playback.half_blocks(decoder[29]) == "\n".join(rows)
