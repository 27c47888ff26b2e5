"""The study of techniques as a page and as tables: one row a technique; a row a run beside it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path

from gvideo.evaluate.report import plot
from gvideo.evaluate.report.page import document
from gvideo.evaluate.studies.density_report import html_table
from gvideo.evaluate.studies.techniques.base import DEFAULT, REGISTRY
from gvideo.evaluate.studies.techniques.study import Gain, TechniqueRun, TechniqueSettings, compare
from gvideo.evaluate.tables import Table, number, write_tsv

_HEAD = (
    "technique", "kind", "control", "stills: dB at equal time", "stills: dB at equal bytes", "stills: bytes",
    "clips: dB at equal time", "clips: dB at equal bytes", "clips: bytes", "seconds over control", "verdict: time",
    "verdict: bytes", "what it is",
)  # fmt: skip


def measured(runs: Sequence[TechniqueRun]) -> list[str]:
    """Techniques with runs of their own, controls of others aside."""
    names = dict.fromkeys(r.technique for r in runs)
    return [n for n in names if REGISTRY[n].kind != "control"]


def technique_table(runs: Sequence[TechniqueRun]) -> Table:
    """One row a technique, by its gain at equal bytes, best first."""
    rows = []
    for name in measured(runs):
        of_still, of_video = compare(runs, name, video=False), compare(runs, name, video=True)
        times = [c.seconds for c in (of_still, of_video) if not math.isnan(c.seconds)]
        verdicts = [
            _both(a.verdict(1), b.verdict(1))
            for a, b in ((of_still.time, of_video.time), (of_still.quality, of_video.quality))
        ]
        known = [c.quality.mean for c in (of_still, of_video) if c.quality.count]
        order = -statistics.mean(known) if known else math.inf
        cells = [
            cell for c in (of_still, of_video)
            for cell in (_cell(c.time, 2, ""), _cell(c.quality, 2, ""), _cell(c.rate, 1, " %"))
        ]  # fmt: skip
        cells.append(number(statistics.mean(times) if times else None, 2))
        cls = REGISTRY[name]
        rows.append((order, (name, cls.kind, cls.control, *cells, *verdicts, cls.about)))
    return [_HEAD, *(row for _, row in sorted(rows))]


def _cell(gain: Gain, digits: int, unit: str) -> str:
    if not gain.count:
        return "–"
    error = f" ± {number(gain.error, digits)}" if gain.count > 1 else ""
    return f"{number(gain.mean, digits, sign=True)}{error}{unit}"


def _both(still: str, video: str) -> str:
    """One word where stills and clips agree, else both."""
    known = [v for v in (still, video) if v != "–"]
    if len(set(known)) < 2:
        return known[0] if known else "–"
    return f"stills: {still}, clips: {video}"


def run_table(runs: Sequence[TechniqueRun]) -> Table:
    """One row a fit."""
    head = ["technique", "clip", "frames", "seed", "steps factor", "seconds", "y_psnr_db", "gaussians"]
    most = max(len(r.points) for r in runs)
    table: Table = [(*head, *(f"{what}_{k}" for k in range(most) for what in ("bytes", "db")))]
    for r in runs:
        points = [f"{v:.2f}" for bits, db in r.points for v in (bits / 8, db)]
        table.append((
            r.technique, r.clip, "many" if r.video else "1", str(r.seed), f"{r.factor:g}", f"{r.seconds:.3f}",
            f"{r.psnr_db:.3f}", str(r.num), *points,
        ))  # fmt: skip
    return table


def summary(runs: Sequence[TechniqueRun]) -> str:
    """A line for each technique."""
    return "\n".join(f"{row[0]:20s} time {row[10]}; bytes {row[11]}" for row in technique_table(runs)[1:])


def write_techniques(
    runs: Sequence[TechniqueRun], settings: TechniqueSettings, problems: Sequence[str], folder: Path
) -> Path:
    """Writes techniques.html, techniques.tsv and runs.tsv; returns the page's path. Raises MediaError."""
    table = technique_table(runs)
    write_tsv(folder / "techniques.tsv", table)
    write_tsv(folder / "runs.tsv", run_table(runs))
    best = [row[0] for row in table[1:4]]
    clips = list(dict.fromkeys((r.clip, r.video) for r in runs))
    charts = [f'<div class="maps">{_charts(runs, clip, video, best)}</div>' for clip, video in clips]
    sections = [
        "<h1>Techniques against the default</h1>"
        f"<p>{len(runs)} fits of {settings.num} Gaussians, {settings.steps} steps, longer side {settings.side} px, "
        f"{settings.seeds} seeds, clips of {settings.num_frames} frames. Equal time: dB of luma above the control "
        "after the same seconds of a processor, along the control's line through four lengths. Equal bytes: BD-PSNR at "
        "equal steps; bytes: BD-rate, where both reach a quality in common; bits by the codec's quantiser and entropy "
        "coder at four qualities, without training against the quantiser. A verdict needs two standard errors over "
        "pictures and seeds; that of bytes is by BD-PSNR.</p>",
        "<h3>All techniques, best at equal bytes first</h3>", html_table(table),
        "<h3>Time and bytes: the three that save most, and the default</h3>", *charts,
        f"<h3>What went wrong</h3><ul>{''.join(f'<li>{escape(p)}</li>' for p in problems) or '<li>nothing</li>'}</ul>",
    ]  # fmt: skip
    page = folder / "techniques.html"
    page.write_text(document("Techniques", sections))
    return page


def _charts(runs: Sequence[TechniqueRun], clip: str, video: bool, best: Sequence[str]) -> str:
    """DB over bytes, loss over steps, and dB over seconds, of the first seed."""
    mine = [r for r in runs if (r.clip, r.video, r.seed) == (clip, video, 0)]
    shown = [r for r in mine if r.factor == 1.0 and r.technique in {DEFAULT, *best}]
    rates, losses = [], []
    for k, r in enumerate(shown):
        strong = r.technique == DEFAULT
        rates.append(plot.Line(r.technique, [(b / 8, q) for b, q in sorted(r.points)], f"c{k}", strong=strong))
        losses.append(plot.Line(r.technique, [(s, v * 1e4) for s, v in r.curve if s > 0], f"c{k}", strong=strong))
    line = sorted((r.seconds, r.psnr_db) for r in mine if r.technique == DEFAULT)
    times = [plot.Line(DEFAULT, line, "c0", strong=True)]
    times += [plot.Line(r.technique, [(r.seconds, r.psnr_db)], "c1") for r in mine
              if REGISTRY[r.technique].control == DEFAULT and r.technique != DEFAULT]  # fmt: skip
    legend = " ".join(f'<span class="c{k}">{escape(r.technique)}</span>' for k, r in enumerate(shown))
    return (
        f'<p class="legend"><b>{escape(clip)}{" (clip)" if video else ""}</b> {legend}</p>'
        + plot.line_chart(rates, "bytes", "luma PSNR, dB")
        + plot.line_chart(losses, "steps", "loss, 1e-4")
        + plot.line_chart(times, "seconds of a processor", "luma PSNR, dB", log_x=True)
    )
