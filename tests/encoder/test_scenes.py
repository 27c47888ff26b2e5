"""Segments: every frame once, cut where shots change and nowhere else, balanced within a shot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gvideo.encoder.scenes.score import difference, thumbnail
from gvideo.encoder.scenes.segmenter import Segmenter, TimedFrame
from gvideo.errors import OptionError
from gvideo.media import CodeFrame, VideoSource
from gvideo.types import SourceFrame

WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)


def as_frames(pictures: Iterator[np.ndarray] | list[np.ndarray], ticks: int = 1) -> Iterator[SourceFrame]:
    for index, picture in enumerate(pictures):
        planes = np.stack([picture @ WEIGHTS if picture.ndim == 3 else picture] * 3).astype(np.float32)
        yield SourceFrame(planes, index * ticks, ticks)


def lengths(frames: Iterator[SourceFrame], max_seconds: float = 10, timescale: int = 25) -> list[int]:
    return [len(segment) for segment in Segmenter(max_seconds, timescale=timescale).segments(frames)]


@pytest.mark.parametrize(
    ("name", "num_frames", "expected"),
    [
        ("shapes", 50, [50]),
        ("pan", 50, [50]),
        ("cut", 50, [25, 25]),
        ("flash", 50, [50]),
        ("fade", 60, [60]),
        ("fade", 21, [21]),
        ("noise", 40, [40]),
        ("sync", 50, [50]),
    ],
)
def test_synthetic_clips(synthetic: ModuleType, name: str, num_frames: int, expected: list[int]) -> None:
    assert lengths(as_frames(synthetic.CLIPS[name](num_frames, 90, 160))) == expected


@pytest.mark.parametrize("white", [{20}, {20, 21}, {20, 22, 24, 26}, {12, 13, 24, 25}])
def test_flashes_near_a_cut_leave_it_in_place(synthetic: ModuleType, white: set[int]) -> None:
    pictures = list(synthetic.cut(60, 90, 160))
    found = lengths(as_frames([np.ones_like(p) if k in white else p for k, p in enumerate(pictures)]))
    assert found == [30, 30]


def test_three_cuts_and_short_shots(synthetic: ModuleType) -> None:
    shots = [(11, 30), (12, 8), (13, 30), (14, 4), (15, 30)]
    pictures = [synthetic.texture(90, 160, seed) for seed, length in shots for _ in range(length)]
    # The last cut but one starts a shot of 4 frames (0.16 s): the cut that ends it comes too soon and is not taken.
    assert lengths(as_frames(pictures)) == [30, 8, 30, 34]


def test_cut_from_black_and_to_black(synthetic: ModuleType) -> None:
    scene = synthetic.texture(90, 160, 3)
    black = np.zeros_like(scene)
    assert lengths(as_frames([black] * 20 + [scene] * 20 + [black] * 20)) == [20, 20, 20]


def test_cross_dissolve_is_no_cut(synthetic: ModuleType) -> None:
    one, other = synthetic.texture(90, 160, 3), synthetic.texture(90, 160, 4)
    weights = np.clip((np.arange(60) - 20) / 20, 0, 1)
    assert lengths(as_frames([one * (1 - w) + other * w for w in weights])) == [60]


@pytest.mark.parametrize(
    ("num_frames", "max_seconds", "expected"),
    [(64, 2, [32, 32]), (60, 2, [60]), (61, 2, [30, 31]), (150, 2, [60, 45, 45]), (1, 2, [1]), (70, 0.5, None)],
)
def test_balance(num_frames: int, max_seconds: float, expected: list[int] | None) -> None:
    found = lengths(as_frames([np.full((16, 16), 0.5)] * num_frames), max_seconds, 30)
    assert found == expected if expected else max(found) <= 15
    assert min(found) >= min(num_frames, max_seconds * 15 - 1)


@given(
    steps=st.lists(st.integers(1, 40), min_size=1, max_size=120),
    cuts=st.sets(st.integers(1, 119), max_size=4),
    max_ticks=st.integers(20, 100),
)
@settings(max_examples=60, deadline=None)
def test_every_frame_once_and_no_segment_too_long(steps: list[int], cuts: set[int], max_ticks: int) -> None:
    rng = np.random.default_rng(0)
    shots = rng.random((6, 16, 16)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(steps)])
    frames, shot = [], 0
    for index, step in enumerate(steps):
        shot += index in cuts
        frames.append(SourceFrame(np.stack([shots[shot]] * 3), int(starts[index]), step))
    segments = list(Segmenter(max_ticks / 25, timescale=25).segments(iter(frames)))
    assert [frame.pts for segment in segments for frame in segment] == [frame.pts for frame in frames]
    for segment in segments:
        assert segment
        assert len(segment) == 1 or segment[-1].pts + segment[-1].duration - segment[0].pts <= max_ticks


def test_lookahead_is_bounded() -> None:
    """However long the shot, no more than two segments' worth of frames and the flash window are taken ahead."""
    taken = 0

    def endless() -> Iterator[SourceFrame]:
        nonlocal taken
        for frame in as_frames([np.full((16, 16), 0.5)] * 10000):
            taken += 1
            yield frame

    given_out = 0
    for segment in Segmenter(2, timescale=25).segments(endless()):
        given_out += len(segment)
        assert taken - given_out <= 2 * 50 + 20
        if given_out > 1000:
            break


def test_bad_lengths_are_option_errors() -> None:
    with pytest.raises(OptionError, match="segment length 0"):
        Segmenter(0, timescale=25)
    with pytest.raises(OptionError, match="least segment length"):
        Segmenter(1, 2, timescale=25)


def test_score_is_symmetric_and_zero_for_equals(synthetic: ModuleType) -> None:
    one = thumbnail((synthetic.texture(90, 160, 1) @ WEIGHTS).astype(np.float32))
    other = thumbnail((synthetic.texture(90, 160, 2) @ WEIGHTS).astype(np.float32))
    assert one.shape == (32, 64)
    assert difference(one, other) == difference(other, one) > 0.7
    assert difference(one, one) < 1e-6
    assert difference(one * 0.5, one) < 0.01
    codes = CodeFrame(*[np.full((4, 2000), 1023, np.uint16)] * 3, 0, 1, 10)
    frame: TimedFrame = codes
    assert Segmenter(1, timescale=25)._luma(frame)[1] == 1023
    assert thumbnail(codes.y, 1023).shape == (8, 64)
    assert thumbnail(codes.y, 1023).max() == 1


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("bikes_272p25.mp4", [30, 76, 137, 187, 242]),
        ("city_405p25.mpg", [116]),
        ("bbb_540p60.mp4", [31, 128, 293]),
        ("foreman_cif_300.mp4", []),
        ("room_vfr_720p.mp4", []),
    ],
)
def test_cuts_of_real_clips(real_clip: Callable[[str], Path], name: str, cuts: list[int]) -> None:
    with VideoSource(real_clip(name)) as source:
        segments = Segmenter(60, timescale=source.format.timescale).segments(source.code_frames())
        ends = np.cumsum([len(segment) for segment in segments]).tolist()
    assert ends[:-1] == cuts
