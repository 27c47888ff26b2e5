"""play a stream in a window, in a terminal or without a display, write it to files, or simulate a network"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gvideo.commands.arguments.options import parse_size
from gvideo.commands.terminal.console import console
from gvideo.errors import MediaError, OptionError

if TYPE_CHECKING:
    from player.presentation.reel import Reel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo play`."""
    parser.add_argument(
        "source", metavar="SOURCE", help="a .gsv, .mp4, .m3u8 or .mpd, a published folder, or a URL of one"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--terminal", action="store_true", help="draw into the terminal (24-bit colour)")
    how.add_argument("--no-window", action="store_true", help="play in real time without a display, and report")
    how.add_argument(
        "--dump", metavar="OUT", help="write the frames, and wait for nothing: a folder (pictures), or as gvideo decode"
    )
    how.add_argument(
        "--simulate",
        metavar="TRACE",
        help="what a viewer would get, on a virtual clock: steady, step-down, step-up, 3g, lte, outage, or a file of "
        "lines `seconds kbit/s`",
    )
    parser.add_argument("--layers", type=int, metavar="K", help="only the first K layers of each segment")
    parser.add_argument("--no-grain", action="store_true", help="leave out the grain that the stream describes")
    parser.add_argument("--size", metavar="WxH", help="size of the window, or of the pictures")
    parser.add_argument(
        "--rule",
        default="ewma",
        metavar="RULE",
        help="chooses levels of URLs: throughput, ewma, bola, bola-basic, mpc, best (default ewma)",
    )
    parser.add_argument("--buffer", type=float, default=20.0, metavar="S", help="seconds to fetch ahead (default 20)")
    parser.add_argument("--audio", metavar="LANG", help="language of the sound; none for silence")
    parser.add_argument("--subtitles", metavar="LANG", help="language of subtitles to begin with")
    parser.add_argument("--leave", action="store_true", help="close the window at the end")


def run(arguments: argparse.Namespace) -> None:
    """Plays to the end."""
    size = parse_size(arguments.size)
    if arguments.layers is not None and arguments.layers < 1:
        raise OptionError(f"--layers {arguments.layers}: at least 1 wanted")
    if not 1 <= arguments.buffer <= 3600:
        raise OptionError(f"--buffer {arguments.buffer:g}: from 1 to 3600 seconds wanted")
    if arguments.simulate is not None:
        _simulate(arguments)
    elif arguments.dump is not None:
        _dump(arguments, size)
    elif arguments.no_window or arguments.terminal:
        _play(arguments, size, in_terminal=arguments.terminal)
    elif _has_display():
        _window(arguments, size)
    elif sys.stdout.isatty():
        _play(arguments, size, in_terminal=True)
    else:
        raise OptionError("gvideo play: there is no display and no terminal; use --no-window, --terminal or --dump")


def _has_display() -> bool:
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))


def _open(arguments: argparse.Namespace) -> Reel:
    from player.adaptation.abr import RULES, Highest, Rule
    from player.presentation.stream_reel import open_reel

    known: dict[str, type[Rule]] = {**RULES, "best": Highest}
    if arguments.rule not in known:
        raise OptionError(f"--rule {arguments.rule}: one of {', '.join(known)} wanted")
    return open_reel(
        arguments.source, rule=known[arguments.rule](), target_seconds=arguments.buffer, layers=arguments.layers,
        grain=not arguments.no_grain,
    )  # fmt: skip


def _window(arguments: argparse.Namespace, size: tuple[int, int] | None) -> None:
    from player.desktop.watch import watch

    reel = _open(arguments)
    session = watch(reel, size=size, audio=arguments.audio, subtitles=arguments.subtitles, stays=not arguments.leave)
    numbers = session.numbers
    console.say(
        "done",
        f"{arguments.source}: {numbers.num_shown} pictures; first picture after {numbers.startup_seconds:.3f} s; "
        f"{numbers.num_stalls} stall(s) of {numbers.stall_seconds:.3f} s together; "
        f"{session.painter.num_dropped} left out",
    )


def _play(arguments: argparse.Namespace, size: tuple[int, int] | None, *, in_terminal: bool) -> None:
    from player.presentation import playback
    from player.presentation.stream_reel import StreamReel

    reel = _open(arguments)
    try:
        if in_terminal:
            columns, rows = shutil.get_terminal_size()
            size = size or playback.fit(reel.format.width, reel.format.height, columns, max(rows - 2, 1))
            if size[1] % 2:
                raise OptionError(f"--size {size[0]}x{size[1]}: an even height wanted, a character holds two pixels")
            screen = playback.Terminal()
            try:
                report = playback.play(reel, screen, size=size)
            finally:
                screen.close()
        else:
            report = playback.play(reel, playback.nothing, size=size)
    finally:
        reel.close()
    console.say(
        "done",
        f"{arguments.source}: {report.num_frames} frames in {report.seconds:.3f} s; first picture after "
        f"{report.startup_seconds:.3f} s; {report.num_stalls} stall(s) of {report.stall_seconds:.3f} s together; "
        f"otherwise at most {1000 * report.worst_seconds:.1f} ms late",
    )
    if isinstance(reel, StreamReel) and reel.num_levels > 1:
        traffic = reel.traffic
        console.say(
            "levels",
            f"mean level {sum(report.levels) / len(report.levels) + 1:.2f} of {reel.num_levels}, "
            f"{report.num_switches} switch(es), {traffic.num_upgrades} upgrade(s), {traffic.num_bytes} bytes, "
            f"{traffic.num_wasted_bytes} of them wasted",
        )


def _dump(arguments: argparse.Namespace, size: tuple[int, int] | None) -> None:
    """What gvideo decode writes; a name without an ending is a folder of pictures."""
    from gvideo.commands.decode import decode_to

    target, path = arguments.dump, Path(arguments.dump)
    is_new = False
    if target.endswith("/") or path.is_dir() or not path.suffix:
        target = str(path / "%05d.png")
        is_new = not path.exists()
        if is_new:
            _make_folder(path)
    try:
        decode_to(arguments.source, target, size=size, layers=arguments.layers, grain=not arguments.no_grain)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # something of others' is in it
                path.rmdir()
        raise


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except OSError as error:
        raise MediaError(f"{path}: cannot be made ({error.strerror})") from error


def _simulate(arguments: argparse.Namespace) -> None:
    from player.adaptation.abr import RULES
    from player.adaptation.ladder import read_ladder
    from player.adaptation.simulate import Simulation
    from player.adaptation.traces import read_trace
    from player.source.fetch import Fetcher

    if arguments.rule not in RULES:
        raise OptionError(f"--rule {arguments.rule}: one of {', '.join(RULES)} wanted")
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
