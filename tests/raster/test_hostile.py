"""Hostile streams reach render(): any float anywhere must neither crash, nor write out of bounds, nor show NaN."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import FIELDS, random_splats

from gvideo.raster import Viewport, get_backend
from gvideo.raster.check import check_render
from gvideo.types import Splats

CPU = get_backend("cpu", check=False)

ANY_FLOAT = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, 0.0, 16.0, -16.0, 4e6, -4e6, 65536.0]),
    st.floats(width=32),
    st.floats(-20, 20, width=32),
)


@st.composite
def any_splats(draw: st.DrawFn) -> Splats:
    """Ordinary Gaussians with up to six of their values replaced by anything."""
    splats = random_splats(draw(st.integers(0, 6)), 40, 30, seed=draw(st.integers(0, 99)))
    for _ in range(draw(st.integers(0, 6)) if len(splats) else 0):
        values = getattr(splats, draw(st.sampled_from(FIELDS))).reshape(-1)
        values[draw(st.integers(0, len(values) - 1))] = draw(ANY_FLOAT)
    return splats


VIEWS = st.builds(
    Viewport,
    st.integers(1, 150),
    st.integers(1, 90),
    st.sampled_from([1.0, 1 / 1024, 1024.0, 0.3, 7.0]),
    st.sampled_from([1.0, 1 / 1024, 1024.0, 2.5]),
    st.sampled_from([0.0, -4e6, 4e6, 13.7]),
)


@settings(max_examples=150, deadline=None)
@given(any_splats(), VIEWS, ANY_FLOAT)
def test_pictures_are_finite(splats, view, time):
    basis = np.array([[0.2, 0.5, 0.3], [np.float32(1e30), 0.0, 0.0]], np.float32)
    pictures = CPU.render(splats, basis, np.array([1.0, time], np.float32), view)
    assert np.isfinite(pictures).all()


@settings(max_examples=60, deadline=None)
@given(any_splats())
def test_what_is_drawn_is_what_the_reference_draws(splats):
    basis, times = np.array([[0.2, 0.5, 0.3]], np.float32), np.ones(1, np.float32)
    bounded = np.abs(splats.log_scales) < 9  # beyond, footprints of the reference leave float64 or the memory
    splats.log_scales[~bounded & np.isfinite(splats.log_scales)] = 30.0
    with np.errstate(all="ignore"):
        check_render(CPU.render(splats, basis, times, Viewport(40, 30)), splats, basis, times, Viewport(40, 30))


@settings(max_examples=60, deadline=None)
@given(any_splats())
def test_gradients_do_not_crash_and_spare_the_innocent(splats):
    targets = np.zeros((1, 3, 30, 40), np.float32)
    basis, times = np.array([[0.2, 0.5, 0.3]], np.float32), np.ones(1, np.float32)
    errors, gradients = CPU.loss_and_gradients(
        splats, basis, times, targets, np.zeros(1, np.int32), np.ones(3, np.float32)
    )
    assert np.isfinite(errors).all()
    for name in FIELDS:
        assert not np.isnan(getattr(gradients, name)).any()


BOUNDS_SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np
from scenes import SCENES, fit_arguments, frames_of, random_splats
from gvideo.raster import Viewport, get_backend, set_num_threads
set_num_threads(1)
backend = get_backend("cpu")
for width, height, make in SCENES.values():
    splats = make()
    backend.render(splats, *frames_of(splats), Viewport(width, height))
    backend.loss_and_gradients(*fit_arguments(splats, width, height))
rng = np.random.default_rng(0)
hostile = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 15.9, -15.9, 4e6, -4e6, 0], np.float32)
for seed in range(100):
    splats = random_splats(20, 70, 70, seed=seed)
    for name in ("means", "displacements", "log_scales", "angles", "amplitudes", "centres", "inverse_durations"):
        values = getattr(splats, name).reshape(-1)
        values[rng.integers(0, len(values), 5)] = rng.choice(hostile, 5)
    backend.render(splats, *frames_of(splats), Viewport(70, 70, *rng.choice([1.0, 0.01, 900.0], 2)))
    backend.loss_and_gradients(*fit_arguments(splats, 70, 70))
print("all in bounds")
"""


def test_no_access_is_out_of_bounds(tmp_path):
    """Everything again with checked indices, compiled apart from the kernels in use."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "GVIDEO_BOUNDS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", BOUNDS_SCRIPT, str(Path(__file__).parent)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert run.stdout.strip() == "all in bounds", run.stderr
