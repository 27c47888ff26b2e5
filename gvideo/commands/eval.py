"""compare with x264, x265, SVT-AV1 and VVenC on clips of your own

    gvideo eval CLIP… [--size WxH] [--frames A:B|N] [--crf LIST] [--anchors x264,x265,svtav1,vvenc] [--report DIR]

Encodes the same frames with gvideo and its anchors, decodes what was written, and reports bytes, PSNR, SSIM, MS-SSIM,
VMAF, XPSNR, flicker, times and Bjøntegaard deltas. Exit code 2 when nothing could be compared.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gvideo.commands.arguments.options import add_source_options, frame_bounds, parse_size
from gvideo.commands.terminal.console import console
from gvideo.errors import GVideoError, OptionError
from gvideo.processors import num_processors

if TYPE_CHECKING:
    from gvideo.evaluate.compare import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo eval`."""
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="video files")
    parser.add_argument("--size", metavar="WxH", help="resize to this size first, such as 352x288")
    parser.add_argument("--frames", metavar="A:B|N", help="frames A to B-1, counted from 0; N: the first N")
    add_source_options(parser)
    parser.add_argument("--crf", default="28,32,36,40,44", metavar="LIST", help="qualities (default %(default)s)")
    parser.add_argument(
        "--anchors", default="x264,x265,svtav1", metavar="LIST",
        help="of x264, x265, x265-veryslow, svtav1, vvenc, or none (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--segment", type=float, default=2.0, metavar="S", help="longest segment, s (default 2)")
    parser.add_argument("--preset", default="medium", metavar="NAME", help="gvideo's preset (default medium)")
    parser.add_argument(
        "--tune", metavar="NAME", default="psnr", help="the measure to serve: psnr, ssim or vmaf (default psnr)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of gvideo's fit (default 0)")
    parser.add_argument("--threads", type=int, default=num_processors(), metavar="N", help="of every codec")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.html, TSV and JSON there")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where results are kept for the next run")


def run(args: argparse.Namespace) -> None:
    """Runs the comparison. What failed is named on stderr and the rest goes on; GVideoError if nothing is left."""
    evaluation = _evaluate(args)
    for problem in evaluation.problems:
        console.say("note", f"gvideo eval: {problem}")
    if not evaluation.points:
        raise GVideoError("nothing could be compared")
    print(summary(evaluation))


def _evaluate(args: argparse.Namespace) -> Evaluation:
    from gvideo.encoder.settings import EncodeSettings
    from gvideo.evaluate.anchors import parse_anchors
    from gvideo.evaluate.cache import default_root
    from gvideo.evaluate.compare import EvalSettings, evaluate

    if args.threads < 1:
        raise OptionError(f"--threads {args.threads}: at least 1 wanted")
    crfs = _numbers(args.crf)
    for crf in crfs:
        # says what is wrong before anything is encoded
        EncodeSettings(crf, args.preset, args.segment, args.seed, tune=args.tune)
    settings = EvalSettings(
        crfs=crfs, anchors=parse_anchors(args.anchors), size=parse_size(args.size), frames=frame_bounds(args.frames),
        stream=args.stream, strict=args.strict,
        segment_seconds=args.segment, preset=args.preset, threads=args.threads, seed=args.seed, tune=args.tune,
    )  # fmt: skip
    root = args.cache or default_root()
    with ClipProgressLine() as line:
        evaluation = evaluate(args.clips, settings, root, line.show)
        if args.report and evaluation.points:
            from gvideo.evaluate.report import write_report

            line.show("report", 1.0)
            write_report(evaluation, args.report, root)
    return evaluation


def _numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(dict.fromkeys(float(part) for part in text.split(",") if part.strip()))
    except ValueError as error:
        raise OptionError(f"--crf {text}: numbers with commas between them wanted") from error
    if not found:
        raise OptionError("--crf: at least one number wanted")
    return found


def summary(evaluation: Evaluation) -> str:
    """The comparison as text: points, then BD-rates."""
    from gvideo.evaluate import tables

    names = ("clip", "codec", "quality", "bytes", "y_psnr_db", "yuv_psnr_db", "ssim", "ms_ssim", "vmaf", "vmaf_neg",
             "xpsnr_db", "encode_s", "decode_s")  # fmt: skip
    table = tables.points_table(evaluation)
    columns = [table[0].index(n) for n in names]
    lines = _aligned([tuple(row[c] for c in columns) for row in table])
    comparisons = tables.bd_table(evaluation.rows)
    if len(comparisons) > 1:
        kept = [0, 1, 2, 3, 4, 7, 9]
        lines += ["", "gvideo against the anchors (negative BD-rate: fewer bytes for the same quality)"]
        lines += _aligned([tuple(row[c] for c in kept) for row in comparisons])
    lines += ["", *(f"{name}: {value}" for name, value in evaluation.environment.items())]
    return "\n".join(lines)


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[c]) for row in table) for c in range(len(table[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]


class ClipProgressLine:
    """Progress on one line of a terminal; every half minute a line of its own where there is none."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.shown = -1e9
        self.live = sys.stderr.isatty() and not console.as_json and console.verbosity >= 0

    def show(self, what: str, share: float) -> None:
        now = time.monotonic()
        if now - self.shown < (0.1 if self.live else 30) and share < 1:
            return
        self.shown = now
        elapsed = now - self.started
        left = f", {elapsed * (1 - share) / share:.0f} s left" if share > 0.02 else ""
        text = f"{100 * share:3.0f} %  {what}  ({elapsed:.0f} s{left})"
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + text[:width].ljust(width), end="", file=sys.stderr, flush=True)
        else:
            console.say("progress", text, share=round(share, 4))

    def __enter__(self) -> ClipProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        if self.live and self.shown > 0:
            print(file=sys.stderr)
