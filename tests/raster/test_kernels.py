"""The CPU kernels against the float64 reference: values and gradients, ordinary and extreme, within derived bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import FIELDS, SCENES, fit_arguments, frames_of, pixel_weights, random_splats, splats_of

from gvideo.raster import Viewport, get_backend, reference, set_num_threads
from gvideo.raster.check import check_gradients, check_render
from gvideo.raster.interface import FLOOR, SUPPORT_EXPONENT
from gvideo.raster.reference import render_frame

CPU = get_backend("cpu", check=False)


@pytest.fixture(autouse=True)
def default_threads():
    yield
    set_num_threads(None)


@pytest.mark.parametrize("name", SCENES)
def test_render_is_the_reference(name):
    width, height, make = SCENES[name]
    splats = make()
    basis, times = frames_of(splats)
    view = Viewport(width, height)
    pictures = CPU.render(splats, basis, times, view)
    assert pictures.shape == (len(times), 3, height, width)
    assert pictures.dtype == np.float32
    check_render(pictures, splats, basis, times, view)


@pytest.mark.parametrize("name", ["cpu", "cpu, checked", "reference"])
@pytest.mark.parametrize("num_frames", [0, 1, 3])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_frames_one_by_one_are_those_of_one_call(name, num_frames, num_threads):
    splats, view = random_splats(30, 70, 66), Viewport(70, 66)
    basis, times = (rows[:num_frames] for rows in frames_of(splats))
    backend = get_backend(name.partition(",")[0], check="checked" in name)
    set_num_threads(num_threads)
    shown = {}
    backend.render_each(splats, basis, times, view, shown.__setitem__)
    assert sorted(shown) == list(range(num_frames))
    for frame, expected in enumerate(backend.render(splats, basis, times, view)):
        np.testing.assert_array_equal(shown[frame], expected)


def test_what_fails_while_a_frame_is_shown_is_raised():
    splats = random_splats(5, 20, 20)

    def show(frame, picture):
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        CPU.render_each(splats, *frames_of(splats), Viewport(20, 20), show)


@pytest.mark.parametrize("name", SCENES)
def test_gradients_are_those_of_the_reference(name):
    width, height, make = SCENES[name]
    arguments = fit_arguments(make(), width, height)
    squared_errors, gradients = CPU.loss_and_gradients(*arguments)
    assert squared_errors.shape == (3, 3)
    assert squared_errors.dtype == np.float64
    check_gradients(squared_errors, gradients, *arguments)


@pytest.mark.parametrize("name", SCENES)
def test_weighted_gradients_are_those_of_the_reference(name):
    width, height, make = SCENES[name]
    arguments = (*fit_arguments(make(), width, height), pixel_weights(width, height))
    check_gradients(*CPU.loss_and_gradients(*arguments), *arguments)


def test_the_reference_weighs_pixels():
    """A pixel of weight 4 is one whose difference is twice as large, and one of weight 0 is not there."""
    arguments = fit_arguments(random_splats(0, 9, 7), 9, 7)
    weights = pixel_weights(9, 7)
    errors, _ = reference.loss_and_gradients(*arguments, weights)
    targets, rows = arguments[3], arguments[4]
    np.testing.assert_allclose(errors, (weights[rows, None] * targets[rows] ** 2).sum((2, 3)), rtol=1e-6)


@pytest.mark.parametrize(
    "view",
    [
        Viewport(200, 100, 2.0, 2.0),
        Viewport(33, 90, 0.37, 1.9, -5.25, 3.5),
        Viewport(70, 70, 20.0, 15.0, 40.0, 20.0),
        Viewport(3, 2, 0.03, 0.03),
    ],
    ids=lambda view: f"{view.width}x{view.height}",
)
def test_viewport(view):
    splats = random_splats(60, 100, 60)
    basis, times = frames_of(splats)
    check_render(CPU.render(splats, basis, times, view), splats, basis, times, view)


def test_a_viewport_moves_and_scales_the_plane():
    splats = random_splats(30, 64, 48, smallest=1.0)
    basis, times = frames_of(splats)
    whole = CPU.render(splats, basis, times, Viewport(64, 48))
    part = CPU.render(splats, basis, times, Viewport(20, 10, offset_x=11, offset_y=7))
    assert np.abs(part - whole[:, :, 7:17, 11:31]).max() < 1e-5
    tripled = CPU.render(splats, basis, times, Viewport(192, 144, 3.0, 3.0))
    assert np.abs(tripled[:, :, 1::3, 1::3] - whole).max() < 0.05 * 0.3  # but for the cut at the edge of supports


def naive_float32(splats, basis, time, width, height):
    """The formula as one would type it, in float32 with an expanded conic."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    picture = np.zeros((3, height, width), np.float32)
    means = splats.means + np.einsum("k,nkd->nd", basis, splats.displacements)
    for n in range(len(splats)):
        cosine, sine = np.cos(splats.angles[n]), np.sin(splats.angles[n])
        u, v = np.exp(-2 * splats.log_scales[n])
        a, b, c = cosine**2 * u + sine**2 * v, cosine * sine * (u - v), sine**2 * u + cosine**2 * v
        dx, dy = x - means[n, 0], y - means[n, 1]
        exponent = np.float32(-0.5) * (a * dx * dx + 2 * b * dx * dy + c * dy * dy)
        life = np.exp(np.float32(-0.5) * ((time - splats.centres[n]) * splats.inverse_durations[n]) ** 2)
        weight = np.where(exponent >= -SUPPORT_EXPONENT, (np.exp(exponent) - np.float32(FLOOR)) * life, np.float32(0))
        picture += splats.amplitudes[n][:, None, None] * weight
    return picture


@pytest.mark.parametrize("name", ["random", "thin", "far needle", "huge", "tiny"])
def test_no_worse_than_a_few_times_naive_float32(name):
    width, height, make = SCENES[name]
    splats = make()
    basis, times = frames_of(splats)
    exact = render_frame(splats, basis[0], 0.0, Viewport(width, height))
    kernel = np.abs(CPU.render(splats, basis[:1], times[:1], Viewport(width, height))[0] - exact)
    naive = np.abs(naive_float32(splats, basis[0], np.float32(0), width, height) - exact)
    # Root mean squares, without the few pixels at the edge of a support where either may decide otherwise.
    inside = (kernel < 1e-4) & (naive < 1e-3)
    assert inside.mean() > 0.97
    assert np.sqrt((kernel[inside] ** 2).mean()) <= 12 * np.sqrt((naive[inside] ** 2).mean()) + 2**-26


def test_luma_only_is_the_first_channel():
    splats = random_splats(40, 100, 70)
    basis, times = frames_of(splats)
    view = Viewport(100, 70)
    luma = CPU.render(splats, basis, times, view, luma_only=True)
    assert np.array_equal(luma, CPU.render(splats, basis, times, view)[:, :1])


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_same_bits_for_any_number_of_threads(frames):
    width, height = 400, 300
    splats = random_splats(300, width, height, largest=60.0)
    rng = np.random.default_rng(3)
    basis = rng.random((frames, 3), np.float32)
    times = np.arange(frames, dtype=np.float32)
    targets = rng.random((frames, 3, height, width), np.float32)
    results = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        picture = CPU.render(splats, basis, times, Viewport(width, height))
        fit = CPU.loss_and_gradients(
            splats, basis, times, targets, np.arange(frames, dtype=np.int32), np.ones(3, np.float32)
        )
        results.append((picture, fit[0], *(getattr(fit[1], name) for name in FIELDS)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


def test_read_only_and_strided_inputs_are_taken():
    splats = random_splats(10, 30, 20)
    basis, times = frames_of(splats)
    expected = CPU.render(splats, basis, times, Viewport(30, 20))
    for array in (splats.means, splats.angles, basis):
        array.flags.writeable = False
    assert np.array_equal(CPU.render(splats, np.asfortranarray(basis), times, Viewport(30, 20)), expected)


def test_many_frames_in_blocks_add_up(monkeypatch):
    from gvideo.raster import cpu

    splats = random_splats(5, 20, 20)
    basis = np.random.default_rng(0).random((7, 3), np.float32)
    arguments = (splats, basis, np.arange(7, dtype=np.float32), np.zeros((1, 3, 20, 20), np.float32))
    arguments = (*arguments, np.zeros(7, np.int32), np.ones(3, np.float32))
    whole = CPU.loss_and_gradients(*arguments)
    monkeypatch.setattr(cpu, "_FEWEST_FRAMES", 2)
    monkeypatch.setattr(cpu, "_MOMENT_BYTES", 1)
    parts = CPU.loss_and_gradients(*arguments)
    assert np.array_equal(whole[0], parts[0])
    assert all(np.array_equal(getattr(whole[1], name), getattr(parts[1], name)) for name in FIELDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"basis": np.zeros((3, 2), np.float32)}, "control points"),
        ({"frame_indices": np.array([0, 1, 4], np.int32)}, "frame_indices"),
        ({"frame_indices": np.array([0, -1, 0], np.int32)}, "frame_indices"),
        ({"targets": np.zeros((4, 1, 5, 5), np.float32)}, "targets"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    names = ("splats", "basis", "times", "targets", "frame_indices", "channel_weights")
    arguments = dict(zip(names, fit_arguments(random_splats(4, 5, 5), 5, 5), strict=True))
    with pytest.raises(ValueError, match=message):
        CPU.loss_and_gradients(**(arguments | change))


@pytest.mark.parametrize(
    "values", [(0, 5), (5, 70000), (5, 5, 0.0), (5, 5, 1.0, float("nan")), (5, 5, 1.0, 1.0, float("inf"))]
)
def test_viewports_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match="viewport"):
        Viewport(*values)


def test_a_gaussian_at_rest_has_the_closed_form():
    splats = splats_of([(4.0, 3.0)], (2.0, 1.0), angles=np.pi / 2, amplitudes=(1.0, 0.5, -0.25))
    basis, times = np.zeros((1, 3), np.float32), np.zeros(1, np.float32)
    picture = CPU.render(splats, basis, times, Viewport(10, 9))[0]
    peak, floor = 1 - np.exp(-4), np.exp(-4)  # what the support ends with is taken off everywhere
    assert picture[:, 3, 4] == pytest.approx([peak, 0.5 * peak, -0.25 * peak], abs=1e-6)
    assert picture[0, 5, 4] == pytest.approx(np.exp(-0.5) - floor, abs=1e-6)  # two rows down: one sigma along u
    assert picture[0, 3, 5] == pytest.approx(np.exp(-0.5) - floor, abs=1e-6)
    assert picture[0, 3, 7] == 0.0  # three sigmas: beyond the support, which ends at sqrt(8)
