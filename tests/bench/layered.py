"""What layers cost: streams with layers against streams without, prefix by prefix.

    python tests/bench/layered.py docs/results/0.1.0 [--clips NAME@WxH,...] [--frames N] [--presets fast,medium]
                                                     [--layers N,...] [--crf LIST]

Clips are those of the folder GVIDEO_CLIPS, or samples/bunny_180p25.mp4 as "sample@WxH". Writes layered.tsv: a row for
every prefix of every stream, whole files' bytes, Y-PSNR and seconds; and prints, per prefix, the BD-rate against the
curve without layers and the mean of the bytes over those of that curve at equal Y-PSNR (straight between its points;
prefixes outside of it are left out of both).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gvideo
from gvideo.commands.arguments.options import parse_size
from gvideo.evaluate.bd import bd_rate

SAMPLE = Path(__file__).parents[2] / "samples" / "bunny_180p25.mp4"
#: The curve without layers reaches further down: short prefixes are compared with it.
PLAIN_CRF = (26.0, 30.0, 34.0, 38.0, 42.0, 46.0)


@dataclass(frozen=True)
class Point:
    clip: str
    preset: str
    num_layers: int
    crf: float
    prefix: int
    num_bytes: int
    luma_psnr_db: float
    seconds: float


def encode(clip: str, num_frames: int, preset: str, num_layers: int, crf: float) -> Iterator[Point]:
    """The prefixes of one stream."""
    name, _, size = clip.partition("@")
    source = SAMPLE if name == "sample" else Path(os.environ["GVIDEO_CLIPS"]) / name
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        report = gvideo.encode(
            source, Path(folder) / "out.gsv", crf=crf, preset=preset, layers=num_layers, last=num_frames - 1,
            size=parse_size(size), workers=1,
        )  # fmt: skip
        seconds = time.monotonic() - started
    for k, prefix in enumerate(report.prefixes):
        yield Point(clip, preset, num_layers, crf, k + 1, prefix.num_bytes, prefix.luma_psnr_db, seconds)


def compare(points: list[Point]) -> list[str]:
    """A line for every prefix of every kind of stream."""
    lines = []
    for clip, preset in dict.fromkeys((p.clip, p.preset) for p in points):
        mine = [p for p in points if (p.clip, p.preset) == (clip, preset)]
        plain = sorted((p.luma_psnr_db, p.num_bytes) for p in mine if p.num_layers == 1)
        quality, logs = np.array([q for q, _ in plain]), np.log([n for _, n in plain])
        for num_layers, prefix in dict.fromkeys((p.num_layers, p.prefix) for p in mine if p.num_layers > 1):
            own = [p for p in mine if (p.num_layers, p.prefix) == (num_layers, prefix)]
            inside = [p for p in own if quality[0] <= p.luma_psnr_db <= quality[-1]]
            ratios = [np.log(p.num_bytes) - np.interp(p.luma_psnr_db, quality, logs) for p in inside]
            delta = bd_rate([(n, q) for q, n in plain], [(p.num_bytes, p.luma_psnr_db) for p in own], "pchip")
            whole = [p.num_bytes for p in mine if p.num_layers == num_layers and p.prefix == num_layers]
            share = np.mean([p.num_bytes / n for p, n in zip(own, whole, strict=True)])
            figures = [f"{100 * np.expm1(r):+.1f}" for r in ratios]
            mean = f"{100 * np.expm1(np.mean(ratios)):+.1f} %" if ratios else "outside"
            bd = delta.warning if delta.value is None else f"{delta.value:+.1f} %"
            lines.append(
                f"{clip} {preset}: {prefix} of {num_layers} layers, {100 * share:.0f} % of the bytes: BD-rate {bd}, "
                f"mean at equal Y-PSNR {mean} ({', '.join(figures)})"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", default="carphone_qcif.mp4@176x144,sample@160x90")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--presets", default="fast")
    parser.add_argument("--layers", default="4")
    parser.add_argument("--crf", default="30,34,38")
    args = parser.parse_args()
    points: list[Point] = []
    for clip in args.clips.split(","):
        for preset in args.presets.split(","):
            for num_layers in (1, *map(int, args.layers.split(","))):
                for crf in PLAIN_CRF if num_layers == 1 else map(float, args.crf.split(",")):
                    points += encode(clip, args.frames, preset, num_layers, crf)
                    head = "clip\tpreset\tlayers\tcrf\tprefix\tbytes\ty_psnr_db\tencode_s"
                    rows = [
                        f"{p.clip}\t{p.preset}\t{p.num_layers}\t{p.crf:g}\t{p.prefix}\t{p.num_bytes}"
                        f"\t{p.luma_psnr_db:.3f}\t{p.seconds:.1f}"
                        for p in points
                    ]
                    (args.folder / "layered.tsv").write_text("\n".join([head, *rows]) + "\n")
    print("\n".join(compare(points)))


if __name__ == "__main__":
    main()
