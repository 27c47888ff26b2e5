"""Frame n in the page is frame n of VideoDecoder, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import join_units, make_stream, split_units

import gvideo
from gvideo.bitstream.headers import Grain, SequenceHeader

GOLDEN = Path(__file__).parents[1] / "golden"


def check(page: Any, decoder: gvideo.VideoDecoder, numbers: list[int]) -> None:
    for number in numbers:
        page.evaluate(f"await player.seekFrame({number});")
        assert page.evaluate("return player.currentFrame") == number
        page.assert_shows(decoder[number])


def drawn_on(where: str) -> str:
    """Options of a player whose Gaussians are added up there. In a browser without a graphics card "auto" is the
    processor."""
    return f'{{resolution: "source", drawing: "{where}"}}'


WHERE = pytest.mark.parametrize("where", ["graphics", "processor"])


@WHERE
@pytest.mark.parametrize("name", ["cut", "pan", "shapes"])
def test_golden_streams(name: str, where: str, open_player: Callable[..., Any]) -> None:
    with gvideo.VideoDecoder(GOLDEN / f"{name}.gsv") as decoder:
        page = open_player(f"/golden/{name}.gsv", drawn_on(where))
        assert ("processor" in page.evaluate("return player.statistics.format")) == (where == "processor")
        assert page.evaluate("return player.numFrames") == len(decoder)
        assert page.evaluate("return player.duration") == pytest.approx(decoder.metadata.duration_seconds)
        check(page, decoder, [int(n) for n in np.random.default_rng(0).permutation(len(decoder))[:8]])


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_layers_of_different_distortions(layers: int, media: Path, open_player: Callable[..., Any]) -> None:
    made = make_stream(num_layers=3, count=90, layer_step=11)
    units = [u for n, u in enumerate(split_units(made.data)) if n == 0 or (n - 1) % 3 < layers]
    (media / "steps.gsv").write_bytes(join_units(units))
    with gvideo.VideoDecoder(made.data, layers=layers) as decoder:
        check(open_player("/media/steps.gsv"), decoder, [0, 7])


@WHERE
@pytest.mark.parametrize("rotation", [0, 90])
def test_grain(rotation: int, where: str, media: Path, open_player: Callable[..., Any]) -> None:
    grain = Grain(7, (20, 80, 160, 255, 160, 80, 40, 20), (63, 30, 4, -20, 9, 0, 0, 5, -6))
    sequence = SequenceHeader(300, 280, 1000, 40, rotation=rotation, grain=grain)
    durations = (40, 20, 7, 90, 1, 40)
    made = make_stream(width=300, height=280, sequence=sequence, num_layers=2, durations=durations, count=60)
    (media / "grain.gsv").write_bytes(made.data)
    page = open_player("/media/grain.gsv", drawn_on(where))
    for drawn in (True, False):
        page.evaluate(f"player.grain = {str(drawn).lower()};")
        with gvideo.VideoDecoder(made.data, grain=drawn) as decoder:
            for number in (9, 0, 4):
                page.evaluate(f"await player.seekFrame({number});")
                page.assert_shows(np.rot90(decoder[number], -rotation // 90, (1, 2)))


@WHERE
def test_grain_of_a_part_at_another_size(where: str, media: Path, open_player: Callable[..., Any]) -> None:
    grain = Grain(7, (200,) * 8, (63, 30, 4, -20, 9, 0, 0, 5, -6))
    made = make_stream(width=300, height=280, sequence=SequenceHeader(300, 280, 1000, 40, grain=grain), count=60)
    (media / "grain.gsv").write_bytes(made.data)
    page = open_player("/media/grain.gsv", drawn_on(where))
    page.evaluate("player.view = {x: 0.3, y: 0.25, width: 0.4, height: 0.4}; await player.seekFrame(3);")
    with gvideo.VideoDecoder(made.data) as decoder:
        region = (90.0, 70.0, 120.0, 112.0)
        page.assert_shows(decoder.get_pictures_at_ticks(decoder.pts[3:4].astype(float), (300, 280), region)[0])


def test_fifty_random_frames_of_many_segments(media: Path, open_player: Callable[..., Any]) -> None:
    durations = (40, 20, 7, 90, 1, 100, 3, 40, 40)
    made = make_stream(num_segments=12, num_frames=9, count=60, index=True, durations=durations)
    (media / "many.gsv").write_bytes(made.data)
    with gvideo.VideoDecoder(made.data) as decoder:
        page = open_player("/media/many.gsv")
        check(page, decoder, [int(n) for n in np.random.default_rng(1).integers(0, len(decoder), 50)])
