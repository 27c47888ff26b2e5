"""Time the CPU rasteriser: forward and fused (render, loss, gradients), one thread; prints a TSV of medians in ms.

    python tests/bench/kernels.py [--against PROTOTYPE.py] [--repeats 9] [--small]

Rounds of all cases and both programs are interleaved, so that a busy neighbour hits every column alike. With
--against, a module with make, Ctx and gen as in the experiments is timed on the same Gaussians in the same run.
The last lines give frames per second of render() with one and two threads, and the time of the first call of a new
process with a warm kernel cache.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gvideo.raster import Viewport, get_backend, set_num_threads
from gvideo.types import Float32, Splats

CASES = ((176, 144, 1000), (352, 288, 2000), (640, 360, 4000), (1280, 720, 10000), (1920, 1080, 20000))
CONTROL_POINTS = 5

_FIRST_CALL = """
import time; start = time.perf_counter()
import numpy as np
numpy_done = time.perf_counter()
from gvideo.raster import Viewport, get_backend
from gvideo.types import Splats
z = lambda *shape: np.zeros(shape, np.float32)
splats = Splats(z(9, 2), z(9, 2, 2), z(9, 2), z(9), z(9, 3), z(9), z(9))
get_backend("cpu").render(splats, z(1, 2), z(1), Viewport(64, 64))
print(1e3 * (time.perf_counter() - numpy_done))
"""


def make_splats(width: int, height: int, count: int, seed: int = 0) -> Splats:
    """Random Gaussians whose sigma is about 0.6 of the mean distance, as after fitting."""
    rng = np.random.default_rng(seed)
    scale = np.log(np.sqrt(width * height / count) * 0.6)
    return Splats(
        means=(rng.random((count, 2)) * (width, height)).astype(np.float32),
        displacements=np.zeros((count, CONTROL_POINTS, 2), np.float32),
        log_scales=(scale + rng.normal(0, 0.5, (count, 2))).astype(np.float32),
        angles=(rng.random(count) * np.pi).astype(np.float32),
        amplitudes=rng.normal(0, 0.1, (count, 3)).astype(np.float32),
        centres=np.zeros(count, np.float32),
        inverse_durations=np.zeros(count, np.float32),
    )


def as_conics(splats: Splats) -> Float32:
    """[N,8]: mean, inverse covariance (A, B, C), amplitudes."""
    cosine, sine = np.cos(splats.angles), np.sin(splats.angles)
    u, v = np.exp(-2 * splats.log_scales.T)
    conic = [cosine**2 * u + sine**2 * v, cosine * sine * (u - v), sine**2 * u + cosine**2 * v]
    return np.concatenate([splats.means, np.stack(conic, 1), splats.amplitudes], 1).astype(np.float32)


def milliseconds(task: Callable[[], Any]) -> float:
    start = time.perf_counter()
    task()
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", help="path of the prototype module")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--small", action="store_true", help="the two smallest cases only")
    options = parser.parse_args()
    cases = CASES[:2] if options.small else CASES
    set_num_threads(1)
    backend = get_backend("cpu")
    tasks: dict[tuple[str, str], Callable[[], Any]] = {}
    prototype = load_module(options.against) if options.against else None
    basis, times = np.zeros((1, CONTROL_POINTS), np.float32), np.zeros(1, np.float32)
    for width, height, count in cases:
        case = f"{width}x{height}/{count}"
        splats = make_splats(width, height, count)
        target = np.random.default_rng(1).normal(0, 0.3, (1, 3, height, width)).astype(np.float32)
        view = Viewport(width, height)
        fit = (splats, basis, times, target, np.zeros(1, np.int32), np.ones(3, np.float32))
        tasks[case, "forward"] = partial(backend.render, splats, basis, times, view)
        tasks[case, "fused"] = partial(backend.loss_and_gradients, *fit)
        if prototype:
            kernels = prototype.make("8", 64, 64)
            context = prototype.Ctx(kernels, width, height, count)
            context.setT(target[0], context.tgt)
            conics = as_conics(splats)
            tasks[case, "prototype forward"] = partial(prototype_forward, context, conics)
            tasks[case, "prototype fused"] = partial(prototype_fused, context, conics)
    timings: dict[tuple[str, str], list[float]] = {key: [] for key in tasks}
    for task in tasks.values():
        task()
    for _ in range(options.repeats):
        for key, task in tasks.items():
            timings[key].append(milliseconds(task))
    medians = {key: statistics.median(values) for key, values in timings.items()}
    columns = ["forward", "fused"] + (["prototype forward", "prototype fused"] if prototype else [])
    print("\t".join(["case", *columns, *(["forward ratio", "fused ratio"] if prototype else [])]))
    for width, height, count in cases:
        case = f"{width}x{height}/{count}"
        row = [f"{medians[case, column]:.3f}" for column in columns]
        if prototype:
            row += [f"{medians[case, kind] / medians[case, 'prototype ' + kind]:.2f}" for kind in ("forward", "fused")]
        print("\t".join([case, *row]))
    frames = 16
    print("render\tthreads\tframes per second")
    for width, height, count in (CASES[1], CASES[3])[: 1 if options.small else 2]:
        splats = make_splats(width, height, count)
        several = np.zeros((frames, CONTROL_POINTS), np.float32), np.zeros(frames, np.float32)
        for threads in (1, 2):
            set_num_threads(threads)
            task = partial(backend.render, splats, *several, Viewport(width, height))
            runs = [milliseconds(task) for _ in range(5)]
            print(f"{width}x{height}/{count}\t{threads}\t{1e3 * frames / statistics.median(runs):.0f}")
    print(f"first call of a process, ms after numpy\t{first_call():.0f}")


def prototype_forward(context: Any, conics: Float32) -> None:
    context.bin(conics)
    context.fwd()
    context.image()


def prototype_fused(context: Any, conics: Float32) -> None:
    context.bin(conics)
    context.fused()
    context.red()


def load_module(path: str) -> Any:
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    spec = importlib.util.spec_from_file_location("prototype", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_call() -> float:
    runs = [subprocess.run([sys.executable, "-c", _FIRST_CALL], capture_output=True, check=True) for _ in range(5)]
    return statistics.median(float(run.stdout) for run in runs)


if __name__ == "__main__":
    main()
