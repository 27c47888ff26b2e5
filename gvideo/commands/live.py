"""`gvideo encode INPUT -o DIR/ --live`: publish while the input still grows."""

from __future__ import annotations

import argparse
import contextlib
import os
from datetime import UTC, datetime
from fractions import Fraction

from gvideo.commands.console import console
from gvideo.commands.executors import executor_of
from gvideo.commands.options import parse_bits, parse_size, tell_notes
from gvideo.errors import OptionError


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """Options of a live encode."""
    group = parser.add_argument_group("live")
    group.add_argument(
        "--live", action="store_true", help="IN still grows: a file being written, a pipe, - for standard input"
    )
    group.add_argument("--window", type=float, metavar="S", help="keep only the last S seconds on offer (default: all)")
    group.add_argument("--then", action="append", default=[], metavar="IN", help="a further input behind the first")
    group.add_argument(
        "--idle", type=float, default=3.0, metavar="S", help="a file that has not grown for S seconds ends (default 3)"
    )


def encode_live_folder(arguments: argparse.Namespace) -> None:
    """Encodes one input after the other; the manifests follow every segment."""
    if arguments.window is not None and not arguments.window > 0:
        raise OptionError(f"--window {arguments.window:g}: above 0 seconds wanted")
    if not arguments.idle > 0:
        raise OptionError(f"--idle {arguments.idle:g}: above 0 seconds wanted")

    rates = {name: parse_bits(name, getattr(arguments, name)) for name in ("bitrate", "maxrate", "bufsize")}

    from gvideo.encoder.jobs.live import encode_live
    from gvideo.encoder.rate.model import RateTarget
    from gvideo.encoder.settings import DEFAULT_CRF, EncodeSettings
    from gvideo.media.growing import LiveSource
    from packager.gsv import gsv_track, piece_of, sequence_unit_of
    from packager.live import LivePublisher
    from packager.sink import open_sink

    crf = DEFAULT_CRF if arguments.crf is None else arguments.crf
    settings = EncodeSettings(
        crf, arguments.preset, arguments.segment, arguments.seed, arguments.layers, tune=arguments.tune
    )
    target = RateTarget.of(rates["bitrate"], rates["maxrate"], rates["bufsize"], arguments.segment, arguments.crf)
    size = parse_size(arguments.size)
    window = None if arguments.window is None else Fraction(arguments.window)
    publisher: LivePublisher | None = None
    frames = 0
    with executor_of(arguments, os.cpu_count()) as executor, contextlib.ExitStack() as stack:
        device = executor.choose_device(arguments.device)
        sink = open_sink(arguments.output.rstrip("/"))
        for name in [arguments.source, *arguments.then]:
            zero: int | None = None
            with LiveSource(name, size=size, idle=arguments.idle, stream=arguments.stream) as video:
                if publisher is None:
                    publisher = LivePublisher(sink, datetime.now(UTC), Fraction(arguments.segment), window)
                    stack.callback(publisher.end)
                for segment in encode_live(video, settings, executor, target, device):
                    if zero is None:
                        zero = segment.start
                        rate = video.average_rate or Fraction(segment.header.timescale, segment.header.frame_duration)
                        unit = sequence_unit_of(segment.header)
                        publisher.begin(gsv_track(segment.header, unit, len(segment.layers), rate, lambda: iter(())))
                    publisher.add(piece_of(segment.start - zero, segment.duration, list(segment.layers)))
                    frames += segment.num_frames
                tell_notes(name, video.notes)
    console.say("done", f"{arguments.output}: {frames} frames, ended")
