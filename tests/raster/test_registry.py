"""Choosing a backend, checking it, what importing loads, and kernels in worker processes."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading

import numpy as np
import pytest
from scenes import fit_arguments, frames_of, random_splats

from gvideo.errors import OptionError
from gvideo.raster import MismatchError, Viewport, get_backend, set_num_threads
from gvideo.raster.check import CheckedBackend


def test_importing_loads_neither_numba_nor_torch():
    script = (
        "import sys, gvideo, gvideo.raster as r; r.get_backend('cpu'); print({'numba', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize(("name", "expected"), [("auto", "cpu"), ("cpu", "cpu"), ("reference", "reference")])
def test_names(name, expected):
    assert get_backend(name, check=False).name == expected


@pytest.mark.parametrize("name", ["gpu", ""])
def test_what_is_not_there_is_refused(name):
    with pytest.raises(OptionError, match="backend"):
        get_backend(name)


def test_check_mode_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("GVIDEO_CHECK", "1")
    assert get_backend("cpu").name == "cpu, checked"
    monkeypatch.setenv("GVIDEO_CHECK", "0")
    assert get_backend("cpu").name == "cpu"


class Faulty:
    """A backend that is right but for one planted difference."""

    name = "faulty"

    def __init__(self, field):
        self.field = field
        self.cpu = get_backend("cpu", check=False)

    def render(self, *arguments, **options):
        pictures = self.cpu.render(*arguments, **options)
        pictures[1, 2 if pictures.shape[1] == 3 else 0, 20, 30] += 1e-2 if self.field == "picture" else 0.0
        return pictures

    def render_each(self, splats, basis, times, viewport, show):
        for frame, picture in enumerate(self.render(splats, basis, times, viewport)):
            show(frame, picture)

    def loss_and_gradients(self, *arguments):
        squared_errors, gradients = self.cpu.loss_and_gradients(*arguments)
        if self.field == "error":
            squared_errors[0, 1] *= 1.01
        elif self.field != "picture":
            values = getattr(gradients, self.field).reshape(-1)
            values[np.argmax(np.abs(values))] *= 1.05
        return squared_errors, gradients


@pytest.mark.parametrize("field", ["picture", "error", "means", "displacements", "log_scales", "angles", "centres"])
def test_check_mode_finds_a_planted_difference(field):
    splats = random_splats(30, 60, 40)
    basis, times = frames_of(splats)
    backend = CheckedBackend(Faulty(field))
    if field == "picture":
        with pytest.raises(MismatchError):
            backend.render_each(splats, basis, times, Viewport(60, 40), lambda frame, picture: None)
        with pytest.raises(MismatchError, match="frame 1"):
            backend.render(splats, basis, times, Viewport(60, 40))
    else:
        with pytest.raises(MismatchError, match=field):
            backend.loss_and_gradients(*fit_arguments(splats, 60, 40))


def test_check_mode_passes_what_is_right():
    splats = random_splats(30, 60, 40)
    basis, times = frames_of(splats)
    backend = get_backend("cpu", check=True)
    backend.render(splats, basis, times, Viewport(60, 40), luma_only=True)
    backend.loss_and_gradients(*fit_arguments(splats, 60, 40))


def _in_worker(seed):
    set_num_threads(1)
    splats = random_splats(20, 30, 20, seed=seed)
    return get_backend("cpu").render(splats, *frames_of(splats), Viewport(30, 20)).tobytes()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_worker_processes(method):
    expected = [_in_worker(seed) for seed in (1, 2)]
    set_num_threads(2)  # the parent's threads must not be missed in a forked child
    splats = random_splats(20, 30, 20)
    get_backend("cpu").render(splats, *frames_of(splats), Viewport(30, 20))
    set_num_threads(None)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_in_worker, [1, 2]) == expected


def test_several_threads_may_call():
    splats = random_splats(20, 30, 20)
    frames = frames_of(splats)
    expected = get_backend("cpu").render(splats, *frames, Viewport(30, 20))
    results = []
    callers = [
        threading.Thread(target=lambda: results.append(get_backend("cpu").render(splats, *frames, Viewport(30, 20))))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 4
    assert all(np.array_equal(result, expected) for result in results)


def test_fewer_threads_than_one_are_refused():
    with pytest.raises(ValueError, match="threads"):
        set_num_threads(0)
