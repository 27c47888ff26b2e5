"""decode a .gsv stream to .y4m, .mkv, .mp4, .npy or pictures, at any size and frame rate"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from gvideo.commands.arguments.options import check_destination, parse_frames, parse_rate, parse_size
from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.progress import ProgressLine
from gvideo.errors import OptionError
from gvideo.types import Float32, VideoFormat

if TYPE_CHECKING:
    from gvideo.decoder.video_decoder import VideoDecoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo decode`."""
    parser.add_argument("source", metavar="IN.gsv", help="a stream")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="out.y4m, .mkv (FFV1), .mp4 (H.264), .npy, out_%%05d.png"
    )
    parser.add_argument(
        "--frames", metavar="A:B|N", help="frames A to B-1, counted from 0, negative ones from the end; N: the first N"
    )
    parser.add_argument("--size", metavar="WxH", help="render at this size, smaller or larger than the source")
    parser.add_argument("--fps", metavar="R", help="render at this rate, between frames too (25, 24000/1001)")
    parser.add_argument("--layers", type=int, metavar="K", help="only the first K layers of each segment")
    parser.add_argument("--no-grain", action="store_true", help="leave out the grain that the stream describes")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to draw (default cpu)")


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is written: moments to render, i64 ticks of the stream times scale, and their pts and durations in ticks
    of the destination. numbers: the frames themselves, or None if moments lie between them."""

    timescale: int
    pts: list[int]
    durations: list[int]
    numbers: range | None
    moments: list[Fraction]


def run(arguments: argparse.Namespace) -> None:
    """Decodes frame by frame; what was written goes away again if anything fails."""
    frames, rate, size = parse_frames(arguments.frames), parse_rate(arguments.fps), parse_size(arguments.size)
    if arguments.layers is not None and arguments.layers < 1:
        raise OptionError(f"--layers {arguments.layers}: at least 1 wanted")
    decode_to(
        arguments.source, arguments.output, frames=frames, rate=rate, size=size, layers=arguments.layers,
        asked=arguments.frames, device=arguments.device, grain=not arguments.no_grain,
    )  # fmt: skip


def decode_to(
    source: str,
    output: str,
    *,
    frames: slice = slice(None),
    rate: Fraction | None = None,
    size: tuple[int, int] | None = None,
    layers: int | None = None,
    asked: str | None = None,
    device: str = "cpu",
    grain: bool = True,
) -> None:
    """Writes a stream's frames to what a name's ending says. asked: how the frames were asked for, for messages."""
    check_destination(output, source)

    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.media import open_sink

    with VideoDecoder(source, layers=layers, size=size, device=device, grain=grain) as decoder:
        numbers = range(*frames.indices(len(decoder)))
        if not numbers:
            raise OptionError(f"--frames {asked}: holds none of the stream's {len(decoder)} frames")
        timeline = frame_timeline(decoder, numbers) if rate is None else rate_timeline(decoder, numbers, rate)
        video_format = replace(output_format(decoder), timescale=timeline.timescale)
        with (
            ProgressLine() as line,
            open_sink(output, video_format, frame_rate=rate) as sink,
        ):
            for done, planes in enumerate(rendered(decoder, timeline)):
                sink.write(planes, timeline.pts[done], timeline.durations[done])
                line.show(done + 1, len(timeline.pts))
    seconds = float(Fraction(sum(timeline.durations), timeline.timescale))
    shape = f"{video_format.width}x{video_format.height}"
    console.say("done", f"{output}: {len(timeline.pts)} frames of {shape}, {seconds:.3f} s")


def output_format(decoder: VideoDecoder) -> VideoFormat:
    """The stream's format at the decoder's size; the sample aspect keeps the picture's shape. A destination knows no
    4:0:0, so gray gets neutral chroma."""
    out = decoder.metadata.format
    return replace(out, chroma_format="420") if out.chroma_format == "400" else out


def frame_timeline(decoder: VideoDecoder, numbers: range) -> Timeline:
    """The frames themselves, with their own times."""
    pts, durations = decoder.pts, decoder.durations
    starts = [int(pts[n]) for n in numbers]
    return Timeline(decoder.timescale, starts, [int(durations[n]) for n in numbers], numbers, [])


def rate_timeline(decoder: VideoDecoder, numbers: range, rate: Fraction) -> Timeline:
    """Moments 1/rate s apart from the first frame's start to the last one's end."""
    pts, durations = decoder.pts, decoder.durations
    start = int(pts[numbers[0]])
    span = Fraction(int(pts[numbers[-1]] + durations[numbers[-1]]) - start, decoder.timescale)
    count = max(1, math.ceil(span * rate))
    first = round(Fraction(start, decoder.timescale) * rate.numerator)
    return Timeline(
        rate.numerator,
        [first + k * rate.denominator for k in range(count)],
        [rate.denominator] * count,
        None,
        [start + k * decoder.timescale / rate for k in range(count)],
    )


def rendered(decoder: VideoDecoder, timeline: Timeline) -> Iterator[Float32]:
    """Planes f32 [3,H,W], one by one, rendered a few at a time."""
    batch = decoder.batch_size
    for start in range(0, len(timeline.pts), batch):
        if timeline.numbers is not None:
            yield from decoder.planes_at(timeline.numbers[start : start + batch])
        else:
            moments = [float(m) for m in timeline.moments[start : start + batch]]
            yield from decoder.planes_at_ticks(np.array(moments))
