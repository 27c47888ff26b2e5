"""Playing .gsv files over ranges: to the end, in layers, through failures and damage, zoomed and between frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import Made, make_stream

import gvideo
from gvideo.bitstream.headers import SequenceHeader
from gvideo.decoder.rendering.segment import SegmentRenderer
from gvideo.media.colour import planes_to_rgb
from gvideo.raster import Viewport


def write(media: Path, name: str = "clip.gsv", **options: Any) -> Made:
    made = make_stream(**{"num_segments": 4, "num_frames": 10, "index": True, **options})
    (media / name).write_bytes(made.data)
    return made


def test_plays_to_the_end_and_again(media: Path, open_player: Callable[..., Any]) -> None:
    write(media)  # 4 segments of 10 frames, 0.4 s each
    page = open_player("/media/clip.gsv")
    page.evaluate("window.shown = new Set();")
    page.evaluate("player.addEventListener('timeupdate', () => shown.add(player.currentFrame));")
    page.evaluate("player.playbackRate = 2; player.play();")
    page.wait("events.includes('ended')")
    assert page.evaluate("return [player.ended, player.paused, player.currentFrame]") == [True, True, 39]
    assert page.evaluate("return shown.size") >= 15  # frames are left out where the machine is busy, not segments
    assert page.evaluate("return notices") == []
    page.evaluate("player.play();")
    page.wait("player.currentTime > 0.1 && player.currentTime < 1.5")
    page.evaluate("player.pause(); await player.step(0); window.before = player.currentFrame; await player.step(1);")
    assert page.evaluate("return player.currentFrame - before") == 1


@pytest.mark.parametrize("index", [True, False])
def test_only_what_is_needed_is_fetched(index: bool, media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    made = write(media, num_segments=3, num_frames=500, count=9000, index=index)  # 20 s a segment
    page = open_player("/media/clip.gsv")
    page.wait("player.buffered.length && player.buffered[0][1] === 40")
    ranges = [wanted.split("=")[1].split("-") for path, wanted in server.requests if path == "/media/clip.gsv"]
    assert sum(int(end) + 1 - int(start) for start, end in ranges) < 0.9 * len(made.data)  # the third is far ahead


def test_layers_are_switched_in_the_middle(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    made = write(media, num_layers=3, count=900, width=96, height=64)
    page = open_player("/media/clip.gsv")
    assert page.evaluate("return player.qualities.length") == 3
    for layers in (1, 3, 2):
        page.evaluate(f"player.quality = {layers - 1};")
        page.wait(f"player.statistics.quality === {layers - 1}")
        with gvideo.VideoDecoder(made.data, layers=layers) as decoder:
            for number in (0, 17):
                page.evaluate(f"await player.seekFrame({number});")
                page.wait(f"player.statistics.quality === {layers - 1}")
                page.assert_shows(decoder[number])
    assert page.evaluate("return player.statistics.upgrades") > 0


def test_a_better_layer_costs_only_its_own_bytes(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    made = write(media, num_segments=2, num_layers=2, count=20000, width=480, height=320, cell_bits=4)
    assert len(made.data) > 4 * (1 << 16)
    page = open_player("/media/clip.gsv")
    page.evaluate("player.quality = 0;")
    page.wait("player.statistics.quality === 0 && player.buffered[0]?.[1] === player.duration")
    server.requests.clear()
    page.evaluate("player.quality = 1;")
    page.wait("player.statistics.quality === 1 && player.statistics.upgrades === 2")
    fetched = [wanted.split("=")[1].split("-") for _, wanted in server.requests]
    sizes = [int(end) + 1 - int(start) for start, end in fetched]
    assert sum(sizes) < 0.7 * len(made.data)


def test_a_server_that_fails_for_a_while(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    write(media)
    server.failures["/media/clip.gsv"] = [503, 500]
    page = open_player("/media/clip.gsv")
    page.wait("player.statistics.gaussians > 0")
    assert page.evaluate("return notices[0]") == "clip.gsv: the server answers 503 Service Unavailable; trying again"


def test_a_server_that_stays_away_and_comes_back(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    made = write(media)
    server.failures["/media/clip.gsv"] = [404]
    page = open_player("/media/clip.gsv", wait=False)
    page.wait("failed")
    assert page.evaluate("return failed") == "clip.gsv: the server answers 404 Not Found"
    page.evaluate("failed = null; player.retry();")
    page.wait("player.statistics.gaussians > 0")
    page.evaluate("await player.seekFrame(5);")
    page.assert_shows(gvideo.VideoDecoder(made.data)[5])


def test_a_damaged_segment_is_skipped_with_a_note(media: Path, open_player: Callable[..., Any]) -> None:
    made = write(media)
    with gvideo.VideoDecoder(made.data) as decoder:
        places = decoder.stream.segments
        broken = bytearray(made.data)
        broken[places[1].offset + places[1].num_bytes // 2] ^= 0x10
        (media / "clip.gsv").write_bytes(broken)
        page = open_player("/media/clip.gsv")
        page.wait("notices.length > 0")
        note = "Segment 1 cannot be shown (segment.crc: the checksum differs, the segment unit is damaged)"
        assert page.evaluate("return notices") == [note]
        page.evaluate("player.playbackRate = 2; player.play();")
        page.wait("events.includes('ended')")
        page.evaluate("await player.seek(0.5);")  # within the damaged one
        page.evaluate("await player.seekFrame(25);")
        page.assert_shows(decoder[25])


def test_a_damaged_layer_costs_only_itself(media: Path, open_player: Callable[..., Any]) -> None:
    made = write(media, num_layers=2, count=200, num_segments=1)
    broken = bytearray(made.data)
    broken[-9] ^= 1
    (media / "clip.gsv").write_bytes(broken)
    page = open_player("/media/clip.gsv")
    page.wait("notices.length > 0")
    assert page.evaluate("return notices[0]").startswith("Segment 0 is shown without its upper layers (layer.crc: ")
    page.evaluate("await player.seekFrame(3);")
    page.assert_shows(gvideo.VideoDecoder(made.data, layers=1)[3])


def test_no_stream_is_an_error_in_words(media: Path, open_player: Callable[..., Any]) -> None:
    (media / "clip.gsv").write_bytes(b"RIFF" + bytes(100))
    page = open_player("/media/clip.gsv", wait=False)
    page.wait("failed")
    assert page.evaluate("return failed") == "This is not a gvideo stream: its first bytes are others."


def renderer_of(made: Made, number: int) -> SegmentRenderer:
    with gvideo.VideoDecoder(made.data) as decoder:
        decoded = decoder.stream.decode_segment(number)
        ticks = decoder.stream.frame_ticks(number)
    header = made.sequence
    return SegmentRenderer(decoded.symbols, decoded.rules, header.width, header.height, ticks)


def test_zoom_is_drawn_anew_and_pictures_lie_between_frames(media: Path, open_player: Callable[..., Any]) -> None:
    made = write(media, num_segments=1, count=100)
    renderer = renderer_of(made, 0)
    with gvideo.VideoDecoder(made.data) as decoder:
        colour = decoder.metadata.format.colour
    page = open_player("/media/clip.gsv")
    page.evaluate("await player.seekFrame(4); player.view = {x: 0.25, y: 0.5, width: 0.125, height: 0.25};")
    zoomed = renderer.planes(renderer.times[[4]], viewport=Viewport(48, 32, 8.0, 4.0, 12.0, 16.0))
    page.assert_shows(planes_to_rgb(zoomed, colour, channels_last=False)[0])
    page.evaluate("player.view = {x: 0, y: 0, width: 1, height: 1}; player.smooth = true; await player.seek(0.131);")
    between = renderer.planes(renderer.times_at(np.array([131.0])))
    page.assert_shows(planes_to_rgb(between, colour, channels_last=False)[0])


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_matrix_and_range(rotation: int, media: Path, open_player: Callable[..., Any]) -> None:
    matrix = {90: 8, 180: 9, 270: 7}[rotation]
    sequence = SequenceHeader(48, 32, 1000, 40, rotation=rotation, matrix=matrix, full_range=True)
    made = write(media, num_segments=1, sequence=sequence, levels=9)
    page = open_player("/media/clip.gsv")
    page.evaluate("await player.seekFrame(2);")
    page.assert_shows(np.rot90(gvideo.VideoDecoder(made.data)[2], -rotation // 90, (1, 2)))


def test_fewer_pixels_are_drawn_where_the_machine_is_too_slow(media: Path, open_player: Callable[..., Any]) -> None:
    write(media, num_segments=1, num_frames=200, count=4000, width=480, height=320, cell_bits=4)
    page = open_player("/media/clip.gsv", "{}")
    page.evaluate("player.canvas.style.width = '1920px'; player.canvas.style.height = '1280px';")
    page.wait("player.statistics.width === 1920")
    page.evaluate("player.playbackRate = 2; player.play();")
    page.wait("player.statistics.width < 1920")
    page.evaluate("player.resolution = 'source';")
    page.wait("player.statistics.width === 480")
