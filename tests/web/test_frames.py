"""Frame n in the page is frame n of VideoDecoder, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import join_units, make_stream, split_units

import gvideo

GOLDEN = Path(__file__).parents[1] / "golden"


def check(page: Any, decoder: gvideo.VideoDecoder, numbers: list[int]) -> None:
    for number in numbers:
        page.evaluate(f"await player.seekFrame({number});")
        assert page.evaluate("return player.currentFrame") == number
        page.assert_shows(decoder[number])


@pytest.mark.parametrize("name", ["cut", "pan", "shapes"])
def test_golden_streams(name: str, open_player: Callable[..., Any]) -> None:
    with gvideo.VideoDecoder(GOLDEN / f"{name}.gsv") as decoder:
        page = open_player(f"/golden/{name}.gsv")
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


def test_fifty_random_frames_of_many_segments(media: Path, open_player: Callable[..., Any]) -> None:
    durations = (40, 20, 7, 90, 1, 100, 3, 40, 40)
    made = make_stream(num_segments=12, num_frames=9, count=60, index=True, durations=durations)
    (media / "many.gsv").write_bytes(made.data)
    with gvideo.VideoDecoder(made.data) as decoder:
        page = open_player("/media/many.gsv")
        check(page, decoder, [int(n) for n in np.random.default_rng(1).integers(0, len(decoder), 50)])
