"""A stream over time as one picture: where its bits go, how many Gaussians are alive, and when each lives.

    kbit/s    ▇▇▇▇▃▃▃▃▅▅▅▅   a step a segment, stacked by what the bits say
    alive     ╱──╲╱─╲╱──╲    Gaussians drawn in each frame, and those of the whole segment
    lives     ━━ ━━━ ━ ━━    from one sigma before the centre to one after it, sorted by their begin

SVG with its own style, light or dark as the reader's; nothing in it needs a script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from gvideo.decoder.coded import CodedStream
from gvideo.decoder.rendering.segment import SegmentRenderer
from gvideo.decoder.survey import Survey
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.evaluate.report.plot import nice_ticks
from gvideo.types import Float64, Int64

#: Lives drawn in all, and kinds of bits that have a colour of their own.
_MAX_LIVES, _MAX_KINDS = 2000, 6
#: A Gaussian is drawn so many sigmas around its centre in time: to exponent -4.
_SUPPORT = math.sqrt(8.0)
_WIDTH, _LEFT, _RIGHT, _TOP, _GAP = 960, 64, 16, 58, 40
_HEIGHTS = (170, 150, 240)
_COLOURS = ("#3b6fb5", "#d98b2b", "#4d9a5b", "#b9504a", "#7d63b0", "#3f97a3", "#8a8f96")
_STYLE = """
.paper{fill:#fff}text{font:12px system-ui,sans-serif;fill:#5c6670}.head{font-size:13px;font-weight:600;fill:#1b1f24}
.grid{stroke:#dde2e7}.cut{stroke:#9aa6b2;stroke-dasharray:2 3}.all{fill:none;stroke:#9aa6b2;stroke-width:1.5}
.alive{fill:none;stroke:#2364c4;stroke-width:1.5}.lives{fill:none;stroke:#2364c4;stroke-opacity:.45}
@media(prefers-color-scheme:dark){.paper{fill:#14181c}text{fill:#9aa6b2}.head{fill:#e7ebef}.grid{stroke:#333b44}
.alive,.lives{stroke:#76a9ff}}
"""


@dataclass(frozen=True, slots=True)
class SegmentLives:
    """A segment: seconds of its frames f64 [T] and of its end, Gaussians alive in each frame i64 [T] and in all, and
    begins and ends of their lives f64 [N] in seconds, sorted by begin."""

    seconds: Float64
    end: float
    alive: Int64
    num_gaussians: int
    begins: Float64
    ends: Float64


def lives_of(stream: CodedStream, number: int) -> SegmentLives:
    """When the Gaussians of a segment live. Raises BitstreamError for a damaged one."""
    decoded, h = stream.decode_segment(number), stream.header
    ticks = stream.frame_ticks(number)
    renderer = SegmentRenderer(decoded.symbols, decoded.rules, h.width, h.height, ticks)
    centres = renderer.splats.centres.astype(np.float64)
    inverse = renderer.splats.inverse_durations.astype(np.float64)
    sigmas = np.divide(1.0, inverse, out=np.full(len(inverse), np.inf), where=inverse > 0)
    times = renderer.times.astype(np.float64)
    alive = np.array([np.count_nonzero(np.abs(t - centres) <= _SUPPORT * sigmas) for t in times], np.int64)
    seconds = ticks / h.timescale
    known = np.append(times, times[-1] + 1)
    # outside the segment a life does not show, and interp keeps to the ends
    begins, ends = (np.interp(moments, known, seconds) for moments in (centres - sigmas, centres + sigmas))
    order = np.lexsort((ends, begins))
    return SegmentLives(seconds[:-1], float(seconds[-1]), alive, len(centres), begins[order], ends[order])


def timeline_svg(stream: CodedStream, found: Survey) -> str:
    """The picture of a stream. Raises BitstreamError for a damaged one."""
    segments = [lives_of(stream, number) for number in range(len(stream.segments))]
    first, last = float(segments[0].seconds[0]), segments[-1].end
    inner = _WIDTH - _LEFT - _RIGHT

    def across(seconds: float) -> float:
        return _LEFT + inner * (seconds - first) / max(last - first, 1e-9)

    height = _TOP + sum(_HEIGHTS) + _GAP * (len(_HEIGHTS) - 1) + 40
    tops = [_TOP + sum(_HEIGHTS[:k]) + _GAP * k for k in range(len(_HEIGHTS))]
    rows = zip(tops, _HEIGHTS, strict=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="bits, Gaussians and lives of {escape(stream.source.name)}"><style>{_STYLE}</style>',
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        *_bits(found, segments, across, *next(rows)),
        *_alive(segments, across, *next(rows)),
        *_lives(segments, across, *next(rows)),
    ]
    for segment in segments[1:]:
        x = across(float(segment.seconds[0]))
        parts.append(f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{tops[0]}" y2="{height - 40}"/>')
    parts += [
        f'<text x="{across(tick):.1f}" y="{height - 24}" text-anchor="middle">{tick:g}</text>'
        for tick in nice_ticks(first, last, 10)
    ]
    parts.append(f'<text x="{_LEFT + inner / 2}" y="{height - 6}" text-anchor="middle">seconds</text></svg>')
    return "".join(parts)


def timeline_page(svg: str, title: str) -> str:
    """The picture as an HTML page."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="color-scheme" content="light dark"><style>body{margin:24px auto;max-width:1100px;'
        f"font:15px system-ui,sans-serif}}</style><h1>{escape(title)}</h1>{svg}</html>\n"
    )


def _panel(title: str, highest: float, top: int, height: int) -> Iterator[str]:
    yield f'<text class="head" x="{_LEFT}" y="{top - 10}">{escape(title)}</text>'
    for tick in nice_ticks(0.0, highest, 4):
        y = top + height * (1 - tick / highest)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'


def _bits(
    found: Survey, segments: Sequence[SegmentLives], across: Callable[[float], float], top: int, height: int
) -> Iterator[str]:
    cost = np.array([s.cost for s in found.segments])
    order = np.argsort(-cost.sum(0), kind="stable")[:_MAX_KINDS]
    names = [*(ATTRIBUTES[k] for k in order), "other"]
    sizes = np.array([8.0 * s.place.num_bytes for s in found.segments])
    kinds = np.column_stack([cost[:, order], sizes - cost[:, order].sum(1)])
    spans = np.array([max(s.end - float(s.seconds[0]), 1e-9) for s in segments])
    rates = kinds / spans[:, None] / 1000
    highest = max(float(rates.sum(1).max()) * 1.05, 1e-9)
    yield from _panel("kbit/s, by what the bits say", highest, top, height)
    for segment, row in zip(segments, rates, strict=True):
        left, right = across(float(segment.seconds[0])), across(segment.end)
        floor = float(top + height)
        for name, rate, colour in zip(names, row, _COLOURS, strict=True):
            tall = height * max(float(rate), 0.0) / highest
            floor -= tall
            yield (
                f'<rect x="{left:.1f}" y="{floor:.1f}" width="{max(right - left, 0.5):.1f}" height="{tall:.1f}" '
                f'fill="{colour}"><title>{escape(name)}: {rate:.1f} kbit/s</title></rect>'
            )
    x = _LEFT
    for name, colour in zip(names, _COLOURS, strict=True):
        yield f'<rect x="{x}" y="14" width="10" height="10" fill="{colour}"/><text x="{x + 14}" y="23">{name}</text>'
        x += 30 + 7 * len(name)


def _alive(segments: Sequence[SegmentLives], across: Callable[[float], float], top: int, height: int) -> Iterator[str]:
    highest = max(max(s.num_gaussians for s in segments) * 1.05, 1.0)
    yield from _panel("Gaussians alive in a frame; gray: of the segment", highest, top, height)
    for segment in segments:
        left, right = across(float(segment.seconds[0])), across(segment.end)
        y = top + height * (1 - segment.num_gaussians / highest)
        yield f'<path class="all" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
        spots = [
            f"{across(float(t)):.1f},{top + height * (1 - n / highest):.1f}"
            for t, n in zip(segment.seconds, segment.alive, strict=True)
        ]
        spots.append(f"{right:.1f},{spots[-1].partition(',')[2]}")
        yield f'<polyline class="alive" points="{" ".join(spots)}"/>'


def _lives(segments: Sequence[SegmentLives], across: Callable[[float], float], top: int, height: int) -> Iterator[str]:
    total = sum(s.num_gaussians for s in segments)
    note = f"; {_MAX_LIVES} of {total}" if total > _MAX_LIVES else ""
    yield f'<text class="head" x="{_LEFT}" y="{top - 10}">lives, one sigma around their centres{note}</text>'
    for segment in segments:
        count = segment.num_gaussians
        if not count:
            continue
        shown = max(1, min(count, count * _MAX_LIVES // max(total, 1)))
        chosen = np.linspace(0, count - 1, shown).round().astype(int)
        step = height / shown
        lines = [
            f"M{across(segment.begins[k]):.1f} {top + step * (row + 0.5):.1f}H{across(segment.ends[k]):.1f}"
            for row, k in enumerate(chosen)
        ]
        yield f'<path class="lives" stroke-width="{min(max(step * 0.8, 0.3), 4):.2f}" d="{"".join(lines)}"/>'
