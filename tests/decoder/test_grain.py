"""Grain over decoded frames: the values of the syntax, at any order, size and moment; off where it is not wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streams import make_stream, split_units

from gvideo import VideoDecoder
from gvideo.bitstream import units
from gvideo.bitstream.headers import Grain, SequenceHeader
from gvideo.model.grain import SIDES, frame_offsets, tiles

GRAIN = Grain(5, (10, 40, 80, 120, 120, 80, 60, 0), (63, 20, 0, 20, 8, 0, 0, 0, 0))
SIZE = (96, 64)
PLAIN = SequenceHeader(*SIZE, 1000, 40)
DURATIONS = (40, 20, 7, 90, 1, 40)


def stream(grain: Grain | None, num_layers: int = 1) -> bytes:
    sequence = SequenceHeader(*SIZE, 1000, 40, grain=grain)
    made = make_stream(
        width=SIZE[0], height=SIZE[1], sequence=sequence, num_segments=2, num_layers=num_layers, durations=DURATIONS
    )
    return made.data


@pytest.fixture(scope="module")
def data() -> bytes:
    return stream(GRAIN)


def expected(data: bytes, number: int) -> np.ndarray:
    """Luma of a frame by the equations of the syntax."""
    segments = [payload for kind, payload in split_units(data) if kind == units.SEGMENT]
    segment, frame = divmod(number, len(DURATIONS))
    places = frame_offsets(units.checksum(units.SEGMENT, segments[segment]), frame)
    grain = np.zeros((SIZE[1], SIZE[0]), int)
    for tile, side, (x, y) in zip(tiles(GRAIN), SIDES, places, strict=True):
        grain += tile[(np.arange(SIZE[1])[:, None] + y) % side, (np.arange(SIZE[0]) + x) % side]
    luma = VideoDecoder(data, grain=False).planes_at([number])[0, 0].astype(float)
    strength = np.interp(luma, (np.arange(8) + 0.5) / 8, GRAIN.strengths)
    return luma + strength * grain / 2**19


def test_frames_are_those_of_the_syntax(data):
    decoder = VideoDecoder(data)
    for number in (7, 0, 11, 3):
        np.testing.assert_allclose(decoder.planes_at([number])[0, 0], expected(data, number), atol=2e-6)


def test_grain_takes_nothing_else_with_it(data):
    plain = VideoDecoder(stream(None))
    without, drawn = VideoDecoder(data, grain=False), VideoDecoder(data)
    np.testing.assert_array_equal(without.planes_at(range(12)), plain.planes_at(range(12)))
    np.testing.assert_array_equal(drawn.planes_at(range(12))[:, 1:], plain.planes_at(range(12))[:, 1:])
    assert not np.array_equal(drawn[0], plain[0])


def test_every_frame_has_its_own_grain_in_any_order(data):
    decoder = VideoDecoder(data)
    all_at_once = decoder.planes_at(range(12))
    noise = all_at_once[:, 0] - VideoDecoder(data, grain=False).planes_at(range(12))[:, 0]
    together = np.corrcoef(noise.reshape(12, -1))
    assert np.abs(together - np.eye(12)).max() < 0.15
    for number in (11, 2, 6, 2):
        np.testing.assert_array_equal(VideoDecoder(data).planes_at([number])[0], all_at_once[number])
    at_ticks = decoder.planes_at_ticks(decoder.pts.astype(float))
    np.testing.assert_array_equal(at_ticks, all_at_once)
    np.testing.assert_array_equal(decoder.get_pictures_at_ticks(decoder.pts.astype(float), SIZE), decoder[:])


def test_between_frames_it_is_that_of_the_frame_on_screen(data):
    moments = np.array([30.0, 59.0, 66.0])  # frames of lengths 40, 20, 7
    noise = VideoDecoder(data).planes_at_ticks(moments) - VideoDecoder(data, grain=False).planes_at_ticks(moments)
    frames = VideoDecoder(data).planes_at([0, 1, 2]) - VideoDecoder(data, grain=False).planes_at([0, 1, 2])

    def alike(k: int, n: int) -> float:
        return float(np.corrcoef(noise[k, 0].ravel(), frames[n, 0].ravel())[0, 1])

    assert min(alike(k, k) for k in range(3)) > 0.95
    assert max(alike(0, 1), alike(1, 2)) < 0.2


def test_the_first_layers_show_the_same_grain():
    flat = Grain(GRAIN.seed, (80,) * 8, GRAIN.kernel)
    data = stream(flat, num_layers=3)
    shown, plain = (VideoDecoder(data, layers=1, grain=g).planes_at([4]) for g in (True, False))
    whole = [VideoDecoder(data, grain=g).planes_at([4]) for g in (True, False)]
    np.testing.assert_allclose(shown - plain, whole[0] - whole[1], atol=1e-6)


def test_a_part_of_the_picture_shows_its_part_of_the_grain(data):
    decoder, moment = VideoDecoder(data, dimension_order="NHWC"), np.array([0.0])
    whole = decoder.get_pictures_at_ticks(moment, SIZE)
    part = decoder.get_pictures_at_ticks(moment, (40, 32), (30.0, 20.0, 40.0, 32.0))
    assert np.abs(part.astype(int) - whole[:, 20:52, 30:70]).max() <= 1


@pytest.mark.parametrize(("factor", "ratio"), [(0.25, 0.25), (0.5, 0.5), (2, 0.62)])
def test_other_sizes_show_it_weaker_as_a_resampled_picture_would(factor, ratio):
    data = stream(Grain(5, (80,) * 8, (63, 0, 0, 0, 0, 0, 0, 0, 0)))
    size = (round(factor * SIZE[0]), round(factor * SIZE[1]))
    noise = [VideoDecoder(data, size=size, grain=g).planes_at(range(6))[:, 0] for g in (True, False)]
    assert (noise[0] - noise[1]).std() * 4096 == pytest.approx(80 * ratio, rel=0.08)


def test_published_segments_and_files_agree(data, tmp_path: Path):
    from packager.package import Extras, open_rungs, package_streams
    from packager.sink import open_sink

    (tmp_path / "a.gsv").write_bytes(data)
    package_streams(open_rungs([tmp_path / "a.gsv"]), open_sink(str(tmp_path / "out")), Extras(None, (), (), False, ""))
    published, file = VideoDecoder(tmp_path / "out"), VideoDecoder(data)
    assert published.stream.header.grain == GRAIN
    for number in (9, 1):
        np.testing.assert_array_equal(published[number], file[number])
