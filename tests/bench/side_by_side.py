"""The picture of the README: source, gvideo, and x264 medium at no fewer bytes, one frame of the sample.

    python tests/bench/side_by_side.py [CLIP] [--size WxH] [--frames N] [--crf Q] [--show FRAME] [-o FILE.png]

x264 runs with tune psnr and one keyframe a segment; its crf is raised in steps of 0.25 as long as the stream is no
smaller than ours. Prints bytes and Y-PSNR of both.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import ffmpeg
import imageio_ffmpeg
import numpy as np

import gvideo
from gvideo.commands.arguments.options import parse_size
from gvideo.media import VideoSource, open_sink, planes_to_rgb


def x264(source: Path, target: Path, crf: float, keyframes: int) -> int:
    """Bytes of the elementary stream without its banner."""
    options = {"c:v": "libx264", "preset": "medium", "tune": "psnr", "crf": crf, "g": keyframes, "sc_threshold": 0}
    stream = ffmpeg.input(str(source)).output(str(target), **options, **{"bsf:v": "filter_units=remove_types=6"})
    stream.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True, overwrite_output=True)
    return target.stat().st_size


def luma_psnr(a: Path, b: Path) -> float:
    error, count = 0.0, 0
    with VideoSource(a) as one, VideoSource(b) as other:
        for x, y in zip(one.code_frames(), other.code_frames(), strict=True):
            error += float(np.square(x.y.astype(float) - y.y).sum())
            count += x.y.size
    return float(10 * np.log10(255**2 * count / error))


def picture(path: Path, number: int) -> np.ndarray:
    with VideoSource(path) as video:
        for k, frame in enumerate(video):
            if k == number:
                return planes_to_rgb(frame.planes, video.format.colour)
    raise IndexError(number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=Path("samples/bunny_180p25.mp4"))
    parser.add_argument("--size", type=parse_size)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--crf", type=float, default=42.0)
    parser.add_argument("--show", type=int, default=25)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/side_by_side.png"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, coded, decoded = (Path(folder) / n for n in ("source.mkv", "coded.gsv", "decoded.mkv"))
        with VideoSource(args.clip, size=args.size, last=args.frames - 1, chroma_format="420") as video:
            with open_sink(source, video.format) as sink:
                for frame in video.code_frames():
                    sink.write_codes(frame.planes, frame.pts, frame.duration)
            rate = float(video.average_rate or 25)
        report = gvideo.encode(source, coded, crf=args.crf)
        stream = gvideo.VideoDecoder(coded)
        with open_sink(decoded, stream.metadata.format) as sink:
            for k in range(len(stream)):
                sink.write(stream.planes_at([k])[0], int(stream.pts[k]), int(stream.durations[k]))
        crf, other = 51.0, Path(folder) / "other.264"
        while crf > 10 and x264(source, other, crf, round(2 * rate)) < report.num_bytes:
            crf -= 0.25
        anchor = x264(source, other, crf, round(2 * rate))
        print(f"gvideo {report.num_bytes} bytes, {luma_psnr(source, decoded):.2f} dB")
        print(f"x264   {anchor} bytes, {luma_psnr(source, other):.2f} dB (crf {crf:g})")
        row = np.hstack([picture(p, args.show) for p in (source, decoded, other)])
        cv2.imwrite(str(args.output), row[..., ::-1])


if __name__ == "__main__":
    main()
