"""What a Ray cluster costs against the processes of one machine: two machines with a core each, both of them here, with
a stand-in for the fit that sleeps.

    python tests/bench/cluster.py docs/results [--frames 50] [--size 640x360] [--sleep 0.5] [--segments 40]
                                               [--many 1000]

Writes cluster.tsv. start: until the first two segments are done. All others are measured from there on. overhead:
seconds a segment with a fit that takes none, frames travelling all the same, over --many segments. share: of the speed
that two cores have at best, with a fit that sleeps. memory: what the driver holds for itself (RssAnon) at most, beyond
what it held before, over --many segments.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402

from gvideo import ProcessExecutor, RayExecutor, SegmentExecutor, __version__  # noqa: E402
from gvideo.commands.arguments.options import parse_size  # noqa: E402
from gvideo.encoder.segment import Report, SegmentJob, SegmentResult  # noqa: E402
from gvideo.encoder.settings import EncodeSettings  # noqa: E402
from gvideo.evaluate import tables  # noqa: E402
from gvideo.media import CodeFrame  # noqa: E402
from gvideo.model.steps import StepRules  # noqa: E402
from gvideo.types import VideoFormat  # noqa: E402

CORES = 2
_MACHINE = {"num_cpus": 1, "object_store_memory": 1 << 30}


def stand_in(seconds: float, job: SegmentJob, report: Report | None) -> SegmentResult:
    """Sleeps instead of fitting."""
    time.sleep(seconds)
    return SegmentResult((bytes(10_000),), len(job.frames), 40 * len(job.frames), (1.0,), 0, ())


def resident_bytes() -> int:
    """Memory that this process holds for itself."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class Memory:
    """The most that this process has held while the context lasts, beyond what it held before."""

    def __enter__(self) -> Memory:
        self._before, self.peak, self._done = resident_bytes(), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.peak = max(self.peak, resident_bytes() - self._before)


def jobs(count: int, job: SegmentJob) -> Iterator[tuple[int, SegmentJob]]:
    """The same frames over and over, in arrays of their own, as from a source."""
    for number in range(count):
        frames = tuple(CodeFrame(f.y.copy(), f.cb.copy(), f.cr.copy(), f.pts, f.duration, 8) for f in job.frames)
        yield number, SegmentJob(frames, job.format, job.settings, job.frame_duration, job.rules)


def times_of(executor: SegmentExecutor, count: int, job: SegmentJob) -> tuple[float, float]:
    """Seconds until each core has done one segment, and for each segment after that."""
    began = time.monotonic()
    ends = [time.monotonic() - began for _ in executor.run(jobs(count, job), lambda *_: None, "bench")]
    assert len(ends) == count
    return ends[CORES - 1], (ends[-1] - ends[CORES - 1]) / max(count - CORES, 1)


def measure(kind: str, job: SegmentJob, args: argparse.Namespace) -> dict[str, str]:
    def executor(seconds: float) -> SegmentExecutor:
        fit = functools.partial(stand_in, seconds)
        return ProcessExecutor(CORES, fit=fit) if kind == "processes" else RayExecutor(fit=fit)

    start, _ = times_of(executor(0.0), CORES, job)
    _, sleeping = times_of(executor(args.sleep), args.segments, job)
    with Memory() as memory:
        _, none = times_of(executor(0.0), args.many, job)
    return {
        "start s": tables.number(start, 2),
        "overhead s/segment": tables.number(none, 4),
        f"share of ideal speed, {args.sleep:g} s a segment": tables.number(args.sleep / CORES / sleeping, 3),
        f"driver's memory over {args.many} segments MB": tables.number(memory.peak / 1e6, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--sleep", type=float, default=0.5)
    parser.add_argument("--segments", type=int, default=40)
    parser.add_argument("--many", type=int, default=1000)
    args = parser.parse_args()
    width, height = parse_size(args.size) or (640, 360)
    planes = [np.zeros(shape, np.uint8) for shape in ((height, width), *[(height // 2, width // 2)] * 2)]
    frames = tuple(CodeFrame(*planes, 40 * k, 40, 8) for k in range(args.frames))
    job = SegmentJob(frames, VideoFormat(width, height), EncodeSettings(), 40, StepRules(60))

    here = measure("processes", job, args)
    os.environ.update(PYTHONPATH=f"{ROOT}:{ROOT / 'tests' / 'bench'}", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**_MACHINE, "include_dashboard": False})
    cluster.add_node(**_MACHINE)
    ray.init(cluster.address, log_to_driver=False)
    there = measure("ray", job, args)
    ray.shutdown()
    cluster.shutdown()

    megabytes = sum(f.y.nbytes + f.cb.nbytes + f.cr.nbytes for f in frames) / 1e6
    table: tables.Table = [("what", "2 processes", "Ray, 2 machines of a core")]
    table += [(what, here[what], there[what]) for what in here]
    path = args.output / "cluster.tsv"
    tables.write_tsv(path, table)
    note = f"# gvideo {__version__}; ray {ray.__version__}; {os.cpu_count()} cores; {megabytes:.1f} MB a segment; "
    path.write_text(f"{note}load {os.getloadavg()[0]:.1f}\n{path.read_text()}")
    print(path.read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
