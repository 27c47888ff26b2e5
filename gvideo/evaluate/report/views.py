"""Parts of the page that more than one section uses: signed figures, colours of codecs, the slider of two pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape

from gvideo.evaluate.compare import Evaluation
from gvideo.evaluate.metrics import METRICS
from gvideo.evaluate.report.pictures import Comparison, Shot, closest_label
from gvideo.evaluate.tables import number


def signed(value: float | None, unit: str) -> str:
    """A difference, coloured: negative is good."""
    if value is None or math.isnan(value):
        return "–"
    kind = "good" if value < -0.05 else "bad" if value > 0.05 else ""
    return f'<span class="{kind}">{number(value, 1, sign=True)} {unit}</span>'


def colour(curve: str, anchors: Sequence[str]) -> str:
    """Colour class of a curve: gvideo first, then the anchors in their order."""
    if curve == "gvideo":
        return "c0"
    return f"c{1 + list(anchors).index(curve.split('/')[0]) % 5}"


def curve_legend(evaluation: Evaluation, curves: Sequence[str]) -> str:
    """Which colour is which codec."""
    seen: dict[str, str] = {}
    for curve in curves:
        label = next(p.label for p in evaluation.points if p.curve == curve).split(",")[0]
        seen.setdefault(label, colour(curve, evaluation.settings.anchors))
    return (
        '<p class="legend">'
        + "".join(f'<span><i class="k {c}"></i>{escape(k)}</span>' for k, c in seen.items())
        + ("</p>")
    )


def side_by_side(comparison: Comparison) -> str:
    """Two pictures under a slider, each chosen from a list, and a table of what they are."""
    shots = comparison.shots
    wanted = shots[1].num_bytes
    first, second = (1, 2) if len(shots) > 2 else (0, 1)
    data = json.dumps([{"label": s.label, "url": s.data_url} for s in shots]).replace("</", "<\\/")
    size = f"width:{comparison.width}px;aspect-ratio:{comparison.width}/{comparison.height}"
    rows = "".join(f"<tr>{_shot_row(s, wanted)}</tr>" for s in shots[1:])
    heads = "".join(f"<th>{escape(m.label)}</th>" for m in METRICS)
    return (
        f"<h3>Side by side at matched bytes, frame {comparison.frame}</h3>"
        '<div class="compare"><div class="choose">'
        f"<label>left {_select(shots, first)}</label><label>right {_select(shots, second)}</label></div>"
        f'<div class="pair" style="{size}"><img alt=""><img class="over" alt=""></div>'
        '<input type="range" min="0" max="100" step="0.1" value="50" aria-label="where the pictures meet">'
        f'<script type="application/json">{data}</script></div>'
        f'<div class="scroll"><table><thead><tr><th>codec</th><th>bytes of the clip</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _select(shots: Sequence[Shot], chosen: int) -> str:
    options = "".join(
        f'<option value="{k}"{" selected" if k == chosen else ""}>{escape(s.label)}</option>'
        for k, s in enumerate(shots)
    )
    return f"<select>{options}</select>"


def _shot_row(shot: Shot, wanted: int) -> str:
    values = "".join(f"<td>{number(shot.values.get(m.key), m.digits)}</td>" for m in METRICS)
    return f"<td>{escape(shot.label)}</td><td>{closest_label(shot, wanted)}</td>{values}"
