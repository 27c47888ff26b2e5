"""show what a .gsv stream holds and where its bits go"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gvideo.bitstream.headers import STRENGTH_STEPS, Grain
from gvideo.commands.arguments.options import check_destination
from gvideo.commands.encoding.prefixes import prefix_bytes, prefix_psnr
from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.progress import format_bitrate, format_bytes
from gvideo.errors import MediaError, OptionError

if TYPE_CHECKING:
    from gvideo.decoder.stream import Stream
    from gvideo.decoder.survey import SegmentSurvey, Survey

#: What --plot writes.
PLOTS = (".svg", ".html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo info`."""
    parser.add_argument("source", metavar="FILE", help="a .gsv stream")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--source", dest="clip", metavar="CLIP", help="the clip encoded: adds PSNR of the layers")
    parser.add_argument(
        "--stream", type=int, metavar="N", help="CLIP's stream N, as ffmpeg counts (default: as ffmpeg chooses)"
    )
    parser.add_argument(
        "--plot", metavar="OUT", help="draw bits, Gaussians and their lives over time: OUT.svg, or OUT.html"
    )
    lists = parser.add_mutually_exclusive_group()
    lists.add_argument("--trace", action="store_true", help="list every header field: byte offset, name, value")
    lists.add_argument("--symbols", action="store_true", help="list every symbol, to compare decoders (SYNTAX.md §11)")


def run(arguments: argparse.Namespace) -> None:
    """Prints tables, or JSON."""
    from gvideo.decoder.stream import Stream
    from gvideo.decoder.survey import survey, trace

    if arguments.symbols and (arguments.json or arguments.clip):
        raise OptionError("--symbols: has a format of its own; leave out --json and --source")
    if arguments.plot is not None:
        _check_plot(arguments)
    stream = Stream(arguments.source)
    try:
        if arguments.symbols:
            from gvideo.decoder.listing import symbol_lines

            for text in symbol_lines(stream):
                print(text)
            return
        if arguments.trace:
            fields = list(trace(stream))
            if arguments.json:
                print(json.dumps([{"offset": at, "name": name, "value": value} for at, name, value in fields]))
            else:
                print(format_table(("offset", "field", "value"), [(at, name, value) for at, name, value in fields]))
            return
        found = survey(stream)
        if arguments.plot is not None:
            write_plot(arguments.plot, stream, found)
        sizes = prefix_bytes(stream)
        psnr = (
            None
            if arguments.clip is None
            else prefix_psnr(arguments.source, arguments.clip, len(sizes), arguments.stream)
        )
        if arguments.json:
            rows: list[dict[str, float | None]] = [{"num_bytes": size} for size in sizes]
            for row, value in zip(rows, psnr or (), strict=psnr is not None):
                row["luma_psnr_db"] = value if math.isfinite(value) else None
            print(json.dumps(as_json(stream, found) | {"prefixes": rows}))
        else:
            seconds = stream.duration / stream.header.timescale
            print("\n".join([as_text(stream, found), *prefix_rows(sizes, psnr, seconds)]))
    finally:
        stream.source.close()


def _check_plot(arguments: argparse.Namespace) -> None:
    if Path(arguments.plot).suffix.lower() not in PLOTS:
        raise OptionError(f"--plot {arguments.plot}: a name that ends in {' or '.join(PLOTS)} wanted")
    if arguments.symbols or arguments.trace:
        raise OptionError("--plot: draws what the tables say; leave out --symbols and --trace")
    check_destination(arguments.plot, arguments.source)


def write_plot(output: str, stream: Stream, found: Survey) -> None:
    """Draws a stream over time into a file, whole or not at all."""
    from gvideo.evaluate.inspection.timeline import timeline_page, timeline_svg

    text = timeline_svg(stream, found)
    if output.lower().endswith(".html"):
        text = timeline_page(text, stream.source.name)
    partial = Path(f"{output}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, output)
    except OSError as error:
        raise MediaError(f"{output}: cannot be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)
    console.say("done", f"{output}: {format_bytes(len(text.encode()))}", output=output)


def as_json(stream: Stream, found: Survey) -> dict[str, Any]:
    """Everything as plain values: times in ticks of sequence.timescale, sizes in px, bits as floats."""
    h, size = stream.header, stream.source.size
    sequence = asdict(h) | {
        "sample_aspect": [h.sample_aspect.numerator, h.sample_aspect.denominator],
        "codebooks": len(h.codebooks),
        "priors": len(h.priors),
    }
    return {
        "file": stream.source.name,
        "num_bytes": size,
        "num_frames": stream.num_frames,
        "num_gaussians": found.num_gaussians,
        "duration_seconds": stream.duration / h.timescale,
        "bitrate_bps": 8 * size * h.timescale / stream.duration,
        "sequence": sequence,
        "segments": [_segment_json(s) for s in found.segments],
        "bits": dict(found.bit_rows(size)),
        "bits_per_gaussian": 8 * size / max(found.num_gaussians, 1),
    }


def _segment_json(s: SegmentSurvey) -> dict[str, Any]:
    layers = [
        {"num_bytes": size, "num_gaussians": count, "distortion": distortion}
        for size, count, distortion in zip(s.layer_bytes, s.layer_gaussians, s.distortions, strict=False)
    ]
    return asdict(s.place) | {
        "num_gaussians": s.num_gaussians,
        "num_trajectories": s.num_trajectories,
        "num_control_points": s.num_control_points,
        "layers": layers,
        "coded_bits": float(s.cost.sum()),
    }


def as_text(stream: Stream, found: Survey) -> str:
    """Tables for humans."""
    h, size = stream.header, stream.source.size
    seconds = stream.duration / h.timescale
    range_name = "full" if h.full_range else "limited"
    lines = [
        f"{stream.source.name}: {format_bytes(size)}, {stream.num_frames} frames, {seconds:.3f} s, "
        f"{format_bitrate(8 * size / seconds)}, {found.num_gaussians} Gaussians "
        f"({8 * size / max(found.num_gaussians, 1):.1f} bits each)",
        f"picture: {h.width}x{h.height}, {h.bit_depth} bits, {':'.join(h.chroma_format)}, pixel aspect "
        f"{h.sample_aspect.numerator}:{h.sample_aspect.denominator}, rotation {h.rotation}°",
        f"colour: primaries {h.primaries}, transfer {h.transfer}, matrix {h.matrix}, {range_name} range",
        f"time: starts at {h.start / h.timescale:.3f} s, {h.timescale / h.frame_duration:.6g} frames/s "
        f"({h.frame_duration} ticks of 1/{h.timescale} s a frame)",
        "rules: " + ", ".join(f"{name} {value}" for name, value in asdict(h.rules).items()),
        *([grain_text(h.grain)] if h.grain else ()),
        "",
        format_table(
            ("segment", "frames", "from s", "to s", "bytes", "Gaussians", "trajectories", "control", "layers"),
            [_segment_row(number, s, h.timescale) for number, s in enumerate(found.segments)],
        ),
        "",
    ]
    rows = found.bit_rows(size)
    total = sum(bits for _, bits in rows)
    each = max(found.num_gaussians, 1)
    table: list[Sequence[object]] = [
        (name, f"{bits / 8:.1f}", f"{100 * bits / total:.1f}", f"{bits / each:.2f}") for name, bits in rows if bits
    ]
    table.append(("total", f"{total / 8:.1f}", "100.0", f"{total / each:.2f}"))
    lines.append(format_table(("bits go to", "bytes", "%", "bits/Gaussian"), table))
    return "\n".join(lines)


def grain_text(grain: Grain) -> str:
    """A grain block as a line: strengths as standard deviations of 8-bit codes, full range."""
    codes = ", ".join(f"{255 * s / STRENGTH_STEPS:.2f}" for s in grain.strengths)
    kernel = "; ".join(" ".join(map(str, grain.kernel[k : k + 3])) for k in (0, 3, 6))
    return f"grain: {codes} of 255 from dark to bright, kernel {kernel}, seed {grain.seed}"


def prefix_rows(sizes: Sequence[int], psnr: Sequence[float] | None, seconds: float) -> list[str]:
    """A table of the prefixes of layers, if there are several or their quality is known."""
    if len(sizes) < 2 and psnr is None:
        return []
    heads: tuple[str, ...] = ("first layers", "bytes", "%", "bitrate")
    rows = [(k + 1, n, f"{100 * n / sizes[-1]:.1f}", format_bitrate(8 * n / seconds)) for k, n in enumerate(sizes)]
    if psnr is None:
        return ["", format_table(heads, rows)]
    values = ["lossless" if math.isinf(v) else f"{v:.2f}" for v in psnr]
    return ["", format_table((*heads, "luma PSNR dB"), [(*r, v) for r, v in zip(rows, values, strict=True)])]


def _segment_row(number: int, s: SegmentSurvey, timescale: int) -> Sequence[object]:
    layers = " + ".join(str(n) for n in s.layer_bytes)
    return (
        number, s.place.num_frames, f"{s.place.start / timescale:.3f}", f"{s.place.end / timescale:.3f}",
        s.place.num_bytes, s.num_gaussians, s.num_trajectories, s.num_control_points, layers,
    )  # fmt: skip


def format_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they need to be; text to the left, numbers to the right."""
    cells = [[str(value) for value in row] for row in rows]
    widths = [max(len(head), *(len(row[k]) for row in cells)) if cells else len(head) for k, head in enumerate(heads)]
    words = [any(isinstance(row[k], str) and not _is_number(row[k]) for row in rows) for k in range(len(heads))]

    def line(values: Sequence[str]) -> str:
        aligned = [v.ljust(w) if word else v.rjust(w) for v, w, word in zip(values, widths, words, strict=True)]
        return "  ".join(aligned).rstrip()

    return "\n".join(line(row) for row in [list(heads), *cells])


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True
