"""The eight orientations of a display matrix, and flips that leave chroma where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from gvideo.media import chroma_shape, code_values_to_planes, planes_to_code_values
from gvideo.media.reading.orientation import Orientation, flipped, orientation_of_matrix
from gvideo.types import VideoFormat

ONE = 1 << 16


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "flip", "rotation"),
    [
        (1, 0, 0, 1, "none", 0),
        (0, 1, -1, 0, "none", 90),
        (-1, 0, 0, -1, "none", 180),
        (0, -1, 1, 0, "none", 270),
        (1, 0, 0, -1, "rows", 0),
        (-1, 0, 0, 1, "columns", 0),
        (0, 1, 1, 0, "rows", 90),
        (0, -1, -1, 0, "rows", 270),
    ],
)
def test_all_eight(a: int, b: int, c: int, d: int, flip: str, rotation: int) -> None:
    matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE]
    found = orientation_of_matrix(matrix)
    assert (found.flip, found.rotation) == (flip, rotation)
    # what is done to a picture is what the matrix says: pixel (x, y) lands on (a x + c y, b x + d y)
    picture = np.arange(12).reshape(3, 4)
    moved = {(a * x + c * y, b * x + d * y): picture[y, x] for y in range(3) for x in range(4)}
    left, top = min(x for x, _ in moved), min(y for _, y in moved)
    shown = picture[::-1] if flip == "rows" else picture[:, ::-1] if flip == "columns" else picture
    shown = np.rot90(shown, -rotation // 90)
    assert all(shown[y - top, x - left] == value for (x, y), value in moved.items())


def test_angles_go_to_the_nearest_quarter() -> None:
    cos, sin = round(ONE * np.cos(np.radians(80))), round(ONE * np.sin(np.radians(80)))
    assert orientation_of_matrix([cos, sin, 0, -sin, cos]) == Orientation("none", 90)


@pytest.mark.parametrize("flip", ["rows", "columns"])
@pytest.mark.parametrize("chroma_format", ["420", "422", "444"])
@pytest.mark.parametrize("size", [(16, 12), (15, 11)])
def test_flips_mirror_the_whole_picture(flip: str, chroma_format: str, size: tuple[int, int]) -> None:
    """Luma exactly; colour at the places of luma to the rounding of codes, on a picture that changes slowly."""
    width, height = size
    fmt = VideoFormat(width, height, chroma_format=chroma_format)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = np.stack([0.2 + 0.03 * x, 0.015 * x - 0.1, 0.02 * y - 0.1]).astype(np.float32)
    codes = planes_to_code_values(planes, fmt)
    found = flipped(codes, Orientation(flip, 0), fmt)  # type: ignore[arg-type]
    axis = 0 if flip == "rows" else 1
    np.testing.assert_array_equal(found[0], np.flip(codes[0], axis))
    assert found[1].shape == chroma_shape(height, width, chroma_format)
    expected = np.flip(code_values_to_planes(*codes, fmt), axis + 1)
    inside = (slice(1, 3), slice(3, -3), slice(3, -3))
    difference = np.abs(code_values_to_planes(*found, fmt) - expected)[inside]
    assert difference.max() <= 1.5 / 224
