"""The kernels of planes give the codes that OpenCV's sums, rounding and filters give, bit for bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gvideo.media import kernels, planes_to_rgb
from gvideo.media.chroma import downsample
from gvideo.media.colour import ycbcr_from_rgb_matrix
from gvideo.types import ColourDescription

SIZES = [(1, 4), (48, 64), (45, 80), (17, 36)]


def planes_of(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height * width)
    planes = rng.normal(0, 0.4, (3, height, width)).astype(np.float32)
    planes[0] = rng.random((height, width)) * 1.4 - 0.2  # beyond both ends
    planes[:, height // 2 :] = np.round(planes[:, height // 2 :] * 510) / 510  # and half-way between codes
    return planes


@pytest.mark.parametrize("matrix", [1, 6, 8, 9])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_colour(height, width, matrix):
    planes = planes_of(height, width)
    rows = 255 * np.linalg.inv(ycbcr_from_rgb_matrix(matrix))
    rows[np.abs(rows) < 1e-9] = 0
    expected = []
    for wy, wb, wr in rows:
        chroma = cv2.addWeighted(planes[2], wr, planes[1], wb, 0)
        expected.append(cv2.addWeighted(planes[0], wy, chroma, 1.0, 0, dtype=cv2.CV_8U))
    colour = ColourDescription(matrix=matrix)
    np.testing.assert_array_equal(planes_to_rgb(planes, colour, channels_last=False), expected)
    np.testing.assert_array_equal(planes_to_rgb(planes, colour), np.moveaxis(expected, 0, -1))


@pytest.mark.parametrize(("scale", "offset", "depth"), [(219, 16, 8), (224, 128, 8), (1023, 0, 10), (65535, 0, 16)])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_codes(height, width, scale, offset, depth):
    plane = planes_of(height, width)[0]
    kind, type_of = (np.uint8, cv2.CV_8U) if depth == 8 else (np.uint16, cv2.CV_16U)
    found, peak = np.empty((height, width), kind), (1 << depth) - 1
    kernels.codes_of(plane, np.float32(scale), np.float32(offset), np.float32(peak), found)
    expected = np.minimum(cv2.addWeighted(plane, scale, plane, 0, offset, dtype=type_of), peak)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_chroma(height, width):
    plane, taps = planes_of(height, width)[1], np.array([-1, 2, 6, 2, -1], np.float32) / 8
    filtered = cv2.sepFilter2D(plane, cv2.CV_32F, taps, np.ones(1, np.float32), borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(downsample(plane, "422"), filtered[:, ::2])
    padded = np.pad(plane, ((1, 1 + height % 2), (0, 0)), mode="edge")
    rows = cv2.addWeighted(padded[1:-1:2] + padded[2:-1:2], 0.75, padded[:-2:2] + padded[3::2], -0.25, 0)
    filtered = cv2.sepFilter2D(rows, cv2.CV_32F, taps, np.ones(1, np.float32), borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(downsample(plane, "420"), filtered[:, ::2])
    assert downsample(plane, "444") is plane
