"""A small stream on a large screen: small pictures and few of them, shown large and at every moment, against others.

    GVIDEO_CLIPS=… python tests/bench/small_stream.py [--clips bunny_720p25.mp4,…] [--frames 96] [--crf 28,32,36,40]

    clip ── truth: 1280x720, all frames ─────────────────────────────────────────────┐
      └── small: 320x180, one frame in `step` ── gvideo ── drawn at 1280x720, at all moments ─► PSNR, VMAF
                                              └─ x264, SVT-AV1 ── minterpolate ── Lanczos ────┘

`step` is what brings a clip nearest to --rate (12.5 frames/s): 2 for one of 25, which is then shown at 25, and 4 for
one of 50, since only frames that the clip has can be compared. A clip smaller than the screen is shown at its own size.
The anchors (`medium`, preset 6) take, of qualities in steps of 0.25 and 1, the one whose bytes are the fewest that are
not fewer than gvideo's (SVT-AV1 has a largest quality number; see the bytes). Motion is interpolated at the small
size (--interpolate-large: at the large one, which takes long); the last frame, behind which there is none to go to, is
coded. "gvideo, enlarged" is gvideo's stream decoded as it is and then treated like the anchors', which tells
drawing from coding. Rows in --out, one a stream, kept from run to run: a clip and crf that is there is not run again.

PSNR and VMAF at display size; `between` counts the frames that no stream holds. LPIPS is not measured.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import ffmpeg
import numpy as np

from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.evaluate import anchors, frames, own, perceptual, tables
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.anchors import AnchorSettings
from gvideo.evaluate.frames import ReferenceFrames, read_y4m
from gvideo.evaluate.own import OwnSettings
from gvideo.media import FrameSink, open_sink, planes_to_code_values, psnr_db

CLIPS = ("bunny_720p25.mp4", "cups_720p2997.mp4", "juggle_720p24.mp4", "street_1080p30.mp4", "bbb_540p60.mp4")
ANCHORS = {"x264": 0.25, "svtav1": 1.0}
COLUMNS = (
    "clip", "settings", "codec", "quality", "bytes", "kbps", "y_psnr_db", "y_psnr_between_db", "vmaf", "vmaf_neg",
    "encode_s", "show_s",
)  # fmt: skip
#: Frames drawn at once.
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Task:
    """A clip: truth at display size, small: every step-th frame of it at the small size."""

    truth: ReferenceFrames
    small: ReferenceFrames
    step: int
    settings: str


def prepare(clip: Path, folder: Path, args: argparse.Namespace) -> Task:
    """Writes truth and small frames. The last frame of the truth is coded as well."""
    own_size = frames.prepare(clip, folder / "probe", frames=(0, 0)).format
    screen, wanted = args.display, args.size
    share = min(1.0, screen[0] / own_size.width, screen[1] / own_size.height)
    size = tuple(max(2, round(side * share / 2) * 2) for side in (own_size.width, own_size.height))
    low = tuple(max(2, round(side * wanted[0] / screen[0] / 2) * 2) for side in size)
    rate = frames.prepare(clip, folder / "probe", frames=(0, 4)).rate
    step = max(1, round(float(rate) / args.rate))
    last = (args.frames - 1) // step * step
    truth = frames.prepare(clip, folder / "truth", (size[0], size[1]), (0, last))
    every = frames.prepare(clip, folder / "every", (low[0], low[1]), (0, last))
    path, planes, small_rate = folder / "small.y4m", every.planes(), every.rate / step
    stored = replace(every.format, timescale=small_rate.numerator)
    with open_sink(path, stored, frame_rate=small_rate) as sink:
        for number, k in enumerate(range(0, len(planes), step)):
            codes = (planes.y[k], planes.cb[k], planes.cr[k])
            sink.write_codes(codes, number * small_rate.denominator, small_rate.denominator)
    settings = (
        f"{low[0]}x{low[1]}@{float(small_rate):g} at {size[0]}x{size[1]}@{float(truth.rate):g}, "
        f"{truth.num_frames} frames, {args.preset}, "
        f"interpolated {'large' if args.interpolate_large else 'small'}, anchors' tune {args.tune}"
    )
    small = ReferenceFrames(clip.name, path, stored, small_rate, len(range(0, len(planes), step)), every.digest, ())
    return Task(truth, small, step, settings)


def draw(stream: Path, task: Task, target: Path) -> None:
    """Every frame of the truth, drawn at its size from a .gsv of the small frames."""
    truth = task.truth
    size = (truth.format.width, truth.format.height)
    with VideoDecoder(stream, size=size, grain=False) as video:
        ticks = np.interp(np.arange(truth.num_frames) / task.step, np.arange(len(video)), video.pts)
        with _sink(target, truth) as sink:
            for first in range(0, truth.num_frames, _BATCH):
                planes = video.planes_at_ticks(ticks[first : first + _BATCH])
                for k, codes in enumerate(zip(*planes_to_code_values(planes, truth.format), strict=True), first):
                    sink.write_codes(codes, k * truth.rate.denominator, truth.rate.denominator)


def enlarge(stream: Path, task: Task, target: Path, large_first: bool) -> None:
    """A file of small frames, interpolated in time and enlarged, by ffmpeg's filters."""
    truth = task.truth
    # raw streams may state another rate; without frames after the last one the filter would end before it
    video = ffmpeg.input(str(stream), r=str(task.small.rate)).filter("tpad", stop=2, stop_mode="clone")

    def interpolated(graph: object) -> object:
        return graph.filter(  # type: ignore[attr-defined]
            "minterpolate", fps=str(truth.rate), mi_mode="mci", mc_mode="aobmc", me_mode="bidir", vsbmc=1
        )

    def enlarged(graph: object) -> object:
        return graph.filter(  # type: ignore[attr-defined]
            "scale", truth.format.width, truth.format.height, flags="lanczos+accurate_rnd+full_chroma_int"
        )

    graph = interpolated(enlarged(video)) if large_first else enlarged(interpolated(video))
    options = {"f": "yuv4mpegpipe", "pix_fmt": "yuv420p", "strict": -1, "frames:v": truth.num_frames}
    program.run(graph.output(str(target), **options))  # type: ignore[attr-defined]


def _sink(path: Path, reference: ReferenceFrames) -> FrameSink:
    return open_sink(path, replace(reference.format, timescale=reference.rate.numerator), frame_rate=reference.rate)


def measure(task: Task, shown: Path, folder: Path, threads: int) -> dict[str, float]:
    """Figures of shown frames against the truth."""
    ours, theirs = read_y4m(shown), task.truth.planes()
    if len(ours) != len(theirs):
        raise SystemExit(f"{shown}: {len(ours)} frames, {len(theirs)} wanted")
    errors = np.array(
        [np.square(a.astype(np.float32) - b).mean(dtype=np.float64) for a, b in zip(ours.y, theirs.y, strict=True)]
    )
    between = np.arange(len(errors)) % task.step != 0
    found, warnings = perceptual.measure(task.truth.path, shown, task.truth.rate, folder, threads)
    if warnings:
        raise SystemExit("; ".join(warnings))
    return {
        "y_psnr_db": psnr_db(float(errors.mean())),
        "y_psnr_between_db": psnr_db(float(errors[between].mean())) if between.any() else float("nan"),
        **found,
    }


def equal_bytes(task: Task, name: str, wanted: int, folder: Path, tune: str, threads: int) -> tuple[float, Path, float]:
    """(quality, stream, seconds) of the anchor's smallest stream that is not smaller than wanted bytes."""
    step, anchor = ANCHORS[name], anchors.ANCHORS[name]

    def encode(index: int) -> tuple[int, Path, float]:
        quality = anchor.lowest + index * step
        stream = folder / f"{name}-{quality:g}{anchor.suffix}"
        settings = AnchorSettings(name, tune, quality, max(1, round(2 * float(task.small.rate))), threads)
        seconds = anchors.encode(task.small, settings, stream)
        return anchors.payload_bytes(stream), stream, seconds

    low, high = 0, round((anchor.highest - anchor.lowest) / step) + 1  # large enough, and too small or no number
    best = (anchor.lowest, *encode(low)[1:])
    while high - low > 1:
        middle = (low + high) // 2
        size, stream, seconds = encode(middle)
        if size >= wanted:
            low, best = middle, (anchor.lowest + middle * step, stream, seconds)
        else:
            high = middle
    return best


def run_clip(
    clip: Path, args: argparse.Namespace, known: set[tuple[str, ...]], add: Callable[[list[str]], None]
) -> None:
    """All rows of a clip that are not there."""
    with tempfile.TemporaryDirectory(prefix="gvideo-small-") as name:
        folder = Path(name)
        task = prepare(clip, folder, args)
        shown = folder / "shown.y4m"

        def row(codec: str, quality: float, stream: Path, encode_s: float, show: Callable[[], None], size: int) -> None:
            begun = time.perf_counter()
            show()
            show_s = time.perf_counter() - begun
            found = measure(task, shown, folder, args.threads)
            seconds = float(Fraction(task.truth.num_frames) / task.truth.rate)
            add([
                clip.name, task.settings, codec, f"{quality:g}", str(size), f"{8 * size / seconds / 1000:.2f}",
                *(f"{found[key]:.3f}" for key in COLUMNS[6:10]), f"{encode_s:.2f}", f"{show_s:.2f}",
            ])  # fmt: skip

        for crf in args.crf:
            names = ["gvideo", "gvideo, enlarged", *(f"{a} at the bytes of crf {crf:g}" for a in ANCHORS)]
            if all((clip.name, task.settings, n) in known for n in names[2:]):
                continue
            stream = folder / "stream.gsv"
            encode_s = own.encode(task.small, OwnSettings(crf, args.preset), stream, args.threads, None)
            size = stream.stat().st_size
            row("gvideo", crf, stream, encode_s, partial(draw, stream, task, shown), size)
            plain = folder / "plain.y4m"
            own.decode(stream, plain, task.small)
            large = args.interpolate_large
            row("gvideo, enlarged", crf, stream, encode_s, partial(enlarge, plain, task, shown, large), size)
            for anchor in ANCHORS:
                quality, found, seconds = equal_bytes(task, anchor, size, folder, args.tune, args.threads)
                label = f"{anchor} at the bytes of crf {crf:g}"
                show = partial(enlarge, found, task, shown, large)
                row(label, quality, found, seconds, show, anchors.payload_bytes(found))


def main() -> int:
    """Runs all clips; the table is written after each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", default=",".join(CLIPS), help="files of the folder GVIDEO_CLIPS, or paths")
    parser.add_argument("--frames", type=int, default=97, help="of the clip, at most (default 97)")
    parser.add_argument("--crf", type=_floats, default=[28.0, 32.0, 36.0, 40.0])
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--size", type=_size, default=(320, 180), help="of the stream, if the display is --display")
    parser.add_argument("--rate", type=float, default=12.5, help="frames a second of the stream, about")
    parser.add_argument("--display", type=_size, default=(1280, 720))
    parser.add_argument(
        "--tune", choices=(anchors.DEFAULT, anchors.PSNR), default=anchors.DEFAULT, help="of the anchors"
    )
    parser.add_argument("--interpolate-large", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("docs/results/small_stream.tsv"))
    args = parser.parse_args()
    rows = [[r[c] for c in COLUMNS] for r in tables.read_tsv(args.out)] if args.out.exists() else []
    root = Path(os.environ.get("GVIDEO_CLIPS", "."))

    def add(row: list[str]) -> None:
        rows[:] = [r for r in rows if r[:3] != row[:3] or (row[2].startswith("gvideo") and r[3] != row[3])] + [row]
        tables.write_tsv(args.out, [COLUMNS, *(tuple(r) for r in rows)])
        print("\t".join(row), flush=True)

    for name in args.clips.split(","):
        clip = Path(name) if Path(name).exists() else root / name
        run_clip(clip, args, {(r[0], r[1], r[2]) for r in rows}, add)
    return 0


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


if __name__ == "__main__":
    raise SystemExit(main())
