"""Matrices, ranges and sampling, against the equations and against swscale."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gvideo.errors import MediaError
from gvideo.media import chroma_shape, code_values_to_planes, planes_to_code_values, planes_to_rgb
from gvideo.media.chroma import downsample, upsample
from gvideo.media.colour import code_scale, resolve_colour, ycbcr_from_rgb_matrix
from gvideo.types import ColourDescription, VideoFormat


@pytest.mark.parametrize(
    ("depth", "full", "expected"),
    [
        (8, False, (219, 16, 224, 128)),
        (10, False, (876, 64, 896, 512)),
        (8, True, (255, 0, 255, 128)),
        (10, True, (1023, 0, 1023, 512)),
    ],
)
def test_range(depth: int, full: bool, expected: tuple[int, int, int, int]) -> None:
    assert code_scale(depth, full) == expected


@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 8, 9, 10])
def test_matrix_maps_gray_to_luma_and_primaries_into_bounds(matrix: int) -> None:
    to_ycbcr = ycbcr_from_rgb_matrix(matrix)
    np.testing.assert_allclose(to_ycbcr @ [0.3, 0.3, 0.3], [0.3, 0, 0], atol=1e-12)
    corners = to_ycbcr @ np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1)
    assert abs(corners[1:]).max() <= 0.5 + 1e-12


def test_bt709_by_hand() -> None:
    assert ycbcr_from_rgb_matrix(1)[0] == pytest.approx([0.2126, 0.7152, 0.0722])
    assert ycbcr_from_rgb_matrix(1) @ [1, 0, 0] == pytest.approx([0.2126, -0.2126 / 1.8556, 0.5])


def test_unknown_matrix_is_an_error() -> None:
    with pytest.raises(MediaError, match="matrix 14"):
        resolve_colour(primaries=1, transfer=1, matrix=14, full_range=False, width=64, height=64)


@pytest.mark.parametrize(
    ("width", "height", "matrix"), [(1280, 544, 1), (720, 1280, 1), (1280, 720, 1), (720, 576, 6), (352, 288, 6)]
)
def test_unspecified_colour_follows_the_size(width: int, height: int, matrix: int) -> None:
    colour = resolve_colour(primaries=2, transfer=2, matrix=2, full_range=False, width=width, height=height)
    assert colour == ColourDescription(matrix, matrix, matrix, False)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_rgb_agrees_with_swscale(matrix: int, full: bool) -> None:
    """Smooth picture, 4:4:4: within 2 code values of FFmpeg's own conversion."""
    y, x = np.mgrid[0:48, 0:64]
    codes = [60 + x, 100 + y, 150 - x // 2]
    video_format = VideoFormat(64, 48, ColourDescription(1, 1, matrix, full), "444")
    frame = av.VideoFrame(64, 48, "yuv444p")
    for plane, code in zip(frame.planes, codes, strict=True):
        np.frombuffer(plane, np.uint8).reshape(48, -1)[:, :64] = code
    numbers = {1: 1, 6: 5, 9: 9}
    converted = frame.reformat(
        format="rgb24", src_colorspace=numbers[matrix], src_color_range=2 if full else 1, dst_color_range=2
    ).to_ndarray()
    planes = code_values_to_planes(*(code.astype(np.uint8) for code in codes), video_format)
    rgb = planes_to_rgb(planes, video_format.colour)
    assert abs(rgb.astype(int) - converted).max() <= 2
    np.testing.assert_array_equal(
        planes_to_rgb(planes, video_format.colour, channels_last=False), np.moveaxis(rgb, -1, 0)
    )


def test_rgb_keeps_leading_axes_and_clips() -> None:
    planes = np.zeros((2, 4, 3, 6, 5), np.float32)
    planes[0, :, 0], planes[1, :, 0] = 1.2, -0.2
    rgb = planes_to_rgb(planes, ColourDescription())
    assert rgb.shape == (2, 4, 6, 5, 3)
    assert (rgb[0] == 255).all()
    assert (rgb[1] == 0).all()


@given(
    width=st.integers(1, 33),
    height=st.integers(1, 21),
    chroma=st.sampled_from(["420", "422", "444"]),
    depth=st.sampled_from([8, 9, 10, 12, 14, 16]),
    full=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_codes_survive_the_way_to_planes_and_back(
    width: int, height: int, chroma: str, depth: int, full: bool, seed: int
) -> None:
    """Exact, but for the last chroma row of 4:2:0 of odd height (see chroma.py). Extremes clip nothing inside."""
    rng = np.random.default_rng(seed)
    video_format = VideoFormat(width, height, ColourDescription(full_range=full), chroma, depth)
    kind = np.uint8 if depth == 8 else np.uint16
    y = rng.integers(0, 1 << depth, (height, width)).astype(kind)
    cb, cr = rng.integers(0, 1 << depth, (2, *chroma_shape(height, width, chroma))).astype(kind)
    back = planes_to_code_values(code_values_to_planes(y, cb, cr, video_format), video_format)
    np.testing.assert_array_equal(back[0], y)
    rows = cb.shape[0] - (chroma == "420" and height % 2)
    np.testing.assert_array_equal(back[1][:rows], cb[:rows])
    np.testing.assert_array_equal(back[2][:rows], cr[:rows])


@pytest.mark.parametrize("chroma", ["420", "422"])
def test_sampling_keeps_a_ramp_in_place(chroma: str) -> None:
    """Left siting: chroma column j lies on luma column 2j, chroma row i between luma rows 2i and 2i+1."""
    y, x = np.mgrid[0:16, 0:20].astype(np.float32)
    full = 3 * x + 5 * y
    low = downsample(full, chroma)
    rows = 2 * np.arange(8) + 0.5 if chroma == "420" else np.arange(16)
    np.testing.assert_allclose(
        low[1:-1, 1:-1], (3 * 2 * np.arange(10)[None] + 5 * rows[:, None])[1:-1, 1:-1], rtol=1e-5
    )
    np.testing.assert_allclose(upsample(low, 16, 20, chroma)[3:-3, 3:-3], full[3:-3, 3:-3], rtol=1e-5)


def test_last_row_of_odd_height_is_near() -> None:
    y, x = np.mgrid[0:8, 0:10].astype(np.float32)
    small = np.sin(x / 3) + np.cos(y / 3)
    assert abs(downsample(upsample(small, 15, 19, "420"), "420") - small).max() < 0.05
