"""The quantiser in training (tensors) against what a decoder makes of the symbols (integers and NumPy)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from fits import random_parameters
from streams import make_stream, random_symbols

from gvideo.bitstream import headers
from gvideo.decoder.rendering.segment import frame_times
from gvideo.encoder.backends.cpu_quantise import quantise
from gvideo.encoder.gaussians import pack
from gvideo.encoder.gaussians.parameters import Parameters
from gvideo.encoder.gaussians.quantised import Geometry
from gvideo.model import motion, quantize, steps
from gvideo.model import symbols as sym
from gvideo.model.steps import StepRules
from gvideo.types import Splats


@pytest.mark.parametrize("num_frames", [1, 2, 7, 50])
@pytest.mark.parametrize("distortion", [20, 56, 90])
def test_a_decoder_holds_the_values_that_were_trained(num_frames, distortion):
    width, height, num_control, cell_bits = 90, 50, 4, 2
    rules = StepRules(distortion)
    ticks = np.concatenate([[0], np.cumsum(np.random.default_rng(0).integers(1, 9, num_frames))])
    times = frame_times(ticks)
    p = random_parameters(distortion + num_frames, 400, num_control, width, height, num_frames)
    geometry = Geometry(width, height, times.astype(np.float32), cell_bits)
    q = quantise(p, rules, geometry, 0.0, 1.0)
    trajectory = p.trajectory.numpy()
    symbols = pack.pack(q, trajectory, (0, 512, 512), width, height, cell_bits)
    got = quantize.dequantise(symbols, rules, width, height, times)

    features = motion.normalised(q.mean.numpy().astype(np.float64), width, height)
    moved = np.einsum("nkcf,nf->nkc", q.theta.numpy()[trajectory].astype(np.float64), features)
    wanted = Splats(
        q.mean.numpy(), (moved + q.residual.numpy()).astype(np.float32), q.log_scale.numpy(), q.angle.numpy(),
        q.amplitude.numpy(), q.centre.numpy(), q.inverse_duration.numpy(),
    )  # fmt: skip
    order = match(got, wanted)
    swapped = wanted.log_scales[:, 0] < wanted.log_scales[:, 1]
    scales = np.where(swapped[:, None], wanted.log_scales[:, ::-1], wanted.log_scales)
    np.testing.assert_allclose(got.means, wanted.means[order], atol=1e-4)
    np.testing.assert_allclose(got.log_scales, scales[order], atol=1e-5)
    np.testing.assert_allclose(got.displacements, wanted.displacements[order], atol=2e-3)
    # the encoder reads the sums of lives, whose root these are over, from a table
    np.testing.assert_allclose(got.amplitudes, wanted.amplitudes[order], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got.inverse_durations, wanted.inverse_durations[order], rtol=1e-6)
    alive = got.inverse_durations > 0
    np.testing.assert_allclose(got.centres[alive], wanted.centres[order][alive], rtol=1e-6, atol=1e-4)
    angle = wanted.angles + np.where(swapped, np.pi / 2, 0)
    difference = np.abs(np.exp(2j * got.angles.astype(float)) - np.exp(2j * angle[order].astype(float)))
    assert difference.max() < 1e-4


def match(got: Splats, wanted: Splats) -> np.ndarray:
    """For each decoded Gaussian the index of the trained one; packing sorts them, so compare keys of all values."""
    rows = np.lexsort(
        (got.amplitudes[:, 1], got.amplitudes[:, 0].round(5), got.means[:, 1].round(3), got.means[:, 0].round(3))
    )
    order = np.lexsort(
        (
            wanted.amplitudes[:, 1],
            wanted.amplitudes[:, 0].round(5),
            wanted.means[:, 1].round(3),
            wanted.means[:, 0].round(3),
        )
    )
    result = np.empty(len(rows), int)
    result[rows] = order
    return result


def test_symbols_stay_within_their_bits():
    p = random_parameters(3, 500, 3, 64, 64, 20)
    geometry = Geometry(64, 64, np.arange(20, dtype=np.float32), 2)
    for distortion in (0, 56, 120):
        rules = StepRules(distortion)
        table = pack.pack(quantise(p, rules, geometry, 0.0, 1.0), p.trajectory.numpy(), (0, 0, 0), 64, 64, 2).table
        derived = quantize.derive(table, rules, 2, 20)
        assert (table[:, sym.ANGLE] < 1 << derived.angle_bits).all()
        assert (table[:, sym.CENTRE] < 1 << derived.centre_bits).all()
        assert (table[:, sym.RATIO] <= table[:, sym.SCALE]).all()
        assert (table[:, :2] % (1 << (derived.exponent + 4)) == 0).all()
        assert (table[:, : sym.LUMA] >= 0).all()


def test_derivations_of_tensors_and_integers_agree():
    """steps.py one by one against the vectors of quantise(): the two spellings of the same rules."""
    rules = StepRules(56)
    table = random_symbols(np.random.default_rng(0), 64, 64, count=300, num_frames=30).table
    derived = quantize.derive(table, rules, 2, 30)
    r = rules.as_array()
    for row, (scale, exponent, angle, centre) in enumerate(
        zip(derived.scale, derived.exponent, derived.angle_bits, derived.centre_bits, strict=True)
    ):
        precision = int(table[row, sym.PRECISION])
        step = 16 >> min(precision, 4)
        assert steps.scale_step(precision) == step
        assert scale[0] == table[row, sym.SCALE] * step
        ratio = scale[0] - scale[1]
        assert angle == steps.angle_bits(r, precision, ratio)
        for axis in range(2):
            wider = steps.widening(ratio, table[row, sym.ANGLE], angle, axis)
            expected = (int(scale[1]) + wider + steps.SCALE_ORIGIN + rules.position) // 16 - precision
            assert exponent[axis] == min(max(expected, -4), 2)
            assert exponent[axis] == steps.position_exponent(r, precision, scale[1], wider, 2)
        assert centre == steps.centre_bits(r, precision, table[row, sym.DURATION], 30)


@pytest.mark.parametrize("num_control", range(1, 17))
def test_basis_is_a_partition_of_one(num_control):
    b = motion.basis(np.linspace(-3, 60, 99), 50, num_control)
    np.testing.assert_allclose(b.sum(1), 1, atol=1e-6)
    assert (b >= 0).all()
    ends = motion.basis([0, 49], 50, num_control)
    assert ends[0, 0] == 1
    assert ends[1, -1] == 1


def test_basis_is_scipys():
    from scipy.interpolate import BSpline

    for num_control in (4, 5, 9, 16):
        inner = np.linspace(0, 49, num_control - 2)
        knots = np.concatenate([[0] * 3, inner, [49] * 3])
        times = np.linspace(0, 49, 77)
        wanted = BSpline.design_matrix(np.minimum(times, 49 - 1e-9), knots, 3).toarray()
        np.testing.assert_allclose(motion.basis(times, 50, num_control), wanted, atol=1e-6)


@pytest.mark.parametrize(("num_control", "refinement"), [(1, 1), (7, 1), (4, 2), (4, 9), (7, 5), (20, 3)])
def test_refined_control_points_are_those_of_the_same_spline(num_control, refinement):
    times = np.linspace(0, 30, 301)
    matrix = motion.refinement_matrix(num_control, refinement)
    count = headers.refined_count(num_control, refinement)
    assert matrix.shape == (count, num_control)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)
    finer = motion.basis(times, 31, count) @ matrix
    np.testing.assert_allclose(finer, motion.basis(times, 31, num_control), atol=1e-6)


@pytest.mark.parametrize(("num_control", "refinement"), [(1, 1), (2, 1), (5, 3)])
def test_displacements_are_trajectories_and_refined_residuals(num_control, refinement):
    """SYNTAX.md §8.2, written as sums over whole arrays."""
    rules, times = StepRules(56), np.arange(9.0)
    symbols = random_symbols(
        np.random.default_rng(3), 48, 32, count=80, num_frames=9, num_control=num_control, refinement=refinement
    )
    assert 0 < np.count_nonzero(symbols.residual.any(1)) < 80
    got = quantize.dequantise(symbols, rules, 48, 32, times)
    step = np.exp2(quantize.derive(symbols.table, rules, 2, 9).exponent) * 2.0**rules.residual
    own = symbols.residual.reshape(80, num_control, 2) * step[:, None]
    own = np.einsum("kj,njc->nkc", motion.refinement_matrix(num_control, refinement), own)
    theta = quantize.trajectories(symbols.control, rules)[symbols.table[:, sym.TRAJECTORY]]
    moved = np.einsum("nkcf,nf->nkc", theta, motion.normalised(got.means.astype(float), 48, 32))
    np.testing.assert_allclose(got.displacements, moved + own, atol=1e-4)


def test_layers_have_steps_of_their_own():
    """Sixteen eighths of an octave of D are half the step; symbols and all else stay."""
    plain, finer = (make_stream(num_segments=1, num_layers=3, count=60, layer_step=step) for step in (0, 16))
    rules, times = StepRules(56), np.arange(6.0)
    alike, own = (quantize.dequantise(m.symbols[0], rules, 48, 32, times) for m in (plain, finer))
    layer = plain.symbols[0].layers()
    assert set(layer) == {0, 1, 2}
    np.testing.assert_allclose(own.amplitudes, alike.amplitudes * 2.0 ** -layer[:, None], rtol=1e-6)
    np.testing.assert_array_equal(own.means, alike.means)
    np.testing.assert_array_equal(own.log_scales, alike.log_scales)


@pytest.mark.parametrize("angle", np.linspace(0, math.pi, 9))
def test_a_coordinate_is_as_exact_as_the_gaussian_is_narrow_along_it(angle):
    """Position steps of a needle follow from the curvature of its exponent along x and y."""
    values = {
        "mean": torch.tensor([[20.3, 30.6]]), "residual": torch.zeros(1, 1, 2),
        "log_scale": torch.log(torch.tensor([[16.0, 2.0]])), "angle": torch.tensor([angle]).float(),
        "luma": torch.tensor([[0.3]]), "chroma": torch.zeros(1, 2), "centre": torch.zeros(1),
        "log_duration": torch.tensor([9.0]), "theta": torch.zeros(1, 1, 2, 3),
    }  # fmt: skip
    rules, geometry = StepRules(60), Geometry(64, 64, np.arange(4, dtype=np.float32), 5)
    q = quantise(Parameters(values, torch.zeros(1, dtype=torch.long)), rules, geometry, 0.0, 1.0)
    precision = int(q.precision[0])
    assert precision >= 2
    turned = float(q.angle[0])
    for axis, (along, across) in enumerate(
        ((math.cos(turned), math.sin(turned)), (math.sin(turned), math.cos(turned)))
    ):
        width = (along**2 / 16**2 + across**2 / 2**2) ** -0.5
        wanted = min(math.log2(width) + rules.position / 16 - precision, 5)
        assert wanted - 1.2 < float(q.exponent[0, axis]) < wanted + 0.2
