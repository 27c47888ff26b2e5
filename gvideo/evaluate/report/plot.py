"""Line charts and bars as SVG text: axes with round ticks, direct labels, nothing that needs a script.

Colours come from the page's style sheet by class (c0, c1, …), so that a chart follows the page's light or dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 42


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: points (x, y) in the axes' units, colour class, dashed or not."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashed: bool = False
    strong: bool = False


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers inside [low, high], about so many."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / max(1, wanted)
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten inside [low, high]."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 2, 5) if low * 0.999 <= m * 10.0**p <= high * 1.001]


def line_chart(
    lines: Sequence[Line], x_label: str, y_label: str, *, log_x: bool = False, width: int = 400, height: int = 290
) -> str:
    """Curves with their points marked; each point's tooltip gives its values. The legend is the page's."""
    lines = [Line(k.label, [p for p in k.points if _usable(p, log_x)], k.colour, k.dashed, k.strong) for k in lines]
    lines = [line for line in lines if line.points]
    if not lines:
        return '<p class="note">No curve to draw.</p>'
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x_low, x_high = _padded(min(xs), max(xs), log_x)
    y_low, y_high = _padded(min(ys), max(ys), False)

    def place(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / x_low) / math.log(x_high / x_low) if log_x else (x - x_low) / (x_high - x_low)
        up = (y - y_low) / (y_high - y_low)
        return _LEFT + across * (width - _LEFT - _RIGHT), height - _BOTTOM - up * (height - _TOP - _BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(y_label)}">']
    for tick in nice_ticks(y_low, y_high):
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in log_ticks(x_low, x_high) if log_x else nice_ticks(x_low, x_high, 6):
        x, _ = place(tick, y_low)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - _BOTTOM + 17}" text-anchor="middle">{tick:g}</text>')
    for line in sorted(lines, key=lambda k: k.strong):
        spots = [place(*p) for p in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        classes = f"{line.colour}{' dashed' if line.dashed else ''}{' strong' if line.strong else ''}"
        parts.append(f'<polyline class="curve {classes}" points="{path}"/>')
        for (x, y), (vx, vy) in zip(spots, line.points, strict=True):
            title = f"{line.label}: {x_label} {vx:.5g}, {y_label} {vy:.5g}"
            radius = 4 if line.strong else 3
            parts.append(
                f'<circle class="dot {line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">'
                f"<title>{escape(title)}</title></circle>"
            )
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>')
    up = (height - _BOTTOM + _TOP) / 2
    turned = f'transform="rotate(-90 12 {up})" text-anchor="middle"'
    parts.append(f'<text class="axis" x="12" y="{up}" {turned}>{escape(y_label)}</text></svg>')
    return "".join(parts)


def _usable(point: tuple[float, float], log_x: bool) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1]) and (point[0] > 0 or not log_x)


def _padded(low: float, high: float, log: bool) -> tuple[float, float]:
    if log:
        share = (high / low) ** 0.05 if high > low else 1.2
        return low / share, high * share
    share = (high - low) * 0.06 if high > low else max(abs(high), 1.0) * 0.1
    return low - share, high + share


def stacked_bar(parts: Sequence[tuple[str, float]], total: float) -> str:
    """One bar of 100 % in HTML, its legend under it: largest first, a colour for each name by its place in `parts`."""
    colours = {name: k % 14 for k, (name, _) in enumerate(parts)}
    pieces, legend = [], []
    for name, value in sorted((p for p in parts if p[1] > 0), key=lambda p: -p[1]):
        share, colour = 100 * value / total, f"b{colours[name]}"
        pieces.append(f'<i class="{colour}" style="width:{share:.2f}%" title="{escape(name)} {share:.1f} %"></i>')
        legend.append(f'<span><i class="{colour}"></i>{escape(name)} <b>{share:.1f} %</b></span>')
    return f'<div class="bar">{"".join(pieces)}</div><p class="legend">{"".join(legend)}</p>'


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], title: str) -> str:
    """A table as coloured cells, the lowest value the best (green), NaN and None empty."""
    known = [v for row in values for v in row if v is not None and math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    head = "".join(f"<th>{escape(c)}</th>" for c in columns)
    body = []
    for name, row in zip(rows, values, strict=True):
        cells = []
        for v in row:
            if v is None or not math.isfinite(v):
                cells.append("<td>–</td>")
                continue
            share = (v - low) / (high - low) if high > low else 0.0
            cells.append(f'<td style="background:hsl({150 - 130 * share:.0f} 55% 50% / .45)">{v:.4g}</td>')
        body.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table class="heat"><caption>{escape(title)}</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
