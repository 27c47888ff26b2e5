"""The reference's gradients against finite differences of its own loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scenes import FIELDS, splats_of

from gvideo.raster import reference
from gvideo.raster.interface import Viewport


@pytest.mark.parametrize("field", FIELDS)
def test_gradients_are_finite_differences(field, monkeypatch):
    # Without the cut the loss is smooth; float64 inputs are welcome to the reference and make differences exact.
    monkeypatch.setattr(reference, "SUPPORT_EXPONENT", 60.0)
    rng = np.random.default_rng(0)
    width, height = 14, 11
    splats = splats_of(
        rng.uniform(3, 9, (3, 2)), rng.uniform(1, 2, (3, 2)), angles=rng.uniform(0, 3, 3),
        amplitudes=rng.normal(0, 1, (3, 3)), centres=rng.uniform(0, 3, 3), inverse_durations=[0.0, 0.3, 0.7],
        displacements=rng.normal(0, 1, (3, 2, 2)), control_points=2,
    )  # fmt: skip
    splats = dataclasses.replace(splats, **{name: getattr(splats, name).astype(np.float64) for name in FIELDS})
    basis, times = rng.random((2, 2)), np.array([0.5, 2.0])
    targets = rng.normal(0, 1, (2, 3, height, width))
    weights = np.array([1.0, 0.5, 0.25])

    def loss(changed):
        view = Viewport(width, height)
        residuals = [reference.render_frame(changed, basis[f], times[f], view) - targets[f] for f in range(len(times))]
        return sum((weights * (residual**2).sum(axis=(1, 2))).sum() for residual in residuals)

    _, gradients = reference.loss_and_gradients(splats, basis, times, targets, np.arange(2, dtype=np.int32), weights)
    values = getattr(splats, field)
    step = 1e-5
    for index in np.ndindex(values.shape):
        shift = np.zeros_like(values)
        shift[index] = step
        up = loss(dataclasses.replace(splats, **{field: values + shift}))
        down = loss(dataclasses.replace(splats, **{field: values - shift}))
        assert getattr(gradients, field)[index] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)
