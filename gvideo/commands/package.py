"""package .gsv streams as HLS and DASH in a folder, or as one fragmented .mp4; --check looks for faults"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gvideo.commands.arguments.outputs import output_of, refuse_unused
from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.progress import format_bitrate, format_bytes
from gvideo.errors import GVideoError, OptionError

if TYPE_CHECKING:
    from packager.gsv import GsvFile
    from packager.package import Extras
    from packager.presentation import PublishedPresentation


class CheckFailedError(GVideoError):
    """A published folder breaks rules; they were listed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo package`."""
    parser.add_argument(
        "streams", nargs="*", metavar="IN.gsv", help="streams with the same cuts, the rungs of a ladder"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="a folder, s3://bucket/prefix, or a file OUT.mp4")
    parser.add_argument("--check", metavar="DIR|URL", help="check a published folder instead of making one")
    parser.add_argument("--source", metavar="FILE", help="the streams' source: take its sound, subtitles and pictures")
    parser.add_argument(
        "--stream", type=int, metavar="N", help="FILE's pictures: stream N, as ffmpeg counts (default: as it chooses)"
    )
    add_extras(parser)


def add_extras(parser: argparse.ArgumentParser) -> None:
    """Options of everything that goes with the streams; `gvideo encode` has them too."""
    group = parser.add_argument_group("packaging")
    group.add_argument(
        "--audio", action="append", default=[], metavar="FILE[:LANG]", help="add sound that begins with the first frame"
    )
    group.add_argument(
        "--subtitles", action="append", default=[], metavar="FILE[:LANG]", help="add a .vtt or .srt file"
    )
    group.add_argument("--fallback", choices=("avc",), help="add an H.264 rung for players that do not know gsv1")
    group.add_argument("--fallback-crf", type=float, default=26.0, metavar="Q", help="its quality (default 26)")
    group.add_argument("--single-file", action="store_true", help="a file a rung with byte ranges, not one a segment")
    group.add_argument("--thumbnails", action="store_true", help="add a poster and a sprite of thumbnails")
    group.add_argument("--title", default="", metavar="TEXT", help="title of the presentation")


def run(arguments: argparse.Namespace) -> None:
    """Packages, or checks."""
    if arguments.check is not None:
        if arguments.streams or arguments.output:
            raise OptionError("--check: takes no streams and no --output")
        check(arguments.check)
        return
    if not arguments.streams or not arguments.output:
        raise OptionError("package: streams and --output wanted, or --check; see gvideo package --help")
    refuse_unused(arguments, output_of(arguments.output), add_arguments)
    publish([Path(s) for s in arguments.streams], arguments.output, arguments)


def publish(streams: list[Path], output: str, arguments: argparse.Namespace) -> None:
    """Packages streams with the extras of a command line; says what came out."""
    from packager.package import open_rungs

    extras = extras_of(arguments)
    rungs = open_rungs(streams)
    if output.lower().endswith(".mp4"):
        _write_movie(rungs, output, extras, arguments)
        return
    from packager.package import package_streams
    from packager.sink import open_sink

    sink = open_sink(output)
    fallback = []
    if arguments.fallback:
        from gvideo.commands.encoding.pictures import fallback_track

        fallback.append(fallback_track(rungs[0], extras.source, arguments.fallback_crf, arguments.stream))
    pictures = None
    if arguments.thumbnails:
        from gvideo.commands.encoding.pictures import pictures_of

        pictures = pictures_of(rungs[0])
    console.say("done", describe(output, package_streams(rungs, sink, extras, fallback=fallback, pictures=pictures)))


def _write_movie(rungs: list[GsvFile], output: str, extras: Extras, arguments: argparse.Namespace) -> None:
    from gvideo.commands.arguments.options import check_destination
    from packager.movie_file import write_movie
    from packager.package import read_sounds
    from packager.sink import LocalSink

    if len(rungs) > 1:
        raise OptionError(f"{output}: one stream wanted for one file; give a folder for a ladder")
    check_destination(output, str(rungs[0].path))
    path = Path(output)
    sounds = read_sounds(rungs[0], extras)
    size = write_movie(LocalSink(path.parent), path.name, rungs[0].track(), sounds, rungs[0].cuts)
    tracks = f"{len(sounds.audio)} audio and {len(sounds.subtitles)} subtitle track(s)"
    console.say("done", f"{output}: {format_bytes(size)}, {float(rungs[0].cuts[-1]):.3f} s, {tracks}")


def extras_of(arguments: argparse.Namespace) -> Extras:
    """The extras of a command line."""
    from packager.package import Extras

    return Extras(
        Path(arguments.source) if arguments.source else None,
        tuple(_with_language(text) for text in arguments.audio),
        tuple(_with_language(text) for text in arguments.subtitles),
        arguments.single_file,
        arguments.title,
    )


def _with_language(text: str) -> tuple[Path, str]:
    """FILE[:LANG]; a colon within a name that exists belongs to the name."""
    name, mark, language = text.rpartition(":")
    if not mark or Path(text).exists() or not language.replace("-", "").isalpha() or len(language) > 11:
        return Path(text), ""
    return Path(name), language


def describe(output: str, p: PublishedPresentation) -> str:
    """What was published, a line a representation."""
    lines = [f"{output}: {float(p.duration):.3f} s, master.m3u8 and manifest.mpd"]
    for r in (*p.video, *p.audio):
        shape = (
            "{}x{}".format(*r.track.shown_size) if r.track.kind == "video" else f"{r.track.name}, {r.track.language}"
        )
        layers = f", {r.layer} layer(s)" if r.layer else ""
        lines.append(f"  {r.id}: {r.track.codecs}, {shape}{layers}, {format_bitrate(r.average_bps)}")
    lines += [f"  {s.id}: subtitles, {s.name}, {s.language}" for s in p.subtitles]
    return "\n".join(lines)


def check(place: str) -> None:
    """Lists faults on stdout, one a line; raises CheckFailedError if there are any."""
    from packager.check import check_presentation

    faults, summary = check_presentation(place)
    for fault in faults:
        print(fault)
    if faults:
        raise CheckFailedError(f"{place}: {len(faults)} fault(s) in {summary}")
    console.say("done", f"{place}: no fault in {summary}")
