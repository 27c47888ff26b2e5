"""What longer segments save: whole files with segments of several lengths, by BD-rate against those of 2 s.

    GVIDEO_CLIPS=… python tests/bench/segment_length.py docs/results/VERSION [--clip NAME@WxH] [--frames 80]
                                                        [--seconds 1,2,4,8] [--crf 32,36,40,44] [--preset medium]

Writes segment_length.tsv, a row for every file. The clip by default is the benchmark's static camera at 10 frames a
second. A viewer who seeks waits for one segment, so length is what seeking costs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import gvideo
from gvideo.commands.arguments.options import parse_size
from gvideo.evaluate import bd, tables

REFERENCE_SECONDS = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--clip", default="vtest_576p10_long.avi@384x288")
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--seconds", default="1,2,4,8")
    parser.add_argument("--crf", default="32,36,40,44")
    parser.add_argument("--preset", default="medium")
    args = parser.parse_args()
    name, size = args.clip.rsplit("@", 1)
    source = Path(os.environ["GVIDEO_CLIPS"]) / name
    curves: dict[float, list[tuple[float, float]]] = {}
    table: tables.Table = [("clip", "preset", "segment_s", "segments", "crf", "bytes", "y_psnr_db", "encode_s")]
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (float(s) for s in args.seconds.split(",")):
            for crf in (float(c) for c in args.crf.split(",")):
                report = gvideo.encode(
                    source, Path(folder) / "a.gsv", crf=crf, size=parse_size(size), last=args.frames - 1,
                    segment_seconds=seconds, preset=args.preset,
                )  # fmt: skip
                curves.setdefault(seconds, []).append((report.num_bytes, report.luma_psnr_db))
                table.append((
                    name, args.preset, f"{seconds:g}", str(report.num_segments), f"{crf:g}", str(report.num_bytes),
                    tables.number(report.luma_psnr_db, 3), tables.number(report.elapsed_s, 1),
                ))  # fmt: skip
            tables.write_tsv(args.output / "segment_length.tsv", table)
    for seconds, points in curves.items():
        delta = bd.bd_rate(curves[REFERENCE_SECONDS], points)
        print(f"{seconds:g} s: {tables.number(delta.value, 1, sign=True)} % against {REFERENCE_SECONDS:g} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
