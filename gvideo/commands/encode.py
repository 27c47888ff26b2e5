"""encode a video to a .gsv stream, an .mp4 or a folder of HLS and DASH; the same command again resumes"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

from gvideo.commands.arguments.config import TARGETS, targets_text
from gvideo.commands.arguments.options import (
    add_source_options,
    check_destination,
    frame_bounds,
    parse_bits,
    parse_size,
    tell_notes,
)
from gvideo.commands.arguments.outputs import Output, output_of, refuse_unused
from gvideo.commands.encoding.executors import add_executor_options, executor_of
from gvideo.commands.encoding.live import add_live_options, encode_live_folder
from gvideo.commands.encoding.stored import kept_spool, stored
from gvideo.commands.package import add_extras
from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.progress import ProgressLine, format_bitrate, format_bytes, format_time
from gvideo.finite import finite
from gvideo.stores import is_store_url

if TYPE_CHECKING:
    from gvideo.encoder.jobs.report import EncodeProgress, EncodeReport

PRESETS = ("veryfast", "fast", "medium", "slow")
TUNES = ("psnr", "ssim", "vmaf")
DEVICES = ("auto", "cpu", "cuda")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo encode`."""
    parser.add_argument(
        "source",
        metavar="IN",
        help="a video file, a picture, a pattern such as frames/%%05d.png, a pipe, - for standard input, or s3://, "
        "gs://, az://BUCKET/NAME",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="OUT.gsv, OUT.mp4, or a folder OUT/ to serve, here or in a store",
    )
    parser.add_argument("--crf", type=float, metavar="Q", help="quality: lower is better (default 34)")
    parser.add_argument("--bitrate", metavar="BPS", help="bits a second, such as 300k or 1.2M, in two passes")
    parser.add_argument("--maxrate", metavar="BPS", help="bits a second that fill the decoder's buffer at most")
    parser.add_argument("--bufsize", metavar="BITS", help="what that buffer holds (default: maxrate for two segments)")
    parser.add_argument(
        "--layers", type=int, default=1, metavar="N", help="layers of every segment, 4 to 8 for streaming (default 1)"
    )
    parser.add_argument(
        "--grain", action="store_true", help="describe the noise that the codec removes, for players to draw anew"
    )
    parser.add_argument("--size", metavar="WxH", help="resize to this before encoding")
    parser.add_argument(
        "--frames", metavar="A:B|N", help="frames A to B-1 of the source, counted from 0; N: the first N"
    )
    add_source_options(parser)
    parser.add_argument(
        "--segment", type=float, default=2.0, metavar="SECONDS", help="longest segment (default 2); shorter at cuts"
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file of these options; the command line wins")
    parser.add_argument(
        "--preset-for",
        choices=tuple(TARGETS),
        metavar="TARGET",
        help=f"options for a target ({targets_text()}); those given win",
    )
    parser.add_argument("--preset", choices=PRESETS, default="medium", help="time spent (default medium)")
    parser.add_argument("--tune", choices=TUNES, default="psnr", help="the measure to serve (default psnr)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to fit (default auto)")
    add_executor_options(parser)
    parser.add_argument(
        "--spool", metavar="DIR|URL", help="where finished segments wait, for resuming (default: OUT.resume beside OUT)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the random choices (default 0)")
    parser.add_argument("--json", action="store_true", help="print a report as JSON (of a .gsv stream)")
    parser.add_argument(
        "--ladder",
        metavar="WxH[:Q],...",
        help="rungs of a published folder, the best first, such as 640x360:34,320x180:36 or 640x360:800k,320x180:300k",
    )
    add_extras(parser)
    add_live_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Encodes; the report is a line on stderr, or JSON on stdout."""
    target = arguments.output
    output = output_of(target, arguments.live)
    refuse_unused(arguments, output, add_arguments)
    if output is Output.LIVE:
        encode_live_folder(arguments)
        return
    if output is not Output.STREAM:
        from gvideo.commands.encoding.ladder import encode_and_package

        encode_and_package(arguments)
        return
    if not is_store_url(target):
        check_destination(target, arguments.source)
    first, last = frame_bounds(arguments.frames)
    size = parse_size(arguments.size)
    bitrate, maxrate, bufsize = (parse_bits(n, getattr(arguments, n)) for n in ("bitrate", "maxrate", "bufsize"))

    from gvideo.encoder.jobs.encode import encode

    with (
        kept_spool(target, arguments.spool) as spool,
        stored(target) as local,
        executor_of(arguments) as executor,
        ProgressLine() as line,
    ):

        def show(p: EncodeProgress) -> None:
            notes = [p.stage] if p.stage else []
            if p.coded_seconds > 0:
                notes += [format_bitrate(8 * p.num_bytes / p.coded_seconds), _decibels(p.luma_psnr_db)]
            total = p.num_frames or (None if last is None else last - first + 1)
            line.show(p.frames_done, total, *notes)

        try:
            report = encode(
                arguments.source, local, crf=arguments.crf, bitrate=bitrate, maxrate=maxrate, bufsize=bufsize,
                size=size, first=first, last=last, segment_seconds=arguments.segment, preset=arguments.preset,
                device=arguments.device, executor=executor, spool=spool, seed=arguments.seed,
                layers=arguments.layers, grain=arguments.grain,
                tune=arguments.tune, stream=arguments.stream, strict=arguments.strict, progress=show,
            )  # fmt: skip
        except KeyboardInterrupt:
            place = arguments.spool or (f"{target}.resume" if spool is None else spool.folder)
            raise KeyboardInterrupt(f"; the same command resumes from {place}") from None
    tell_notes(arguments.source, report.notes)
    if arguments.json:
        print(report_json(report))
    else:
        console.say("done", f"{target}: {report_text(report)}", output=target, **_fields(report))


def report_text(report: EncodeReport) -> str:
    """The report as a line."""
    resumed = f", {report.num_resumed} segment(s) of an earlier run" if report.num_resumed else ""
    prefixes = [f"{format_bytes(p.num_bytes)} {_decibels(p.luma_psnr_db)}" for p in report.prefixes[:-1]]
    layers = f", first layers: {', '.join(prefixes)}" if prefixes else ""
    return (
        f"{report.num_frames} frames in {report.num_segments} segment(s), {report.num_gaussians} Gaussians, "
        f"{format_bytes(report.num_bytes)}, {format_bitrate(report.bitrate_bps)}, "
        f"luma {_decibels(report.luma_psnr_db)}{layers}, "
        f"{format_time(report.elapsed_s)} ({report.frames_per_second:.3g} frames/s){resumed}"
    )


def report_json(report: EncodeReport) -> str:
    """The report as a JSON object; numbers that JSON does not know (a perfect PSNR) are null."""
    return json.dumps(finite(_fields(report)))


def _fields(report: EncodeReport) -> dict[str, Any]:
    fields = dataclasses.asdict(report)
    del fields["losses"]  # thousands of numbers, for studies
    return fields


def _decibels(value: float) -> str:
    return "lossless" if math.isinf(value) else f"{value:.2f} dB"
