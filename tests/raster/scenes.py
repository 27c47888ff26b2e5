"""Gaussians for the raster tests: a table of named scenes, ordinary and extreme."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gvideo.types import Float32, Splats

FIELDS = ("means", "displacements", "log_scales", "angles", "amplitudes", "centres", "inverse_durations")


def splats_of(
    means: object,
    sigmas: object,
    *,
    angles: object = 0.0,
    amplitudes: object = (0.5, -0.2, 0.1),
    centres: object = 0.0,
    inverse_durations: object = 0.0,
    displacements: object = 0.0,
    control_points: int = 3,
) -> Splats:
    """Splats from broadcast values."""
    count = len(np.asarray(means))

    def spread(values: object, *shape: int) -> Float32:
        return np.array(np.broadcast_to(np.asarray(values, np.float32), (count, *shape)), order="C")

    return Splats(
        means=spread(means, 2),
        displacements=spread(displacements, control_points, 2),
        log_scales=np.log(spread(sigmas, 2)),
        angles=spread(angles),
        amplitudes=spread(amplitudes, 3),
        centres=spread(centres),
        inverse_durations=spread(inverse_durations),
    )


def random_splats(
    count: int,
    width: int,
    height: int,
    *,
    control_points: int = 3,
    smallest: float = 0.5,
    largest: float = 8.0,
    seed: int = 0,
) -> Splats:
    """Gaussians in and around a picture, moving, a third of them permanent."""
    rng = np.random.default_rng(seed)
    return splats_of(
        rng.uniform(-0.2, 1.2, (count, 2)) * (width, height),
        np.exp(rng.uniform(np.log(smallest), np.log(largest), (count, 2))),
        angles=rng.uniform(-4, 4, count),
        amplitudes=rng.normal(0, 0.3, (count, 3)),
        centres=rng.uniform(-1, 9, count),
        inverse_durations=rng.choice([0.0, 0.15, 0.6], count),
        displacements=rng.normal(0, 1.5, (count, control_points, 2)),
        control_points=control_points,
    )


def _thin_tilted() -> Splats:
    angles = np.linspace(0, np.pi, 13)
    return splats_of([(70.3, 50.8)] * 13, (40.0, 0.4), angles=angles, amplitudes=(0.3, 0.2, -0.1))


def _somewhere(count: int, side: float, seed: int) -> Float32:
    return np.random.default_rng(seed).uniform(0, side, (count, 2)).astype(np.float32)


def _off_screen() -> Splats:
    return splats_of([(-500, 20), (20, 500), (1e5, -1e5), (60, 20), (-9, -9)], (4.0, 3.0), angles=0.5)


def _huge() -> Splats:
    sigmas = [(3000, 2000), (1500, 900), (5000, 30)]
    return splats_of([(75, 45), (-900, 2000), (10, 10)], sigmas, angles=[0, 1, 0.3])


def _short_lives() -> Splats:
    return splats_of(_somewhere(30, 50, 9), 5.0, centres=np.linspace(-1, 8, 30), inverse_durations=2.0)


# name -> (width, height, Gaussians)
SCENES: dict[str, tuple[int, int, Callable[[], Splats]]] = {
    "random": (150, 101, lambda: random_splats(80, 150, 101)),
    "tile sized": (64, 64, lambda: random_splats(40, 64, 64, seed=1)),
    "one pixel": (1, 1, lambda: random_splats(20, 1, 1, seed=2)),
    "one row": (130, 1, lambda: random_splats(30, 130, 1, seed=3)),
    "one column": (1, 130, lambda: random_splats(30, 1, 130, seed=4)),
    "odd": (67, 65, lambda: random_splats(40, 67, 65, seed=5)),
    "empty": (33, 20, lambda: random_splats(0, 33, 20)),
    "one control point": (40, 30, lambda: random_splats(20, 40, 30, control_points=1, seed=6)),
    "sixteen control points": (40, 30, lambda: random_splats(20, 40, 30, control_points=16, seed=7)),
    "off screen": (50, 40, _off_screen),
    "huge": (150, 90, _huge),
    "tiny": (40, 40, lambda: splats_of(_somewhere(60, 40, 8), 0.3)),
    "on pixel": (9, 9, lambda: splats_of([(4, 4), (8, 0)], (1e-3, 1e-3))),
    "thin": (140, 100, _thin_tilted),
    "far needle": (140, 100, lambda: splats_of([(-300, -290), (400, 390)], (300.0, 0.5), angles=[0.77, 0.78])),
    "short lives": (60, 50, _short_lives),
}
NUM_FRAMES = 3


def frames_of(splats: Splats) -> tuple[Float32, Float32]:
    """Basis f32 [F,K] and times f32 [F]."""
    basis = np.random.default_rng(10).random((NUM_FRAMES, splats.displacements.shape[1]))
    return basis.astype(np.float32), np.array([0.0, 2.5, 6.0], np.float32)


def fit_arguments(splats: Splats, width: int, height: int):  # type: ignore[no-untyped-def]
    """Arguments of loss_and_gradients with targets of noise, frames out of order and unequal weights."""
    targets = np.random.default_rng(11).normal(0, 0.3, (4, 3, height, width)).astype(np.float32)
    return (splats, *frames_of(splats), targets, np.array([2, 0, 3], np.int32), np.array([1.0, 0.5, 0.25], np.float32))


def pixel_weights(width: int, height: int) -> Float32:
    """Weights f32 [4,H,W] for the targets of fit_arguments, over three orders of magnitude."""
    return np.exp(np.random.default_rng(12).uniform(-4, 3, (4, height, width))).astype(np.float32)
