"""Part "kernels" of gpu.py: the Triton kernels against the reference, and their times."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from gpu_run import Run, import_from, peak_bytes
from kernels import make_splats

from gvideo.raster import Viewport, cuda, get_backend
from gvideo.raster.check import check_gradients, check_render

#: Peak rates of an H200 (SXM): float32 operations and bytes a second.
PEAK_OPERATIONS, PEAK_BYTES = 67e12, 4.8e12
#: Float operations of a pixel and a Gaussian: place, exponent, three channels; with gradients also eight moments.
FORWARD_OPERATIONS, BOTH_OPERATIONS = 20, 20 + 20 + 35
#: Bytes of a member of a tile, read once forward and once backward, and of its moments.
MEMBER_BYTES, MOMENT_BYTES = 48, 32
CASES = ((640, 360, 4000), (1280, 720, 10000), (1280, 720, 40000), (1920, 1080, 20000), (1920, 1080, 80000))
SMALL_CASES = ((36, 34, 6),)
FRAMES = 4
WEIGHTS = (1.0, 0.5, 0.5)

TESTS = Path(__file__).parent.parent


def measure(run: Run) -> None:
    """The whole part."""
    import_from(TESTS / "raster")
    from scenes import SCENES

    for name in ("one pixel", "on pixel") if run.small else SCENES:
        run.attempt("reference", name, lambda name=name: _check_scene(run, name))
    for case in SMALL_CASES if run.small else CASES:
        told = f"{case[0]}x{case[1]}, {case[2]} Gaussians, {FRAMES} frames"
        run.attempt("kernels", told, lambda case=case, told=told: _time(run, *case, told))
    if not run.small:
        run.attempt("tests", "kernels and fit", lambda: _run_tests(run))


def _check_scene(run: Run, name: str) -> None:
    """Raises where a picture or a gradient differs by more than rounding can explain."""
    from scenes import SCENES, fit_arguments, frames_of

    width, height, make = SCENES[name]
    if run.small:
        width, height = min(width, 36), min(height, 34)
    splats = make()
    arguments = fit_arguments(splats, width, height)
    check_gradients(*cuda.loss_and_gradients(*arguments), *arguments)
    basis, times = frames_of(splats)
    for view in (Viewport(width, height), Viewport(21, 18, 0.5, 1.3, 3.0, -2.0)):
        check_render(cuda.render(splats, basis, times, view), splats, basis, times, view)
    run.verdict("reference", name, True, f"{width}x{height}, {len(splats)} Gaussians: pictures, errors, gradients")


def _run_tests(run: Run) -> None:
    """The tests of the kernels and of the fit, with FAIL_WITHOUT_CUDA=1."""
    if importlib.util.find_spec("pytest") is None:
        run.note("tests", "kernels and fit", "skipped", "", "pytest is missing")
        return
    files = [
        "raster/test_triton.py",
        *(f"encoder/test_cuda_{name}.py" for name in ("fit", "growth", "quantise", "steps")),
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(TESTS / file) for file in files)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=TESTS.parent, env=os.environ | {"FAIL_WITHOUT_CUDA": "1"},
        timeout=max(run.seconds_left(), 30),
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    print("\n".join(lines[-60:] if done.returncode else lines[-1:]))
    run.verdict("tests", "kernels and fit", done.returncode == 0, "; ".join([*lines[-1:], *failures])[:500])


def _time(run: Run, width: int, height: int, count: int, case: str) -> None:
    """One segment, FRAMES frames in a launch."""
    splats = make_splats(width, height, count)
    basis = np.full((FRAMES, splats.displacements.shape[1]), 0.2, np.float32)
    batch = cuda._batch(splats, basis, np.zeros(FRAMES, np.float32))
    view, where = Viewport(width, height), cuda.device()
    targets = torch.rand((FRAMES, 3, height, width), device=where)
    rows = torch.arange(FRAMES, device=where)
    members = len(cuda._plan(batch, view, None).slots)
    roomy = int(members * 1.3) + 1024
    run.note("members of tiles", case, members, "", f"{members / count / FRAMES:.1f} tiles a Gaussian")

    def gradients(capacity: int | None = None) -> None:
        cuda.errors_and_gradients(batch, targets, rows, WEIGHTS, capacity)

    planning = run.median_ms(lambda: cuda._plan(batch, view, roomy))
    run.note("project, list, sort and prepare, fixed capacity", case, planning, "ms")
    forward, both = run.median_ms(lambda: cuda.draw(batch, view)), run.median_ms(gradients)
    operations = members * 256 * FORWARD_OPERATIONS, members * 256 * BOTH_OPERATIONS
    picture = targets.numel() * 4
    moved = members * MEMBER_BYTES + picture, members * (2 * MEMBER_BYTES + MOMENT_BYTES) + picture
    times = (("forward", forward), ("forward and backward", both))
    for (name, ms), need, size in zip(times, operations, moved, strict=True):
        floors = 1e3 * need / PEAK_OPERATIONS, 1e3 * size / PEAK_BYTES
        reached = 100 * max(floors) / ms
        beside = f"floors: operations {floors[0]:.3g} ms, bytes {floors[1]:.3g} ms; at {reached:.0f} % of the higher"
        run.note(name, case, ms, "ms", beside)
        run.note(name, case, FRAMES * count / ms * 1e3, "Gaussians a second")
    fixed = run.median_ms(lambda: gradients(roomy))
    run.note("forward and backward, fixed capacity", case, fixed, "ms", f"{both / fixed:.2f} times as fast")
    peak = peak_bytes(gradients)
    if peak is not None:
        run.note("forward and backward, peak memory", case, peak / 1e6, "MB", "targets included")
    arguments = (
        splats, basis, np.zeros(FRAMES, np.float32), targets.cpu().numpy(), np.arange(FRAMES, dtype=np.int32),
        np.array(WEIGHTS, np.float32),
    )  # fmt: skip
    host = get_backend("cpu", check=False)
    ms = run.median_ms(lambda: host.loss_and_gradients(*arguments), 5, 1)
    run.note("CPU, forward and backward", case, ms, "ms", f"{ms / both:.1f} times the GPU's")
