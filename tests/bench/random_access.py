"""Frames for machine learning: random and sequential access beside torchcodec and PyAV, at equal quality.

    python tests/bench/random_access.py CLIP STREAM.gsv [--size 640x360] [--repeats 5] [--out FILE.tsv]

STREAM is CLIP encoded at --size. x264 (its default GOP, and all-intra) and SVT-AV1 are searched by crf for files of
the same mean Y-PSNR within 0.3 dB. Then, in separate processes and in turns: frames a second at 224x224 in random order
(one call a frame, as a DataLoader asks) and in their order, the first frame of a fresh process, and its peak memory.
One thread each (set GVIDEO_THREADS=1). torchcodec scales by its own Resize, PyAV by swscale's area filter, gvideo draws
at that size. Medians of the repeats, with the least and the largest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SIDE = 224
#: Name -> (encoder, crf to begin with, its range, options).
FILES: dict[str, tuple[str, float, tuple[float, float], dict[str, str]]] = {
    "x264": ("libx264", 28, (0, 51), {"preset": "medium"}),
    "x264 all-intra": ("libx264", 30, (0, 51), {"preset": "medium", "g": "1"}),
    "SVT-AV1": ("libsvtav1", 40, (1, 63), {"preset": "6"}),
}
_TOLERANCE_DB = 0.3

#: What a fresh process does: prints seconds to the first frame, frames/s at random and in order, and peak megabytes.
CHILD = """
import json, os, pathlib, re, sys, time
reader, path, count, side = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
begun = time.perf_counter()
if reader == "gvideo":
    import gvideo
    video = gvideo.VideoDecoder(path, output=os.environ.get("GVIDEO_BENCH_OUTPUT", "numpy"))
    total, at = len(video), lambda n: video.get_frame_at(n, shape=(side, side)).data
elif reader == "torchcodec":
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize
    video = VideoDecoder(path, num_ffmpeg_threads=1, transforms=[Resize((side, side))])
    total, at = len(video), lambda n: video.get_frame_at(n).data
else:
    import av
    container = av.open(path)
    stream = container.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    total, rate = stream.frames, stream.average_rate
    state = {"next": None, "frames": None}
    def at(n):
        if state["next"] != n:
            container.seek(int(n / rate / stream.time_base), stream=stream)
            state["frames"] = container.decode(stream)
        for frame in state["frames"]:
            if round(float(frame.pts * stream.time_base * rate)) >= n:
                state["next"] = n + 1
                return frame.reformat(side, side, "rgb24", interpolation="AREA").to_ndarray()
at(0)
first = time.perf_counter() - begun
import random
numbers = [random.Random(5).randrange(total) for _ in range(count)] if count else []
for n in numbers[:3]:
    at(n)
begun = time.perf_counter()
for n in numbers:
    at(n)
middle = time.perf_counter()
in_order = min(total, count)
for n in range(in_order):
    at(n)
end = time.perf_counter()
# not getrusage: a child begins with its parent's peak there
peak = int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([first, count / (middle - begun), in_order / (end - middle), peak]))
"""


def source_luma(clip: str, size: tuple[int, int], count: int) -> np.ndarray:
    """Luma codes u8 [T,H,W] of the source at the size."""
    from gvideo.media import VideoSource

    with VideoSource(clip, size=size, last=count - 1, chroma_format="420") as source:
        return np.stack([frame.y for frame in source.code_frames()])


def psnr(found: np.ndarray, wanted: np.ndarray) -> float:
    """Y-PSNR, dB: over all frames together."""
    return float(10 * np.log10(255**2 / np.square(found.astype(np.float64) - wanted).mean()))


def stream_luma(path: str) -> np.ndarray:
    """Luma codes of a stream of ours."""
    import gvideo
    from gvideo.media import planes_to_code_values

    video = gvideo.VideoDecoder(path, grain=False)
    return np.concatenate(
        [planes_to_code_values(video.planes_at([n]), video.metadata.format)[0] for n in range(len(video))]
    )


def file_luma(path: Path) -> np.ndarray:
    """Luma codes of a file."""
    import av

    with av.open(str(path)) as container:
        return np.stack([f.reformat(format="gray").to_ndarray() if f.format.name == "gray" else
                         np.frombuffer(f.planes[0], np.uint8).reshape(f.height, -1)[:, : f.width]
                         for f in container.decode(video=0)])  # fmt: skip


def write(path: Path, clip: str, size: tuple[int, int], count: int, name: str, crf: float) -> None:
    """Encodes the source's frames at a crf."""
    import av

    from gvideo.media import VideoSource
    from gvideo.media.reading.pixels import write_planes

    encoder, _, _, options = FILES[name]
    with VideoSource(clip, size=size, last=count - 1, chroma_format="420") as source, av.open(str(path), "w") as out:
        rate = source.average_rate
        stream = out.add_stream(encoder, rate=rate, options={**options, "crf": f"{crf:g}"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, frame in enumerate(source.code_frames()):
            picture = write_planes(frame.planes, "420", 8)
            picture.pts, picture.time_base = number, 1 / rate
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def equal_file(folder: Path, clip: str, size: tuple[int, int], wanted: np.ndarray, name: str, target: float):
    """(path, crf, dB) of the file whose quality is nearest to the target."""
    _, crf, (low, high), _ = FILES[name]
    path = folder / f"{name.replace(' ', '_')}.mp4"
    best = (np.inf, crf, 0.0)
    for _ in range(9):
        write(path, clip, size, len(wanted), name, crf)
        found = psnr(file_luma(path), wanted)
        best = min(best, (abs(found - target), crf, found))
        if best[0] <= _TOLERANCE_DB:
            return path, *best[1:]
        low, high = (low, crf) if found < target else (crf, high)
        crf = (low + high) / 2 if "svt" not in FILES[name][0] else round((low + high) / 2)
    raise SystemExit(f"{name}: no crf gives {target:.2f} dB; the nearest was {best[2]:.2f} at {best[1]:g}")


def measured(reader: str, path: str, count: int) -> list[float]:
    """What a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, reader, path, str(count), str(SIDE)], capture_output=True, text=True, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Searches, measures and writes the table."""
    parser = argparse.ArgumentParser(description="random access beside torchcodec and PyAV")
    parser.add_argument("clip")
    parser.add_argument("stream")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=100, help="accesses of each kind a repeat")
    parser.add_argument("--out", type=Path, default=Path("docs/results/0.1.0/random_access.tsv"))
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    own = stream_luma(arguments.stream)
    wanted = source_luma(arguments.clip, (width, height), len(own))
    target = psnr(own, wanted)
    with tempfile.TemporaryDirectory() as temporary:
        runs = [("gvideo", "gvideo", arguments.stream, "", target)]
        for name in FILES:
            path, crf, found = equal_file(Path(temporary), arguments.clip, (width, height), wanted, name, target)
            runs += [(name, reader, str(path), f"{crf:g}", found) for reader in ("torchcodec", "pyav")]
        results: dict[tuple[str, str], list[list[float]]] = {}
        measured("gvideo", arguments.stream, 1)  # kernels are compiled once and kept
        for _ in range(arguments.repeats):
            for name, reader, path, _, _ in runs:
                try:
                    results.setdefault((name, reader), []).append(measured(reader, path, arguments.frames))
                except subprocess.CalledProcessError as error:
                    print(f"{name} with {reader}: {error.stderr.splitlines()[-1]}", file=sys.stderr)
        heads = "file reader crf bytes Y-PSNR_dB random_fps least largest in_order_fps first_frame_s peak_MB"
        rows = ["\t".join(heads.split())]
        for name, reader, path, crf, found in runs:
            values = results.get((name, reader))
            if not values:
                continue
            first, at_random, in_order, memory = (statistics.median(column) for column in zip(*values, strict=True))
            spread = [v[1] for v in values]
            rows.append(
                f"{name}\t{reader}\t{crf}\t{Path(path).stat().st_size}\t{found:.2f}\t{at_random:.1f}\t{min(spread):.1f}\t"
                f"{max(spread):.1f}\t{in_order:.1f}\t{first:.3f}\t{memory:.0f}"
            )
    arguments.out.write_text("\n".join(rows) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
