"""Wide Gaussians on a grid of a quarter of the size: near what is drawn, and differentiated as they are drawn there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gvideo import raster
from gvideo.raster import cpu, cpu_grids
from gvideo.types import Splats

FRAMES = np.arange(2, dtype=np.int32)
WEIGHTS = np.array([1.0, 0.5, 0.25], np.float32)
SIZES = [(64, 64), (90, 70), (131, 67), (37, 21)]


def splats(seed: int, size: tuple[int, int], count: int = 24, least: float = 1.0, most: float = 20.0) -> Splats:
    """Gaussians of all sizes, half of them wide, over the edges of a picture too."""
    rng = np.random.default_rng(seed)
    return Splats(
        (rng.random((count, 2)) * (np.array(size) + 16) - 8).astype(np.float32),
        rng.normal(0, 1, (count, 2, 2)).astype(np.float32),
        np.log(rng.uniform(least, most, (count, 2))).astype(np.float32),
        (rng.random(count) * np.pi).astype(np.float32),
        rng.normal(0, 0.2, (count, 3)).astype(np.float32),
        rng.uniform(0, 2, count).astype(np.float32),
        rng.uniform(0, 0.5, count).astype(np.float32),
    )


def arguments(seed: int, size: tuple[int, int], **options: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed + 100)
    return {
        "splats": splats(seed, size, **options),
        "basis": np.eye(2, dtype=np.float32),
        "times": np.arange(2, dtype=np.float32),
        "targets": rng.normal(0, 0.2, (2, 3, size[1], size[0])).astype(np.float32),
        "frame_indices": FRAMES,
        "channel_weights": WEIGHTS,
    }


def picture(drawn: Splats, size: tuple[int, int]) -> np.ndarray:
    """What errors are of, seen through them: minus half the gradient by a target is the picture less the target."""
    pictures = np.empty((2, 3, size[1], size[0]))
    nothing = np.zeros((2, 3, size[1], size[0]), np.float32)
    for place in np.ndindex(size[1], size[0]):
        targets = nothing.copy()
        targets[:, :, *place] = 1
        ones, _ = cpu.loss_and_gradients_on_grids(
            drawn, np.eye(2, dtype=np.float32), np.arange(2, dtype=np.float32), targets, FRAMES, WEIGHTS
        )
        pictures[:, :, *place] = ones
    zeros, _ = cpu.loss_and_gradients_on_grids(
        drawn, np.eye(2, dtype=np.float32), np.arange(2, dtype=np.float32), nothing, FRAMES, WEIGHTS
    )
    return (zeros[:, :, None, None] + 1 - pictures) / 2


@pytest.mark.parametrize("size", [(24, 16), (21, 13)])
def test_what_is_drawn_is_near_the_picture(size):
    drawn = splats(1, size, count=8, least=5.5, most=14.0)
    wanted = raster.get_backend("cpu").render(
        drawn, np.eye(2, dtype=np.float32), np.arange(2, dtype=np.float32), raster.Viewport(*size)
    )
    difference = picture(drawn, size) - wanted
    assert np.abs(difference).max() < 1.0 / 255
    assert np.abs(difference).max() > 1e-5  # it was another way of drawing


@pytest.mark.parametrize("size", SIZES)
def test_errors_and_gradients_are_near_the_exact_ones(size):
    a = arguments(2, size, least=5.5)
    errors, gradients = cpu.loss_and_gradients(**a)
    near_errors, near = cpu.loss_and_gradients_on_grids(**a)
    np.testing.assert_allclose(near_errors, errors, rtol=1e-2)
    for name in ("means", "displacements", "log_scales", "amplitudes", "centres", "inverse_durations"):
        one, other = getattr(gradients, name), getattr(near, name)
        assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(one), name


@pytest.mark.parametrize("field", ["means", "displacements", "log_scales", "angles", "amplitudes", "inverse_durations"])
@pytest.mark.parametrize("size", [(64, 48), (45, 30)])
def test_gradients_are_finite_differences_of_the_errors(field, size):
    a = arguments(3, size, count=10, most=12.0)
    _, gradients = cpu.loss_and_gradients_on_grids(**a)
    wide = np.exp(a["splats"].log_scales.min(1)) >= cpu_grids.WIDE_SIGMA
    assert 0 < wide.sum() < len(wide)
    step, scale = 2e-3, float(np.abs(getattr(gradients, field)).max())

    def loss(values: np.ndarray) -> float:
        errors, _ = cpu.loss_and_gradients_on_grids(**(a | {"splats": replace(a["splats"], **{field: values})}))
        return float((errors * WEIGHTS).sum())

    here = getattr(a["splats"], field)
    for index in np.ndindex(here.shape):
        moved = [here.copy() for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        slope = (loss(moved[0]) - loss(moved[1])) / float(moved[0][index] - moved[1][index])
        assert getattr(gradients, field)[index] == pytest.approx(slope, rel=0.02, abs=0.02 * scale), index


def test_without_wide_gaussians_nothing_differs():
    a = arguments(4, (70, 50), most=4.0)
    errors, gradients = cpu.loss_and_gradients(**a)
    same_errors, same = cpu.loss_and_gradients_on_grids(**a)
    np.testing.assert_array_equal(errors, same_errors)
    for name in gradients.__slots__:
        np.testing.assert_array_equal(getattr(gradients, name), getattr(same, name))


def test_what_is_not_a_number_is_on_no_grid():
    a = arguments(5, (64, 48))
    for field in ("means", "log_scales", "angles", "amplitudes", "centres"):
        values = getattr(a["splats"], field).copy()
        values[3] = np.nan
        errors, gradients = cpu.loss_and_gradients_on_grids(**(a | {"splats": replace(a["splats"], **{field: values})}))
        assert np.isfinite(errors).all(), field
        assert np.isfinite(np.delete(gradients.means, 3, 0)).all(), field


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_for_any_number_of_threads(threads):
    a = arguments(6, (131, 67))
    wanted = cpu.loss_and_gradients_on_grids(**a)
    raster.set_num_threads(threads)
    try:
        found = cpu.loss_and_gradients_on_grids(**a)
    finally:
        raster.set_num_threads(None)
    np.testing.assert_array_equal(wanted[0], found[0])
    for name in wanted[1].__slots__:
        np.testing.assert_array_equal(getattr(wanted[1], name), getattr(found[1], name))


def test_weights_of_pixels_count_on_both_grids():
    a = arguments(7, (64, 48))
    whole = np.ones((2, 48, 64), np.float32)
    errors, gradients = cpu.loss_and_gradients_on_grids(**a)
    weighed_errors, weighed = cpu.loss_and_gradients_on_grids(**a, pixel_weights=2 * whole)
    np.testing.assert_allclose(weighed_errors, 2 * errors, rtol=1e-4)
    np.testing.assert_allclose(weighed.log_scales, 2 * gradients.log_scales, rtol=1e-3, atol=1e-3)
