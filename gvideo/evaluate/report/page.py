"""The page: what was compared, the verdict in one table, then every clip with curves, pictures, bits and times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from gvideo.evaluate import tables
from gvideo.evaluate.anchors import ANCHORS
from gvideo.evaluate.compare import BdRow, Evaluation
from gvideo.evaluate.frames import ReferenceFrames
from gvideo.evaluate.metrics import METRICS, Metric, num_scales
from gvideo.evaluate.points import Point
from gvideo.evaluate.report import plot, views
from gvideo.evaluate.report.pictures import compare_pictures


def write_report(evaluation: Evaluation, folder: Path, root: Path) -> Path:
    """Writes report.html, points.tsv, bd_rate.tsv and results.json; returns the page's path. root: the cache.

    Raises MediaError where the folder cannot be written.
    """
    tables.write_tsv(folder / "points.tsv", tables.points_table(evaluation))
    tables.write_tsv(folder / "bd_rate.tsv", tables.bd_table(evaluation.rows))
    (folder / "results.json").write_text(tables.as_json(evaluation))
    comparisons = {c.clip: c for c in compare_pictures(evaluation, root)}
    sections = [_head(evaluation), _verdict(evaluation)]
    for number, reference in enumerate(evaluation.references):
        sections.append(_clip(evaluation, reference, number))
        if reference.name in comparisons:
            sections.append(views.side_by_side(comparisons[reference.name]))
        sections += [_bits(evaluation, reference), _times(evaluation, reference), _details(evaluation, reference)]
    sections.append(_conditions(evaluation))
    page = folder / "report.html"
    page.write_text(document("gvideo against its anchors", sections))
    return page


def document(title: str, sections: Iterable[str]) -> str:
    """A whole page around sections of HTML, style and script inside it."""
    here = resources.files("gvideo.evaluate.report")
    style, script = (here.joinpath(name).read_text() for name in ("style.css", "script.js"))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body>{''.join(sections)}<script>{script}</script></body></html>\n"
    )


def _head(evaluation: Evaluation) -> str:
    frames = sum(r.num_frames for r in evaluation.references)
    links = "".join(f'<a href="#clip{n}">{escape(r.name)}</a>' for n, r in enumerate(evaluation.references))
    labels = ", ".join(ANCHORS[n].label for n in evaluation.settings.anchors) or "no anchor"
    return (
        f"<h1>gvideo against {escape(labels)}</h1><p>{len(evaluation.references)} clip"
        f"{'s' if len(evaluation.references) != 1 else ''}, {frames} frames, the same integers for every codec, "
        f"segments of at most {evaluation.settings.segment_seconds:g} s for all. Rates are lengths of written files; "
        "pictures are what decoders made of these files.</p>"
        f'<nav>{links}<a href="#conditions">Conditions</a></nav>'
    )


def _verdict(evaluation: Evaluation) -> str:
    """Mean BD-rate by anchor and metric, each metric against the tune it is fair to."""
    means = tables.mean_rates(evaluation.rows)
    if not means:
        return '<p class="note">Nothing to compare with: no anchor has a curve.</p>'
    rows = []
    for name in evaluation.settings.anchors:
        cells = []
        for metric in METRICS:
            tune = metric.tune if metric.tune in evaluation.settings.tunes else evaluation.settings.tunes[0]
            mean, used, total = means.get((name, tune, metric.key), (math.nan, 0, 0))
            note = f"<br><small>{used} of {total} clips</small>" if used != total or total > 1 else ""
            cells.append(f"<td>{views.signed(mean, '%')}{note}</td>")
        if any(key[0] == name for key in means):
            rows.append(f"<tr><td>{escape(ANCHORS[name].label)}</td>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(_short(m))}</th>" for m in METRICS)
    return (
        "<h3>Bytes that gvideo needs for the same quality (BD-rate)</h3>"
        f'<div class="scroll"><table><thead><tr><th>against</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
        '<p class="note">Negative: gvideo needs fewer bytes. PSNR columns compare with anchors tuned for PSNR, the '
        "others with the anchors' default tune. Akima interpolation over the qualities that both curves reach; a dash "
        "where the curves do not overlap by a tenth or do not rise. Means are over clips that have a figure.</p>"
    )


def _short(metric: Metric) -> str:
    return metric.label.removesuffix(" [dB]")


def _clip(evaluation: Evaluation, reference: ReferenceFrames, number: int) -> str:
    f = reference.format
    notes = "".join(f" {note.capitalize()}." for note in reference.notes)
    facts = (
        f"{f.width}×{f.height}, {reference.num_frames} frames at {float(reference.rate):.5g} frames/s, "
        f"{reference.seconds:.2f} s.{notes}"
    )
    curves = evaluation.curves()
    charts = []
    for metric in METRICS:
        lines = [
            plot.Line(
                points[0].label, [(p.bitrate_bps / 1000, p.values.get(metric.key, math.nan)) for p in points],
                views.colour(curve, evaluation.settings.anchors), dashed=_is_other_tune(curve, metric),
                strong=curve == "gvideo",
            )
            for curve in curves
            if (points := evaluation.curve(reference.name, curve))
        ]  # fmt: skip
        charts.append(f"<figure>{plot.line_chart(lines, 'kbit/s', metric.label, log_x=True)}</figure>")
    scales = num_scales(f.height, f.width)
    note = "" if scales == 5 else f" MS-SSIM with {scales} scales, since the picture is small."
    return (
        f'<h2 id="clip{number}">{escape(reference.name)}</h2><p>{escape(facts)}</p>'
        f"{views.curve_legend(evaluation, curves)}"
        f'<div class="grid2">{"".join(charts)}</div><p class="note">Solid: the tune that this metric is compared '
        f"with; dashed: the other one. VMAF's model was made for 1080p: at this size it orders, it does not grade."
        f"{note}</p>{_bd(evaluation, reference)}"
    )


def _is_other_tune(curve: str, metric: Metric) -> bool:
    return curve != "gvideo" and not curve.endswith("/" + metric.tune)


def _bd(evaluation: Evaluation, reference: ReferenceFrames) -> str:
    mine = [r for r in evaluation.rows if r.clip == reference.name]
    if not mine:
        return ""
    head = "".join(f"<th>{escape(_short(m))}</th>" for m in METRICS)
    body, warnings = [], []
    for name in evaluation.settings.anchors:
        for tune in evaluation.settings.tunes:
            by_metric = {r.metric: r for r in mine if (r.anchor, r.tune) == (name, tune)}
            if by_metric:
                label = f"{ANCHORS[name].label}, {'tune psnr' if tune == 'psnr' else 'default tune'}"
                cells = "".join(f"<td>{_bd_cell(by_metric.get(m.key), m)}</td>" for m in METRICS)
                body.append(f"<tr><td>{escape(label)}</td>{cells}</tr>")
                warnings += _warnings(label, by_metric.values())
    items = "".join(f"<li>{escape(w)}</li>" for w in warnings)
    listed = f'<ul class="note">{items}</ul>' if items else ""
    return (
        '<h3>Bjøntegaard deltas</h3><div class="scroll"><table><caption>BD-rate, and under it the gain in the metric '
        f"at the same bytes</caption><thead><tr><th>gvideo against</th>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>{listed}"
    )


def _bd_cell(row: BdRow | None, metric: Metric) -> str:
    if row is None:
        return "–"
    unit = " dB" if metric.decibels or "dB" in metric.label else ""
    gain = tables.number(row.quality.value, 2, sign=True)
    return f"{views.signed(row.rate['akima'].value, '%')}<br><small>{gain}{unit if gain != '–' else ''}</small>"


def _warnings(label: str, rows: Iterable[BdRow]) -> list[str]:
    grouped: dict[str, list[str]] = {}
    labels = {m.key: _short(m) for m in METRICS}
    for row in rows:
        if row.rate["akima"].warning:
            grouped.setdefault(row.rate["akima"].warning, []).append(labels[row.metric])
    return [f"{label}, {', '.join(names)}: {text}" for text, names in grouped.items()]


def _bits(evaluation: Evaluation, reference: ReferenceFrames) -> str:
    ours = evaluation.curve(reference.name, "gvideo")
    if not ours:
        return ""
    shown = [ours[k] for k in sorted({0, len(ours) // 2, len(ours) - 1})]
    bars = [
        f'<p class="note">crf {p.quality:g}: {p.num_bytes} bytes, {p.num_segments} '
        f"segment{'s' if p.num_segments != 1 else ''}</p>{plot.stacked_bar(list(p.parts.items()), p.num_bytes)}"
        for p in shown
    ]
    shares = []
    for curve in evaluation.curves()[1:]:
        points = evaluation.curve(reference.name, curve)
        if points and curve.endswith("/psnr"):
            p = min(points, key=lambda p: abs(math.log(p.num_bytes / ours[len(ours) // 2].num_bytes)))
            share = 100 * p.parts.get("keyframes", 0) / p.num_bytes
            shares.append(f"{p.label} at {p.num_bytes} bytes: {share:.0f} %")
    text = f'<p class="note">Bytes in keyframes of the anchors: {escape("; ".join(shares))}.</p>' if shares else ""
    return f"<h3>Where the bits went</h3>{''.join(bars)}{text}"


def _times(evaluation: Evaluation, reference: ReferenceFrames) -> str:
    rows = []
    for curve in evaluation.curves():
        points = evaluation.curve(reference.name, curve)
        if not points:
            continue
        middle = points[len(points) // 2]
        count = reference.num_frames
        cells = [
            f"{middle.quality:g}", f"{middle.encode_s / count * 1000:.1f}", f"{count / middle.encode_s:.1f}",
            f"{middle.decode_s / count * 1000:.1f}", f"{count / middle.decode_s:.1f}",
            f"{middle.measure_s / count * 1000:.1f}", tables.number(middle.values.get("flicker_borders"), 3),
            tables.number(middle.values.get("flicker_inside"), 3), str(middle.num_segments),
        ]  # fmt: skip
        kind = ' class="ours"' if curve == "gvideo" else ""
        rows.append(f"<tr{kind}><td>{escape(middle.label)}</td>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    heads = ("quality", "encode<br>ms/frame", "encode<br>frames/s", "decode<br>ms/frame", "decode<br>frames/s",
             "measure<br>ms/frame", "flicker<br>at borders", "flicker<br>inside", "segments")  # fmt: skip
    return (
        '<h3>Time per stage, and flicker where segments join</h3><div class="scroll"><table><thead><tr><th>codec</th>'
        f"{''.join(f'<th>{h}</th>' for h in heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="note">The middle quality of each curve. Wall clock as measured when the point was first made, with '
        "whatever else the machine did; times of ffmpeg include the start of its process (about 0.03 s) and writing "
        "raw frames. Flicker: mean absolute change of the error from frame to frame, grey levels; where the first "
        "number is far above the second one, segments join visibly.</p>"
    )


def _details(evaluation: Evaluation, reference: ReferenceFrames) -> str:
    points = [p for p in evaluation.points if p.clip == reference.name]
    heads = ("codec", "quality", "bytes", "kbit/s", "bit/pixel", *(_short(m) for m in METRICS), "encode s", "decode s")
    rows = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in _row(p))}</tr>" for p in points)
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    return (
        f'<details><summary>All {len(points)} streams of this clip</summary><div class="scroll"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _row(point: Point) -> Sequence[str]:
    values = [tables.number(point.values.get(m.key), m.digits) for m in METRICS]
    return (
        escape(point.label), f"{point.quality:g}", str(point.num_bytes), f"{point.bitrate_bps / 1000:.2f}",
        f"{point.bits_per_pixel:.4f}", *values, f"{point.encode_s:.2f}", f"{point.decode_s:.2f}",
    )  # fmt: skip


def _conditions(evaluation: Evaluation) -> str:
    s = evaluation.settings
    left_out = [ANCHORS[n].label for n in ANCHORS if n not in {c.split("/")[0] for c in evaluation.curves()}]
    problems = "".join(f"<li>{escape(p)}</li>" for p in evaluation.problems) or "<li>nothing went wrong</li>"
    facts = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in evaluation.environment.items())
    return (
        '<h2 id="conditions">Conditions</h2><h3>Frames and settings</h3><ul>'
        "<li>Every clip is read once, brought to 8-bit 4:2:0 at the stated size, and written as raw integers that all "
        "codecs read; metrics compare 8-bit planes of the decoded files with these, frame counts checked.</li>"
        f"<li>Longest keyframe interval of the anchors: the frames of {s.segment_seconds:g} s, closed groups of "
        "pictures, scene cuts where the encoder wants them (VVenC: the next lower multiple of 32 frames).</li>"
        "<li>Anchors run at constant quality, twice: tuned for PSNR (x264 and x265 tune psnr, SVT-AV1 tune 1, VVenC "
        "without perceptual quantisation) and with their default tune.</li>"
        "<li>Bytes: whole .gsv files; elementary streams of the anchors without informational SEI and without AV1's "
        "temporal delimiters. No container on either side, though a .gsv file has an index and checksums.</li>"
        "<li>PSNR of the mean squared error over all frames; YUV-PSNR 6:1:1; SSIM, MS-SSIM and XPSNR of luma.</li>"
        "<li>An anchor's curve is extended beyond the given qualities until it reaches past gvideo's at both ends, or "
        "its own limit.</li>"
        f"</ul><h3>What was left out, and what went wrong</h3><ul><li>codecs not run: "
        f"{escape(', '.join(left_out) or 'none')}</li><li>chroma-only and 10-bit metrics, subjective tests</li>"
        f"{problems}</ul><h3>Made with</h3><ul>{facts}</ul><p>Repeat it: <code>{escape(command(evaluation))}</code></p>"
    )


def command(evaluation: Evaluation) -> str:
    """The command line that gives this report."""
    s = evaluation.settings
    parts = ["gvideo eval", *(r.name for r in evaluation.references)]
    parts += [f"--size {s.size[0]}x{s.size[1]}"] if s.size else []
    first, last = s.frames
    parts += [f"--frames {first}:{'' if last is None else last + 1}"] if s.frames != (0, None) else []
    parts += [f"--stream {s.stream}"] if s.stream is not None else []
    parts += [f"--crf {','.join(f'{c:g}' for c in s.crfs)}", f"--anchors {','.join(s.anchors) or 'none'}"]
    parts += [f"--tune {s.tune}"] if s.tune != "psnr" else []
    parts += [f"--segment {s.segment_seconds:g}", f"--preset {s.preset}", f"--threads {s.threads}", "--report DIR"]
    return " ".join(parts)
