"""Playing what the packager publishes: ladders, sound as the clock, captions, comparison, live sound, the server."""

from __future__ import annotations

import math
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import Made, make_stream

import gvideo

package = pytest.importorskip("packager.package")
sink = pytest.importorskip("packager.sink")

CAPTIONS = "1\n00:00:00,200 --> 00:00:01,400\n<i>Salt</i> &amp; pepper\n\n2\n00:00:02,000 --> 00:00:02,600\nLater\n"


def publish(folder: Path, *, sound: bool = True, fallback: bool = False, **options: Any) -> Made:
    """Three segments of a second in two layers, with a tone, captions and if asked for an AVC rung."""
    made = make_stream(
        **{"num_segments": 3, "num_frames": 25, "num_layers": 2, "count": 120, "index": True, "width": 96, "height": 64,
           **options}
    )  # fmt: skip
    source = folder.parent / "source"
    source.mkdir()
    (source / "clip.gsv").write_bytes(made.data)
    audio, captions = source / "tone.wav", source / "captions.srt"
    captions.write_text(CAPTIONS)
    with wave.open(str(audio), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        tone = 6000 * np.sin(np.arange(3 * 48000) * (2 * math.pi * 440 / 48000))
        file.writeframes(tone.astype("<i2").tobytes())
    rungs = package.open_rungs([source / "clip.gsv"])
    extras = package.Extras(None, ((audio, "en"),) if sound else (), ((captions, "en"),), False, "Test")
    tracks = []
    if fallback:
        from gvideo.commands.encoding.pictures import fallback_track

        tracks.append(fallback_track(rungs[0], None, 30.0))
    package.package_streams(rungs, sink.open_sink(str(folder)), extras, fallback=tracks)
    return made


def test_a_ladder_of_files_with_ranges(media: Path, open_player: Callable[..., Any]) -> None:
    sizes = ((48, 32), (96, 64))
    made = [
        make_stream(width=w, height=h, num_segments=2, num_frames=25, count=80, index=True, seed=w) for w, h in sizes
    ]
    for number, stream in enumerate(made):
        (media / f"{number}.gsv").write_bytes(stream.data)
    rungs = package.open_rungs([media / "0.gsv", media / "1.gsv"])
    package.package_streams(rungs, sink.open_sink(str(media / "out")), package.Extras(None, (), (), True, ""))
    page = open_player("/media/out/master.m3u8")
    assert page.evaluate("return player.qualities.map((q) => q.label)") == ["32p", "64p"]
    for quality in (1, 0):
        page.evaluate(f"player.quality = {quality}; await player.seekFrame(31);")
        page.wait(f"player.statistics.quality === {quality}")
        page.assert_shows(gvideo.VideoDecoder(made[quality].data)[31])


def test_plays_to_the_end_with_sound_and_captions(media: Path, open_player: Callable[..., Any]) -> None:
    publish(media)
    page = open_player("/media/master.m3u8")
    assert page.evaluate("return [player.hasSound, player.captionTracks.map((t) => t.name)]") == [True, ["English"]]
    page.listen()
    page.evaluate("player.play();")
    page.wait("events.includes('ended')", 30)
    assert page.evaluate("return notices") == []
    assert page.evaluate("return [...heard].sort()") == ["", "Later", "Salt & pepper"]
    assert page.evaluate("return apart") < 0.05  # sound leads
    assert page.evaluate("return player.element.played.length && player.element.played.end(0)") > 2.8
    page.evaluate("await player.seek(1); player.play();")
    page.wait("player.element.currentTime > 1.2")


def test_the_picture_goes_on_where_the_sound_fails(media: Path, open_player: Callable[..., Any]) -> None:
    publish(media)
    for path in media.glob("a0*/seg_2.m4s"):
        path.unlink()
    page = open_player("/media/master.m3u8")
    page.evaluate("player.play();")
    page.wait("events.includes('ended')")
    assert page.evaluate("return [notices, player.hasSound]") == [
        ["No sound: seg_2.m4s: the server answers 404 Not Found"],
        False,
    ]


def test_speed_mute_and_volume_reach_the_sound(media: Path, open_player: Callable[..., Any]) -> None:
    publish(media)
    page = open_player("/media/master.m3u8")
    page.evaluate("player.playbackRate = 0.5; player.volume = 0.25; player.muted = true; player.play();")
    page.wait("player.element.currentTime > 0.2")
    assert page.evaluate("const e = player.element; return [e.playbackRate, e.volume, e.muted]") == [0.5, 0.25, True]
    page.evaluate("player.pause();")
    assert page.evaluate("return player.element.paused") is True


def test_sound_of_a_live_playlist_joins_in_the_middle(
    media: Path, server: Any, windows: Any, open_player: Callable[..., Any]
) -> None:
    made = publish(media)
    picture, sound = windows(media / "v0_2.m3u8"), windows(media / "a0.m3u8")
    for name, window in (("v0_2", picture), ("v0_1", picture), ("a0", sound)):
        server.texts[f"/media/{name}.m3u8"] = window(1, 3)
    page = open_player("/media/master.m3u8")
    assert page.evaluate("return player.seekable") == [0, 2]  # the timeline begins where one joined
    page.evaluate("await player.seek(0.5); player.play();")
    page.wait("player.element.currentTime > 0.8 && player.currentTime > 0.8")
    page.evaluate("player.pause(); await player.seek(1.5);")
    page.assert_shows(gvideo.VideoDecoder(made.data).get_frame_played_at(2.5).data)
    assert page.evaluate("return notices") == []


def test_the_page_compares_with_the_avc_rung(media: Path, server: Any, browser: Any) -> None:
    publish(media, fallback=True, sound=False)
    page = browser.open(f"{server.url}/player/index.html?src=/media/master.m3u8", width=900, height=700)
    page.wait("window.player?.statistics.gaussians > 0")
    page.evaluate("""
        await player.seek(1.5);
        document.querySelector("button[aria-label='Compare with AVC']").click();
    """)
    page.wait("document.querySelector('video').readyState >= 2 && document.querySelector('video').currentTime === 1.5")
    page.wait("document.querySelector('.rate.other').textContent.match(/^AVC [0-9.]+ [kM]bit.s$/)")
    assert page.evaluate("return /^gvideo [0-9.]+ kbit.s$/.test(document.querySelector('.rate.own').textContent)")
    page.evaluate("player.play();")
    page.wait("player.ended", 15)
    assert page.evaluate("return Math.abs(document.querySelector('video').currentTime - player.currentTime)") < 0.3
    page.close()


def test_gvideo_serve_shows_the_page_and_plays_what_lies_beside_it(media: Path, browser: Any) -> None:
    uvicorn = pytest.importorskip("uvicorn")
    make_app = pytest.importorskip("packager.server.app").make_app
    made = publish(media, sound=False)
    origin = uvicorn.Server(uvicorn.Config(make_app(media), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=origin.run)
    thread.start()
    try:
        while not origin.started:
            time.sleep(0.01)
        port = origin.servers[0].sockets[0].getsockname()[1]
        page = browser.open(f"http://127.0.0.1:{port}/")
        page.wait("window.player?.statistics.gaussians > 0")
        page.evaluate("player.resolution = 'source'; await player.seekFrame(33);")
        page.wait("player.statistics.quality === 1")
        page.assert_shows(gvideo.VideoDecoder(made.data)[33])
        assert page.evaluate("return player.numFrames") == 75
        page.close()
    finally:
        origin.should_exit = True
        thread.join(10)
