"""The Triton kernels against the float64 reference: on a CUDA device if there is one, else in Triton's interpreter.

Without a device, pictures are cut to a few tiles, since the interpreter takes milliseconds a Gaussian and tile.
FAIL_WITHOUT_CUDA=1 makes a missing device a failure instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from interpreted import MUST_HAVE_GPU, ON_GPU, interpreted, load_kernels  # noqa: F401 (a fixture)
from scenes import SCENES, fit_arguments, frames_of, pixel_weights, random_splats, splats_of

from gvideo import VideoDecoder
from gvideo.errors import OptionError
from gvideo.raster import Viewport, cuda, get_backend
from gvideo.raster.check import check_gradients, check_render
from gvideo.types import Splats

load_kernels()


def size_of(name: str) -> tuple[int, int]:
    width, height, _ = SCENES[name]
    return (width, height) if ON_GPU else (min(width, 36), min(height, 34))


def test_a_device_is_there_where_one_is_required():
    assert ON_GPU or not MUST_HAVE_GPU, "FAIL_WITHOUT_CUDA is set and torch finds no CUDA device"


@pytest.mark.parametrize("name", SCENES)
def test_pictures_and_gradients_are_those_of_the_reference(name):
    width, height = size_of(name)
    splats = SCENES[name][2]()
    arguments = fit_arguments(splats, width, height)
    check_gradients(*cuda.loss_and_gradients(*arguments), *arguments)
    basis, times = frames_of(splats)
    for view in (Viewport(width, height), Viewport(21, 18, 0.5, 1.3, 3.0, -2.0)):
        check_render(cuda.render(splats, basis[:1], times[:1], view), splats, basis[:1], times[:1], view)


@pytest.mark.parametrize("name", ["random", "huge", "short lives"])
def test_weighted_gradients_are_those_of_the_reference(name):
    width, height = size_of(name)
    arguments = (*fit_arguments(SCENES[name][2](), width, height), pixel_weights(width, height))
    check_gradients(*cuda.loss_and_gradients(*arguments), *arguments)


def test_luma_alone_is_the_first_channel():
    splats = random_splats(20, 30, 20)
    basis, times = frames_of(splats)
    view = Viewport(30, 20)
    whole = cuda.render(splats, basis, times, view)
    np.testing.assert_array_equal(cuda.render(splats, basis, times, view, luma_only=True), whole[:, :1])
    shown = {}
    cuda.render_each(splats, basis, times, view, shown.__setitem__)
    np.testing.assert_array_equal([shown[frame] for frame in range(len(times))], whole)


def test_what_is_not_a_number_is_not_drawn():
    splats = random_splats(12, 30, 20, seed=3)
    basis, times = frames_of(splats)
    view = Viewport(30, 20)
    bad = {name: getattr(splats, name).copy() for name in ("means", "log_scales", "angles", "amplitudes", "centres")}
    bad["means"][0, 0] = np.nan
    bad["log_scales"][1, 1] = 1e9
    bad["angles"][2] = np.inf
    bad["amplitudes"][3, 2] = np.nan
    bad["centres"][4] = np.nan
    hostile = Splats(**{name: bad.get(name, getattr(splats, name)) for name in Splats.__slots__})
    rest = Splats(**{name: getattr(splats, name)[5:] for name in Splats.__slots__})
    np.testing.assert_array_equal(cuda.render(hostile, basis, times, view), cuda.render(rest, basis, times, view))


def test_a_batch_of_segments_is_each_of_them_alone():
    """Two segments of unequal size in one launch, frame by frame and gradient by gradient."""
    parts = [random_splats(9, 34, 20, seed=4), random_splats(17, 34, 20, seed=5)]
    width, height = 34, 20
    rng = np.random.default_rng(6)
    targets = rng.normal(0, 0.3, (6, 3, height, width)).astype(np.float32)
    weights = np.array([1.0, 0.5, 0.25], np.float32)
    frames = [frames_of(part) for part in parts]
    joined = {name: torch.from_numpy(np.concatenate([getattr(p, name) for p in parts])) for name in Splats.__slots__}
    where = cuda.device()
    batch = cuda.Batch(
        **{name: t.to(where) for name, t in joined.items()},
        starts=torch.tensor([0, 9, 26], dtype=torch.int32, device=where), rows=17,
        basis=torch.from_numpy(np.concatenate([b for b, _ in frames])).to(where),
        times=torch.from_numpy(np.concatenate([t for _, t in frames])).to(where),
    )  # fmt: skip
    order = np.array([1, 0, 2, 5, 3, 4])
    errors, gradients, pairs = cuda.errors_and_gradients(
        batch, torch.from_numpy(targets).to(where), torch.from_numpy(order).to(where), (1.0, 0.5, 0.25)
    )
    assert int(pairs) == len(cuda._plan(batch, Viewport(width, height), None).slots)
    for s, (part, (basis, times)) in enumerate(zip(parts, frames, strict=True)):
        rows = order[3 * s : 3 * s + 3].astype(np.int32)
        alone_errors, alone = cuda.loss_and_gradients(part, basis, times, targets, rows, weights)
        np.testing.assert_allclose(errors[3 * s : 3 * s + 3].cpu().numpy(), alone_errors, rtol=1e-6)
        own = slice(0, 9) if s == 0 else slice(9, 26)
        for name in Splats.__slots__:
            np.testing.assert_array_equal(gradients[name][own].cpu().numpy(), getattr(alone, name))


def test_a_roomy_capacity_changes_nothing_and_a_narrow_one_tells():
    splats = random_splats(15, 34, 20, seed=7)
    arguments = fit_arguments(splats, 34, 20)
    batch = cuda._batch(splats, arguments[1], arguments[2])
    where = cuda.device()
    targets = torch.from_numpy(arguments[3]).to(where)
    rows = torch.from_numpy(arguments[4].astype(np.int64)).to(where)
    wanted = cuda.errors_and_gradients(batch, targets, rows, (1.0, 0.5, 0.25))
    roomy = cuda.errors_and_gradients(batch, targets, rows, (1.0, 0.5, 0.25), capacity=4000)
    assert 20 < int(roomy[2]) == int(wanted[2]) <= 4000
    torch.testing.assert_close(roomy[0], wanted[0], rtol=0, atol=0)
    for name, gradient in wanted[1].items():
        torch.testing.assert_close(roomy[1][name], gradient, rtol=0, atol=0)
    narrow = cuda.errors_and_gradients(batch, targets, rows, (1.0, 0.5, 0.25), capacity=20)
    assert int(narrow[2]) == int(wanted[2])


def test_a_pixel_wide_gaussian_adds_its_amplitude():
    splats = splats_of([(4.0, 3.0)], (2.0, 1.0), angles=np.pi / 2, amplitudes=(1.0, 0.5, -0.25))
    basis, times = np.ones((1, splats.displacements.shape[1]), np.float32), np.zeros(1, np.float32)
    picture = cuda.render(splats, basis, times, Viewport(9, 9))[0]
    np.testing.assert_allclose(picture[:, 3, 4], np.array([1.0, 0.5, -0.25]) * (1 - np.exp(-4)), rtol=1e-6)
    assert picture[0, 5, 4] == pytest.approx(np.exp(-0.5) - np.exp(-4), rel=1e-5)  # sigma 2 along y, a quarter turn on
    assert picture[0, 3, 5] == pytest.approx(np.exp(-0.5) - np.exp(-4), rel=1e-5)


def test_without_a_device_the_backend_says_so():
    """In a process of its own, since Triton decides about its interpreter once."""
    script = (
        "import os; os.environ.pop('TRITON_INTERPRET', None); os.environ['CUDA_VISIBLE_DEVICES'] = ''\n"
        "from gvideo.raster import get_backend\n"
        "from gvideo.errors import OptionError\n"
        "try:\n    get_backend('cuda')\nexcept OptionError as error:\n    print(error)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert "torch finds no CUDA device" in run.stdout


def test_the_registry_knows_the_backend():
    assert get_backend("cuda", check=False).name == "cuda"
    with pytest.raises(OptionError, match="unknown"):
        get_backend("opencl")


def test_kernels_compile_for_hopper_and_stay_in_registers(tmp_path):
    """Triton brings its own assembler, so that a machine without a GPU finds what the interpreter lets pass."""
    triton = pytest.importorskip("triton")
    if not (Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump").exists():
        pytest.skip("this Triton was built without NVIDIA's tools")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    script = Path(__file__).with_name("compile_kernels.py")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    used = {name: (int(registers), int(stack)) for name, registers, stack in map(str.split, run.stdout.splitlines())}
    with_stack = {name for name, (_, stack) in used.items() if stack}
    of_gaussians = {"project", "prepare", "prepare_wide", "quantise_rows"}  # not of pixels: no matter of time
    assert with_stack <= of_gaussians, used
    assert set(used) == {
        "project", "list_pairs", "list_pairs_wide", "prepare", "prepare_wide", "draw", "fit_tiles",
        "fit_tiles_weighted", "collect", "quantise_rows", "displace_rows", "spread_rows", "charge_motion_rows",
        "charge_bits_rows",
    }  # fmt: skip
    assert used["fit_tiles"][0] <= 128, used
    assert used["fit_tiles_weighted"][0] <= 128, used


def test_a_stream_is_drawn_on_the_device():
    stream = Path(__file__).parent.parent / "golden" / "shapes.gsv"
    with VideoDecoder(stream, size=(24, 18)) as host, VideoDecoder(stream, size=(24, 18), device="cuda") as device:
        first, second = host[0].astype(int), device[0].astype(int)
    assert np.abs(first - second).max() <= 1
    with pytest.raises(OptionError, match="device is 'tpu'"):
        VideoDecoder(stream, device="tpu")


@pytest.mark.parametrize("size", [(80, 48), (16 * 256, 16 * 129)])
def test_pairs_are_listed_by_tile_and_within_it_by_gaussian(size):
    """Also where there are more tiles than keys of 16 bits can tell."""
    view = Viewport(*size)
    splats = random_splats(7, *size, seed=8)
    splats.log_scales[0] = np.log(40.0)
    splats.amplitudes[1] = np.nan  # touches nothing
    basis, times = frames_of(splats)
    plan = cuda._plan(cuda._batch(splats, basis, times), view, 3000)
    assert plan.tiles == size[0] * size[1] // 256
    left, across, touched = (row.cpu().numpy() for row in plan.boxes)
    pairs = sorted(
        (
            instance // len(splats) * plan.tiles
            + left[instance]
            + k // across[instance] * plan.tiles_x
            + k % across[instance],
            instance,
            k,
        )
        for instance in range(len(touched))
        for k in range(touched[instance])
    )
    assert 10 < len(pairs) < 3000
    assert int(plan.ends[-1]) == len(pairs)
    before = np.cumsum(touched) - touched
    slots = plan.slots.cpu().numpy()
    assert slots[: len(pairs)].tolist() == [before[instance] + k for _, instance, k in pairs]
    starts = np.searchsorted([tile for tile, _, _ in pairs], np.arange(len(times) * plan.tiles + 1))
    np.testing.assert_array_equal(plan.tile_starts.cpu().numpy(), starts)
    amplitudes = plan.members[: len(pairs), 8].cpu().numpy() / plan.members[: len(pairs), 11].cpu().numpy()
    wanted = splats.amplitudes[[instance % len(splats) for _, instance, _ in pairs], 0]
    np.testing.assert_allclose(amplitudes, wanted, rtol=1e-5)
