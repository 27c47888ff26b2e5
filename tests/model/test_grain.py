"""Tiles of grain: exact, of unit strength, with the kernel's spectrum, without seams, and bounded whatever is asked."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from gvideo.bitstream.headers import MAX_KERNEL, Grain
from gvideo.model.grain import SIDES, frame_offsets, tiles

WHITE = (63, 0, 0, 0, 0, 0, 0, 0, 0)
SOFT = (63, 30, 5, 30, 10, 0, 5, 0, -3)
FLAT = (16,) * 8


def autocorrelation(tile: np.ndarray, dy: int, dx: int) -> float:
    values = tile - tile.mean()
    return float((values * np.roll(values, (dy, dx), (0, 1))).mean() / values.var())


@pytest.mark.parametrize(
    ("seed", "kernel", "hashes"),
    [
        (0, WHITE, ("a834519e0da2b679", "85e574ad0618a507")),
        (255, (63, -30, 5, 30, 10, 0, 5, 0, -63), ("cf728610bfb6576e", "627e229df9aa1f11")),
    ],
)
def test_tiles_are_those_of_the_syntax(seed, kernel, hashes):
    found = tiles(Grain(seed, FLAT, kernel))
    assert tuple(hashlib.sha256(t.astype("<i2").tobytes()).hexdigest()[:16] for t in found) == hashes


def test_places_are_those_of_the_syntax():
    assert frame_offsets(0, 0) == ((0, 0), (120, 31))
    assert frame_offsets(0xFFFFFFFF, 4095) == ((125, 223), (103, 196))
    assert frame_offsets(123456789, 7) == ((239, 230), (145, 188))


@pytest.mark.parametrize("kernel", [WHITE, SOFT])
def test_strength_and_spectrum(kernel):
    whole = np.array(kernel).reshape(3, 3)[np.abs(np.arange(-2, 3))][:, np.abs(np.arange(-2, 3))].astype(float)
    padded = np.zeros((16, 16))
    padded[:5, :5] = whole
    wanted = np.fft.ifft2(np.abs(np.fft.fft2(padded)) ** 2).real
    for side, tile in zip(SIDES, tiles(Grain(7, FLAT, kernel)), strict=True):
        assert tile.shape == (side, side)
        values = tile.astype(float)
        assert values.std() == pytest.approx(90.5, rel=0.005)
        assert abs(values.mean()) < 2
        assert (values**4).mean() / values.var() ** 2 == pytest.approx(3, abs=0.25)  # nearly normal
        for dy, dx in ((0, 1), (1, 0), (1, 1), (2, 0), (0, 5)):
            assert autocorrelation(values, dy, dx) == pytest.approx(wanted[dy, dx] / wanted[0, 0], abs=0.02)
        # borders join as inner rows do
        inner = np.mean(values[:-1] * values[1:])
        assert np.mean(values[-1] * values[0]) == pytest.approx(inner, abs=5 * values.var() / side**0.5)


def test_seeds_differ():
    first, second = (tiles(Grain(seed, FLAT, WHITE))[0].astype(float) for seed in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("seed", [0, 255])
@pytest.mark.parametrize(
    "kernel",
    [(0,) * 9, (MAX_KERNEL,) * 9, (-MAX_KERNEL,) * 9, (0, 0, 0, 0, 0, 0, 0, 0, 1), (MAX_KERNEL, -MAX_KERNEL, 1) * 3],
)
def test_any_kernel_gives_bounded_tiles(seed, kernel):
    for tile in tiles(Grain(seed, FLAT, kernel)):
        assert np.abs(tile.astype(int)).max() <= 1023
        if any(kernel):
            assert tile.std() == pytest.approx(90.5, rel=0.04)
        else:
            assert not tile.any()
