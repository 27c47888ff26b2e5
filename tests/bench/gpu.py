"""Everything that is known of the CUDA kernels, in one run of a few minutes on a machine with a GPU.

    python tests/bench/gpu.py [--output docs/results/VERSION/gpu.tsv] [--clip samples/bunny_180p25.mp4] [--quick]

1. correctness: the tests of the kernels and of the fit on the device, with FAIL_WITHOUT_CUDA=1;
2. kernels: pictures, and pictures with errors and gradients, of random Gaussians; medians of synchronised calls, beside
   the CPU kernels in the same run and two floors, operations and bytes at the peak rates given below;
3. encodes: frames a second of a whole encode at 640x360, 1280x720 and 1920x1080 (the clip, scaled up);
4. quality: the clip on the CPU and on the GPU at four crfs, and the BD-rate between the two;
5. decoding at 1920x1080: frames a second of entropy decoding and of drawing on the device.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from kernels import make_splats

import gvideo
from gvideo.encoder.encode import encode
from gvideo.evaluate import bd, tables
from gvideo.raster import Viewport, cuda, get_backend

#: Peak rates of an H200 (SXM): float32 operations and bytes a second.
PEAK_OPERATIONS, PEAK_BYTES = 67e12, 4.8e12
#: Float operations of a pixel and a Gaussian: place, exponent, three channels; with gradients also eight moments.
FORWARD_OPERATIONS, BOTH_OPERATIONS = 20, 20 + 20 + 35
#: Bytes of a member of a tile (its place and strength, once forward, once backward) and of its moments.
MEMBER_BYTES, MOMENT_BYTES = 64, 32
CASES = ((640, 360, 4000), (1280, 720, 10000), (1280, 720, 40000), (1920, 1080, 20000), (1920, 1080, 80000))
FRAMES = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/results") / gvideo.__version__ / "gpu.tsv")
    parser.add_argument("--clip", type=Path, default=Path("samples/bunny_180p25.mp4"))
    parser.add_argument("--quick", action="store_true", help="kernels and one encode only")
    args = parser.parse_args()
    table: tables.Table = [("what", "case", "value", "unit", "beside")]

    def note(what: str, case: str, value: float, unit: str, beside: str = "") -> None:
        table.append((what, case, f"{value:.4g}", unit, beside))
        print("\t".join(table[-1]), flush=True)
        tables.write_tsv(args.output, table)

    note("device", torch.cuda.get_device_name() if torch.cuda.is_available() else "interpreter", 1, "")
    if not args.quick:
        check(note)
    for case in CASES:
        time_kernels(*case, note)
    sizes = ((1280, 720),) if args.quick else ((640, 360), (1280, 720), (1920, 1080))
    for size in sizes:
        for preset in ("fast", "medium"):
            time_encode(args.clip, size, preset, note)
    if not args.quick:
        compare_quality(args.clip, note)
    return 0


Note = Callable[..., None]


def check(note: Note) -> None:
    """Runs the tests with FAIL_WITHOUT_CUDA=1. A failure ends the run."""
    tests = ["tests/raster/test_triton.py", "tests/encoder/test_cuda_fit.py"]
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    subprocess.run(command, check=True, env=os.environ | {"FAIL_WITHOUT_CUDA": "1"})
    note("tests", "kernels and fit", time.perf_counter() - started, "s", "all passed")


def median_ms(call: Callable[[], object], repeats: int = 21) -> float:
    """Median time of a synchronised call, ms, after three that do not count."""
    times = []
    for k in range(repeats + 3):
        _synchronise()
        started = time.perf_counter()
        call()
        _synchronise()
        if k >= 3:
            times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def time_kernels(width: int, height: int, count: int, note: Note) -> None:
    """One segment, FRAMES frames in a launch."""
    splats = make_splats(width, height, count)
    basis = np.full((FRAMES, splats.displacements.shape[1]), 0.2, np.float32)
    times = np.zeros(FRAMES, np.float32)
    batch = cuda._batch(splats, basis, times)
    view = Viewport(width, height)
    where = cuda.device()
    targets = torch.rand((FRAMES, 3, height, width), device=where)
    rows = torch.arange(FRAMES, device=where)
    weights = (1.0, 0.5, 0.5)
    plan = cuda._plan(batch, view, None)
    members = len(plan.slots)
    pixels = members * 256
    floor_forward = max(pixels * FORWARD_OPERATIONS / PEAK_OPERATIONS, members * MEMBER_BYTES / PEAK_BYTES)
    bytes_both = members * (2 * MEMBER_BYTES + MOMENT_BYTES) + targets.numel() * 4
    floor_both = max(pixels * BOTH_OPERATIONS / PEAK_OPERATIONS, bytes_both / PEAK_BYTES)
    forward = median_ms(lambda: cuda.draw(batch, view))
    both = median_ms(lambda: cuda.errors_and_gradients(batch, targets, rows, weights))
    roomy = int(members * 1.3) + 1024
    unsynced = median_ms(lambda: cuda.errors_and_gradients(batch, targets, rows, weights, roomy))
    case = f"{width}x{height}, {count} Gaussians, {FRAMES} frames"
    note("members of tiles", case, members, "", f"{members / count / FRAMES:.1f} tiles a Gaussian")
    for name, ms, floor in (("forward", forward, floor_forward), ("forward and backward", both, floor_both)):
        note(name, case, ms, "ms", f"floor {1e3 * floor:.3g} ms, {100 * 1e3 * floor / ms:.0f} % of it")
        note(name, case, FRAMES * count / ms * 1e3, "Gaussians a second")
    note("forward and backward, fixed capacity", case, unsynced, "ms")
    host = get_backend("cpu", check=False)
    indices = np.arange(FRAMES, dtype=np.int32)
    arguments = (splats, basis, times, targets.cpu().numpy(), indices, np.array(weights, np.float32))
    ms = median_ms(lambda: host.loss_and_gradients(*arguments), 5)
    note("CPU, forward and backward", case, ms, "ms", f"{ms / both:.1f} times the GPU's")


def time_encode(clip: Path, size: tuple[int, int], preset: str, note: Note) -> None:
    """Frames a second of a whole encode, start of the workers and flow included; the second of two runs."""
    with tempfile.TemporaryDirectory() as folder:
        for attempt in range(2):
            out = Path(folder) / f"{attempt}.gsv"
            report = encode(clip, out, size=size, crf=36, preset=preset, device="cuda")
        case = f"{size[0]}x{size[1]}, {preset}, crf 36, {report.num_frames} frames"
        beside = f"{report.luma_psnr_db:.2f} dB, {report.num_bytes} bytes, {report.num_gaussians} Gaussians"
        note("encode", case, report.frames_per_second, "frames a second", beside)
        if size == (1920, 1080):
            time_decode(out, case, note)


def time_decode(stream: Path, case: str, note: Note) -> None:
    """Entropy decoding of all segments, and drawing their frames on the device."""
    decoder = gvideo.VideoDecoder(stream)
    started = time.perf_counter()
    segments = [decoder.stream.decode_segment(n) for n in range(len(decoder.stream.segments))]
    spent = time.perf_counter() - started
    note("entropy decoding", case, len(decoder) / spent, "frames a second", f"{len(segments)} segments, one thread")
    width, height = decoder.stream.header.width, decoder.stream.header.height
    decoder.close()
    from gvideo.decoder.render import SegmentRenderer
    from gvideo.model import motion

    first = segments[0]
    ticks = np.arange(first.header.num_frames + 1, dtype=np.int64)
    renderer = SegmentRenderer(first.symbols, first.rules, width, height, ticks)
    basis = motion.basis(renderer.times, renderer.num_frames, renderer.num_control)
    batch = cuda._batch(renderer.splats, basis[:16], renderer.times[:16].astype(np.float32))
    ms = median_ms(lambda: cuda.draw(batch, Viewport(width, height)))
    note("drawing on the device", case, len(batch.times) / ms * 1e3, "frames a second", "pictures stay there")
    with gvideo.VideoDecoder(stream, device="cuda") as decoder:
        decoder.get_frames_in_range(0, 8)
        started = time.perf_counter()
        for data in decoder:
            assert data.shape == (3, height, width)
        spent = time.perf_counter() - started
        note("VideoDecoder", case, len(decoder) / spent, "frames a second", "R'G'B' in the host's memory")


def compare_quality(clip: Path, note: Note) -> None:
    """BD-rate of the GPU's encodes against the CPU's."""
    curves: dict[str, list[tuple[float, float]]] = {"cpu": [], "cuda": []}
    with tempfile.TemporaryDirectory() as folder:
        for device, points in curves.items():
            for crf in (30, 34, 38, 42):
                report = encode(
                    clip, Path(folder) / "a.gsv", size=(320, 180), crf=crf, preset="fast", device=device, last=49
                )
                points.append((report.num_bytes, report.luma_psnr_db))
                note("quality", f"{device}, fast, crf {crf}", report.luma_psnr_db, "dB", f"{report.num_bytes} bytes")
    delta = bd.bd_rate(curves["cpu"], curves["cuda"], "pchip")
    note("quality", "BD-rate of cuda against cpu", np.nan if delta.value is None else delta.value, "%", delta.warning)


if __name__ == "__main__":
    sys.exit(main())
