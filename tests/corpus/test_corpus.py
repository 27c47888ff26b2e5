"""Every odd input gives what README.md says: times, pictures, format, and what is said about it."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from corpus.odd_inputs import INPUTS, readme
from corpus.registry import OddInput
from corpus.writing import ffmpeg, level

from gvideo.errors import GVideoError
from gvideo.media import VideoSource, code_values_to_planes, planes_to_rgb

BY_NAME = {each.name: each for each in INPUTS}


@pytest.mark.parametrize("odd", INPUTS, ids=BY_NAME)
def test_outcome(odd: OddInput, tmp_path: Path) -> None:
    path, want = tmp_path / odd.name, odd.outcome
    odd.make(path)
    if want.error:
        with pytest.raises(GVideoError, match=want.error) as caught:
            list(VideoSource(path, **want.options))  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        return
    with VideoSource(path, **want.options) as source:  # type: ignore[arg-type]
        fmt, frames = source.format, list(source.code_frames())
        notes = source.notes
        again = [frame.pts for frame in source.code_frames()]
    assert [frame.pts / fmt.timescale for frame in frames] == pytest.approx(list(want.times), abs=5e-4)
    assert again == [frame.pts for frame in frames]
    if want.last is not None:
        assert frames[-1].duration / fmt.timescale == pytest.approx(want.last, abs=5e-4)
    assert (fmt.width, fmt.height, fmt.chroma_format) == (*want.size, want.chroma_format)
    assert (fmt.bit_depth, fmt.rotation) == (want.bit_depth, want.rotation)
    if want.colour is not None:
        c = fmt.colour
        assert (c.primaries, c.transfer, c.matrix, c.full_range) == want.colour
    if want.frames is not None:
        means = [float(frame.y.mean()) / 2 ** (fmt.bit_depth - 8) for frame in frames]
        assert means == pytest.approx([level(number) for number in want.frames], abs=2)
        assert max(int(np.ptp(frame.y)) >> (fmt.bit_depth - 8) for frame in frames) <= 4
    assert len(notes) == len(want.notes), notes
    for pattern in want.notes:
        assert any(re.search(pattern, note) for note in notes), (pattern, notes)
    assert notes == source.notes  # a second pass has nothing new to say


LOSSES = [name for name, each in BY_NAME.items() if "refused with --strict" in each.expected]


@pytest.mark.parametrize("name", LOSSES)
def test_strict_refuses_what_lacks_frames(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    BY_NAME[name].make(path)
    with pytest.raises(GVideoError, match=r"; refused by --strict$") as caught:
        VideoSource(path, strict=True)
    assert re.search(BY_NAME[name].outcome.notes[0].lstrip("^"), str(caught.value))


def test_strict_lets_everything_else_pass(tmp_path: Path) -> None:
    for name in ("restart.ts", "clear.png", "phone.mp4"):
        BY_NAME[name].make(tmp_path / name)
        with VideoSource(tmp_path / name, strict=True) as source:
            assert len(list(source.code_frames())) == len(BY_NAME[name].outcome.times)


@pytest.mark.parametrize("name", [each.name for each in INPUTS if each.kind == "Orientation"])
def test_orientations_are_those_that_ffmpeg_shows(name: str, tmp_path: Path) -> None:
    path, shown = tmp_path / name, tmp_path / "shown.png"
    BY_NAME[name].make(path)
    ffmpeg("-i", path, "-frames:v", "1", "-sws_flags", "accurate_rnd+full_chroma_int+bilinear", shown)
    with av.open(str(shown)) as picture:
        expected = next(picture.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    with VideoSource(path) as source:
        frame = next(source.code_frames())
        upright = np.rot90(frame.y, -source.format.rotation // 90)
        rgb = planes_to_rgb(code_values_to_planes(*frame.planes, source.format), source.format.colour)
        turned = np.rot90(rgb, -source.format.rotation // 90)
    assert upright.shape == expected.shape[:2]
    assert np.abs(turned.astype(int) - expected).mean() < 6  # other chroma filters; a wrong orientation is over 60


def test_the_list_is_the_scripts(tmp_path: Path) -> None:
    assert (Path(__file__).parent / "README.md").read_text() == readme()
