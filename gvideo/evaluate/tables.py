"""Results as tables: rows of strings for TSV and the report, and the whole as JSON.

points.tsv   one row a stream          bd_rate.tsv   one row a clip, anchor, tune and metric
"""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gvideo.errors import MediaError
from gvideo.evaluate import bd
from gvideo.evaluate.compare import BdRow, Evaluation
from gvideo.evaluate.metrics import METRICS
from gvideo.finite import finite

_POINT_COLUMNS = (
    "clip", "codec", "quality", "width", "height", "frames", "frames_per_s", "bytes", "bitrate_kbps", "bits_per_pixel",
    "y_psnr_db", "yuv_psnr_db", "cb_psnr_db", "cr_psnr_db", "ssim", "ms_ssim", "vmaf", "vmaf_neg", "xpsnr_db",
    "flicker_borders", "flicker_inside", "segments", "encode_s", "decode_s", "threads",
)  # fmt: skip
_MEASURED = _POINT_COLUMNS[_POINT_COLUMNS.index("y_psnr_db") : _POINT_COLUMNS.index("segments")]
_BD_COLUMNS = (
    "clip", "anchor", "tune", "metric", "bd_rate_percent", "bd_rate_pchip_percent", "bd_rate_cubic_percent",
    "bd_quality", "overlap", "warning",
)  # fmt: skip

Table = list[tuple[str, ...]]


def number(value: float | None, digits: int, *, sign: bool = False) -> str:
    """A figure with fixed digits; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}"


def points_table(evaluation: Evaluation) -> Table:
    """All streams, header first."""
    table: Table = [_POINT_COLUMNS]
    sizes = {r.name: r for r in evaluation.references}
    for p in evaluation.points:
        r = sizes[p.clip]
        values = [number(p.values.get(key), 4 if key.endswith("ssim") else 3) for key in _MEASURED]
        table.append((
            p.clip, p.label, f"{p.quality:g}", str(r.format.width), str(r.format.height), str(r.num_frames),
            f"{float(r.rate):.5g}", str(p.num_bytes), f"{p.bitrate_bps / 1000:.3f}", f"{p.bits_per_pixel:.5f}",
            *values, str(p.num_segments), f"{p.encode_s:.3f}", f"{p.decode_s:.3f}", str(p.threads),
        ))  # fmt: skip
    return table


def bd_table(rows: Sequence[BdRow]) -> Table:
    """All comparisons, header first; then the mean over the clips that have a figure, with their number."""
    table: Table = [_BD_COLUMNS]
    for row in rows:
        rate = row.rate
        table.append((
            row.clip, row.anchor, row.tune, row.metric, number(rate["akima"].value, 2, sign=True),
            number(rate["pchip"].value, 2, sign=True), number(rate["cubic"].value, 2, sign=True),
            number(row.quality.value, 4, sign=True), number(rate["akima"].overlap, 2), rate["akima"].warning,
        ))  # fmt: skip
    for (anchor, tune, metric), mean in mean_rates(rows).items():
        value, used, total = mean
        if total > 1:
            text = number(value, 2, sign=True)
            table.append((f"mean of {used} of {total}", anchor, tune, metric, text, "", "", "", "", ""))
    return table


def mean_rates(rows: Sequence[BdRow]) -> dict[tuple[str, str, str], tuple[float, int, int]]:
    """(anchor, tune, metric) -> (mean BD-rate over clips with a figure, how many they are, how many were tried)."""
    grouped: dict[tuple[str, str, str], list[float | None]] = {}
    for row in rows:
        grouped.setdefault((row.anchor, row.tune, row.metric), []).append(row.rate["akima"].value)
    means = {}
    for key, values in grouped.items():
        known = [v for v in values if v is not None]
        means[key] = (sum(known) / len(known) if known else math.nan, len(known), len(values))
    return means


def write_tsv(path: Path, table: Table) -> None:
    """Writes a table. Raises MediaError if the file cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join("\t".join(row) + "\n" for row in table))
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from error


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of a written table by column. Raises MediaError if there is no such file."""
    try:
        with path.open(newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from error


def psnr_curves(*points: Path) -> dict[str, tuple[bd.Points, dict[str, bd.Points]]]:
    """By clip of written tables of points: gvideo's curve of (bytes, Y-PSNR), and those of anchors tuned for it.

    Several tables hold points of the same curves, at other qualities.
    """
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in itertools.chain.from_iterable(map(read_tsv, points)):
        curve = curves.setdefault(row["clip"], {}).setdefault(row["codec"], [])
        curve.append((float(row["bytes"]), float(row["y_psnr_db"])))
    return {
        clip: (
            next(curve for codec, curve in codecs.items() if codec.startswith("gvideo")),
            {codec: curve for codec, curve in codecs.items() if codec.endswith("tune psnr")},
        )
        for clip, codecs in curves.items()
    }


def as_json(evaluation: Evaluation) -> str:
    """Everything but the places of files, for other programs; numbers that are not are null."""
    record: dict[str, Any] = {
        "environment": evaluation.environment,
        "settings": asdict(evaluation.settings),
        "clips": [
            {
                "name": r.name, "width": r.format.width, "height": r.format.height, "frames": r.num_frames,
                "frames_per_s": float(r.rate), "sha256": r.digest, "notes": r.notes,
            }
            for r in evaluation.references
        ],
        "metrics": [asdict(m) for m in METRICS],
        "points": [{k: v for k, v in asdict(p).items() if k != "stream"} for p in evaluation.points],
        "bd": [asdict(r) for r in evaluation.rows],
        "problems": evaluation.problems,
    }  # fmt: skip
    return json.dumps(finite(record), indent=1)
