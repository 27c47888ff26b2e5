"""`gvideo encode INPUT -o DIR/ --live`: publish while the input still grows."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from gvideo.commands.arguments.options import parse_bits, tell_notes
from gvideo.commands.encoding.executors import executor_of
from gvideo.commands.encoding.ladder import Rung, rungs_of
from gvideo.commands.terminal.console import console
from gvideo.errors import OptionError

if TYPE_CHECKING:
    from gvideo.encoder.jobs.live import LiveRung
    from gvideo.media.reading.growing import LiveSource
    from gvideo.types import VideoFormat


#: A connection over which nothing comes for so long is lost.
SILENCE_SECONDS = 10.0


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """Options of a live encode."""
    group = parser.add_argument_group("live")
    group.add_argument(
        "--live", action="store_true", help="IN still grows: a file being written, a pipe, - for standard input"
    )
    group.add_argument("--window", type=float, metavar="S", help="keep only the last S seconds on offer (default: all)")
    group.add_argument(
        "--part",
        type=float,
        metavar="S",
        help="low latency: publish parts of S seconds, e.g. 0.5, of segments of --segment seconds (LL-HLS)",
    )
    group.add_argument(
        "--anew",
        action="store_true",
        help="begin again in a folder where a live stream was; without it that one goes on",
    )
    group.add_argument("--then", action="append", default=[], metavar="IN", help="a further input behind the first")
    group.add_argument(
        "--idle", type=float, default=3.0, metavar="S", help="a file that has not grown for S seconds ends (default 3)"
    )
    group.add_argument(
        "--give-up",
        type=float,
        default=60.0,
        metavar="S",
        help="a pipe that is silent for S seconds, or a connection that is gone for so long, ends (default 60)",
    )
    group.add_argument(
        "--max-lag",
        type=float,
        default=60.0,
        metavar="S",
        help="more than S seconds behind, leave out what waits and go on behind a discontinuity (default 60)",
    )
    group.add_argument(
        "--no-keep-up",
        action="store_true",
        help="never fit with less effort and leave nothing out, however far the encoder falls behind",
    )


def encode_live_folder(arguments: argparse.Namespace) -> None:
    """Encodes one input after the other; the manifests follow every segment."""
    if arguments.window is not None and not arguments.window > 0:
        raise OptionError(f"--window {arguments.window:g}: above 0 seconds wanted")
    if not arguments.idle > 0:
        raise OptionError(f"--idle {arguments.idle:g}: above 0 seconds wanted")
    if not arguments.max_lag > 0:
        raise OptionError(f"--max-lag {arguments.max_lag:g}: above 0 seconds wanted")
    if not arguments.give_up >= 0:
        raise OptionError(f"--give-up {arguments.give_up:g}: 0 seconds or more wanted")
    if arguments.part is not None:
        if not 0.1 <= arguments.part <= arguments.segment / 2:
            raise OptionError(
                f"--part {arguments.part:g}: 0.1 seconds to half of --segment {arguments.segment:g} wanted"
            )
        if arguments.layers > 1:
            raise OptionError("--layers: a segment of several parts has one layer; leave out --layers or --part")
    ladder = rungs_of(arguments)
    _check(arguments, ladder)

    from gvideo.commands.encoding.live_folder import LiveFolder
    from gvideo.commands.encoding.live_inputs import connections
    from gvideo.encoder.jobs.keep_up import KeepUp
    from gvideo.encoder.jobs.live import encode_live_ladder
    from gvideo.media.reading.growing import LiveSource
    from gvideo.media.reading.network import is_network_source, shown_name
    from gvideo.processors import num_processors
    from packager.live import LivePublisher
    from packager.sink import open_sink

    window = None if arguments.window is None else Fraction(arguments.window)
    part = None if arguments.part is None else Fraction(arguments.part)
    keep_up = None if arguments.no_keep_up else KeepUp(arguments.preset, _fitted_seconds(arguments), arguments.max_lag)
    crf = arguments.fallback_crf if arguments.fallback else None
    folder: LiveFolder | None = None
    size = ladder[0].size if len(ladder) == 1 else None
    with executor_of(arguments, num_processors()) as executor, contextlib.ExitStack() as stack:
        device = executor.choose_device(arguments.device)
        for name in [arguments.source, *arguments.then]:
            told = _Told(shown_name(name))
            silence = SILENCE_SECONDS if is_network_source(name) else max(arguments.give_up, 1.0)

            def connect(name: str = name, silence: float = silence) -> LiveSource:
                return LiveSource(name, size=size, idle=arguments.idle, silence=silence, stream=arguments.stream)

            for place, video in enumerate(connections(connect, arguments.give_up, told.tell_line)):
                at = datetime.now(UTC) if place else None
                with video:
                    if folder is None:
                        sink = open_sink(arguments.output.rstrip("/"))  # not before there is an input
                        seconds = Fraction(arguments.segment)
                        publisher = LivePublisher(
                            sink, datetime.now(UTC), seconds, window, anew=arguments.anew, partial=part
                        )
                        stack.callback(publisher.end)
                        folder = LiveFolder(publisher, arguments.layers, crf)
                    rungs = [_live_rung(arguments, rung, video.format) for rung in ladder]
                    while True:
                        cuts = encode_live_ladder(
                            video, rungs, executor, device, keep_up=keep_up, waiting=video, say=told.tell_line
                        )
                        told.tell(folder.begin(video, at))
                        for cut in cuts:
                            folder.add(cut)
                            told.tell(video.notes)
                        folder.pause()
                        if not _goes_on(video, told):
                            break
                        at = datetime.now(UTC)
                    if video.failure is not None and not video.is_network:
                        raise video.failure
    console.say("done", f"{arguments.output}: {folder.num_frames if folder else 0} frames, ended")


def _goes_on(video: LiveSource, told: _Told) -> bool:
    """Whether more of an input comes behind what was published of it: after a stall, or what was left out."""
    if video.leaves_out:
        return video.go_on()
    if not video.is_stalled:
        return False
    told.tell_line("nothing comes; waits")
    is_more = video.go_on()
    if is_more:
        told.tell_line("goes on behind a discontinuity")
    return is_more


def _check(arguments: argparse.Namespace, ladder: list[Rung]) -> None:
    """Raises OptionError for values that no rung can have, before anything is opened or made."""
    from gvideo.types import ColourDescription, VideoFormat

    for rung in ladder:
        _live_rung(arguments, rung, VideoFormat(16, 16, ColourDescription(1, 1, 1, False)))


def _fitted_seconds(arguments: argparse.Namespace) -> float:
    """The longest coded segment: a part where there are parts."""
    seconds: float = arguments.segment if arguments.part is None else arguments.part
    return seconds


def _live_rung(arguments: argparse.Namespace, rung: Rung, own: VideoFormat) -> LiveRung:
    """A rung of a source of that format."""
    from gvideo.encoder.jobs.live import LiveRung
    from gvideo.encoder.rate.model import RateTarget
    from gvideo.encoder.settings import DEFAULT_CRF, EncodeSettings

    crf = DEFAULT_CRF if rung.crf is None else rung.crf
    seconds = _fitted_seconds(arguments)
    settings = EncodeSettings(crf, arguments.preset, seconds, arguments.seed, arguments.layers, tune=arguments.tune)
    maxrate, bufsize = (parse_bits(name, getattr(arguments, name)) for name in ("maxrate", "bufsize"))
    target = RateTarget.of(rung.bitrate, maxrate, bufsize, seconds, rung.crf)
    return LiveRung(own.resized(*rung.size) if rung.size else own, settings, target)


class _Told:
    """What is said of an input, each line once, as soon as it is known."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said: set[str] = set()

    def tell(self, notes: Iterable[str]) -> None:
        """Says the lines that were not said before."""
        fresh = [note for note in notes if note not in self._said]
        self._said.update(fresh)
        tell_notes(self._name, fresh)

    def tell_line(self, line: str) -> None:
        """Says a line, whether it was said before or not."""
        tell_notes(self._name, [line])
