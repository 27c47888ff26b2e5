"""The quantiser's kernel against the compiled one of the CPU, whose derivations are a decoder's."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from fits import random_parameters
from interpreted import interpreted, load_kernels  # noqa: F401 (a fixture)

from gvideo.encoder.backends.cpu_quantise import quantise
from gvideo.encoder.gaussians.parameters import Parameters
from gvideo.encoder.gaussians.quantised import Geometry, Quantised
from gvideo.model.steps import StepRules
from gvideo.raster import cuda

load_kernels()
WIDTH, HEIGHT = 48, 36
#: What a stream holds of a Gaussian.
SYMBOLS = (
    "precision", "scale", "angle_index", "angle_bits", "duration", "centre_index", "exponent", "levels",
    "residual_levels",
)  # fmt: skip


def _both(p: Parameters, rules: StepRules, times: torch.Tensor, bias: float = 0.25) -> tuple[Quantised, Quantised]:
    """By the CPU's code, and by the kernel on the device, brought back."""
    from gvideo.encoder.backends.cuda_quantise import quantise_kernel

    where = cuda.device()
    there = Parameters({name: value.to(where) for name, value in p.values.items()}, p.trajectory.to(where))
    got = quantise_kernel(there, rules, Geometry(WIDTH, HEIGHT, times.numpy(), 2), bias, 1.0)
    return quantise(p, rules, Geometry(WIDTH, HEIGHT, times.numpy(), 2), bias, 1.0), got.cpu()


def _compare(wanted: Quantised, got: Quantised, share: float) -> None:
    """Symbols equal but in a share of ties, which an exponential function of another maker breaks otherwise."""
    num = len(wanted.mean)
    same = torch.ones(num, dtype=torch.bool)
    for name in SYMBOLS[:-1]:
        same &= (getattr(wanted, name) == getattr(got, name)).reshape(num, -1).all(1)
    same &= (wanted.levels == got.levels).all(1) & (wanted.residual_levels == got.residual_levels).reshape(num, -1).all(
        1
    )
    assert int((~same).sum()) <= share * num
    for field in fields(Quantised):
        a, b = getattr(wanted, field.name), getattr(got, field.name)
        assert a.dtype == b.dtype, field.name
        whole = field.name in ("theta", "control")
        torch.testing.assert_close(
            b if whole else b[same], a if whole else a[same], rtol=2e-6, atol=1e-6, msg=field.name
        )


@pytest.mark.parametrize(
    ("distortion", "num_frames", "control", "regular"), [(20, 20, 4, True), (56, 20, 9, False), (100, 1, 1, True)]
)
def test_the_kernel_finds_the_symbols_of_the_cpu(distortion, num_frames, control, regular):
    times = torch.arange(num_frames).float()
    if not regular:
        times[1:-1] += torch.rand(num_frames - 2, generator=torch.Generator().manual_seed(0)) * 0.8 - 0.4
    p = random_parameters(distortion, 2000, control, WIDTH, HEIGHT, num_frames)
    wanted, got = _both(p, StepRules(distortion), times)
    assert len(set(wanted.precision.tolist())) > 3
    assert 0 < int((wanted.duration == 31).sum()) < 2000
    _compare(wanted, got, 0.001)


def test_rules_of_a_header_are_kept():
    rules = StepRules(60, position=-9, angle=7, centre=-5, chroma=24, residual=-2, trajectory=-1)
    p = random_parameters(4, 300, 3, WIDTH, HEIGHT, 8)
    wanted, got = _both(p, rules, torch.arange(8).float(), -0.5)
    _compare(wanted, got, 0.001)
    plain, _ = _both(p, StepRules(60), torch.arange(8).float(), -0.5)
    for name in ("exponent", "angle_bits", "centre_index", "residual_step", "amplitude_step", "theta"):
        assert not torch.equal(getattr(plain, name), getattr(wanted, name)), name


def test_extreme_values_are_kept_in_range():
    """Scales, lives, centres and angles far outside; round Gaussians; amplitudes of zero."""
    p = random_parameters(5, 130, 3, WIDTH, HEIGHT, 8)
    generator = np.random.default_rng(6)
    for name, values in (("log_scale", [-50, 50, 0.3]), ("log_duration", [-40, 40, 1]), ("centre", [-1e4, 1e4, 3])):
        chosen = generator.choice(values, tuple(p.values[name].shape)).astype(np.float32)
        p.values[name] = torch.from_numpy(chosen)
    p.values["angle"] *= 100
    p.values["luma"][::3] = 0
    p.values["chroma"][::3] = 0
    wanted, got = _both(p, StepRules(50), torch.arange(8).float())
    _compare(wanted, got, 0.01)
    assert int((got.angle_bits == 0).sum()) > 0
    assert set(got.scale.min(1)[0].tolist()) >= {0}
    assert int(got.levels[::3].abs().sum()) == 0
    assert math.isclose(float(got.inverse_duration.min()), 0.0)


def test_no_gaussian_at_all_is_quantised():
    p = random_parameters(1, 0, 3, WIDTH, HEIGHT, 4)
    _, got = _both(p, StepRules(60), torch.arange(4).float())
    assert got.mean.shape == (0, 2)
    assert got.levels.shape == (0, 3)
