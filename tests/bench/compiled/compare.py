"""The tile kernels as compiled C against the ones that numba compiles: the same items, results side by side, time.

    python tests/bench/compiled/compare.py [--count 13000] [--repeats 200] [--out docs/results/0.1.0/compiled.tsv]

One thread, one frame of 640x360; the least of runs that take turns, since other work only adds. Needs gcc. Answers
whether a compiled extension would be faster than numba with vectors of llvmlite (gvideo/raster/simd.py).
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from serving import write_rows

from gvideo.raster import cpu_items, cpu_kernels, cpu_plan

WIDTH, HEIGHT = 640, 360
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno")


def compiled(folder: str) -> ctypes.CDLL:
    library = Path(folder) / "tiles.so"
    source = Path(__file__).with_name("tiles.c")
    subprocess.run(["gcc", *FLAGS, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


class Frame:
    """A planned frame: for each tile its items, as both compilers' kernels take them."""

    def __init__(self, count: int, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        log_scales = rng.normal(0.9, 0.7, (count, 2)).astype(np.float32)
        angles = rng.uniform(0, np.pi, count).astype(np.float32)
        shapes = np.zeros((count, cpu_plan.SHAPE_FIELDS), np.float32)
        cpu_plan.describe_shapes(log_scales, angles, 1.0, 1.0, shapes, np.zeros((count, 4)))
        means = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2)).astype(np.float32)
        none = np.zeros(count, np.float32)
        amplitudes = rng.normal(0, 0.05, (count, 3)).astype(np.float32)
        displacements, basis = np.zeros((count, 1, 2), np.float32), np.ones(1, np.float32)
        self.records, _, _, starts, self.members, most = cpu_plan.plan_frame(
            shapes, means, displacements, amplitudes, none, none, basis, 0.0, WIDTH, HEIGHT, 1.0, 1.0, 0.0, 0.0
        )
        self.tiles = []
        across = -(-WIDTH // cpu_plan.TILE)
        for t in range(len(starts) - 1):
            x, y = t % across * cpu_plan.TILE, t // across * cpu_plan.TILE
            unsorted, items = np.zeros(most + 1, np.int64), np.zeros(most + 1, np.int64)
            histogram, edges = np.zeros(cpu_plan.LONGEST_WALK + 2, np.int64), np.zeros(2 * cpu_plan.BLOCK, np.float32)
            size = min(cpu_plan.TILE, WIDTH - x), min(cpu_plan.TILE, HEIGHT - y)
            number = cpu_items.list_items(
                self.records, self.members, starts[t], starts[t + 1], x, y, *size, unsorted, items, histogram, edges
            )
            self.tiles.append((int(starts[t]), x, y, items[:number].copy(), int(number)))
        self.walks = [np.zeros((n + 1) * cpu_items.WALK_FIELDS, np.float32) for *_, n in self.tiles]
        self.pictures = [np.zeros(cpu_kernels.TILE_SIZE, np.float32) for _ in self.tiles]

    def by_numba(self, kernel: str) -> None:
        for (first, x, y, items, n), walks, tile in zip(self.tiles, self.walks, self.pictures, strict=True):
            if kernel == "start":
                cpu_items.start_walks(self.records, self.members, first, items, n, x, y, walks)
            elif kernel == "splat":
                cpu_kernels.splat_items(items, n, walks, tile, False)
            else:
                cpu_kernels.gather_items(items, n, walks, tile)

    def by_c(self, kernel: str, library: ctypes.CDLL) -> None:
        def at(array: np.ndarray, offset: int = 0) -> ctypes.c_void_p:
            return ctypes.c_void_p(array.ctypes.data + offset * array.itemsize)

        size, floor = ctypes.c_int64, ctypes.c_float(float(cpu_kernels.FLOOR))
        for (first, x, y, items, n), walks, tile in zip(self.tiles, self.walks, self.pictures, strict=True):
            if kernel == "start":
                where = size(n), size(x), size(y), at(walks)
                library.start_walks(at(self.records), at(self.members, first), at(items), *where)
            elif kernel == "splat":
                library.splat_items(at(items), size(n), at(walks), at(tile), floor)
            else:
                library.gather_items(at(items), size(n), at(walks), at(tile), floor)


def main() -> int:
    """Compares results, then times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=13_000, help="Gaussians")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--out", type=Path, help="where the table goes (standard output without)")
    arguments = parser.parse_args()
    rows = ["kernel\tgaussians\titems\tnumba_ms\tc_ms\tratio\tdifference_of_largest"]
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(folder)
        ours, theirs = Frame(arguments.count), Frame(arguments.count)
        num_items = sum(n for *_, n in ours.tiles)
        for kernel in ("start", "splat", "gather"):
            ours.by_numba(kernel)
            theirs.by_c(kernel, library)
            kept = [a.copy() for a in ours.walks]
            pairs = zip(ours.walks + ours.pictures, theirs.walks + theirs.pictures, strict=True)
            difference = max(float((np.abs(a - b) / (np.abs(a).max() + 1e-9)).max()) for a, b in pairs)
            calls: dict[str, Callable[[], None]] = {
                "numba": lambda kernel=kernel: ours.by_numba(kernel),
                "c": lambda kernel=kernel: theirs.by_c(kernel, library),
            }
            times: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(arguments.repeats):
                for name, call in calls.items():
                    if kernel == "gather":  # it overwrites the walks that it starts from
                        for side in (ours, theirs):
                            side.by_numba("start")
                    begun = time.perf_counter()
                    call()
                    times[name].append(1e3 * (time.perf_counter() - begun))
            for mine, a in zip(ours.walks, kept, strict=True):
                mine[:] = a
            least = {name: min(found) for name, found in times.items()}
            values = f"{least['numba']:.3f}\t{least['c']:.3f}\t{least['c'] / least['numba']:.3f}\t{difference:.2g}"
            rows.append(f"{kernel}\t{arguments.count}\t{num_items}\t{values}")
    write_rows(rows, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
