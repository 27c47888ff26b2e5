"""write a page that shows a segment's Gaussians: ellipses, trajectories, lives, heat maps of bits and error"""

from __future__ import annotations

import argparse
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gvideo.commands.arguments.options import check_destination
from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.progress import format_bytes
from gvideo.errors import OptionError

if TYPE_CHECKING:
    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.types import Float32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo inspect`."""
    parser.add_argument("source", metavar="FILE", help="a .gsv stream, or anything else that gvideo decode reads")
    parser.add_argument("-o", "--output", metavar="OUT", help="the page (default FILE with the ending .html)")
    parser.add_argument("--segment-number", type=int, default=0, metavar="N", help="segment to show (default 0)")
    parser.add_argument("--reference", metavar="CLIP", help="the clip encoded: adds heat maps of error")
    parser.add_argument("--max-size", type=float, default=20.0, metavar="MB", help="bound of the page (default 20)")


def run(arguments: argparse.Namespace) -> None:
    """Writes the page, whole or not at all."""
    output = arguments.output or f"{Path(arguments.source.rstrip('/')).stem}.html"
    check_destination(output, arguments.source)
    if not 0.1 <= arguments.max_size <= 1000:
        raise OptionError(f"--max-size {arguments.max_size:g}: from 0.1 to 1000 MB wanted")

    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.evaluate.inspection.page import page_of

    with VideoDecoder(arguments.source, grain=False) as video:
        count = len(video.stream.segments)
        if not 0 <= arguments.segment_number < count:
            raise OptionError(f"--segment-number {arguments.segment_number}: the stream has 0 to {count - 1}")
        clip, number = arguments.reference, arguments.segment_number
        luma = None if clip is None else reference_luma(clip, video, number)
        page, left_out = page_of(video, number, int(arguments.max_size * 1e6), luma)
    partial = Path(f"{output}.partial")
    try:
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    note = f", the {left_out} Gaussians that show least left out" if left_out else ""
    console.say("done", f"{output}: {format_bytes(len(page.encode()))}{note}", output=output, left_out=left_out)


def reference_luma(name: str, video: VideoDecoder, segment: int) -> list[Float32]:
    """Luma f32 [H,W] of the source's frames of a segment, at the size that was coded."""
    from gvideo.media import VideoSource

    place, h = video.stream.segments[segment], video.stream.header
    last = place.first_frame + place.num_frames - 1
    with VideoSource(name, size=(h.width, h.height), last=last) as source:
        found = [frame.planes[0] for frame in islice(source, place.first_frame, None)]
    if len(found) != place.num_frames:
        raise OptionError(f"--reference {name}: has not the frames {place.first_frame} to {last} of the segment")
    return found
