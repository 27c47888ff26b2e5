"""Speed and memory by size, by frames and by cores, each beside x264 and x265 `veryslow` in the same run; prints a TSV.

    GVIDEO_CLIPS=… python tests/bench/speed.py [--tables sizes,frames,clip,cores,decode] [--repeats 3] [--output FILE]

sizes   encoding 24 frames with each preset, 176x144 to 1920x1080 (`medium` up to 1280x720)
frames  encoding 12 to 96 frames at 640x360 with `fast`
clip    encoding 300 frames at 352x288 in their six segments with `veryfast` and `fast`
cores   encoding at 640x360 on one core and on all
decode  from bytes to RGB frames: a stream at its size, the one of 1280x720 drawn at 320x180 and at 160x90 too, and
        ffmpeg's H.264 decoder on the same frames

An encode runs in a process of its own, which compiles its kernels before the clock starts; its memory is the largest
that one process had. ffmpeg's times include the start of its process. Rounds are repeated in turn and medians given.
Interrupted, it has printed what was done.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import ffmpeg
import numpy as np

from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.encoder.jobs.encode import encode
from gvideo.evaluate import anchors, own
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.anchors import AnchorSettings
from gvideo.evaluate.frames import ReferenceFrames, prepare

Size = tuple[int, int]
#: Small pictures are of one clip, all others of another.
SMALL, LARGE = "foreman_cif_300.mp4", "street_1080p30.mp4"
SIZES: tuple[Size, ...] = ((176, 144), (352, 288), (640, 360), (1280, 720), (1920, 1080))
PRESETS = ("veryfast", "fast", "medium")
#: `medium` takes minutes a frame beyond.
LARGEST_OF_MEDIUM = 1280 * 720
FRAMES = (12, 24, 48, 96)
#: A whole clip, in segments of two seconds: what a user waits for. The other tables are of one segment.
CLIP_FRAMES = 300
NUM_FRAMES, CRF = 24, 34.0
COLUMNS = (
    "table", "codec", "size", "frames", "cores", "seconds_a_frame", "processor_seconds_a_frame", "megabytes", "bytes",
    "frames_per_s", "times_x264", "times_x265_veryslow",
)  # fmt: skip
_ENCODE = """
import json, resource, sys, time
from gvideo.encoder.jobs.encode import encode
from gvideo.evaluate import own
source, stream, preset, crf = sys.argv[1:]
own.warm_up()
usage = lambda: [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
busy = lambda: sum(u.ru_utime + u.ru_stime for u in usage())
before, began = busy(), time.perf_counter()
encode(source, stream, preset=preset, crf=float(crf), device="cpu")
took = time.perf_counter() - began
print(json.dumps([took, busy() - before, max(u.ru_maxrss for u in usage()) / 1024]))
"""


class Table:
    """Rows as they come, on the screen and in a file."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._write(COLUMNS)

    def add(self, *row: object) -> None:
        self._write([f"{x:.4g}" if isinstance(x, float) else str(x) for x in row])

    def note(self, text: str) -> None:
        self._output.write(f"# {text}\n")

    def _write(self, row: tuple[str, ...] | list[str]) -> None:
        self._output.write("\t".join(row) + "\n")
        self._output.flush()


@functools.cache
def reference(clips: Path, folder: Path, size: Size, num_frames: int) -> ReferenceFrames:
    clip = clips / (SMALL if size[0] * size[1] <= 352 * 288 else LARGE)
    where = folder / f"{size[0]}x{size[1]}-{num_frames}"
    where.mkdir()
    return prepare(clip, where, size, (0, num_frames - 1))


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bound_to(cores: int) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def encoded(frames: ReferenceFrames, stream: Path, preset: str, cores: int) -> tuple[float, float, float]:
    """Seconds, processor seconds and megabytes of an encode."""
    stream.unlink(missing_ok=True)
    command = [sys.executable, "-c", _ENCODE, str(frames.path), str(stream), preset, str(CRF)]
    done = subprocess.run(command, preexec_fn=bound_to(cores), stdout=subprocess.PIPE, check=True)
    seconds, busy, megabytes = json.loads(done.stdout)
    return seconds, busy, megabytes


def anchor(frames: ReferenceFrames, name: str, folder: Path, cores: int) -> tuple[float, Path]:
    """Seconds of an anchor, and its stream."""
    stream = folder / f"{name}{anchors.ANCHORS[name].suffix}"
    return anchors.encode(frames, AnchorSettings(name, "default", CRF, 250, cores), stream), stream


def encode_rows(
    table: Table, name: str, frames: ReferenceFrames, presets: tuple[str, ...], cores: int, repeats: int
) -> None:
    """Rows of some frames: the presets and the anchors in turn."""
    folder, size = frames.path.parent, f"{frames.format.width}x{frames.format.height}"
    names = ("x264", "x265-veryslow")
    others: dict[str, list[float]] = {n: [] for n in names}
    ours: dict[str, list[tuple[float, float, float]]] = {p: [] for p in presets}
    for _ in range(repeats):
        for n in names:
            others[n].append(anchor(frames, n, folder, cores)[0])
        for p in presets:
            ours[p].append(encoded(frames, folder / f"{p}.gsv", p, cores))
    count = frames.num_frames
    least = [statistics.median(others[n]) for n in names]
    for n, seconds in zip(names, least, strict=True):
        num_bytes = (folder / f"{n}{anchors.ANCHORS[n].suffix}").stat().st_size
        times = [seconds / x for x in least]
        table.add(name, n, size, count, cores, seconds / count, "", "", num_bytes, count / seconds, *times)
    for p, runs in ours.items():
        seconds, busy, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
        num_bytes = (folder / f"{p}.gsv").stat().st_size
        costs = seconds / count, busy / count, megabytes, num_bytes, count / seconds
        table.add(name, f"gvideo {p}", size, count, cores, *costs, *(seconds / x for x in least))


def decode_rows(table: Table, frames: ReferenceFrames, smaller: tuple[Size, ...], cores: int, repeats: int) -> None:
    """Rows of one stream: at its own size, drawn smaller, and the H.264 decoder on the same frames."""
    stream, size = frames.path.parent / "decoded.gsv", (frames.format.width, frames.format.height)
    encode(frames.path, stream, preset="fast", crf=CRF, device="cpu")
    h264 = anchor(frames, "x264", frames.path.parent, cores)[1]

    def draw(shape: tuple[int, int] | None) -> None:
        with VideoDecoder(stream) as decoder:
            for start in range(0, len(decoder), 8):
                decoder.get_frames_at(np.arange(start, min(start + 8, len(decoder))), shape=shape)

    def other() -> None:
        program.run(ffmpeg.input(str(h264), threads=cores).output("-", f="rawvideo", pix_fmt="rgb24"))

    works: dict[str, Callable[[], None]] = {f"gvideo, {own.num_gaussians(stream)} Gaussians": lambda: draw(None)}
    works |= {f"gvideo at {w}x{h}": functools.partial(draw, (h, w)) for w, h in smaller}
    works["H.264"] = other
    draw(None)  # what a first call loads is in no figure
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(max(5, repeats)):
        for name, work in works.items():
            taken[name].append(seconds_of(work))
    least = statistics.median(taken["H.264"])
    for name, seconds in ((n, statistics.median(t)) for n, t in taken.items()):
        count = frames.num_frames
        table.add("decode", name, f"{size[0]}x{size[1]}", count, cores, seconds / count, "", "", stream.stat().st_size,
                  count / seconds, seconds / least, "")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="sizes,frames,clip,cores,decode")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--largest", type=int, default=1920 * 1080, metavar="PX", help="no larger pictures than that")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    if not os.environ.get("GVIDEO_CLIPS"):
        print("GVIDEO_CLIPS must name the folder of the benchmark's clips", file=sys.stderr)
        return 2
    clips, cores, wanted = Path(os.environ["GVIDEO_CLIPS"]), len(os.sched_getaffinity(0)), args.tables.split(",")
    with tempfile.TemporaryDirectory(prefix="gvideo-speed-") as name, _opened(args.output) as output:
        folder = Path(name)
        table = Table(output)
        table.note(
            f"gvideo {own.code_version()}; ffmpeg {program.version()}; crf {CRF:g}; medians of {args.repeats}; "
            f"load {os.getloadavg()[0]:.1f} of {cores} cores"
        )
        for width, height in SIZES if "sizes" in wanted else ():
            if width * height <= args.largest:
                presets = PRESETS if width * height <= LARGEST_OF_MEDIUM else PRESETS[:2]
                frames = reference(clips, folder, (width, height), NUM_FRAMES)
                encode_rows(table, "sizes", frames, presets, cores, args.repeats)
        for count in FRAMES if "frames" in wanted else ():
            encode_rows(table, "frames", reference(clips, folder, (640, 360), count), ("fast",), cores, args.repeats)
        if "clip" in wanted:
            frames = reference(clips, folder, (352, 288), CLIP_FRAMES)
            encode_rows(table, "clip", frames, PRESETS[:2], cores, args.repeats)
        for bound in (1, cores) if "cores" in wanted else ():
            encode_rows(
                table, "cores", reference(clips, folder, (640, 360), NUM_FRAMES), PRESETS[1:], bound, args.repeats
            )
        if "decode" in wanted:
            for size, smaller in (((352, 288), ()), ((1280, 720), ((320, 180), (160, 90)))):
                if size[0] * size[1] <= args.largest:
                    frames = reference(clips, folder, size, NUM_FRAMES)
                    decode_rows(table, frames, smaller, cores, args.repeats)
        table.note(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0


def _opened(path: Path | None) -> TextIO:
    return open(path, "w") if path else os.fdopen(os.dup(sys.stdout.fileno()), "w")


if __name__ == "__main__":
    sys.exit(main())
