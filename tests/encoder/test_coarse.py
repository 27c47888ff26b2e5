"""Gaussians at a fraction of the size against what they stand for: means of blocks of the whole picture."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from gvideo import raster
from gvideo.encoder.backends import cpu_coarse
from gvideo.raster.interface import SplatGradients
from gvideo.types import Splats

SIDE = 64


def _splats(sigma: float, dtype: type = np.float32) -> Splats:
    rng = np.random.default_rng(0)
    n = 6
    arrays = (
        rng.uniform(20, 44, (n, 2)), rng.uniform(-2, 2, (n, 1, 2)), np.log(sigma) + rng.uniform(-0.2, 0.2, (n, 2)),
        rng.uniform(0, 3, n), rng.uniform(-1, 1, (n, 3)), rng.uniform(-1, 1, n), rng.uniform(0, 0.2, n),
    )  # fmt: skip
    return Splats(*(a.astype(dtype) for a in arrays))


def _drawn(splats: Splats, side: int) -> np.ndarray:
    one, zero = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    return raster.get_backend("cpu").render(splats, one, zero, raster.Viewport(side, side))


@pytest.mark.parametrize(("sigma", "halvings"), [(3.0, 1), (6.0, 1), (6.0, 2)])
def test_small_pictures_are_means_of_blocks(sigma: float, halvings: int):
    """As exact as the floor that is taken off Gaussians allows; without the blur of the blocks three times as far."""
    splats = _splats(sigma)
    wanted = cpu_coarse.shrink(_drawn(splats, SIDE), halvings)
    small = cpu_coarse.shrink_splats(splats, halvings)
    off = np.abs(_drawn(small, SIDE >> halvings) - wanted).max()
    narrow = splats.log_scales - halvings * np.float32(np.log(2))
    sharp = replace(small, log_scales=narrow, amplitudes=splats.amplitudes)
    assert off < 0.01 * np.abs(wanted).max()
    assert off < np.abs(_drawn(sharp, SIDE >> halvings) - wanted).max() / 3


@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_chain_rule_is_that_of_shrinking(halvings: int):
    splats = _splats(2.0, np.float64)
    small = cpu_coarse.shrink_splats(splats, halvings)
    rng = np.random.default_rng(1)
    names = [f.name for f in fields(SplatGradients)]
    weights = {name: rng.normal(size=getattr(small, name).shape) for name in names}
    gradients = SplatGradients(*(weights[name].copy() for name in names))
    cpu_coarse.chain_to_full_size(gradients, small, splats, halvings)

    def total(changed: Splats) -> float:
        shrunk = cpu_coarse.shrink_splats(changed, halvings)
        return float(sum((weights[name] * getattr(shrunk, name)).sum() for name in names))

    for name in names:
        value, got = getattr(splats, name), getattr(gradients, name)
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = 1e-5
            slope = total(replace(splats, **{name: value + step})) - total(replace(splats, **{name: value - step}))
            assert got[index] == pytest.approx(slope / 2e-5, rel=1e-4, abs=1e-6), (name, index)
