"""Rate control on a clip of scenes that differ, with cuts and still passages: rates and buffers met, and at what cost.

    python tests/bench/rates.py docs/results/0.1.0 [--size WxH] [--preset fast]

The clip is put together from clips of the folder GVIDEO_CLIPS and the sample. Writes rates.tsv: bits of the file (of
the segments, live) a second, how far from the rate asked for, the lowest fullness of the buffer as a share of its size
behind a segment (below 0 the buffer would be missed), fits of segments for each segment, and
every segment's bits a second and distortion.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import gvideo
import gvideo.encoder.jobs.pool
from gvideo.commands.arguments.options import parse_size
from gvideo.decoder.stream import Stream
from gvideo.encoder.jobs.live import encode_live
from gvideo.encoder.jobs.pool import ProcessExecutor
from gvideo.encoder.rate.buffer import Buffer
from gvideo.encoder.rate.model import RateTarget
from gvideo.encoder.segment import SegmentJob, SegmentResult, encode_segment
from gvideo.encoder.settings import EncodeSettings
from gvideo.media import VideoSource, open_sink
from gvideo.types import VideoFormat

SAMPLE = Path(__file__).parents[2] / "samples" / "bunny_180p25.mp4"
#: (clip, frames, frames for which its last one stands still)
PARTS = (
    (SAMPLE, 32, 40),
    ("foreman_cif_300.mp4", 30, 0),
    ("cups_720p2997.mp4", 24, 0),
    ("carphone_qcif.mp4", 30, 20),
    ("city_405p25.mpg", 24, 0),
)
SEGMENT_SECONDS = 0.8
#: (mode, bits a second, bits a second that fill the buffer)
RUNS = (("two passes", 20e3, None), ("two passes", 20e3, 24e3), ("one pass", 20e3, 24e3), ("crf 34", None, 24e3))


def write_clip(path: Path, size: tuple[int, int]) -> None:
    with open_sink(path, VideoFormat(*size, timescale=25), frame_rate=Fraction(25)) as sink:
        count = 0
        for name, length, still in PARTS:
            source = name if isinstance(name, Path) else Path(os.environ["GVIDEO_CLIPS"]) / name
            with VideoSource(source, size=size, last=length - 1, chroma_format="420") as video:
                planes = [f.planes for f in video.code_frames()]
            for picture in [*planes, *[planes[-1]] * still]:
                sink.write_codes(picture, count, 1)
                count += 1


def lowest(bits: list[float], seconds: list[float], maxrate: float) -> float:
    """Least share of the buffer that a segment leaves behind; below 0 if one is not there."""
    buffer, least = Buffer(maxrate, 2 * SEGMENT_SECONDS * maxrate), 1.0
    for num_bits, duration in zip(bits, seconds, strict=True):
        least = min(least, (buffer.fullness_bits - num_bits) / buffer.size_bits)
        buffer.take(num_bits, duration)
    return least


class Fits:
    """Counts the fits."""

    def __init__(self) -> None:
        self.number = 0
        gvideo.encoder.jobs.pool.encode_segment = self  # type: ignore[assignment]

    def __call__(self, job: SegmentJob, report: object = None) -> SegmentResult:
        self.number += 1
        return encode_segment(job)


def run(clip: Path, mode: str, bitrate: float | None, maxrate: float | None, preset: str) -> Iterator[str]:
    fits = Fits()
    if mode == "one pass":
        target = RateTarget.of(bitrate, maxrate, None, SEGMENT_SECONDS)
        with VideoSource(clip) as video:
            settings = EncodeSettings(preset=preset, segment_seconds=SEGMENT_SECONDS)
            found = list(encode_live(video, settings, ProcessExecutor(1), target))
            seconds = [s.duration / video.format.timescale for s in found]
        bits, quality, distortions = [8.0 * sum(map(len, s.layers)) for s in found], "", []
    else:
        out = clip.with_suffix(".gsv")
        report = gvideo.encode(
            clip, out, bitrate=bitrate, maxrate=maxrate, preset=preset, segment_seconds=SEGMENT_SECONDS, workers=1
        )
        stream, quality = Stream(out), f"{report.luma_psnr_db:.2f}"
        bits = [8.0 * s.num_bytes for s in stream.segments]
        bits[0] += 8.0 * stream.source.size - sum(bits)
        seconds = [(s.end - s.start) / stream.header.timescale for s in stream.segments]
        distortions = [stream.decode_segment(n).header.distortion for n in range(len(bits))]
        stream.close()
    rate = sum(bits) / sum(seconds)
    yield from (mode, f"{bitrate or 0:.0f}", f"{maxrate or 0:.0f}", f"{rate:.0f}")
    yield f"{100 * (rate / bitrate - 1):+.2f}" if bitrate else ""
    yield f"{lowest(bits, seconds, maxrate):.3f}" if maxrate else ""
    yield from (f"{fits.number / len(bits):.2f}", quality)
    yield " ".join(f"{b / s:.0f}" for b, s in zip(bits, seconds, strict=True))
    yield " ".join(map(str, distortions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=parse_size, default=(96, 64))
    parser.add_argument("--preset", default="fast")
    args = parser.parse_args()
    lines = [
        "mode\tbitrate\tmaxrate\tmeasured_bps\tmiss_percent\tleast_left\tfits\ty_psnr_db\tsegment_bps\tdistortions"
    ]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mkv"
        write_clip(clip, args.size)
        for mode, bitrate, maxrate in RUNS:
            lines.append("\t".join(run(clip, mode, bitrate, maxrate, args.preset)))
            print(lines[-1], flush=True)
            (args.folder / "rates.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
