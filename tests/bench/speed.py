"""Speed of encoding and decoding, each as a ratio to x264 in the same run; prints a TSV.

    GVIDEO_CLIPS=… python tests/bench/speed.py [--frames 16] [--repeats 3] [--presets fast,medium] [--threads 1]

encode  seconds a frame at 352x288, per preset, against ffmpeg's libx264 medium on the same frames
decode  frames a second at 352x288 (a stream encoded at preset fast) and at 1280x720 (a stream of the same length from
        the same clip, enlarged), from bytes to 8-bit Y'CbCr, against ffmpeg's H.264 decoder on an x264 stream

Medians of interleaved repeats, so that a busy neighbour hits both. ffmpeg's times include the start of its process,
which is given beside them; gvideo's encoder runs in this process after a first encode that is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ffmpeg

from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.encoder.jobs.encode import encode as encode_file
from gvideo.errors import GVideoError
from gvideo.evaluate import anchors, own
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.anchors import AnchorSettings
from gvideo.evaluate.frames import ReferenceFrames, prepare
from gvideo.media import planes_to_code_values
from gvideo.raster import set_num_threads

CLIP = "foreman_cif_300.mp4"


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    pairs = [(seconds_of(first), seconds_of(second)) for _ in range(repeats)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def decode_all(stream: Path) -> None:
    decoder = VideoDecoder(stream)
    for start in range(0, len(decoder), 16):
        planes = decoder.planes_at(range(start, min(start + 16, len(decoder))))
        planes_to_code_values(planes, decoder.stream.format)
    decoder.close()


def ffmpeg_decode(stream: Path, threads: int) -> None:
    program.run(ffmpeg.input(str(stream), threads=threads).output("-", f="null"))


def x264_stream(reference: ReferenceFrames, folder: Path, threads: int) -> Path:
    stream = folder / f"{reference.format.height}.h264"
    anchors.encode(reference, AnchorSettings("x264", "default", 34, 50, threads), stream)
    return stream


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--presets", default="fast,medium")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--crf", type=float, default=34)
    parser.add_argument("--skip-720p", action="store_true")
    args = parser.parse_args()
    clips = os.environ.get("GVIDEO_CLIPS")
    if not clips:
        print("GVIDEO_CLIPS must name the folder of the benchmark's clips", file=sys.stderr)
        return 2
    print(f"# gvideo {own.code_version()}; ffmpeg {program.version()}; {args.threads} threads; {args.frames} frames; "
          f"medians of {args.repeats}; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print("what\tgvideo\tunit\tx264\tratio")
    with tempfile.TemporaryDirectory(prefix="gvideo-speed-") as name:
        folder = Path(name)
        try:
            small = prepare(Path(clips) / CLIP, folder / "small", (352, 288), (0, args.frames - 1))
        except GVideoError as error:
            print(error, file=sys.stderr)
            return 2
        own.warm_up()
        start = seconds_of(program.version.__wrapped__)
        print(f"start of ffmpeg\t\ts\t{start:.3f}\t")
        for preset in args.presets.split(","):
            stream = folder / f"{preset}.gsv"

            def ours(stream: Path = stream, preset: str = preset) -> None:
                stream.unlink(missing_ok=True)
                encode_file(small.path, stream, crf=args.crf, preset=preset, device="cpu")

            set_num_threads(args.threads)
            mine, theirs = interleaved(ours, lambda: x264_stream(small, folder, args.threads), args.repeats)
            mine, theirs = mine / small.num_frames, theirs / small.num_frames
            print(f"encode 352x288 {preset}\t{mine:.4f}\ts/frame\t{theirs:.4f}\t{mine / theirs:.1f}", flush=True)
        sizes = [(352, 288)] if args.skip_720p else [(352, 288), (1280, 720)]
        for size in sizes:
            reference = prepare(Path(clips) / CLIP, folder / f"{size[1]}", size, (0, args.frames - 1))
            stream = folder / f"decode-{size[1]}.gsv"
            encode_file(reference.path, stream, crf=args.crf, preset="fast", workers=1, device="cpu")
            set_num_threads(args.threads)
            other = x264_stream(reference, folder, args.threads)
            decode_all(stream)
            mine, theirs = interleaved(
                lambda stream=stream: decode_all(stream),  # type: ignore[misc]
                lambda other=other: ffmpeg_decode(other, args.threads),  # type: ignore[misc]
                max(args.repeats, 5),
            )
            rate, other_rate = reference.num_frames / mine, reference.num_frames / theirs
            count = own.num_gaussians(stream)
            print(f"decode {size[0]}x{size[1]} ({count} Gaussians)\t{rate:.1f}\tframes/s\t{other_rate:.1f}\t"
                  f"{rate / other_rate:.3f}", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
