"""play a stream in a terminal or without a display, or simulate a network: files, folders, .m3u8, .mpd, URLs"""

from __future__ import annotations

import argparse
import shutil
import sys

from gvideo.commands.options import parse_size
from gvideo.errors import OptionError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo play`."""
    parser.add_argument(
        "source", metavar="SOURCE", help="a .gsv, .mp4, .m3u8 or .mpd, a published folder, or a URL of one"
    )
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--terminal", action="store_true", help="draw into the terminal (24-bit colour)")
    how.add_argument("--no-window", action="store_true", help="play in real time without a display, and report")
    how.add_argument(
        "--simulate",
        metavar="TRACE",
        help="what a viewer would get, on a virtual clock: steady, step-down, step-up, 3g, lte, outage, or a file of "
        "lines `seconds kbit/s`",
    )
    parser.add_argument("--layers", type=int, metavar="K", help="only the first K layers of each segment")
    parser.add_argument("--size", metavar="WxH", help="render at this size")
    parser.add_argument("--rule", default="ewma", help="of --simulate: throughput, ewma, bola, mpc (default: ewma)")
    parser.add_argument("--buffer", type=float, default=20.0, metavar="S", help="of --simulate: seconds (default: 20)")


def run(arguments: argparse.Namespace) -> None:
    """Plays to the end."""
    size = parse_size(arguments.size)
    if arguments.layers is not None and arguments.layers < 1:
        raise OptionError(f"--layers {arguments.layers}: at least 1 wanted")
    if arguments.simulate is not None:
        _simulate(arguments)
    else:
        _play(arguments, size)


def _play(arguments: argparse.Namespace, size: tuple[int, int] | None) -> None:
    from gvideo.decoder.published import open_stream
    from gvideo.decoder.video_decoder import VideoDecoder
    from player import playback

    stream = open_stream(arguments.source)
    if arguments.terminal:
        columns, rows = shutil.get_terminal_size()
        shape = stream.format
        size = size or playback.fit(shape.width, shape.height, columns, max(rows - 2, 1))
        if size[1] % 2:
            raise OptionError(f"--size {size[0]}x{size[1]}: an even height wanted, a character holds two pixels")
    with VideoDecoder(stream, layers=arguments.layers, size=size, dimension_order="NHWC") as decoder:
        if arguments.terminal:
            screen = playback.Terminal()
            try:
                report = playback.play(decoder, screen)
            finally:
                screen.close()
        else:
            report = playback.play(decoder, playback.nothing)
    print(
        f"{arguments.source}: {report.num_frames} frames in {report.seconds:.3f} s; first picture after "
        f"{report.startup_seconds:.3f} s; {report.num_stalls} stall(s) of {report.stall_seconds:.3f} s together; "
        f"otherwise at most {1000 * report.worst_seconds:.1f} ms late",
        file=sys.stderr,
    )


def _simulate(arguments: argparse.Namespace) -> None:
    from player.abr import RULES
    from player.fetch import Fetcher
    from player.ladder import read_ladder
    from player.simulate import Simulation
    from player.traces import read_trace

    if arguments.rule not in RULES:
        raise OptionError(f"--rule {arguments.rule}: one of {', '.join(RULES)} wanted")
    if not 1 <= arguments.buffer <= 3600:
        raise OptionError(f"--buffer {arguments.buffer:g}: from 1 to 3600 seconds wanted")
    trace = read_trace(arguments.simulate)
    ladder = read_ladder(arguments.source, Fetcher(), num_levels=arguments.layers)
    out = Simulation(ladder, trace, RULES[arguments.rule](), target_seconds=arguments.buffer).run()
    kind = "layers" if ladder.layered else "rungs"
    rates = ", ".join(f"{r / 1000:.0f}" for r in ladder.rates_bps)
    print(f"{kind}\t{len(ladder.quality)}\nrates_kbps\t{rates}\ntrace\t{trace.name}\nrule\t{arguments.rule}")
    print(
        f"startup_seconds\t{out.startup_seconds:.3f}\nrebuffer_ratio\t{out.stall_ratio:.4f}\nstalls\t{out.num_stalls}"
    )
    print(f"mean_level\t{sum(out.shown) / len(out.shown) + 1:.3f}\nswitches\t{out.num_switches}")
    print(f"upgrades\t{out.num_upgrades}\nfetched_bytes\t{out.fetched_bits / 8:.0f}")
    print(f"wasted_bytes\t{out.wasted_bits / 8:.0f}")
