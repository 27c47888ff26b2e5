"""HLS of Gaussians alone: layers as ranges of one file, missing segments, live playlists. The folders are written by
hls_folder, which shares nothing with the packager; what the packager writes is played in test_published.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams import Made, make_stream

import gvideo


def publish(folder: Path, write_folder: Callable[[Path, Made], None], **options: Any) -> Made:
    """Three segments of a second in two layers."""
    defaults = {"num_segments": 3, "num_frames": 25, "num_layers": 2, "count": 120, "width": 96, "height": 64}
    made = make_stream(**{**defaults, **options})
    write_folder(folder, made)
    return made


def test_layers_of_a_published_folder(
    media: Path, write_folder: Any, server: Any, open_player: Callable[..., Any]
) -> None:
    made = publish(media, write_folder, count=600)
    page = open_player("/media/master.m3u8")
    assert page.evaluate("return [player.qualities.length, player.numFrames, player.duration]") == [2, 75, 3]
    page.assert_shows_layers(made.data)


def test_a_layer_is_added_by_its_own_bytes(
    media: Path, write_folder: Any, server: Any, open_player: Callable[..., Any]
) -> None:
    made = publish(media, write_folder, count=600)
    # the upper rung asks for more than the network is thought to carry at first
    lines = (media / "master.m3u8").read_text().splitlines()
    dear = [re.sub("(?<=AVERAGE-BANDWIDTH=)", "9999", line) if "SCORE=2" in line else line for line in lines]
    server.texts["/media/master.m3u8"] = "\n".join(dear)
    page = open_player("/media/master.m3u8")
    page.wait("player.buffered.length && player.buffered[0][1] === 3")
    assert page.evaluate("return player.statistics.quality") == 0
    page.evaluate("player.quality = 1;")
    page.wait("player.statistics.upgrades === 3")
    page.evaluate("await player.seekFrame(30);")
    page.assert_shows(gvideo.VideoDecoder(made.data)[30])
    fetched = [wanted.split("=")[1].split("-") for path, wanted in server.requests if path.endswith("seg_1.m4s")]
    assert len(fetched) == 2
    assert int(fetched[1][0]) == int(fetched[0][1]) + 1
    page.evaluate("player.quality = 0;")
    page.wait("player.statistics.quality === 0")
    page.assert_shows(gvideo.VideoDecoder(made.data, layers=1)[30])
    assert len([path for path, _ in server.requests if path.endswith(".m4s")]) == 6  # going down fetches nothing


def test_missing_and_broken_segments_are_passed_over(
    media: Path, write_folder: Any, server: Any, open_player: Callable[..., Any]
) -> None:
    made = publish(media, write_folder, num_segments=4)
    (media / "seg_1.m4s").unlink()
    (media / "seg_2.m4s").write_bytes((media / "seg_2.m4s").read_bytes()[:60])
    page = open_player("/media/master.m3u8")
    page.wait("notices.length === 2")
    assert page.evaluate("return notices[0]") == (
        "Segment 1 cannot be shown (seg_1.m4s: the server answers 404 Not Found)"
    )
    assert page.evaluate("return notices[1]").startswith("Segment 2 cannot be shown (seg_2.m4s: ")
    page.evaluate("player.playbackRate = 2; player.play();")
    page.wait("events.includes('ended')")
    page.evaluate("await player.seekFrame(80);")
    page.assert_shows(gvideo.VideoDecoder(made.data)[80])


def test_a_live_playlist_grows_and_slides(
    media: Path, write_folder: Any, windows: Any, server: Any, open_player: Callable[..., Any]
) -> None:
    made = publish(media, write_folder, num_segments=6)
    window = windows(media / "v2.m3u8")
    server.texts["/media/live.m3u8"] = window(0, 3)
    page = open_player("/media/live.m3u8")
    assert page.evaluate("return [player.live, player.duration]") == [True, 3]
    page.evaluate("player.play();")
    server.texts["/media/live.m3u8"] = window(1, 5)
    page.wait("player.duration === 5")
    assert page.evaluate("return player.seekable") == [1, 5]
    server.texts["/media/live.m3u8"] = window(2, 6, last=True)
    page.wait("!player.live")
    page.evaluate("player.pause(); await player.seek(4.5);")
    page.assert_shows(gvideo.VideoDecoder(made.data).get_frame_played_at(4.5).data)
